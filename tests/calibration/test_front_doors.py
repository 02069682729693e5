"""The front doors: there when asked for, costing nothing before, and not hidden by modules of the same name."""

import subprocess
import sys
from importlib import import_module

import pytest

import calibration


@pytest.mark.parametrize("package", ["calibration", "gapsim", "calibration.fitting.fit"])
def test_importing_loads_nothing_heavy(package: str) -> None:
    heavy = {"scipy", "pandas", "matplotlib"} | ({"numpy"} if "." not in package else set())
    code = f"import sys, {package}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_module_of_the_same_name_does_not_hide_a_front_door() -> None:
    module = import_module("calibration.fitting.fit")
    assert calibration.fit is module.fit
    assert sys.modules["calibration.fitting.fit"] is module
