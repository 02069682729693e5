"""Finds the divisions whose last bit may decide something, such as which whole number a value is cut to."""

from collections.abc import Iterable, Iterator

from pysd_runner.engine.ir import Expression, Interpolation, Operation, Reference, walk
from pysd_runner.engine.order import Plan

# Operations whose result jumps with their arguments.
JUMPS = frozenset(
    {
        *("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"),
        *("integer", "quantum", "modulo", "remainder"),
    }
)

# Tables that jump with their argument.
STEPS = frozenset({"hold_backward", "look_forward", "raw"})


def deciding_divisions(plan: Plan) -> frozenset[Expression]:
    """Divisions that what jumps depends on, at once or through variables and levels.

    Parameters
    ----------
    plan
        What is computed.

    Returns
    -------
    frozenset of Expression
        Operations ``divide``.
    """
    waiting = list(_arguments_of_jumps(part for name in plan.used for part in _expressions(plan, name)))
    seen: set[str] = set()
    found: set[Expression] = set()
    while waiting:
        for part in walk(waiting.pop()):
            if isinstance(part, Operation) and part.name == "divide":
                found.add(part)
            if isinstance(part, Reference) and part.variable not in seen:
                seen.add(part.variable)
                waiting += _expressions(plan, part.variable)
    return frozenset(found)


def _expressions(plan: Plan, name: str) -> Iterator[Expression]:
    for block in plan.model.variables[name].blocks:
        yield from (part for part in (block.expression, block.initial, block.delay) if part is not None)


def _arguments_of_jumps(expressions: Iterable[Expression]) -> Iterator[Expression]:
    for expression in expressions:
        for part in walk(expression):
            if isinstance(part, Operation) and part.name in JUMPS:
                yield from part.arguments
            if isinstance(part, Interpolation) and part.mode in STEPS:
                yield part.argument
