"""Syntax tree of a model file, common to Vensim and XMILE, before names are resolved; and limits on the model's size.

Functions have the names used in `lowering.expressions`, in both formats; names of variables, ranges and elements are
kept as written.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, fields, is_dataclass, replace
from functools import lru_cache
from typing import Any, Literal

from pysd_runner.engine.errors import InvalidModel, Message
from pysd_runner.engine.ir import Drawn, Feature, Integration, Mode, OutflowRule
from pysd_runner.engine.kinds import frozen

# Maximum number of characters of the file that a message quotes.
QUOTED = 200


@frozen
class SourcePlace:
    """A piece of text of a model file and the position where it begins."""

    line: int = 0
    column: int = 1
    text: str = ""  # as written in the file
    where: str = ""  # file and line of a text that is not in the model file

    def at(self, offset: int) -> Message:
        """Describe the line and column, in the file, of a character of the text."""
        if self.where:
            return Message(self.where)
        offset = offset or len(self.text) - len(self.text.lstrip())
        before = self.text[: max(offset, 0)]
        breaks = before.count("\n")
        column = len(before) - before.rfind("\n") if breaks else self.column + len(before)
        return Message("line {line}, column {column}", line=self.line + breaks, column=column)


class Misplaced(InvalidModel):
    """Error about one name in an equation; `at` is the offset of the name."""

    def __init__(self, message: str, at: int = 0) -> None:
        super().__init__(message)
        self.at = at


def fault(place: SourcePlace, offset: int, message: str) -> InvalidModel:
    """Error with the line and column of a character in the file."""
    return InvalidModel("{where}: {said}", where=place.at(offset), said=message)


def shortened(text: str) -> str:
    """Text on one line, truncated to `QUOTED` characters."""
    line = " ".join(text[: 2 * QUOTED].split())
    return line if len(line) <= QUOTED else line[:QUOTED] + "..."


READ = Message("honoured")

DRAWN = Message("how the model is drawn; no number depends on it")

FORMATTED = Message("how numbers are shown; none depends on it")

PROGRAM = Message("settings of the program that wrote the file; no number depends on them")

ABOUT = Message("about the file; no number depends on it")

STUDY = Message("a study that the program offers beside the run; it is not done here")

OUTPUT = Message("where the program writes results; nothing is written here")

REPLACED = Message("shown as question marks; save the file as UTF-8 to see them")

EULER = Integration()


@frozen
class Numeral:
    """Number literal."""

    value: float


@frozen
class Text:
    """String literal, such as the name of a file."""

    value: str


@frozen
class Array:
    """Numbers listed for all elements of the left-hand side, in row-major order."""

    values: tuple[float, ...]


@frozen
class Points:
    """Points of a table function, in the order of the file."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    mode: Mode = "interpolate"
    odd_limits: str = ""  # range in which the table is drawn, where a bracket of it is missing


@frozen
class Span:
    """Subscript for consecutive elements of a dimension, both ends included; None is the first or last element."""

    first: "Node | None"
    last: "Node | None"


@frozen
class Position:
    """Subscript that refers to a dimension of the left-hand side by its number, counted from one, ``@1``."""

    number: int


@frozen
class Name:
    """Name of a variable, range or element; `at` is its offset in the equation.

    Without subscripts, `outer` are those of the modules that the equation stands in.
    """

    name: str
    subscripts: "tuple[Subscript, ...] | None" = None
    at: int = field(default=0, compare=False)
    outer: tuple[str, ...] = ()


@frozen
class OperatorCall:
    """Chain of operators of the same precedence, ``a - b + c``: left-associative, except for powers."""

    operators: tuple[str, ...]
    arguments: "tuple[Node, ...]"


@frozen
class Call:
    """Call of a function, a macro or a table function."""

    function: str  # its name in `lowering.expressions`, or as the file spells it
    arguments: "tuple[Node, ...]"
    subscripts: "tuple[Subscript, ...] | None" = None  # of a table function
    outputs: tuple[Name, ...] = ()  # variables that receive the additional outputs of a macro
    gives: str = ""  # name of the macro output to return; if empty, the variable with the name of the macro
    at: int = field(default=0, compare=False)  # offset in its equation


@frozen
class Stock:
    """A stock, the integral of a net flow; `non_negative`: it cannot fall below zero."""

    flow: "Node"
    initial: "Node"
    non_negative: bool = False


@frozen
class Leak:
    """Leakage flow of a conveyor; `start` and `end` of its zone are fractions of the length from the inlet."""

    flow: str
    fraction: "Node"
    start: float = 0.0
    end: float = 1.0


@frozen
class Inflow:
    """Inflow of a conveyor: desired rate, None if another conveyor or queue sets it; `even`: spread over all slats."""

    flow: str
    request: "Node | None"
    even: bool = False


@frozen(kw_only=True)
class Conveyor:
    """A conveyor: a stock whose inflows leave it after the transit time, `length`."""

    length: "Node"
    initial: "Node"  # initial content
    inflows: tuple[Inflow, ...] = ()  # in the order in which they are admitted
    leaks: tuple[Leak, ...] = ()  # in the order in which they drain it
    capacity: "Node | None" = None
    limit: "Node | None" = None
    arrest: "Node | None" = None  # the conveyor is stopped while this is not zero; None if it never stops
    exponential: bool = False
    discrete: bool = False  # whether only whole units are admitted


Node = Numeral | Text | Array | Points | Name | OperatorCall | Call | Stock | Conveyor

# A string is the name of a range or element, a range with "!" that is reduced over, or "*" for a whole dimension.
Subscript = str | Node | Span | Position

# Kind of an equation: a value, a constant that may not be changed, points of a table, or a time series.
Kind = Literal["value", "unchangeable", "table", "data"]


@frozen(kw_only=True)
class Equation:
    """One equation of a variable."""

    subscripts: tuple[str, ...] = ()  # ranges or elements of its left-hand side
    exceptions: tuple[tuple[str, ...], ...] = ()  # groups of subscripts that :EXCEPT: excludes
    kind: Kind = "value"
    expression: Node | None  # its right-hand side; None if the caller must supply the values
    mode: Mode = "interpolate"  # interpolation mode between data points
    text: str  # the equation on one line, without comments
    place: SourcePlace = field(default=SourcePlace(), compare=False)  # position of its text in the file


@frozen(kw_only=True)
class DefinedVariable:
    """Definition of one variable in a file; `dims` are its dimensions, if the file lists them."""

    name: str
    equations: tuple[Equation, ...]
    unit: str = ""
    doc: str = ""
    group: str = ""
    limits: tuple[float, ...] = ()
    dims: tuple[str, ...] = ()


@frozen
class MappedTo:
    """Mapping of a subscript range to another one."""

    name: str  # the other range, as written
    listed: tuple[str, ...] | None = None  # for each element, an element or subrange of the other range


@frozen
class Numbered:
    """Numbered elements of a subscript range, ``a9``, ``a10``, ``a11``."""

    prefix: str
    first: int
    last: int

    @property
    def count(self) -> int:
        """Number of elements."""
        return self.last - self.first + 1

    def names(self) -> Iterator[str]:
        """Names of the elements."""
        return (f"{self.prefix}{number}" for number in range(self.first, self.last + 1))


def labels_of(elements: "Sequence[str | Numbered]") -> Iterator[str]:
    """Names of the elements of a range, with numbered elements expanded."""
    return (name for item in elements for name in ((item,) if isinstance(item, str) else item.names()))


@frozen(kw_only=True)
class Range:
    """A subscript range."""

    name: str
    elements: "tuple[str | Numbered, ...]" = ()  # its elements; names of other ranges stand for theirs
    copy_of: str | None = None  # the range of which it is an alias, None if it is not an alias
    targets: tuple[MappedTo, ...] = ()  # ranges it is mapped to
    source: Call | None = None  # the call that reads its elements from a file, None if they are listed
    place: SourcePlace = field(default=SourcePlace(), compare=False)  # where it is defined


@frozen(kw_only=True)
class Macro:
    """Definition of a macro: its parameters and equations."""

    name: str
    parameters: tuple[str, ...]
    variables: tuple[DefinedVariable, ...] = ()


@frozen(kw_only=True)
class Syntax:
    """Syntax tree of a whole model file."""

    ranges: tuple[Range, ...]
    variables: tuple[DefinedVariable, ...]
    macros: tuple[Macro, ...] = ()
    integration: Integration = EULER  # the integration method it requests
    outflows: OutflowRule = "next step"  # the rule for outflows of its non-negative stocks
    other_names: Mapping[str, str] = field(default_factory=dict)  # the format's own names of the time controls
    files: Mapping[str, str] = field(default_factory=dict)  # data files by the aliases used in equations
    features: tuple[Feature, ...] = ()  # other contents of the file, and how each is handled
    sketch: tuple[Drawn, ...] = ()  # positions of variables in the diagram


def negative(node: Node) -> Node:
    """Negation of a node."""
    return Numeral(-node.value) if isinstance(node, Numeral) else OperatorCall(("negative",), (node,))


def folded(node: Node) -> Node:
    """Fold a sum of literals into one literal; return other nodes unchanged."""
    if not isinstance(node, OperatorCall) or not set(node.operators) <= {"+", "-"}:
        return node
    values = [part.value for part in node.arguments if isinstance(part, Numeral)]
    if len(values) < len(node.arguments):
        return node
    total = values[0]
    for operator, value in zip(node.operators, values[1:], strict=True):
        total = total + value if operator == "+" else total - value
    return Numeral(total)


def changed(node: Any, change: Callable[[Any], Any]) -> Any:
    """Apply a function to every part of a node, and then to the node itself."""
    if isinstance(node, tuple):
        return tuple(changed(part, change) for part in node)
    if not is_dataclass(node) or isinstance(node, type):
        return node
    inner: Any = {item.name: changed(getattr(node, item.name), change) for item in fields(node)}
    return change(replace(node, **inner))


def parts(node: Any) -> Iterator[Any]:
    """All nodes of an expression in pre-order."""
    waiting = [node]
    while waiting:
        item = waiting.pop()
        if isinstance(item, tuple):
            waiting.extend(reversed(item))
        elif is_dataclass(item):
            yield item
            kind: Any = type(item)
            waiting.extend(getattr(item, name) for name in reversed(_names_of(kind)))


@lru_cache(maxsize=32)
def _names_of(kind: Any) -> tuple[str, ...]:
    return tuple(item.name for item in fields(kind))


# Maximum number of characters of a name that a message shows.
_MAX_CHARACTERS = 40


@frozen(kw_only=True)
class Budgets:
    """Limits on the size of a model.

    Parameters
    ----------
    elements
        Total number of numbered elements, ``(a1-a100)``, of all subscript ranges; also number of slats of a conveyor.
    equations
        Number of equations that macros and modules are expanded into.
    name
        Number of characters of a name.
    seconds
        Predicted time to compile the model to machine code, in seconds.
    """

    elements: int = 1_000_000
    equations: int = 100_000
    name: int = 1_000
    seconds: float = 60.0

    def check(self, budget: str, count: float, asking: Message) -> None:
        """Raise an error if a limit is exceeded.

        Parameters
        ----------
        budget
            Name of the limit.
        count
            Number that the model requests.
        asking
            Beginning of the message: what requests it.

        Raises
        ------
        InvalidModel
            If the limit is exceeded; the message says how to raise it.
        """
        most = getattr(self, budget)
        if count > most:
            unit = Message("characters") if budget == "name" else Message(budget)
            raise InvalidModel(
                "{asking} {count:,.0f} {unit}; at most {most:,} are read, unless the model is loaded "
                "with load_model(path, budgets=Budgets({budget}={needed:.0f}))",
                asking=asking,
                count=count,
                needed=count,
                unit=unit,
                most=most,
                budget=budget,
            )

    def check_name(self, name: str) -> None:
        """Raise an error if a name is too long.

        Raises
        ------
        InvalidModel
            If the name is too long; the message shows its beginning.
        """
        self.check("name", len(name), Message("the name {name!r}... has", name=name[:_MAX_CHARACTERS]))


DEFAULT = Budgets()
