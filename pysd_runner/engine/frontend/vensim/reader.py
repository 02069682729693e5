"""Reads a Vensim file into the common tree."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pysd_runner.engine.errors import InvalidModel
from pysd_runner.engine.frontend.positions import DRAWN, READ, REPLACED, STUDY, fault
from pysd_runner.engine.frontend.syntax import Call, DefinedVariable, Equation, Macro, Range, Syntax, parts
from pysd_runner.engine.frontend.vensim.entries import EXPECTED, FileEntry, FileSection, sections
from pysd_runner.engine.frontend.vensim.equations import read_definition
from pysd_runner.engine.frontend.vensim.text import UNREAD, VensimText, aliases, drawn_in, features, read_text
from pysd_runner.engine.ir import Feature
from pysd_runner.engine.names import key, tidy

# Reality checks and test inputs of Vensim, which no run uses.
_CHECK = re.compile(r":\s*(?:THE\s+CONDITION|TEST\s+INPUT|IMPLIES)\s*:", re.IGNORECASE)

# A name for a text, such as that of a file.
_TEXT = re.compile(r"(.+?):\s*IS\s*:\s*'([^']*)'", re.IGNORECASE | re.DOTALL)

_HEADER = re.compile(r'("(?:\\.|[^"\\])*"|[^("]+)\(([^():]*)(?::([^():]*))?\)', re.DOTALL)


def read_vensim(path: Path) -> Syntax:
    """Read a Vensim file."""
    text = read_text(path.read_bytes())
    main, macros = sections(text)
    if not main.entries:
        raise InvalidModel(f"there is no whole equation in this file; {EXPECTED}")
    outputs = {key(name): gives for name, _, gives in map(_header, macros)}
    named = [found for item in main.entries if (found := _TEXT.fullmatch(item.equation.strip()))]
    ranges, variables = _definitions(main.entries, outputs, tuple((key(found[1]), found[2]) for found in named))
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
    """What a file asks for in front of its settings."""
    checks = sum(bool(_CHECK.search(item.equation)) for item in main.entries)
    groups = {item.group for item in main.entries if item.group}
    for name, done, count in (
        ("equations", READ, len(main.entries) - checks),
        ("macros", READ, len(macros)),
        ("groups", "kept", len(groups)),
        ("reality checks and test inputs", STUDY, checks),
        ("sketch", DRAWN, bool(text.sketch.strip())),
        (
            f"bytes of comments and units that are no {text.encoding.upper()}",
            REPLACED,
            len(UNREAD.findall(text.equations)),
        ),
    ):
        if count:
            yield Feature(name, done, int(count))


def _header(section: FileSection) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    found = _HEADER.fullmatch(section.header.strip())
    if found is None:
        raise fault(section.place, 0, "a macro begins with its name and what it takes: :MACRO: NAME(a, b)")
    takes, gives = (
        tuple(tidy(item) for item in (part or "").split(",") if item.strip()) for part in found.groups()[1:]
    )
    return tidy(found[1]), takes, gives


def _macro(section: FileSection, outputs: Mapping[str, tuple[str, ...]]) -> Macro:
    name, parameters, gives = _header(section)
    ranges, variables = _definitions(section.entries, outputs)
    return Macro(
        name=name, parameters=parameters, outputs=gives, ranges=ranges, variables=variables, place=section.place
    )


def _definitions(
    entries: Iterable[FileEntry], outputs: Mapping[str, tuple[str, ...]], texts: tuple[tuple[str, str], ...] = ()
) -> tuple[tuple[Range, ...], tuple[DefinedVariable, ...]]:
    """Ranges and variables; equations for the same variable go together."""
    macros = frozenset(outputs)
    ranges: list[Range] = []
    found: dict[str, tuple[str, list[Equation], list[FileEntry]]] = {}
    for entry in entries:
        if _CHECK.search(entry.equation) or _TEXT.fullmatch(entry.equation.strip()):
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


def _given_by_macros(equation: Equation, outputs: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, Equation]]:
    """Variables that macros give values to in an equation of another one: ``y = MACRO(a : b)`` defines b as well."""
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
        name=name, equations=tuple(equations), unit=unit, doc=doc, group=entries[0].group, limits=limits
    )


def _without_limits(unit: str) -> tuple[str, tuple[float, ...]]:
    """A unit and the bounds behind it, such as ``person [0,?,0.5]``; the third number is the step of a slider."""
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
