"""What operations and random numbers become in LLVM instructions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pysd_runner.engine.ir import SMALL, Random
from pysd_runner.engine.llvm import mathematics
from pysd_runner.engine.llvm.emitter import Value, Writer
from pysd_runner.engine.random_numbers import FIRST, GOLDEN, SECOND

if TYPE_CHECKING:
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
        return writer.call(name, mathematics.name_of(name, lanes, writer.types.real), parts)

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
