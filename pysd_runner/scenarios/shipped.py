"""The scenarios that ship with a model."""

from pathlib import Path

from pysd_runner.scenarios.vocabulary import ScenarioModel, scenario_folder


def shipped_files(model: str | ScenarioModel) -> dict[str, Path]:
    """Scenario files that ship with a model."""
    return {file.stem: file for file in sorted(scenario_folder(model).glob("*.yaml"))}


def shipped_scenarios(model: str | ScenarioModel = "regional_digital") -> tuple[str, ...]:
    """Names of the scenarios that ship with a model.

    Parameters
    ----------
    model
        Name of a shipped model, or a loaded model.

    Returns
    -------
    tuple of str
        In alphabetical order, the baseline first.

    Raises
    ------
    UnknownName
        If no shipped model has that name.
    """
    return tuple(sorted(shipped_files(model), key=lambda name: (name != "baseline", name)))
