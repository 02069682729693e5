"""Look up named items (variables, parameters, scenarios, ...): unit, equation, evidence, in English and Chinese."""

import re
import shlex
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pysd_runner.core.errors import UnknownName
from pysd_runner.core.numbers import written
from pysd_runner.core.paths import model_file, models_folder
from pysd_runner.core.types import Record, frozen
from pysd_runner.data import Data, load_data, shipped_panels
from pysd_runner.data.mapping import DECLARATIONS
from pysd_runner.engine.ir import Variable
from pysd_runner.evidence.ledger import unsupported_costs
from pysd_runner.model import Model, load_model
from pysd_runner.reports.panels import Area, find_place, panel_lines
from pysd_runner.scenarios import load_scenario, shipped_scenarios
from pysd_runner.spec import ModelSpec, Parameter, Prior, RegionInput
from pysd_runner.spec.load import load_bound_spec

_PLACES = {"region": "region", "class": "class of regions", "nation": "all regions"}
ROLES = {
    "FREE": "calibrated to the panel",
    "FREE*": "drawn from its prior; a panel says little about it",
    "FIX": "from the literature; drawn from its prior",
    "COST": "unit cost, by judgement; drawn from its prior",
    "ASM": "assumption without an estimate",
    "POL": "choice, never drawn",
}
MOST_USERS = 12
_ENTRY = re.compile(r"^@\w+\{(?P<key>[^,\s]+),(?P<body>.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^\s*(?P<name>\w+)\s*=\s*\{(?P<text>.*)\},?\s*$", re.MULTILINE)


@frozen
class Described:
    """One item with the requested name."""

    kind: str
    name: str
    en: str
    zh: str
    facts: Record = field(default_factory=dict)  # further facts by heading, in order

    def lines(self) -> list[str]:
        """Text lines for the screen."""
        found = [f"{self.name} ({self.kind})"]
        found += [f"  {text}" for text in dict.fromkeys((self.en, self.zh)) for text in text.splitlines() if text]
        for heading, value in self.facts.items():
            if isinstance(value, list | tuple):
                found += [f"  {heading}:", *(f"    {item}" for item in value)] if value else []
            elif value not in ("", None):
                found.append(f"  {heading}: {value:g}" if isinstance(value, float) else f"  {heading}: {value}")
        return found

    def to_dict(self) -> Record:
        """The item as plain data, for JSON."""
        return {"kind": self.kind, "name": self.name, "en": self.en, "zh": self.zh, "facts": dict(self.facts)}


def catalogue(kind: str, *, model: str) -> tuple[Described, ...]:
    """All named items of one kind; the unit of each is in its `facts`."""
    if kind not in _LISTS:
        raise UnknownName(
            "nothing of kind {kind!r} can be listed; choose from {known}.{suggestion}", kind=kind, among=KINDS
        )
    return tuple(_LISTS[kind](model))


def _scenarios(model: str) -> Iterator[Described]:
    for item in (load_scenario(name, model=model) for name in shipped_scenarios(model)):
        yield Described(kind="scenario", name=item.name, en=item.label["en"], zh=item.label["zh"])


def _panels(model: str) -> Iterator[Described]:
    """Panels of a model, with the coverage that the declarations in the same folder give."""
    home = model_file(model).parent
    for name, path in shipped_panels().items():
        if home in path.parents:
            sources = path.parent / DECLARATIONS
            said = tomllib.loads(sources.read_text(encoding="utf-8")) if sources.is_file() else {}
            text = str(said.get("coverage", ""))
            yield Described(kind="panel", name=name, en=text, zh=text)


def _models(_: str) -> Iterator[Described]:
    for file in sorted(models_folder().glob("*/model.mdl")):
        yield Described(kind="model", name=file.parent.name, en="", zh="")


def _section(section: str, kind: str) -> Callable[[str], Iterator[Described]]:
    def entries(model: str) -> Iterator[Described]:
        for key, item in getattr(load_bound_spec(model), section).items():
            unit = {"unit": getattr(item, "unit", "")}
            yield Described(kind=kind, name=key, en=item.en, zh=item.zh, facts=unit)

    return entries


_LISTS: dict[str, Callable[[str], Iterator[Described]]] = {
    "scenarios": _scenarios,
    "panels": _panels,
    "models": _models,
    "levers": _section("levers", "lever"),
    "classes": _section("classes", "class"),
    "outcomes": _section("outcomes", "outcome"),
    "parameters": _section("parameters", "parameter"),
    "inputs": _section("inputs", "input"),
    "measurements": _section("measurements", "measurement"),
}

KINDS = tuple(_LISTS)


def describe_name(name: str, *, model: str, panel: str = "") -> tuple[Described, ...]:
    """All items of a model or panel with a given name; a lever and an outcome, for example, may share one."""
    spec = load_bound_spec(model)
    found = [item for item in (_scenario(name, model), _panel(name, model)) if item is not None]
    loaded = load_model(model)
    found += _declared(name, loaded, spec)
    if not found:
        found += _variable(name, loaded)
    panels = (panel,) if panel else tuple(shipped_panels())
    if panel or not found:
        found += _of_panels(name, panels)
    if not found:
        regions = [item for source in panels for item in load_data(source, panel=True).regions]
        known = [*shipped_scenarios(model), *shipped_panels(), *loaded.variables]
        known += [key for _, section, _ in _sections(spec) for key in section]
        known += [text for item in regions for text in (item.name_en, item.name_zh, item.group) if text]
        raise UnknownName(
            "nothing is called {name!r}; `gapsim list` shows what there is.{suggestion}", name=name, among=known
        )
    return tuple(found)


def _of_panels(name: str, panels: Iterable[str]) -> list[Described]:
    """Regions, classes of regions or the nation with a given name, in each panel that has them."""
    found = []
    for source in panels:
        panel = load_data(source, panel=True)
        try:
            place = find_place(name, panel.regions)
        except UnknownName:
            continue
        found.append(
            Described(
                kind=_PLACES[place.kind],
                name=place.code or place.kind,
                en=place.names["en"],
                zh=place.names["zh"],
                facts=_place_facts(place, panel),
            )
        )
    return found


def _place_facts(place: Area, panel: Data) -> Record:
    """Facts on a region, class or nation, such as its rank by output per head in the last observed year."""
    inside = [
        at
        for at, region in enumerate(panel.regions)
        if place.kind == "nation" or place.code in (region.code, region.group)
    ]
    heads = panel.array("output_per_head")[inside]
    seen = [at for at in range(len(panel.years)) if np.isfinite(heads[:, at]).all()]
    facts: dict[str, Any] = {"panel": panel.name, "years": f"{panel.years[0]}-{panel.years[-1]}"}
    if place.kind == "region":
        facts["class"] = panel.regions[inside[0]].group
        if seen:
            every = panel.array("output_per_head")[:, seen[-1]]
            rank = 1 + int((every > heads[0, seen[-1]]).sum())
            unit = panel.units["output_per_head"]
            facts[f"output per head in {panel.years[seen[-1]]}"] = (
                f"{written(float(heads[0, seen[-1]]))} {unit}, rank {rank} of {int(np.isfinite(every).sum())}"
            )
    else:
        facts["regions"] = ", ".join(panel.regions[at].name_en or panel.regions[at].code for at in inside)
    facts["one page on it"] = f"gapsim brief {shlex.quote(place.names['en'] if place.code else place.kind)}"
    return facts


def _scenario(name: str, model: str) -> Described | None:
    if name not in shipped_scenarios(model) and not Path(name).is_file():
        return None
    found = load_scenario(name, model=model)
    english, chinese = found.describe("en"), found.describe("zh")
    return Described(kind="scenario", name=found.name, en="\n".join(english), zh="\n".join(chinese))


def _panel(name: str, model: str) -> Described | None:
    found = next((item for item in catalogue("panels", model=model) if item.name == name), None)
    return None if found is None else replace(found, facts={"contents": panel_lines(load_data(name))})


def _sections(spec: ModelSpec) -> tuple[tuple[str, Record, Callable[[Any, Model], Record]], ...]:
    """For each kind of declaration: its name, the model's declarations, and a function that gives the facts of one."""
    return (
        ("lever", spec.levers, lambda item, _: {"element of the model": item.element}),
        ("class", spec.classes, lambda item, _: {"element of the model": item.element}),
        ("parameter", spec.parameters, _parameter_facts),
        ("input", spec.inputs, _input_facts),
        ("outcome", spec.outcomes, lambda item, own: {"unit": item.unit, **_of_variable(item.variable, own)}),
        ("measurement", spec.measurements, _measurement_facts),
    )


def _declared(name: str, model: Model, spec: ModelSpec) -> list[Described]:
    found = []
    for kind, section, facts in _sections(spec):
        for key, item in section.items():
            if _same(name, key) or _same(name, getattr(item, "variable", "")):
                found.append(Described(kind=kind, name=key, en=item.en, zh=item.zh, facts=facts(item, model)))
    return found


def _same(one: str, other: str) -> bool:
    return bool(other) and " ".join(one.replace("_", " ").split()).casefold() == other.replace("_", " ").casefold()


def _variable(name: str, model: Model) -> list[Described]:
    try:
        variable = model.variables[model.find(name)]
    except (UnknownName, KeyError):
        return []
    return [
        Described(kind="variable", name=variable.name, en=variable.doc, zh="", facts=_variable_facts(variable, model))
    ]


def _parameter_facts(item: Parameter, model: Model) -> Record:
    judged = "judgement: the value is not itself a published estimate" if item.judgement else ""
    return {
        "value": item.value,
        "unit": item.unit,
        "prices": item.price_basis,
        "bounds": f"{item.lower:g} to {item.upper:g}",
        "prior": prior_words(item.prior),
        "role": f"{item.role}: {ROLES[item.role]}",
        "evidence": item.note,
        "caution": judged,
        "no evidence": "fewer than two sources in this unit" if item.key in unsupported_costs(model.source) else "",
        "sources": [cited(key, model.source) for key in item.sources],
        **_of_variable(item.variable, model),
    }


def _input_facts(item: RegionInput, model: Model) -> Record:
    return {
        "unit": item.unit,
        "prices": item.price_basis,
        "bounds": f"{item.lower:g} to {item.upper:g}",
        "panel variable": item.panel,
        "when missing": item.rule.replace("_", " "),
        "fallback": item.fallback,
        "evidence": item.note,
        **_of_variable(item.variable, model),
    }


def _measurement_facts(item: Any, _: Model) -> Record:
    return {
        "observes": item.outcome,
        "with": ", ".join(item.indicators) or item.national,
        "loading": item.loading or "1",
        "relative to the year's mean": "yes" if item.relative else "no",
        "yearly changes": "yes" if item.increments else "no",
        "error, standard deviation": item.sd,
        "evidence": item.note,
    }


def _of_variable(name: str, model: Model) -> Record:
    """Facts of the model variable of a declaration, without the unit, which the declaration gives."""
    if not name:
        return {"in the model": "only in the measurement equations"}
    facts = _variable_facts(model.variables[name], model)
    return {"in the model": name, **{key: fact for key, fact in facts.items() if key != "unit"}}


def _variable_facts(variable: Variable, model: Model) -> Record:
    return {
        "unit": variable.unit,
        "sector": variable.group,
        "kind of variable": variable.kind,
        "over": ", ".join(variable.dims),
        "equation": variable.equation.splitlines(),
        "used by": _users(variable.name, model),
    }


def _users(name: str, model: Model) -> list[str]:
    """Variables whose equations use a variable; matches within longer names are ignored."""
    others = [item for item in model.variables if item != name and name in item]
    pattern = re.compile(rf"(?<![\w ]){re.escape(name)}(?![\w])|(?<=[-+*/(,=] ){re.escape(name)}(?![\w])")
    found = []
    for variable in model.variables.values():
        text = variable.equation.partition("=")[2]
        for other in others:
            text = text.replace(other, "")
        if variable.name != name and pattern.search(text):
            found.append(variable.name)
    return found if len(found) <= MOST_USERS else [*found[:MOST_USERS], f"and {len(found) - MOST_USERS} more"]


def prior_words(prior: Prior | None) -> str:
    """A prior in words.

    >>> from pysd_runner.spec import LogNormal
    >>> prior_words(LogNormal(0.35, 0.5, 0.0, 1.5))
    'lognormal: median 0.35, sdlog 0.5'
    """
    if prior is None:
        return "none: compared, not drawn"
    family = type(prior).__name__.lower()
    shown = [item.name for item in fields(prior) if family == "uniform" or item.name not in ("lower", "upper")]  # type: ignore[arg-type]
    return f"{family}: {', '.join(f'{name} {getattr(prior, name):g}' for name in shown)}"


def cited(key: str, model: str) -> str:
    """One-line citation of a reference."""
    entry = _entries(model_file(model).parent / "references.bib").get(key, {})
    authors = _authors(entry.get("author", ""))
    dated = " ".join(part for part in (authors, f"({entry['year']})" if "year" in entry else "") if part)
    text = ": ".join(part for part in (dated, entry.get("title", "")) if part)
    return f"{key}: {text}" if text else key


@cache
def _entries(path: Path) -> dict[str, dict[str, str]]:
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8")
    return {
        match["key"]: {field["name"].lower(): _plain(field["text"]) for field in _FIELD.finditer(match["body"])}
        for match in _ENTRY.finditer(text)
    }


def _plain(text: str) -> str:
    return " ".join(text.replace("{", "").replace("}", "").replace("--", "-").split())


def _authors(text: str) -> str:
    names = [name.partition(",")[0].strip() for name in text.split(" and ") if name.strip()]
    return f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
