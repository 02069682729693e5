"""Hoist loop-invariant expressions out of the steps of a run; find divisions that must be rounded exactly."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise

from pysd_runner.engine.ir import (
    ArrayFunction,
    Expression,
    Interpolation,
    Number,
    Operation,
    Random,
    Reduction,
    Reference,
    Table,
    Time,
    operation,
    walk,
)
from pysd_runner.engine.llvm.schedule import Temporaries
from pysd_runner.engine.passes.order import Plan


class Hoisting:
    """Replaces expressions that are constant during a run by temporaries."""

    def __init__(
        self, invariant: frozenset[str], temporaries: Temporaries, exact: frozenset[Expression] = frozenset()
    ) -> None:
        self.invariant = invariant
        self.temporaries = temporaries
        self.exact = exact
        self.found: dict[Expression, Reference] = {}  # temporary of each hoisted expression, in order of evaluation

    def of(self, expression: Expression) -> Expression:
        """An expression with its constant parts replaced by temporaries."""
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
        """Replace division by a constant denominator by products, which are much cheaper."""
        numerator, denominator = expression.arguments
        if expression not in self.exact:
            # The product differs from the quotient by at most one unit in the last place.
            inverse = self.of(1.0 / denominator)
            return self.of(numerator) * inverse
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
    """Whether a value costs more to compute than to load."""
    if isinstance(expression, Reference | Number | Table):
        return False
    # The compiler folds expressions of literal numbers.
    return any(isinstance(part, Reference | Table) for part in walk(expression))


# Operations that are discontinuous in their arguments, or whose domain ends at a number other than zero.
JUMPS = frozenset(
    {
        *("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"),
        *("integer", "quantum", "modulo", "remainder"),
        *("arcsin", "arccos"),
    }
)

# Positions of arguments for which only zero is critical: conditions, and arguments whose domain ends at zero. The
# denominators of ratios have a jump at a small number.
AT_ZERO = {"where": (0,), "and": (0, 1), "or": (0, 1), "not": (0,), "sqrt": (0,), "ln": (0,), "power": (0,)}
SMALL_DENOMINATORS = {"xidz": (1,)}

# Operations whose result is zero, or changes sign, only where one of the arguments does, whatever the rounding.
KEEPS_SIGN = frozenset({"multiply", "divide", "negative", "abs", "sqrt", "min", "max", "known_max"})

# Maximum distance of two points of a table, relative to their x, that counts as a jump.
JUMP_DISTANCE = 1e-9

# Interpolation modes with jumps.
STEPS = frozenset({"hold_backward", "look_forward", "raw"})


def deciding_divisions(plan: Plan) -> frozenset[Expression]:
    """Divisions on which a discontinuity depends, directly or through variables and stocks."""
    # Where only the sign matters, a division is included only if it is a term of a sum: a quotient by itself is zero if
    # its numerator is.
    return _Search(plan).found()


class _Search:
    """Searches from discontinuities to the divisions they depend on; visits every variable at most twice."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.divisions: set[Expression] = set()
        self.seen: set[tuple[str, bool]] = set()
        # Expressions to search, and whether only their sign matters.
        self.waiting = list(_deciding(part for name in plan.used for part in self._expressions(name)))

    def found(self) -> frozenset[Expression]:
        """All divisions found."""
        while self.waiting:
            self._go_through(*self.waiting.pop())
        return frozenset(self.divisions)

    def _go_through(self, expression: Expression, only_sign: bool) -> None:
        if isinstance(expression, Reference):
            self._follow(expression.variable, only_sign)
            return
        if only_sign and isinstance(expression, Operation) and expression.name in KEEPS_SIGN:
            self.waiting += [(part, True) for part in expression.arguments]
            return
        for part in walk(expression):
            if isinstance(part, Operation) and part.name == "divide":
                self.divisions.add(part)
            if isinstance(part, Reference):
                self._follow(part.variable, False)

    def _follow(self, name: str, only_sign: bool) -> None:
        # A stock is the sum of its flows, so not only their signs matter.
        only_sign = only_sign and self.plan.model.variables[name].kind == "auxiliary"
        if (name, only_sign) not in self.seen and (name, False) not in self.seen:
            self.seen.add((name, only_sign))
            self.waiting += [(part, only_sign) for part in self._expressions(name)]

    def _expressions(self, name: str) -> Iterator[Expression]:
        for block in self.plan.model.variables[name].blocks:
            yield from block.parts


def _deciding(expressions: Iterable[Expression]) -> Iterator[tuple[Expression, bool]]:
    """Arguments of discontinuous operations, and whether only their sign matters."""
    for expression in expressions:
        for part in walk(expression):
            if isinstance(part, Operation):
                yield from _arguments(part)
            elif isinstance(part, ArrayFunction):
                yield from ((item, False) for item in part.arguments)
            elif isinstance(part, Interpolation) and _jumps(part):
                yield part.argument, False


def _arguments(part: Operation) -> Iterator[tuple[Expression, bool]]:
    if part.name in JUMPS:
        yield from ((item, False) for item in part.arguments)
    for place in SMALL_DENOMINATORS.get(part.name, ()):
        yield part.arguments[place], False
    for place in AT_ZERO.get(part.name, ()):
        yield part.arguments[place], True


def _jumps(table: Interpolation) -> bool:
    """Whether a table has jumps: by its mode, or at two points with almost the same x."""
    return table.mode in STEPS or any(
        right - left <= JUMP_DISTANCE * max(abs(left), abs(right))
        for first in range(0, len(table.x), table.points)
        for left, right in pairwise(table.x[first : first + table.points])
    )
