"""Exponential, logarithm and power for results in single precision: computed in double precision with short series.

Arguments and results are double precision numbers; the caller widens and rounds. Their relative error is below 2**-30,
so that rounding gives the nearest single precision number, but for one in thousands that lies near the middle of two.
"""

from pysd_runner.engine.llvm.elementary import (
    EXCESS,
    LN2_HIGH,
    LOG2_E,
    ROUNDER,
    begin_plain,
    end_plain,
    ln_special,
    numbers,
    power_of_two,
    split_normal,
)
from pysd_runner.engine.llvm.emitter import Value
from pysd_runner.engine.llvm.instructions import Instructions
from pysd_runner.engine.llvm.powers import log2_special, power_special

# (exp(r) - 1 - r) / r**2 for |r| <= ln(2) / 2; exp has the relative error 2**-34.2.
EXP_COEFFICIENTS = numbers(
    "0x1.0000003a2396dp-1 0x1.555554433df51p-3 0x1.55548dc462aefp-5 0x1.111270b0c1f3fp-7 0x1.6d8d06fcbbd67p-10 "
    "0x1.9f0898db50285p-13"
)
# (2**r - 1) / r for |r| <= 1/2; 2**r has the relative error 2**-34.3.
EXP2_COEFFICIENTS = numbers(
    "0x1.62e42ff0e18fdp-1 0x1.ebfbe0778d1c5p-3 0x1.c6b08ac06d81ep-5 0x1.3b29f397d165cp-7 0x1.5d8a85f97cbcdp-10 "
    "0x1.445c887fbbc0ep-13 0x1.fde60b67f1d73p-17"
)
# 2 (artanh(s) / s - 1) / s**2 in s**2 for |s| <= 0.1716; the logarithm has the relative error 2**-37.6.
LN_COEFFICIENTS = numbers("0x1.555554fd9a650p-1 0x1.999a7a8f63c78p-2 0x1.2438d66c24e00p-2 0x1.e2f6915d07969p-3")
# The same over ln(2).
LOG2_COEFFICIENTS = numbers("0x1.ec709d450ed99p-1 0x1.277767553a463p-1 0x1.a59656c8dbed0p-2 0x1.5c625fd43ff6cp-2")

# Beyond these, results are infinite or zero in single precision and still normal numbers in double precision.
EXP_LOWEST, EXP_HIGHEST = -105.0, 90.0
EXP2_LOWEST, EXP2_HIGHEST = -152.0, 130.0


def exp(to: Instructions, x: Value) -> Value:
    """Exponential: n = round(x / ln 2), r = x - n ln 2, exp(x) = 2**n exp(r)."""
    x = to.clamp(x, EXP_LOWEST, EXP_HIGHEST)
    rounder = to.number(ROUNDER)
    shifted = to.fused(x, to.number(LOG2_E), rounder)
    rest = to.fused(to.subtract(shifted, rounder), to.number(-LN2_HIGH), x)
    less_one = to.fused(to.multiply(rest, rest), to.polynomial(rest, EXP_COEFFICIENTS), rest)
    return _scaled(to, less_one, shifted)


def _scaled(to: Instructions, less_one: Value, shifted: Value) -> Value:
    """2**n times one more than a number; n stands in the low bits of ``shifted``."""
    scale = power_of_two(to, to.to_bits(shifted))
    return to.fused(less_one, scale, scale)


def _series(to: Instructions, m: Value, coefficients: tuple[float, ...], first: float) -> Value:
    """A logarithm of m near one: first * s + s**3 * series in s**2, with s = (m - 1) / (m + 1)."""
    one = to.number(1.0)
    s = to.divide(to.subtract(m, one), to.add(m, one))
    z = to.multiply(s, s)
    return to.multiply(s, to.fused(z, to.polynomial(z, coefficients), to.number(first)))


def ln(to: Instructions, x: Value) -> Value:
    """Natural logarithm where every argument is a positive number; else `careful_ln`."""
    begin_plain(to, x)
    value = _ln(to, x)
    to.jump("end")
    return end_plain(to, value, "careful_ln_single", x)


def careful_ln(to: Instructions, x: Value) -> Value:
    """Natural logarithm of any number."""
    return ln_special(to, x, _ln(to, x))


def _ln(to: Instructions, x: Value) -> Value:
    k, m = split_normal(to, x, to.number(EXCESS))
    return to.fused(k, to.number(LN2_HIGH), _series(to, m, LN_COEFFICIENTS, 2.0))


def power(to: Instructions, x: Value, y: Value) -> Value:
    """Power where every base is a positive number; else `careful_power`."""
    begin_plain(to, x)
    product = to.multiply(y, _log2(to, x))
    value = _exp2(to, product)
    to.branch(to.every(to.compare("ord", product, product)), "end", "careful")
    return end_plain(to, value, "careful_power_single", x, y)


def careful_power(to: Instructions, x: Value, y: Value) -> Value:
    """Power: 2**(y log2 abs(x)), then signs and special cases as in C."""
    magnitude = to.intrinsic("fabs", x)
    logarithm = log2_special(to, magnitude, _log2(to, magnitude))
    return power_special(to, x, y, _exp2(to, to.multiply(y, logarithm)))


def _log2(to: Instructions, x: Value) -> Value:
    k, m = split_normal(to, x, to.number(EXCESS))
    return to.add(k, _series(to, m, LOG2_COEFFICIENTS, 2 * LOG2_E))


def _exp2(to: Instructions, x: Value) -> Value:
    product = to.clamp(x, EXP2_LOWEST, EXP2_HIGHEST)
    rounder = to.number(ROUNDER)
    shifted = to.add(product, rounder)
    rest = to.subtract(product, to.subtract(shifted, rounder))
    return _scaled(to, to.multiply(rest, to.polynomial(rest, EXP2_COEFFICIENTS)), shifted)
