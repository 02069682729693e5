"""Missing values, ``:NA:``, in comparisons and maxima: less than every number there, as in Vensim; elsewhere NaN.

Only expressions that can be missing are rewritten, so that a number that is NaN for another reason, such as 0/0, is not
taken for a missing one where nothing can be missing.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

from pysd_runner.engine.ir import (
    Expression,
    Interpolation,
    ModelIr,
    Number,
    Operation,
    Reduction,
    Reference,
    Table,
    Variable,
    children,
    operation,
    references,
    users_of,
    with_children,
    with_parts,
)
from pysd_runner.engine.kinds import Flags
from pysd_runner.engine.passes.elements import defined, first_undefined

# The number that stands for a missing value in Vensim.
LEAST = Number(-(2.0**109))

TRUTHS = frozenset({"less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "and", "or", "not"})

# An expression, and whether its value can be missing.
Found = tuple[Expression, bool]


def with_missing_as_least(model: ModelIr) -> ModelIr:
    """Rewrite comparisons and maxima whose arguments can be missing; a model without missing values stays the same."""
    rewriting = Rewriting.of_model(model)
    variables = {name: with_parts(item, lambda part: rewriting.of(part)[0]) for name, item in model.variables.items()}
    return replace(model, variables=variables)


def _parts(variable: Variable) -> list[Expression]:
    return [part for block in variable.blocks for part in block.parts]


class Rewriting:
    """Rewrites expressions of a model, knowing which of its variables can be missing."""

    def __init__(self, missing: set[str], gaps: Mapping[str, Flags]) -> None:
        self.missing, self.gaps = missing, gaps  # variables that can be missing, and cells that no equation defines

    @classmethod
    def of_model(cls, model: ModelIr) -> "Rewriting":
        """Find the variables of a model that can be missing."""
        variables = {name: item for name, item in model.variables.items() if item.kind not in ("control", "lookup")}
        found = cls(set(), {name: ~known for name in variables if not (known := defined(model, name)).all()})
        users = users_of({name: set().union(*map(references, _parts(item))) for name, item in variables.items()})
        waiting = list(variables)
        while waiting:
            name = waiting.pop()
            if name not in found.missing and any(found.of(part)[1] for part in _parts(variables[name])):
                found.missing.add(name)
                waiting += [user for user in users.get(name, ()) if user not in found.missing]
        return found

    def of(self, expression: Expression, present: frozenset[Expression] = frozenset()) -> Found:
        """Rewrite an expression, used where some others are present; and say whether its value can be missing."""
        if present and expression in present:
            return self.of(expression)[0], False
        if isinstance(expression, Operation) and expression.name == "where":
            return self._choice(expression, present)
        found = [self.of(part, present) for part in children(expression)]
        parts, can = [part for part, _ in found], any(part for _, part in found)
        if isinstance(expression, Operation) and expression.name in TRUTHS:
            return _comparison(expression, found), False
        if can and isinstance(expression, Operation) and expression.name == "max":
            return _larger(expression, parts), all(part for _, part in found)
        if can and isinstance(expression, Reduction) and expression.name == "largest":
            largest = replace(expression, argument=operation("known_max", parts[0], LEAST))
            return operation("where", largest > LEAST, largest, math.nan), True
        return with_children(expression, parts), can or self._begins(expression)

    def _begins(self, expression: Expression) -> bool:
        """Whether an expression can be missing although none of its parts is."""
        if isinstance(expression, Reference):
            gaps = self.gaps.get(expression.variable)
            return expression.variable in self.missing or (gaps is not None and bool(first_undefined(gaps, expression)))
        if isinstance(expression, Interpolation):
            return expression.mode == "raw" or any(map(math.isnan, expression.y))
        if isinstance(expression, Table):
            return any(map(math.isnan, expression.values))
        return _is_nan(expression)

    def _choice(self, node: Operation, present: frozenset[Expression]) -> Found:
        """A choice; where its condition asks whether an expression is missing, one branch is used only if it is not."""
        condition, first, second = node.arguments
        asked = _asked_for(condition)
        known = present if asked is None else present | {asked}
        equal = isinstance(condition, Operation) and condition.name == "equal"
        found = [
            self.of(condition, present),
            self.of(first, known if equal else present),
            self.of(second, present if equal else known),
        ]
        return with_children(node, [part for part, _ in found]), found[1][1] or found[2][1]


def _is_nan(expression: Expression) -> bool:
    return isinstance(expression, Number) and math.isnan(expression.value)


def _larger(node: Operation, parts: list[Expression]) -> Expression:
    """The larger of two expressions, of which at least one can be missing."""
    known = [part for part in parts if not _is_nan(part)]
    if len(known) < 2:
        return (known or parts)[0]
    return replace(node, name="known_max", arguments=tuple(parts))


def _asked_for(condition: Expression) -> Expression | None:
    """The expression of which a condition asks whether it is missing, by comparing it with itself; None for others."""
    if isinstance(condition, Operation) and condition.name in ("equal", "not_equal"):
        first, second = condition.arguments
        return first if first == second else None
    return None


def _comparison(node: Operation, found: list[Found]) -> Expression:
    cans = [can for _, can in found]
    is_equality = node.name in ("equal", "not_equal")
    least = any(cans) and node.name not in ("and", "or", "not") and _asked_for(node) is None
    if is_equality and not all(cans):
        least = False
    parts = [operation("known_max", part, LEAST) if least and can else part for part, can in found]
    return with_children(node, parts)
