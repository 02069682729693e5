"""Share common subexpressions of equations as hidden variables, so that they are computed once."""

from collections import Counter
from collections.abc import Iterable, Mapping

from pysd_runner.engine.ir import (
    HIDDEN,
    ArrayFunction,
    Axis,
    Block,
    Expression,
    Index,
    Interpolation,
    ModelIr,
    Number,
    Operation,
    Random,
    Reduction,
    Reference,
    Table,
    Time,
    Variable,
    children,
    hidden_variable,
    is_whole,
    reference_to,
    relabelled,
    walk,
    with_children,
)

# Approximate cost of operations in additions; expressions below `LEAST_COST` are cheaper to repeat than to store.
COSTS = {
    "divide": 6,
    "sqrt": 8,
    "exp": 20,
    "ln": 20,
    "power": 40,
    "xidz": 8,
    "remainder": 8,
    "modulo": 12,
    "quantum": 10,
}
FUNCTION_COST = 20
LEAST_COST = 2


def cost(expression: Expression) -> int:
    """Approximate cost of an expression in additions."""
    return sum(_own_cost(part) for part in walk(expression))


def _own_cost(part: Expression) -> int:
    if isinstance(part, Operation):
        trigonometric = part.name.startswith(("sin", "cos", "tan", "arc"))
        return FUNCTION_COST if trigonometric else COSTS.get(part.name, 1)
    return FUNCTION_COST if isinstance(part, Reduction | Interpolation | ArrayFunction | Random) else 0


def twin_range(label: str, ranges: dict[str, tuple[str, ...]]) -> str:
    """Add a copy of a range, for expressions that need two axes over it, and return its name."""
    bare = label.removesuffix("!")
    name = f"{bare}{HIDDEN}twin"
    ranges[name] = ranges[bare]
    return name


def only_block(variable: Variable) -> Block | None:
    """The only block of an auxiliary, if it covers the whole variable and has no separate initial expression."""
    if variable.kind != "auxiliary" or len(variable.blocks) != 1:
        return None
    block = variable.blocks[0]
    return block if is_whole(block.index) and block.initial is None else None


class Shared:
    """Hidden variables of a model, by the expression they contain."""

    def __init__(self, model: ModelIr, still: Iterable[str]) -> None:
        self.added: dict[str, Variable] = {}
        self.ranges: dict[str, tuple[str, ...]] = dict(model.ranges)
        self.still = set(still)
        self._known: dict[Expression, Reference] = {}
        self._counts: Counter[Expression] = Counter()

    def remember(self, variable: Variable) -> None:
        """Reuse a variable wherever its expression occurs, if a single block defines it."""
        block = only_block(variable)
        if block is None:
            return
        if set(block.expression.axes) == set(block.axes) and cost(block.expression):
            self._known.setdefault(block.expression, Reference(variable.name, block.index))

    def lift(self, expression: Expression, owner: str, what: str) -> Reference:
        """A reference to a hidden variable for an expression, created if there is none yet."""
        names = self._plain_labels(expression)
        inner = relabelled(expression, names)
        if inner not in self._known:
            name = f"{owner}{HIDDEN}{what} {len(self.added) + 1}"
            self._known[inner] = reference_to(name, inner.axes)
            block = Block(self._known[inner].index, inner, None, f"{what} {len(self.added) + 1}, from {owner}")
            self.added[name] = hidden_variable(name, "auxiliary", inner.axes, block)
            if self.is_still(inner):
                self.still.add(name)
        found = self._known[inner]
        old = {new: label for label, new in names.items()}
        return Reference(found.variable, tuple(_named(item, old) for item in found.index))

    def _plain_labels(self, expression: Expression) -> dict[str, str]:
        """New axis labels for an expression as a variable: reduced axes lose their ``!`` or get a copy of the range."""
        names: dict[str, str] = {}
        for label in expression.axes:
            bare = label.removesuffix("!")
            if bare != label and bare in expression.axes:
                bare = twin_range(label, self.ranges)
            names[label] = bare
        return names

    def is_still(self, expression: Expression) -> bool:
        """Whether an expression is constant during a run."""
        return not any(
            isinstance(part, Time | Random) or (isinstance(part, Reference) and part.variable not in self.still)
            for part in walk(expression)
        )

    def count(self, expression: Expression) -> None:
        """Count the uses of an expression and of its subexpressions."""
        self._counts[expression] += 1
        if self._counts[expression] == 1:
            for child in children(expression):
                self.count(child)

    def equation(self, expression: Expression, owner: str) -> Expression:
        """An equation in which shared subexpressions are replaced by references."""
        if self._counts[expression] > 1 and expression not in self._known and cost(expression) >= LEAST_COST:
            return self._rewritten(expression, owner, hoist=False)
        return with_children(expression, [self._rewritten(part, owner, hoist=False) for part in children(expression)])

    def slope(self, expression: Expression, owner: str) -> Expression:
        """A number or a reference for a partial derivative, lifted to a hidden variable if necessary."""
        if isinstance(expression, Number | Reference):
            return expression
        found = self._rewritten(expression, owner, hoist=True)
        return found if isinstance(found, Number | Reference) else self.lift(found, owner, "slope")

    def condition(self, expression: Expression, owner: str) -> Expression:
        """A condition, lifted to a hidden variable if it costs more than a comparison."""
        return expression if cost(expression) < LEAST_COST else self.slope(expression, owner)

    def _rewritten(self, expression: Expression, owner: str, *, hoist: bool) -> Expression:
        if isinstance(expression, Number | Reference | Table | Time):
            return expression
        if expression in self._known:
            return self._known[expression]
        parts = [self._rewritten(part, owner, hoist=hoist) for part in children(expression)]
        if hoist and not self.is_still(expression):
            parts = [self._hoisted(part, owner) for part in parts]
        rebuilt = with_children(expression, parts)
        if self._counts[expression] > 1 and cost(expression) >= LEAST_COST:
            found = self.lift(rebuilt, owner, "part")
            self._known.setdefault(expression, found)
            return found
        return rebuilt

    def _hoisted(self, part: Expression, owner: str) -> Expression:
        """Lift a constant subexpression, so that it is computed once instead of at every step."""
        if isinstance(part, Number | Reference | Table) or not self.is_still(part):
            return part
        return self.lift(part, owner, "constant")


def _named(item: Index, old: Mapping[str, str]) -> Index:
    return Axis(old.get(item.label, item.label)) if isinstance(item, Axis) else item
