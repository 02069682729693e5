"""Baselines, scenarios named in `compare_with`, and policies that combine mixes with allocation rules."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pysd_runner.core.errors import InvalidScenario
from pysd_runner.core.types import Record
from pysd_runner.scenarios.load import SHIPPED_MODEL, read_scenario, shipped_scenarios
from pysd_runner.scenarios.policy import FrozenMapping
from pysd_runner.scenarios.scenario import Scenario
from pysd_runner.scenarios.vocabulary import load_vocabulary
from pysd_runner.text import in_both, translate

if TYPE_CHECKING:
    from pysd_runner.data import Entity
    from pysd_runner.model import Model

# Allocation rules (who gets the money), by suffix of names: exponent of need, and suffixes of labels.
WHO = {"per_head": (0.0, in_both("scenario.per_head")), "by_need": (1.0, in_both("scenario.by_need"))}

# Reference mix for comparisons: the average spending of a zoned policy on each lever, the same in every region.
REFERENCE = "uniform_mean_mix"


def load_scenario(
    name_or_path: str | Path | Record, *, model: "str | Model" = SHIPPED_MODEL, regions: "Sequence[Entity]" = ()
) -> Scenario:
    """Load a scenario, with the scenarios that it extends.

    Parameters
    ----------
    name_or_path
        Name of a scenario shipped with the model, or of one that tables of results compare with it, such as
        ``"zoned_need_per_head"`` or ``"only_skills"``; a YAML, JSON or TOML file; or the content of such a file as a
        dictionary: ``{"name": "double", "extends": "zoned_need", "policy": {"budget": 0.006}}``, or for any model
        ``{"name": "lockdown", "changes": {"Contact Rate": {20: "x0.5"}}}``.
    model
        Name of a shipped model, or a loaded model; assumptions are checked against a loaded model only.
    regions
        Regions of the panel, against which targets are checked; empty skips that check.

    Returns
    -------
    Scenario
        Policy and assumptions, with their baseline as the reference.

    Raises
    ------
    UnknownName
        If there is no such scenario or model.
    InvalidScenario
        If the file or a file it extends is invalid; lists all problems.
    """
    found = _compared(name_or_path, model) if isinstance(name_or_path, str) else None
    return read_scenario(name_or_path, model=model, regions=regions) if found is None else found


def _compared(name: str, model: "str | Model") -> Scenario | None:
    """A scenario as tables of results name it: a shipped mix or one lever, with an allocation rule; None for others."""
    shipped, mix = shipped_scenarios(model), mix_of(name)
    if name in shipped or REFERENCE not in shipped:
        return None
    who, known = name.removeprefix(f"{mix}_"), (mix, *(f"{mix}_{key}" for key in WHO))
    roots = [read_scenario(item, model=model) for item in shipped if item in known and who in WHO]
    if mix.startswith("only_"):
        budget: Any = read_scenario(REFERENCE, model=model).policy.budget
        roots = [item for item in single_levers(budget, model=model) if item.name == mix]
    for item in roots:
        return _given(replace(item, compare_with=()), who) if who in WHO else item
    first, _, other = name.partition("_for_")
    if first not in shipped or not other:
        return None
    whole = read_scenario(other, model=model) if other in shipped else _compared(other, model)
    return None if whole is None else _beside(read_scenario(first, model=model), whole)


def with_comparisons(scenarios: Sequence[Scenario], *, model: "str | Model" = SHIPPED_MODEL) -> tuple[Scenario, ...]:
    """Add the baselines of some scenarios and the scenarios that they must be compared with.

    Parameters
    ----------
    scenarios
        Requested scenarios.
    model
        Name of a shipped model, or a loaded model.

    Returns
    -------
    tuple of Scenario
        Baselines, one per set of assumptions, then the scenarios, then their companions (`compare_with`), without
        duplicates. A companion takes the budget, the start and the assumptions of its scenario, so that the two cost
        the same and differ in the other settings alone; it is renamed if that changes it.

    Raises
    ------
    InvalidScenario
        If two different scenarios have the same name.
    """
    companions = [
        _beside(load_scenario(name, model=model), scenario) for scenario in scenarios for name in scenario.compare_with
    ]
    baselines = [scenario.baseline() for scenario in (*scenarios, *companions)]
    complete: dict[str, Scenario] = {}
    for scenario in (*baselines, *scenarios, *companions):
        if complete.setdefault(scenario.name, scenario) != scenario:
            raise InvalidScenario(
                "two different scenarios are called {scenario!r}; rename one of them", scenario=scenario.name
            )
    return tuple(complete.values())


def distinct(scenarios: Sequence[Scenario]) -> tuple[Scenario, ...]:
    """Drop scenarios with the same policy and assumptions as an earlier one."""
    kept: dict[tuple[object, object], Scenario] = {}
    for scenario in scenarios:
        kept.setdefault((scenario.policy, scenario.assumptions), scenario)
    return tuple(kept.values())


def _beside(companion: Scenario, scenario: Scenario) -> Scenario:
    """Give a companion the budget, start and assumptions of a scenario."""
    policy = replace(companion.policy, budget=scenario.policy.budget, start=scenario.policy.start)
    if policy == companion.policy and scenario.assumptions == companion.assumptions:
        return companion
    return replace(
        companion,
        name=f"{companion.name}_for_{scenario.name}",
        label=FrozenMapping(
            (language, f"{label} ({scenario.label.get(language, scenario.name)})")
            for language, label in companion.label.items()
        ),
        policy=policy,
        assumptions=scenario.assumptions,
        assumption_set=scenario.assumption_set,
        compare_with=(),
    )


def crossed(mixes: Iterable[Scenario]) -> tuple[Scenario, ...]:
    """Combine each mix with each allocation rule of `WHO`."""
    return tuple(_given(scenario, key) for scenario in mixes for key in WHO)


def two_by_two(scenario: Scenario, *, model: "str | Model" = SHIPPED_MODEL) -> tuple[Scenario, ...]:
    """Policies that decompose the effect of one into who is funded, what is bought, and their interaction."""
    reference = replace(
        load_scenario(REFERENCE, model=model), assumptions=scenario.assumptions, assumption_set=scenario.assumption_set
    )
    reference = _beside(reference, scenario)
    alike = replace(reference, policy=replace(reference.policy, redistribution=scenario.policy.redistribution))
    if alike != reference:
        alike = _named_after(alike, reference, scenario)
    return (reference, alike, _given(scenario, "per_head"), scenario)


def single_levers(budget: float, *, model: "str | Model" = SHIPPED_MODEL) -> tuple[Scenario, ...]:
    """One policy per lever that spends the whole budget on it, allocated per head."""
    root = load_scenario("baseline", model=model)
    return tuple(
        replace(
            root,
            name=f"only_{key}",
            label=FrozenMapping(
                (lang, translate("scenario.single_lever", lang, lever=text) + WHO["per_head"][1][lang])
                for lang, text in (("en", word.en), ("zh", word.zh))
            ),
            note=FrozenMapping({"en": "", "zh": ""}),
            policy=replace(root.policy, budget=budget, mix=FrozenMapping({key: 1.0}), redistribution=0.0),
            written=("policy.budget", "policy.mix"),
            reference=root,
        )
        for key, word in load_vocabulary(model).levers.items()
    )


def who_of(scenario: Scenario) -> str:
    """Key in `WHO` of the allocation rule of a policy; empty for any other rule."""
    given = scenario.policy.redistribution
    return next((key for key, (exponent, _) in WHO.items() if given == exponent), "")


def mix_of(name: str) -> str:
    """Name of a policy without the suffix of its allocation rule."""
    return _without_endings(name, [f"_{key}" for key in WHO])


def _given(scenario: Scenario, who: str) -> Scenario:
    """Replace the allocation rule of a policy by one of `WHO`, and rename it."""
    exponent, endings = WHO[who]
    if scenario.policy.redistribution == exponent:
        return scenario
    label = {
        lang: _without_endings(text, [ending[lang] for _, ending in WHO.values()]) + endings[lang]
        for lang, text in scenario.label.items()
    }
    return replace(
        scenario,
        name=f"{mix_of(scenario.name)}_{who}",
        label=FrozenMapping(label),
        policy=replace(scenario.policy, redistribution=exponent),
        compare_with=(),
    )


def _named_after(alike: Scenario, reference: Scenario, scenario: Scenario) -> Scenario:
    """Name the reference mix with the allocation rule of a scenario after that rule."""
    key = who_of(scenario)
    if key:
        return _given(reference, key)
    label = {lang: f"{text} / {scenario.label.get(lang, scenario.name)}" for lang, text in reference.label.items()}
    return replace(alike, name=f"{reference.name}_as_{scenario.name}", label=FrozenMapping(label), compare_with=())


def _without_endings(text: str, endings: Iterable[str]) -> str:
    for ending in endings:
        text = text.removesuffix(ending)
    return text
