"""Text of LLVM functions on vectors for the mathematical functions of models.

Exponential, logarithm and power are implemented here (`elementary`, `powers`); less frequent functions call the C
library lane by lane. Results do not depend on the number of lanes. Single precision results are computed in double
precision and rounded. Processors without fused multiply-add give the same results, but more slowly.
"""

from collections.abc import Callable, Iterable, Mapping

from pysd_runner.engine.llvm import elementary, powers
from pysd_runner.engine.llvm.emitter import Instructions, Types, Value, function_name, vector_type

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
_BODIES: dict[str, tuple[int, _Body]] = {
    "exp": (1, elementary.exp),
    "ln": (1, elementary.ln),
    "power": (2, powers.power),
    "remainder": (2, _remainder),
}

# As measured, calls of long functions cost less time than inlining them, which adds to compilation and run time; a
# single exponential is better inlined. Loops over lanes must not be inlined, so that they free their stack memory.
_INLINING = {
    "exp": '"function-inline-cost-multiplier"="4"',
    **dict.fromkeys(["ln", "power", *C_LIBRARY], "noinline"),
}

# Functions that are only called by other functions here, and rarely.
_HELPERS: dict[str, tuple[int, _Body]] = {
    "careful_exp": (1, elementary.careful_exp),
    "careful_ln": (1, elementary.careful_ln),
    "careful_ln_single": (1, elementary.careful_ln_single),
    "careful_power": (2, powers.careful_power),
    "careful_power_single": (2, elementary.careful_power_single),
    "careful_remainder": (2, _careful_remainder),
}

# Shorter implementations for single precision results.
_SHORT: dict[str, _Body] = {"exp": elementary.exp_single, "ln": elementary.ln_single, "power": elementary.power_single}

FUNCTIONS: Mapping[str, int] = {name: count for name, (count, _) in _BODIES.items()} | dict.fromkeys(C_LIBRARY, 1)
"""Number of arguments of every function."""


def declarations(
    functions: Iterable[tuple[str, int, str]],
    declared: Iterable[str] = (),
    *,
    permutes: bool = False,
    fused: bool = True,
) -> str:
    """Definitions of functions and of all functions they call, each once."""
    texts: dict[str, str] = {}
    waiting = list(functions)
    while waiting:
        function, lanes, real = waiting.pop()
        text, called, externals = _written(function, lanes, real, permutes, fused)
        texts[function_name(function, lanes, real)] = text
        texts |= externals
        waiting += [item for item in called if function_name(*item) not in texts]
    known = frozenset(declared)
    return "\n".join(texts[name] for name in sorted(texts) if name not in known)


_Called = list[tuple[str, int, str]]
_Written = tuple[str, _Called, dict[str, str]]


def _written(function: str, lanes: int, real: str, permutes: bool = False, fused: bool = True) -> _Written:
    """Definition of a function, the functions it calls, and the declarations it needs by name."""
    if real == "float":
        return _in_double(function, lanes, fused)
    if function in C_LIBRARY:
        return _lane_by_lane(function, lanes)
    to = Instructions(Types(lanes, real, permutes, fused), "r")
    result = _body(function)(to, *map(to.argument, _arguments(function)))
    return _finished(function, to, real, result)


def _in_double(function: str, lanes: int, fused: bool) -> _Written:
    to = Instructions(Types(lanes, "double", fused=fused), "r")
    arguments = [to.widened(to.argument(item)) for item in _arguments(function)]
    if function in C_LIBRARY:
        result = to.result_of(function, *arguments)
    else:
        result = _SHORT.get(function, _body(function))(to, *arguments)
    return _finished(function, to, "float", to.narrowed(result))


def _finished(function: str, to: Instructions, real: str, result: Value) -> _Written:
    lanes = to.types.lanes
    text = _definition(function, lanes, real, [*to.lines[0], f"ret {vector_type(real, lanes)} {result.name}"])
    return text, list(to.functions), to.intrinsics


def _body(function: str) -> _Body:
    return (_BODIES | _HELPERS)[function][1]


def _arguments(function: str) -> list[str]:
    count = _HELPERS[function][0] if function in _HELPERS else FUNCTIONS[function]
    return [f"%a{place}" for place in range(count)]


def _attributes(function: str) -> str:
    if function in _HELPERS:
        return "nounwind noinline cold"
    return f"nounwind {_INLINING.get(function, '')}".rstrip()


def _definition(function: str, lanes: int, real: str, lines: list[str]) -> str:
    kind = vector_type(real, lanes)
    arguments = ", ".join(f"{kind} {item}" for item in _arguments(function))
    head = f"define internal {kind} {function_name(function, lanes, real)}({arguments}) {_attributes(function)} {{"
    return "\n".join([head, *lines, "}", ""])


def _lane_by_lane(function: str, lanes: int) -> _Written:
    external = f"@{C_LIBRARY[function]}"
    declaration = {external: f"declare double {external}(double) nounwind"}
    if lanes == 1:
        lines = [f"%value = call double {external}(double %a0)", "ret double %value"]
        return _definition(function, lanes, "double", lines), [], declaration
    kind = vector_type("double", lanes)
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
    return _definition(function, lanes, "double", lines), [], declaration
