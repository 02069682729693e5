"""Reads a Vensim file with PySD's translator; nothing of the file is executed, and nothing of it is left out."""

import re
from pathlib import Path
from typing import Any

from pysd_runner.engine.errors import InvalidModel
from pysd_runner.engine.frontend.translated.mapping import keep_mappings
from pysd_runner.engine.frontend.translated.translation import (
    Reading,
    explained,
    keep_brackets,
    read_literals_only,
    shortened,
    without_comments,
)
from pysd_runner.engine.frontend.vensim.settings import aliases
from pysd_runner.engine.frontend.vensim.text import read_text

# What parts the equations from the sketch; some files have one backslash too many or too few.
_SKETCH = re.compile(r"\s*\\+---///")

EXPECTED = "expected: name = expression ~ unit ~ comment |"


def read_vensim(path: Path) -> Reading:
    """Read a Vensim file."""
    from pysd.translators.vensim import vensim_element
    from pysd.translators.vensim.vensim_file import VensimFile

    read_literals_only(vensim_element)
    keep_brackets(vensim_element)
    keep_mappings(vensim_element)
    text = read_text(path.read_bytes())

    class Decoded(VensimFile):  # type: ignore[misc]
        """PySD's own leaves out bytes that do not fit the encoding."""

        def _read(self, _encoding: str | None) -> str:
            return text.equations + text.rest

    file = explained("this file", lambda: Decoded(path))
    explained("this file", lambda: file.parse(parse_all=False))
    for section in file.sections:
        if section is None:
            raise InvalidModel(f"there is no equation outside of macros; {EXPECTED}")
        _parse_section(section)
    return Reading(explained("this file", file.get_abstract_model), text.integration, aliases(text.settings))


def _parse_section(section: Any) -> None:
    """Do what ``Section.parse`` of PySD does, equation by equation; reality checks are of no use here."""
    from pysd.translators.vensim.vensim_element import Component, SubscriptRange

    parsed = [explained(f"equation {shortened(item.equation)!r}", item.parse) for item in _entries(section.content)]
    section.subscripts = [item for item in parsed if isinstance(item, SubscriptRange)]
    section.components = [item for item in parsed if isinstance(item, Component)]
    section.constraints, section.test_inputs = [], []
    for item in section.components:
        explained(f"the right side of {item.name!r}, {shortened(item.expression or '')!r}", item.parse)


def _entries(content: str) -> list[Any]:
    """Equations of a section, each with its unit and comment."""
    from pysd.translators.vensim.vensim_element import Element
    from pysd.translators.vensim.vensim_section import SectionElementsVisitor
    from pysd.translators.vensim.vensim_utils import Grammar

    class Entries(SectionElementsVisitor):  # type: ignore[misc]
        """PySD's own takes what follows the last whole equation for a sketch, and limits of a unit for numbers."""

        unwrapped_exceptions = (InvalidModel,)

        def visit_entry(self, _: Any, parts: list[str]) -> None:
            more = parts[5].removeprefix("~").strip()
            if parts[5] and not more.startswith(":"):
                raise InvalidModel(f"the equation {shortened(parts[0])!r} has more than three parts; {EXPECTED}")
            element = Element(equation=_equation(parts[0]), units="", documentation=parts[4].strip())
            element.units, element.limits = _without_limits(parts[2].strip())
            self.entries.append(element)

        def visit_sketch(self, node: Any, _: Any) -> None:
            if node.text.strip() and not _SKETCH.match(node.text):
                raise InvalidModel(f"an equation is not complete: {shortened(node.text.strip())!r}; {EXPECTED}")

    if "~" not in content:
        raise InvalidModel(f"there is no whole equation in this file; {EXPECTED}")
    tree = explained("this file", lambda: Grammar.get("section_elements").parse(content))
    entries: list[Any] = Entries(tree).entries
    return entries


# A name, with or without subscripts, and nothing else: data that whoever runs the model has to give.
_BARE = re.compile(r'(?:"(?:\\"|[^"])*"|[^"\[\]=:(){}<>~|]+)\s*(?:\[[^\[\]]*\])?\s*')


def _equation(text: str) -> str:
    """An equation without comments, with the keyword PySD expects of data."""
    text = without_comments(text).strip()
    return f"{text} :INTERPOLATE:" if _BARE.fullmatch(text) else text


def _without_limits(unit: str) -> tuple[str, tuple[float | None, float | None]]:
    """A unit and the bounds behind it, such as ``person [0,?,0.5]``; the third number is the step of a slider."""
    if not unit.endswith("]"):
        return unit, (None, None)
    plain, _, inside = unit.removesuffix("]").rpartition("[")
    low, high, *_ = *(_number(part) for part in inside.split(",")), None, None
    return plain.strip(), (low, high)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
