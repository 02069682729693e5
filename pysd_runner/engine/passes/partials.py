"""How each element-wise operation is differentiated: one table, from its name to the slopes of its arguments.

At a kink the derivative is one-sided: where both arguments of a least or largest value are equal the first one counts,
the absolute value has slope 1 at zero, and a choice follows the branch that is taken. What jumps has slope zero.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from pysd_runner.engine.errors import UnsupportedFeature
from pysd_runner.engine.ir import SMALL, Expression, Number, Operation, operation

ZERO, ONE = Number(0.0), Number(1.0)


@dataclass(frozen=True, slots=True)
class Part:
    """Slope of an operation in one of its arguments."""

    argument: Expression
    slope: Expression  # derivative of the operation with respect to it
    infinite: bool = False


@dataclass(frozen=True, slots=True)
class Branches:
    """Slopes where a condition holds, and where it does not."""

    condition: Expression
    first: tuple[Part, ...]
    second: tuple[Part, ...]


Slopes = tuple[Part, ...] | Branches


@dataclass(frozen=True, slots=True)
class Rule:
    """How an operation is differentiated."""

    slopes: Callable[[Operation], Slopes]  # from the operation to the slopes of its arguments
    moving: tuple[int, ...] | None = None  # positions of the arguments that can have a slope, None for all
    infinite: tuple[int, ...] = ()  # positions of the arguments whose slope can be infinite


def plus(left: Expression, right: Expression) -> Expression:
    """Sum of two slopes."""
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
    """A slope with the other sign."""
    if isinstance(value, Number):
        return Number(-value.value)
    if isinstance(value, Operation) and value.name == "negative":
        return value.arguments[0]
    return -value


def unsigned(slope: Expression) -> tuple[bool, Expression]:
    """Whether a slope is subtracted, and its size; a number keeps its sign unless it is minus one."""
    if isinstance(slope, Operation) and slope.name == "negative":
        return True, slope.arguments[0]
    return (True, ONE) if slope == Number(-1.0) else (False, slope)


def times(left: Expression, right: Expression) -> Expression:
    """Product of two slopes, signs in front."""
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
    """One of two slopes."""
    return first if first == second else operation("where", condition, first, second)


def reciprocal(value: Expression) -> Expression:
    """One over a value."""
    return Number(1 / value.value) if isinstance(value, Number) and value.value else ONE / value


def _one(slope: Callable[[Operation, Expression], Expression], *, infinite: bool = False) -> Rule:
    """A function of one argument; its slope from the result and the argument."""
    return Rule(
        lambda node: (Part(node.arguments[0], slope(node, node.arguments[0]), infinite),),
        infinite=(0,) if infinite else (),
    )


def _flat() -> Rule:
    return Rule(lambda _node: (), moving=())


def _multiply(node: Operation) -> Slopes:
    left, right = node.arguments
    return Part(left, right), Part(right, left)


def _divide(node: Operation) -> Slopes:
    return _quotient(node, *node.arguments)


def _quotient(result: Expression, numerator: Expression, denominator: Expression) -> tuple[Part, ...]:
    inverse = reciprocal(denominator)
    return Part(numerator, inverse), Part(denominator, negative(times(result, inverse)))


def _power(node: Operation) -> Slopes:
    base, exponent = node.arguments
    at_zero = operation("equal", base, ZERO)
    # 0^b does not move with b, except where it jumps at b = 0.
    upward = where(at_zero, ZERO, times(node, operation("ln", base)))
    return Part(base, _power_slope(node, base, exponent), _is_steep(exponent)), Part(exponent, upward)


def _is_steep(exponent: Expression) -> bool:
    """Whether a power may rise without bound at zero."""
    return not isinstance(exponent, Number) or (0 < exponent.value < 1)


def _power_slope(node: Operation, base: Expression, exponent: Expression) -> Expression:
    """``b a^(b - 1)`` from the power itself, as ``b a^b / a``, which says nothing at zero."""
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
    """The first argument where it compares so with the second, else the second."""

    def slopes(node: Operation) -> Slopes:
        first, second = node.arguments
        return Branches(operation(comparison, first, second), (Part(first, ONE),), (Part(second, ONE),))

    return Rule(slopes)


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


def _arc(node: Operation, argument: Expression) -> Expression:
    del node
    inside = (ONE - argument) * (ONE + argument)
    return reciprocal(operation("sqrt", inside))


def _erfc(node: Operation, argument: Expression) -> Expression:
    del node
    return times(Number(-2 / math.sqrt(math.pi)), operation("exp", negative(_square(argument))))


# Operation -> how it is differentiated; one entry for every operation of the targets.
RULES: dict[str, Rule] = {
    "add": Rule(lambda node: tuple(Part(argument, ONE) for argument in node.arguments)),
    "subtract": Rule(lambda node: (Part(node.arguments[0], ONE), Part(node.arguments[1], Number(-1.0)))),
    "multiply": Rule(_multiply),
    "divide": Rule(_divide),
    "negative": _one(lambda _node, _argument: Number(-1.0)),
    "power": Rule(_power, infinite=(0,)),
    "where": Rule(_where, moving=(1, 2)),
    "min": _picked("less_equal"),
    "max": _picked("greater_equal"),
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
    **{name: _flat() for name in ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")},
    **{name: _flat() for name in ("and", "or", "not", "integer")},
}


def rule_of(node: Operation) -> Rule:
    """How an operation is differentiated."""
    if node.name not in RULES:
        raise UnsupportedFeature(f"derivative of {node.name!r}")
    return RULES[node.name]
