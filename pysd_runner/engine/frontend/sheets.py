"""Cells of spreadsheets and of text files: data, of which nothing is executed."""

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pysd_runner.engine.errors import InvalidModel

# Files that openpyxl reads, and those for which pandas needs a further package.
WORKBOOKS = frozenset({".xlsx", ".xlsm"})
OTHER_WORKBOOKS = frozenset({".xls", ".xlsb", ".odf", ".ods", ".odt"})

# Rows of cells.
Cells = list[list[Any]]

_CELL = re.compile(r"([A-Za-z]{1,3})([1-9]\d*)\Z")
_COLUMN = re.compile(r"[A-Za-z]{1,3}\Z")


def cell_place(text: str) -> tuple[int, int] | None:
    """Row and column of a cell, counted from zero; None if the text is no cell.

    >>> cell_place("b3")
    (2, 1)
    """
    found = _CELL.match(text)
    return None if found is None else (int(found[2]) - 1, column_place(found[1]))


def column_place(letters: str) -> int:
    """Number of a column, counted from zero.

    >>> column_place("AA")
    26
    """
    if not _COLUMN.match(letters):
        raise InvalidModel(f"{letters!r} is no column; expected letters such as 'B'")
    number = 0
    for letter in letters.upper():
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1


def number_of(cell: Any) -> float:
    """A cell as a number, NaN if it is empty or a text."""
    if isinstance(cell, bool | int | float):
        return float(cell)
    try:
        return float(str(cell).strip())
    except ValueError:
        return math.nan


@dataclass(slots=True)
class Sheets:
    """Files that were read, so that each is read once."""

    _cells: dict[tuple[Path, str], Cells] = field(default_factory=dict)
    _books: dict[Path, Any] = field(default_factory=dict)

    def close(self) -> None:
        """Let go of what was read."""
        for book in self._books.values():
            book.close()
        self._books.clear()
        self._cells.clear()

    def cells(self, path: Path, tab: str) -> Cells:
        """All cells of a sheet, or of a text file with a separator."""
        if (path, tab) not in self._cells:
            ending = path.suffix.lower()
            if ending in WORKBOOKS:
                sheet = self._sheet(path, tab)
                read = [list(row) for row in sheet.iter_rows(values_only=True)]
            elif ending in OTHER_WORKBOOKS:
                read = _by_pandas(path, tab)
            else:
                read = _text_cells(path, tab)
            self._cells[path, tab] = read
        return self._cells[path, tab]

    def named(self, path: Path, tab: str, name: str) -> tuple[slice, slice]:
        """Rows and columns that a name in a workbook stands for."""
        if path.suffix.lower() not in WORKBOOKS:
            raise InvalidModel(f"{name!r} is no cell such as 'B2', and only an .xlsx workbook has names for cells")
        sheet = self._sheet(path, tab)
        known = {key.casefold(): item for key, item in self._book(path).defined_names.items()}
        known |= {key.casefold(): item for key, item in sheet.defined_names.items()}
        found = known.get(name.casefold())
        places = [] if found is None else list(found.destinations)
        if len(places) != 1 or places[0][0].casefold() != sheet.title.casefold():
            raise InvalidModel(f"the sheet {tab!r} has no name {name!r} for some of its cells")
        first, _, last = places[0][1].replace("$", "").partition(":")
        start, end = cell_place(first), cell_place(last or first)
        if start is None or end is None:
            raise InvalidModel(f"the name {name!r} stands for {places[0][1]!r}; expected cells such as 'B2:D9'")
        return slice(start[0], end[0] + 1), slice(start[1], end[1] + 1)

    def _book(self, path: Path) -> Any:
        if path not in self._books:
            import openpyxl

            try:
                self._books[path] = openpyxl.load_workbook(path, read_only=True, data_only=True)
            except Exception as error:
                # openpyxl raises whatever it runs into in a damaged file.
                raise InvalidModel(f"the workbook cannot be read: {type(error).__name__}: {error}") from error
        return self._books[path]

    def _sheet(self, path: Path, tab: str) -> Any:
        book = self._book(path)
        for sheet in book.worksheets:
            if sheet.title.casefold() == tab.casefold():
                return sheet
        raise InvalidModel(f"the workbook has no sheet {tab!r}; it has {', '.join(book.sheetnames)}")


def block(cells: Cells, rows: slice, columns: slice) -> list[list[float]]:
    """Numbers in some rows and columns; what lies beyond the sheet is left out."""
    chosen = cells[rows]
    width = max((len(row[columns]) for row in chosen), default=0)
    if not chosen or not width:
        raise InvalidModel("there are no cells at this place")
    return [[number_of(cell) for cell in _padded(row[columns], width)] for row in chosen]


def _padded(row: Sequence[Any], width: int) -> list[Any]:
    return [*row, *[None] * (width - len(row))]


def _text_cells(path: Path, separator: str) -> Cells:
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    default = "," if path.suffix.lower() == ".csv" else "\t"
    mark = "\t" if separator == "\\t" else separator
    if len(mark) > 1 and not mark[0].isalnum():
        raise InvalidModel(f"the separator {separator!r} is more than one character")
    delimiter = mark if len(mark) == 1 and not mark.isalnum() else default
    try:
        return [[_blank_as_none(cell) for cell in row] for row in csv.reader(io.StringIO(text), delimiter=delimiter)]
    except (csv.Error, TypeError, ValueError) as error:
        raise InvalidModel(f"the file cannot be read as a table: {error}") from error


def _blank_as_none(cell: str) -> str | None:
    return cell if cell.strip() else None


def _by_pandas(path: Path, tab: str) -> Cells:
    """Workbooks of other kinds, for which pandas needs a package that says what is missing."""
    import pandas as pd

    try:
        frame = pd.read_excel(path, sheet_name=tab, header=None, dtype=object)
    except Exception as error:
        # pandas and its readers raise whatever they run into.
        raise InvalidModel(f"the workbook cannot be read: {type(error).__name__}: {error}") from error
    return [[None if pd.isna(cell) else cell for cell in row] for row in frame.to_numpy().tolist()]
