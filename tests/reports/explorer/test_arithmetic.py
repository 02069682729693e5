"""Exponential, logarithm and power without fused multiply-add, in Node, against the C library."""

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="llvmlite cannot be loaded here, so nothing can be compiled")

from pysd_runner.model import load_model
from pysd_runner.simulation.task import prepared
from tests.engine.llvm.loops import SPECIAL, c_library, steps_between
from tests.engine.llvm.test_mathematics import EXP, FAR, LN, POWER
from tests.engine.small_models import write_model
from tests.reports.explorer.node import needs_node, run_in_node

EQUATIONS = {"exp": ("EXP(x)", "exp", 2), "ln": ("LN(x)", "log", 2), "power": ("POWER(x, y)", "pow", 2)}
SAMPLES = {"exp": EXP, "ln": LN, "power": POWER | FAR}
DRAWS = 20_000


@pytest.fixture(autouse=True, scope="module")
def _node():
    needs_node()


def evaluated(folder, name, x, y):
    path = write_model(folder, f"x = 1 ~~|\ny = 1 ~~|\nvalue = {EQUATIONS[name][0]} ~~|", final=0, step=1, saveper=1)
    task = prepared(load_model(path), {"x": x[None], "y": y[None]}, outcomes=["value"])
    found, _, _ = run_in_node(task)
    return found["value"][:, 0]


def samples(name):
    rng = np.random.default_rng(20240607)
    for make in SAMPLES[name].values():
        found = make(rng)
        x, y = found if isinstance(found, tuple) else (found, np.ones_like(found))
        kept = np.linspace(0, x.size - 1, min(DRAWS, x.size)).astype(int)
        yield x[kept].astype(float), y[kept].astype(float)


@pytest.mark.parametrize("name", EQUATIONS)
def test_few_units_in_the_last_place_from_the_c_library(name, tmp_path):
    x, y = (np.concatenate(parts) for parts in zip(*samples(name), strict=True))
    _, function, most = EQUATIONS[name]
    expected = c_library()[function](*((x, y) if name == "power" else (x,)))
    steps = steps_between(evaluated(tmp_path, name, x, y), expected)
    worst = int(steps.argmax())
    assert steps[worst] <= most, (x[worst], y[worst])


@pytest.mark.parametrize("name", EQUATIONS)
def test_special_cases_are_those_of_the_standard(name, tmp_path):
    # A run refuses what is not finite; results beyond the range are reached all the same.
    values = np.array([value for value in SPECIAL if np.isfinite(value)])
    x, y = (item.ravel() for item in np.meshgrid(values, values))
    expected = c_library()[EQUATIONS[name][1]](*((x, y) if name == "power" else (x,)))
    found = evaluated(tmp_path, name, x, y)
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(expected))
    np.testing.assert_array_equal(found[~np.isfinite(expected)], expected[~np.isfinite(expected)])
    np.testing.assert_allclose(found, expected, rtol=1e-13)
