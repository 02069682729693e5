"""Read a Vensim file into the common syntax tree: split it into sections and entries, and merge their definitions."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pysd_runner.engine.errors import InvalidModel, Message
from pysd_runner.engine.frontend.changes import TEXT, Changed, with_texts
from pysd_runner.engine.frontend.syntax import (
    DRAWN,
    READ,
    REPLACED,
    STUDY,
    Call,
    DefinedVariable,
    Equation,
    Macro,
    Range,
    SourcePlace,
    Syntax,
    fault,
    parts,
    shortened,
)
from pysd_runner.engine.frontend.vensim.equations import read_definition
from pysd_runner.engine.frontend.vensim.text import UNREAD, VensimText, aliases, drawn_in, features, read_text, readable
from pysd_runner.engine.ir import Feature, key, tidy
from pysd_runner.engine.kinds import frozen

EXPECTED = Message("expected: name = expression ~ unit ~ comment |")

_MACRO = re.compile(r":\s*MACRO\s*:\s*", re.IGNORECASE)

_END_OF_MACRO = re.compile(r":\s*END\s+OF\s+MACRO\s*:\s*", re.IGNORECASE)

_GROUP = re.compile(r"\*{3,}\s*\.?(?P<name>[^*]*?)\s*\*{3,}", re.DOTALL)

# Characters that end the first part of an entry, or delimit quotes and comments that may contain such characters.
_MARK = re.compile(r'["{}~|]')

_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"', re.DOTALL)

_BRACE = re.compile(r"[{}]")

_CONTINUED = re.compile(r"\\(?=\s*\n)")


@frozen
class FileEntry:
    """One entry of a file."""

    equation: str  # its first part; comments are replaced by spaces of the same length
    place: SourcePlace
    unit: str = ""
    doc: str = ""
    group: str = ""  # the group it belongs to, empty if none


@dataclass(slots=True)
class FileSection:
    """Entries of the model or of one macro; `header` is the text between ``:MACRO:`` and the macro's equations."""

    header: str = ""
    place: SourcePlace = field(default=SourcePlace())
    entries: list[FileEntry] = field(default_factory=list)


def sections(text: VensimText) -> tuple[FileSection, list[FileSection]]:
    """Split a file into the entries of the model and of macros; only comments and units may have undecodable bytes."""
    return _Reader(text).read()


class _Reader:
    """Scanner that passes once through a text, entry by entry."""

    def __init__(self, source: VensimText) -> None:
        self.source, self.text = source, source.equations
        self.position = 0
        self.group = ""
        self.main = FileSection()
        self.macros: list[FileSection] = []
        self.current = self.main
        self._line, self._counted = 1, 0

    def read(self) -> tuple[FileSection, list[FileSection]]:
        while True:
            start = self.position
            masked = self._skipped()
            if self.position == len(self.text):
                break
            if found := _MACRO.match(self.text, self.position):
                self._begin(found.end())
            elif found := _END_OF_MACRO.match(self.text, self.position):
                self.position, self.current = found.end(), self.main
            else:
                self.position = start
                self._entry(masked)
        if self.current is not self.main:
            raise fault(self.current.place, 0, Message("a macro has no :END OF MACRO:"))
        return self.main, self.macros

    def _place(self, start: int, end: int) -> SourcePlace:
        self._line += self.text.count("\n", self._counted, start)
        self._counted = start
        return SourcePlace(self._line, start - self.text.rfind("\n", 0, start), self.text[start:end])

    def _skipped(self) -> int:
        """Skip whitespace and comments; return the position where they began."""
        text, start = self.text, self.position
        while self.position < len(text):
            character = text[self.position]
            if character == "{":
                self.position = self._comment_end(self.position)
            elif character.isspace() or character == "\ufeff":
                self.position += 1
            else:
                break
        return start

    def _comment_end(self, start: int) -> int:
        """End of a comment, or of the file if the comment is not closed."""
        depth = 0
        for mark in _BRACE.finditer(self.text, start):
            depth += 1 if mark[0] == "{" else -1
            if not depth:
                return mark.end()
        return len(self.text)

    def _begin(self, start: int) -> None:
        if self.current is not self.main:
            raise fault(self._place(self.position, start), 0, Message("a macro begins inside another one"))
        end = self.text.find(")", start)
        if end < 0:
            raise fault(
                self._place(start, start), 0, Message("a macro has no list of what it takes: :MACRO: NAME(a, b)")
            )
        self._check_bytes(self.text[start:end], start)
        self.current = FileSection(_CONTINUED.sub(" ", self.text[start : end + 1]), self._place(start, end + 1))
        self.macros.append(self.current)
        self.position = end + 1

    def _entry(self, start: int) -> None:
        pieces, end = self._first_part(start)
        blank = len(whole := "".join(pieces)) - len(whole.lstrip())
        place = self._place(start + blank, end)
        fields = self._other_parts(end, place)
        equation = _CONTINUED.sub(" ", whole[blank:])
        group = _GROUP.fullmatch(equation.strip())
        if group:
            self.group = readable(" ".join(group["name"].split())) if self.current is self.main else self.group
            return
        self._check_bytes(equation, start + blank)
        if equation.strip():
            unit, doc, *more = *fields, "", ""
            more = [item for item in more if item.strip() and not item.strip().startswith(":")]
            if "=" in unit or (more and "=" in doc):
                told = Message(
                    "the entry {text!r} seems to hold another one; {expected}",
                    text=shortened(equation),
                    expected=EXPECTED,
                )
                raise fault(place, 0, told)
            doc = " ~ ".join([doc.strip(), *(item.strip() for item in more)])
            self.current.entries.append(FileEntry(equation, place, readable(unit.strip()), readable(doc), self.group))

    def _check_bytes(self, part: str, start: int) -> None:
        """Raise an error if a part of an equation has a byte that cannot be decoded."""
        if (found := UNREAD.search(part)) is not None:
            raise self.source.unreadable(start + found.start())

    def _first_part(self, start: int) -> tuple[list[str], int]:
        """First part of an entry, in pieces with blanked comments, and its end."""
        text, pieces, done = self.text, [], start
        for mark in _MARK.finditer(text, start):
            place, character = mark.start(), mark[0]
            if place < done:
                continue
            if character in "~|":
                pieces.append(text[done:place])
                return pieces, place
            end = place + 1
            if character == '"' and (quoted := _QUOTED.match(text, place)):
                end = quoted.end()
            if character == "{":
                end = self._comment_end(place)
                pieces += [text[done:place], _blank(text[place:end])]
            else:
                pieces.append(text[done:end])
            done = end
        raise _endless(self._place(start, len(text)))

    def _other_parts(self, end: int, place: SourcePlace) -> list[str]:
        """Return the parts of an entry after the first, and set the position after the entry."""
        close = self.text.find("|", end)
        if close < 0:
            raise _endless(place)
        self.position = close + 1
        return self.text[end + 1 : close].split("~") if self.text[end] == "~" else []


def _endless(place: SourcePlace) -> InvalidModel:
    text = shortened(place.text)
    return fault(place, 0, Message("an entry does not end: {text!r}; {expected}", text=text, expected=EXPECTED))


def _blank(text: str) -> str:
    """Replace a text by spaces of the same length; keep line breaks."""
    return re.sub(r"[^\n]", " ", text)


# Reality checks and test inputs of Vensim, which do not affect runs.
_CHECK = re.compile(r":\s*(?:THE\s+CONDITION|TEST\s+INPUT|IMPLIES)\s*:", re.IGNORECASE)

_PLACEHOLDER = re.compile(r"=\s*A\s+FUNCTION\s+OF\s*\(", re.IGNORECASE)

_HEADER = re.compile(r'("(?:\\.|[^"\\])*"|[^("]+)\(([^():]*)(?::([^():]*))?\)', re.DOTALL)


def read_vensim(path: Path, changes: Iterable[Changed] = ()) -> Syntax:
    """Read a Vensim file, with the named strings that changes set."""
    text = read_text(path.read_bytes())
    main, macros = sections(text)
    if not main.entries:
        raise InvalidModel("there is no whole equation in this file; {expected}", expected=EXPECTED)
    outputs = {key(name): gives for name, _, gives in map(_header, macros)}
    named = [found for item in main.entries if (found := TEXT.fullmatch(item.equation.strip()))]
    texts = with_texts({key(found[1]): found[2] for found in named}, changes)
    ranges, variables = _definitions(main.entries, outputs, tuple(texts.items()))
    return Syntax(
        ranges=ranges,
        variables=variables,
        macros=tuple(_macro(item, outputs) for item in macros),
        integration=text.integration,
        files=aliases(text.settings),
        features=(*_features(text, main, macros), *features(text.settings)),
        sketch=tuple(drawn_in(text.sketch)),
    )


def _features(text: VensimText, main: FileSection, macros: Sequence[FileSection]) -> Iterator[Feature]:
    """Contents of a file before its settings, and how each is handled."""
    checks = sum(bool(_CHECK.search(item.equation)) for item in main.entries)
    holes = sum(bool(_PLACEHOLDER.search(item.equation)) for item in main.entries)
    groups = {item.group for item in main.entries if item.group}
    for name, done, count in (
        (Message("model equations"), READ, len(main.entries) - checks),
        (Message("macros"), READ, len(macros)),
        (Message("groups"), Message("kept"), len(groups)),
        (Message("reality checks and test inputs"), STUDY, checks),
        ("A FUNCTION OF", Message("placeholder of an equation that is read where it follows"), holes),
        (Message("sketch"), DRAWN, bool(text.sketch.strip())),
        (
            Message("bytes of comments and units that are no {encoding}", encoding=text.encoding.upper()),
            REPLACED,
            len(UNREAD.findall(text.equations)),
        ),
    ):
        if count:
            yield Feature(name, done, int(count))


def _header(section: FileSection) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    found = _HEADER.fullmatch(section.header.strip())
    if found is None:
        raise fault(section.place, 0, Message("a macro has no list of what it takes: :MACRO: NAME(a, b)"))
    takes, gives = (
        tuple(tidy(item) for item in (part or "").split(",") if item.strip()) for part in found.groups()[1:]
    )
    return tidy(found[1]), takes, gives


def _macro(section: FileSection, outputs: Mapping[str, tuple[str, ...]]) -> Macro:
    name, parameters, _ = _header(section)
    return Macro(name=name, parameters=parameters, variables=_definitions(section.entries, outputs)[1])


def _definitions(
    entries: Iterable[FileEntry], outputs: Mapping[str, tuple[str, ...]], texts: tuple[tuple[str, str], ...] = ()
) -> tuple[tuple[Range, ...], tuple[DefinedVariable, ...]]:
    """Subscript ranges and variables; equations of the same variable are merged."""
    macros = frozenset(outputs)
    ranges: list[Range] = []
    found: dict[str, tuple[str, list[Equation], list[FileEntry]]] = {}
    for entry in entries:
        if _CHECK.search(entry.equation) or TEXT.fullmatch(entry.equation.strip()):
            continue
        definition = read_definition(entry.equation, entry.place, macros, texts)
        if isinstance(definition, Range):
            ranges.append(definition)
            continue
        name, equation = definition
        for given, own in ((name, equation), *_given_by_macros(equation, outputs)):
            _, equations, stands_in = found.setdefault(key(given), (given, [], []))
            equations.append(own)
            stands_in.append(entry)
    return tuple(ranges), tuple(_variable(*item) for item in found.values())


def _whole(equations: list[Equation]) -> list[Equation]:
    """Equations without placeholders, unless there is nothing else."""
    return [item for item in equations if not _is_placeholder(item.expression)] or equations


def _is_placeholder(node: object) -> bool:
    return isinstance(node, Call) and key(node.function) == "a function of"


def _given_by_macros(equation: Equation, outputs: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, Equation]]:
    """Variables defined as additional outputs of macro calls in an equation: ``y = MACRO(a : b)`` also defines b."""
    if ":" not in equation.text:
        return
    for node in parts(equation.expression):
        if not isinstance(node, Call) or not node.outputs:
            continue
        gives = outputs.get(key(node.function), ())
        if len(node.outputs) > len(gives):
            raise fault(equation.place, 0, f"{node.function!r} gives {len(gives)} values behind the colon, not more")
        for name, output in zip(node.outputs, gives, strict=False):
            labels = equation.subscripts if name.subscripts is None else tuple(map(str, name.subscripts))
            yield name.name, replace(equation, subscripts=labels, expression=replace(node, gives=output))


def _variable(name: str, equations: list[Equation], entries: list[FileEntry]) -> DefinedVariable:
    unit = ""
    limits: tuple[float, ...] = ()
    for entry in entries:
        own, bounds = _without_limits(entry.unit)
        unit, limits = own or unit, bounds or limits
    doc = next((entry.doc for entry in reversed(entries) if entry.doc), "")
    return DefinedVariable(
        name=name, equations=tuple(_whole(equations)), unit=unit, doc=doc, group=entries[0].group, limits=limits
    )


def _without_limits(unit: str) -> tuple[str, tuple[float, ...]]:
    """Split a unit from its bounds, as in ``person [0,?,0.5]``; the third number is the step of a slider."""
    if not unit.endswith("]"):
        return unit, ()
    plain, _, inside = unit.removesuffix("]").rpartition("[")
    low, high, *_ = *(_number(part) for part in inside.split(",")), None, None
    bounds = () if low is None or high is None or not -float("inf") < low < high < float("inf") else (low, high)
    return plain.strip(), bounds


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
