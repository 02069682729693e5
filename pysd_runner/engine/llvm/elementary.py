"""Exponential, logarithm and power on vectors, without tables, with every special case of IEEE 754.

Vectors of plain numbers and results take the short way; one that holds a special case, a number below the normal ones
or a result near the ends of the range goes to a "careful" function. Both give the same where both apply.
The coefficients are minimax fits (Remez exchange with 60 digits, rounded), whose relative error stands beside them.
"""

import math

from pysd_runner.engine.llvm.instructions import Instructions, bits_of


def numbers(text: str) -> tuple[float, ...]:
    """Numbers written in hexadecimal, so that they are exact."""
    return tuple(float.fromhex(item) for item in text.split())


LOG2_E = float.fromhex("0x1.71547652b82fep+0")
LN2_HIGH = float.fromhex("0x1.62e42fefa39efp-1")
LN2_LOW = float.fromhex("0x1.abc9e3b39803fp-56")
TWO_OVER_LN2_HIGH = float.fromhex("0x1.71547652b82fep+1")
TWO_OVER_LN2_LOW = float.fromhex("0x1.777d0ffda0d24p-55")
# ln(2)**2 / 12, one third over the square of 2 / ln(2).
THIRD_HIGH = float.fromhex("0x1.47fd3ffac83b4p-5")
THIRD_LOW = float.fromhex("0x1.c1283c81276e9p-59")

# (exp(r) - 1 - r) / r**2 for |r| <= ln(2) / 2; exp has the relative error 2**-57.9.
EXP_COEFFICIENTS = numbers(
    "0x1.000000000000ap-1 0x1.55555555554fap-3 0x1.555555555087dp-5 0x1.1111111127be7p-7 0x1.6c16c1842a0ffp-10 "
    "0x1.a01a012a570b6p-13 0x1.a0199a0c691c3p-16 0x1.71df2553cf019p-19 0x1.28ad72cc49578p-22 0x1.ad7f6c633011bp-26"
)
# (2**r - 1 - r ln 2) / r**2 for |r| <= 1/2; 2**r has the relative error 2**-58.0.
EXP2_COEFFICIENTS = numbers(
    "0x1.ebfbdff82c5a4p-3 0x1.c6b08d7049fe8p-5 0x1.3b2ab6fba0116p-7 0x1.5d87fe78cd6edp-10 "
    "0x1.4309130ed97c5p-13 0x1.ffcbfba97a0a6p-17 0x1.62bfc79b75469p-20 0x1.b5267ce9f89c5p-24 "
    "0x1.e61b52f63b48fp-28 0x1.e79bae2792adbp-32"
)
# 2 (artanh(s) / s - 1) / s**2 in z = s**2 for |s| <= 0.1716; z times it has the error 2**-58.5.
LN_COEFFICIENTS = numbers(
    "0x1.5555555555592p-1 0x1.999999997fda8p-2 0x1.24924941f20c0p-2 0x1.c71c520899cbdp-3 0x1.74663f11e4d75p-3 "
    "0x1.39a1b6662ff32p-3 0x1.2f05906967d4fp-3"
)
# S(p**2) of `_log2` for abs(p) <= 0.496; p**4 times it has the error 2**-66.3.
POWER_COEFFICIENTS = numbers(
    "0x1.7a3341fac5fa0p-9 0x1.039501876c75ap-12 0x1.840225c70559bp-16 0x1.310ccd7a0fc0dp-19 0x1.f0206ba30517ep-23 "
    "0x1.9abd2e6dc52dep-26 0x1.88e0c41a5f315p-29"
)

# 3 T + 5 S(0) 0.83 max(p**2): the error of the derivative stays below 2**-12.
POWER_SLOPE = 3 * THIRD_HIGH + 5 * POWER_COEFFICIENTS[0] * 0.83 * 0.2451

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
EXP2_HIGHEST, EXP2_LOWEST = 1025.0, -1100.0
# Below this in magnitude, 2**x is a normal number.
EXP2_NORMAL = 1021.0


def begin_plain(to: Instructions, x: str) -> None:
    """Begin the block for vectors of normal positive numbers; others go to the block that `end_plain` writes."""
    to.label("start")
    plain = to.both(to.compare("oge", x, to.number(SMALLEST_NORMAL)), to.compare("olt", x, to.number(math.inf)))
    to.branch(to.every(plain), "plain", "careful")
    to.label("plain")


def end_plain(to: Instructions, value: str, function: str, *arguments: str) -> str:
    """The value of the block for plain vectors, or what a function says."""
    to.label("careful")
    other = to.call(function, *arguments)
    to.jump("end")
    to.label("end")
    return to.merge((value, "plain"), (other, "careful"))


def exp(to: Instructions, x: str) -> str:
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


def careful_exp(to: Instructions, x: str) -> str:
    """Exponential of any number."""
    shifted, less_one = _exp_less_one(to, to.clamp(x, EXP_LOWEST, EXP_HIGHEST))
    first, second = _powers(to, shifted)
    return to.multiply(to.fused(less_one, first, first), second)


def _exp_less_one(to: Instructions, x: str) -> tuple[str, str]:
    """Of x = n ln 2 + r: ROUNDER + n, which has n in its low bits, and exp(r) - 1."""
    rounder = to.number(ROUNDER)
    shifted = to.fused(x, to.number(LOG2_E), rounder)
    whole = to.subtract(shifted, rounder)
    # Exact: both terms are multiples of 2**-54 and their difference is below one half.
    near = to.fused(whole, to.number(-LN2_HIGH), x)
    correction = to.multiply(whole, to.number(-LN2_LOW))
    rest = to.add(near, correction)
    tail = to.polynomial(rest, EXP_COEFFICIENTS)
    return shifted, to.add(near, to.fused(to.multiply(rest, rest), tail, correction))


def power_of_two(to: Instructions, exponent: str) -> str:
    """2**n for the n in the low 12 bits of an integer, within the range of normal numbers."""
    return to.from_bits(to.integers("add", to.integers("shl", exponent, to.bits(52)), to.bits(EXPONENT_ONE)))


def _powers(to: Instructions, shifted: str) -> tuple[str, str]:
    """Two powers of two whose product is 2**n; n stands in the low bits of ``shifted``, which is n + ROUNDER.

    Multiplying by one after the other rounds results below the smallest normal number only once.
    """
    bits = to.to_bits(shifted)
    half = to.integers("lshr", bits, to.bits(1))
    return power_of_two(to, half), power_of_two(to, to.integers("sub", bits, half))


def _split(to: Instructions, x: str) -> tuple[str, str]:
    """A positive finite number as 2**k m with m from sqrt(1/2) to sqrt(2): k and m; nonsense for others."""
    small = to.compare("olt", x, to.number(SMALLEST_NORMAL))
    x = to.choose(small, to.multiply(x, to.number(2.0**54)), x)
    return split_normal(to, x, to.choose(small, to.number(EXCESS + 54), to.number(EXCESS)))


def split_normal(to: Instructions, x: str, excess: str) -> tuple[str, str]:
    """The same for normal numbers, with what the exponent is too large by."""
    # The exponent is kept 2048 too large, so that it is never negative and needs no arithmetic shift.
    shifted = to.integers("add", to.to_bits(x), to.bits(SIGN - SQRT_HALF_BITS))
    exponent = to.integers("or", to.integers("lshr", shifted, to.bits(52)), to.bits(bits_of(2.0**52)))
    k = to.subtract(to.from_bits(exponent), excess)
    mantissa = to.integers("add", to.integers("and", shifted, to.bits(MANTISSA)), to.bits(SQRT_HALF_BITS))
    return k, to.from_bits(mantissa)


def ln(to: Instructions, x: str) -> str:
    """Natural logarithm where every argument is a normal positive number; else `careful_ln`."""
    begin_plain(to, x)
    value = _ln(to, *split_normal(to, x, to.number(EXCESS)))
    to.jump("end")
    return end_plain(to, value, "careful_ln", x)


def careful_ln(to: Instructions, x: str) -> str:
    """Natural logarithm of any number."""
    return ln_special(to, x, _ln(to, *_split(to, x)))


def _ln(to: Instructions, k: str, m: str) -> str:
    """Natural logarithm of 2**k m with m = 1 + f, s = f / (2 + f).

    ln(1 + f) = f - f**2 / 2 + s (f**2 / 2 + a series in s**2).
    """
    f = to.subtract(m, to.number(1.0))
    s = to.divide(f, to.add(m, to.number(1.0)))
    z = to.multiply(s, s)
    half_square = to.multiply(to.multiply(f, to.number(0.5)), f)
    series = to.fused(z, to.polynomial(z, LN_COEFFICIENTS), half_square)
    low = to.fused(s, series, to.multiply(k, to.number(LN2_LOW)))
    return to.fused(k, to.number(LN2_HIGH), to.subtract(f, to.subtract(half_square, low)))


def ln_special(to: Instructions, x: str, value: str) -> str:
    """A logarithm that is right for positive finite numbers, made right for all."""
    value = to.choose(to.compare("olt", x, to.number(math.inf)), value, x)
    value = to.choose(to.compare("oeq", x, to.number(0.0)), to.number(-math.inf), value)
    return to.choose(to.compare("olt", x, to.number(0.0)), to.number(math.nan), value)


def _log2(to: Instructions, k: str, m: str) -> tuple[str, str]:
    """Logarithm to base 2 of 2**k m as the sum of two, relative error below 2**-65.

    log2(2**k m) = k + p (1 + T p**2 + p**4 S(p**2)) with p = C (m - 1) / (m + 1), C = 2 / ln 2, T = 1 / (3 C**2). What
    rounding loses of p, T p**2 and the sums is kept; the sums are such that the difference to the larger term is exact.
    """
    one = to.number(1.0)
    f = to.subtract(m, one)
    d = to.add(m, one)
    d_low = to.subtract(m, to.subtract(d, one))
    scale = to.number(TWO_OVER_LN2_HIGH)
    g = to.multiply(f, scale)
    g_low = to.fused(f, to.number(TWO_OVER_LN2_LOW), to.fused(f, scale, to.negative(g)))
    reciprocal = to.divide(one, d)
    p = to.multiply(g, reciprocal)
    minus_p = to.negative(p)
    p_low = to.multiply(to.add(to.fused(minus_p, d, g), to.fused(minus_p, d_low, g_low)), reciprocal)
    z = to.multiply(p, p)
    z_low = to.fused(p, p, to.negative(z))
    third = to.number(THIRD_HIGH)
    w = to.multiply(z, third)
    w_low = to.fused(z_low, third, to.fused(z, to.number(THIRD_LOW), to.fused(z, third, to.negative(w))))
    # The derivative of the whole, 1 + 3 T p**2 + 5 S p**4, carries p_low; a line in p**2 is near enough.
    slope = to.multiply(z, to.number(POWER_SLOPE))
    low = to.fused(p, w_low, to.fused(p_low, slope, p_low))
    start = to.fused(p, w, p)
    low = to.add(low, to.fused(p, w, to.subtract(p, start)))
    high = to.add(k, start)
    low = to.add(low, to.add(to.subtract(k, high), start))
    fifth = to.multiply(p, to.multiply(z, z))
    series = to.polynomial(z, POWER_COEFFICIENTS)
    total = to.fused(fifth, series, high)
    return total, to.add(low, to.fused(fifth, series, to.subtract(high, total)))


def power(to: Instructions, x: str, y: str) -> str:
    """Power where every base is a normal positive number and no result is out of range; else `careful_power`."""
    begin_plain(to, x)
    product, shifted, less_one = _exp2_less_one(to, y, *_log2(to, *split_normal(to, x, to.number(EXCESS))))
    scale = power_of_two(to, to.to_bits(shifted))
    value = to.fused(less_one, scale, scale)
    inside = to.compare("olt", to.intrinsic("fabs", product), to.number(EXP2_NORMAL))
    to.branch(to.every(inside), "end", "careful")
    return end_plain(to, value, "careful_power", x, y)


def careful_power(to: Instructions, x: str, y: str) -> str:
    """Power: 2**(y log2 abs(x)) with the logarithm in twice the precision, then signs and special cases as in C."""
    magnitude = to.intrinsic("fabs", x)
    high, low = _log2(to, *_split(to, magnitude))
    high = log2_special(to, magnitude, high)
    return power_special(to, x, y, _exp2_of_product(to, y, high, low))


def log2_special(to: Instructions, magnitude: str, value: str) -> str:
    """A logarithm that is right for positive finite numbers, made right for all that are not negative."""
    value = to.choose(to.compare("olt", magnitude, to.number(math.inf)), value, magnitude)
    return to.choose(to.compare("oeq", magnitude, to.number(0.0)), to.number(-math.inf), value)


def power_special(to: Instructions, x: str, y: str, value: str) -> str:
    """A power of abs(x), right unless x is one or y is zero or endless, made right for all."""
    magnitude, zero, one = to.intrinsic("fabs", x), to.number(0.0), to.number(1.0)
    certain = to.either(to.compare("oeq", magnitude, one), to.compare("oeq", y, zero))
    value = to.choose(certain, one, value)
    broken = to.compare("une", to.intrinsic("trunc", y), y)
    half = to.multiply(y, to.number(0.5))
    odd = to.compare("une", to.intrinsic("trunc", half), half)
    sign = to.integers("and", to.to_bits(x), to.bits(SIGN))
    sign = to.choose_bits(odd, sign, to.bits(0))
    signed = to.from_bits(to.integers("or", to.to_bits(value), sign))
    # For a broken exponent the sign is dropped, or the base is negative and there is no value.
    value = to.choose(broken, value, signed)
    finite = to.compare("olt", magnitude, to.number(math.inf))
    undefined = to.both(to.both(to.compare("olt", x, zero), finite), broken)
    return to.choose(undefined, to.number(math.nan), value)


def _exp2_less_one(to: Instructions, y: str, high: str, low: str) -> tuple[str, str, str]:
    """Of y (high + low) = n + r: its first part, ROUNDER + n, which has n in its low bits, and 2**r - 1."""
    rounder, slope = to.number(ROUNDER), to.number(LN2_HIGH)
    product = to.multiply(y, high)
    correction = to.fused(y, low, to.fused(y, high, to.negative(product)))
    shifted = to.add(product, rounder)
    near = to.subtract(product, to.subtract(shifted, rounder))
    rest = to.add(near, correction)
    tail = to.polynomial(rest, EXP2_COEFFICIENTS)
    less_one = to.fused(near, slope, to.fused(to.multiply(rest, rest), tail, to.multiply(correction, slope)))
    return product, shifted, less_one


def _exp2_of_product(to: Instructions, y: str, high: str, low: str) -> str:
    """2**(y (high + low)); infinite and zero beyond the range, also where ``high`` is infinite."""
    _, shifted, less_one = _exp2_less_one(to, y, high, low)
    first, second = _powers(to, shifted)
    value = to.multiply(to.fused(less_one, first, first), second)
    value = to.choose(to.compare("ogt", shifted, to.number(ROUNDER + EXP2_HIGHEST)), to.number(math.inf), value)
    return to.choose(to.compare("olt", shifted, to.number(ROUNDER + EXP2_LOWEST)), to.number(0.0), value)
