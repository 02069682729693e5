"""Scenarios: what is chosen (policy) and what is not (assumptions), from files a person writes.

Names are imported when they are first used, because reading files needs libraries that take a while to load.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for type checkers only; see the module's text
    from pysd_runner.scenarios.description import with_comparisons
    from pysd_runner.scenarios.load import compose, load_scenario, shipped_scenarios
    from pysd_runner.scenarios.policy import Policy, Schedule
    from pysd_runner.scenarios.problems import InvalidScenarioFile, Problem
    from pysd_runner.scenarios.scenario import Scenario
    from pysd_runner.scenarios.schema import scenario_schema
    from pysd_runner.scenarios.template import scenario_template

_HOMES = {
    "InvalidScenarioFile": "problems",
    "Policy": "policy",
    "Problem": "problems",
    "Scenario": "scenario",
    "Schedule": "policy",
    "compose": "load",
    "load_scenario": "load",
    "scenario_schema": "schema",
    "scenario_template": "template",
    "shipped_scenarios": "load",
    "with_comparisons": "description",
}

__all__ = [
    "InvalidScenarioFile",
    "Policy",
    "Problem",
    "Scenario",
    "Schedule",
    "compose",
    "load_scenario",
    "scenario_schema",
    "scenario_template",
    "shipped_scenarios",
    "with_comparisons",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
