"""Named items of a model, its scenarios and its panels, with the meaning of each."""

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from pysd_runner.core.errors import Message, UnknownName
from pysd_runner.core.paths import models_folder
from pysd_runner.core.types import Record, frozen
from pysd_runner.data import load_data, shipped_panels
from pysd_runner.data.mapping import DECLARATIONS
from pysd_runner.engine.ir import Variable
from pysd_runner.model import Model
from pysd_runner.reports.panels import panel_lines
from pysd_runner.scenarios import load_scenario, shipped_scenarios
from pysd_runner.text import translated


@frozen
class Described:
    """One named item."""

    kind: str
    name: str
    en: str
    zh: str
    facts: Record = field(default_factory=dict)  # further facts by heading, in order

    def text(self, lang: str) -> str:
        """Meaning of the item, in a language if available."""
        return (self.zh if lang == "zh" else "") or self.en

    def lines(self, lang: str) -> Iterator[str]:
        """The item as lines of text for the screen."""
        yield Message("{name} ({kind})", name=self.name, kind=self.kind)
        yield from (f"  {line}" for line in self.text(lang).splitlines())
        for heading, value in self.facts.items():
            told = "\n    ".join(value) if isinstance(value, list) else value
            yield Message(
                "  {heading}: {value}", heading=heading, value=f"{told:g}" if isinstance(told, float) else told
            )

    def to_dict(self) -> Record:
        """The item as plain data, for JSON."""
        return {"kind": self.kind, "name": self.name, "en": self.en, "zh": self.zh, "facts": dict(self.facts)}


def _models(_: Model) -> Iterator[Described]:
    for file in sorted(models_folder().glob("*/model.mdl")):
        yield Described(kind=Message("model"), name=file.parent.name, en="", zh="")


def _panels_of(model: Model) -> Iterator[tuple[str, Path]]:
    return ((name, path) for name, path in shipped_panels().items() if model.path.parent in path.parents)


def _panels(model: Model) -> Iterator[Described]:
    """Panels of a model, with the coverage that the declarations in the same folder give."""
    for name, path in _panels_of(model):
        sources = path.parent / DECLARATIONS
        said = tomllib.loads(sources.read_text(encoding="utf-8")) if sources.is_file() else {}
        text = Message(str(said.get("coverage", "")))
        yield Described(kind=Message("panel"), name=name, en=text, zh=translated(text, "zh"))


def _scenarios(model: Model) -> Iterator[Described]:
    for item in (load_scenario(name, model=model) for name in shipped_scenarios(model)):
        yield Described(kind=Message("scenario"), name=item.name, en=item.label["en"], zh=item.label["zh"])


def _declared(section: str, kind: str) -> Callable[[Model], Iterator[Described]]:
    def entries(model: Model) -> Iterator[Described]:
        for key, item in getattr(model.spec, section, {}).items():
            yield Described(kind=kind, name=key, en=item.en, zh=item.zh, facts=_facts(item, model))

    return entries


def _facts(item: Any, model: Model) -> Record:
    """Facts from the declaration of a variable or element, with the equation of the variable."""
    variable = getattr(item, "variable", "")
    ends = [getattr(item, name, None) for name in ("lower", "upper")]
    found = {
        Message("value"): getattr(item, "value", ""),
        Message("unit"): getattr(item, "unit", ""),
        Message("bounds"): "" if None in ends else f"[{ends[0]:g}, {ends[1]:g}]",
        Message("element"): getattr(item, "element", ""),
        Message("variable"): variable,
        Message("equation"): _equation(model.variables[variable]) if variable else "",
    }
    return {heading: value for heading, value in found.items() if value != ""}


def _equation(variable: Variable) -> list[str]:
    return variable.equation.splitlines()


def _variables(model: Model) -> Iterator[Described]:
    for name, item in model.variables.items():
        facts: Record = {Message("unit"): item.unit, Message("equation"): _equation(item)}
        yield Described(kind=Message("variable"), name=name, en=item.doc, zh="", facts=facts)


def _regions(model: Model) -> Iterator[Described]:
    for name, _ in _panels_of(model):
        for item in load_data(name, panel=True).regions:
            facts: Record = {Message("panel"): name, Message("class"): item.group}
            yield Described(
                kind=Message("region"), name=item.code, en=item.name_en or item.code, zh=item.name_zh, facts=facts
            )


# Items by their kind; a name is looked for in one group after the other.
_LISTS: dict[str, Callable[[Model], Iterator[Described]]] = {
    Message("models"): _models,
    Message("panels"): _panels,
    Message("scenarios"): _scenarios,
    Message("outcomes"): _declared("outcomes", Message("outcome")),
    Message("levers"): _declared("levers", Message("lever")),
    Message("classes"): _declared("classes", Message("class")),
    Message("parameters"): _declared("parameters", Message("parameter")),
    Message("inputs"): _declared("inputs", Message("input")),
    Message("measurements"): _declared("measurements", Message("measurement")),
    Message("variables"): _variables,
    Message("regions"): _regions,
}
KINDS = tuple(_LISTS)
_GROUPS = (KINDS[:9], ("variables",), ("regions",))


def catalogue(kind: str, model: Model) -> tuple[Described, ...]:
    """All named items of one kind; the unit of each is in its `facts`."""
    return tuple(_LISTS[kind](model))


def items_named(name: str, model: Model, *, lang: str = "en") -> tuple[Described, ...]:
    """All items with a name, or the scenario in a file; a lever and an outcome, for example, may share a name."""
    if name not in shipped_scenarios(model) and Path(name).is_file():
        return (_scenario(name, model),)
    known: list[str] = list(KINDS)
    for group in _GROUPS:
        items = [item for kind in group for item in catalogue(kind, model)]
        found = [item for item in items if _is_called(item, name)]
        if found:
            return tuple(_MORE[item.kind](item, model, lang) if item.kind in _MORE else item for item in found)
        known += [text for item in items for text in (item.name, item.en, item.zh) if text]
    raise UnknownName(
        "nothing is called {name!r}; `gapsim list` shows what there is.{suggestion}", name=name, among=known
    )


def _is_called(item: Described, name: str) -> bool:
    return any(_plain(name) == _plain(str(text)) for text in (item.name, item.en, item.zh, item.facts.get("variable")))


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").split()).casefold()


def _scenario(name: str, model: Model) -> Described:
    found = load_scenario(name, model=model)
    en, zh = ("\n".join(found.describe(lang)) for lang in ("en", "zh"))
    return Described(kind=Message("scenario"), name=found.name, en=en, zh=zh)


def _contents(item: Described, _model: Model, lang: str) -> Described:
    return replace(item, facts={Message("contents"): panel_lines(load_data(item.name), lang=lang)})


# Kinds whose items have a longer description when requested by name.
_MORE: dict[str, Callable[[Described, Model, str], Described]] = {
    "scenario": lambda item, model, _: _scenario(item.name, model),
    "panel": _contents,
}


def list_lines(kind: str, items: tuple[Described, ...], lang: str) -> Iterator[str]:
    """A heading, and a line for each item with its meaning and unit."""
    yield Message("{kind}:", kind=Message(kind))
    width = max((len(item.name) for item in items), default=0)
    for item in items:
        unit = f" [{item.facts['unit']}]" if item.facts.get("unit") else ""
        first = (item.text(lang).splitlines() or [""])[0]
        yield f"  {item.name:<{width}}  {first}{unit}".rstrip()
