"""Partial derivatives of the element-wise operations, as one table by the name of the operation.

At kinks derivatives are one-sided: where both arguments of a minimum or maximum are equal the first one is used, the
absolute value has derivative 1 at zero, and a choice uses the active branch. Step functions have derivative zero.
"""

import math
from collections.abc import Callable

from pysd_runner.engine.errors import UnsupportedFeature
from pysd_runner.engine.ir import SMALL, Expression, Number, Operation, operation
from pysd_runner.engine.kinds import frozen

ZERO, ONE = Number(0.0), Number(1.0)


@frozen
class Part:
    """Partial derivative of an operation with respect to one of its arguments."""

    argument: Expression
    slope: Expression  # the partial derivative
    infinite: bool = False


@frozen
class Branches:
    """Partial derivatives where a condition holds, and where it does not."""

    condition: Expression
    first: tuple[Part, ...]
    second: tuple[Part, ...]


Slopes = tuple[Part, ...] | Branches


@frozen
class Rule:
    """Rule for the differentiation of an operation; arguments are given by position."""

    slopes: Callable[[Operation], Slopes]  # partial derivatives with respect to the arguments
    moving: tuple[int, ...] | None = None  # arguments whose derivative can be non-zero, None for all
    infinite: tuple[int, ...] = ()  # arguments whose derivative can be infinite


def plus(left: Expression, right: Expression) -> Expression:
    """Simplified sum of two expressions."""
    if left == ZERO:
        return right
    if right == ZERO:
        return left
    if isinstance(left, Number) and isinstance(right, Number):
        return Number(left.value + right.value)
    if isinstance(right, Operation) and right.name == "negative":
        return left - right.arguments[0]
    return left + right


def negative(value: Expression) -> Expression:
    """An expression with its sign reversed."""
    if isinstance(value, Number):
        return Number(-value.value)
    if isinstance(value, Operation) and value.name == "negative":
        return value.arguments[0]
    return -value


def unsigned(slope: Expression) -> tuple[bool, Expression]:
    """Split off a leading minus sign: whether there is one, and the rest; of numbers, only -1 is split."""
    if isinstance(slope, Operation) and slope.name == "negative":
        return True, slope.arguments[0]
    return (True, ONE) if slope == Number(-1.0) else (False, slope)


def times(left: Expression, right: Expression) -> Expression:
    """Simplified product of two expressions, with the sign in front."""
    for one, other in ((left, right), (right, left)):
        if one in (ZERO, ONE):
            return one if one == ZERO else other
        if one == Number(-1.0):
            return negative(other)
        if isinstance(one, Operation) and one.name == "negative":
            return negative(times(one.arguments[0], other))
    if isinstance(left, Number) and isinstance(right, Number):
        return Number(left.value * right.value)
    return left * right


def where(condition: Expression, first: Expression, second: Expression) -> Expression:
    """A choice between two expressions, simplified where they are equal."""
    return first if first == second else operation("where", condition, first, second)


def reciprocal(value: Expression) -> Expression:
    """Reciprocal of an expression."""
    return Number(1 / value.value) if isinstance(value, Number) and value.value else ONE / value


def _one(slope: Callable[[Operation, Expression], Expression], *, infinite: bool = False) -> Rule:
    """Rule for a function of one argument; `slope` computes the derivative from the result and the argument."""
    return Rule(
        lambda node: (Part(node.arguments[0], slope(node, node.arguments[0]), infinite),),
        infinite=(0,) if infinite else (),
    )


_FLAT = Rule(lambda _node: (), moving=())


def _multiply(node: Operation) -> Slopes:
    left, right = node.arguments
    return Part(left, right), Part(right, left)


def _quotient(result: Expression, numerator: Expression, denominator: Expression) -> tuple[Part, ...]:
    inverse = reciprocal(denominator)
    return Part(numerator, inverse), Part(denominator, negative(times(result, inverse)))


def _power(node: Operation) -> Slopes:
    base, exponent = node.arguments
    at_zero = operation("equal", base, ZERO)
    # 0^b does not depend on b, except for the jump at b = 0.
    upward = where(at_zero, ZERO, times(node, operation("ln", base)))
    return Part(base, _power_slope(node, base, exponent), _is_steep(exponent)), Part(exponent, upward)


def _is_steep(exponent: Expression) -> bool:
    """Whether the derivative of a power may be infinite at zero."""
    return not isinstance(exponent, Number) or (0 < exponent.value < 1)


def _power_slope(node: Operation, base: Expression, exponent: Expression) -> Expression:
    """``b a^(b - 1)``, computed from the power as ``b a^b / a``, with separate values at zero."""
    usual = times(times(exponent, node), ONE / base)
    at_zero = operation("equal", base, ZERO)
    if isinstance(exponent, Number):
        plain = {0.0: ZERO, 1.0: ONE, 2.0: times(Number(2.0), base)}
        if exponent.value in plain:
            return plain[exponent.value]
        steep: Expression = Number(math.copysign(math.inf, exponent.value))
        return where(at_zero, steep if exponent.value < 1 else ZERO, usual)
    falling = where(exponent < ZERO, Number(-math.inf), Number(math.inf))
    steep = where(operation("equal", exponent, ZERO), ZERO, falling)
    flat = where(operation("equal", exponent, ONE), ONE, ZERO)
    return where(at_zero, where(exponent < ONE, steep, flat), usual)


def _where(node: Operation) -> Slopes:
    condition, first, second = node.arguments
    return Branches(condition, (Part(first, ONE),), (Part(second, ONE),))


def _picked(comparison: str) -> Rule:
    """Rule for a minimum or maximum: the first argument where the comparison holds, otherwise the second."""

    def slopes(node: Operation) -> Slopes:
        first, second = node.arguments
        return Branches(operation(comparison, first, second), (Part(first, ONE),), (Part(second, ONE),))

    return Rule(slopes)


def _known_max(node: Operation) -> Slopes:
    first, second = node.arguments
    larger = operation("where", operation("equal", second, second), first >= second, ONE)
    return Branches(larger, (Part(first, ONE),), (Part(second, ONE),))


def _xidz(node: Operation) -> Slopes:
    numerator, denominator, otherwise = node.arguments
    tiny = operation("abs", denominator) < SMALL
    return Branches(tiny, (Part(otherwise, ONE),), _quotient(node, numerator, denominator))


def _quantum(node: Operation) -> Slopes:
    value, base = node.arguments
    steps = operation("integer", value / base)
    return Branches(base < SMALL, (Part(value, ONE),), (Part(base, steps),))


def _modulo(node: Operation) -> Slopes:
    value, base = node.arguments
    steps = operation("integer", value / base)
    return Branches(base < SMALL, (), (Part(value, ONE), Part(base, negative(steps))))


def _remainder(node: Operation) -> Slopes:
    value, base = node.arguments
    steps = (value - node) / base
    return Part(value, ONE), Part(base, negative(steps))


def _square(value: Expression) -> Expression:
    return value * value


def _arc(_node: Operation, argument: Expression) -> Expression:
    inside = (ONE - argument) * (ONE + argument)
    return reciprocal(operation("sqrt", inside))


def _erfc(_node: Operation, argument: Expression) -> Expression:
    return times(Number(-2 / math.sqrt(math.pi)), operation("exp", negative(_square(argument))))


# Differentiation rule by operation; every operation of the engines has an entry.
RULES: dict[str, Rule] = {
    "add": Rule(lambda node: tuple(Part(argument, ONE) for argument in node.arguments)),
    "subtract": Rule(lambda node: (Part(node.arguments[0], ONE), Part(node.arguments[1], Number(-1.0)))),
    "multiply": Rule(_multiply),
    "divide": Rule(lambda node: _quotient(node, *node.arguments)),
    "negative": _one(lambda _node, _argument: Number(-1.0)),
    "power": Rule(_power, infinite=(0,)),
    "where": Rule(_where, moving=(1, 2)),
    "min": _picked("less_equal"),
    "max": _picked("greater_equal"),
    "known_max": Rule(_known_max),
    "abs": _one(lambda _node, argument: where(argument >= ZERO, ONE, Number(-1.0))),
    "exp": _one(lambda node, _argument: node),
    "erfc": _one(_erfc),
    "ln": _one(lambda _node, argument: reciprocal(argument)),
    "sqrt": _one(lambda node, _argument: 0.5 / node, infinite=True),
    "sin": _one(lambda _node, argument: operation("cos", argument)),
    "cos": _one(lambda _node, argument: negative(operation("sin", argument))),
    "tan": _one(lambda node, _argument: ONE + _square(node)),
    "arcsin": _one(_arc, infinite=True),
    "arccos": _one(lambda node, argument: negative(_arc(node, argument)), infinite=True),
    "arctan": _one(lambda _node, argument: reciprocal(ONE + _square(argument))),
    "sinh": _one(lambda _node, argument: operation("cosh", argument)),
    "cosh": _one(lambda _node, argument: operation("sinh", argument)),
    "tanh": _one(lambda _node, argument: reciprocal(_square(operation("cosh", argument)))),
    "xidz": Rule(_xidz),
    "quantum": Rule(_quantum),
    "modulo": Rule(_modulo),
    "remainder": Rule(_remainder),
    **dict.fromkeys(("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"), _FLAT),
    **dict.fromkeys(("and", "or", "not", "integer"), _FLAT),
}


def rule_of(node: Operation) -> Rule:
    """The differentiation rule of an operation."""
    if node.name not in RULES:
        raise UnsupportedFeature("derivative of {name!r}", name=node.name)
    return RULES[node.name]
