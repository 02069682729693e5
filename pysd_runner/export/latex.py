"""Tables for LaTeX, and what every result that has a table shows of it."""

import math
from typing import TYPE_CHECKING, Any, Protocol

from pysd_runner.core.numbers import MINUS

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    MINUS: "$-$",
}


def to_latex(frame: "pd.DataFrame", *, digits: int = 3) -> str:
    """Write a table as a tabular of the package booktabs."""
    import pandas as pd

    right = ["r" if pd.api.types.is_numeric_dtype(frame[name]) else "l" for name in frame.columns]
    rows = [[_cell(value, digits) for value in row] for row in frame.itertuples(index=False, name=None)]
    body = "\n".join(f"{' & '.join(row)} \\\\" for row in rows)
    head = " & ".join(_escaped(str(name)) for name in frame.columns)
    rules = (f"\\begin{{tabular}}{{{''.join(right)}}}", "\\toprule", f"{head} \\\\", "\\midrule")
    return "\n".join([*rules, *([body] if body else []), "\\bottomrule", "\\end{tabular}", ""])


class HasTable(Protocol):
    """A result that can be a table."""

    def table(self, *args: Any, **kwargs: Any) -> "pd.DataFrame":
        """Return the result as a table."""


class Tabled:
    """What results share that can be a table."""

    __slots__ = ()

    def to_latex(self: HasTable, *args: Any, digits: int = 3, **kwargs: Any) -> str:
        """The table for LaTeX, with the package booktabs."""
        return to_latex(_flat(self.table(*args, **kwargs)), digits=digits)

    def to_excel(self: HasTable, path: "str | Path") -> "Path":
        """Write the table as a workbook."""
        from pysd_runner.export.workbooks import save_workbook

        return save_workbook({"table": _flat(self.table())}, path)

    def _repr_html_(self: HasTable) -> str:
        """The table, as notebooks show it; pandas leaves out the middle of a long one."""
        return str(self.table()._repr_html_())  # type: ignore[operator]


def _flat(frame: "pd.DataFrame") -> "pd.DataFrame":
    """A table with its named index as columns, and one name for each column."""
    frame = frame.reset_index() if any(name is not None for name in frame.index.names) else frame
    levels = [name if isinstance(name, tuple) else (name,) for name in frame.columns]
    return frame.set_axis([" ".join(str(part) for part in parts if part != "") for parts in levels], axis="columns")


def _cell(value: object, digits: int) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else _escaped(f"{value:.{digits}g}".replace("-", MINUS))
    return "" if value is None else _escaped(str(value))


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(sign, sign) for sign in " ".join(text.split()))
