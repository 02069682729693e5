"""Published results of a model, and how they are compared with a run of it."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.names import key
from pysd_runner.model import Model

Array = NDArray[np.float64]

# Names of published results in a folder of the suite, the first that is there.
NAMES = ("output.csv", "output.tab")

# Columns that say how a run was made, or are made up by the tool that wrote them.
IGNORED = frozenset({"saveper", "initial time", "final time", "time step", "time", "months"})

# The rule of the suite's own regression-test.py: relative, and what both sides may be where the published one is zero.
RELATIVE, ZERO_THERE, ZERO_HERE = 1e-4, 3e-6, 1e-6

# The rule PySD's own tests apply to the same files: the published results were computed in single precision.
LOOSE_RELATIVE, LOOSE_ABSOLUTE = 1e-2, 1e-5


@dataclass(frozen=True, slots=True)
class Published:
    """Published results.

    Parameters
    ----------
    times
        Moments, shape (row,).
    columns
        Values of each column, shape (row,).
    digits
        One unit of the last digit that was printed, by column, shape (row,).
    """

    times: Array
    columns: Mapping[str, Array]
    digits: Mapping[str, Array]


def published_file(folder: Path) -> Path | None:
    """Published results that stand beside a model, or None."""
    return next((folder / name for name in NAMES if (folder / name).is_file()), None)


def read_published(path: Path) -> Published:
    """Read published results, separated by commas or tabs.

    Rows without a time are left out; a column with a value in its first row only holds for all of them.
    """
    text = _decoded(path.read_bytes())
    rows = [row for row in csv.reader(io.StringIO(text), delimiter="\t" if "\t" in text.split("\n")[0] else ",") if row]
    names = [name.strip() for name in rows[0]]
    table = np.full((len(rows) - 1, len(names)), np.nan)
    digits = np.zeros_like(table)
    for place, row in enumerate(rows[1:]):
        for column, cell in enumerate(row[: len(names)]):
            table[place, column], digits[place, column] = _number(cell), _last_digit(cell)
    known = ~np.isnan(table[:, 0])
    table, digits = table[known], digits[known]
    only_first = np.isnan(table[1:]).all(axis=0)
    table[:, only_first], digits[:, only_first] = table[:1, only_first], digits[:1, only_first]
    columns = [(place, name) for place, name in enumerate(names) if place and name]
    return Published(
        table[:, 0],
        {name: table[:, place] for place, name in columns},
        {name: digits[:, place] for place, name in columns},
    )


def _decoded(content: bytes) -> str:
    for encoding in ("utf-8-sig", "cp1252", "latin-1"):
        try:
            return content.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError:
            continue
    raise AssertionError("latin-1 reads any bytes")


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return np.nan


def _last_digit(cell: str) -> float:
    """One unit of the last digit of a number that was rounded to be printed, zero for a whole number."""
    match = re.fullmatch(r"\s*[-+]?\d*\.?(\d*)(?:[eE]([-+]?\d+))?\s*", cell)
    if match is None or not (match[1] or match[2]):
        return 0.0
    return float(10.0 ** (int(match[2] or 0) - len(match[1])))


@dataclass(frozen=True, slots=True)
class Place:
    """A cell of a variable."""

    variable: str
    position: tuple[int, ...]


def find_column(model: Model, column: str) -> Place | None:
    """The cell of a variable a column is about, or None.

    Parameters
    ----------
    model
        The model.
    column
        ``name`` or ``name[element, ...]``, in the order of the dimensions; quotes around it do not count.
    """
    names = {key(name): name for name, item in model.variables.items() if item.kind != "lookup"}
    text = _unquoted(column)
    if key(text) in names and not model.variables[names[key(text)]].dims:
        return Place(names[key(text)], ())
    # A quoted name may hold brackets itself: the last pair belongs to the subscripts.
    match = re.fullmatch(r"(.*)\[([^\[\]]*)\]\s*", text, flags=re.DOTALL)
    if match is None or key(match[1]) not in names:
        return None
    name = names[key(match[1])]
    labels = [key(label) for label in _split(match[2])]
    dims = model.variables[name].dims
    if len(labels) != len(dims):
        return None
    position = []
    for label, dim in zip(labels, dims, strict=True):
        elements = [key(element) for element in model.ranges[dim]]
        if label not in elements:
            return None
        position.append(elements.index(label))
    return Place(name, tuple(position))


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' and '"' not in text[1:-1] else text


def _split(text: str) -> list[str]:
    """Split at commas outside quotes."""
    return [part.strip() for part in re.findall(r'(?:"[^"]*"|[^,"])+', text)]


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a run and published results differ first; `loose`: all of the column agrees by the rule of PySD's tests."""

    column: str
    time: float
    published: float
    found: float
    loose: bool

    def __str__(self) -> str:
        return f"{self.column} at {self.time:g}: {self.published:g} published, {self.found:g} found"


def close(published: Array, found: Array, digits: Array) -> NDArray[np.bool_]:
    """Whether values agree by the suite's rule, or as far as the published ones were printed."""
    with np.errstate(invalid="ignore", over="ignore"):
        zero = (np.abs(published) <= ZERO_THERE) & (np.abs(found) <= ZERO_HERE)
        near = np.abs(published - found) <= np.maximum(RELATIVE * np.maximum(np.abs(published), np.abs(found)), digits)
    return zero | _agreed(near, published, found)


def loosely_close(published: Array, found: Array) -> NDArray[np.bool_]:
    """Whether values agree by the rule of PySD's own tests."""
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.abs(published - found) <= LOOSE_ABSOLUTE + LOOSE_RELATIVE * np.abs(published)
    return _agreed(near, published, found)


def _agreed(near: NDArray[np.bool_], published: Array, found: Array) -> NDArray[np.bool_]:
    """Numbers that are near; both not being a number counts as agreement as well."""
    numbers = np.isfinite(published) & np.isfinite(found)
    return (near & numbers) | (published == found) | (np.isnan(published) & np.isnan(found))


def differences(
    published: Published, places: Mapping[str, Place], data: Mapping[str, Array], times: Array
) -> list[Difference]:
    """First difference of every column that differs by the suite's rule, the earliest first.

    Parameters
    ----------
    published
        The published results.
    places
        Where the columns to compare are found.
    data
        Results of a run by variable, shape (scenario, draw, ..., year).
    times
        Saved moments of the run, shape (year,).
    """
    rows = matched(published.times, times)
    first = []
    for column, place in places.items():
        expected = published.columns[column]
        series = data[place.variable][(0, 0, *place.position)]
        found = np.where(rows >= 0, series[rows], np.nan)
        wrong = ~close(expected, found, published.digits[column])
        if wrong.any():
            row = int(np.argmax(wrong))
            loose = bool(loosely_close(expected, found).all())
            first.append(
                Difference(column, float(published.times[row]), float(expected[row]), float(found[row]), loose)
            )
    return sorted(first, key=lambda item: (item.loose, item.time))


def matched(wanted: Array, times: Array) -> NDArray[np.intp]:
    """For each moment wanted the place of the same one among those saved, -1 where there is none."""
    place = np.abs(times[None, :] - wanted[:, None]).argmin(axis=1)
    step = np.diff(times).min() if times.size > 1 else 1.0
    return np.where(np.abs(times[place] - wanted) <= 0.01 * step + 1e-6 * np.abs(wanted), place, -1)


def columns_of(model: Model, published: Published) -> tuple[dict[str, Place], list[str]]:
    """Columns with the cells they are about, and those that are about nothing in the model."""
    found: dict[str, Place] = {}
    unknown = []
    for column in published.columns:
        if key(_unquoted(column)) in IGNORED:
            continue
        place = find_column(model, column)
        if place is None:
            unknown.append(column)
        else:
            found[column] = place
    return found, unknown


def variables_of(places: Mapping[str, Place]) -> Sequence[str]:
    """Variables that some columns are about, each once."""
    return list(dict.fromkeys(place.variable for place in places.values()))
