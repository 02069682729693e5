"""Modules by the names they had."""

import importlib
import subprocess
import sys

import pytest

import pysd_runner  # noqa: F401 - lets old names work
from pysd_runner.policy.spaces import DEFAULT_CONSTRAINTS
from pysd_runner.study.binding import RegionalModel


@pytest.mark.parametrize(
    ("module", "name", "found"),
    [
        ("pysd_runner.regional", "RegionalModel", RegionalModel),
        ("pysd_runner.regional.policy_spaces", "DEFAULT_CONSTRAINTS", DEFAULT_CONSTRAINTS),
    ],
)
def test_an_old_module_works_and_says_where_it_went(module, name, found):
    with pytest.warns(DeprecationWarning, match=f"{module}.{name} is now pysd_runner"):
        assert getattr(importlib.import_module(module), name) is found


def test_what_never_was_is_not_there():
    with pytest.raises(ImportError):
        importlib.import_module("pysd_runner.regional.nothing")
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = importlib.import_module("pysd_runner.regional").nothing


def test_importing_from_an_old_module_warns_in_a_script():
    code = "from pysd_runner.general.diagram import save_diagram; print(save_diagram.__module__)"
    done = subprocess.run([sys.executable, "-W", "always", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "pysd_runner.study.diagram"
    assert "pysd_runner.general.diagram.save_diagram is now pysd_runner.study.diagram.save_diagram" in done.stderr
