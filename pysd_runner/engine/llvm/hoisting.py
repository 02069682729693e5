"""Takes out of the step what does not change while a run goes on: computed once instead of at every step."""

from collections.abc import Mapping
from dataclasses import replace

from pysd_runner.engine.function_table import operation
from pysd_runner.engine.ir import (
    Expression,
    Interpolation,
    Number,
    Operation,
    Random,
    Reduction,
    Reference,
    Table,
    Time,
    walk,
)
from pysd_runner.engine.llvm.items import Temporaries


class Hoisting:
    """Finds what is the same at every step and gives it a name."""

    def __init__(
        self, invariant: frozenset[str], temporaries: Temporaries, exact: frozenset[Expression] = frozenset()
    ) -> None:
        self.invariant = invariant
        self.temporaries = temporaries
        self.exact = exact
        self.found: dict[Expression, Reference] = {}

    @property
    def hoisted(self) -> Mapping[Reference, Expression]:
        """What each new name stands for, in an order in which it can be computed."""
        return {reference: expression for expression, reference in self.found.items()}

    def of(self, expression: Expression) -> Expression:
        """The expression with what never changes replaced by names."""
        if self._still(expression):
            return self._named(expression) if _worth_it(expression) else expression
        if isinstance(expression, Operation):
            return self._operation(expression)
        if isinstance(expression, Reduction | Interpolation):
            return replace(expression, argument=self.of(expression.argument))
        return expression

    def _operation(self, expression: Operation) -> Expression:
        if expression.name == "divide" and self._still(expression.arguments[1]):
            return self._division(expression)
        return replace(expression, arguments=tuple(self.of(part) for part in expression.arguments))

    def _division(self, expression: Operation) -> Expression:
        """A division by what never changes: products, which cost a fraction of it."""
        numerator, denominator = expression.arguments
        if expression not in self.exact:
            # A product differs from the quotient by a unit in the last place at most.
            inverse = self.of(operation("divide", Number(1.0), denominator))
            return operation("multiply", self.of(numerator), inverse)
        if isinstance(denominator, Number):
            return replace(expression, arguments=(self.of(numerator), denominator))
        parts = [self.of(operation(name, denominator)) for name in ("inverse_below", "inverse_lacks")]
        return operation("quotient", self.of(numerator), *parts)

    def _still(self, expression: Expression) -> bool:
        return all(self._part_is_still(part) for part in walk(expression))

    def _part_is_still(self, part: Expression) -> bool:
        if isinstance(part, Reference):
            return part.variable in self.invariant
        return not isinstance(part, Time | Random)

    def _named(self, expression: Expression) -> Expression:
        if expression not in self.found:
            self.found[expression] = self.temporaries.new(expression.axes)
        return self.found[expression]


def _worth_it(expression: Expression) -> bool:
    """Whether a value costs more to compute than to look up."""
    if isinstance(expression, Reference | Number | Table):
        return False
    # The compiler folds what is made of numbers alone.
    return any(isinstance(part, Reference | Table) for part in walk(expression))
