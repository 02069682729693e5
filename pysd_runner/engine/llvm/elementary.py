"""Exponential, logarithm and power on vectors, without branches and tables, with every special case of IEEE 754.

The coefficients are minimax fits (Remez exchange with 60 digits, rounded), whose relative error stands beside them.
"""

import math

from pysd_runner.engine.llvm.instructions import Instructions, bits_of


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float.fromhex(item) for item in text.split())


LOG2_E = float.fromhex("0x1.71547652b82fep+0")
LN2_HIGH = float.fromhex("0x1.62e42fefa39efp-1")
LN2_LOW = float.fromhex("0x1.abc9e3b39803fp-56")
TWO_OVER_LN2_HIGH = float.fromhex("0x1.71547652b82fep+1")
TWO_OVER_LN2_LOW = float.fromhex("0x1.777d0ffda0d24p-55")
THIRD_HIGH = float.fromhex("0x1.5555555555555p-2")
THIRD_LOW = float.fromhex("0x1.5555555555555p-56")

# (exp(r) - 1 - r) / r**2 for |r| <= ln(2) / 2; exp has the relative error 2**-57.9.
EXP_COEFFICIENTS = _numbers(
    "0x1.000000000000ap-1 0x1.55555555554fap-3 0x1.555555555087dp-5 0x1.1111111127be7p-7 0x1.6c16c1842a0ffp-10 "
    "0x1.a01a012a570b6p-13 0x1.a0199a0c691c3p-16 0x1.71df2553cf019p-19 0x1.28ad72cc49578p-22 0x1.ad7f6c633011bp-26"
)
# (2**r - 1) / r for |r| <= 1/2; 2**r has the relative error 2**-58.0.
EXP2_COEFFICIENTS = _numbers(
    "0x1.62e42fefa39efp-1 0x1.ebfbdff82c5a4p-3 0x1.c6b08d7049fe8p-5 0x1.3b2ab6fba0116p-7 0x1.5d87fe78cd6edp-10 "
    "0x1.4309130ed97c5p-13 0x1.ffcbfba97a0a6p-17 0x1.62bfc79b75469p-20 0x1.b5267ce9f89c5p-24 "
    "0x1.e61b52f63b48fp-28 0x1.e79bae2792adbp-32"
)
# 2 (artanh(s) / s - 1) / s**2 in z = s**2 for |s| <= 0.1716; z times it has the error 2**-58.5.
LN_COEFFICIENTS = _numbers(
    "0x1.5555555555592p-1 0x1.999999997fda8p-2 0x1.24924941f20c0p-2 0x1.c71c520899cbdp-3 0x1.74663f11e4d75p-3 "
    "0x1.39a1b6662ff32p-3 0x1.2f05906967d4fp-3"
)
# ((artanh(s) / s - 1) / z - 1/3) / z in z = s**2 for |s| <= 0.1716; z**2 times it has the error 2**-66.3.
POWER_COEFFICIENTS = _numbers(
    "0x1.9999999999b30p-3 0x1.2492492457d98p-3 0x1.c71c722d60b20p-4 0x1.745ce9e569bddp-4 0x1.3b1eeba8d4d3ap-4 "
    "0x1.0f7ff2c0b94ebp-4 0x1.0e4255ec6acadp-4"
)

# Added to a number below 2**51, it leaves the number rounded to an integer in the low bits.
ROUNDER = 1.5 * 2.0**52
EXPONENT_ONE = bits_of(1.0)
MANTISSA = 2**52 - 1
SIGN = 2**63
SMALLEST_NORMAL = 2.0**-1022
SQRT_HALF_BITS = bits_of(math.sqrt(0.5))

# Beyond these exp is infinite or rounds to zero.
EXP_HIGHEST, EXP_LOWEST = 710.0, -746.0
EXP2_HIGHEST, EXP2_LOWEST = 1025.0, -1100.0


def exp(to: Instructions, x: str) -> str:
    """Exponential: n = round(x / ln 2), r = x - n ln 2, exp(x) = 2**n exp(r)."""
    highest, lowest = to.number(EXP_HIGHEST), to.number(EXP_LOWEST)
    x = to.choose(to.compare("ogt", x, highest), highest, x)
    x = to.choose(to.compare("olt", x, lowest), lowest, x)
    rounder = to.number(ROUNDER)
    shifted = to.fused(x, to.number(LOG2_E), rounder)
    half = to.fused(x, to.number(LOG2_E / 2), rounder)
    whole = to.subtract(shifted, rounder)
    # Exact: both terms are multiples of 2**-54 and their difference is below one half.
    rest = to.fused(whole, to.number(-LN2_HIGH), x)
    rest = to.fused(whole, to.number(-LN2_LOW), rest)
    tail = to.polynomial(rest, EXP_COEFFICIENTS)
    value = to.add(to.fused(to.multiply(rest, rest), tail, rest), to.number(1.0))
    return _scaled(to, value, shifted, half)


def _scaled(to: Instructions, value: str, shifted: str, half: str) -> str:
    """Multiply by a power of two in two steps, so that results below the smallest normal number are rounded once.

    The exponent stands in the low bits of ``shifted`` and about half of it in those of ``half``.
    """
    first = to.to_bits(half)
    second = to.integers("sub", to.to_bits(shifted), first)
    for exponent in (first, second):
        bits = to.integers("add", to.integers("shl", exponent, to.bits(52)), to.bits(EXPONENT_ONE))
        value = to.multiply(value, to.from_bits(bits))
    return value


def _split(to: Instructions, x: str) -> tuple[str, str]:
    """A positive finite number as 2**k m with m from sqrt(1/2) to sqrt(2): k and m; nonsense for others."""
    small = to.compare("olt", x, to.number(SMALLEST_NORMAL))
    x = to.choose(small, to.multiply(x, to.number(2.0**54)), x)
    # The exponent is kept 2048 too large, so that it is never negative and needs no arithmetic shift.
    shifted = to.integers("add", to.to_bits(x), to.bits(SIGN - SQRT_HALF_BITS))
    exponent = to.integers("or", to.integers("lshr", shifted, to.bits(52)), to.bits(bits_of(2.0**52)))
    excess = to.choose(small, to.number(2.0**52 + 2048 + 54), to.number(2.0**52 + 2048))
    k = to.subtract(to.from_bits(exponent), excess)
    mantissa = to.integers("add", to.integers("and", shifted, to.bits(MANTISSA)), to.bits(SQRT_HALF_BITS))
    return k, to.from_bits(mantissa)


def ln(to: Instructions, x: str) -> str:
    """Natural logarithm: x = 2**k (1 + f), s = f / (2 + f).

    ln(1 + f) = f - f**2 / 2 + s (f**2 / 2 + a series in s**2).
    """
    k, m = _split(to, x)
    f = to.subtract(m, to.number(1.0))
    s = to.divide(f, to.add(m, to.number(1.0)))
    z = to.multiply(s, s)
    half_square = to.multiply(to.multiply(f, to.number(0.5)), f)
    series = to.fused(z, to.polynomial(z, LN_COEFFICIENTS), half_square)
    low = to.fused(s, series, to.multiply(k, to.number(LN2_LOW)))
    value = to.fused(k, to.number(LN2_HIGH), to.subtract(f, to.subtract(half_square, low)))
    value = to.choose(to.compare("olt", x, to.number(math.inf)), value, x)
    value = to.choose(to.compare("oeq", x, to.number(0.0)), to.number(-math.inf), value)
    return to.choose(to.compare("olt", x, to.number(0.0)), to.number(math.nan), value)


def _log2(to: Instructions, x: str) -> tuple[str, str]:
    """Logarithm to base 2 of a positive finite number as the sum of two, relative error below 2**-65.

    log2(2**k m) = k + (2 / ln 2) s (1 + z / 3 + z**2 / 5 + ...) with s = (m - 1) / (m + 1), z = s**2.
    """
    k, m = _split(to, x)
    one = to.number(1.0)
    f = to.subtract(m, one)
    d = to.add(m, one)
    d_low = to.subtract(m, to.subtract(d, one))
    reciprocal = to.divide(one, d)
    s = to.multiply(f, reciprocal)
    minus_s = to.negative(s)
    s_low = to.multiply(to.fused(minus_s, d_low, to.fused(minus_s, d, f)), reciprocal)
    z = to.multiply(s, s)
    z_low = to.fused(to.add(s, s), s_low, to.fused(s, s, to.negative(z)))
    # 1/3 + z R(z), then w = z (1/3 + z R(z)), each as the sum of two.
    series = to.polynomial(z, POWER_COEFFICIENTS)
    third = to.number(THIRD_HIGH)
    q = to.fused(z, series, third)
    q_low = to.add(to.fused(z, series, to.subtract(third, q)), to.number(THIRD_LOW))
    w = to.multiply(z, q)
    w_low = to.fused(z_low, q, to.fused(z, q_low, to.fused(z, q, to.negative(w))))
    p = to.multiply(s, to.number(TWO_OVER_LN2_HIGH))
    p_low = to.fused(s, to.number(TWO_OVER_LN2_HIGH), to.negative(p))
    p_low = to.fused(s_low, to.number(TWO_OVER_LN2_HIGH), to.fused(s, to.number(TWO_OVER_LN2_LOW), p_low))
    # p (1 + w), and k in front: the differences of near or much larger numbers are exact.
    part = to.fused(p, w, p)
    part_low = to.fused(p, w, to.subtract(p, part))
    part_low = to.add(to.fused(p_low, w, to.fused(p, w_low, part_low)), p_low)
    high = to.add(k, part)
    low = to.add(to.add(to.subtract(k, high), part), part_low)
    return high, low


def power(to: Instructions, x: str, y: str) -> str:
    """Power: 2**(y log2 abs(x)) with the logarithm in twice the precision, then signs and special cases as in C."""
    magnitude = to.intrinsic("fabs", x)
    infinity, zero, one = to.number(math.inf), to.number(0.0), to.number(1.0)
    high, low = _log2(to, magnitude)
    finite = to.compare("olt", magnitude, infinity)
    high = to.choose(finite, high, magnitude)
    high = to.choose(to.compare("oeq", magnitude, zero), to.number(-math.inf), high)
    value = _exp2_of_product(to, y, high, low)
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
    undefined = to.both(to.both(to.compare("olt", x, zero), finite), broken)
    return to.choose(undefined, to.number(math.nan), value)


def _exp2_of_product(to: Instructions, y: str, high: str, low: str) -> str:
    """2**(y (high + low)); infinite and zero beyond the range, also where ``high`` is infinite."""
    rounder = to.number(ROUNDER)
    shifted = to.fused(y, high, rounder)
    whole = to.subtract(shifted, rounder)
    rest = to.fused(y, low, to.fused(y, high, to.negative(whole)))
    value = to.fused(rest, to.polynomial(rest, EXP2_COEFFICIENTS), to.number(1.0))
    value = _scaled(to, value, shifted, to.fused(whole, to.number(0.5), rounder))
    value = to.choose(to.compare("ogt", shifted, to.number(ROUNDER + EXP2_HIGHEST)), to.number(math.inf), value)
    return to.choose(to.compare("olt", shifted, to.number(ROUNDER + EXP2_LOWEST)), to.number(0.0), value)
