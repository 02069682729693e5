"""The representation every target is built from: small, immutable, with its loops over subscripts intact.

An expression has axes, named after the subscript range they run over; the axis of a range that is summed over ends in
``!``, as in Vensim. Nothing here holds text taken from a model file except names, units and documentation.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pysd_runner.engine.names import FINAL_TIME as FINAL_TIME
from pysd_runner.engine.names import HELD as HELD
from pysd_runner.engine.names import HIDDEN as HIDDEN
from pysd_runner.engine.names import INITIAL_TIME as INITIAL_TIME
from pysd_runner.engine.names import ORDER as ORDER
from pysd_runner.engine.names import SAVEPER as SAVEPER
from pysd_runner.engine.names import SPAN as SPAN
from pysd_runner.engine.names import TIME_STEP as TIME_STEP
from pysd_runner.engine.names import key as key
from pysd_runner.engine.names import shown as shown

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


@dataclass(frozen=True, slots=True)
class Element:
    """A reference to one element of a dimension."""

    position: int


Index = Axis | Element


@dataclass(frozen=True, slots=True)
class Number:
    """A literal."""

    value: float
    axes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A literal array, flat in C order over `shape`."""

    values: tuple[float, ...]
    shape: tuple[int, ...]
    axes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Time:
    """The current time."""

    axes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reference:
    """The value of a variable, indexed; axes with the same label run together, along the diagonal."""

    variable: str
    index: tuple[Index, ...]

    @property
    def axes(self) -> tuple[str, ...]:
        """Labels of the axes that remain."""
        return tuple(dict.fromkeys(item.label for item in self.index if isinstance(item, Axis)))


@dataclass(frozen=True, slots=True)
class Operation:
    """An element-wise operation or function; `name` is a key of the targets' tables."""

    name: str
    arguments: tuple["Expression", ...]
    axes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reduction:
    """A sum, product, least or largest value over the axes in `over`."""

    name: str
    argument: "Expression"
    over: tuple[str, ...]
    axes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Interpolation:
    """A table function, or a series of data over time."""

    argument: "Expression"  # where it is read
    x: tuple[float, ...]
    y: tuple[float, ...]
    points: int  # number of points of one table
    tables: tuple[str, ...]  # axes over which there is one table each, empty for a single table
    mode: Mode
    axes: tuple[str, ...]  # axes of the argument and of `tables`, joined


@dataclass(frozen=True, slots=True)
class Random:
    """A uniform number in [0, 1), its own for every seed, draw, step, `site` and cell over `axes`."""

    # The cell is counted in C order over `axes`.

    site: int
    axes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ArrayFunction:
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
        """Lengths of the given ranges."""
        return tuple(len(self.ranges[name]) for name in dims)


# PySD and Vensim treat a denominator this small as zero, and times this close as equal.
SMALL = 1e-6


def operation(name: str, *arguments: Expression) -> Operation:
    """An element-wise operation over the joined axes of its arguments."""
    return Operation(name, arguments, joined_axes(*arguments))


def time_step() -> Expression:
    """The length of one step."""
    return Reference(TIME_STEP, ())
