"""Read change files (.cin), results of searches (.out), search controls (.voc), payoffs (.vpd) and lists (.lst)."""

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pysd_runner.core.errors import InvalidInput, Message, ProbableSlip
from pysd_runner.core.types import frozen
from pysd_runner.published.lines import NAME, NUMBER, Item, Place, Target, items_of, number_of, target_of

Points = tuple[tuple[float, float], ...]


@frozen(kw_only=False)
class FileChange:
    """A change of a constant (one or several numbers), a table (points), or a text."""

    target: Target
    value: tuple[float, ...] | Points | str
    place: Place

    @property
    def equation(self) -> str:
        """The change as an equation of a model file."""
        left = f'"{self.target.name}"{str(self.target).removeprefix(self.target.name)}'
        if isinstance(self.value, str):
            return f"{self.target.name} :IS: '{self.value}'"
        if isinstance(self.value[0], tuple):
            return f"{left}({', '.join(map(str, self.value))})"
        return f"{left} = {', '.join(map(repr, self.value))}"


@frozen(kw_only=False)
class Free:
    """A number that a search moves; a bound is a number, the name of a constant, or missing, as the start may be."""

    target: Target
    lower: float | Target | None
    start: float | None
    upper: float | Target | None
    place: Place


@frozen(kw_only=False)
class Term:
    """A term of a payoff."""

    kind: str  # C: compared with data; P: added up
    letters: str  # how it is compared, such as L for logarithms, and when it counts: F at the end, I at the start
    variable: Target
    data: Target | None  # what it is compared with
    weight: float | Target  # a number, or a constant of the model
    place: Place

    @property
    def at(self) -> str:
        """When it counts: ``"steps"``, ``"end"`` or ``"start"``."""
        return "end" if "F" in self.letters else "start" if "I" in self.letters else "steps"


@frozen(kw_only=False)
class Named:
    """A variable in a list of saved ones."""

    target: Target
    place: Place


@frozen(kw_only=False)
class StudyFile:
    """Contents of a file, in its order: `FileChange`, `Free`, `Term` or `Named`, by its ending."""

    path: Path
    entries: tuple[Any, ...]
    options: tuple[Item, ...]  # lines that begin with a colon: settings of a search, without effect in a change file
    unread: tuple[Item, ...]

    @property
    def payoff(self) -> tuple[float, Place] | None:
        """The best payoff of a search, or that of a report, and where it stands; None if the file names none."""
        found = ((_PAYOFF.match(item.text), item.place) for item in self.options)
        return next(((float(match[1]), place) for match, place in found if match), None)

    @property
    def doubts(self) -> list[str]:
        """A sentence for each line that is not understood."""
        return [Message("{place}: not read: {text}", place=item.place, text=item.text[:100]) for item in self.unread]


# Endings of change files.
CHANGES = (".cin", ".out")
_PAYOFF = re.compile(rf"(?::COMSYS\s+Best|The) payoff is\s+({NUMBER})", re.IGNORECASE)


def read_file(path: str | Path) -> StudyFile:
    """Read a text file of a study.

    Parameters
    ----------
    path
        A file whose ending is one of ``.cin .out .voc .vpd .lst``.

    Returns
    -------
    StudyFile
        Its entries, each with file and line, and the lines that are not understood.

    Raises
    ------
    InvalidInput
        If the file cannot be read or is no text.

    Notes
    -----
    Changes are ``NAME = number``, ``NAME[element] = 3, 2, 7``, ``TABLE((0,0),(1,1))`` or ``TABLE(0,1, 10,20)`` and
    ``TEXT :IS: 'words'``, and so is the value in ``0 <= NAME = 1 <= 2``, the form of a search. A payoff has types,
    ``*C`` or ``*P`` and letters, which hold for the lines ``MODEL|DATA/weight`` or ``VARIABLE/weight`` after them.
    """
    path = Path(path)
    read = _READERS[path.suffix.lower()]
    items = list(items_of(path, joins=read is _changes))
    options = tuple(item for item in items if item.text.startswith(":"))
    found = list(read(item for item in items if item not in options))
    unread = tuple(item for item in found if isinstance(item, Item))
    return StudyFile(path, tuple(item for item in found if not isinstance(item, Item)), options, unread)


def read_report(path: Path) -> StudyFile:
    """The payoff and its terms in the first paragraph of a report on a run (.rep)."""
    text = path.read_bytes().translate(None, b"\r\0")  # types are filled up with null bytes
    lines = text.partition(b"\n\n")[0].decode("utf-8-sig", "replace").splitlines()
    items = [Item(line, Place(path.name, number)) for number, line in enumerate(lines, start=1)]
    # A row begins with the type and the term; what follows are results.
    parts = [Item(part.strip(), item.place) for item in items[3:] for part in item.text.split("\t")[:2]]
    return StudyFile(path, tuple(item for item in _payoff(parts) if isinstance(item, Term)), tuple(items[:1]), ())


_STRING = re.compile(r"(.*?)\s*:IS:\s*(['\"])(.*)\2", re.IGNORECASE)
_LIST = re.compile(rf"\s*{NAME}\s*=\s*({NUMBER}(?:\s*[,;\s]\s*{NUMBER})*)\s*;?")
_TABLE = re.compile(rf"\s*{NAME}\s*\((?:\s*\[[^\]]*\]\s*,?)?(.*)\)\s*")
_PAIR = rf"\(\s*({NUMBER})\s*,\s*({NUMBER})\s*\)"


def _changes(items: Iterable[Item]) -> Iterator[Any]:
    return (change_of(item) or item for item in items)


def change_of(item: Item) -> FileChange | None:
    """The change that a line makes; None if it is not understood."""
    name, value = item.text, ()  # type: tuple[str, Any]
    if found := _STRING.fullmatch(item.text):
        name, value = found[1], found[3]
    elif "<=" in item.text:
        free = _free(item)
        return (
            FileChange(free.target, (free.start,), item.place) if free is not None and free.start is not None else None
        )
    elif found := _LIST.fullmatch(item.text):
        name, value = item.text[: found.start(3)].rstrip(" ="), tuple(map(float, re.findall(NUMBER, found[3])))
    elif found := _TABLE.fullmatch(item.text):
        name, value = item.text[: item.text.index("(", found.end(2) if found[2] else found.end(1))], _points(found[3])
    target = target_of(name)
    return None if target is None or value == () else FileChange(target, value, item.place)


def _points(text: str) -> Points:
    """Points of a table, as pairs in brackets or as all x followed by all y; empty if they are neither."""
    if re.fullmatch(rf"\s*{_PAIR}(\s*,?\s*{_PAIR})*\s*", text):
        return tuple((float(x), float(y)) for x, y in re.findall(_PAIR, text))
    numbers = [number_of(part) for part in text.split(",")]
    if None in numbers or len(numbers) % 2:
        return ()
    half = len(numbers) // 2
    return tuple(zip(numbers[:half], numbers[half:], strict=True))  # type: ignore[arg-type]


# A comparison, an equals sign, a bar and a slash outside of quotation marks.
_BOUND, _START, _BAR, _SLASH = (re.compile(rf'{sign}(?=(?:[^"]*"[^"]*")*[^"]*$)') for sign in ("<=", "=", r"\|", "/"))


def _search(items: Iterable[Item]) -> Iterator[Any]:
    return (_free(item) or item for item in items)


def _free(item: Item) -> Free | None:
    parts = [part.strip() for part in _BOUND.split(_BAR.split(item.text)[0])]
    # Of two parts, the parameter is the one with a start; a number is a bound.
    is_upper = len(parts) == 2 and (_START.search(parts[0]) or number_of(parts[1]) is not None)
    below, middle, above = (*[""] * (len(parts) == 1 or bool(is_upper)), *parts, "", "")[:3]
    name, *start = _START.split(middle, maxsplit=1)
    target, value = target_of(name), number_of(start[0]) if start else None
    bounds = [_value(text) for text in (below, above)]
    missing = [bound is None for bound in bounds]
    is_whole = missing == [not below, not above] and (value is not None if start else not all(missing))
    return Free(target, bounds[0], value, bounds[1], item.place) if target and is_whole and len(parts) <= 3 else None


def _value(text: str) -> float | Target | None:
    """A number, or the name of one."""
    number = number_of(text)
    return target_of(text) if number is None else number


def _payoff(items: Iterable[Item]) -> Iterator[Any]:
    kind = None
    for item in items:
        if item.text.startswith("*"):
            kind = re.fullmatch(r"\*\s*([CP])([A-Z]*)", item.text.upper())
            if kind is None:
                yield item
            continue
        *left, last = _SLASH.split(item.text)
        names: list[Any] = [target_of(part) for part in _BAR.split(left[0])] if len(left) == 1 else [None]
        weight = _value(last)
        if kind is None or None in names or weight is None or len(names) > 1 + (kind[1] == "C"):
            yield item
        else:
            yield Term(kind[1], kind[2], names[0], names[-1] if kind[1] == "C" else None, weight, item.place)


def _names(items: Iterable[Item]) -> Iterator[Any]:
    return (item if (name := target_of(item.text)) is None else Named(name, item.place) for item in items)


_READERS: Mapping[str, Callable[[Iterable[Item]], Iterator[Any]]] = {
    ".cin": _changes,
    ".out": _changes,
    ".voc": _search,
    ".vpd": _payoff,
    ".lst": _names,
}


def equations_of(path: str | Path) -> tuple[tuple[str, str], ...]:
    """Changes of a file as equations, each with its place; warns of lines that are not understood."""
    path = Path(path)
    if path.suffix.lower() not in CHANGES:
        raise InvalidInput(
            "{path} is no change file; expected one that ends in {known}", path=path, known=" or ".join(CHANGES)
        )
    found = read_file(path)
    for doubt in found.doubts:
        warnings.warn(doubt, ProbableSlip, stacklevel=3)
    return tuple((item.equation, str(item.place)) for item in found.entries)
