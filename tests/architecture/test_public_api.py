"""What the front doors show. A name added or removed is a decision: it is counted here as well."""

import dataclasses
import importlib
import inspect
import re

import pytest

import gapsim

DOORS = {
    "calibration": 6,
    "calibration.evaluation": 6,
    "calibration.sdeval": 25,
    "gapsim": 12,
    "pysd_runner": 12,
    "pysd_runner.checks": 12,
    "pysd_runner.engine": 18,
    "pysd_runner.ensemble": 14,
    "pysd_runner.export": 8,
    "pysd_runner.indicators": 14,
    "pysd_runner.data": 11,
    "pysd_runner.plots": 9,
    "pysd_runner.policy": 24,
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


DRAWN = [
    *(f"pysd_runner.plots.gaps.{name}" for name in ("plot_gaps", "plot_dispersion")),
    *(f"pysd_runner.plots.{name}.plot_{name}" for name in ("differences", "tiles", "mixes")),
    *(f"pysd_runner.plots.over_time.plot_{name}" for name in ("fan", "series", "fitted", "profile")),
    *(f"pysd_runner.plots.policies.plot_{name}" for name in ("wedges", "shares", "regret", "switches", "forest")),
    *(f"calibration.reporting.fitted.plot_{name}" for name in ("series", "regions", "residuals", "parameters")),
    "calibration.reporting.fitted.plot_predictive",
]


def test_a_door_names_its_arguments_and_a_figure_takes_axes() -> None:
    asked = [f"gapsim.{name}" for name in gapsim.__all__ if callable(getattr(gapsim, name))]
    asked += [f"pysd_runner.policy.{name}" for name in ("attribute", "advise", "optimise")]
    signatures = {}
    for name in (*asked, *DRAWN):
        module, _, own = name.rpartition(".")
        signatures[name] = inspect.signature(getattr(importlib.import_module(module), own)).parameters
    kinds = {name: {item.kind for item in signatures[name].values()} for name in asked}
    assert [name for name in asked if inspect.Parameter.VAR_KEYWORD in kinds[name]] == []
    assert [name for name in DRAWN if "ax" not in signatures[name]] == []
    long = {"fit", "sample", "forecast", "backtest", "project"}
    assert {name for name in asked if "progress" in signatures[name]} >= {f"gapsim.{name}" for name in long}
