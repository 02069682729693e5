"""What the front doors show. A name added, renamed or removed is a decision: it is made here as well."""

import dataclasses
import importlib
import inspect
import re

import pytest

FRONT_DOORS = {
    "calibration": ["CalibrationProblem", "FitResult", "fit"],
    "pysd_runner": [
        "check_panel",
        "jacobian",
        "load_model",
        "load_panel",
        "load_projection",
        "load_scenario",
        "project",
        "run_ensemble",
    ],
    "pysd_runner.checks": [
        "BehaviourProblem",
        "DimensionProblem",
        "Experiment",
        "Experiments",
        "Rule",
        "check_behaviour",
        "check_dimensions",
        "experiments_of",
        "load_rules",
        "outcomes_of",
        "rules_of",
    ],
    "pysd_runner.engine": ["TimePath"],
    "pysd_runner.ensemble": [
        "Design",
        "Ensemble",
        "Statistics",
        "UnbalancedDesign",
        "fitted_draws",
        "grid",
        "latin_hypercube",
        "prior_draws",
        "random_draws",
        "rows",
        "run_ensemble",
        "sobol",
    ],
    "pysd_runner.export": [
        "Summary",
        "below_baseline_markdown",
        "csv_bytes",
        "load_netcdf",
        "provenance_of",
        "save_csv",
        "save_netcdf",
        "summary_markdown",
        "summary_table",
        "summary_text",
        "to_iamc",
        "to_long_frame",
        "write_bytes_whole",
        "write_text_whole",
    ],
    "pysd_runner.indicators": [
        "INDICATORS",
        "TheilParts",
        "class_totals",
        "coefficient_of_variation",
        "gap_closed",
        "gap_to_leader",
        "gini",
        "halving_time",
        "indicators_of",
        "log_relative_output",
        "output_share",
        "population_share",
        "probability_of",
        "relative_output",
        "sigma_dispersion",
        "theil",
        "theil_decomposition",
        "years_to_halve",
    ],
    "pysd_runner.panel": [
        "Flags",
        "Panel",
        "PanelMapping",
        "Problem",
        "Region",
        "check_panel",
        "load_mapping",
        "load_panel",
        "shipped_panels",
    ],
    "pysd_runner.plots": [
        "MissingFont",
        "ReportFigure",
        "UNCERTAINTIES",
        "figure_sentence",
        "label_array",
        "plot_differences",
        "plot_dispersion",
        "plot_gaps",
        "plot_tiles",
        "save_figure",
    ],
    "pysd_runner.scenarios": [
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
    ],
    "pysd_runner.spec": [
        "Beta",
        "FittedParameters",
        "Lever",
        "LogNormal",
        "Measurement",
        "ModelSpec",
        "Normal",
        "Outcome",
        "Parameter",
        "PolicyClass",
        "Prior",
        "Proxy",
        "RegionInput",
        "Uniform",
        "load_fitted",
        "load_spec",
    ],
}

EVERYTHING = [(door, name) for door, names in FRONT_DOORS.items() for name in names]


@pytest.mark.parametrize("door", FRONT_DOORS)
def test_a_front_door_shows_these_names(door: str) -> None:
    module = importlib.import_module(door)
    assert sorted(module.__all__) == sorted(FRONT_DOORS[door])
    assert set(module.__all__) <= set(dir(module))


@pytest.mark.parametrize(("door", "name"), EVERYTHING, ids=lambda part: part)
def test_what_a_front_door_shows_is_documented(door: str, name: str) -> None:
    item = getattr(importlib.import_module(door), name)
    if not (inspect.isclass(item) or inspect.isfunction(item)):
        return
    text = inspect.getdoc(item) or ""
    generated = dataclasses.is_dataclass(item) and text.startswith(f"{item.__name__}(")
    assert text, f"{door}.{name} has no docstring"
    assert not generated, f"{door}.{name} has no docstring of its own"
    if inspect.isfunction(item) and "The parameters are those of `" not in text:
        parameters = list(inspect.signature(item).parameters)
        missing = [parameter for parameter in parameters if not re.search(rf"^.*\b{parameter}\b", text, re.MULTILINE)]
        assert not missing, f"{door}.{name} does not say what {', '.join(missing)} is"
