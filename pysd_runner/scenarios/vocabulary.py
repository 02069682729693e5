"""Resolve names in scenario files: levers, classes and constants of a model, and regions in usual spellings."""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pysd_runner.core.errors import Message, UnknownName, suggest
from pysd_runner.core.paths import is_shipped
from pysd_runner.data.names import CHINESE_ENDING
from pysd_runner.spec import PolicyClass
from pysd_runner.spec.bindings import RangeNames
from pysd_runner.spec.load import load_bound_spec

if TYPE_CHECKING:
    from pysd_runner.data import Entity
    from pysd_runner.model import Model

MOST_LISTED = 8
USUAL_RANGES = RangeNames(region="Region", lever="Lever", policy_class="Class")


# Levers or classes by key.
Words = Mapping[str, PolicyClass]


@dataclass(frozen=True, kw_only=True, slots=True)
class Vocabulary:
    """Names that a scenario may use: levers and classes by key, regions of the panel; empty if unknown."""

    levers: Words = field(default_factory=dict)
    classes: Words = field(default_factory=dict)
    regions: "Sequence[Entity]" = ()


def find_word(text: str, words: Words) -> PolicyClass | None:
    """Find a lever or class by key, element or label, ignoring case; None if there is none."""
    wanted = text.strip().casefold()
    spellings = ((word, (word.key, word.element, word.en, word.zh)) for word in words.values())
    return next((word for word, names in spellings if wanted in {name.casefold() for name in names}), None)


def model_name(model: "str | Model") -> str:
    """Name of a model, given as a name or loaded."""
    if not isinstance(model, str):
        return model.name
    return model if is_shipped(model) else load_bound_spec(model).name


def load_vocabulary(model: "str | Model", regions: "Sequence[Entity]" = ()) -> Vocabulary:
    """Levers and classes that a model declares, with the given regions."""
    spec = load_bound_spec(model) if isinstance(model, str) else model.spec
    if spec is None:
        return Vocabulary(regions=regions)
    return Vocabulary(levers=spec.levers, classes=spec.classes, regions=regions)


def policy_variables(model: "Model") -> Mapping[str, str]:
    """Model variable of each policy setting; empty if the model declares no bindings."""
    return {} if model.spec is None or model.spec.bindings is None else model.spec.bindings.policy


def range_elements(model: "Model", of: Literal["region", "lever", "policy_class"]) -> tuple[str, ...]:
    """Elements of the range of regions, levers or classes; a model without bindings uses the default range names."""
    bindings = None if model.spec is None else model.spec.bindings
    names = USUAL_RANGES if bindings is None else bindings.ranges
    return tuple(model.ranges.get(getattr(names, of), ()))


def find_region(text: str, regions: "Sequence[Entity]") -> int:
    """Index of a region, by code or name."""
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


def find_group(text: str, regions: "Sequence[Entity]") -> tuple[int, ...]:
    """Indices of the regions of a group."""
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
    """Result of looking up one assumption in a model."""

    key: str  # as written in the scenario
    variable: str = ""  # model variable of the constant; empty if there is none
    error: str = ""
    warning: str = ""
    remedy: str = ""


def examine(assumptions: Mapping[str, float], model: "Model") -> Iterator[Assumed]:
    """Look up every assumption in a model."""
    seen: dict[str, str] = {}
    for key, value in assumptions.items():
        finding = _examine_one(key, value, model)
        if finding.variable and finding.variable in seen:
            other = seen[finding.variable]
            finding = Assumed(key=key, error=f"the same constant as {other!r}; write it once")
        elif finding.variable:
            seen[finding.variable] = key
        yield finding


def _examine_one(key: str, value: float, model: "Model") -> Assumed:
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


def _out_of_bounds(name: str, value: float, model: "Model") -> str:
    parameters = model.spec.parameters.values() if model.spec is not None else ()
    for parameter in parameters:
        if parameter.variable == name and not parameter.lower <= value <= parameter.upper:
            return (
                f"{value:g} {parameter.unit} lies outside the bounds of {name!r}, "
                f"{parameter.lower:g} to {parameter.upper:g}"
            )
    return ""
