"""Forward-mode differentiation: extend a model by the derivatives of its variables with respect to parameters.

Every variable v that depends on a parameter gets a twin, its tangent, over the dimensions of v and a trailing one with
an element for each direction (parameter). The equation of the twin is ``d v = sum_j (d v / d x_j) d x_j`` over the
variables x_j in the equation of v; the partial derivatives are hidden variables over the axes of v alone, computed once
for all directions. The twin of a stock integrates the derivative of the flow. Other variables have no twin.

At kinks derivatives are one-sided, see `partials` and `linear`. Step functions (comparisons, integer parts, steps in
time) and random numbers have derivative zero.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from pysd_runner.engine.errors import InvalidInput, Message, UnsupportedFeature, suggest
from pysd_runner.engine.ir import (
    HIDDEN,
    STATEFUL,
    ArrayFunction,
    Axis,
    Block,
    Expression,
    Kind,
    ModelIr,
    Operation,
    Reference,
    Table,
    Variable,
    hidden_variable,
    joined_axes,
    operation,
    reached,
    reduced,
    reference_to,
    relabelled_reference,
    time_step,
    users_of,
    with_parts,
)
from pysd_runner.engine.kinds import frozen
from pysd_runner.engine.passes.linear import (
    Derivative,
    Factoring,
    Form,
    Setting,
    derivative_of,
    moving_references,
    prepared,
)
from pysd_runner.engine.passes.order import plan
from pysd_runner.engine.passes.partials import ONE, ZERO, unsigned
from pysd_runner.engine.passes.sharing import Shared

# Name of the range with one element for each direction, and suffix of the names of twins.
DIRECTION = f"{HIDDEN}direction"
TWIN = f"{HIDDEN}derivative"

# Version of the differentiation: increase it when the method changes, so that older cache entries are not used.
VERSION = 2

# Maximum number of terms added in sequence; longer sums are split in halves, to limit the nesting of the program.
LONG_SUM = 24

_REMEDY = Message("leave that parameter out, or take differences between runs")


@frozen
class Direction:
    """One scalar parameter of a derivative: a variable without dimensions, or one element of a variable."""

    variable: str
    position: tuple[int, ...] = ()

    @classmethod
    def of(cls, model: ModelIr, parameters: Iterable["Parameter"]) -> tuple["Direction", ...]:
        """Directions for all elements of the parameters."""
        found: list[Direction] = []
        for item in parameters:
            name, position = (item, None) if isinstance(item, str) else (item[0], tuple(item[1]))
            if name not in model.variables:
                raise InvalidInput(
                    "parameter {name!r} is not a variable of the model.{suggestion}",
                    name=name,
                    suggestion=suggest(name, model.variables),
                )
            _refuse(model.variables[name])
            shape = model.shape(model.variables[name].dims)
            places = list(np.ndindex(shape)) if position is None else [position]
            for place in places:
                if len(place) != len(shape) or any(not 0 <= at < size for at, size in zip(place, shape, strict=True)):
                    raise InvalidInput(
                        "parameter {name!r} has no element {place}; its shape is {shape}",
                        name=name,
                        place=place,
                        shape=shape,
                    )
            found += [cls(name, tuple(int(at) for at in place)) for place in places]
        twice = next((item for place, item in enumerate(found) if item in found[:place]), None)
        if twice is not None:
            raise InvalidInput("parameter {name!r} is named twice", name=twice.variable)
        return tuple(found)


@frozen
class Differentiated:
    """A model extended by derivatives."""

    model: ModelIr  # the model with tangent variables and hidden partial derivatives
    directions: tuple[Direction | None, ...]  # in the order of the last dimension of every twin
    twins: Mapping[str, str]  # name of the twin of each variable that has one; derivatives of others are zero


Parameter = str | tuple[str, Sequence[int]]


def _refuse(variable: Variable) -> None:
    if variable.kind in ("control", "lookup"):
        what = Message("time control") if variable.kind == "control" else Message("table function")
        raise UnsupportedFeature(
            "derivative with respect to {what} {name!r}: {remedy}", what=what, name=variable.name, remedy=_REMEDY
        )


def differentiated(
    model: ModelIr,
    parameters: Sequence[Parameter],
    outcomes: Sequence[str],
    given: Collection[str] = (),
    *,
    moving: frozenset[str] = frozenset(),
    seeded: Collection[str] = (),
    more: int = 0,
) -> Differentiated:
    """Extend a model by derivatives; the caller sets the tangents of `seeded` inputs, in `more` further directions."""
    if DIRECTION in model.ranges:
        raise InvalidInput("the model holds derivatives already; differentiate the original")
    directions = Direction.of(model, parameters)
    if not directions and not more:
        raise InvalidInput("name at least one parameter")
    order = plan(model, outcomes, frozenset(given), moving)
    still = {item.variable for item in order.invariant} | {name for name in given if name not in moving}
    work = _Pass(model, directions, frozenset(given), frozenset(seeded), len(directions) + more)
    variables = work.run([name for name in model.variables if name in order.used], still)
    decisive = [
        [VERSION, model.fingerprint, [[item.variable, item.position] for item in directions], more],
        [sorted(outcomes), sorted(given), sorted(moving), sorted(seeded)],
    ]
    labels = tuple(f"{number + 1}" for number in range(work.count))
    new = replace(
        model,
        ranges={**work.shared.ranges, DIRECTION: labels},
        variables=variables,
        fingerprint=hashlib.sha256(json.dumps(decisive).encode()).hexdigest(),
    )
    return Differentiated(new, directions + (None,) * more, {name: name + TWIN for name in work.dependent})


class _Pass:
    """State of the differentiation of one model."""

    def __init__(
        self, model: ModelIr, directions: Sequence[Direction], given: frozenset[str], seeded: frozenset[str], count: int
    ) -> None:
        self.model, self.directions, self.given, self.seeded, self.count = model, directions, given, seeded, count
        self.moved = {item.variable for item in directions}
        self.dependent: dict[str, None] = {}
        self._moving: dict[Expression, bool] = {}
        self._owner = ""

    def run(self, used: Sequence[str], still: Iterable[str]) -> dict[str, Variable]:
        """Variables of the model extended by derivatives."""
        self.shared = Shared(self.model, still)
        self.dependent = self._dependent(used)
        for name in used:
            if name not in self.given | self.moved:
                self.shared.remember(self.model.variables[name])
        own = [name for name in self.dependent if name not in self.given]
        old = {name: self._prepared(self.model.variables[name]) for name in own} | self.shared.added
        derivatives = {name: self._derivatives(variable) for name, variable in old.items()}
        factoring = Factoring(
            {name: item for name, item in old.items() if name not in self.moved}, derivatives, self.shared.ranges
        )
        derivatives = {
            name: {part: factoring.factored(found) for part, found in parts.items()}
            for name, parts in derivatives.items()
        }
        self._count(old.values(), derivatives.values())
        new = {name: with_parts(item, partial(self.shared.equation, owner=name)) for name, item in old.items()}
        twins = [self._twin(variable, derivatives[name]) for name, variable in old.items()]
        twins += [self._seed(name, name + TWIN) for name in self.dependent if name in self.given]
        self.dependent |= dict.fromkeys(old)
        return {**self.model.variables, **self.shared.added, **new, **{item.name: item for item in twins}}

    def _dependent(self, used: Sequence[str]) -> dict[str, None]:
        """Variables that depend on a parameter."""
        needs = {name: self._moved_by(self.model.variables[name]) for name in used if name not in self.given}
        found = reached([name for name in used if name in self.moved | self.seeded], users_of(needs))
        return {name: None for name in self.model.variables if name in found}

    def _moved_by(self, variable: Variable) -> set[str]:
        return {name for block in variable.blocks for part in block.parts for name in moving_references(part)}

    def _moves(self, expression: Expression) -> bool:
        if expression not in self._moving:
            self._moving[expression] = any(
                name in self.dependent or name in self.shared.added for name in moving_references(expression)
            )
        return self._moving[expression]

    @property
    def _setting(self) -> Setting:
        return Setting(self._moves, lambda part: self.shared.lift(part, self._owner, "part"), self.shared.ranges)

    def _prepared(self, variable: Variable) -> Variable:
        """Rewrite the equations of a variable so that they can be differentiated term by term."""
        self._owner = variable.name
        self._check(variable)
        return with_parts(variable, lambda part: prepared(part, self._setting))

    def _check(self, variable: Variable) -> None:
        if variable.kind == "control":
            raise UnsupportedFeature(
                "derivative of time control {name!r}: {remedy}", name=variable.name, remedy=_REMEDY
            )
        for block in variable.blocks:
            if block.delay is not None and self._moves(block.delay):
                owner = self.model.variables[variable.name.split(HIDDEN)[0]]
                raise UnsupportedFeature(
                    "derivative with respect to the time of the fixed delay in {name!r}, with which values "
                    "jump: {remedy}. Equation: {equation}",
                    name=owner.name,
                    remedy=_REMEDY,
                    equation=owner.equation,
                )

    def _derivatives(self, variable: Variable) -> dict[Expression, Derivative]:
        self._owner = variable.name
        setting = self._setting
        return {part: derivative_of(part, setting) for block in variable.blocks for part in _parts(block)}

    def _count(self, variables: Iterable[Variable], derivatives: Iterable[Mapping[Expression, Derivative]]) -> None:
        for variable in variables:
            for block in variable.blocks:
                for part in _parts(block):
                    self.shared.count(part)
        for item in derivatives:
            for derivative in item.values():
                for term in (derivative, *derivative.rest):
                    self._count_form(term.form)

    def _count_form(self, form: Form) -> None:
        for slope in form.slopes.values():
            self.shared.count(unsigned(slope)[1])
        for condition, first, second in form.choices:
            self.shared.count(condition)
            self._count_form(first)
            self._count_form(second)

    # Twins

    def _twin(self, variable: Variable, derivatives: Mapping[Expression, Derivative]) -> Variable:
        self._owner = variable.name
        name = variable.name + TWIN
        if variable.name in self.moved and variable.kind == "constant":
            return self._seed(variable.name, name)
        blocks = tuple(self._twin_block(variable, block, derivatives) for block in variable.blocks)
        dims = (*variable.dims, DIRECTION)
        kind: Kind = "auxiliary" if variable.kind == "constant" else variable.kind
        if any(block.non_negative for block in variable.blocks):
            # The derivative jumps where the stock is limited to zero, so its next value is computed, not its rate.
            kind = "memory"
        return hidden_variable(name, kind, dims, *blocks)

    def _twin_block(self, variable: Variable, block: Block, derivatives: Mapping[Expression, Derivative]) -> Block:
        expression = self._total(derivatives[block.expression])
        initial = None if block.initial is None else self._total(derivatives[block.initial])
        index = (*block.index, Axis(DIRECTION))
        if any(other.non_negative for other in variable.blocks):
            expression = self._stepped(variable, block, expression)
        if variable.name in self.moved:
            seed = Reference(self._shift(variable.name), index)
            initial = None if initial is None else _sum((initial, seed))
            if variable.kind not in STATEFUL:
                expression = _sum((expression, seed))
        return Block(index, expression, initial, f"derivative of {variable.name}", block.delay)

    def _stepped(self, variable: Variable, block: Block, flow: Expression) -> Expression:
        """Derivative of a stock at the next step; zero if the stock is limited to zero there."""
        step, stock = time_step(), Reference(variable.name, block.index)
        moved = _sum((_twin_of(stock), _over_directions("multiply", step, flow)))
        if not block.non_negative:
            return moved
        held = self.shared.slope(stock + step * block.expression < ZERO, variable.name)
        return _over_directions("where", held, ZERO, moved)

    def _shift(self, name: str) -> str:
        """Add a hidden seed variable for a variable that has an equation of its own, and return its name."""
        seed = self._seed(name, f"{name}{HIDDEN}shift")
        self.shared.added[seed.name] = seed
        return seed.name

    def _seed(self, name: str, seed: str) -> Variable:
        """Tangent of a parameter: one where an element is the parameter of a direction, otherwise zero."""
        dims = (*self.model.variables[name].dims, DIRECTION)
        shape = (*self.model.shape(dims[:-1]), self.count)
        values = np.zeros(shape)
        for number, direction in enumerate(self.directions):
            if direction.variable == name:
                values[(*direction.position, number)] = 1.0
        table = Table(tuple(values.ravel().tolist()), shape, dims)
        block = Block(reference_to(seed, dims).index, table, None, f"direction of {name}")
        return hidden_variable(seed, "constant", dims, block)

    def _total(self, derivative: Derivative) -> Expression:
        if derivative.node is not None:
            return self._of_array(derivative.node)
        total = self._emitted(derivative.form)
        if derivative.over and total != ZERO:
            total = reduced("sum", total, derivative.over)
        return _sum((total, *(self._total(part) for part in derivative.rest)))

    def _of_array(self, node: ArrayFunction) -> Expression:
        rules = {"invert_matrix": self._of_inverse, "vector_reorder": self._of_reordered}
        if node.name not in rules:
            owner = self.model.variables[self._owner.split(HIDDEN)[0]]
            what = node.name.replace("_", " ").upper()
            raise UnsupportedFeature(
                "derivative of {what} in {name!r}: {remedy}. Equation: {equation}",
                what=what,
                name=owner.name,
                remedy=_REMEDY,
                equation=owner.equation,
            )
        return rules[node.name](node)

    def _of_inverse(self, node: ArrayFunction) -> Expression:
        """``d A^-1 = -A^-1 dA A^-1``, the right-hand product first."""
        row, column = node.core[0]
        first, last = node.result
        inverse = self.shared.lift(node, self._owner, "part")
        right = _over_directions(
            "multiply", _twin_of(node.arguments[0]), relabelled_reference(inverse, {first: column})
        )
        product = self.shared.lift(reduced("sum", right, (column,)), self._owner, "product")
        left = _over_directions("multiply", relabelled_reference(inverse, {last: row}), product)
        return _over_directions("negative", reduced("sum", left, (row,)))

    def _of_reordered(self, node: ArrayFunction) -> Expression:
        """Derivatives of the elements, reordered like the elements."""
        vector, places = node.arguments
        loop = node.axes[: len(node.axes) - len(node.result)]
        arguments = (_twin_of(vector), places)
        moved = ArrayFunction(node.name, arguments, node.core, node.result, (*loop, DIRECTION, *node.result))
        return self.shared.lift(moved, self._owner, "part")

    def _emitted(self, form: Form) -> Expression:
        terms = [self._term(form, reference) for reference in form.slopes]
        for condition, first, second in form.choices:
            found = self.shared.condition(condition, self._owner)
            terms.append((False, _over_directions("where", found, self._emitted(first), self._emitted(second))))
        return _added(terms)

    def _term(self, form: Form, reference: Reference) -> tuple[bool, Expression]:
        """Whether a term is subtracted, and the term without its sign."""
        minus, size = unsigned(form.slopes[reference])
        twin = _twin_of(reference)
        factor = self.shared.slope(size, self._owner)
        term = twin if factor == ONE else _over_directions("multiply", factor, twin)
        if reference in form.guarded:
            term = _over_directions("where", operation("equal", factor, ZERO), ZERO, term)
        if reference in form.infinite:
            term = _over_directions("where", _over_directions("equal", twin, ZERO), ZERO, term)
        return minus, term


def _twin_of(reference: Expression) -> Reference:
    if not isinstance(reference, Reference):
        raise TypeError("a function of whole arrays takes references")
    return Reference(reference.variable + TWIN, (*reference.index, Axis(DIRECTION)))


def _parts(block: Block) -> tuple[Expression, ...]:
    return (block.expression,) if block.initial is None else (block.expression, block.initial)


def _over_directions(name: str, *parts: Expression) -> Expression:
    """An operation with the axis of directions last, so that loops over it are innermost."""
    axes = joined_axes(*parts)
    inner = tuple(axis for axis in axes if axis != DIRECTION)
    return Operation(name, parts, (*inner, DIRECTION) if DIRECTION in axes else inner)


def _sum(terms: Sequence[Expression]) -> Expression:
    return _added([(False, term) for term in terms])


def _added(terms: Sequence[tuple[bool, Expression]]) -> Expression:
    """Sum of signed terms; long sums are split in halves, to limit the nesting of the program."""
    kept = [item for item in terms if item[1] != ZERO]
    if not kept:
        return ZERO
    if len(kept) > LONG_SUM:
        half = len(kept) // 2
        return _over_directions("add", _added(kept[:half]), _added(kept[half:]))
    ordered = sorted(kept, key=lambda item: item[0])
    minus, total = ordered[0]
    if minus:
        total = _over_directions("negative", total)
    for minus, term in ordered[1:]:
        total = _over_directions("subtract" if minus else "add", total, term)
    return total
