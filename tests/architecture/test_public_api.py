"""What the front doors show. A name added or removed is a decision: it is counted here as well."""

import dataclasses
import importlib
import inspect
import re

import pytest

import gapsim
from pysd_runner import policy

DOORS = {
    "calibration": 6,
    "calibration.evaluation": 6,
    "calibration.sdeval": 25,
    "gapsim": 13,
    "pysd_runner": 13,
    "pysd_runner.checks": 12,
    "pysd_runner.engine": 19,
    "pysd_runner.ensemble": 14,
    "pysd_runner.export": 8,
    "pysd_runner.indicators": 14,
    "pysd_runner.data": 11,
    "pysd_runner.plots": 9,
    "pysd_runner.policy": 18,
    "pysd_runner.scenarios": 10,
    "pysd_runner.study": 7,
    "pysd_runner.simulation": 6,
    "pysd_runner.spec": 22,
}

EVERYTHING = [(door, name) for door in DOORS for name in importlib.import_module(door).__all__]


@pytest.mark.parametrize("door", DOORS)
def test_a_front_door_shows_so_many_names(door: str) -> None:
    module = importlib.import_module(door)
    assert len(set(module.__all__)) == len(module.__all__) == DOORS[door]
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


SEARCHES = ("attribute", "optimise")
PLOTS = {
    "pysd_runner.plots.gaps": ("gaps", "dispersion"),
    "pysd_runner.plots": ("differences", "tiles"),
    "pysd_runner.plots.mixes": ("mixes",),
    "pysd_runner.plots.over_time": ("fan", "series", "fitted", "profile"),
    "pysd_runner.plots.policies": ("wedges", "shares", "forest"),
    "calibration.reporting.fitted": ("series", "regions", "residuals", "parameters", "predictive"),
}


def test_a_door_names_its_arguments_and_a_figure_takes_axes() -> None:
    doors = [*(getattr(gapsim, name) for name in gapsim.__all__), *(getattr(policy, name) for name in SEARCHES)]
    given = {item.__name__: inspect.signature(item).parameters for item in doors if callable(item)}
    hidden = {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}
    assert [name for name, found in given.items() if hidden & {item.kind for item in found.values()}] == []
    long = {"fit", "sample", "forecast", "backtest", "project", *SEARCHES}
    assert {name for name, found in given.items() if "progress" in found} == long
    figures = [getattr(importlib.import_module(home), f"plot_{name}") for home in PLOTS for name in PLOTS[home]]
    assert [item for item in figures if "ax" not in inspect.signature(item).parameters] == []
