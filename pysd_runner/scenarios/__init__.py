"""Scenarios: a policy (what is chosen) and assumptions (what is not), read from files or built in Python.

Names are imported on first use, because the libraries that read files are slow to import.
"""

from typing import TYPE_CHECKING

from pysd_runner.engine.lazy import lazy_exports

if TYPE_CHECKING:
    from pysd_runner.core.findings import Finding as Finding
    from pysd_runner.scenarios.crossing import load_scenario as load_scenario, with_comparisons as with_comparisons
    from pysd_runner.scenarios.document import InvalidScenarioFile as InvalidScenarioFile
    from pysd_runner.scenarios.load import shipped_scenarios as shipped_scenarios
    from pysd_runner.scenarios.policy import Policy as Policy, Schedule as Schedule
    from pysd_runner.scenarios.scenario import Scenario as Scenario, scenario_template as scenario_template
    from pysd_runner.scenarios.schema import scenario_schema as scenario_schema
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
