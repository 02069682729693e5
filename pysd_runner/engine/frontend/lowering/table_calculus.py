"""Areas, slopes and inverses of table functions, read from tables that are made of theirs."""

from collections.abc import Callable, Sequence

import numpy as np

from pysd_runner.engine.errors import UnsupportedFeature
from pysd_runner.engine.frontend.lowering.tables import NARROWEST, Chosen, Points, is_jump, sorted_points
from pysd_runner.engine.function_table import operation
from pysd_runner.engine.ir import Expression, Mode, Number

HALF = Number(0.5)


def area(chosen: Chosen, mode: Mode, end: Expression) -> Expression:
    """Area below tables from their first points to `end`; beyond their ends they go on as their mode says."""
    if mode not in ("interpolate", "extrapolate", "hold_backward"):
        raise UnsupportedFeature("the area below a table that looks forward")
    held = mode == "hold_backward"

    def before(values: Callable[[Points], Sequence[float]]) -> Expression:
        """What is known at the point before `end`."""
        return chosen.each(lambda table: Points(table.x, tuple(values(table)))).read(end, "hold_backward")

    height = before(lambda table: table.y)
    if not held:
        height = operation("multiply", HALF, operation("add", height, chosen.read(end, mode)))
    rest = operation("multiply", height, operation("subtract", end, before(lambda table: table.x)))
    return operation("add", before(lambda table: _areas(table, held)), rest)


def _areas(table: Points, held: bool) -> list[float]:
    """Area up to each point."""
    x, y = np.array(table.x), np.array(table.y)
    heights = y[:-1] if held else (y[:-1] + y[1:]) / 2
    return [0.0, *np.cumsum(np.diff(x) * heights).tolist()]


def slope(chosen: Chosen, place: Expression) -> Expression:
    """Slope of tables; at a point the mean of both sides, missing at a jump, beyond the ends that of the last piece."""

    def after(table: Points) -> Points:
        found = _slopes(table)
        return Points(table.x, (*found, found[-1]))

    def before(table: Points) -> Points:
        found = _slopes(table)
        return Points(table.x, (found[0], *found))

    sides = chosen.each(after).read(place, "hold_backward"), chosen.each(before).read(place, "look_forward")
    return operation("multiply", HALF, operation("add", *sides))


def _slopes(table: Points) -> list[float]:
    pieces = zip(table.x[:-1], table.x[1:], table.y[:-1], table.y[1:], strict=True)
    return [np.nan if is_jump(a, b) else (d - c) / (b - a) for a, b, c, d in pieces] or [0.0]


def inside(chosen: Chosen, side: str, value: Expression) -> Expression:
    """Whether a value lies between the least and the largest x, or y, of tables."""
    # Read from a table rather than compared, as numbers that are compared must have a unit.

    def between(table: Points) -> Points:
        low, high = min(getattr(table, side)), max(getattr(table, side))
        x = (_beyond(low, -1.0), *dict.fromkeys((low, high)), _beyond(high, 1.0))
        return Points(x, (0.0, *[1.0] * (len(x) - 2), 0.0))

    return chosen.each(between).read(value, "interpolate")


def inverse(table: Points) -> Points:
    """The least x at which a table has each y between its least and its largest."""
    # A piece counts where it goes beyond all there was before it. If the table came back in between, the inverse jumps.
    high, low = [(table.y[0], table.x[0])], [(table.y[0], table.x[0])]
    for a, b, c, d in zip(table.x[:-1], table.x[1:], table.y[:-1], table.y[1:], strict=True):
        for side, sign in ((high, 1.0), (low, -1.0)):
            last, first = side[-1]
            if sign * (d - last) > 0:
                again = a + (b - a) * (last - c) / (d - c)
                if again > first:
                    side.append((_beyond(last, sign), again))
                side.append((d, b))
    points = [*reversed(low[1:]), *high]
    return sorted_points([y for y, _ in points], [x for _, x in points])


def _beyond(value: float, sign: float) -> float:
    """The next number, far enough for a finite slope in between."""
    found = float(np.nextafter(value, sign * np.inf))
    return found if abs(found - value) > NARROWEST else value + sign * NARROWEST
