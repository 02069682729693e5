"""Derivatives of equations as linear forms in the derivatives of the variables they refer to, with sums factored."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np

from pysd_runner.engine.ir import (
    ArrayFunction,
    Axis,
    Expression,
    Interpolation,
    Number,
    Operation,
    Reduction,
    Reference,
    Table,
    Variable,
    children,
    counted,
    operation,
    reduced,
    relabelled,
    relabelled_reference,
    shape_of,
    with_children,
)
from pysd_runner.engine.kinds import frozen
from pysd_runner.engine.passes.partials import (
    ONE,
    ZERO,
    Branches,
    Part,
    negative,
    plus,
    rule_of,
    times,
    unsigned,
    where,
)
from pysd_runner.engine.passes.sharing import only_block, twin_range

# Array functions that are piecewise constant in some arguments -> positions of the differentiable arguments.
MOVING_ARRAYS: dict[str, tuple[int, ...]] = {"vector_sort_order": (), "vector_rank": (), "vector_reorder": (0,)}


@frozen
class Setting:
    """Context for differentiation: what depends on parameters, how to create variables, the subscript ranges."""

    moves: Callable[[Expression], bool]  # whether an expression depends on a parameter
    lift: Callable[[Expression], Reference]  # creates a hidden variable for an expression
    ranges: dict[str, tuple[str, ...]]  # subscript ranges with their elements


@dataclass(slots=True)
class Form:
    """A linear form in the derivatives of references."""

    slopes: dict[Reference, Expression] = field(default_factory=dict)  # coefficient of each reference
    infinite: set[Reference] = field(default_factory=set)  # references whose coefficient can be infinite
    guarded: set[Reference] = field(default_factory=set)  # references to skip where the coefficient is zero
    choices: list[tuple[Expression, "Form", "Form"]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.slopes or self.choices)

    def add(self, reference: Reference, slope: Expression, *, infinite: bool, guarded: bool = False) -> None:
        """Add a term; coefficients of the same reference are added."""
        self.slopes[reference] = plus(self.slopes.get(reference, ZERO), slope)
        if infinite:
            self.infinite.add(reference)
        if guarded:
            self.guarded.add(reference)

    def choose(self, condition: Expression, first: "Form", second: "Form") -> None:
        """Add a choice between two forms; for references in both, choose between their coefficients only."""
        for reference in [item for item in first.slopes if item in second.slopes]:
            infinite = reference in first.infinite | second.infinite
            slope = where(condition, first.slopes.pop(reference), second.slopes.pop(reference))
            self.add(reference, slope, infinite=infinite)
        if first or second:
            self.choices.append((condition, first, second))


@frozen
class Derivative:
    """Derivative of an equation: a sum of linear forms."""

    form: Form  # coefficients of the references
    over: tuple[str, ...] = ()  # axes the form is summed over
    node: ArrayFunction | None = None  # an array function, whose own rule applies instead of the form
    rest: tuple["Derivative", ...] = ()  # further terms, each summed over its own axes


def moving_parts(expression: Expression) -> tuple[Expression, ...]:
    """Direct subexpressions with respect to which an expression can have a non-zero derivative."""
    if isinstance(expression, Operation):
        moving = rule_of(expression).moving
        return expression.arguments if moving is None else tuple(expression.arguments[place] for place in moving)
    if isinstance(expression, ArrayFunction):
        moving = MOVING_ARRAYS.get(expression.name)
        return expression.arguments if moving is None else tuple(expression.arguments[place] for place in moving)
    if isinstance(expression, Interpolation) and expression.mode not in ("interpolate", "extrapolate"):
        return ()
    return children(expression)


def moving_references(expression: Expression) -> set[str]:
    """Variables with respect to which an expression can have a non-zero derivative."""
    if isinstance(expression, Reference):
        return {expression.variable}
    return {name for part in moving_parts(expression) for name in moving_references(part)}


def form_of(expression: Expression, setting: Setting, slope: Expression = ONE) -> Form:
    """Linear form of an element-wise expression, multiplied by `slope`."""
    form = Form()
    _collect(form, Part(expression, slope), setting)
    return form


def _collect(form: Form, part: Part, setting: Setting) -> None:
    expression = part.argument
    if not setting.moves(expression):
        return
    if isinstance(expression, Reference):
        form.add(expression, part.slope, infinite=part.infinite)
        return
    if isinstance(expression, Interpolation):
        slopes: Sequence[Part] | Branches = (Part(expression.argument, table_slope(expression, setting.ranges)),)
    elif isinstance(expression, Operation):
        slopes = rule_of(expression).slopes(expression)
    else:
        raise TypeError(f"{type(expression).__name__} inside an element-wise expression")

    def chained(chain: Form, inner_parts: Sequence[Part]) -> Form:
        for inner in inner_parts:
            slope, infinite = times(part.slope, inner.slope), part.infinite or inner.infinite
            _collect(chain, Part(inner.argument, slope, infinite), setting)
        return chain

    if isinstance(slopes, Branches):
        form.choose(slopes.condition, chained(Form(), slopes.first), chained(Form(), slopes.second))
    else:
        chained(form, slopes)


def prepared(expression: Expression, setting: Setting, *, root: bool = True) -> Expression:
    """Rewrite an equation so that it can be differentiated term by term."""
    # Inner reductions and array functions, and arguments with respect to which the derivative can be infinite, become
    # hidden variables.
    if not setting.moves(expression) or isinstance(expression, Reference):
        return expression
    found = with_children(expression, [prepared(part, setting, root=False) for part in children(expression)])
    if isinstance(found, ArrayFunction) or (isinstance(found, Reduction) and found.name != "sum"):
        found = with_children(found, [_variable(part, setting) for part in children(found)])
    if isinstance(found, Operation) and rule_of(found).infinite:
        found = _without_infinite(found, setting)
    if isinstance(found, Reduction | ArrayFunction) and not root:
        return setting.lift(found)
    return found


def _variable(part: Expression, setting: Setting) -> Expression:
    return part if isinstance(part, Reference) or not setting.moves(part) else setting.lift(part)


def _without_infinite(node: Operation, setting: Setting) -> Expression:
    slopes = rule_of(node).slopes(node)
    steep = [] if isinstance(slopes, Branches) else [part.argument for part in slopes if part.infinite]
    return with_children(
        node,
        [
            setting.lift(part) if part in steep and setting.moves(part) and not _is_shifted(part, setting) else part
            for part in node.arguments
        ],
    )


def _is_shifted(expression: Expression, setting: Setting) -> bool:
    """Whether an expression is one reference times a non-zero number, plus terms that depend on no parameter."""
    form = form_of(expression, setting)
    slopes = list(form.slopes.values())
    return not form.choices and len(slopes) == 1 and isinstance(slopes[0], Number) and slopes[0].value != 0


def derivative_of(expression: Expression, setting: Setting) -> Derivative:
    """Derivative of an equation."""
    if not setting.moves(expression):
        return Derivative(Form())
    if isinstance(expression, ArrayFunction):
        return Derivative(Form(), (), expression)
    if not isinstance(expression, Reduction):
        return Derivative(form_of(expression, setting))
    return Derivative(_REDUCTIONS[expression.name](expression, setting), expression.over)


def _product(node: Reduction, setting: Setting) -> Form:
    """The derivative with respect to an element is the product of all others, computed without dividing by zero."""
    names = {label: f"{twin_range(label, setting.ranges)}!" for label in node.over}
    here, there = (counted(setting.ranges, labels, 0) for labels in (node.over, tuple(names.values())))
    others = operation("where", operation("equal", there, here), ONE, relabelled(node.argument, names))
    return form_of(node.argument, setting, reduced("product", others, names.values()))


def _extreme(node: Reduction, setting: Setting) -> Form:
    places = counted(setting.ranges, node.over, 0)
    none = Number(float(len(places.values)))
    candidates = operation("where", operation("equal", node.argument, node), places, none)
    first = reduced("least", candidates, node.over)
    form = Form()
    form.choose(operation("equal", places, first), form_of(node.argument, setting), Form())
    return form


_REDUCTIONS: dict[str, Callable[[Reduction, Setting], Form]] = {
    "sum": lambda node, setting: form_of(node.argument, setting),
    "product": _product,
    "least": _extreme,
    "largest": _extreme,
}


def table_slope(node: Interpolation, ranges: Mapping[str, tuple[str, ...]]) -> Expression:
    """Slope of a table function at its argument."""
    if node.points < 2:
        return ZERO
    x, y = (np.asarray(side, dtype=float).reshape(-1, node.points) for side in (node.x, node.y))
    width = np.diff(x, axis=1)
    # A jump is given as two adjacent x values; shorter tables repeat their last point. Neither counts as a slope.
    steep = np.nextafter(x[:, :-1], np.inf) >= x[:, 1:]
    slopes = np.divide(np.diff(y, axis=1), width, out=np.zeros_like(width), where=~steep)
    slopes = np.concatenate([slopes, np.zeros((len(slopes), 1))], axis=1)
    if node.mode == "extrapolate":
        last = np.maximum((width > 0).sum(axis=1) - 1, 0)
        end = np.take_along_axis(slopes, last[:, None], axis=1)
        slopes = np.where(np.arange(node.points) > last[:, None], end, slopes)
    inside = Interpolation(
        node.argument, node.x, tuple(slopes.ravel().tolist()), node.points, node.tables, "hold_backward", node.axes
    )
    if node.mode == "extrapolate":
        return inside
    firsts = tuple(x[:, 0].tolist())
    shape = shape_of(ranges, node.tables)
    start = Table(firsts, shape, node.tables) if node.tables else Number(firsts[0])
    return operation("where", node.argument < start, ZERO, inside)


class Factoring:
    """Derivatives of equations, with the terms of sums factored."""

    def __init__(
        self,
        variables: Mapping[str, Variable],
        derivatives: Mapping[str, Mapping[Expression, Derivative]],
        ranges: Mapping[str, tuple[str, ...]],
    ) -> None:
        self._ranges = ranges
        self._derivatives = derivatives
        self._variables = variables
        self._between: dict[str, Form | None] = {}

    def factored(self, derivative: Derivative) -> Derivative:
        """Sum every term of a sum over as few axes as possible; other derivatives are returned unchanged."""
        over = derivative.over
        if not over:
            return derivative
        flat = self._flat(derivative.form, over)
        if all(set(over) <= set(reference.axes) for reference in flat.slopes):
            return derivative
        parts: dict[tuple[str, ...], Form] = {}
        for reference, slope in flat.slopes.items():
            own = tuple(axis for axis in over if axis in reference.axes)
            summed = self._summed(slope, tuple(axis for axis in over if axis not in own))
            part = parts.setdefault(own, Form())
            part.add(reference, summed, infinite=reference in flat.infinite, guarded=reference in flat.guarded)
        first, *rest = (Derivative(form, own) for own, form in parts.items())
        return replace(first, rest=tuple(rest))

    def _flat(self, form: Form, over: tuple[str, ...]) -> Form:
        """A form without choices, in which intermediate variables are replaced by their own linear forms."""
        flat = Form()
        for reference, slope, infinite, guarded in _terms(form):
            between = None if infinite or not set(over) & set(reference.axes) else self._form_between(reference)
            if between is None:
                flat.add(reference, slope, infinite=infinite, guarded=guarded)
                continue
            for inner, factor in between.slopes.items():
                known = guarded or inner in between.guarded
                flat.add(inner, times(slope, factor), infinite=inner in between.infinite, guarded=known)
        return flat

    def _form_between(self, reference: Reference) -> Form | None:
        """Linear form of a referenced variable, if all references in it have fewer axes; otherwise None."""
        labels = [item.label for item in reference.index if isinstance(item, Axis) and item.positions is None]
        if len(set(labels)) != len(reference.index):
            return None
        if reference.variable not in self._between:
            self._between[reference.variable] = self._own_form(reference.variable)
        form = self._between[reference.variable]
        if form is None:
            return None
        own = self._variables[reference.variable].blocks[0].axes
        names = dict(zip(own, labels, strict=True))
        found = Form()
        for inner, slope in form.slopes.items():
            new = relabelled_reference(inner, names)
            infinite, guarded = inner in form.infinite, inner in form.guarded
            found.add(new, relabelled(slope, names), infinite=infinite, guarded=guarded)
        return found

    def _own_form(self, name: str) -> Form | None:
        block = only_block(self._variables[name]) if name in self._variables else None
        if block is None:
            return None
        derivative = self._derivatives[name][block.expression]
        if derivative.over or derivative.node is not None:
            return None
        form = self._flat(derivative.form, block.axes)
        return form if all(len(inner.axes) < len(block.axes) for inner in form.slopes) else None

    def _summed(self, slope: Expression, over: tuple[str, ...]) -> Expression:
        """A coefficient summed over some axes."""
        minus, size = unsigned(slope)
        inner = tuple(axis for axis in over if axis in size.axes)
        if inner:
            size = reduced("sum", size, inner)
        alike = prod(shape_of(self._ranges, (axis for axis in over if axis not in inner)))
        found = times(Number(float(alike)), size)
        return negative(found) if minus else found


def _terms(form: Form) -> Iterator[tuple[Reference, Expression, bool, bool]]:
    """Reference, coefficient, whether it can be infinite, and whether it is zero where a branch is not taken."""
    for reference, slope in form.slopes.items():
        yield reference, slope, reference in form.infinite, reference in form.guarded
    for condition, first, second in form.choices:
        for reference, slope, infinite, _ in _terms(first):
            yield reference, where(condition, slope, ZERO), infinite, True
        for reference, slope, infinite, _ in _terms(second):
            yield reference, where(condition, ZERO, slope), infinite, True
