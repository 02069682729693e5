"""The representation every target is built from: small, immutable, with its loops over subscripts intact.

An expression has axes, named after the subscript range they run over; the axis of a range that is summed over ends in
``!``, as in Vensim. Nothing here holds text taken from a model file except names, units and documentation.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

# The time controls of a model.
INITIAL_TIME, FINAL_TIME, TIME_STEP, SAVEPER = "INITIAL TIME", "FINAL TIME", "TIME STEP", "SAVEPER"

# Stands in the names of what was made for a model, hidden variables and parts of ranges: no name in a file can hold it.
HIDDEN = "\x1f"

# Begins the label of a hidden variable whose value does not change within a step.
HELD = "held"

# Begins the label of a hidden variable that holds the order of a delay, a number of steps.
ORDER = "order"

# Begins the label of one that holds the highest order that Euler's method can follow.
WITHIN = f"{ORDER} within"

# Begins the label of a hidden variable that must not change while a model runs; what it is stands behind.
FIXED = "fixed"

# Begins the label of a hidden variable that holds a literal length of time.
SPAN = "span"


@lru_cache(maxsize=8192)
def key(name: str) -> str:
    """Form of a name in which equal names are equal strings.

    >>> key('"Log_ Technology"')
    'log technology'
    """
    return re.sub(r"[\s_]+", " ", name.strip().strip('"')).strip().casefold()


def tidy(name: str) -> str:
    """Display form of a name: as written, with single spaces."""
    return re.sub(r"\s+", " ", name.strip())


def shown(name: str) -> str:
    """Form of a name for a message: what was made for a variable or of a range by the name it was made from.

    >>> shown(f"Region{HIDDEN}2!")
    'Region!'
    """
    plain = name.split(HIDDEN)[0]
    return f"{plain}!" if name.endswith("!") and not plain.endswith("!") else plain


Kind = Literal["constant", "auxiliary", "stock", "memory", "pipe", "initial", "lookup", "data", "control"]

# Kinds that carry a value from one step to the next.
STATEFUL: frozenset[str] = frozenset({"stock", "memory", "pipe"})

Mode = Literal["interpolate", "extrapolate", "hold_backward", "look_forward", "raw"]

# Euler's method, and the classical one of Runge and Kutta, of fourth order.
Method = Literal["euler", "rk4"]


@dataclass(frozen=True, slots=True)
class Axis:
    """A reference that runs over a range; `positions` are its places in the dimension referred to, None for all."""

    label: str
    positions: tuple[int, ...] | None = None

    def places(self, length: int) -> tuple[int, ...]:
        """Places it selects in a dimension of some length."""
        return tuple(range(length)) if self.positions is None else self.positions


@dataclass(frozen=True, slots=True)
class Element:
    """A reference to one element of a dimension."""

    position: int

    def places(self, _length: int) -> tuple[int, ...]:
        """Places it selects in a dimension of some length."""
        return (self.position,)


Index = Axis | Element


def _operator(name: str, *, turned: bool = False) -> Callable[["Arithmetic", "Expression | float"], "Operation"]:
    def made(own: Any, other: Any) -> "Operation":
        return operation(name, other, own) if turned else operation(name, own, other)

    return made


class Arithmetic:
    """What expressions share: ``x + 1.0``, ``x < y`` and ``x & y`` of them are expressions."""

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


@dataclass(frozen=True, slots=True)
class Number(Arithmetic):
    """A literal."""

    value: float
    axes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table(Arithmetic):
    """A literal array, flat in C order over `shape`."""

    values: tuple[float, ...]
    shape: tuple[int, ...]
    axes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Time(Arithmetic):
    """The current time."""

    axes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reference(Arithmetic):
    """The value of a variable, indexed; axes with the same label run together, along the diagonal."""

    variable: str
    index: tuple[Index, ...]

    @property
    def axes(self) -> tuple[str, ...]:
        """Labels of the axes that remain."""
        return tuple(dict.fromkeys(item.label for item in self.index if isinstance(item, Axis)))


@dataclass(frozen=True, slots=True)
class Operation(Arithmetic):
    """An element-wise operation or function; `name` is a key of the targets' tables."""

    name: str
    arguments: tuple["Expression", ...]
    axes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reduction(Arithmetic):
    """A sum, product, least or largest value over the axes in `over`."""

    name: str
    argument: "Expression"
    over: tuple[str, ...]
    axes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Interpolation(Arithmetic):
    """A table function, or a series of data over time."""

    argument: "Expression"  # where it is read
    x: tuple[float, ...]
    y: tuple[float, ...]
    points: int  # number of points of one table
    tables: tuple[str, ...]  # axes over which there is one table each, empty for a single table
    mode: Mode
    axes: tuple[str, ...]  # axes of the argument and of `tables`, joined


@dataclass(frozen=True, slots=True)
class Random(Arithmetic):
    """A uniform number in [0, 1), its own for every seed, draw, step, `site` and cell over `axes`."""

    # The cell is counted in C order over `axes`.

    site: int
    axes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ArrayFunction(Arithmetic):
    """A function of whole arrays, such as a matrix inverse; `name` is a key of `array_functions.FUNCTIONS`."""

    name: str
    arguments: tuple["Expression", ...]
    core: tuple[tuple[str, ...], ...]  # for each argument the axes the function works on, in order
    result: tuple[str, ...]  # axes of the result that the function makes, in order
    axes: tuple[str, ...]  # axes looped over, then `result`


Expression = Number | Table | Time | Reference | Operation | Reduction | Interpolation | Random | ArrayFunction


def children(expression: Expression) -> tuple[Expression, ...]:
    """Direct parts of an expression."""
    if isinstance(expression, Operation | ArrayFunction):
        return expression.arguments
    if isinstance(expression, Reduction | Interpolation):
        return (expression.argument,)
    return ()


def walk(expression: Expression) -> Iterator[Expression]:
    """Every part of an expression, itself first."""
    yield expression
    for child in children(expression):
        yield from walk(child)


def references(expression: Expression) -> frozenset[str]:
    """Names of the variables an expression refers to."""
    return frozenset(part.variable for part in walk(expression) if isinstance(part, Reference))


def inner_axes(expression: Expression) -> tuple[str, ...]:
    """Axes of an expression that are marked to be reduced over."""
    return tuple(axis for axis in expression.axes if axis.endswith("!"))


def draws_numbers(expression: Expression) -> bool:
    """Whether there is a random number in an expression."""
    return any(isinstance(part, Random) for part in walk(expression))


def reads_time(expression: Expression) -> bool:
    """Whether an expression changes by itself: with time, or by chance."""
    return any(isinstance(part, Time | Random) for part in walk(expression))


def is_literal(expression: Expression) -> bool:
    """Whether an expression is made of literal numbers only."""
    if isinstance(expression, Number | Table):
        return True
    return isinstance(expression, Operation) and all(is_literal(part) for part in expression.arguments)


def joined_axes(*parts: Expression) -> tuple[str, ...]:
    """Axes of an element-wise operation: those of the parts, in order of first appearance."""
    return tuple(dict.fromkeys(label for part in parts for label in part.axes))


@dataclass(frozen=True, slots=True)
class Block:
    """An equation for a part of a variable."""

    index: tuple[Index, ...]  # which part of the variable the equation defines, one entry per dimension
    expression: Expression  # the value
    initial: Expression | None  # for what carries a value its initial value
    text: str  # the equation as a person would write it
    delay: Expression | None = None  # for a pipe how long a value stays in it, read at the start
    non_negative: bool = False  # whether a stock stops at zero

    @property
    def axes(self) -> tuple[str, ...]:
        """Labels of the axes the block runs over, in the order of the dimensions."""
        return tuple(item.label for item in self.index if isinstance(item, Axis))

    @property
    def parts(self) -> tuple[Expression, ...]:
        """All its expressions."""
        return tuple(part for part in (self.expression, self.initial, self.delay) if part is not None)

    @property
    def at_start(self) -> Expression:
        """What it computes at the start."""
        return self.expression if self.initial is None else self.initial


def is_whole(index: Iterable[Index]) -> bool:
    """Whether an index is all of every dimension."""
    return all(isinstance(item, Axis) and item.positions is None for item in index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable of a model."""

    name: str  # as written in the file, with single spaces
    unit: str  # as written in the file, an empty string when none is given
    dims: tuple[str, ...]  # names of the subscript ranges it is defined over
    kind: Kind  # ``constant``: a number or table
    doc: str  # the documentation of the file
    group: str  # the sector of the file it stands in, an empty string when there is none
    blocks: tuple[Block, ...]  # its equations; they do not overlap
    hidden: bool = False  # true for a stock that a smooth or delay was expanded into
    uncovered: str = ""  # why the variable could not be lowered, with the feature and the equation; empty when it was
    limits: tuple[float, ...] = ()  # lower and upper bound that the file gives, in the unit of the variable

    @property
    def equation(self) -> str:
        """The equation text, one line per equation of the file."""
        return "\n".join(dict.fromkeys(block.text for block in self.blocks))


@dataclass(frozen=True, slots=True)
class Integration:
    """How a model file wants its stocks integrated."""

    method: Method | None = "euler"  # what does it; None where nothing here comes near what the file asks for
    asked: str = ""  # what the file asks for, where that is something else; otherwise empty


@dataclass(frozen=True, slots=True)
class Feature:
    """Something that a model file asks for."""

    name: str  # as the file spells it
    done: str  # what is done with it
    count: int = 1  # how often it asks
    warns: bool = False  # whether numbers would be other ones if it were done as the program does that wrote the file


@dataclass(frozen=True, slots=True)
class Drawn:
    """A variable where a program draws it."""

    variable: str
    view: str  # name of the drawing
    x: float
    y: float
    is_copy: bool = False  # whether it is drawn there once more


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelIr:
    """A whole model, lowered."""

    ranges: Mapping[str, tuple[str, ...]]  # subscript ranges with their elements
    variables: Mapping[str, Variable]  # every variable by name, in the order of the file, then the hidden ones
    fingerprint: str = field(compare=False)  # hash of everything that decides the numbers
    structural: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict, compare=False)
    integration: Integration = Integration()  # how the file wants its stocks integrated
    features: tuple[Feature, ...] = field(default=(), compare=False)
    sketch: tuple[Drawn, ...] = field(default=(), compare=False)

    def shape(self, dims: tuple[str, ...]) -> tuple[int, ...]:
        """Lengths of the given ranges, or of axes over them."""
        return shape_of(self.ranges, dims)


# PySD and Vensim treat a denominator this small as zero, and times this close as equal.
SMALL = 1e-6


def operation(name: str, *arguments: Expression | float) -> Operation:
    """An element-wise operation over the joined axes of its arguments; a number stands for its literal."""
    parts = tuple([Number(part) if isinstance(part, float) else part for part in arguments])
    return Operation(name, parts, joined_axes(*parts))


P = ParamSpec("P")
R = TypeVar("R")


def remembered(
    most: int,
) -> Callable[[Callable[Concatenate[ModelIr, P], R]], Callable[Concatenate[ModelIr, P], R]]:
    """Keep the last answers of a function of a model and of what can be a key, by the fingerprint of the model."""

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
    """Places of all cells over some axes, row by row, counted from a number."""
    axes = tuple(labels)
    shape = shape_of(ranges, axes)
    return Table(tuple(float(first + place) for place in range(math.prod(shape))), shape, axes)


def reference_to(variable: str, labels: Iterable[str]) -> Reference:
    """All of a variable, over axes with some labels."""
    return Reference(variable, tuple(Axis(label) for label in labels))


def hidden_variable(name: str, kind: Kind, dims: Sequence[str], *blocks: Block) -> Variable:
    """A variable that stands in no file."""
    return Variable(
        name=name, unit="", dims=tuple(dims), kind=kind, doc="", group="", blocks=tuple(blocks), hidden=True
    )


def reached(start: Iterable[str], users: Mapping[str, Iterable[str]]) -> dict[str, None]:
    """Names, and all that depend on one of them, at once or through others."""
    found = dict.fromkeys(start)
    waiting = list(found)
    while waiting:
        new = [name for name in users.get(waiting.pop(), ()) if name not in found]
        found.update(dict.fromkeys(new))
        waiting += dict.fromkeys(new)
    return found


def users_of(needs: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """What needs each name, from what each needs."""
    users: dict[str, list[str]] = {}
    for name, needed in needs.items():
        for item in needed:
            users.setdefault(item, []).append(name)
    return users


def time_step() -> Expression:
    """The length of one step."""
    return Reference(TIME_STEP, ())


def with_children(expression: Expression, parts: Sequence[Expression]) -> Expression:
    """The same expression with other direct parts, which have the same axes."""
    if isinstance(expression, Operation | ArrayFunction):
        if all(new is old for new, old in zip(parts, expression.arguments, strict=True)):
            return expression
        return replace(expression, arguments=tuple(parts))
    if isinstance(expression, Reduction | Interpolation):
        return expression if parts[0] is expression.argument else replace(expression, argument=parts[0])
    return expression


def relabelled(expression: Expression, names: Mapping[str, str]) -> Expression:
    """The same expression with other labels on its axes; axes that a part of it reduces keep theirs."""
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
    return _relabelled_leaf(expression, axes)


def relabelled_reference(reference: Reference, names: Mapping[str, str]) -> Reference:
    """The same reference with other labels on its axes."""
    index = tuple(
        replace(item, label=names.get(item.label, item.label)) if isinstance(item, Axis) else item
        for item in reference.index
    )
    return replace(reference, index=index)


def _relabelled_leaf(expression: Number | Table | Time | Random, axes: tuple[str, ...]) -> Expression:
    return replace(expression, axes=axes)


def _relabelled_function(expression: ArrayFunction, names: Mapping[str, str], axes: tuple[str, ...]) -> Expression:
    pairs = zip(expression.arguments, expression.core, strict=True)
    parts = [relabelled(part, _without(names, core)) for part, core in pairs]
    result = tuple(names.get(label, label) for label in expression.result)
    return replace(expression, arguments=tuple(parts), result=result, axes=axes)


def _without(names: Mapping[str, str], bound: Sequence[str]) -> dict[str, str]:
    return {old: new for old, new in names.items() if old not in bound}
