"""Numbers that a model reads from files beside it: constants, table functions and series over time."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.errors import InvalidModel
from pysd_runner.engine.frontend.lowering.tables import UNDEFINED, TablePoints, sorted_points
from pysd_runner.engine.frontend.sheets import Sheets, block, cell_place, column_place
from pysd_runner.engine.frontend.source import data_file
from pysd_runner.engine.frontend.syntax import Call, Range, Syntax, Text
from pysd_runner.engine.ir import Mode

Array = NDArray[np.float64]

# What the arguments of the functions that read files are called in a message.
_ROLES = {
    "get constants": ("file", "sheet or separator", "cell"),
    "get data": ("file", "sheet or separator", "along", "cell"),
    "get lookups": ("file", "sheet or separator", "along", "cell"),
    "get subscript": ("file", "sheet or separator", "first cell", "last cell", "prefix"),
}


@dataclass(slots=True)
class DataFiles:
    """The data files of one model, and what was found in them."""

    model: Path  # the model file; names of data files are relative to its folder
    given: Mapping[str, Path] = field(default_factory=dict)  # data files by the name that the model has for them
    sha256: dict[str, str] = field(default_factory=dict)  # hash of every file that was read, by its path
    by_name: dict[str, str] = field(default_factory=dict)  # the same by its name in the model
    _sheets: Sheets = field(default_factory=Sheets)

    def close(self) -> None:
        """Let go of what was read; the hashes stay."""
        self._sheets.close()

    def path(self, name: str) -> Path:
        """Place of a data file; its hash is kept."""
        path = place_of(name, self.model, self.given)
        if not path.is_file():
            raise InvalidModel(f"there is no file {path}; put it there, or change its name in the model")
        path = path.resolve()
        if str(path) not in self.sha256:
            self.sha256[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
        self.by_name[name] = self.sha256[str(path)]
        return path

    def constants(self, call: Call, counts: Sequence[int]) -> Array:
        """Numbers of a GET XLS CONSTANTS or GET DIRECT CONSTANTS."""
        with _Reading(call):
            file, tab, cell = _texts(call)
            path, cell = self.path(file), cell.strip()
            # Of more than two subscripts only those that stand for several elements lie along rows and columns.
            wide = [count for count in counts if count > 1]
            if len(wide) > 2:
                raise InvalidModel(f"{len(wide)} subscripts do not fit into rows and columns")
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
        """Numbers in so many rows and columns, from a cell on or under a name."""
        place = cell_place(cell)
        if place is None:
            named = self._sheets.named(path, tab, cell)
            found = np.array(block(self._sheets.cells(path, tab), *named))
        else:
            wanted = slice(place[0], place[0] + rows), slice(place[1], place[1] + columns)
            found = np.array(block(self._sheets.cells(path, tab), *wanted))
        if found.shape != (rows, columns):
            height, width = found.shape
            raise InvalidModel(f"{rows} rows and {columns} columns are needed, {height} and {width} found")
        return found

    def series(self, call: Call, counts: Sequence[int], mode: Mode) -> list[TablePoints]:
        """Points of a GET XLS DATA, GET XLS LOOKUPS or their DIRECT forms."""
        # Missing values are filled in by the rule that holds between points.
        with _Reading(call):
            file, tab, along, cell = _texts(call)
            x, columns = self._columns(self.path(file), tab, along.strip(), cell.strip(), math.prod(counts))
            known = ~np.isnan(x)
            if not known.any() or np.isnan(columns[:, known]).all():
                raise InvalidModel("there is no number in it")
            return [_points(x[known], column[known], mode) for column in columns]

    def _columns(self, path: Path, tab: str, along: str, cell: str, count: int) -> tuple[Array, Array]:
        """Times or x, shape (point,), and values, shape (count, point)."""
        cells, place = self._sheets.cells(path, tab), cell_place(cell)
        if along.isdigit():
            if place is None:
                raise InvalidModel(f"{cell!r} is no cell such as 'B2'")
            row, column = place
            x = np.array(block(cells, slice(int(along) - 1, int(along)), slice(column, None)))[0]
            found = np.array(block(cells, slice(row, row + count), slice(column, None)))
        elif place is not None:
            row, column = place
            at = column_place(along)
            x = np.array(block(cells, slice(row, None), slice(at, at + 1)))[:, 0]
            found = np.array(block(cells, slice(row, None), slice(column, column + count))).T
        else:
            return self._named_columns(path, tab, along, cell, count)
        if found.shape[0] != count:
            raise InvalidModel(f"there are numbers for {found.shape[0]} of {count} elements")
        length = max(x.size, found.shape[1])
        return _longer(x[None, :], length)[0], _longer(found, length)

    def _named_columns(self, path: Path, tab: str, along: str, cell: str, count: int) -> tuple[Array, Array]:
        cells = self._sheets.cells(path, tab)
        x = np.array(block(cells, *self._sheets.named(path, tab, along)))
        found = np.array(block(cells, *self._sheets.named(path, tab, cell)))
        if 1 not in x.shape:
            raise InvalidModel(f"{along!r} stands for a table; expected one row or column")
        found = found if x.shape[0] == 1 else found.T
        if found.shape != (count, x.size):
            series, points = found.shape
            raise InvalidModel(f"{cell!r} has {series} series of {points} points, not {count} of {x.size}")
        return x.ravel(), found

    def elements(self, name: str, call: Call) -> tuple[str, ...]:
        """Elements of a range that is a GET XLS SUBSCRIPT or GET DIRECT SUBSCRIPT."""
        try:
            with _Reading(call):
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
            raise InvalidModel(f"subscript range {name!r}: {error}") from error


class _Reading:
    """Adds what is being read to whatever goes wrong with it."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, InvalidModel | OSError):
            roles = zip(_ROLES[self._call.function], _texts(self._call), strict=True)
            places = ", ".join(f"{role} {text!r}" for role, text in roles if text)
            raise InvalidModel(f"reading {places}: {str(error).rstrip('.')}.") from error


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
    """Rows of so many numbers, NaN behind those there are."""
    return np.pad(values, ((0, 0), (0, length - values.shape[1])), constant_values=np.nan)


def _points(x: Array, y: Array, mode: Mode) -> TablePoints:
    if np.isnan(y).all():
        return UNDEFINED
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    repeated = np.flatnonzero(np.diff(x) == 0)
    if repeated.size:
        raise InvalidModel(f"{x[repeated[0]]:g} stands there twice as a time or x")
    known = ~np.isnan(y)
    if mode == "raw":
        return sorted_points(x.tolist(), y.tolist())
    filled = np.where(known, y, _between(x, x[known], y[known], mode))
    return sorted_points(x.tolist(), filled.tolist())


def _between(wanted: Array, x: Array, y: Array, mode: Mode) -> Array:
    """What holds between points; beyond them the nearest holds."""
    if mode == "look_forward":
        return np.asarray(y[np.minimum(np.searchsorted(x, wanted, side="left"), x.size - 1)])
    if mode == "hold_backward":
        return np.asarray(y[np.maximum(np.searchsorted(x, wanted, side="right") - 1, 0)])
    return np.asarray(np.interp(wanted, x, y))


def with_listed_ranges(syntax: Syntax, files: DataFiles) -> Syntax:
    """Copy of a model with file-based subscript ranges read in."""

    def listed(item: Range) -> Range:
        if item.source is None:
            return item
        return replace(item, elements=files.elements(item.name, item.source), source=None)

    return replace(syntax, ranges=tuple(listed(item) for item in syntax.ranges))


def place_of(name: str, model: Path, given: Mapping[str, Path]) -> Path:
    """Place of a data file."""
    if name in given:
        return given[name]
    if name.startswith("?"):
        raise InvalidModel(
            f"what {name!r} stands for is set in Vensim, not in the file, or lies outside of its folder; say it: "
            f"load_model(path, files={{{name!r}: 'data.xlsx'}})"
        )
    return data_file(name, model)
