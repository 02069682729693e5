"""Exponential and logarithm on vectors, without tables, with every special case of IEEE 754.

Vectors of plain numbers and results take the short way; one that holds a special case, a number below the normal ones
or a result near the ends of the range goes to a "careful" function. Both give the same where both apply.
The coefficients are minimax fits (Remez exchange with 60 digits, rounded), whose relative error stands beside them.
"""

import math

from pysd_runner.engine.llvm.emitter import Value
from pysd_runner.engine.llvm.instructions import Instructions, bits_of


def numbers(text: str) -> tuple[float, ...]:
    """Numbers written in hexadecimal, so that they are exact."""
    return tuple(float.fromhex(item) for item in text.split())


LOG2_E = float.fromhex("0x1.71547652b82fep+0")
LN2_HIGH = float.fromhex("0x1.62e42fefa39efp-1")
LN2_LOW = float.fromhex("0x1.abc9e3b39803fp-56")
# The same with a first part of 32 bits, so that its product with a whole number below 2**21 is exact.
LN2_SHORT = float.fromhex("0x1.62e42feep-1")
LN2_REST = float.fromhex("0x1.a39ef35793c76p-33")

# (exp(r) - 1 - r) / r**2 for |r| <= ln(2) / 2; exp has the relative error 2**-57.9.
EXP_COEFFICIENTS = numbers(
    "0x1.000000000000ap-1 0x1.55555555554fap-3 0x1.555555555087dp-5 0x1.1111111127be7p-7 0x1.6c16c1842a0ffp-10 "
    "0x1.a01a012a570b6p-13 0x1.a0199a0c691c3p-16 0x1.71df2553cf019p-19 0x1.28ad72cc49578p-22 0x1.ad7f6c633011bp-26"
)
# 2 (artanh(s) / s - 1) / s**2 in z = s**2 for |s| <= 0.1716; z times it has the error 2**-58.5.
LN_COEFFICIENTS = numbers(
    "0x1.5555555555592p-1 0x1.999999997fda8p-2 0x1.24924941f20c0p-2 0x1.c71c520899cbdp-3 0x1.74663f11e4d75p-3 "
    "0x1.39a1b6662ff32p-3 0x1.2f05906967d4fp-3"
)
# Added to a number below 2**51, it leaves the number rounded to an integer in the low bits.
ROUNDER = 1.5 * 2.0**52
EXPONENT_ONE = bits_of(1.0)
MANTISSA = 2**52 - 1
SIGN = 2**63
SMALLEST_NORMAL = 2.0**-1022
# The exponent as a number is read off the bits, with this added.
EXCESS = 2.0**52 + 2048
SQRT_HALF_BITS = bits_of(math.sqrt(0.5))

# Beyond these exp is infinite or rounds to zero.
EXP_HIGHEST, EXP_LOWEST = 710.0, -746.0
# Below this in magnitude, exp(x) is a normal number.
EXP_NORMAL = 708.0


def normal_positive(to: Instructions, x: Value) -> Value:
    """Whether a number is normal, positive and finite, told from its bits."""
    above = to.binary("sub", to.to_bits(x), to.bits(bits_of(SMALLEST_NORMAL)))
    return to.below(above, to.bits(bits_of(math.inf) - bits_of(SMALLEST_NORMAL)))


def begin_plain(to: Instructions, x: Value) -> None:
    """Begin the block for vectors of normal positive numbers; others go to the block that `end_plain` writes."""
    to.label("start")
    to.branch(to.every(normal_positive(to, x)), "plain", "careful")
    to.label("plain")


def end_plain(to: Instructions, value: Value, function: str, *arguments: Value) -> Value:
    """The value of the block for plain vectors, or what a function says."""
    to.label("careful")
    other = to.result_of(function, *arguments)
    to.jump("end")
    to.label("end")
    return to.merge((value, "plain"), (other, "careful"))


def exp(to: Instructions, x: Value) -> Value:
    """Exponential where every result is a normal number; else `careful_exp`."""
    to.label("start")
    inside = to.compare("olt", to.intrinsic("fabs", x), to.number(EXP_NORMAL))
    to.branch(to.every(inside), "plain", "careful")
    to.label("plain")
    shifted, less_one = _exp_less_one(to, x)
    scale = power_of_two(to, to.to_bits(shifted))
    value = to.fused(less_one, scale, scale)
    to.jump("end")
    return end_plain(to, value, "careful_exp", x)


def careful_exp(to: Instructions, x: Value) -> Value:
    """Exponential of any number."""
    shifted, less_one = _exp_less_one(to, to.clamp(x, EXP_LOWEST, EXP_HIGHEST))
    first, second = _powers(to, shifted)
    return to.multiply(to.fused(less_one, first, first), second)


def _exp_less_one(to: Instructions, x: Value) -> tuple[Value, Value]:
    """Of x = n ln 2 + r: ROUNDER + n, which has n in its low bits, and exp(r) - 1."""
    rounder = to.number(ROUNDER)
    shifted = to.fused(x, to.number(LOG2_E), rounder)
    whole = to.subtract(shifted, rounder)
    # Exact: both terms are multiples of 2**-54 and their difference is below one half.
    high, low = (LN2_HIGH, LN2_LOW) if to.fuses else (LN2_SHORT, LN2_REST)
    near = to.fused(whole, to.number(-high), x)
    correction = to.multiply(whole, to.number(-low))
    rest = to.add(near, correction)
    tail = to.polynomial(rest, EXP_COEFFICIENTS)
    return shifted, to.add(near, to.fused(to.multiply(rest, rest), tail, correction))


def power_of_two(to: Instructions, exponent: Value) -> Value:
    """2**n for the n in the low 12 bits of an integer, within the range of normal numbers."""
    return to.from_bits(to.binary("add", to.binary("shl", exponent, to.bits(52)), to.bits(EXPONENT_ONE)))


def _powers(to: Instructions, shifted: Value) -> tuple[Value, Value]:
    """Two powers of two whose product is 2**n; n stands in the low bits of ``shifted``, which is n + ROUNDER."""
    # Multiplying by one after the other rounds results below the smallest normal number only once.
    bits = to.to_bits(shifted)
    half = to.binary("lshr", bits, to.bits(1))
    return power_of_two(to, half), power_of_two(to, to.binary("sub", bits, half))


def _split(to: Instructions, x: Value) -> tuple[Value, Value]:
    """A positive finite number as 2**k m with m from sqrt(1/2) to sqrt(2): k and m; nonsense for others."""
    small = to.compare("olt", x, to.number(SMALLEST_NORMAL))
    x = to.select(small, to.multiply(x, to.number(2.0**54)), x)
    return split_normal(to, x, to.select(small, to.number(EXCESS + 54), to.number(EXCESS)))


def split_normal(to: Instructions, x: Value, excess: Value) -> tuple[Value, Value]:
    """The same for normal numbers, with what the exponent is too large by."""
    # The exponent is kept 2048 too large, so that it is never negative and needs no arithmetic shift.
    shifted = to.binary("add", to.to_bits(x), to.bits(SIGN - SQRT_HALF_BITS))
    exponent = to.binary("or", to.binary("lshr", shifted, to.bits(52)), to.bits(bits_of(2.0**52)))
    k = to.subtract(to.from_bits(exponent), excess)
    mantissa = to.binary("add", to.binary("and", shifted, to.bits(MANTISSA)), to.bits(SQRT_HALF_BITS))
    return k, to.from_bits(mantissa)


def ln(to: Instructions, x: Value) -> Value:
    """Natural logarithm where every argument is a normal positive number; else `careful_ln`."""
    begin_plain(to, x)
    value = _ln(to, *split_normal(to, x, to.number(EXCESS)))
    to.jump("end")
    return end_plain(to, value, "careful_ln", x)


def careful_ln(to: Instructions, x: Value) -> Value:
    """Natural logarithm of any number."""
    return ln_special(to, x, _ln(to, *_split(to, x)))


def _ln(to: Instructions, k: Value, m: Value) -> Value:
    """Natural logarithm of 2**k m with m = 1 + f, s = f / (2 + f)."""
    # ln(1 + f) = f - f**2 / 2 + s (f**2 / 2 + a series in s**2).
    f = to.subtract(m, to.number(1.0))
    s = to.divide(f, to.add(m, to.number(1.0)))
    z = to.multiply(s, s)
    half_square = to.multiply(to.multiply(f, to.number(0.5)), f)
    series = to.fused(z, to.polynomial(z, LN_COEFFICIENTS), half_square)
    ln2_high, ln2_low = (LN2_HIGH, LN2_LOW) if to.fuses else (LN2_SHORT, LN2_REST)
    low = to.fused(s, series, to.multiply(k, to.number(ln2_low)))
    return to.fused(k, to.number(ln2_high), to.subtract(f, to.subtract(half_square, low)))


def ln_special(to: Instructions, x: Value, value: Value) -> Value:
    """A logarithm that is right for positive finite numbers, made right for all."""
    value = to.select(to.compare("olt", x, to.number(math.inf)), value, x)
    value = to.select(to.compare("oeq", x, to.number(0.0)), to.number(-math.inf), value)
    return to.select(to.compare("olt", x, to.number(0.0)), to.number(math.nan), value)
