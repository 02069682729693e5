"""What must be run beside the scenarios a user asks for."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pysd_runner.core.errors import InvalidScenario
from pysd_runner.scenarios.frozen import FrozenMapping
from pysd_runner.scenarios.load import SHIPPED_MODEL, load_scenario
from pysd_runner.scenarios.scenario import Scenario
from pysd_runner.scenarios.vocabulary import ScenarioModel


def with_comparisons(
    scenarios: Sequence[Scenario], *, model: str | ScenarioModel = SHIPPED_MODEL
) -> tuple[Scenario, ...]:
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
    companions = [companion for scenario in scenarios for companion in _companions(scenario, model)]
    baselines = [scenario.baseline() for scenario in (*scenarios, *companions)]
    complete: dict[str, Scenario] = {}
    for scenario in (*baselines, *scenarios, *companions):
        if complete.setdefault(scenario.name, scenario) != scenario:
            raise InvalidScenario(f"two different scenarios are called {scenario.name!r}; rename one of them")
    return tuple(complete.values())


def distinct(scenarios: Sequence[Scenario]) -> tuple[Scenario, ...]:
    """Leave out scenarios that differ from an earlier one in nothing but their names."""
    kept: dict[tuple[object, object], Scenario] = {}
    for scenario in scenarios:
        kept.setdefault((scenario.policy, scenario.assumptions), scenario)
    return tuple(kept.values())


def _companions(scenario: Scenario, model: str | ScenarioModel) -> Iterator[Scenario]:
    for name in scenario.compare_with:
        yield _beside(load_scenario(name, model=model), scenario)


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
