"""Values a model itself calls missing are no failures; what is computed from them is one."""

import numpy as np
import pytest

from pysd_runner.core.errors import SimulationFailed
from pysd_runner.ensemble import Statistics, run_ensemble
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.small_models import write_model

EQUATIONS = (
    "k = 2 ~~|\nx = IF THEN ELSE(Time < k, :NA:, 3) ~~|\ny = x + 1 ~~|\n"
    "z = IF THEN ELSE(Time > 100, :NA:, 1/(Time - k)) ~~|"
)


@pytest.fixture
def model(tmp_path):
    return load_model(write_model(tmp_path, EQUATIONS, final=4, step=1, saveper=1))


@pytest.mark.parametrize("engine", ["auto", "numpy", "pysd"])
def test_what_an_equation_calls_missing_is_no_failure(model, engine):
    run = simulate(model, outcomes=["x"], engine=engine)
    np.testing.assert_array_equal(run["x"][0, 0], [np.nan, np.nan, 3, 3, 3])


@pytest.mark.parametrize(("outcomes", "message"), [(["x", "y"], "y became nan at"), (["z"], "z became inf")])
def test_what_is_computed_from_it_or_infinite_is_one(outcomes, message, model):
    with pytest.raises(SimulationFailed, match=message):
        simulate(model, outcomes=outcomes)


@pytest.mark.parametrize("quantiles", [(0.05, 0.5), ()])
@pytest.mark.parametrize("draws", [5, 5000])
def test_statistics_are_missing_where_some_draw_is(model, draws, quantiles):
    cases = {"k": np.linspace(0.5, 3, draws)}
    found = run_ensemble(model, cases, outcomes=["x"], keep=Statistics(quantiles=quantiles), threads=1)
    assert not found.failed.any()
    for name, values in found.statistics["x"].items():
        assert np.isnan(values[0, ..., :3]).all(), name
        assert np.isfinite(values[0, ..., 3:]).all(), name


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
@pytest.mark.parametrize("function", ["MIN", "MAX"])
def test_the_smallest_and_largest_of_numbers_of_which_one_is_missing_are_missing(tmp_path, engine, function):
    pairs = {"x": "a, 1", "y": "1, a", "z": "a, b", "w": "b, a"}
    equations = "\n".join(f"{name} = {function}({pair}) ~~|" for name, pair in pairs.items())
    model = load_model(write_model(tmp_path, f"p = -1 ~~|\nb = 1 ~~|\na = SQRT(p) ~~|\n{equations}", final=1))
    run = simulate(model, {"p": np.full((1, 9), -1.0), "b": np.ones((1, 9))}, engine=engine, throw=False)
    assert all(np.isnan(run[name]).all() for name in pairs)
