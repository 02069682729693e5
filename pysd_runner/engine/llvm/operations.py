"""What operations, random numbers, table functions and series of data become in LLVM instructions.

A table with few points is a chain of selections, or permuted where the processor can; a longer one is searched by
halving.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pysd_runner.engine.ir import SMALL, Interpolation, Random
from pysd_runner.engine.llvm.emitter import Value, Writer
from pysd_runner.engine.llvm.instructions import function_name
from pysd_runner.engine.random_numbers import FIRST, GOLDEN, SECOND

if TYPE_CHECKING:  # these load numpy
    from pysd_runner.engine.llvm.nest_code import NestCode

Build = Callable[[Writer, Sequence[Value]], Value]


def truth(writer: Writer, value: Value) -> Value:
    """Whether a real number counts as true: everything but zero, NaN included."""
    if value.kind == "truth":
        return value
    return writer.binary("fcmp une", value, writer.number(0.0), "truth")


def real(writer: Writer, value: Value) -> Value:
    """A truth as one or zero."""
    if value.kind == "real":
        return value
    return writer.select(value, writer.number(1.0), writer.number(0.0))


def least(writer: Writer, left: Value, right: Value) -> Value:
    """The smaller of two numbers, NaN if one is."""
    return _extreme(writer, left, right, "fcmp olt")


def largest(writer: Writer, left: Value, right: Value) -> Value:
    """The larger of two numbers, NaN if one is."""
    return _extreme(writer, left, right, "fcmp ogt")


def _extreme(writer: Writer, left: Value, right: Value, compare: str) -> Value:
    # A comparison with NaN is false and gives the right operand: only NaN on the left has to be put back, and a number
    # of the file cannot be one.
    if left.literal is None and right.literal is not None:
        left, right = right, left
    chosen = writer.select(writer.binary(compare, left, right, "truth"), left, right)
    if left.literal is not None:
        return chosen
    return writer.select(writer.binary("fcmp uno", left, left, "truth"), left, chosen)


def _compare(condition: str) -> Build:
    return lambda writer, parts: writer.binary(f"fcmp {condition}", parts[0], parts[1], "truth")


def _logic(instruction: str) -> Build:
    return lambda writer, parts: writer.binary(instruction, truth(writer, parts[0]), truth(writer, parts[1]))


def _not(writer: Writer, parts: Sequence[Value]) -> Value:
    return writer.binary("xor", truth(writer, parts[0]), Value("true", "truth", False, 0))


def _where(writer: Writer, parts: Sequence[Value]) -> Value:
    return writer.select(truth(writer, parts[0]), real(writer, parts[1]), real(writer, parts[2]))


def _binary(instruction: str) -> Build:
    return lambda writer, parts: writer.binary(instruction, parts[0], parts[1])


def _known(name: str) -> Build:
    """A function the compiler knows."""

    def build(writer: Writer, parts: Sequence[Value]) -> Value:
        wide = any(part.wide for part in parts)
        letter = "f64" if writer.types.real == "double" else "f32"
        kind = f"v{writer.types.lanes}{letter}" if wide else letter
        return writer.call("", f"@llvm.{name}.{kind}", parts)

    return build


def _function(name: str) -> Build:
    """A function of the mathematics module."""

    def build(writer: Writer, parts: Sequence[Value]) -> Value:
        lanes = writer.types.lanes if any(part.wide for part in parts) else 1
        return writer.call(name, function_name(name, lanes, writer.types.real), parts)

    return build


def _power(writer: Writer, parts: Sequence[Value]) -> Value:
    base, exponent = parts
    if exponent.literal == 1.0:
        return base
    if exponent.literal == 2.0:
        return writer.binary("fmul", base, base)
    return _function("power")(writer, parts)


def _xidz(writer: Writer, parts: Sequence[Value]) -> Value:
    numerator, denominator, otherwise = parts
    size = _known("fabs")(writer, [denominator])
    small = writer.binary("fcmp olt", size, writer.number(SMALL), "truth")
    return writer.select(small, otherwise, writer.binary("fdiv", numerator, denominator))


def _quantum(writer: Writer, parts: Sequence[Value]) -> Value:
    value, base = parts
    whole = _known("trunc")(writer, [writer.binary("fdiv", value, base)])
    small = writer.binary("fcmp olt", base, writer.number(SMALL), "truth")
    return writer.select(small, value, writer.binary("fmul", base, whole))


def _modulo(writer: Writer, parts: Sequence[Value]) -> Value:
    return writer.binary("fsub", parts[0], _quantum(writer, parts))


# Operation -> instructions. The same keys as the text of the NumPy target; a test compares them.
OPERATIONS: dict[str, Build] = {
    "add": _binary("fadd"),
    "subtract": _binary("fsub"),
    "multiply": _binary("fmul"),
    "divide": _binary("fdiv"),
    "negative": lambda writer, parts: writer.unary("fneg", parts[0]),
    "power": _power,
    "less": _compare("olt"),
    "less_equal": _compare("ole"),
    "greater": _compare("ogt"),
    "greater_equal": _compare("oge"),
    "equal": _compare("oeq"),
    "not_equal": _compare("une"),
    "and": _logic("and"),
    "or": _logic("or"),
    "not": _not,
    "where": _where,
    "min": lambda writer, parts: least(writer, parts[0], parts[1]),
    "max": lambda writer, parts: largest(writer, parts[0], parts[1]),
    "abs": _known("fabs"),
    "sqrt": _known("sqrt"),
    "integer": _known("trunc"),
    "quantum": _quantum,
    "modulo": _modulo,
    "xidz": _xidz,
} | {
    name: _function(name)
    for name in (
        ["exp", "ln", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "remainder", "erfc"]
    )
}


def _inverse(writer: Writer, number: Value) -> tuple[Value, Value]:
    """The inverse of a number, not above it in size and less than a unit in the last place below, and what is left."""
    nearest = writer.binary("fdiv", writer.number(1.0), number)
    above = writer.binary("fcmp olt", _left(writer, number, nearest), writer.number(0.0), "truth")
    # The next number towards zero.
    less = writer.binary("fmul", nearest, writer.number(1 - writer.types.unit))
    inverse = writer.select(above, less, nearest)
    return inverse, _left(writer, number, inverse)


def _left(writer: Writer, number: Value, inverse: Value) -> Value:
    """One less a number times its inverse, exact."""
    return _known("fma")(writer, [writer.unary("fneg", number), inverse, writer.number(1.0)])


def _inverse_below(writer: Writer, parts: Sequence[Value]) -> Value:
    # Without fused multiply-add a quotient from an inverse is not rounded as a division is: the number is kept itself.
    if not writer.types.fused:
        return writer.binary("fadd", parts[0], writer.number(-0.0))
    return _inverse(writer, parts[0])[0]


def _inverse_lacks(writer: Writer, parts: Sequence[Value]) -> Value:
    """What that inverse lacks; very little where it lacks nothing, so that it has the sign of the inverse anyway."""
    if not writer.types.fused:
        return writer.number(0.0)
    inverse, left = _inverse(writer, parts[0])
    something = writer.binary("fcmp ogt", left, writer.number(0.0), "truth")
    little = writer.binary("fmul", inverse, writer.number(2.0**-100))
    return writer.select(something, writer.binary("fdiv", left, parts[0]), little)


def _quotient(writer: Writer, parts: Sequence[Value]) -> Value:
    """A quotient from the two parts of the inverse of its denominator, rounded as a division rounds."""
    # The parts have 104 bits. A quotient of numbers of 53 bits lies too near the middle of two such numbers for that
    # only if the denominator needs more than 50 bits, and then about once in 10**14 times.
    numerator, inverse, lacking = parts
    if not writer.types.fused:
        return writer.binary("fdiv", numerator, inverse)
    return _known("fma")(writer, [numerator, inverse, writer.binary("fmul", numerator, lacking)])


# Operations that only compiled programs have.
COMPILED: dict[str, Build] = {
    "inverse_below": _inverse_below,
    "inverse_lacks": _inverse_lacks,
    "quotient": _quotient,
}

# Operations that take truths as they are.
TAKES_TRUTH = frozenset({"and", "or", "not", "where"})

# Bits of a number in [0, 1), by type.
BITS = {"double": 53, "float": 24}


def uniform(code: NestCode, expression: Random) -> Value:
    """A uniform number of its own for every seed, site, step, cell and draw."""
    writer = code.writer
    seed = Value("%seed", "integer", False, 0)
    word = _mixed(writer, writer.binary("add", seed, _word(int(GOLDEN))))
    for part in (writer.integer(expression.site), code.step_number(), code.table_offset(expression.axes), code.draw()):
        word = _mixed(writer, writer.binary("add", writer.binary("xor", word, part), _word(int(GOLDEN))))
    bits = BITS[writer.types.real]
    kept = writer.binary("lshr", word, writer.integer(64 - bits))
    return writer.binary("fmul", writer.convert("uitofp", kept, "real"), writer.number(2.0**-bits))


def _word(value: int) -> Value:
    """A word of 64 bits, written as a signed number."""
    return Value(str(value - 2**64 if value >= 2**63 else value), "integer", False, 0)


def _mixed(writer: Writer, word: Value) -> Value:
    for shift, factor in ((30, FIRST), (27, SECOND)):
        shifted = writer.binary("xor", word, writer.binary("lshr", word, writer.integer(shift)))
        word = writer.binary("mul", shifted, _word(int(factor)))
    return writer.binary("xor", word, writer.binary("lshr", word, writer.integer(31)))


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
