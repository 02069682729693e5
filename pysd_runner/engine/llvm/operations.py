"""Generate LLVM instructions for operations, random numbers, table functions and fixed delays.

A short table is a chain of selections, or register permutations if the processor supports them; longer ones use binary
search. Inflows of fixed delays are stored in a ring buffer, which is as long as the longest delay of the draws that run
together, or as the run if that is shorter, since the outflows of a longer delay would come after its end.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING

from pysd_runner.engine.errors import UnsupportedFeature
from pysd_runner.engine.ir import SMALL, Interpolation, Operation, Random
from pysd_runner.engine.llvm.emitter import Value, function_name
from pysd_runner.engine.llvm.mathematics import FUNCTIONS
from pysd_runner.engine.random_numbers import FIRST_MULTIPLIER, GOLDEN, SECOND

if TYPE_CHECKING:  # not imported at runtime, because these modules load NumPy
    from pysd_runner.engine.llvm.nest_code import NestCode
    from pysd_runner.engine.llvm.schedule import Item

Build = Callable[..., Value]


def truth(value: Value) -> Value:
    """Convert a real number to a boolean: everything except zero is true, including NaN."""
    return value if value.kind == "truth" else value.compare("une", 0.0)


def real(value: Value) -> Value:
    """Convert a boolean to one or zero."""
    return value if value.kind == "real" else value.writer.select(value, 1.0, 0.0)


def least(left: Value, right: Value) -> Value:
    """The smaller of two numbers, NaN if either is NaN."""
    return _extreme(left, right, "olt")


def largest(left: Value, right: Value) -> Value:
    """The larger of two numbers, NaN if either is NaN."""
    return _extreme(left, right, "ogt")


def known_largest(left: Value, right: Value) -> Value:
    """The larger of two numbers, of which one that is NaN does not count."""
    if left.literal is not None:
        left, right = right, left
    chosen = left.writer.select(left.compare("ogt", right), left, right)
    return chosen if right.literal is not None else left.writer.select(right.compare("uno", right), left, chosen)


def _extreme(left: Value, right: Value, relation: str) -> Value:
    # A comparison with NaN is false and selects the right operand: only NaN on the left must be restored, and literals
    # from a file cannot be NaN.
    if left.literal is None and right.literal is not None:
        left, right = right, left
    chosen = left.writer.select(left.compare(relation, right), left, right)
    return chosen if left.literal is not None else left.writer.select(left.compare("uno", left), left, chosen)


def _where(condition: Value, first: Value, second: Value) -> Value:
    return condition.writer.select(truth(condition), real(first), real(second))


def _known(name: str) -> Build:
    """An LLVM intrinsic."""

    def build(*parts: Value) -> Value:
        writer = parts[0].writer
        kind = f"v{writer.types.lanes}f64" if any(part.wide for part in parts) else "f64"
        return writer.call("", f"@llvm.{name}.{kind}", parts)

    return build


def _function(name: str) -> Build:
    """A function of the module `mathematics`."""

    def build(*parts: Value) -> Value:
        writer = parts[0].writer
        lanes = writer.types.lanes if any(part.wide for part in parts) else 1
        return writer.call(name, function_name(name, lanes), parts)

    return build


def _power(base: Value, exponent: Value) -> Value:
    if exponent.literal == 1.0:
        return base
    return base * base if exponent.literal == 2.0 else _function("power")(base, exponent)


def _xidz(numerator: Value, denominator: Value, otherwise: Value) -> Value:
    small = _known("fabs")(denominator) < SMALL
    return numerator.writer.select(small, otherwise, numerator / denominator)


def _quantum(value: Value, base: Value) -> Value:
    whole = _known("trunc")(value / base)
    return value.writer.select(base < SMALL, value, base * whole)


# Function that generates the instructions, by operation; a test compares the keys with those of the NumPy engine.
OPERATIONS: dict[str, Build] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "negative": operator.neg,
    "power": _power,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "equal": lambda left, right: left.compare("oeq", right),
    "not_equal": lambda left, right: left.compare("une", right),
    "and": lambda left, right: truth(left) & truth(right),
    "or": lambda left, right: truth(left) | truth(right),
    "not": lambda value: truth(value) ^ value.writer.named("true", "truth"),
    "where": _where,
    "min": least,
    "max": largest,
    "known_max": known_largest,
    "abs": _known("fabs"),
    "sqrt": _known("sqrt"),
    "integer": _known("trunc"),
    "quantum": _quantum,
    "modulo": lambda value, base: value - _quantum(value, base),
    "xidz": _xidz,
    **{name: _function(name) for name in FUNCTIONS if name != "power"},
}


def _inverse(number: Value) -> tuple[Value, Value]:
    """The inverse rounded towards zero, by less than one unit in the last place, and its residual (see `_left`)."""
    nearest = 1.0 / number
    above = _left(number, nearest) < 0.0
    # The adjacent number towards zero.
    less = nearest * (1 - UNIT)
    inverse = number.writer.select(above, less, nearest)
    return inverse, _left(number, inverse)


def _left(number: Value, inverse: Value) -> Value:
    """One minus a number times its inverse, exact."""
    return _known("fma")(-number, inverse, number.writer.number(1.0))


def _inverse_below(number: Value) -> Value:
    # Without fused multiply-add a quotient from an inverse is not rounded like a division: keep the number itself.
    return _inverse(number)[0] if number.writer.types.fused else number + -0.0


def _inverse_lacks(number: Value) -> Value:
    """Rounding error of `_inverse_below`; a tiny number of the same sign where the error is zero."""
    if not number.writer.types.fused:
        return number.writer.number(0.0)
    inverse, left = _inverse(number)
    something = left > 0.0
    little = inverse * 2.0**-100
    return number.writer.select(something, left / number, little)


def _quotient(numerator: Value, inverse: Value, lacking: Value) -> Value:
    """A quotient from the two parts of the inverse of its denominator, rounded like a division."""
    # The two parts have 104 bits. The quotient of two 53-bit numbers is too close to a rounding midpoint for this only
    # if the denominator needs more than 50 bits, and then about once in 10**14 times.
    if not numerator.writer.types.fused:
        return numerator / inverse
    return _known("fma")(numerator, inverse, numerator * lacking)


# Operations that exist in compiled programs only.
COMPILED: dict[str, Build] = {"inverse_below": _inverse_below, "inverse_lacks": _inverse_lacks, "quotient": _quotient}

# Operations that accept booleans as arguments.
TAKES_TRUTH = frozenset({"and", "or", "not", "where"})

# Number of random bits of a uniform number in [0, 1), and unit roundoff: the maximum relative rounding error.
BITS = 53
UNIT = 2.0**-BITS


def uniform(code: NestCode, expression: Random) -> Value:
    """A uniform random number, different for every seed, site, step, cell and draw."""
    writer = code.writer
    word = _mixed(writer.named("%seed") + int(GOLDEN))
    for part in (writer.integer(expression.site), code.step_number(), code.table_offset(expression.axes), code.draw()):
        word = _mixed((word ^ part) + int(GOLDEN))
    return writer.convert("uitofp", word >> (64 - BITS), "real") * UNIT


def _mixed(word: Value) -> Value:
    for shift, factor in ((30, FIRST_MULTIPLIER), (27, SECOND)):
        word = (word ^ (word >> shift)) * int(factor)
    return word ^ (word >> 31)


# Maximum number of points of a single table that is looked up by selections; others use binary search.
CHAIN = 16

# Number of segments above which permutations need fewer instructions than a chain of selections.
PERMUTED = 4


def interpolation(code: NestCode, expression: Interpolation) -> Value:
    """Value of a table function at its argument."""
    argument = code.real(expression.argument)
    chain = not expression.tables and expression.points <= CHAIN
    value = (_Chain(code, expression) if chain else _Search(code, expression)).read(argument)
    if expression.mode in ("hold_backward", "look_forward") or expression.points == 1:
        # These operations select rather than compute, so NaN arguments must be propagated explicitly.
        missing = argument.compare("uno", argument)
        return code.writer.select(missing, float("nan"), value)
    return value


def slopes(x: tuple[float, ...], y: tuple[float, ...]) -> tuple[float, ...]:
    """Slope of each segment; zero for segments of zero length."""
    return tuple(
        (y[place + 1] - y[place]) / (x[place + 1] - x[place]) if x[place + 1] > x[place] else 0.0
        for place in range(len(x) - 1)
    )


class _Chain:
    """A single short table, looked up by selections among literals."""

    def __init__(self, code: NestCode, expression: Interpolation) -> None:
        self.writer, self.x, self.y, self.mode = code.writer, expression.x, expression.y, expression.mode

    def read(self, argument: Value) -> Value:
        if self.mode in ("interpolate", "extrapolate"):
            return self._lines(argument)
        return self._steps(argument)

    def _lines(self, argument: Value) -> Value:
        writer, x, y = self.writer, self.x, self.y
        if len(x) == 1:
            return writer.number(y[0])
        permuted = argument.wide and writer.types.permutes and len(x) - 1 > PERMUTED
        start, level, slope = self._permuted(argument) if permuted else self._chosen(argument)
        rise = slope * (argument - start)
        value = level + rise
        if self.mode == "extrapolate":
            return value
        value = self.writer.select(argument >= x[-1], y[-1], value)
        below = argument < x[0]
        return self.writer.select(below, y[0], value)

    def _chosen(self, argument: Value) -> tuple[Value, Value, Value]:
        """Start, value at the start, and slope of the segment that contains the argument, by selections."""
        writer, x, y = self.writer, self.x, self.y
        steep = slopes(x, y)
        start, level, slope = writer.number(x[0]), writer.number(y[0]), writer.number(steep[0])
        for place in range(1, len(x) - 1):
            reached = argument >= x[place]
            start = self.writer.select(reached, x[place], start)
            level = self.writer.select(reached, y[place], level)
            slope = self.writer.select(reached, steep[place], slope)
        return start, level, slope

    def _permuted(self, argument: Value) -> tuple[Value, Value, Value]:
        """Start, value and slope of the segment, by register permutations."""
        segments = len(self.x) - 1
        room = 8 if segments <= 8 else 16
        padding = (float("nan"),) * (room - segments)
        starts, levels, steep = ((*side[:segments], *padding) for side in (self.x, self.y, slopes(self.x, self.y)))
        pick, place = self.writer.permuted, self._last_reached(argument, starts)
        return pick(starts, place), pick(levels, place), pick(steep, place)

    def _last_reached(self, argument: Value, starts: tuple[float, ...]) -> Value:
        """Index of the last start not above the argument, or zero; starts are increasing, then NaN."""
        writer = self.writer
        half = len(starts) // 2
        place = writer.select(argument >= starts[half], half, 0)
        while half > 1:
            half //= 2
            further = place | half
            reached = argument >= writer.permuted(starts, further)
            place = writer.select(reached, further, place)
        return place

    def _steps(self, argument: Value) -> Value:
        points = list(zip(self.x, self.y, strict=True))
        start, relation = float("nan"), "oeq"
        if self.mode == "hold_backward":
            (_, start), *points = points
            relation = "oge"
        elif self.mode == "look_forward":
            (_, start), *points = reversed(points)
            relation = "ole"
        value = self.writer.number(start)
        for x, y in points:
            value = self.writer.select(argument.compare(relation, x), y, value)
        return value


class _Search:
    """One table per cell, or a long table, looked up by binary search."""

    def __init__(self, code: NestCode, expression: Interpolation) -> None:
        self.code, self.writer, self.expression = code, code.writer, expression
        frame, points = code.frame, expression.points
        self.room = 1 << (points - 1).bit_length()
        x_room, y_room, slope_room = [], [], []
        for first in range(0, len(expression.x), points):
            x, y = (side[first : first + points] for side in (expression.x, expression.y))
            x_room += [*x, *[float("inf")] * (self.room - points)]
            y_room += [*y, *[y[-1]] * (self.room - points)]
            slope_room += [*slopes(x, y), *[0.0] * (self.room - points + 1)]
        self.x, self.y, self.slope = (frame.reals(side) for side in (x_room, y_room, slope_room))
        base = code.table_offset(expression.tables)
        factor = self.writer.integer(self.room)
        self.base = base * factor

    def read(self, argument: Value) -> Value:
        if self.base.wide and not argument.wide:
            argument = self.writer.splat(argument)
        mode = self.expression.mode
        before = self._last(argument, "fcmp oge")
        if mode in ("interpolate", "extrapolate"):
            return self._lines(argument, before)
        return self._steps(argument, before)

    def _at(self, table: str, place: Value, shift: int = 0) -> Value:
        index = self.base + place
        if shift:
            index = index + shift
        return self.code.gather(table, index)

    def _last(self, argument: Value, compare: str) -> Value:
        """Index of the last point not above the argument, or zero."""
        place = self.writer.integer(0)
        half = self.room // 2
        while half:
            further = place + half
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
        start = writer.select(place < segment, place, segment)
        rise = self._at(self.slope, start) * (argument - self._at(self.x, start))
        value = self._at(self.y, start) + rise
        if self.expression.mode == "extrapolate":
            return value
        ended = argument >= self._at(self.x, last)
        value = writer.select(ended, self._at(self.y, last), value)
        before = argument < self._at(self.x, writer.integer(0))
        return writer.select(before, self._at(self.y, writer.integer(0)), value)

    def _steps(self, argument: Value, place: Value) -> Value:
        writer = self.writer
        held = self._at(self.y, place)
        if self.expression.mode == "hold_backward":
            return held
        here = self._at(self.x, place)
        exact = argument.compare("oeq", here)
        if self.expression.mode == "raw":
            return writer.select(exact, held, float("nan"))
        last, _ = self._edges()
        more = place + 1
        after = writer.select(more < last, more, last)
        first = argument <= here
        return writer.select(first, held, self._at(self.y, after))


# Maximum delay in steps: longer than any run, but still a 64-bit integer.
FOREVER = 2.0**62


def push(code: NestCode, item: Item) -> None:
    """Store the inflow of a fixed delay in the ring buffer, and load its next outflow."""
    # The arguments of the expression are the inflow, the initial outflow and the delay time.
    if not isinstance(item.expression, Operation):
        raise UnsupportedFeature("a pipe without a delay")
    inflow, initial, delay = (code.real(part) for part in item.expression.arguments)
    writer, slot = code.writer, code.frame.slot(item.target)
    scale = code.frame.types.lanes if slot.wide else 1
    base = code.frame.pipe(item.target, slot.cells * scale)
    inflow = writer.splat(inflow) if slot.wide else inflow
    cell = code.cell(slot, item.index, scale)
    size = writer.named("%pipes")
    step = code.step_number()
    ring, row = writer.named("%ring"), writer.named("%k.ring")
    place = cell + base
    here = row * size + place
    code.keep("%history", here, inflow)
    # The outflow at the next step is the inflow `ago` steps before it.
    ago = _steps(delay)
    then = step + 1 - ago
    begun = writer.binary("icmp sge", then, writer.integer(0), "truth")
    before = row + 1 - ago
    again = writer.binary("icmp slt", before, writer.integer(0), "truth")
    before = writer.select(again, before + ring, before)
    before = writer.select(begun, before, 0)
    at = before * size + place
    if slot.wide:
        at = at + writer.lane_numbers()
    code.late(item, writer.select(begun, code.gather("%history", at), initial))


def _steps(delay: Value) -> Value:
    """Length of a fixed delay in steps, as in `numpy.target.steps_of`."""
    writer = delay.writer
    ratio = delay / writer.named("%dt0", "real")
    # A delay of NaN counts as one step: every comparison with it is false.
    ratio = writer.select(ratio > 1.0, ratio, 1.0)
    ratio = writer.select(ratio > FOREVER, FOREVER, ratio)
    # Conversion truncates, which for positive numbers is rounding down.
    return writer.convert("fptosi", ratio + (SMALL + 0.5), "integer")
