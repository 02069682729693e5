"""Tables for LaTeX."""

import math
from typing import TYPE_CHECKING

from pysd_runner.core.numbers import MINUS

if TYPE_CHECKING:
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
    """Write a table as a tabular of the package booktabs.

    Parameters
    ----------
    frame
        Any table; the index is not written.
    digits
        Significant digits of numbers with a fraction.

    Returns
    -------
    str
        Texts are escaped, numbers stand right, what is missing is empty.
    """
    import pandas as pd

    right = ["r" if pd.api.types.is_numeric_dtype(frame[name]) else "l" for name in frame.columns]
    rows = [[_cell(value, digits) for value in row] for row in frame.itertuples(index=False, name=None)]
    body = "\n".join(f"{' & '.join(row)} \\\\" for row in rows)
    head = " & ".join(_escaped(str(name)) for name in frame.columns)
    rules = (f"\\begin{{tabular}}{{{''.join(right)}}}", "\\toprule", f"{head} \\\\", "\\midrule")
    return "\n".join([*rules, *([body] if body else []), "\\bottomrule", "\\end{tabular}", ""])


def _cell(value: object, digits: int) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else _escaped(f"{value:.{digits}g}".replace("-", MINUS))
    return "" if value is None else _escaped(str(value))


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(sign, sign) for sign in " ".join(text.split()))
