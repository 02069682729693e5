"""Vectorised exponential and logarithm without tables, including all special cases, and the special cases of powers.

Vectors of ordinary arguments and results take a fast path; vectors with a special case, a subnormal number or a result
near the limits of the range are passed to a "careful" function. Both give the same results where both apply.
The coefficients are minimax fits (Remez exchange with 60 digits, rounded); comments give their relative errors.
"""

import math

from pysd_runner.engine.llvm.emitter import Instructions, Value, bits_of


def numbers(text: str) -> tuple[float, ...]:
    """Parse numbers in hexadecimal notation, which is exact."""
    return tuple(float.fromhex(item) for item in text.split())


LOG2_E = float.fromhex("0x1.71547652b82fep+0")
LN2_HIGH = float.fromhex("0x1.62e42fefa39efp-1")
LN2_LOW = float.fromhex("0x1.abc9e3b39803fp-56")
# ln(2) split with a first part of 32 bits, so that its product with an integer below 2**21 is exact.
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
# Adding this to a number below 2**51 leaves the number, rounded to an integer, in the low bits.
ROUNDER = 1.5 * 2.0**52
EXPONENT_ONE = bits_of(1.0)
MANTISSA = 2**52 - 1
SIGN = 2**63
SMALLEST_NORMAL = 2.0**-1022
# Excess of the exponent that is extracted from the bits of a number.
EXCESS = 2.0**52 + 2048
SQRT_HALF_BITS = bits_of(math.sqrt(0.5))

# Arguments beyond which exp is infinite or rounds to zero.
EXP_HIGHEST, EXP_LOWEST = 710.0, -746.0
# Magnitude of the argument below which exp(x) is a normal number.
EXP_NORMAL = 708.0


def normal_positive(to: Instructions, x: Value) -> Value:
    """Whether a number is normal, positive and finite, determined from its bits."""
    above = to.to_bits(x) - bits_of(SMALLEST_NORMAL)
    return above < bits_of(math.inf) - bits_of(SMALLEST_NORMAL)


def begin_plain(to: Instructions, x: Value) -> None:
    """Begin the block for vectors of normal positive numbers; others branch to the block that `end_plain` writes."""
    to.label("start")
    to.branch(to.every(normal_positive(to, x)), "plain", "careful")
    to.label("plain")


def end_plain(to: Instructions, value: Value, function: str, *arguments: Value) -> Value:
    """The value of the fast path, or the result of the careful function."""
    to.label("careful")
    other = to.result_of(function, *arguments)
    to.jump("end")
    to.label("end")
    return to.merge((value, "plain"), (other, "careful"))


def exp(to: Instructions, x: Value) -> Value:
    """Exponential where every result is a normal number; otherwise calls `careful_exp`."""
    to.label("start")
    inside = to.intrinsic("fabs", x) < EXP_NORMAL
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
    return to.fused(less_one, first, first) * second


def _exp_less_one(to: Instructions, x: Value) -> tuple[Value, Value]:
    """For x = n ln 2 + r: ROUNDER + n, which has n in its low bits, and exp(r) - 1."""
    rounder = to.number(ROUNDER)
    shifted = to.fused(x, LOG2_E, rounder)
    whole = shifted - rounder
    # Exact: both terms are multiples of 2**-54 and their difference is below one half.
    high, low = (LN2_HIGH, LN2_LOW) if to.fuses else (LN2_SHORT, LN2_REST)
    near = to.fused(whole, -high, x)
    correction = whole * -low
    rest = near + correction
    tail = to.polynomial(rest, EXP_COEFFICIENTS)
    return shifted, near + to.fused(rest * rest, tail, correction)


def power_of_two(to: Instructions, exponent: Value) -> Value:
    """2**n for the n in the low 12 bits of an integer, within the range of normal numbers."""
    return to.from_bits((exponent << 52) + EXPONENT_ONE)


def _powers(to: Instructions, shifted: Value) -> tuple[Value, Value]:
    """Two powers of two whose product is 2**n; n is in the low bits of ``shifted``, which is n + ROUNDER."""
    # Multiplying by one after the other rounds subnormal results only once.
    bits = to.to_bits(shifted)
    half = bits >> 1
    return power_of_two(to, half), power_of_two(to, bits - half)


def _split(to: Instructions, x: Value) -> tuple[Value, Value]:
    """Split a positive finite number into k and m of 2**k m, m from sqrt(1/2) to sqrt(2); meaningless for others."""
    small = x < SMALLEST_NORMAL
    x = to.select(small, x * 2.0**54, x)
    return split_normal(to, x, to.select(small, EXCESS + 54, EXCESS))


def split_normal(to: Instructions, x: Value, excess: Value) -> tuple[Value, Value]:
    """Split a normal number as `_split` does; ``excess`` is subtracted from the extracted exponent."""
    # The exponent is stored with an excess of 2048, so that it is never negative and needs no arithmetic shift.
    shifted = to.to_bits(x) + (SIGN - SQRT_HALF_BITS)
    exponent = shifted >> 52 | bits_of(2.0**52)
    k = to.from_bits(exponent) - excess
    mantissa = (shifted & MANTISSA) + SQRT_HALF_BITS
    return k, to.from_bits(mantissa)


def ln(to: Instructions, x: Value) -> Value:
    """Natural logarithm where every argument is a normal positive number; otherwise calls `careful_ln`."""
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
    f = m - 1.0
    s = f / (m + 1.0)
    z = s * s
    half_square = f * 0.5 * f
    series = to.fused(z, to.polynomial(z, LN_COEFFICIENTS), half_square)
    ln2_high, ln2_low = (LN2_HIGH, LN2_LOW) if to.fuses else (LN2_SHORT, LN2_REST)
    low = to.fused(s, series, k * ln2_low)
    return to.fused(k, ln2_high, f - (half_square - low))


def ln_special(to: Instructions, x: Value, value: Value) -> Value:
    """Correct a logarithm, which is valid for positive finite numbers, for all other arguments."""
    value = to.select(x < math.inf, value, x)
    value = to.select(x.compare("oeq", 0.0), -math.inf, value)
    return to.select(x < 0.0, math.nan, value)


def log2_special(to: Instructions, magnitude: Value, value: Value) -> Value:
    """Correct a logarithm, which is valid for positive finite numbers, for zero, infinity and NaN."""
    value = to.select(magnitude < math.inf, value, magnitude)
    return to.select(magnitude.compare("oeq", 0.0), -math.inf, value)


def power_special(to: Instructions, x: Value, y: Value, value: Value) -> Value:
    """Correct a power of abs(x) for the sign of x and for the special cases of IEEE 754."""
    magnitude, zero, one = to.intrinsic("fabs", x), to.number(0.0), to.number(1.0)
    certain = magnitude.compare("oeq", one) | y.compare("oeq", zero)
    value = to.select(certain, one, value)
    broken = to.intrinsic("trunc", y).compare("une", y)
    half = y * 0.5
    odd = to.intrinsic("trunc", half).compare("une", half)
    sign = to.to_bits(x) & SIGN
    sign = to.select(odd, sign, 0)
    signed = to.from_bits(to.to_bits(value) | sign)
    # For a non-integer exponent the sign is ignored, or the base is negative and the power is undefined.
    value = to.select(broken, value, signed)
    finite = magnitude < math.inf
    undefined = (x < zero) & finite & broken
    return to.select(undefined, math.nan, value)
