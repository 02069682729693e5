"""Settings that are allowed but probably not meant."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pysd_runner.scenarios.policy import Policy, Schedule
from pysd_runner.scenarios.scenario import Scenario


def notices(scenario: Scenario) -> Scenario:
    """Scenario with warnings about settings that have no effect.

    Parameters
    ----------
    scenario
        A resolved scenario.

    Returns
    -------
    Scenario
        The same with further warnings.
    """
    return replace(scenario, warnings=(*scenario.warnings, *_without_effect(scenario)))


def _paid(policy: Policy) -> set[str]:
    """Levers with a share in some mix that is used."""
    used: list[Any] = [] if policy.differentiation == 1 else [policy.mix]
    used += list(policy.class_mixes.values()) if policy.differentiation else []
    mixes: list[Mapping[str, float]] = []
    for item in used:
        mixes += item.values if isinstance(item, Schedule) else [item or {}]
    return {lever for mix in mixes for lever, share in mix.items() if share > 0}


def _without_effect(scenario: Scenario) -> Iterator[str]:
    policy = scenario.policy
    changed = set(scenario.changes)
    if not policy.spends:
        if changed:
            yield "no money is spent, so the policy changes nothing; set `policy.budget`."
        return
    if policy.levers and not any(policy.levers.get(key, True) for key in _paid(policy)):
        yield "every lever with money is off, so nothing is spent; see `policy.levers`."
    if policy.differentiation == 0 and any(key.startswith("class_mixes.") for key in changed):
        yield "the class mixes have no effect at differentiation 0; set `policy.differentiation`."
    if policy.differentiation == 1 and "mix" in changed:
        yield "the mix has no effect at differentiation 1; write `policy.class_mixes`, or lower that."
