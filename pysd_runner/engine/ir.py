"""The representation every target is built from: small, immutable, with its loops over subscripts intact.

An expression has axes, named after the subscript range they run over; the axis of a range that is summed over ends in
``!``, as in Vensim. Nothing here holds text taken from a model file except names, units and documentation.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

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
    """A table function, or a series of data over time.

    Parameters
    ----------
    argument
        Where it is read.
    x, y
        Its points, increasing in x, flat in C order over the axes in `tables` and then the points. A table with fewer
        points than others repeats its last one, or goes on along its last line where it is extrapolated.
    points
        Number of points of one table.
    tables
        Axes over which there is one table each, empty for a single table.
    mode
        Between points: ``interpolate``, ``extrapolate`` straight lines, ``hold_backward`` the point before,
        ``look_forward`` the point after, ``raw`` NaN. Beyond the ends ``extrapolate`` goes on with the slope at the
        end, ``raw`` gives NaN, the others hold the end.
    axes
        Axes of the argument and of `tables`, joined.
    """

    argument: "Expression"
    x: tuple[float, ...]
    y: tuple[float, ...]
    points: int
    tables: tuple[str, ...]
    mode: Mode
    axes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Random:
    """A uniform number in [0, 1), its own for every seed, draw, step, `site` and cell over `axes`.

    The cell is counted in C order over `axes`.
    """

    site: int
    axes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ArrayFunction:
    """A function of whole arrays, such as a matrix inverse; `name` is a key of `array_functions.FUNCTIONS`.

    Parameters
    ----------
    name
        Which function.
    arguments
        What it takes.
    core
        For each argument the axes the function works on, in order; they end in ``!``. All other axes are looped over.
    result
        Axes of the result that the function makes, in order.
    axes
        Axes looped over, then `result`.
    """

    name: str
    arguments: tuple["Expression", ...]
    core: tuple[tuple[str, ...], ...]
    result: tuple[str, ...]
    axes: tuple[str, ...]


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


def joined_axes(*parts: Expression) -> tuple[str, ...]:
    """Axes of an element-wise operation: those of the parts, in order of first appearance."""
    return tuple(dict.fromkeys(label for part in parts for label in part.axes))


@dataclass(frozen=True, slots=True)
class Block:
    """An equation for a part of a variable.

    Parameters
    ----------
    index
        Which part of the variable the equation defines, one entry per dimension.
    expression
        The value; for a stock its net flow; for a memory its value at the next step; for a pipe what flows in.
    initial
        For what carries a value its initial value; for ACTIVE INITIAL what holds at the start; otherwise None.
    text
        The equation as a person would write it.
    delay
        For a pipe how long a value stays in it, read at the start; otherwise None. It is as many steps as
        ``max(delay / step, 1)`` rounded says (`pipe.steps_of`); until then the initial value comes out.
    non_negative
        Whether a stock stops at zero.
    """

    index: tuple[Index, ...]
    expression: Expression
    initial: Expression | None
    text: str
    delay: Expression | None = None
    non_negative: bool = False

    @property
    def axes(self) -> tuple[str, ...]:
        """Labels of the axes the block runs over, in the order of the dimensions."""
        return tuple(item.label for item in self.index if isinstance(item, Axis))


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable of a model.

    Parameters
    ----------
    name
        As written in the file, with single spaces.
    unit
        As written in the file, an empty string when none is given.
    dims
        Names of the subscript ranges it is defined over.
    kind
        ``constant``: a number or table; ``stock``: integrates a flow; ``memory``: takes over a value at every step;
        ``pipe``: gives back what flowed in a fixed time ago; ``initial``: frozen at the start; ``control``: time bounds
        and steps; ``lookup``: a table function; ``data``: to be given from outside; ``auxiliary``: everything else.
    doc
        The documentation of the file.
    group
        The sector of the file it stands in, an empty string when there is none.
    blocks
        Its equations; they do not overlap.
    hidden
        True for a stock that a smooth or delay was expanded into.
    uncovered
        Why the variable could not be lowered, with the feature and the equation; empty when it was.
    limits
        Lower and upper bound that the file gives, in the unit of the variable; empty unless it gives both.
    """

    name: str
    unit: str
    dims: tuple[str, ...]
    kind: Kind
    doc: str
    group: str
    blocks: tuple[Block, ...]
    hidden: bool = False
    uncovered: str = ""
    limits: tuple[float, ...] = ()

    @property
    def equation(self) -> str:
        """The equation text, one line per equation of the file."""
        return "\n".join(dict.fromkeys(block.text for block in self.blocks))


@dataclass(frozen=True, slots=True)
class Integration:
    """How a model file wants its stocks integrated.

    Parameters
    ----------
    method
        What does it; None where nothing here comes near what the file asks for.
    asked
        What the file asks for, where that is something else; otherwise empty.
    """

    method: Method | None = "euler"
    asked: str = ""


@dataclass(frozen=True, slots=True)
class Feature:
    """Something that a model file asks for.

    Parameters
    ----------
    name
        As the file spells it.
    done
        What is done with it.
    count
        How often it asks.
    warns
        Whether numbers would be other ones if it were done as the program does that wrote the file.
    """

    name: str
    done: str
    count: int = 1
    warns: bool = False


@dataclass(frozen=True, slots=True)
class Drawn:
    """A variable where a program draws it.

    Parameters
    ----------
    variable
        Its name.
    view
        Name of the drawing.
    x, y
        Its centre, in the units of the program, downwards.
    is_copy
        Whether it is drawn there once more.
    """

    variable: str
    view: str
    x: float
    y: float
    is_copy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelIr:
    """A whole model, lowered.

    Parameters
    ----------
    ranges
        Subscript ranges with their elements; an alias has the elements of what it stands for.
    variables
        Every variable by name, in the order of the file, then the hidden ones.
    fingerprint
        Hash of everything that decides the numbers.
    structural
        Hidden variables that decided how many levels a delay or smooth was expanded into, with the values they had.
    files
        Hash of every data file that was read, by its path; their numbers are in the equations.
    integration
        How the file wants its stocks integrated.
    features
        What the file asks for beside its equations, and what is done with it.
    sketch
        Variables where they are drawn, in the order of the file.
    """

    ranges: Mapping[str, tuple[str, ...]]
    variables: Mapping[str, Variable]
    fingerprint: str = field(compare=False)
    structural: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict, compare=False)
    integration: Integration = Integration()
    features: tuple[Feature, ...] = field(default=(), compare=False)
    sketch: tuple[Drawn, ...] = field(default=(), compare=False)

    def shape(self, dims: tuple[str, ...]) -> tuple[int, ...]:
        """Lengths of the given ranges."""
        return tuple(len(self.ranges[name]) for name in dims)
