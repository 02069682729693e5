"""Scenarios beside each other: with what they must be compared with, and with mix and way of giving varied apart."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pysd_runner.core.errors import InvalidScenario
from pysd_runner.scenarios.load import SHIPPED_MODEL, load_scenario
from pysd_runner.scenarios.policy import FrozenMapping
from pysd_runner.scenarios.scenario import Scenario
from pysd_runner.scenarios.vocabulary import load_vocabulary
from pysd_runner.text import in_both, say

if TYPE_CHECKING:
    from pysd_runner.model import Model

# Who gets the money: exponent of need, the ending of names, and those of labels.
WHO = {
    "per_head": (0.0, in_both("scenario.per_head")),
    "by_need": (1.0, in_both("scenario.by_need")),
}

# The mix that others are compared with: what a zoned policy spends on each lever, the same in every region.
REFERENCE = "uniform_mean_mix"


def with_comparisons(scenarios: Sequence[Scenario], *, model: "str | Model" = SHIPPED_MODEL) -> tuple[Scenario, ...]:
    """Scenarios with their baselines and with those they must be shown beside.

    Parameters
    ----------
    scenarios
        What was asked for.
    model
        Name of a shipped model, or a loaded model.

    Returns
    -------
    tuple of Scenario
        Baselines, one per set of assumptions, then the scenarios, then their companions; each once.
        A companion takes the budget, the start and the assumptions of the scenario it stands beside, so
        that the two cost the same and differ by policy alone; if that changes it, it is renamed.

    Raises
    ------
    InvalidScenario
        If two different scenarios have one name.
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
    """Leave out scenarios that differ from an earlier one in nothing but their names."""
    kept: dict[tuple[object, object], Scenario] = {}
    for scenario in scenarios:
        kept.setdefault((scenario.policy, scenario.assumptions), scenario)
    return tuple(kept.values())


def _beside(companion: Scenario, scenario: Scenario) -> Scenario:
    """Companion at the cost and under the assumptions of a scenario."""
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
    """Give the money of some policies in each of the ways of `WHO`."""
    return tuple(_given(scenario, key) for scenario in mixes for key in WHO)


def two_by_two(scenario: Scenario, *, model: "str | Model" = SHIPPED_MODEL) -> tuple[Scenario, ...]:
    """Policies that split the effect of one into who gets the money, what it is spent on, and their interaction."""
    reference = replace(
        load_scenario(REFERENCE, model=model),
        assumptions=scenario.assumptions,
        assumption_set=scenario.assumption_set,
    )
    policy = replace(reference.policy, budget=scenario.policy.budget, start=scenario.policy.start)
    if policy != reference.policy:
        label = {lang: f"{text} ({scenario.label.get(lang, scenario.name)})" for lang, text in reference.label.items()}
        name = f"{REFERENCE}_for_{scenario.name}"
        reference = replace(reference, name=name, label=FrozenMapping(label), policy=policy)
    alike = replace(reference, policy=replace(policy, redistribution=scenario.policy.redistribution))
    if alike != reference:
        alike = _named_after(alike, reference, scenario)
    return (reference, alike, _given(scenario, "per_head"), scenario)


def single_levers(budget: float, *, model: "str | Model" = SHIPPED_MODEL) -> tuple[Scenario, ...]:
    """Policies that spend everything on one lever, per head."""
    root = load_scenario("baseline", model=model)
    return tuple(
        replace(
            root,
            name=f"only_{key}",
            label=FrozenMapping(
                (lang, say("scenario.single_lever", lang, lever=text) + WHO["per_head"][1][lang])
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
    """Key of `WHO` by which a policy gives its money; empty when it gives it in another way."""
    given = scenario.policy.redistribution
    return next((key for key, (exponent, _) in WHO.items() if given == exponent), "")


def mix_of(name: str) -> str:
    """Name of a policy without the ending that says who gets the money."""
    return _without_endings(name, [f"_{key}" for key in WHO])


def _given(scenario: Scenario, who: str) -> Scenario:
    """The same policy with its money given in another way."""
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
    """The reference mix, called by how its money is given."""
    key = who_of(scenario)
    if key:
        return _given(reference, key)
    label = {lang: f"{text} / {scenario.label.get(lang, scenario.name)}" for lang, text in reference.label.items()}
    return replace(alike, name=f"{reference.name}_as_{scenario.name}", label=FrozenMapping(label), compare_with=())


def _without_endings(text: str, endings: Iterable[str]) -> str:
    for ending in endings:
        text = text.removesuffix(ending)
    return text
