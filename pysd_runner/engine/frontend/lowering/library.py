"""Functions of Vensim and Stella that are made of others."""

import math
from collections.abc import Callable

from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.function_table import operation, time_step
from pysd_runner.engine.ir import Expression, Number, Time

Build = Callable[..., Expression]

ONE, ZERO = Number(1.0), Number(0.0)

# Lanczos (1964) with g = 7 and nine coefficients, good to about 1e-15 for arguments above 1/2.
_LANCZOS = (
    0.99999999999980993,
    676.5203681218851,
    -1259.1392167224028,
    771.32342877765313,
    -176.61502916214059,
    12.507343278686905,
    -0.13857109526572012,
    9.9843695780195716e-6,
    1.5056327351493116e-7,
)


def floor(value: Expression) -> Expression:
    """INT of XMILE: the next whole number at or below."""
    cut = operation("integer", value)
    return operation("subtract", cut, operation("where", operation("greater", cut, value), ONE, ZERO))


def rounded(value: Expression) -> Expression:
    """ROUND: the nearest whole number, halves away from zero."""
    half = operation("where", operation("less", value, ZERO), Number(-0.5), Number(0.5))
    return operation("integer", operation("add", value, half))


def root(value: Expression, order: Expression) -> Expression:
    """ROOTN: ``value^(1 / order)``."""
    return operation("power", value, operation("divide", ONE, order))


def logarithm10(value: Expression) -> Expression:
    """LOG10."""
    return operation("divide", operation("ln", value), Number(math.log(10.0)))


def percent(value: Expression) -> Expression:
    """PERCENT: a fraction in hundredths."""
    return operation("multiply", value, Number(100.0))


def wave(name: str) -> Build:
    """SINWAVE and COSWAVE: ``amplitude * sin(2 pi time / period)``."""

    def build(amplitude: Expression, period: Expression) -> Expression:
        angle = operation("divide", operation("multiply", Number(2.0 * math.pi), Time()), period)
        return operation("multiply", amplitude, operation(name, angle))

    return build


def log_gamma(value: Expression) -> Expression:
    """GAMMA LN: the logarithm of the gamma function, for arguments above zero."""
    # ln G(x) = ln G(x + 1) - ln x brings every argument above 1/2.
    series: Expression = Number(_LANCZOS[0])
    for place, factor in enumerate(_LANCZOS[1:]):
        term = operation("divide", Number(factor), operation("add", value, Number(float(place + 1))))
        series = operation("add", series, term)
    shifted = operation("add", value, Number(7.5))
    first = operation("multiply", operation("add", value, Number(0.5)), operation("ln", shifted))
    start = operation("subtract", operation("add", first, Number(0.5 * math.log(2.0 * math.pi))), shifted)
    return operation("subtract", operation("add", start, operation("ln", series)), operation("ln", value))


def factorial(value: Expression) -> Expression:
    """FACTORIAL of a whole number."""
    return rounded(operation("exp", log_gamma(operation("add", value, ONE))))


def permutations(count: Expression, chosen: Expression) -> Expression:
    """PERMUTATIONS: ways to choose some of several things in order, ``n! / (n - r)!``."""
    rest = operation("add", operation("subtract", count, chosen), ONE)
    ways = operation("exp", operation("subtract", log_gamma(operation("add", count, ONE)), log_gamma(rest)))
    return operation("where", operation("less", rest, ONE), ZERO, rounded(ways))


def combinations(count: Expression, chosen: Expression) -> Expression:
    """COMBINATIONS: ways to choose some of several things, ``n! / (r! (n - r)!)``."""
    every = permutations(count, chosen)
    return rounded(operation("divide", every, factorial(chosen)))


def net_present_value(
    scope: Scope, stream: Expression, rate: Expression, initial: Expression, factor: Expression
) -> Expression:
    """NPV: what a stream of payments has been worth, each discounted by what the rates before it compound to."""
    discount = scope.hide("stock", ZERO, ONE, over=(rate,))
    grown = operation("add", ONE, operation("multiply", rate, time_step()))
    loss = operation("divide", operation("multiply", operation("negative", discount), rate), grown)
    scope.replace_hidden(discount, loss)
    worth = scope.hide("stock", operation("multiply", stream, discount), initial)
    now = operation("multiply", operation("multiply", stream, time_step()), discount)
    return operation("multiply", operation("add", worth, now), factor)


def if_missing(value: Expression, otherwise: Expression) -> Expression:
    """X IF MISSING: a value, or another where it is missing."""
    return operation("where", operation("equal", value, value), value, otherwise)


def previous(scope: Scope, value: Expression, initial: Expression) -> Expression:
    """PREVIOUS: the value one step ago."""
    return scope.hide("memory", value, initial)
