"""The front doors: there when asked for, costing nothing before, and not hidden by modules of the same name."""

import subprocess
import sys
from importlib import import_module

import pytest

import calibration
from pysd_runner.core.errors import InvalidInput
from pysd_runner.data import load_data


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, calibration; print([name for name in ('numpy', 'scipy', 'pandas') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_fitting_needs_neither_pandas_nor_matplotlib_to_be_imported() -> None:
    heavy = "('pandas', 'matplotlib', 'scipy')"
    code = f"import sys, calibration.fitting.fit; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_module_of_the_same_name_does_not_hide_a_front_door() -> None:
    module = import_module("calibration.fitting.fit")
    assert calibration.fit is module.fit
    assert sys.modules["calibration.fitting.fit"] is module


def test_the_public_names() -> None:
    assert dir(calibration) == ["Backtest", "CalibrationProblem", "FitResult", "backtest", "fit", "forecast"]
    assert all(getattr(calibration, name).__name__ == name for name in dir(calibration))


def test_names_of_before_say_the_new_ones() -> None:
    panel = load_data("china")
    with pytest.raises(InvalidInput, match="forecasters now"):
        calibration.backtest(panel, models=["gapsim"])
    with pytest.raises(InvalidInput, match="a forecaster is named by `forecaster`"):
        calibration.forecast(panel, until=2030, model="gapsim")
