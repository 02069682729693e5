"""The intermediate representation of a model, from which all engines work: small, immutable, with subscripts kept.

An expression has axes, named after the subscript range they run over; the name of an axis that is reduced ends in
``!``, as in Vensim. The only texts taken from a model file are names, units, equations and documentation.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import lru_cache
from operator import add, mul, neg, sub, truediv
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

from pysd_runner.engine.kinds import frozen

# The time controls of a model.
INITIAL_TIME, FINAL_TIME, TIME_STEP, SAVEPER = "INITIAL TIME", "FINAL TIME", "TIME STEP", "SAVEPER"

# Separator in generated names (hidden variables and parts of ranges); no name in a model file can contain it.
HIDDEN = "\x1f"

# Label prefix of hidden variables whose value does not change within a step.
HELD = "held"

# Label prefix of hidden variables that contain the order of a delay (its number of stages).
ORDER = "order"

# Label prefix of hidden variables that contain the maximum order of a delay under Euler's method: its number of steps.
WITHIN = f"{ORDER} within"

# Label prefix of hidden variables that must not change during a run; their description follows it.
FIXED = "fixed"

# Label prefix of hidden variables that contain a literal duration.
SPAN = "span"


@lru_cache(maxsize=8192)
def key(name: str) -> str:
    """Normalised form of a name, for comparisons.

    >>> key('"Log_ Technology"')
    'log technology'
    """
    return re.sub(r"[\s_]+", " ", name.strip().strip('"')).strip().casefold()


def tidy(name: str) -> str:
    """Display form of a name: as in the file, with single spaces."""
    return re.sub(r"\s+", " ", name.strip())


def shown(name: str) -> str:
    """Form of a name for a message: a generated name is replaced by the name in the file it was generated from.

    >>> shown(f"Region{HIDDEN}2!")
    'Region!'
    """
    plain = name.split(HIDDEN)[0]
    return f"{plain}!" if name.endswith("!") and not plain.endswith("!") else plain


Kind = Literal["constant", "auxiliary", "stock", "memory", "pipe", "initial", "lookup", "data", "control"]

# Kinds of variables with a state: a value that is kept from one step to the next.
STATEFUL: frozenset[str] = frozenset({"stock", "memory", "pipe"})

Mode = Literal["interpolate", "extrapolate", "hold_backward", "look_forward", "raw"]

# Euler's method, and the classical fourth-order Runge-Kutta method.
Method = Literal["euler", "rk4"]

# Rules for non-negative stocks: the inflow of a step can flow out from the next step on or, in Stella, in the same
# step.
OutflowRule = Literal["next step", "same step"]


@frozen
class Axis:
    """An index that runs over a range; `positions` are its positions in the indexed dimension, None for all."""

    label: str
    positions: tuple[int, ...] | None = None

    def places(self, length: int) -> tuple[int, ...]:
        """Positions selected in a dimension of the given length."""
        return tuple(range(length)) if self.positions is None else self.positions


@frozen
class Element:
    """An index that selects one element of a dimension."""

    position: int

    def places(self, _length: int) -> tuple[int, ...]:
        """Positions selected in a dimension of the given length."""
        return (self.position,)


Index = Axis | Element


def _operator(name: str, *, turned: bool = False) -> Callable[["Arithmetic", "Expression | float"], "Operation"]:
    def made(own: Any, other: Any) -> "Operation":
        return operation(name, other, own) if turned else operation(name, own, other)

    return made


class Arithmetic:
    """Operators of expressions: ``x + 1.0``, ``x < y`` and ``x & y`` are expressions."""

    __slots__ = ()

    __add__, __radd__ = _operator("add"), _operator("add", turned=True)
    __sub__, __rsub__ = _operator("subtract"), _operator("subtract", turned=True)
    __mul__, __rmul__ = _operator("multiply"), _operator("multiply", turned=True)
    __truediv__, __rtruediv__ = _operator("divide"), _operator("divide", turned=True)
    __pow__ = _operator("power")
    __lt__, __le__ = _operator("less"), _operator("less_equal")
    __gt__, __ge__ = _operator("greater"), _operator("greater_equal")
    __and__, __or__ = _operator("and"), _operator("or")

    def __neg__(self: Any) -> "Operation":
        return operation("negative", self)


@frozen
class Number(Arithmetic):
    """A literal number."""

    value: float
    axes: tuple[str, ...] = ()


@frozen
class Table(Arithmetic):
    """A literal array, flat in C order over `shape`."""

    values: tuple[float, ...]
    shape: tuple[int, ...]
    axes: tuple[str, ...]


@frozen
class Time(Arithmetic):
    """The current time."""

    axes: tuple[str, ...] = ()


@frozen
class Reference(Arithmetic):
    """An indexed variable; repeated axis labels select the diagonal."""

    variable: str
    index: tuple[Index, ...]

    @property
    def axes(self) -> tuple[str, ...]:
        """Labels of the axes of the result."""
        return tuple(dict.fromkeys(item.label for item in self.index if isinstance(item, Axis)))


@frozen
class Operation(Arithmetic):
    """An element-wise operation or function; `name` is a key of the engines' tables of operations."""

    name: str
    arguments: tuple["Expression", ...]
    axes: tuple[str, ...]


@frozen
class Reduction(Arithmetic):
    """A sum, product, minimum or maximum over the axes in `over`."""

    name: str
    argument: "Expression"
    over: tuple[str, ...]
    axes: tuple[str, ...]


@frozen
class Interpolation(Arithmetic):
    """Interpolation in a table function or in a data series over time."""

    argument: "Expression"  # abscissa at which it is evaluated
    x: tuple[float, ...]
    y: tuple[float, ...]
    points: int  # number of points of one table
    tables: tuple[str, ...]  # axes over which there is one table each, empty for a single table
    mode: Mode
    axes: tuple[str, ...]  # union of the axes of the argument and of `tables`


@frozen
class Random(Arithmetic):
    """A uniform random number in [0, 1), different for every seed, draw, step, `site` and cell over `axes`."""

    # Cells are counted in C order over `axes`.

    site: int
    axes: tuple[str, ...]


@frozen
class ArrayFunction(Arithmetic):
    """A function of whole arrays, such as a matrix inverse; `name` is a key of `array_functions.FUNCTIONS`."""

    name: str
    arguments: tuple["Expression", ...]
    core: tuple[tuple[str, ...], ...]  # for each argument, the axes of the array passed to the function, in order
    result: tuple[str, ...]  # axes of the array that the function returns, in order
    axes: tuple[str, ...]  # axes looped over, then `result`


Expression = Number | Table | Time | Reference | Operation | Reduction | Interpolation | Random | ArrayFunction


def children(expression: Expression) -> tuple[Expression, ...]:
    """Direct subexpressions of an expression."""
    if isinstance(expression, Operation | ArrayFunction):
        return expression.arguments
    if isinstance(expression, Reduction | Interpolation):
        return (expression.argument,)
    return ()


def walk(expression: Expression) -> Iterator[Expression]:
    """An expression and all its subexpressions, in pre-order."""
    yield expression
    for child in children(expression):
        yield from walk(child)


def references(expression: Expression) -> frozenset[str]:
    """Names of the variables an expression refers to."""
    return frozenset(part.variable for part in walk(expression) if isinstance(part, Reference))


def inner_axes(expression: Expression) -> tuple[str, ...]:
    """Axes of an expression that are marked with ``!`` for reduction."""
    return tuple(axis for axis in expression.axes if axis.endswith("!"))


def draws_numbers(expression: Expression) -> bool:
    """Whether an expression contains a random number."""
    return any(isinstance(part, Random) for part in walk(expression))


def reads_time(expression: Expression) -> bool:
    """Whether an expression contains the time or a random number."""
    return any(isinstance(part, Time | Random) for part in walk(expression))


# Operations between literal numbers that leave a constant a constant.
ARITHMETIC: Mapping[str, Callable[..., Any]] = {
    "negative": neg,
    "add": add,
    "subtract": sub,
    "multiply": mul,
    "divide": truediv,
    "power": pow,
}


def is_literal(expression: Expression) -> bool:
    """Whether an expression consists of literal numbers only."""
    if isinstance(expression, Number | Table):
        return True
    return isinstance(expression, Operation) and all(is_literal(part) for part in expression.arguments)


def joined_axes(*parts: Expression) -> tuple[str, ...]:
    """Axes of an element-wise operation: those of its arguments, in order of first appearance."""
    return tuple(dict.fromkeys(label for part in parts for label in part.axes))


@frozen
class Block:
    """An equation for a part of a variable."""

    index: tuple[Index, ...]  # the part of the variable that the equation defines, one entry per dimension
    expression: Expression  # the value
    initial: Expression | None  # the initial value, for variables with a state
    text: str  # the equation, for display
    delay: Expression | None = None  # the delay time of a delay buffer, evaluated at the start
    non_negative: bool = False  # whether a stock cannot fall below zero

    @property
    def axes(self) -> tuple[str, ...]:
        """Labels of the axes the block runs over, in the order of the dimensions."""
        return tuple(item.label for item in self.index if isinstance(item, Axis))

    @property
    def parts(self) -> tuple[Expression, ...]:
        """All expressions of the block."""
        return tuple(part for part in (self.expression, self.initial, self.delay) if part is not None)

    @property
    def at_start(self) -> Expression:
        """The expression that is evaluated at the start of a run."""
        return self.expression if self.initial is None else self.initial


def is_whole(index: Iterable[Index]) -> bool:
    """Whether an index selects all elements of every dimension."""
    return all(isinstance(item, Axis) and item.positions is None for item in index)


@frozen(kw_only=True)
class Variable:
    """One variable of a model."""

    name: str  # as written in the file, with single spaces
    unit: str  # as written in the file, an empty string when none is given
    dims: tuple[str, ...]  # names of the subscript ranges it is defined over
    kind: Kind  # ``constant``: a number or table
    doc: str  # its documentation in the file
    group: str  # its sector (group) in the file, an empty string when there is none
    blocks: tuple[Block, ...]  # its equations; they do not overlap
    hidden: bool = False  # whether it is generated, such as the stocks of a smooth or delay
    unassigned: str = ""  # why it could not be lowered, with the feature and the equation; otherwise empty
    limits: tuple[float, ...] = ()  # lower and upper bound that the file gives, in the unit of the variable

    @property
    def equation(self) -> str:
        """The equation text, one line per equation of the file."""
        return "\n".join(dict.fromkeys(block.text for block in self.blocks))


@frozen
class Integration:
    """The integration method that a model file specifies."""

    method: Method | None = "euler"  # the method used; None where no method here is close to that of the file
    asked: str = ""  # the method in the file, where it is a different one; otherwise empty


@frozen
class Feature:
    """A feature of the modelling program that a model file uses."""

    name: str  # as the file spells it
    done: str  # how it is treated
    count: int = 1  # number of uses
    warns: bool = False  # whether results differ from those of the program that wrote the file


@frozen
class Drawn:
    """Position of a variable in a diagram of the model file."""

    variable: str
    view: str  # name of the diagram
    x: float
    y: float
    is_copy: bool = False  # whether it is a further copy (shadow or ghost variable)


@frozen
class BoundSeries:
    """A series of a data set that a variable of the model takes."""

    variable: str
    elements: tuple[str, ...]
    file: str  # name of the data set
    times: tuple[float, ...]  # of its first and its last point
    values: tuple[float, ...]
    count: int


@frozen(kw_only=True)
class ModelIr:
    """The intermediate representation of a model."""

    ranges: Mapping[str, tuple[str, ...]]  # subscript ranges with their elements
    variables: Mapping[str, Variable]  # every variable by name, in the order of the file, then the hidden ones
    fingerprint: str = field(compare=False)  # hash of everything that affects results
    structural: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict, compare=False)  # hashes of data files by path
    named: Mapping[str, str] = field(default_factory=dict, compare=False)  # their paths by their names in the file
    integration: Integration = Integration()  # the integration method of the file
    outflows: OutflowRule | None = None  # the rule for outflows of non-negative stocks; None if there are none
    features: tuple[Feature, ...] = field(default=(), compare=False)
    sketch: tuple[Drawn, ...] = field(default=(), compare=False)
    slips: tuple[str, ...] = field(default=(), compare=False)  # probable slips of the file, which a run warns of
    pointed: tuple[str, ...] = field(default=(), compare=False)  # data variables whose points are read, not values
    # Variables, also hidden ones, that depend on GET DATA AT TIME at the time ``:NA:``, whose meaning is not settled.
    unsettled: tuple[str, ...] = field(default=(), compare=False)
    series: tuple[BoundSeries, ...] = field(default=(), compare=False)  # those that data sets have for variables

    @property
    def time_unit(self) -> str:
        """Unit of time, from the time controls; empty if they have none."""
        units = (self.variables[name].unit for name in (TIME_STEP, INITIAL_TIME, FINAL_TIME))
        return next((unit for unit in units if unit), "")

    def shape(self, dims: tuple[str, ...]) -> tuple[int, ...]:
        """Lengths of the given ranges, or of axes over them."""
        return shape_of(self.ranges, dims)


# PySD and Vensim treat denominators up to this size as zero, and times that differ by less as equal.
SMALL = 1e-6


def operation(name: str, *arguments: Expression | float) -> Operation:
    """An element-wise operation over the union of the axes of its arguments; floats become literals."""
    parts = tuple([Number(part) if isinstance(part, float) else part for part in arguments])
    return Operation(name, parts, joined_axes(*parts))


P = ParamSpec("P")
R = TypeVar("R")


def remembered(most: int) -> Callable[[Callable[Concatenate[ModelIr, P], R]], Callable[Concatenate[ModelIr, P], R]]:
    """Memoise a function of a model and hashable arguments, by fingerprint, for the latest `most` calls."""

    def made(function: Callable[Concatenate[ModelIr, P], R]) -> Callable[Concatenate[ModelIr, P], R]:
        kept: dict[object, R] = {}

        def answer(model: ModelIr, /, *more: P.args, **named: P.kwargs) -> R:
            identity = (model.fingerprint, more, *named.items())
            if identity not in kept:
                if len(kept) >= most:
                    kept.pop(next(iter(kept)))
                kept[identity] = function(model, *more, **named)
            return kept[identity]

        return answer

    return made


def reduced(name: str, argument: Expression, over: Iterable[str]) -> Reduction:
    """A reduction over some of the axes of its argument."""
    inner = tuple(over)
    return Reduction(name, argument, inner, tuple(axis for axis in argument.axes if axis not in inner))


def shape_of(ranges: Mapping[str, tuple[str, ...]], labels: Iterable[str]) -> tuple[int, ...]:
    """Lengths of ranges, or of axes over them."""
    return tuple(len(ranges[label.removesuffix("!")]) for label in labels)


def counted(ranges: Mapping[str, tuple[str, ...]], labels: Iterable[str], first: int = 1) -> Table:
    """Sequence numbers of all cells over some axes, in C order, starting at `first`."""
    axes = tuple(labels)
    shape = shape_of(ranges, axes)
    return Table(tuple(float(first + place) for place in range(math.prod(shape))), shape, axes)


def reference_to(variable: str, labels: Iterable[str]) -> Reference:
    """A reference to a whole variable, over axes with the given labels."""
    return Reference(variable, tuple(Axis(label) for label in labels))


def hidden_variable(name: str, kind: Kind, dims: Sequence[str], *blocks: Block) -> Variable:
    """A generated variable, which is not in the model file."""
    return Variable(
        name=name, unit="", dims=tuple(dims), kind=kind, doc="", group="", blocks=tuple(blocks), hidden=True
    )


def reached(start: Iterable[str], users: Mapping[str, Iterable[str]]) -> dict[str, None]:
    """The names in `start` and everything that depends on them, directly or indirectly."""
    found = dict.fromkeys(start)
    waiting = list(found)
    while waiting:
        new = [name for name in users.get(waiting.pop(), ()) if name not in found]
        found.update(dict.fromkeys(new))
        waiting += dict.fromkeys(new)
    return found


def users_of(needs: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Invert a mapping of dependencies: the users of each name, from the names that each one needs."""
    users: dict[str, list[str]] = {}
    for name, needed in needs.items():
        for item in needed:
            users.setdefault(item, []).append(name)
    return users


def time_step() -> Expression:
    """An expression for the length of a time step."""
    return Reference(TIME_STEP, ())


def with_children(expression: Expression, parts: Sequence[Expression]) -> Expression:
    """Replace the direct subexpressions of an expression by others with the same axes."""
    if isinstance(expression, Operation | ArrayFunction):
        if all(new is old for new, old in zip(parts, expression.arguments, strict=True)):
            return expression
        return replace(expression, arguments=tuple(parts))
    if isinstance(expression, Reduction | Interpolation):
        return expression if parts[0] is expression.argument else replace(expression, argument=parts[0])
    return expression


def with_parts(variable: Variable, change: Callable[[Expression], Expression]) -> Variable:
    """Change the expressions of a variable, without those of delay times."""
    blocks = tuple(
        replace(
            block, expression=change(block.expression), initial=None if block.initial is None else change(block.initial)
        )
        for block in variable.blocks
    )
    return replace(variable, blocks=blocks)


def relabelled(expression: Expression, names: Mapping[str, str]) -> Expression:
    """Rename the axes of an expression; axes that are reduced within it keep their names."""
    if not any(names.get(label, label) != label for label in expression.axes):
        return expression
    axes = tuple(names.get(label, label) for label in expression.axes)
    if isinstance(expression, Reference):
        return relabelled_reference(expression, names)
    if isinstance(expression, Reduction):
        inner = relabelled(expression.argument, _without(names, expression.over))
        return replace(expression, argument=inner, axes=axes)
    if isinstance(expression, ArrayFunction):
        return _relabelled_function(expression, names, axes)
    if isinstance(expression, Interpolation):
        tables = tuple(names.get(label, label) for label in expression.tables)
        return replace(expression, argument=relabelled(expression.argument, names), tables=tables, axes=axes)
    if isinstance(expression, Operation):
        return replace(expression, arguments=tuple(relabelled(part, names) for part in expression.arguments), axes=axes)
    return replace(expression, axes=axes)


def relabelled_reference(reference: Reference, names: Mapping[str, str]) -> Reference:
    """Rename the axes of a reference."""
    index = tuple(
        replace(item, label=names.get(item.label, item.label)) if isinstance(item, Axis) else item
        for item in reference.index
    )
    return replace(reference, index=index)


def _relabelled_function(expression: ArrayFunction, names: Mapping[str, str], axes: tuple[str, ...]) -> Expression:
    pairs = zip(expression.arguments, expression.core, strict=True)
    parts = [relabelled(part, _without(names, core)) for part, core in pairs]
    result = tuple(names.get(label, label) for label in expression.result)
    return replace(expression, arguments=tuple(parts), result=result, axes=axes)


def _without(names: Mapping[str, str], bound: Sequence[str]) -> dict[str, str]:
    return {old: new for old, new in names.items() if old not in bound}


def written(model: ModelIr, control: str) -> float | None:
    """The number a model gives for a time control; None where it gives an equation."""
    blocks = model.variables[control].blocks
    expression = blocks[0].expression if blocks else None
    return expression.value if isinstance(expression, Number) else None
