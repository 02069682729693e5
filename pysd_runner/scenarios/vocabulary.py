"""The words of scenario files: levers, classes and constants of a model, and regions as people write them."""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pysd_runner.core.errors import Message, UnknownName, suggest
from pysd_runner.core.paths import is_shipped, model_file
from pysd_runner.panel.names import CHINESE_ENDING
from pysd_runner.scenarios.policy import FrozenMapping
from pysd_runner.spec import ModelSpec
from pysd_runner.spec.bindings import RangeNames
from pysd_runner.spec.load import load_bound_spec

MOST_LISTED = 8
USUAL_RANGES = RangeNames(region="Region", lever="Lever", policy_class="Class")


class ModelVariable(Protocol):
    """What is needed of a variable of a model."""

    @property
    def name(self) -> str:
        """Name in the model file."""

    @property
    def dims(self) -> tuple[str, ...]:
        """Ranges it is subscripted by."""

    @property
    def kind(self) -> str:
        """``"constant"``, ``"stock"``, ``"auxiliary"``, ``"control"`` or another kind."""


class ScenarioModel(Protocol):
    """What is needed of a model, so that scenarios do not depend on how it is loaded."""

    @property
    def name(self) -> str:
        """Name of the model."""

    @property
    def path(self) -> Path:
        """The model file."""

    @property
    def spec(self) -> ModelSpec | None:
        """Declarations of the model, if it has any."""

    @property
    def ranges(self) -> Mapping[str, tuple[str, ...]]:
        """Elements of each subscript range."""

    @property
    def variables(self) -> Mapping[str, Any]:
        """Variables by name."""

    def find(self, name: str) -> str:
        """Canonical name of a variable."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """One lever or class."""

    key: str  # what scenario files call it
    element: str  # element of the model's range
    en: str
    zh: str

    def label(self, language: str) -> str:
        """Label in a language, ``"en"`` or ``"zh"``."""
        return self.zh if language == "zh" else self.en


Words = FrozenMapping[Word]
NO_WORDS: Words = FrozenMapping()


@dataclass(frozen=True, kw_only=True, slots=True)
class Vocabulary:
    """Levers and classes by key; empty where a model has none."""

    levers: Words = NO_WORDS
    classes: Words = NO_WORDS


def find_word(text: str, words: Words) -> Word | None:
    """Word with this key, element or label, in any case."""
    wanted = text.strip().casefold()
    spellings = ((word, (word.key, word.element, word.en, word.zh)) for word in words.values())
    return next((word for word, names in spellings if wanted in {name.casefold() for name in names}), None)


def scenario_folder(model: str | ScenarioModel) -> Path:
    """Folder with the scenarios that ship with a model."""
    return (model_file(model) if isinstance(model, str) else model.path).parent / "scenarios"


def model_name(model: str | ScenarioModel) -> str:
    """Name of a model that may be given by name."""
    if not isinstance(model, str):
        return model.name
    return model if is_shipped(model) else load_bound_spec(model).name


def load_vocabulary(model: str | ScenarioModel) -> Vocabulary:
    """Levers and classes of a model."""
    spec = load_bound_spec(model) if isinstance(model, str) else model.spec
    if spec is not None:
        return Vocabulary(levers=_declared(spec.levers.values()), classes=_declared(spec.classes.values()))
    ranges = {} if isinstance(model, str) else model.ranges
    return Vocabulary(
        levers=_elements(ranges.get(USUAL_RANGES.lever, ())),
        classes=_elements(ranges.get(USUAL_RANGES.policy_class, ())),
    )


def policy_variables(model: ScenarioModel) -> Mapping[str, str]:
    """Variable of each setting of a policy; empty where a model binds none."""
    return {} if model.spec is None or model.spec.bindings is None else model.spec.bindings.policy


def range_names(model: ScenarioModel) -> RangeNames:
    """Ranges of regions, levers and classes, under their usual names where a model binds none."""
    return USUAL_RANGES if model.spec is None or model.spec.bindings is None else model.spec.bindings.ranges


def _declared(entries: Iterable[Any]) -> Words:
    return FrozenMapping(
        (entry.key, Word(key=entry.key, element=entry.element, en=entry.en, zh=entry.zh)) for entry in entries
    )


def _elements(elements: Iterable[str]) -> Words:
    return FrozenMapping(
        (name.casefold(), Word(key=name.casefold(), element=name, en=name, zh=name)) for name in elements
    )


class ScenarioRegion(Protocol):
    """What is needed of a region."""

    @property
    def code(self) -> str:
        """Unique code."""

    @property
    def name_en(self) -> str:
        """English name."""

    @property
    def name_zh(self) -> str:
        """Chinese name."""

    @property
    def group(self) -> str:
        """Class of regions it belongs to, or empty."""


def find_region(text: str, regions: Sequence[ScenarioRegion]) -> int:
    """Position of a region."""
    wanted = _plain(text)
    for names in zip(*((region.code, region.name_en, region.name_zh) for region in regions), strict=True):
        found = [position for position, name in enumerate(names) if name and _plain(name) == wanted]
        if len(found) == 1:
            return found[0]
        if found:
            codes = ", ".join(regions[position].code for position in found)
            raise UnknownName(
                "{count} regions are called {name!r}; write the code instead: {codes}.",
                count=len(found),
                name=text,
                codes=codes,
            )
    every = [name for region in regions for name in (region.code, region.name_en, region.name_zh) if name]
    listed = [region.name_en or region.code for region in regions]
    raise UnknownName(
        "no region is called {name!r}; regions: {regions}.{suggestion}",
        name=text,
        regions=_listing(listed),
        suggestion=suggest(text, every),
    )


def find_group(text: str, regions: Sequence[ScenarioRegion]) -> tuple[int, ...]:
    """Positions of the regions of a group."""
    found = tuple(
        position for position, region in enumerate(regions) if region.group and _plain(region.group) == _plain(text)
    )
    if found:
        return found
    groups = list(dict.fromkeys(region.group for region in regions if region.group))
    if not groups:
        raise UnknownName("no group of regions is called {name!r}; the regions have no groups.", name=text)
    raise UnknownName(
        "no group of regions is called {name!r}; groups: {groups}.{suggestion}",
        name=text,
        groups=_listing(groups),
        suggestion=suggest(text, groups),
    )


def _plain(text: str) -> str:
    return CHINESE_ENDING.sub("", unicodedata.normalize("NFKC", text).strip().casefold())


def _listing(names: Iterable[str]) -> str:
    names = list(names)
    more = len(names) - MOST_LISTED
    if more <= 0:
        return ", ".join(names)
    return Message("{regions} and {more} more", regions=", ".join(names[:MOST_LISTED]), more=more)


@dataclass(frozen=True, kw_only=True, slots=True)
class Assumed:
    """What a model says about one assumption."""

    key: str  # as written in the scenario
    variable: str = ""  # the constant that is meant; empty if there is none
    error: str = ""
    warning: str = ""
    remedy: str = ""


def examine(assumptions: Mapping[str, float], model: ScenarioModel) -> Iterator[Assumed]:
    """Look every assumption up in a model."""
    seen: dict[str, str] = {}
    for key, value in assumptions.items():
        finding = _examine_one(key, value, model)
        if finding.variable and finding.variable in seen:
            other = seen[finding.variable]
            finding = Assumed(key=key, error=f"the same constant as {other!r}; write it once")
        elif finding.variable:
            seen[finding.variable] = key
        yield finding


def _examine_one(key: str, value: float, model: ScenarioModel) -> Assumed:
    try:
        name = model.find(key)
    except UnknownName as unknown:
        return Assumed(key=key, error=str(unknown))
    if not name:
        return Assumed(key=key, error="belongs to the measurement equations; no simulation depends on it")
    home = next((setting for setting, variable in policy_variables(model).items() if variable == name), None)
    if home is not None:
        error = Message("{name!r} is policy, not an assumption", name=name)
        return Assumed(key=key, error=error, remedy=Message("Write `policy.{home}`.", home=home))
    kind = model.variables[name].kind if name in model.variables else "internal"
    if kind != "constant":
        return Assumed(key=key, error=f"{name!r} is not a constant ({kind}); only constants can be assumed")
    return Assumed(key=key, variable=name, warning=_out_of_bounds(name, value, model))


def _out_of_bounds(name: str, value: float, model: ScenarioModel) -> str:
    parameters = model.spec.parameters.values() if model.spec is not None else ()
    for parameter in parameters:
        if parameter.variable == name and not parameter.lower <= value <= parameter.upper:
            return (
                f"{value:g} {parameter.unit} lies outside the bounds of {name!r}, "
                f"{parameter.lower:g} to {parameter.upper:g}"
            )
    return ""
