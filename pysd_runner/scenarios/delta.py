"""Convert policy settings from and to the form of scenario files, and merge the settings of several files."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pysd_runner.scenarios.policy import FrozenMapping, Interpolation, Mix, Policy, Schedule
from pysd_runner.scenarios.schema import (
    ALL,
    INTERPOLATE,
    BudgetPath,
    Languages,
    MixPath,
    PolicyPart,
    ScenarioFile,
    SwitchPath,
    Targets,
    parse_year,
    write_year,
)
from pysd_runner.scenarios.vocabulary import Vocabulary, Words, find_word

SCHEDULED = ("budget", "mix")
_NUMBERS = ("start", "differentiation", "redistribution", "rural_broadband")
_PLAIN = (*_NUMBERS, "rolling_evaluation")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Delta:
    """Content of one scenario file; each file is read once, so deltas are compared by identity."""

    path: Path
    file: ScenarioFile
    assumptions: Mapping[str, float]  # by model variable if a loaded model was given, else by key as written
    settings: Mapping[str, Any]  # policy settings in the file, by dotted key; None resets a target
    interpolation: Interpolation | None  # new interpolation of inherited schedules; None keeps it


def read_delta(path: Path, file: ScenarioFile, assumptions: Mapping[str, float], vocabulary: Vocabulary) -> Delta:
    """Build the delta of a validated file."""
    policy = file.policy or PolicyPart()
    settings = dict(policy_settings(policy, vocabulary))
    writes_schedule = any(isinstance(settings.get(key), Schedule) for key in SCHEDULED)
    interpolation = None if writes_schedule else policy.interpolate
    return Delta(path=path, file=file, assumptions=assumptions, settings=settings, interpolation=interpolation)


def policy_settings(policy: PolicyPart, vocabulary: Vocabulary) -> dict[str, Any]:
    """Policy settings of a file, by dotted key."""
    default = policy.interpolate or "step"
    settings: dict[str, Any] = {key: getattr(policy, key) for key in _PLAIN if getattr(policy, key) is not None}
    for key in _NUMBERS:
        if key in settings:
            settings[key] = float(settings[key])
    if policy.budget is not None:
        settings["budget"] = _budget(policy.budget, default)
    if policy.mix is not None:
        settings["mix"] = _mix_setting(policy.mix, vocabulary.levers, default)
    for name, mix in (policy.class_mixes or {}).items():
        settings[f"class_mixes.{_canonical(name, vocabulary.classes)}"] = _mix(mix, vocabulary.levers)
    for name, switch in (policy.levers or {}).items():
        settings[f"levers.{_canonical(name, vocabulary.levers)}"] = _switch(switch)
    return settings | _targets(policy.targets or Targets(), vocabulary.classes)


def add_settings(deltas: Iterable[Delta]) -> dict[str, Any]:
    """Merge the settings of several deltas; later ones override earlier ones."""
    settings: dict[str, Any] = {}
    for delta in deltas:
        if delta.interpolation is not None:
            inherited = {key: settings[key] for key in SCHEDULED if isinstance(settings.get(key), Schedule)}
            settings |= {key: replace(value, interpolate=delta.interpolation) for key, value in inherited.items()}
        settings |= delta.settings
    return settings


def _budget(budget: float | BudgetPath, default: Interpolation) -> float | Schedule[float]:
    if isinstance(budget, BudgetPath):
        amounts = {key: float(amount) for key, amount in budget.__pydantic_extra__.items()}
        return _schedule(amounts, budget.interpolate or default)
    return float(budget)


def _mix_setting(mix: dict[str, float] | MixPath, levers: Words, default: Interpolation) -> Mix | Schedule[Mix]:
    if isinstance(mix, MixPath):
        mixes = {key: _mix(entry, levers) for key, entry in mix.__pydantic_extra__.items()}
        return _schedule(mixes, mix.interpolate or default)
    return _mix(mix, levers)


def _switch(switch: bool | str | SwitchPath) -> bool | Schedule[bool]:
    if isinstance(switch, SwitchPath):
        return _schedule({key: _switch(entry) for key, entry in switch.__pydantic_extra__.items()}, "step")
    return switch if isinstance(switch, bool) else switch == "on"


def _schedule(entries: Mapping[str, Any], interpolation: Interpolation) -> Schedule[Any]:
    years = [(year, value) for year, value in ((parse_year(key), value) for key, value in entries.items()) if year]
    years.sort(key=lambda entry: entry[0].time)
    return Schedule(
        times=tuple(year.time for year, _ in years),
        values=tuple(value for _, value in years),
        since_start=years[0][0].since_start,
        interpolate=interpolation,
    )


def _mix(mix: Mapping[str, float], levers: Words) -> Mix:
    shares = {_canonical(name, levers): float(share) for name, share in mix.items()}
    order = [key for key in levers if key in shares] or list(shares)
    return FrozenMapping((key, shares[key]) for key in order)


def _canonical(name: str, words: Words) -> str:
    word = find_word(name, words)
    return name if word is None else word.key


def _targets(targets: Targets, classes: Words) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for key, names in (
        ("regions", targets.regions),
        ("groups", targets.groups),
        ("classes", targets.classes),
        ("pilots", targets.pilots),
    ):
        if names is not None:
            settings[f"targets.{key}"] = None if names == ALL else tuple(names)
    chosen = settings.get("targets.classes")
    if chosen:
        settings["targets.classes"] = tuple(_canonical(name, classes) for name in chosen)
    return settings


def both_languages(text: str | Languages | None, default: str = "") -> FrozenMapping[str]:
    """Text in English and Chinese; a missing language falls back to the other, then to `default`."""
    if isinstance(text, Languages):
        english, chinese = text.en or text.zh or default, text.zh or text.en or default
    else:
        english = chinese = text or default
    return FrozenMapping({"en": english, "zh": chinese})


def stored_policy(file: ScenarioFile) -> Policy:
    """The policy of a self-contained file, which extends no other."""
    return Policy.from_settings(policy_settings(file.policy or PolicyPart(), Vocabulary()))


def plain_policy(policy: Policy) -> dict[str, Any]:
    """Settings of a policy as plain data, in the form of a scenario file."""
    written: dict[str, Any] = {}
    for key, value in policy.settings().items():
        part, _, name = key.partition(".")
        if name:
            written.setdefault(part, {})[name] = _plain(value)
        else:
            written[part] = _plain(value)
    return written


def _plain(value: Any) -> Any:
    if isinstance(value, Schedule):
        years = (write_year(time, value.since_start) for time in value.times)
        return {INTERPOLATE: value.interpolate} | {
            year: _plain(entry) for year, entry in zip(years, value.values, strict=True)
        }
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value
