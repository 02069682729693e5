"""Several scenarios in one."""

from collections.abc import Iterable
from itertools import chain
from typing import Any

from pysd_runner.core.errors import InvalidScenario
from pysd_runner.scenarios.frozen import FrozenMapping
from pysd_runner.scenarios.notices import notices
from pysd_runner.scenarios.policy import Policy
from pysd_runner.scenarios.scenario import Scenario


def compose(name: str, *scenarios: Scenario) -> Scenario:
    """Apply the changes of several scenarios to their common baseline, from left to right.

    Parameters
    ----------
    name
        Name of the result.
    *scenarios
        At least one; what a later one writes wins. Assumptions add up in the same way.

    Returns
    -------
    Scenario
        A scenario of the same baseline.

    Raises
    ------
    InvalidScenario
        If there is none, or they are deltas on different baselines or for different models.
    """
    if not scenarios:
        raise InvalidScenario(f"nothing to compose {name!r} from; give at least one scenario")
    root = scenarios[0].reference or scenarios[0]
    settings: dict[str, Any] = dict(root.policy.settings())
    changes: dict[str, None] = {}
    assumptions: dict[str, float] = {}
    for scenario in scenarios:
        if scenario.model != root.model or (scenario.reference or scenario).policy != root.policy:
            pair = f"{scenario.name!r} and {scenarios[0].name!r}"
            raise InvalidScenario(f"{pair} do not share a model and a baseline")
        written = scenario.policy.settings()
        settings |= {key: written.get(key) for key in scenario.changes}
        changes |= dict.fromkeys(scenario.changes)
        assumptions |= scenario.assumptions
    return notices(
        Scenario(
            name=name,
            label=FrozenMapping((language, _joined(scenarios, language)) for language in ("en", "zh")),
            policy=Policy.from_settings(settings),
            assumptions=FrozenMapping(assumptions),
            assumption_set=_assumption_set(name, scenarios),
            changes=tuple(changes),
            reference=root,
            compare_with=tuple(dict.fromkeys(chain(*(scenario.compare_with for scenario in scenarios)))),
            model=root.model,
        )
    )


def _joined(scenarios: Iterable[Scenario], language: str) -> str:
    return " + ".join(scenario.label.get(language, scenario.name) for scenario in scenarios)


def _assumption_set(name: str, scenarios: Iterable[Scenario]) -> str:
    sets = dict.fromkeys(scenario.assumption_set for scenario in scenarios if scenario.assumption_set)
    return name if len(sets) > 1 else next(iter(sets), "")
