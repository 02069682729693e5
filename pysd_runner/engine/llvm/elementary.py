"""Vectorised exponential and logarithm without tables, and power in single precision, including all special cases.

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


# Functions for single precision, computed in double precision with short series. Arguments and results are in double
# precision; the caller converts them. The relative error is below 2**-30, so that rounding gives the nearest single
# precision number, except for about one in thousands that lies near the midpoint of two.

# (exp(r) - 1 - r) / r**2 for |r| <= ln(2) / 2; exp has the relative error 2**-34.2.
SHORT_EXP = numbers(
    "0x1.0000003a2396dp-1 0x1.555554433df51p-3 0x1.55548dc462aefp-5 0x1.111270b0c1f3fp-7 0x1.6d8d06fcbbd67p-10 "
    "0x1.9f0898db50285p-13"
)
# (2**r - 1) / r for |r| <= 1/2; 2**r has the relative error 2**-34.3.
SHORT_EXP2 = numbers(
    "0x1.62e42ff0e18fdp-1 0x1.ebfbe0778d1c5p-3 0x1.c6b08ac06d81ep-5 0x1.3b29f397d165cp-7 0x1.5d8a85f97cbcdp-10 "
    "0x1.445c887fbbc0ep-13 0x1.fde60b67f1d73p-17"
)
# 2 (artanh(s) / s - 1) / s**2 in s**2 for |s| <= 0.1716; the logarithm has the relative error 2**-37.6.
SHORT_LN = numbers("0x1.555554fd9a650p-1 0x1.999a7a8f63c78p-2 0x1.2438d66c24e00p-2 0x1.e2f6915d07969p-3")
# `SHORT_LN` divided by ln(2).
SHORT_LOG2 = numbers("0x1.ec709d450ed99p-1 0x1.277767553a463p-1 0x1.a59656c8dbed0p-2 0x1.5c625fd43ff6cp-2")

# Arguments beyond which results are infinite or zero in single precision, but still normal in double precision.
SINGLE_LOWEST, SINGLE_HIGHEST = -105.0, 90.0
EXP2_LOWEST, EXP2_HIGHEST = -152.0, 130.0


def exp_single(to: Instructions, x: Value) -> Value:
    """Exponential: n = round(x / ln 2), r = x - n ln 2, exp(x) = 2**n exp(r)."""
    x = to.clamp(x, SINGLE_LOWEST, SINGLE_HIGHEST)
    rounder = to.number(ROUNDER)
    shifted = to.fused(x, LOG2_E, rounder)
    rest = to.fused(shifted - rounder, -LN2_HIGH, x)
    less_one = to.fused(rest * rest, to.polynomial(rest, SHORT_EXP), rest)
    return _scaled(to, less_one, shifted)


def _scaled(to: Instructions, less_one: Value, shifted: Value) -> Value:
    """2**n times (1 + ``less_one``); n is in the low bits of ``shifted``."""
    scale = power_of_two(to, to.to_bits(shifted))
    return to.fused(less_one, scale, scale)


def _short_series(to: Instructions, m: Value, coefficients: tuple[float, ...], first: float) -> Value:
    """A logarithm of m near one: first * s + s**3 * series in s**2, with s = (m - 1) / (m + 1)."""
    one = to.number(1.0)
    s = (m - one) / (m + one)
    z = s * s
    return s * to.fused(z, to.polynomial(z, coefficients), first)


def ln_single(to: Instructions, x: Value) -> Value:
    """Natural logarithm where every argument is a positive number; otherwise calls `careful_ln_single`."""
    begin_plain(to, x)
    value = _short_ln(to, x)
    to.jump("end")
    return end_plain(to, value, "careful_ln_single", x)


def careful_ln_single(to: Instructions, x: Value) -> Value:
    """Natural logarithm of any number."""
    return ln_special(to, x, _short_ln(to, x))


def _short_ln(to: Instructions, x: Value) -> Value:
    k, m = split_normal(to, x, to.number(EXCESS))
    return to.fused(k, LN2_HIGH, _short_series(to, m, SHORT_LN, 2.0))


def power_single(to: Instructions, x: Value, y: Value) -> Value:
    """Power where every base is a positive number; otherwise calls `careful_power_single`."""
    begin_plain(to, x)
    product = y * _short_log2(to, x)
    value = _short_exp2(to, product)
    to.branch(to.every(product.compare("ord", product)), "end", "careful")
    return end_plain(to, value, "careful_power_single", x, y)


def careful_power_single(to: Instructions, x: Value, y: Value) -> Value:
    """Power: 2**(y log2 abs(x)), then signs and special cases as in C."""
    magnitude = to.intrinsic("fabs", x)
    logarithm = log2_special(to, magnitude, _short_log2(to, magnitude))
    return power_special(to, x, y, _short_exp2(to, y * logarithm))


def _short_log2(to: Instructions, x: Value) -> Value:
    k, m = split_normal(to, x, to.number(EXCESS))
    return k + _short_series(to, m, SHORT_LOG2, 2 * LOG2_E)


def _short_exp2(to: Instructions, x: Value) -> Value:
    product = to.clamp(x, EXP2_LOWEST, EXP2_HIGHEST)
    rounder = to.number(ROUNDER)
    shifted = product + rounder
    rest = product - (shifted - rounder)
    return _scaled(to, rest * to.polynomial(rest, SHORT_EXP2), shifted)
