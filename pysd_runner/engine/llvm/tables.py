"""Table functions and series of data as LLVM instructions.

A table with few points is a chain of selections, or permuted where the processor can; a longer one is searched by
halving.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pysd_runner.engine.ir import Interpolation
from pysd_runner.engine.llvm.emitter import Value

if TYPE_CHECKING:
    from pysd_runner.engine.llvm.nest_code import NestCode


# A table with more points is searched.
CHAIN = 16

# With more segments, permuting takes fewer instructions than a chain.
PERMUTED = 4


def interpolation(code: NestCode, expression: Interpolation) -> Value:
    """Value of a table function at its argument."""
    argument = code.real(expression.argument)
    chain = not expression.tables and expression.points <= CHAIN
    value = (_Chain(code, expression) if chain else _Search(code, expression)).read(argument)
    if expression.mode in ("hold_backward", "look_forward") or expression.points == 1:
        # These do not compute with the argument, so that no number would go unnoticed.
        missing = code.writer.binary("fcmp uno", argument, argument, "truth")
        return code.writer.select(missing, code.writer.number(float("nan")), value)
    return value


def slopes(x: tuple[float, ...], y: tuple[float, ...]) -> tuple[float, ...]:
    """Slope of each segment; one without length has none."""
    return tuple(
        (y[place + 1] - y[place]) / (x[place + 1] - x[place]) if x[place + 1] > x[place] else 0.0
        for place in range(len(x) - 1)
    )


class _Chain:
    """A single table as selections among literals."""

    def __init__(self, code: NestCode, expression: Interpolation) -> None:
        self.writer, self.x, self.y, self.mode = code.writer, expression.x, expression.y, expression.mode

    def read(self, argument: Value) -> Value:
        if self.mode in ("interpolate", "extrapolate"):
            return self._lines(argument)
        return self._steps(argument)

    def _at_least(self, argument: Value, bound: float) -> Value:
        return self.writer.binary("fcmp oge", argument, self.writer.number(bound), "truth")

    def _choose(self, condition: Value, yes: float, no: Value) -> Value:
        return self.writer.select(condition, self.writer.number(yes), no)

    def _lines(self, argument: Value) -> Value:
        writer, x, y = self.writer, self.x, self.y
        if len(x) == 1:
            return writer.number(y[0])
        permuted = argument.wide and writer.types.permutes and len(x) - 1 > PERMUTED
        start, level, slope = self._permuted(argument) if permuted else self._chosen(argument)
        rise = writer.binary("fmul", slope, writer.binary("fsub", argument, start))
        value = writer.binary("fadd", level, rise)
        if self.mode == "extrapolate":
            return value
        value = self._choose(self._at_least(argument, x[-1]), y[-1], value)
        below = writer.binary("fcmp olt", argument, writer.number(x[0]), "truth")
        return self._choose(below, y[0], value)

    def _chosen(self, argument: Value) -> tuple[Value, Value, Value]:
        """Start, level and slope of the segment the argument lies in, by selections."""
        writer, x, y = self.writer, self.x, self.y
        steep = slopes(x, y)
        start, level, slope = writer.number(x[0]), writer.number(y[0]), writer.number(steep[0])
        for place in range(1, len(x) - 1):
            reached = self._at_least(argument, x[place])
            start = self._choose(reached, x[place], start)
            level = self._choose(reached, y[place], level)
            slope = self._choose(reached, steep[place], slope)
        return start, level, slope

    def _permuted(self, argument: Value) -> tuple[Value, Value, Value]:
        """The same by permutations."""
        segments = len(self.x) - 1
        room = 8 if segments <= 8 else 16
        padding = (float("nan"),) * (room - segments)
        starts, levels, steep = ((*side[:segments], *padding) for side in (self.x, self.y, slopes(self.x, self.y)))
        pick, place = self.writer.permuted, self._last_reached(argument, starts)
        return pick(starts, place), pick(levels, place), pick(steep, place)

    def _last_reached(self, argument: Value, starts: tuple[float, ...]) -> Value:
        """Place of the last start not above the argument, zero where there is none; starts rise, then are NaN."""
        writer = self.writer
        half = len(starts) // 2
        place = writer.select(self._at_least(argument, starts[half]), writer.integer(half), writer.integer(0))
        while half > 1:
            half //= 2
            further = writer.binary("or", place, writer.integer(half))
            reached = writer.binary("fcmp oge", argument, writer.permuted(starts, further), "truth")
            place = writer.select(reached, further, place)
        return place

    def _steps(self, argument: Value) -> Value:
        writer, x, y = self.writer, self.x, self.y
        if self.mode == "hold_backward":
            value = writer.number(y[0])
            for place in range(1, len(x)):
                value = self._choose(self._at_least(argument, x[place]), y[place], value)
            return value
        if self.mode == "look_forward":
            value = writer.number(y[-1])
            for place in reversed(range(len(x) - 1)):
                inside = writer.binary("fcmp ole", argument, writer.number(x[place]), "truth")
                value = self._choose(inside, y[place], value)
            return value
        value = writer.number(float("nan"))
        for place in range(len(x)):
            here = writer.binary("fcmp oeq", argument, writer.number(x[place]), "truth")
            value = self._choose(here, y[place], value)
        return value


class _Search:
    """One table per cell, or a long one, searched by halving."""

    def __init__(self, code: NestCode, expression: Interpolation) -> None:
        self.code, self.writer, self.expression = code, code.writer, expression
        frame, points = code.frame, expression.points
        cells = max(1, len(expression.x) // max(points, 1))
        self.room = 1 << max(points - 1, 0).bit_length()
        x_room, y_room, slope_room = [], [], []
        for cell in range(cells):
            x, y = (side[cell * points : (cell + 1) * points] for side in (expression.x, expression.y))
            x_room += [*x, *[float("inf")] * (self.room - points)]
            y_room += [*y, *[y[-1]] * (self.room - points)]
            slope_room += [*slopes(x, y), *[0.0] * (self.room - points + 1)]
        self.x, self.y, self.slope = (frame.reals(side) for side in (x_room, y_room, slope_room))
        base = code.table_offset(expression.tables)
        factor = self.writer.integer(self.room)
        self.base = self.writer.binary("mul", base, factor)

    def read(self, argument: Value) -> Value:
        if self.base.wide and not argument.wide:
            argument = self.writer.splat(argument)
        mode = self.expression.mode
        before = self._last(argument, "fcmp oge")
        if mode in ("interpolate", "extrapolate"):
            return self._lines(argument, before)
        return self._steps(argument, before)

    def _at(self, table: str, place: Value, shift: int = 0) -> Value:
        index = self.writer.binary("add", self.base, place)
        if shift:
            index = self.writer.binary("add", index, self.writer.integer(shift))
        return self.code.gather(table, index)

    def _last(self, argument: Value, compare: str) -> Value:
        """Number of the last point the argument has reached, zero where there is none."""
        place = self.writer.integer(0)
        half = self.room // 2
        while half:
            further = self.writer.binary("add", place, self.writer.integer(half))
            reached = self.writer.binary(compare, argument, self._at(self.x, further), "truth")
            place = self.writer.select(reached, further, place)
            half //= 2
        return place

    def _edges(self) -> tuple[Value, Value]:
        """Indices of the last point and of the start of the last segment."""
        points = self.expression.points
        return self.writer.integer(points - 1), self.writer.integer(max(points - 2, 0))

    def _lines(self, argument: Value, place: Value) -> Value:
        writer = self.writer
        last, segment = self._edges()
        start = writer.select(writer.binary("icmp ult", place, segment, "truth"), place, segment)
        rise = writer.binary(
            "fmul", self._at(self.slope, start), writer.binary("fsub", argument, self._at(self.x, start))
        )
        value = writer.binary("fadd", self._at(self.y, start), rise)
        if self.expression.mode == "extrapolate":
            return value
        ended = writer.binary("fcmp oge", argument, self._at(self.x, last), "truth")
        value = writer.select(ended, self._at(self.y, last), value)
        before = writer.binary("fcmp olt", argument, self._at(self.x, writer.integer(0)), "truth")
        return writer.select(before, self._at(self.y, writer.integer(0)), value)

    def _steps(self, argument: Value, place: Value) -> Value:
        writer = self.writer
        held = self._at(self.y, place)
        if self.expression.mode == "hold_backward":
            return held
        here = self._at(self.x, place)
        exact = writer.binary("fcmp oeq", argument, here, "truth")
        if self.expression.mode == "raw":
            return writer.select(exact, held, writer.number(float("nan")))
        last, _ = self._edges()
        more = writer.binary("add", place, writer.integer(1))
        after = writer.select(writer.binary("icmp ult", more, last, "truth"), more, last)
        first = writer.binary("fcmp ole", argument, here, "truth")
        return writer.select(first, held, self._at(self.y, after))
