"""Tables as CSV, as workbooks and for LaTeX, and what every result that has a table shows of it."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pysd_runner.export.files import write_bytes_whole

if TYPE_CHECKING:
    import pandas as pd

# What a spreadsheet program takes for the beginning of a formula.
FORMULA = ("=", "+", "-", "@", "\t")
# Rows of a table that a screen holds.
SCREEN = 20
# A name of a sheet may not be longer, nor hold these.
LONGEST = 31
FORBIDDEN = str.maketrans(dict.fromkeys("[]:*?/\\", "_"))


def csv_bytes(frame: "pd.DataFrame") -> bytes:
    r"""Encode a table as CSV.

    UTF-8, line ends ``\n``, ten significant digits. A byte-order mark leads when a text is not ASCII:
    without it spreadsheet programs on Chinese systems read the file as GBK and show nonsense. A text that a spreadsheet
    program would take for a formula (it begins with ``=``, ``+``, ``-``, ``@`` or a tab, and is no number) gets an
    apostrophe in front, as OWASP advises.

    Parameters
    ----------
    frame
        Any table; the index is not written.

    Returns
    -------
    bytes
        The content of the file.
    """
    text: str = _without_formulas(frame).to_csv(index=False, lineterminator="\n", float_format="%.10g")
    return text.encode("utf-8" if text.isascii() else "utf-8-sig")


def save_csv(frame: "pd.DataFrame", path: str | Path) -> Path:
    """Write a table as CSV, whole or not at all.

    Parameters
    ----------
    frame
        Any table; the index is not written.
    path
        Where to write; missing folders are made.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    return write_bytes_whole(path, csv_bytes(frame))


def save_workbook(sheets: "Mapping[str, pd.DataFrame]", path: str | Path) -> Path:
    """Write tables into a workbook, a sheet each, whole or not at all."""
    import pandas as pd

    content = io.BytesIO()
    with pd.ExcelWriter(content, engine="openpyxl") as writer:
        for name, frame in sheets.items():
            title = name.translate(FORBIDDEN)[:LONGEST]
            frame.to_excel(writer, sheet_name=title, index=False, freeze_panes=(1, 0))
        for sheet in writer.book.worksheets:
            for cell in (cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"):
                cell.data_type = "s"  # a text that begins with = is no formula of ours
    return write_bytes_whole(path, content.getvalue())


def one_screen(frame: "pd.DataFrame") -> str:
    """A table as HTML for a notebook, at most a screen of it: the first and the last rows."""
    return str(frame.to_html(index=False, max_rows=SCREEN, float_format="{:.4g}".format))


class HasTable(Protocol):
    """A result that can be a table."""

    def table(self, *args: Any, **kwargs: Any) -> "pd.DataFrame":
        """Return the result as a table."""


class Tabled:
    """What results share that can be a table."""

    __slots__ = ()

    def to_latex(self: HasTable, *args: Any, digits: int = 3, **kwargs: Any) -> str:
        """The table for LaTeX, with the package booktabs."""
        frame = _flat(self.table(*args, **kwargs))
        return str(frame.to_latex(index=False, na_rep="", escape=True, float_format=f"{{:.{digits}g}}".format))

    def to_excel(self: HasTable, path: str | Path) -> Path:
        """Write the table as a workbook."""
        return save_workbook({"table": _flat(self.table())}, path)

    def _repr_html_(self: HasTable) -> str:
        """The table, as notebooks show it; pandas leaves out the middle of a long one."""
        return str(self.table()._repr_html_())  # type: ignore[operator]


def _flat(frame: "pd.DataFrame") -> "pd.DataFrame":
    """A table with its named index as columns, and one name for each column."""
    frame = frame.reset_index() if any(name is not None for name in frame.index.names) else frame
    levels = [name if isinstance(name, tuple) else (name,) for name in frame.columns]
    return frame.set_axis([" ".join(str(part) for part in parts if part != "") for parts in levels], axis="columns")


def _without_formulas(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The table with an apostrophe before each text and each heading that would be a formula."""
    import numpy as np

    plain = frame.rename(columns=_as_text)
    for place, column in enumerate(frame.dtypes):
        values = [] if column.kind in "biufcmM" else frame.iloc[:, place].tolist()
        texts = [_as_text(value) for value in values]
        if texts != values:
            plain.isetitem(place, np.array(texts, dtype=object))
    return plain


def _as_text(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    value = value.replace("\r", " ")  # it would begin a row of its own
    if not value.startswith(FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value
