"""Reads a Vensim file into the common tree."""

import re
from collections.abc import Iterable
from pathlib import Path

from pysd_runner.engine.frontend.places import fault
from pysd_runner.engine.frontend.syntax import Equation, Macro, Range, Syntax, Variable
from pysd_runner.engine.frontend.vensim.entries import EXPECTED, Entry, Section, sections
from pysd_runner.engine.frontend.vensim.equations import read_definition
from pysd_runner.engine.frontend.vensim.text import read_text
from pysd_runner.engine.names import key, tidy
from pysd_runner.errors import InvalidModel

# Reality checks and test inputs of Vensim, which no run uses.
_CHECK = re.compile(r":\s*(?:THE\s+CONDITION|TEST\s+INPUT|IMPLIES)\s*:", re.IGNORECASE)

_HEADER = re.compile(r'("(?:\\.|[^"\\])*"|[^("]+)\(([^():]*)(?::([^():]*))?\)', re.DOTALL)


def read_vensim(path: Path) -> Syntax:
    """Read a Vensim file.

    Parameters
    ----------
    path
        An ``.mdl`` file.

    Returns
    -------
    Syntax
        What it says.

    Raises
    ------
    InvalidModel
        If an equation cannot be read; the message says where.
    """
    text = read_text(path.read_bytes())
    main, macros = sections(text.equations)
    if not main.entries:
        raise InvalidModel(f"there is no whole equation in this file; {EXPECTED}")
    names = frozenset(key(_header(item)[0]) for item in macros)
    ranges, variables = _definitions(main.entries, names)
    return Syntax(
        ranges=ranges,
        variables=variables,
        macros=tuple(_macro(item, names) for item in macros),
        integration=text.integration,
    )


def _header(section: Section) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    found = _HEADER.fullmatch(section.header.strip())
    if found is None:
        raise fault(section.place, 0, "a macro begins with its name and what it takes: :MACRO: NAME(a, b)")
    takes, gives = (
        tuple(tidy(item) for item in (part or "").split(",") if item.strip()) for part in found.groups()[1:]
    )
    return tidy(found[1]), takes, gives


def _macro(section: Section, macros: frozenset[str]) -> Macro:
    name, parameters, outputs = _header(section)
    ranges, variables = _definitions(section.entries, macros)
    return Macro(
        name=name, parameters=parameters, outputs=outputs, ranges=ranges, variables=variables, place=section.place
    )


def _definitions(entries: Iterable[Entry], macros: frozenset[str]) -> tuple[tuple[Range, ...], tuple[Variable, ...]]:
    """Ranges and variables; equations for the same variable go together."""
    ranges: list[Range] = []
    found: dict[str, tuple[str, list[Equation], list[Entry]]] = {}
    for entry in entries:
        if _CHECK.search(entry.equation):
            continue
        definition = read_definition(entry.equation, entry.place, macros)
        if isinstance(definition, Range):
            ranges.append(definition)
            continue
        name, equation = definition
        _, equations, stands_in = found.setdefault(key(name), (name, [], []))
        equations.append(equation)
        stands_in.append(entry)
    return tuple(ranges), tuple(_variable(*item) for item in found.values())


def _variable(name: str, equations: list[Equation], entries: list[Entry]) -> Variable:
    unit = ""
    limits: tuple[float, ...] = ()
    for entry in entries:
        own, bounds = _without_limits(entry.unit)
        unit, limits = own or unit, bounds or limits
    doc = next((entry.doc for entry in reversed(entries) if entry.doc), "")
    return Variable(name=name, equations=tuple(equations), unit=unit, doc=doc, group=entries[0].group, limits=limits)


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
