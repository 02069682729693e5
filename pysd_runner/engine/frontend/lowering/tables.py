"""Table functions: their points, and expressions that read one table or one table for each element."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from pysd_runner.engine.errors import InvalidModel, UnsupportedFeature
from pysd_runner.engine.ir import Axis, Expression, Index, Interpolation, Mode, Number, Table
from pysd_runner.engine.kinds import frozen


@frozen
class TablePoints:
    """Points of one table, strictly increasing in x."""

    x: tuple[float, ...]
    y: tuple[float, ...]


# Minimum width of a jump: numbers next to zero are so close to it that a division by their distance overflows.
NARROWEST = 1e-200


class NoTable(UnsupportedFeature):
    """A table that is read and that no equation defines."""


# Table of an element for which no equation defines one.
UNDEFINED = TablePoints((0.0,), (math.nan,))


def sorted_points(x: Sequence[float], y: Sequence[float]) -> TablePoints:
    """Points of a table, sorted by x."""
    # Two points at the same x are a jump: the second holds from there on, the first until just before. Of more than two
    # the first and the last count.
    if len(x) != len(y) or not len(x):
        raise InvalidModel(
            "a table function needs points (x, y); found {count} x and {other_count} y",
            count=len(x),
            other_count=len(y),
        )
    if not all(math.isfinite(value) for value in x):
        raise InvalidModel("a table function needs finite x")
    pairs = sorted(((float(a), float(b)) for a, b in zip(x, y, strict=True)), key=lambda pair: pair[0])
    found: list[tuple[float, float]] = []
    for place, group in itertools.groupby(pairs, key=lambda pair: pair[0]):
        values = [value for _, value in group]
        if len(values) > 1 and values[0] != values[-1]:
            found.append((_just_before(place), values[0]))
        found.append((place, values[-1]))
    return TablePoints(tuple(a for a, _ in found), tuple(b for _, b in found))


def _just_before(place: float) -> float:
    """The next smaller number, far enough away for a finite slope in between."""
    return min(math.nextafter(place, -math.inf), place - NARROWEST)


def is_jump(before: float, place: float) -> bool:
    """Whether two neighbouring points represent a jump at one x."""
    return before == _just_before(place)


@frozen
class TableFunction:
    """A table function of a model, with one table for each element of its dimensions."""

    dims: tuple[str, ...]  # ranges it is defined over, empty for a single table
    shape: tuple[int, ...]
    tables: Mapping[tuple[int, ...], TablePoints]
    mode: Mode  # interpolation mode, which also applies beyond the ends
    has_value: bool = False  # whether it is also a variable with a value, read from its own table

    def chosen(self, index: Sequence[Index]) -> "Chosen":
        """The tables selected by an index."""
        lengths = self._lengths(index)
        picked = tuple(self.tables.get(place, UNDEFINED) for place in self.places(index))
        return Chosen(picked, tuple(lengths), tuple(lengths.values()))

    def places(self, index: Sequence[Index]) -> Iterator[tuple[int, ...]]:
        """Positions of the tables selected by an index, in C order over its axes."""
        places = [item.places(length) for item, length in zip(index, self.shape, strict=True)]
        lengths = self._lengths(index)
        for chosen in itertools.product(*map(range, lengths.values())):
            at = dict(zip(lengths, chosen, strict=True))
            yield tuple(
                found[at[item.label]] if isinstance(item, Axis) else found[0]
                for item, found in zip(index, places, strict=True)
            )

    def _lengths(self, index: Sequence[Index]) -> dict[str, int]:
        # Axes with the same label share one position.
        ends = zip(index, self.shape, strict=True)
        return {item.label: len(item.places(length)) for item, length in ends if isinstance(item, Axis)}


@frozen
class Chosen:
    """Some tables of a table function, one for each element of some axes, in C order over them."""

    tables: tuple[TablePoints, ...]
    axes: tuple[str, ...]
    shape: tuple[int, ...]

    def each(self, made: Callable[[TablePoints], TablePoints]) -> "Chosen":
        """Apply a function to each table."""
        return replace(self, tables=tuple(map(made, self.tables)))

    def read(self, argument: Expression, mode: Mode) -> Interpolation:
        """Expression that reads the tables."""
        return interpolation(argument, self.tables, self.axes, mode)

    def number(self, found: Callable[[TablePoints], float]) -> Number | Table:
        """Compute one number from each table."""
        values = tuple(map(found, self.tables))
        return Table(values, self.shape, self.axes) if self.axes else Number(values[0])


def interpolation(
    argument: Expression, tables: Sequence[TablePoints], axes: tuple[str, ...], mode: Mode
) -> Interpolation:
    """Expression that reads one table, or one for each element of some axes."""
    if mode == "extrapolate":
        for table in tables:
            _check_ends(table)
    # A sum over an axis adds up all its elements, so the axis is kept even if the tables are equal.
    if all(table == tables[0] for table in tables) and not any(axis.endswith("!") for axis in axes):
        tables, axes = tables[:1], ()
    points = max(len(table.x) for table in tables)
    filled = [_filled(table, points, mode) for table in tables]
    x, y = (tuple(itertools.chain.from_iterable(getattr(table, side) for table in filled)) for side in "xy")
    return Interpolation(argument, x, y, points, axes, mode, tuple(dict.fromkeys([*argument.axes, *axes])))


def _filled(table: TablePoints, length: int, mode: Mode) -> TablePoints:
    """Pad a table to `length` points: repeat its last point, or extend its last segment if the mode extrapolates."""
    missing = range(1, length - len(table.x) + 1)
    width, rise = (side[-1] - side[-2] if len(side) > 1 else 0.0 for side in (table.x, table.y))
    if mode != "extrapolate":
        width = rise = 0.0
    elif len(table.x) == 1:
        width = 1.0
    more_x = tuple(table.x[-1] + place * width for place in missing)
    return TablePoints(table.x + more_x, table.y + tuple(table.y[-1] + place * rise for place in missing))


def _check_ends(table: TablePoints) -> None:
    for first, second in ((0, 1), (-2, -1)):
        if len(table.x) > 1 and is_jump(table.x[first], table.x[second]):
            raise InvalidModel(
                "a table function that is to go on beyond its ends has two values at its end x = {x:g}",
                x=table.x[second],
            )
