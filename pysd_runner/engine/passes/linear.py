"""The linear form of an equation: by how much it moves when what it refers to moves.

Of equal largest or least values the first one counts, in C order. Of a table function the segment to the right of the
argument counts; beyond the ends of a table that holds them nothing moves.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pysd_runner.engine.function_table import operation
from pysd_runner.engine.ir import (
    ArrayFunction,
    Expression,
    Interpolation,
    Number,
    Operation,
    Reduction,
    Reference,
    Table,
    children,
)
from pysd_runner.engine.passes.partials import ONE, ZERO, Choice, Part, plus, rule_of, times, where
from pysd_runner.engine.passes.rewriting import relabelled, with_children
from pysd_runner.engine.passes.sharing import twin_range

# Functions of whole arrays that jump in some of their arguments -> positions of those in which they do not.
MOVING_ARRAYS: dict[str, tuple[int, ...]] = {"vector_sort_order": (), "vector_rank": (), "vector_reorder": (0,)}


@dataclass(frozen=True, slots=True)
class Setting:
    """What surrounds the equations that are differentiated."""

    moves: Callable[[Expression], bool]  # whether an expression depends on a parameter
    lift: Callable[[Expression], Reference]  # makes a variable of an expression
    ranges: dict[str, tuple[str, ...]]  # subscript ranges with their elements


@dataclass(slots=True)
class Form:
    """A linear form."""

    slopes: dict[Reference, Expression] = field(default_factory=dict)  # factor of each reference that moves
    infinite: set[Reference] = field(default_factory=set)  # references whose factor can be infinite
    guarded: set[Reference] = field(default_factory=set)  # references that do not count where their factor is zero
    choices: list[tuple[Expression, "Form", "Form"]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.slopes or self.choices)

    def add(self, reference: Reference, slope: Expression, *, infinite: bool, guarded: bool = False) -> None:
        """Add a term; terms of the same reference are joined."""
        self.slopes[reference] = plus(self.slopes.get(reference, ZERO), slope)
        if infinite:
            self.infinite.add(reference)
        if guarded:
            self.guarded.add(reference)

    def choose(self, condition: Expression, first: "Form", second: "Form") -> None:
        """Add a choice; what moves either way needs only a choice between its slopes."""
        for reference in [item for item in first.slopes if item in second.slopes]:
            infinite = reference in first.infinite | second.infinite
            slope = where(condition, first.slopes.pop(reference), second.slopes.pop(reference))
            self.add(reference, slope, infinite=infinite)
        if first or second:
            self.choices.append((condition, first, second))


@dataclass(frozen=True, slots=True)
class Derivative:
    """Derivative of an equation."""

    form: Form  # what moves, and by how much
    over: tuple[str, ...] = ()  # axes the form is summed over
    node: ArrayFunction | None = None  # the function of whole arrays whose own rule applies instead, otherwise None
    rest: tuple["Derivative", ...] = ()  # what is added to it, summed over other axes


def moving_parts(expression: Expression) -> tuple[Expression, ...]:
    """Direct parts that an expression moves with, as far as its operations decide."""
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
    """Names of the variables an expression moves with."""
    if isinstance(expression, Reference):
        return {expression.variable}
    return {name for part in moving_parts(expression) for name in moving_references(part)}


def form_of(expression: Expression, setting: Setting, slope: Expression = ONE) -> Form:
    """Linear form of an element-wise expression."""
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
        slopes: Sequence[Part] | Choice = (Part(expression.argument, table_slope(expression, setting.ranges)),)
    elif isinstance(expression, Operation):
        slopes = rule_of(expression).slopes(expression)
    else:
        raise TypeError(f"{type(expression).__name__} inside an element-wise expression")
    if isinstance(slopes, Choice):
        first, second = Form(), Form()
        for inner in slopes.first:
            _collect(first, _chained(part, inner), setting)
        for inner in slopes.second:
            _collect(second, _chained(part, inner), setting)
        form.choose(slopes.condition, first, second)
    else:
        for inner in slopes:
            _collect(form, _chained(part, inner), setting)


def _chained(outer: Part, inner: Part) -> Part:
    return Part(inner.argument, times(outer.slope, inner.slope), outer.infinite or inner.infinite)


def prepared(expression: Expression, setting: Setting, *, root: bool = True) -> Expression:
    """An equation whose parts can be differentiated one by one."""
    # A reduction or function of whole arrays inside it, and what stands where a slope can be infinite, become
    # variables.
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
    steep = [] if isinstance(slopes, Choice) else [part.argument for part in slopes if part.infinite]
    return with_children(
        node,
        [
            setting.lift(part) if part in steep and setting.moves(part) and not _is_shifted(part, setting) else part
            for part in node.arguments
        ],
    )


def _is_shifted(expression: Expression, setting: Setting) -> bool:
    """Whether an expression moves exactly when one reference does."""
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


def _sum(node: Reduction, setting: Setting) -> Form:
    return form_of(node.argument, setting)


def _product(node: Reduction, setting: Setting) -> Form:
    """Each element moves the product by the product of the others, so that no zero is divided by."""
    names = {label: f"{twin_range(label, setting.ranges)}!" for label in node.over}
    here, there = (_places(labels, setting.ranges) for labels in (node.over, tuple(names.values())))
    others = operation("where", operation("equal", there, here), ONE, relabelled(node.argument, names))
    over = tuple(names.values())
    axes = tuple(label for label in others.axes if label not in over)
    return form_of(node.argument, setting, Reduction("product", others, over, axes))


def _extreme(node: Reduction, setting: Setting) -> Form:
    places = _places(node.over, setting.ranges)
    none = Number(float(len(places.values)))
    candidates = operation("where", operation("equal", node.argument, node), places, none)
    first = Reduction("least", candidates, node.over, tuple(axis for axis in candidates.axes if axis not in node.over))
    form = Form()
    form.choose(operation("equal", places, first), form_of(node.argument, setting), Form())
    return form


_REDUCTIONS: dict[str, Callable[[Reduction, Setting], Form]] = {
    "sum": _sum,
    "product": _product,
    "least": _extreme,
    "largest": _extreme,
}


def _places(labels: Sequence[str], ranges: Mapping[str, tuple[str, ...]]) -> Table:
    """Number of each cell over some axes, in C order."""
    shape = tuple(len(ranges[label.removesuffix("!")]) for label in labels)
    return Table(tuple(float(place) for place in range(int(np.prod(shape)))), shape, tuple(labels))


def table_slope(node: Interpolation, ranges: Mapping[str, tuple[str, ...]]) -> Expression:
    """Slope of a table function where it is read."""
    if node.points < 2:
        return ZERO
    x, y = (np.asarray(side, dtype=float).reshape(-1, node.points) for side in (node.x, node.y))
    width = np.diff(x, axis=1)
    # A jump is written as two points next to each other; a shorter table repeats its last point. Neither is a slope.
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
    shape = tuple(len(ranges[label.removesuffix("!")]) for label in node.tables)
    start = Table(firsts, shape, node.tables) if node.tables else Number(firsts[0])
    return operation("where", operation("less", node.argument, start), ZERO, inside)
