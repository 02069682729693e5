"""Settings that are allowed but probably not meant."""

from collections.abc import Iterator
from dataclasses import replace

from pysd_runner.scenarios.scenario import Scenario


def notices(scenario: Scenario) -> Scenario:
    """Scenario with warnings about settings that have no effect."""
    return replace(scenario, warnings=(*scenario.warnings, *_without_effect(scenario)))


def _without_effect(scenario: Scenario) -> Iterator[str]:
    policy = scenario.policy
    changed = set(scenario.changes)
    if not policy.spends:
        if changed:
            yield "no money is spent, so the policy changes nothing; set `policy.budget`."
        return
    if policy.differentiation == 0 and any(key.startswith("class_mixes.") for key in changed):
        yield "the class mixes have no effect at differentiation 0; set `policy.differentiation`."
    if policy.differentiation == 1 and "mix" in changed:
        yield "the mix has no effect at differentiation 1; write `policy.class_mixes`, or lower that."
