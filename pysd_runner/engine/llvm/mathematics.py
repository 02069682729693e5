"""Text of LLVM functions on vectors for the mathematical functions of models.

Exponential, logarithm and power are implemented here (`elementary`, `power`); less frequent functions call the C
library lane by lane. Results do not depend on the number of lanes. Processors
without fused multiply-add give the same results, but more slowly.
"""

import math
from collections.abc import Callable, Iterable, Mapping

from pysd_runner.engine.llvm import elementary
from pysd_runner.engine.llvm.elementary import (
    EXPONENT_ONE,
    LOG2_E,
    SMALLEST_NORMAL,
    end_plain,
    log2_special,
    normal_positive,
    numbers,
    power_of_two,
    power_special,
)
from pysd_runner.engine.llvm.emitter import (
    PLACES,
    Instructions,
    Types,
    Value,
    bits_of,
    float_of,
    function_name,
    vector_type,
)

# Power is 2**(y log2 x), with short tables, which AVX-512 keeps in registers, instead of a division. The logarithm is a
# sum of two numbers, in double-double precision; special cases follow IEEE 754. Vectors of ordinary arguments and
# results take a fast path; vectors with a special case or a result near the limits of the range are passed to the
# careful function. Both agree where both apply. The error is below 0.85 units in the last place; for bases from 0.95 to
# 1.1 whose power is beyond 1e90 or below 1e-90, below 1.6. Coefficients and tables were computed with 60 digits.

LOG2_E_LOW = float.fromhex("0x1.777d0ffda0d24p-56")

# Approximate inverses, in 64ths, of numbers m in the sixteen intervals of [63/64, 2). They have few enough bits for
# r = m times the inverse minus 1 to be exact; r is between -0.0335 and 0.0323.
INVERSES = (64, 60, 57, 54, 51, 49, 46, 44, 43, 41, 39, 38, 37, 35, 34, 33)
# Adding this to the bits of a number leaves the interval in the first four mantissa bits; numbers near 2 carry.
TO_PART = 31 * 2**42
# -log2 of `INVERSES` / 64 in multiples of 2**-40, so that adding an integer is exact, and the remainder.
LOGS_HIGH = numbers(
    "0x0.0p+0 0x1.7d60496d00000p-4 0x1.563dc29ff8000p-3 0x1.f5fd8a9060000p-3 0x1.4f6fbb2cec000p-2 "
    "0x1.8a8980abfc000p-2 0x1.e7df5fe538000p-2 0x1.14c560fe68000p-1 0x1.25c0a0463c000p-1 0x1.48eef19318000p-1 "
    "0x1.6ddfc2a790000p-1 0x1.810fa51bf6000p-1 0x1.94c287492c000p-1 0x1.bdce9dcc96000p-1 0x1.d338120a6e000p-1 "
    "0x1.e9452c8a72000p-1"
)
LOGS_LOW = numbers(
    "0x0.0p+0 -0x1.12ce6312ebb82p-42 0x1.6590643906f2ap-42 0x1.f1a4847f7b278p-42 0x1.661e393a16b95p-44 "
    "-0x1.66cccab240e90p-45 0x1.5669df6a2b592p-43 0x1.5f101c141e670p-42 -0x1.50520a377c7ecp-45 -0x1.9bcaf1aa4168ap-43 "
    "-0x1.ce60916e52e91p-44 0x1.7f5dc57266758p-43 0x1.36c101ee13440p-43 0x1.871a7610e40bdp-45 -0x1.3167ccc538261p-44 "
    "-0x1.fb0e626c0de13p-42"
)
# (ln(1 + r) - r + r**2 / 2) / r**3 for r of `INVERSES`; the logarithm has the relative error 2**-67.2.
LOG_COEFFICIENTS = numbers(
    "0x1.5555555555556p-2 -0x1.ffffffffffe45p-3 0x1.999999999683ap-3 -0x1.555555587f275p-3 0x1.2492494f5d095p-3 "
    "-0x1.ffffc28435fcep-4 0x1.c71aa7ed9a562p-4 -0x1.9a8db5349d57ap-4 0x1.77e3b91b2d2ebp-4"
)

# 2**(i/16), rounded, and its relative rounding error.
ROOTS = numbers(
    "0x1.0000000000000p+0 0x1.0b5586cf9890fp+0 0x1.172b83c7d517bp+0 0x1.2387a6e756238p+0 0x1.306fe0a31b715p+0 "
    "0x1.3dea64c123422p+0 0x1.4bfdad5362a27p+0 0x1.5ab07dd485429p+0 0x1.6a09e667f3bcdp+0 0x1.7a11473eb0187p+0 "
    "0x1.8ace5422aa0dbp+0 0x1.9c49182a3f090p+0 0x1.ae89f995ad3adp+0 0x1.c199bdd85529cp+0 0x1.d5818dcfba487p+0 "
    "0x1.ea4afa2a490dap+0"
)
ROOTS_LOW = numbers(
    "0x0.0p+0 0x1.79aa65d837b6dp-54 -0x1.01b15eaa59348p-55 0x1.68efde3a8a894p-54 0x1.34d754db0abb6p-55 "
    "0x1.59f48a72a4c6dp-55 0x1.690cebb7aafb0p-56 0x1.063e1e21c5409p-54 -0x1.3b3efbf5e2228p-54 -0x1.b32dcb94da51dp-56 "
    "0x1.db72fc1f0eab4p-55 0x1.1affc2b91ce27p-56 0x1.c1a7792cb3387p-55 0x1.36eae30af0cb3p-56 0x1.4a385a63d07a7p-56 "
    "-0x1.ff7128fd391f0p-55"
)
# (2**r - 1) / r for |r| <= 1/32, with ln(2), rounded, as the first; 2**r has the error 2**-56.2.
EXP2_COEFFICIENTS = numbers(
    "0x1.62e42fefa39efp-1 0x1.ebfbdff82c598p-3 0x1.c6b08d6f42843p-5 0x1.3b2ab6fac120bp-7 0x1.5d897b745b832p-10 "
    "0x1.430a80ff09e70p-13"
)

# Adding this to a number below 2**47 leaves the number, rounded to sixteenths, in the low bits.
ROUNDER = 1.5 * 2.0**48
EXPONENT = 2047 * 2**52
# Excess of the exponent that is extracted from the bits of a number.
EXCESS = 2.0**52 + 1023

# Arguments beyond which 2**x is infinite or rounds to zero.
HIGHEST, LOWEST = 1025.0, -1100.0
# Magnitude of the argument below which 2**x is a normal number.
NORMAL = 1021.0


def power(to: Instructions, x: Value, y: Value) -> Value:
    """Power where all bases are normal and positive and all results in range; otherwise calls `careful_power`."""
    to.label("plain")
    whole, shifted, less_one = _exp2_less_one(to, y, *_log2(to, x, to.number(EXCESS)))
    scale = _root(to, shifted, to.to_bits(shifted) << 48)
    value = to.fused(less_one, scale, scale)
    inside = to.intrinsic("fabs", whole) < NORMAL
    to.branch(to.every(normal_positive(to, x) & inside), "end", "careful")
    return end_plain(to, value, "careful_power", x, y)


def careful_power(to: Instructions, x: Value, y: Value) -> Value:
    """Power: 2**(y log2 abs(x)) with a double-double logarithm, then signs and special cases as in C."""
    magnitude = to.intrinsic("fabs", x)
    small = magnitude < SMALLEST_NORMAL
    normal = to.select(small, magnitude * 2.0**54, magnitude)
    high, low = _log2(to, normal, to.select(small, EXCESS + 54, EXCESS))
    high = log2_special(to, magnitude, high)
    return power_special(to, x, y, _exp2_of_product(to, y, high, low))


def _log2(to: Instructions, x: Value, excess: Value) -> tuple[Value, Value]:
    """Logarithm to base 2 of a normal positive number as a sum of two numbers; meaningless for others."""
    # x = 2**k m, m c = 1 + r, log2(x) = k - log2(c) + log2(e) (r - r**2 / 2 + r**3 P(r)) with k too large by
    # ``excess``. Rounding errors of the first two terms in r, of the product and of the sum are added: the relative
    # error is below 2**-62.5, and below 2**-65 except for x from 0.95 to 1.1.
    bits = to.to_bits(x)
    part = bits + TO_PART
    mantissa = bits - (part & EXPONENT)
    m = to.from_bits(mantissa + EXPONENT_ONE)
    place = part >> 48
    exponent = part >> 52 | bits_of(2.0**52)
    k = to.from_bits(exponent) - excess
    r = _less_one(to, m, to.pick("inverses", [item / 64 for item in INVERSES], place))
    square = r * r
    ln, ln_low = _less_half_square(to, r, square)
    ln_low = to.fused(square * r, to.polynomial(r, LOG_COEFFICIENTS), ln_low)
    scale = to.number(LOG2_E)
    near = ln * scale
    low = to.fused(ln, LOG2_E_LOW, to.pick("logs_low", LOGS_LOW, place))
    low = to.fused(ln_low, scale, low) + to.lost(ln, scale, near)
    # The first is zero or the larger of the two, so that the rounding error of their sum is computed exactly.
    far = k + to.pick("logs_high", LOGS_HIGH, place)
    high = far + near
    return high, low + (far - high + near)


def _less_one(to: Instructions, m: Value, inverse: Value) -> Value:
    """A number times one of the inverses, minus one, exact."""
    if to.fuses:
        return to.fused(m, inverse, -1.0)
    high, low = to.halves(m)
    return to.fused(low, inverse, to.fused(high, inverse, -1.0))


def _less_half_square(to: Instructions, r: Value, square: Value) -> tuple[Value, Value]:
    """The rounded value of r - r**2 / 2, and its rounding error."""
    minus_half = r * -0.5
    value = to.fused(minus_half, r, r)
    if to.fuses:
        return value, to.fused(minus_half, r, r - value)
    lost = to.lost(r, r, square) * -0.5
    return value, to.fused(square, -0.5, r - value) + lost


def _exp2_less_one(to: Instructions, y: Value, high: Value, low: Value) -> tuple[Value, Value, Value]:
    """For y (high + low) = n / 16 + r: n / 16, n / 16 + ROUNDER, and 2**r - 1 plus the error of the root."""
    rounder = to.number(ROUNDER)
    shifted = to.fused(y, high + low, rounder)
    whole = shifted - rounder
    rest = to.fused(y, low, _product_less(to, y, high, whole))
    lacking = to.pick("roots_low", ROOTS_LOW, to.to_bits(shifted))
    return whole, shifted, to.fused(rest, to.polynomial(rest, EXP2_COEFFICIENTS), lacking)


def _product_less(to: Instructions, y: Value, high: Value, whole: Value) -> Value:
    """A product minus a number close to it, without rounding error of the product."""
    if to.fuses:
        return to.fused(y, high, -whole)
    product = y * high
    return product - whole + to.lost(y, high, product)


def _root(to: Instructions, shifted: Value, exponent: Value) -> Value:
    """2**(n / 16) for n in the low bits of ``shifted``; ``exponent`` has n, or n modulo 16, in its first 16 bits."""
    less = [bits_of(value) - (place << 48) for place, value in enumerate(ROOTS)]
    root = to.pick("roots", [float_of(item) for item in less], to.to_bits(shifted))
    return to.from_bits(to.to_bits(root) + exponent)


def _exp2_of_product(to: Instructions, y: Value, high: Value, low: Value) -> Value:
    """2**(y (high + low)); infinite or zero outside the range, also where ``high`` is infinite."""
    # Multiplying by two powers of two, one after the other, rounds subnormal results only once.
    _, shifted, less_one = _exp2_less_one(to, y, high, low)
    bits = to.to_bits(shifted)
    sixteenths = (bits & PLACES - 1) << 48
    whole = bits >> 4
    half = whole >> 1
    first = _root(to, shifted, sixteenths) * power_of_two(to, half)
    second = power_of_two(to, whole - half)
    value = to.fused(less_one, first, first) * second
    value = to.select(shifted > ROUNDER + HIGHEST, math.inf, value)
    return to.select(shifted < ROUNDER + LOWEST, 0.0, value)


# Name in models -> name in the C library.
C_LIBRARY = {
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "sinh": "sinh",
    "cosh": "cosh",
    "tanh": "tanh",
    "erfc": "erfc",
}


def _remainder(to: Instructions, value: Value, base: Value) -> Value:
    """Remainder; the C library is only called where the integer part of the quotient is not exact."""
    if not to.fuses:
        return _careful_remainder(to, value, base)
    to.label("plain")
    quotient = to.intrinsic("trunc", value / base)
    rest = to.fused(-quotient, base, value)
    signed = _with_sign_of(to, rest, base)
    small = to.intrinsic("fabs", quotient) < 2.0**52
    to.branch(to.every(small & rest.compare("ord", rest)), "end", "careful")
    return elementary.end_plain(to, signed, "careful_remainder", value, base)


def _careful_remainder(to: Instructions, value: Value, base: Value) -> Value:
    return _with_sign_of(to, to.binary("frem", value, base), base)


def _with_sign_of(to: Instructions, rest: Value, base: Value) -> Value:
    """Give a remainder the sign of the base, by adding the base where signs differ; of zeros only the sign is set."""
    zero = to.number(0.0)
    opposite = to.intrinsic("copysign", 1.0, base) * rest < zero
    moved = to.select(opposite, rest + base, rest)
    return to.select(rest.compare("oeq", zero), to.intrinsic("copysign", zero, base), moved)


_Body = Callable[..., Value]
_BODIES: dict[str, _Body] = {"exp": elementary.exp, "ln": elementary.ln, "power": power, "remainder": _remainder}

# As measured, calls of long functions cost less time than inlining them, which adds to compilation and run time; a
# single exponential is better inlined. Loops over lanes must not be inlined, so that they free their stack memory.
_INLINING = {"exp": '"function-inline-cost-multiplier"="4"', **dict.fromkeys(["ln", "power", *C_LIBRARY], "noinline")}

# Functions that are only called by other functions here, and rarely.
_HELPERS: dict[str, _Body] = {
    "careful_exp": elementary.careful_exp,
    "careful_ln": elementary.careful_ln,
    "careful_power": careful_power,
    "careful_remainder": _careful_remainder,
}

FUNCTIONS: Mapping[str, int] = dict.fromkeys((*_BODIES, *C_LIBRARY), 1) | {"power": 2, "remainder": 2}
"""Number of arguments of every function."""


def declarations(
    functions: Iterable[tuple[str, int]], declared: Iterable[str] = (), *, permutes: bool = False, fused: bool = True
) -> str:
    """Definitions of functions and of all functions they call, each once."""
    texts: dict[str, str] = {}
    waiting = list(functions)
    while waiting:
        function, lanes = waiting.pop()
        text, called, externals = _written(function, lanes, permutes, fused)
        texts[function_name(function, lanes)] = text
        texts |= externals
        waiting += [item for item in called if function_name(*item) not in texts]
    known = frozenset(declared)
    return "\n".join(texts[name] for name in sorted(texts) if name not in known)


_Called = list[tuple[str, int]]
_Written = tuple[str, _Called, dict[str, str]]


def _written(function: str, lanes: int, permutes: bool = False, fused: bool = True) -> _Written:
    """Definition of a function, the functions it calls, and the declarations it needs by name."""
    if function in C_LIBRARY:
        return _lane_by_lane(function, lanes)
    to = Instructions(Types(lanes, permutes, fused), "r")
    result = (_BODIES | _HELPERS)[function](to, *map(to.argument, _arguments(function)))
    text = _definition(function, lanes, [*to.lines[0], f"ret {vector_type(lanes)} {result.name}"])
    return text, list(to.functions), to.intrinsics


def _arguments(function: str) -> list[str]:
    return [f"%a{place}" for place in range(FUNCTIONS[function.removeprefix("careful_")])]


def _attributes(function: str) -> str:
    if function in _HELPERS:
        return "nounwind noinline cold"
    return f"nounwind {_INLINING.get(function, '')}".rstrip()


def _definition(function: str, lanes: int, lines: list[str]) -> str:
    kind = vector_type(lanes)
    arguments = ", ".join(f"{kind} {item}" for item in _arguments(function))
    head = f"define internal {kind} {function_name(function, lanes)}({arguments}) {_attributes(function)} {{"
    return "\n".join([head, *lines, "}", ""])


def _lane_by_lane(function: str, lanes: int) -> _Written:
    external = f"@{C_LIBRARY[function]}"
    declaration = {external: f"declare double {external}(double) nounwind"}
    if lanes == 1:
        lines = [f"%value = call double {external}(double %a0)", "ret double %value"]
        return _definition(function, lanes, lines), [], declaration
    kind = vector_type(lanes)
    lines = [
        "start:",
        f"%room = alloca {kind}",
        f"store {kind} %a0, ptr %room",
        "br label %each",
        "each:",
        "%lane = phi i64 [0, %start], [%next, %each]",
        "%place = getelementptr double, ptr %room, i64 %lane",
        "%argument = load double, ptr %place",
        f"%value = call double {external}(double %argument)",
        "store double %value, ptr %place",
        "%next = add i64 %lane, 1",
        f"%more = icmp ult i64 %next, {lanes}",
        "br i1 %more, label %each, label %end",
        "end:",
        f"%result = load {kind}, ptr %room",
        f"ret {kind} %result",
    ]
    return _definition(function, lanes, lines), [], declaration
