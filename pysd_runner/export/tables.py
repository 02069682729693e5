"""Write tables as CSV, workbooks and LaTeX, and display them in notebooks."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pysd_runner.export.files import write_bytes_whole

if TYPE_CHECKING:
    import pandas as pd

# First characters of texts that spreadsheet programs interpret as formulas.
FORMULA = ("=", "+", "-", "@", "\t")
# Maximum number of rows shown in a notebook.
SCREEN = 20
# Maximum length of the name of a sheet, and replacements of characters it must not contain.
LONGEST = 31
FORBIDDEN = str.maketrans(dict.fromkeys("[]:*?/\\", "_"))


def csv_bytes(frame: "pd.DataFrame") -> bytes:
    r"""Encode a table as CSV.

    UTF-8, line ends ``\n``, ten significant digits. Files that are not ASCII begin with a byte-order mark: without it
    spreadsheet programs on Chinese systems read them as GBK and garble them. A text that a spreadsheet program would
    interpret as a formula (it begins with ``=``, ``+``, ``-``, ``@`` or a tab, and is not a number) is prefixed with an
    apostrophe, as OWASP recommends.

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
    """Write a table as CSV, atomically.

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
    """Write tables to a workbook, one sheet each, atomically."""
    import pandas as pd

    content = io.BytesIO()
    with pd.ExcelWriter(content, engine="openpyxl") as writer:
        for name, frame in sheets.items():
            title = name.translate(FORBIDDEN)[:LONGEST]
            frame.to_excel(writer, sheet_name=title, index=False, freeze_panes=(1, 0))
        for sheet in writer.book.worksheets:
            for cell in (cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"):
                cell.data_type = "s"  # a text that begins with = is not a formula
    return write_bytes_whole(path, content.getvalue())


def one_screen(frame: "pd.DataFrame") -> str:
    """A table as HTML for a notebook; of a long one only the first and the last rows."""
    return str(frame.to_html(index=False, max_rows=SCREEN, float_format="{:.4g}".format))


class HasTable(Protocol):
    """A result that can be converted to a table."""

    def table(self, *args: Any, **kwargs: Any) -> "pd.DataFrame":
        """Return the result as a table."""


class Tabled:
    """Mixin with the output formats of results that can be converted to a table."""

    __slots__ = ()

    def to_latex(self: HasTable, *args: Any, digits: int = 3, **kwargs: Any) -> str:
        """Convert the table to LaTeX, for the package booktabs."""
        frame = _flat(self.table(*args, **kwargs))
        return str(frame.to_latex(index=False, na_rep="", escape=True, float_format=f"{{:.{digits}g}}".format))

    def to_excel(self: HasTable, path: str | Path) -> Path:
        """Write the table to a workbook."""
        return save_workbook({"table": _flat(self.table())}, path)

    def _repr_html_(self: HasTable) -> str:
        """The table as HTML for notebooks; pandas omits the middle of a long one."""
        return str(self.table()._repr_html_())  # type: ignore[operator]


def _flat(frame: "pd.DataFrame") -> "pd.DataFrame":
    """A table with named index levels as columns, and a single name for each column."""
    frame = frame.reset_index() if any(name is not None for name in frame.index.names) else frame
    levels = [name if isinstance(name, tuple) else (name,) for name in frame.columns]
    return frame.set_axis([" ".join(str(part) for part in parts if part != "") for parts in levels], axis="columns")


def _without_formulas(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The table with an apostrophe before each text and heading that would be interpreted as a formula."""
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
    value = value.replace("\r", " ")  # a carriage return would start a new row
    if not value.startswith(FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value
