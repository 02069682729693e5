"""One form for the series of all data sets, and the gathering of series point by point."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from pysd_runner.engine.errors import InvalidModel, Message
from pysd_runner.engine.ir import key, tidy
from pysd_runner.engine.kinds import Array, frozen

# Maximum size of a file, also when unpacked, and maximum number of points of all series of a file.
MOST_BYTES, MOST_POINTS = 100_000_000, 5_000_000

# Keys of a variable and of elements of its subscripts, with which series are found.
Label = tuple[str, tuple[str, ...]]

_NUMBER = re.compile(r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*\Z")

_SUBSCRIPTED = re.compile(r"(.*?)\s*\[([^\[\]]*)\]\Z", re.DOTALL)


@frozen(eq=False)
class Series:
    """A series of a data set; names are as written, times of shape (point,) ascend, and no value is missing."""

    name: str
    elements: tuple[str, ...]
    times: Array
    values: Array


# Series of one or several data sets.
DataSet = Mapping[Label, Series]


def label_of(name: str, elements: Iterable[str] = ()) -> Label:
    """Keys of the name of a series; subscripts may stand in the name, ``population[north, male]``.

    >>> label_of("New_Cases[North, male]", ["Old"])
    ('new cases', ('north', 'male', 'old'))
    """
    plain, inside = parted(name)
    return key(plain), tuple(map(key, (*inside, *elements)))


def parted(name: str) -> tuple[str, tuple[str, ...]]:
    """The name of a variable and the subscripts that stand in brackets after it.

    >>> parted('"a [b]"')
    ('"a [b]"', ())
    """
    found = None if name.endswith('"') else _SUBSCRIPTED.match(name)
    return (tidy(name), ()) if found is None else (tidy(found[1]), tuple(map(tidy, found[2].split(","))))


def number(cell: object) -> float:
    """A cell as a finite number; NaN if it is empty or anything else."""
    if isinstance(cell, int | float):
        return float(cell) if math.isfinite(cell) else math.nan
    return float(cell) if isinstance(cell, str) and _NUMBER.match(cell) and math.isfinite(float(cell)) else math.nan


@dataclass(slots=True)
class Gathered:
    """Series that are still being read; the points of a name that occurs several times are joined."""

    _names: dict[Label, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    _points: dict[Label, list[tuple[Array, Array]]] = field(default_factory=dict)
    _count: int = 0

    def add(self, name: str, elements: Iterable[str], times: Array, values: Array) -> None:
        """Add points to a series; those whose time or value is NaN are left out."""
        plain, inside = parted(name)
        labels = (*inside, *map(tidy, elements))
        known = ~(np.isnan(times) | np.isnan(values))
        self._count += int(known.sum())
        if self._count > MOST_POINTS:
            raise InvalidModel("more than {most:,} points; split the file", most=MOST_POINTS)
        label = key(plain), tuple(map(key, labels))
        self._names.setdefault(label, (plain, labels))
        self._points.setdefault(label, []).append((times[known], values[known]))

    def series(self) -> dict[Label, Series]:
        """All series that have points, which are sorted by time."""
        full = {label: found for label, found in self._points.items() if any(times.size for times, _ in found)}
        return {
            label: Series(*self._names[label], *_sorted(*zip(*found, strict=True))) for label, found in full.items()
        }


def _sorted(times: Iterable[Array], values: Iterable[Array]) -> tuple[Array, Array]:
    """Points in order of time; of several at one time the last in the file counts, as in imports by Vensim."""
    found, places = np.unique(np.concatenate(list(times))[::-1], return_index=True)
    return found, np.concatenate(list(values))[::-1][places]


def decoded(data: bytes) -> str:
    """Text of a file: UTF-8 with or without a mark, UTF-16 with one, or what Windows wrote in the west."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def at_line(line: int, said: str) -> InvalidModel:
    """Error about a line of a file, counted from one."""
    return InvalidModel("line {line}: {said}", line=line, said=Message(said))
