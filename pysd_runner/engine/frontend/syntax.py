"""What a model file says, before its names mean anything: one tree for Vensim and XMILE, and what it may ask for.

Functions have the names of `lowering.expressions`, whatever the format calls them; names of variables, ranges and
elements stand as written.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import lru_cache
from typing import Any, Literal

from pysd_runner.engine.errors import InvalidModel
from pysd_runner.engine.ir import Drawn, Feature, Integration, Mode

# Characters of a text of the file that a message quotes.
QUOTED = 200


@dataclass(frozen=True, slots=True)
class SourcePlace:
    """A text of a model file and where it begins."""

    line: int = 0
    column: int = 1
    text: str = ""  # as it stands in the file

    def at(self, offset: int) -> str:
        """Where a character of the text stands in the file, as a person would say it."""
        offset = offset or len(self.text) - len(self.text.lstrip())
        before = self.text[: max(offset, 0)]
        breaks = before.count("\n")
        column = len(before) - before.rfind("\n") if breaks else self.column + len(before)
        return f"line {self.line + breaks}, column {column}"


class Misplaced(InvalidModel):
    """An error about one name of an equation; `at` is where the name stands in it."""

    def __init__(self, message: str, at: int = 0) -> None:
        super().__init__(message)
        self.at = at


def fault(place: SourcePlace, offset: int, message: str) -> InvalidModel:
    """An error about a character of a text."""
    return InvalidModel(f"{place.at(offset)}: {message}")


def shortened(text: str) -> str:
    """A text of the file on one line, cut where it is long."""
    line = " ".join(text[: 2 * QUOTED].split())
    return line if len(line) <= QUOTED else line[:QUOTED] + "..."


READ = "honoured"

DRAWN = "how the model is drawn; no number depends on it"

SHOWN = "how numbers are shown; none depends on it"

PROGRAM = "settings of the program that wrote the file; no number depends on them"

ABOUT = "about the file; no number depends on it"

STUDY = "a study that the program offers beside the run; it is not done here"

OUTPUT = "where the program writes results; nothing is written here"

REPLACED = "shown as question marks; save the file as UTF-8 to see them"

EULER = Integration()


@dataclass(frozen=True, slots=True)
class Numeral:
    """A literal."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A literal text, such as the name of a file."""

    value: str


@dataclass(frozen=True, slots=True)
class Array:
    """Numbers listed for all elements of a left side, row by row."""

    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Points:
    """Points of a table function, in the order of the file."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    mode: Mode = "interpolate"


@dataclass(frozen=True, slots=True)
class Span:
    """A subscript that stands for consecutive elements of a dimension, both ends included; None is the end itself."""

    first: "Node | None"
    last: "Node | None"


@dataclass(frozen=True, slots=True)
class Position:
    """A subscript that stands for a dimension of the left side by its number, counted from one."""

    number: int


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, a range or an element; `at` is where it stands in its equation."""

    name: str
    subscripts: "tuple[Subscript, ...] | None" = None
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class OperatorCall:
    """Operators of one rank in a row, ``a - b + c``: from the left, but powers from the right."""

    operators: tuple[str, ...]
    arguments: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Call:
    """A function, a macro or a table function with its arguments."""

    function: str  # name of a function in `functions`, or as the file spells it
    arguments: "tuple[Node, ...]"  # what it is called with
    subscripts: "tuple[Subscript, ...] | None" = None  # of a table function
    outputs: tuple[Name, ...] = ()  # variables that a macro gives values to beside what it gives back
    gives: str = ""  # which output of a macro is meant; the variable of its name if empty
    at: int = field(default=0, compare=False)  # where it stands in its equation


@dataclass(frozen=True, slots=True)
class Stock:
    """What integrates a flow; `non_negative`: it stops at zero."""

    flow: "Node"
    initial: "Node"
    non_negative: bool = False


@dataclass(frozen=True, slots=True)
class Leak:
    """A flow that leaks from a conveyor on its way, between two shares of its length counted from where it begins."""

    flow: str
    fraction: "Node"
    start: float = 0.0
    end: float = 1.0


@dataclass(frozen=True, slots=True)
class Inflow:
    """A flow onto a conveyor: what it asks for, None if another conveyor or a queue decides; `even`: over all of it."""

    flow: str
    request: "Node | None"
    even: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Belt:
    """A stock that works as a conveyor: what comes on leaves it after its transit time."""

    length: "Node"
    initial: "Node"  # what lies on it at the start
    inflows: tuple[Inflow, ...] = ()  # in the order in which they are let on
    leaks: tuple[Leak, ...] = ()  # in the order in which they take
    capacity: "Node | None" = None
    limit: "Node | None" = None
    arrest: "Node | None" = None  # stands still while this is not zero; None for never
    exponential: bool = False
    discrete: bool = False  # whether only whole units come on


Node = Numeral | Text | Array | Points | Name | OperatorCall | Call | Stock | Belt

# A label is a range, an element, a range with "!" that is reduced over, or "*" for a whole dimension.
Subscript = str | Node | Span | Position

# What an equation gives: a value, a value nobody may change, points of a table, or a series over time.
Kind = Literal["value", "unchangeable", "table", "data"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Equation:
    """One equation of a variable."""

    subscripts: tuple[str, ...] = ()  # ranges or elements of its left side
    exceptions: tuple[tuple[str, ...], ...] = ()  # groups of subscripts that it leaves out
    kind: Kind = "value"
    expression: Node | None  # its right side; None for data whose values come from whoever runs the model
    mode: Mode = "interpolate"  # what holds between the points of data
    text: str  # the equation on one line, without comments
    place: SourcePlace = field(default=SourcePlace(), compare=False)  # where its text stands


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinedVariable:
    """Everything a file says about one variable; `dims` are its ranges, where the file lists them."""

    name: str
    equations: tuple[Equation, ...]
    unit: str = ""
    doc: str = ""
    group: str = ""
    limits: tuple[float, ...] = ()
    dims: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MappedTo:
    """What a range is mapped to."""

    name: str  # the other range, as written
    listed: tuple[str, ...] | None = None  # what of it each element stands for, an element or a range


@dataclass(frozen=True, slots=True)
class Numbered:
    """Elements of a subscript range that are counted, ``a9``, ``a10``, ``a11``."""

    prefix: str
    first: int
    last: int

    @property
    def count(self) -> int:
        """How many they are."""
        return self.last - self.first + 1

    def names(self) -> Iterator[str]:
        """Each of them."""
        return (f"{self.prefix}{number}" for number in range(self.first, self.last + 1))


def labels_of(elements: "Sequence[str | Numbered]") -> Iterator[str]:
    """Elements of a range, one by one."""
    return (name for item in elements for name in ((item,) if isinstance(item, str) else item.names()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A subscript range."""

    name: str
    elements: "tuple[str | Numbered, ...]" = ()  # its elements, and other ranges that stand for theirs
    copy_of: str | None = None  # the range it is another name for, None for one of its own
    targets: tuple[MappedTo, ...] = ()  # ranges it is mapped to
    source: Call | None = None  # the call that reads its elements from a file, None where they are listed
    place: SourcePlace = field(default=SourcePlace(), compare=False)  # where it is defined


@dataclass(frozen=True, slots=True, kw_only=True)
class Macro:
    """A macro: what it takes, and its equations."""

    name: str
    parameters: tuple[str, ...]
    variables: tuple[DefinedVariable, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Syntax:
    """A whole model file."""

    ranges: tuple[Range, ...]
    variables: tuple[DefinedVariable, ...]
    macros: tuple[Macro, ...] = ()
    integration: Integration = EULER  # how it wants its stocks integrated
    other_names: Mapping[str, str] = field(default_factory=dict)  # names that the format has for the time controls
    files: Mapping[str, str] = field(default_factory=dict)  # what names of data files stand for
    features: tuple[Feature, ...] = ()  # what it asks for beside its equations, and what is done with it
    sketch: tuple[Drawn, ...] = ()  # where variables are drawn


def negative(node: Node) -> Node:
    """A node with a minus in front."""
    return Numeral(-node.value) if isinstance(node, Numeral) else OperatorCall(("negative",), (node,))


def folded(node: Node) -> Node:
    """A sum of numbers as one number; other nodes as they are."""
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
    """A node whose every part, and then itself, is as a function makes it."""
    if isinstance(node, tuple):
        return tuple(changed(part, change) for part in node)
    if not is_dataclass(node) or isinstance(node, type):
        return node
    inner: Any = {item.name: changed(getattr(node, item.name), change) for item in fields(node)}
    return change(replace(node, **inner))


def parts(node: Any) -> Iterator[Any]:
    """Every node of an expression, itself first."""
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


# As much of a name is shown.
_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """The most that a model file may ask for.

    Parameters
    ----------
    elements
        Elements of all subscript ranges that the file counts, ``(a1-a100)``, together; and slats of a conveyor.
    equations
        Equations that macros and modules are expanded into.
    name
        Characters of a name.
    seconds
        Predicted time of compiling the model to machine code.
    """

    elements: int = 1_000_000
    equations: int = 100_000
    name: int = 1_000
    seconds: float = 60.0

    def check(self, budget: str, count: float, asking: str) -> None:
        """Refuse what goes beyond a budget.

        Parameters
        ----------
        budget
            Which one.
        count
            How much is asked for.
        asking
            Who asks for it, and of what: the beginning of the message.

        Raises
        ------
        InvalidModel
            If it is too much; the message says how to allow more.
        """
        most = getattr(self, budget)
        if count > most:
            unit = "characters" if budget == "name" else budget
            raise InvalidModel(
                f"{asking} {count:,.0f} {unit}; at most {most:,} are read, unless the model is loaded with "
                f"load_model(path, budgets=Budgets({budget}={count:.0f}))"
            )

    def check_name(self, name: str) -> None:
        """Refuse a name that is too long.

        Raises
        ------
        InvalidModel
            If it is; the message shows its beginning.
        """
        self.check("name", len(name), f"the name {name[:_SHOWN]!r}... has")


DEFAULT = Budgets()
