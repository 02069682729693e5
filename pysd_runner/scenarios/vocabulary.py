"""Resolve the names of levers, classes, constants and regions in scenarios, and describe scenarios in words."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from pysd_runner.core.errors import InvalidInput, Message, UnknownName
from pysd_runner.core.paths import is_shipped
from pysd_runner.core.types import Numbers, Texts, frozen
from pysd_runner.data.names import CHINESE_ENDING
from pysd_runner.scenarios.policy import Mix, Policy, Schedule
from pysd_runner.spec import PolicyClass
from pysd_runner.spec.load import load_bound_spec
from pysd_runner.text import LANGUAGES, texts, translate

if TYPE_CHECKING:  # these load numpy
    from pysd_runner.data import Entity
    from pysd_runner.model import Model
    from pysd_runner.scenarios.scenario import Scenario

MOST_LISTED = 8


# Levers or classes by key.
Words = Mapping[str, PolicyClass]


@frozen
class Vocabulary:
    """Names that a scenario may use: levers and classes by key, and how targets are found; empty if unknown."""

    levers: Words = field(default_factory=dict)
    classes: Words = field(default_factory=dict)
    targets: Mapping[str, Callable[[str], object]] = field(default_factory=dict)


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
    find, group = partial(find_region, regions=regions), partial(find_group, regions=regions)
    targets: dict[str, Callable[[str], object]] = {"regions": find, "groups": group, "pilots": find} if regions else {}
    if spec is None:
        return Vocabulary(targets=targets)
    return Vocabulary(levers=spec.levers, classes=spec.classes, targets=targets)


def range_elements(model: "Model", of: Literal["region", "lever", "policy_class"]) -> tuple[str, ...]:
    """Elements of the range of regions, levers or classes; a model without bindings uses the default range names."""
    return tuple(model.ranges.get(getattr(model.design.ranges, of), ()))


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
        regions=_listing(listed),
        name=text,
        among=every,
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
        groups=_listing(groups),
        name=text,
        among=groups,
    )


def _plain(text: str) -> str:
    return CHINESE_ENDING.sub("", unicodedata.normalize("NFKC", text).strip().casefold())


def _listing(names: Iterable[str]) -> str:
    names = list(names)
    more = len(names) - MOST_LISTED
    if more <= 0:
        return ", ".join(names)
    return Message("{regions} and {more} more", regions=", ".join(names[:MOST_LISTED]), more=more)


@frozen
class Assumed:
    """Result of looking up one assumption in a model."""

    key: str  # as written in the scenario
    variable: str = ""  # model variable of the constant; empty if there is none
    error: str = ""
    warning: str = ""
    remedy: str = ""


def examine(assumptions: Numbers, model: "Model") -> Iterator[Assumed]:
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
        return Assumed(key=key, error=Message("belongs to the measurement equations; no simulation depends on it"))
    home = next((setting for setting, variable in model.design.policy.items() if variable == name), None)
    if home is not None:
        error = Message("{name!r} is policy, not an assumption", name=name)
        return Assumed(key=key, error=error, remedy=Message("Write `policy.{home}`.", home=home))
    kind = model.variables[name].kind if name in model.variables else "internal"
    if kind != "constant":
        error = Message("{name!r} is not a constant ({kind}); only constants can be assumed", name=name, kind=kind)
        return Assumed(key=key, error=error)
    return Assumed(key=key, variable=name, warning=_out_of_bounds(name, value, model))


def _out_of_bounds(name: str, value: float, model: "Model") -> str:
    parameters = model.declarations.parameters.values()
    for parameter in parameters:
        if parameter.variable == name and not parameter.lower <= value <= parameter.upper:
            return Message(
                "{value:g} {unit} lies outside the bounds of {name!r}, {lower:g} to {upper:g}",
                value=value,
                unit=parameter.unit,
                name=name,
                lower=parameter.lower,
                upper=parameter.upper,
            )
    return ""


def describe(scenario: "Scenario", language: str) -> tuple[str, ...]:
    """Describe every setting of a scenario, one per line; see `Scenario.describe`."""
    if language not in LANGUAGES:
        raise InvalidInput(
            "no descriptions in language {language!r}; expected one of {known}",
            language=language,
            known=", ".join(LANGUAGES),
        )
    try:
        known = load_vocabulary(scenario.model)
    except UnknownName:
        known = Vocabulary()
    return tuple(_lines(scenario, _Writer(language=language, phrases=texts(language, "description"), vocabulary=known)))


@frozen
class _Writer:
    """Formatter of settings in one language."""

    language: str
    phrases: Texts
    vocabulary: Vocabulary

    def say(self, phrase: str, **parts: object) -> str:
        return self.phrases[phrase].format(**parts)

    def line(self, phrase: str, body: str, **parts: object) -> str:
        return f"{self.say(phrase, **parts)}{self.phrases['colon']}{body}"

    def label(self, name: str, words: Words) -> str:
        word = find_word(name, words)
        return name if word is None else word.label(self.language)

    def percent(self, share: float) -> str:
        return self.say("percent", value=f"{100 * share:.4g}")

    def budget(self, amount: float) -> str:
        return self.say("of_output", share=self.percent(amount)) if amount else self.phrases["no_money"]

    def mix(self, mix: Mix) -> str:
        """Format the share of every lever, including those of zero."""
        levers = self.vocabulary.levers
        names = list(levers) + [name for name in mix if find_word(name, levers) is None]
        return self.phrases["comma"].join(
            f"{self.label(name, levers)} {self.percent(mix.get(name, 0.0))}" for name in names
        )

    def switch(self, is_on: bool) -> str:
        return self.phrases["on" if is_on else "off"]

    def year(self, time: float, since_start: bool) -> str:
        if not since_start:
            return f"{time:.10g}"
        return self.say("after_start", years=f"{time:g}") if time else self.phrases["at_start"]

    def over_time(self, value: Any, write: Callable[[Any], str]) -> str:
        """Format a value, or each value of a schedule with its year."""
        if not isinstance(value, Schedule):
            return write(value)
        years = [self.year(time, value.since_start) for time in value.times]
        parts = [
            self.say("from", year=year, value=write(entry)) for year, entry in zip(years, value.values, strict=True)
        ]
        return self.say("path", way=self.phrases[value.interpolate], values=self.phrases["semicolon"].join(parts))


def _lines(scenario: "Scenario", writer: _Writer) -> Iterator[str]:
    yield writer.say("title", label=scenario.label.get(writer.language, scenario.name), name=scenario.name)
    if scenario.note.get(writer.language):
        yield scenario.note[writer.language]
    yield from _policy_lines(scenario.policy, writer)
    if scenario.reference is not None:
        yield writer.line("differs", _differences(scenario, scenario.reference, writer))
    if scenario.assumptions:
        pairs = [f"{key} = {value:g}" for key, value in scenario.assumptions.items()]
        yield writer.line("assumptions", writer.phrases["comma"].join(pairs))
    if scenario.compare_with:
        yield writer.line("compare", writer.phrases["comma"].join(scenario.compare_with))


def _policy_lines(policy: Policy, writer: _Writer) -> Iterator[str]:
    yield writer.line("budget", _setting("budget", policy.budget, writer))
    if not policy.spends:
        return
    yield writer.line("start", _setting("start", policy.start, writer))
    yield writer.line("class_weight", _setting("differentiation", policy.differentiation, writer))
    yield from _mix_lines("unused_mix" if policy.differentiation == 1 else "mix", policy, writer)
    if policy.differentiation:
        for name, mix in policy.class_mixes.items():
            yield writer.line("class_mix", writer.mix(mix), name=writer.label(name, writer.vocabulary.classes))
    for name, switch in policy.levers.items():
        label = writer.label(name, writer.vocabulary.levers)
        yield writer.line("lever", _setting("levers", switch, writer), name=label)
    yield writer.line("redistribution", _setting("redistribution", policy.redistribution, writer))
    for key in ("rural_broadband", "basic_training"):
        if getattr(policy, key):
            yield writer.line(key, _setting(key, getattr(policy, key), writer))
    yield writer.line("evaluation", _setting("rolling_evaluation", policy.rolling_evaluation, writer))
    yield writer.line("targets", _targets(policy, writer))
    if policy.pilots:
        yield writer.line("pilots", _setting("targets.pilots", policy.pilots, writer))


def _mix_lines(phrase: str, policy: Policy, writer: _Writer) -> Iterator[str]:
    """Format a mix on one line, or a schedule of mixes on one line per year."""
    if not isinstance(policy.mix, Schedule):
        yield writer.line(phrase, _setting("mix", policy.mix, writer))
        return
    yield writer.line(phrase, writer.phrases[policy.mix.interpolate])
    for time, mix in zip(policy.mix.times, policy.mix.values, strict=True):
        year = writer.year(time, policy.mix.since_start)
        yield f"  {writer.say('from', year=year, value=writer.mix(mix))}"


def _setting(key: str, value: Any, writer: _Writer) -> str:
    if value is None:
        return writer.phrases["default_start" if key == "start" else "model_value"]
    return _FORMATS[key.partition(".")[0]](value, writer)


def _weight(value: float, writer: _Writer) -> str:
    return writer.say(f"weight_{value:g}" if value in (0, 1) else "weight", value=f"{value:g}")


def exponent_said(exponent: float, lang: str) -> str:
    """Describe who gets more money per head under an exponent of need, with the exponent."""
    words = _whom(exponent, lang)
    return translate("need.exponent", lang, words=words, exponent=f"{exponent:.3g}")


def whom(exponent: float | None, lang: str) -> str:
    """As `exponent_said`, but named allocation rules (exponents 0, also None, and 1) without their exponents."""
    found = exponent or 0.0
    return _whom(found, lang) if found in (0, 1) else exponent_said(found, lang)


def _whom(exponent: float, lang: str) -> str:
    return translate("need.poorer" if exponent > 0 else "need.richer" if exponent < 0 else "need.even", lang)


_FORMATS: dict[str, Callable[[Any, _Writer], str]] = {
    "start": lambda value, writer: writer.year(value, since_start=False),
    "budget": lambda value, writer: writer.over_time(value, writer.budget),
    "mix": lambda value, writer: writer.over_time(value, writer.mix),
    "differentiation": _weight,
    "levers": lambda value, writer: writer.over_time(value, writer.switch),
    "redistribution": lambda value, writer: exponent_said(value, writer.language),
    "rural_broadband": lambda value, writer: writer.percent(value),
    "basic_training": lambda value, writer: writer.percent(value),
    "rolling_evaluation": lambda value, writer: writer.phrases["on" if value else "off"],
    "targets": lambda value, writer: writer.phrases["comma"].join(value),
}


def _targets(policy: Policy, writer: _Writer) -> str:
    comma = writer.phrases["comma"]
    places = [name for some in (policy.regions, policy.groups) for name in some or ()]
    classes = [writer.label(name, writer.vocabulary.classes) for name in policy.classes or ()]
    return writer.phrases["semicolon"].join(
        (comma.join(places) or writer.phrases["all_regions"], comma.join(classes) or writer.phrases["all_classes"])
    )


def _differences(scenario: "Scenario", reference: "Scenario", writer: _Writer) -> str:
    before = reference.policy.settings()
    changes = [
        _difference(key, before.get(key), value, writer)
        for key, value in scenario.policy.settings().items()
        if key not in before or before[key] != value
    ]
    if scenario.assumptions != reference.assumptions:
        changes.append(writer.phrases["key.assumptions"])
    return writer.phrases["semicolon"].join(changes) or writer.phrases["differs_nothing"]


def _difference(key: str, old: Any, new: Any, writer: _Writer) -> str:
    kind, _, name = key.partition(".")
    if kind == "class_mixes":
        label = writer.label(name, writer.vocabulary.classes)
        return writer.say("new", key=writer.say("key.class_mixes", name=label))
    if kind == "levers":
        return f"{writer.label(name, writer.vocabulary.levers)}{writer.phrases['colon']}{_setting(key, new, writer)}"
    word = writer.phrases[f"key.{key}"]
    if kind in ("mix", "targets"):
        return writer.say("new", key=word)
    return writer.say("change", key=word, old=_setting(key, old, writer), new=_setting(key, new, writer))
