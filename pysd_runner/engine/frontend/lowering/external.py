"""Read the numbers that a model takes from spreadsheets and text files; nothing in these files is executed."""

import csv
import hashlib
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from pysd_runner.engine.errors import InvalidModel, Message, joined
from pysd_runner.engine.frontend.datasets.read import read_set
from pysd_runner.engine.frontend.datasets.series import DataSet, Label, Series, label_of
from pysd_runner.engine.frontend.lowering.ranges import Ranges
from pysd_runner.engine.frontend.lowering.tables import UNDEFINED, TablePoints, sorted_points
from pysd_runner.engine.frontend.lowering.vdf import constants_of, points_of_set, reads_set
from pysd_runner.engine.frontend.source import data_file, sets_among
from pysd_runner.engine.frontend.syntax import Call, Range, Syntax, Text
from pysd_runner.engine.ir import Mode, key
from pysd_runner.engine.kinds import Array

# Suffixes of workbooks that openpyxl reads, and of those for which pandas needs another package.
WORKBOOKS = frozenset({".xlsx", ".xlsm"})

OTHER_WORKBOOKS = frozenset({".xls", ".xlsb", ".odf", ".ods", ".odt"})

# Rows of cells.
Cells = list[list[Any]]

_CELL = re.compile(r"([A-Za-z]{1,3})([1-9]\d*)\Z")

_COLUMN = re.compile(r"[A-Za-z]{1,3}\Z")


def cell_place(text: str) -> tuple[int, int] | None:
    """Row and column of a cell, counted from zero; None if the string is not a cell reference.

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
        raise InvalidModel("{letters!r} is no column; expected letters such as 'B'", letters=letters)
    number = 0
    for letter in letters.upper():
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1


def number_of(cell: Any) -> float:
    """A cell as a number; NaN if it is empty or holds a string."""
    if isinstance(cell, bool | int | float):
        return float(cell)
    try:
        return float(str(cell).strip())
    except ValueError:
        return math.nan


@dataclass(slots=True)
class Sheets:
    """Cache of the files of one model, so that each is read only once."""

    _cells: dict[tuple[Path, str], Cells] = field(default_factory=dict)
    _books: dict[Path, Any] = field(default_factory=dict)

    def close(self) -> None:
        """Close the workbooks and clear the cache."""
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
        """Rows and columns of a named range of cells in a workbook."""
        if path.suffix.lower() not in WORKBOOKS:
            raise InvalidModel(
                "{name!r} is no cell such as 'B2', and only an .xlsx workbook has names for cells", name=name
            )
        sheet = self._sheet(path, tab)
        known = {key.casefold(): item for key, item in self._book(path).defined_names.items()}
        known |= {key.casefold(): item for key, item in sheet.defined_names.items()}
        found = known.get(name.casefold())
        places = [] if found is None else list(found.destinations)
        if len(places) != 1 or places[0][0].casefold() != sheet.title.casefold():
            raise InvalidModel("the sheet {tab!r} has no name {name!r} for some of its cells", tab=tab, name=name)
        first, _, last = places[0][1].replace("$", "").partition(":")
        start, end = cell_place(first), cell_place(last or first)
        if start is None or end is None:
            raise InvalidModel(
                "the name {name!r} stands for {places!r}; expected cells such as 'B2:D9'",
                name=name,
                places=places[0][1],
            )
        return slice(start[0], end[0] + 1), slice(start[1], end[1] + 1)

    def _book(self, path: Path) -> Any:
        if path not in self._books:
            import openpyxl

            try:
                self._books[path] = openpyxl.load_workbook(path, read_only=True, data_only=True)
            except Exception as error:
                # openpyxl may raise any exception for a damaged file.
                raise InvalidModel(
                    "the workbook cannot be read: {name}: {error}", name=type(error).__name__, error=error
                ) from error
        return self._books[path]

    def _sheet(self, path: Path, tab: str) -> Any:
        book = self._book(path)
        for sheet in book.worksheets:
            if sheet.title.casefold() == tab.casefold():
                return sheet
        raise InvalidModel(
            "the workbook has no sheet {tab!r}; it has {names}", tab=tab, names=", ".join(book.sheetnames)
        )


def block(cells: Cells, rows: slice, columns: slice) -> list[list[float]]:
    """Numbers in some rows and columns; cells beyond the sheet are left out."""
    chosen = cells[rows]
    width = max((len(row[columns]) for row in chosen), default=0)
    if not chosen or not width:
        raise InvalidModel("there are no cells at this place")
    return [[number_of(cell) for cell in (*row[columns], *[None] * width)[:width]] for row in chosen]


def _text_cells(path: Path, separator: str) -> Cells:
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    default = "," if path.suffix.lower() == ".csv" else "\t"
    mark = "\t" if separator == "\\t" else separator
    if len(mark) > 1 and not mark[0].isalnum():
        raise InvalidModel("the separator {separator!r} is more than one character", separator=separator)
    delimiter = mark if len(mark) == 1 and not mark.isalnum() else default
    try:
        rows = csv.reader(io.StringIO(text), delimiter=delimiter)
        return [[cell if cell.strip() else None for cell in row] for row in rows]
    except (csv.Error, TypeError, ValueError) as error:
        raise InvalidModel("the file cannot be read as a table: {error}", error=error) from error


def _by_pandas(path: Path, tab: str) -> Cells:
    """Cells of a workbook in another format; if pandas needs a package, its error message names it."""
    import pandas as pd

    try:
        frame = pd.read_excel(path, sheet_name=tab, header=None, dtype=object)
    except Exception as error:
        # pandas and its readers may raise any exception.
        raise InvalidModel(
            "the workbook cannot be read: {name}: {error}", name=type(error).__name__, error=error
        ) from error
    return [[None if pd.isna(cell) else cell for cell in row] for row in frame.to_numpy().tolist()]


# Names, in messages, of the arguments of the functions that read files.
_FILE, _SHEET, _AT = Message("file {text!r}"), Message("sheet or separator {text!r}"), Message("cell {text!r}")
_ALONG = Message("along {text!r}")
_SERIES = (_FILE, Message("variable {text!r}"))
_ROLES = {
    "get constants": (_FILE, _SHEET, _AT),
    "get data": (_FILE, _SHEET, _ALONG, _AT),
    "get lookups": (_FILE, _SHEET, _ALONG, _AT),
    "get subscript": (
        *(_FILE, _SHEET, Message("first cell {text!r}"), Message("last cell {text!r}")),
        Message("prefix {text!r}"),
    ),
}


@dataclass(slots=True)
class DataFiles:
    """The data files of one model, with the hashes of those that were read."""

    model: Path  # the model file; names of data files are relative to its folder
    given: Mapping[str, Path] = field(default_factory=dict)  # paths of data files by their names in the model
    sha256: dict[str, str] = field(default_factory=dict)  # hash of every file that was read, by its path
    by_name: dict[str, str] = field(default_factory=dict)  # path of every file that was read, by its name in the model
    taken: dict[Label, tuple[Path, Series]] = field(default_factory=dict)  # series of data sets that were asked for
    _sheets: Sheets = field(default_factory=Sheets)
    _bound: dict[Label, tuple[Path, Series]] | None = None
    _read: dict[Path, DataSet] = field(default_factory=dict)

    def bound(self) -> Mapping[Label, tuple[Path, Series]]:
        """All series of the data sets, each with its file; of several the last data set counts."""
        if self._bound is None:
            paths = [self.path(name) for name in sets_among(self.given)]
            self._bound = {label: (path, found) for path in paths for label, found in self._set(path).items()}
        return self._bound

    def _set(self, path: Path) -> DataSet:
        if path not in self._read:
            self._read[path] = read_set(path)
        return self._read[path]

    def points(self, name: str, elements: Sequence[str]) -> TablePoints | None:
        """Points of an element of a variable in the data sets; None if there is no such series."""
        label = label_of(name, elements)
        found = self.bound().get(label)
        if found is None:
            return None
        self.taken[label] = found
        return TablePoints(tuple(found[1].times.tolist()), tuple(found[1].values.tolist()))

    def close(self) -> None:
        """Close the files and clear the cache; the hashes are kept."""
        self._sheets.close()

    def path(self, name: str) -> Path:
        """Path of a data file; its hash is stored."""
        path = place_of(name, self.model, self.given)
        if not path.is_file():
            path = self._among_sets(name) or path
        if not path.is_file():
            raise InvalidModel("there is no file {path}; put it there, or change its name in the model", path=path)
        path = path.resolve()
        if str(path) not in self.sha256:
            self.sha256[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
        self.by_name[name] = str(path)
        return path

    def _among_sets(self, name: str) -> Path | None:
        """The last data set with the name of a file that is not beside the model; case does not matter."""
        wanted = PureWindowsPath(name).name.casefold()
        paths = [self.given[item] for item in sets_among(self.given)]
        return next((path for path in reversed(paths) if path.name.casefold() == wanted), None)

    def constants(self, call: Call, labels: Sequence[str], ranges: Ranges) -> Array:
        """Numbers of a GET XLS CONSTANTS, GET DIRECT CONSTANTS or GET VDF CONSTANTS for a left-hand side."""
        counts = ranges.counts(labels)
        with _reading(call):
            if reads_set(call):
                return constants_of(call, self._set(self.path(_texts(call)[0])), labels, ranges)
            file, tab, cell = _texts(call)
            path, cell = self.path(file), cell.strip()
            # Only subscripts that select several elements correspond to rows and columns.
            wide = [count for count in counts if count > 1]
            if len(wide) > 2:
                raise InvalidModel("{count} subscripts do not fit into rows and columns", count=len(wide))
            shape = [1] * (2 - len(wide)) + wide
            swapped = cell.endswith("*") and math.prod(counts) > 1
            if swapped:
                shape.reverse()
            found = self._block(path, tab, cell.strip("*"), shape[0], shape[1])
            values = (found.T if swapped else found).reshape(tuple(counts))
            if np.isnan(values).any():
                raise InvalidModel("a cell is empty or no number")
            return values

    def _block(self, path: Path, tab: str, cell: str, rows: int, columns: int) -> Array:
        """Numbers of shape (rows, columns), from a cell on or in a named range of cells."""
        place = cell_place(cell)
        if place is None:
            wanted = self._sheets.named(path, tab, cell)
        else:
            wanted = slice(place[0], place[0] + rows), slice(place[1], place[1] + columns)
        found = np.array(block(self._sheets.cells(path, tab), *wanted))
        if found.shape != (rows, columns):
            height, width = found.shape
            raise InvalidModel(
                "{rows} rows and {columns} columns are needed, {height} and {width} found",
                rows=rows,
                columns=columns,
                height=height,
                width=width,
            )
        return found

    def series(self, call: Call, labels: Sequence[str], ranges: Ranges, mode: Mode) -> list[TablePoints]:
        """Points of a GET XLS DATA, GET XLS LOOKUPS or their DIRECT and VDF forms for a left-hand side."""
        counts = ranges.counts(labels)
        # Missing values are filled in by the interpolation mode.
        with _reading(call):
            if reads_set(call):
                return points_of_set(call, self._set(self.path(_texts(call)[0])), labels, ranges)
            file, tab, along, cell = _texts(call)
            x, columns = self._columns(self.path(file), tab, along.strip(), cell.strip(), math.prod(counts))
            known = ~np.isnan(x)
            if not known.any() or np.isnan(columns[:, known]).all():
                raise InvalidModel("there is no number in it")
            return [_points(x[known], column[known], mode) for column in columns]

    def _columns(self, path: Path, tab: str, along: str, cell: str, count: int) -> tuple[Array, Array]:
        """Times or x, shape (point,), and values, shape (count, point)."""
        cells, place = self._sheets.cells(path, tab), cell_place(cell)
        if place is None:
            if along.isdigit():
                raise InvalidModel("{cell!r} is no cell such as 'B2'", cell=cell)
            return self._named_columns(path, tab, along, cell, count)
        row, column = place
        if along.isdigit():
            x = np.array(block(cells, slice(int(along) - 1, int(along)), slice(column, None)))[0]
            found = np.array(block(cells, slice(row, row + count), slice(column, None)))
        else:
            at = column_place(along)
            x = np.array(block(cells, slice(row, None), slice(at, at + 1)))[:, 0]
            found = np.array(block(cells, slice(row, None), slice(column, column + count))).T
        if found.shape[0] != count:
            raise InvalidModel("there are numbers for {shape} of {count} elements", shape=found.shape[0], count=count)
        length = max(x.size, found.shape[1])
        return _longer(x[None, :], length)[0], _longer(found, length)

    def _named_columns(self, path: Path, tab: str, along: str, cell: str, count: int) -> tuple[Array, Array]:
        cells = self._sheets.cells(path, tab)
        x = np.array(block(cells, *self._sheets.named(path, tab, along)))
        found = np.array(block(cells, *self._sheets.named(path, tab, cell)))
        if 1 not in x.shape:
            raise InvalidModel("{along!r} stands for a table; expected one row or column", along=along)
        found = found if x.shape[0] == 1 else found.T
        if found.shape != (count, x.size):
            series, points = found.shape
            raise InvalidModel(
                "{cell!r} has {series} series of {points} points, not {count} of {size}",
                cell=cell,
                series=series,
                points=points,
                count=count,
                size=x.size,
            )
        return x.ravel(), found

    def elements(self, name: str, call: Call) -> tuple[str, ...]:
        """Elements of a range that GET XLS SUBSCRIPT or GET DIRECT SUBSCRIPT reads."""
        try:
            with _reading(call):
                file, tab, first, last, prefix = _texts(call)
                path = self.path(file)
                cells = self._sheets.cells(path, tab)
                place = cell_place(first)
                rows, columns = self._sheets.named(path, tab, first) if place is None else _area(place, last)
                found = [prefix + _label(cell) for row in cells[rows] for cell in row[columns] if cell is not None]
                if not found:
                    raise InvalidModel("all cells are empty")
                return tuple(found)
        except InvalidModel as error:
            raise InvalidModel("subscript range {name!r}: {error}", name=name, error=error) from error


@contextmanager
def _reading(call: Call) -> Iterator[None]:
    """Add to error messages what is being read."""
    try:
        yield
    except (InvalidModel, OSError) as error:
        named = _SERIES if reads_set(call) else _ROLES[call.function]
        roles = zip(named, _texts(call), strict=False)
        places = joined((Message(role, text=text) for role, text in roles if text), ", ")
        raise InvalidModel("reading {places}: {error}", places=places, error=error) from error


def _texts(call: Call) -> list[str]:
    return [item.value if isinstance(item, Text) else "" for item in call.arguments]


def _area(first: tuple[int, int], last: str) -> tuple[slice, slice]:
    """Rows and columns from a cell to another, to a row, to a column, or to the end."""
    row, column = first
    end = cell_place(last)
    if end is not None:
        return slice(row, end[0] + 1), slice(column, end[1] + 1)
    if last.isdigit():
        return slice(row, int(last)), slice(column, None)
    return slice(row, None), slice(column, column_place(last) + 1 if last else None)


def _label(cell: object) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _longer(values: Array, length: int) -> Array:
    """Pad rows with trailing NaN to `length`."""
    return np.pad(values, ((0, 0), (0, length - values.shape[1])), constant_values=np.nan)


def _points(x: Array, y: Array, mode: Mode) -> TablePoints:
    if np.isnan(y).all():
        return UNDEFINED
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    repeated = np.flatnonzero(np.diff(x) == 0)
    if repeated.size:
        raise InvalidModel("{x:g} stands there twice as a time or x", x=x[repeated[0]])
    known = ~np.isnan(y)
    if mode == "raw":
        return sorted_points(x.tolist(), y.tolist())
    filled = np.where(known, y, _between(x, x[known], y[known], mode))
    return sorted_points(x.tolist(), filled.tolist())


def _between(wanted: Array, x: Array, y: Array, mode: Mode) -> Array:
    """Interpolate between points; beyond the ends the nearest value is used."""
    if mode == "look_forward":
        return np.asarray(y[np.minimum(np.searchsorted(x, wanted, side="left"), x.size - 1)])
    if mode == "hold_backward":
        return np.asarray(y[np.maximum(np.searchsorted(x, wanted, side="right") - 1, 0)])
    return np.asarray(np.interp(wanted, x, y))


def with_listed_ranges(syntax: Syntax, files: DataFiles) -> Syntax:
    """Copy of a model with file-based subscript ranges read in."""
    ranges = (
        item if item.source is None else replace(item, elements=files.elements(item.name, item.source), source=None)
        for item in syntax.ranges
    )
    return replace(syntax, ranges=tuple(ranges))


def with_ranges_of_data(syntax: Syntax, names: Sequence[str], files: DataFiles) -> Syntax:
    """Copy of a model whose ranges of these keys have the elements for which the data sets have series."""
    found: dict[str, dict[str, str]] = {name: {} for name in names}
    given = {key(item.name): list(map(key, item.equations[0].subscripts)) for item in syntax.variables}
    for (variable, elements), (_, series) in files.bound().items():
        for name, element, label in zip(given.get(variable, ()), elements, series.elements, strict=False):
            if name in found:
                found[name].setdefault(element, label)
    for name in (name for name, items in found.items() if not items):
        raise InvalidModel("no data set has a series whose variable runs over {name!r}", name=name)

    def changed(item: Range) -> Range:
        items = found.get(key(item.name))
        return item if items is None else replace(item, elements=tuple(items.values()), copy_of=None, source=None)

    return replace(syntax, ranges=tuple(map(changed, syntax.ranges)))


def place_of(name: str, model: Path, given: Mapping[str, Path]) -> Path:
    """Path of a data file: the one given by the caller, or the one named in the model."""
    if name in given:
        return given[name]
    if name.startswith("?"):
        raise InvalidModel(
            "what {name!r} stands for is set in Vensim, not in the file, or lies outside of its "
            "folder; say it: load_model(path, files={{{name!r}: 'data.xlsx'}})",
            name=name,
        )
    return data_file(name, model)
