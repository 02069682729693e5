"""Values a model itself calls missing are no failures; what is computed from them is one."""

import numpy as np
import pytest

from pysd_runner.core.errors import ProbableSlip, SimulationFailed
from pysd_runner.engine import load_lowered, serial
from pysd_runner.ensemble import Statistics, run_ensemble
from pysd_runner.model import load_model
from pysd_runner.simulation import jacobian, simulate
from tests.engine.small_models import FEATURES, MISSING, write_model

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


# Of `MISSING` at times 0 to 3, by hand: a missing value is less than every number, and the least of several is missing.
N = np.nan
BY_HAND = {
    "larger": [0, 0, 5, 6],
    "neither": [N, 5, 5, 5],
    "smaller": [N, N, 0, 0],
    "below": [1, 1, 1, 1],
    "from": [1, 0, 0, 0],
    "same": [1, 0, 0, 0],
    "other": [0, 1, 1, 1],
    "top": [7, 7, 7, 7],
    "number": [N, N, N, N],
}


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
def test_missing_is_less_than_every_number_where_a_value_can_be_missing(tmp_path, engine):
    model = load_model(write_model(tmp_path, MISSING, final=3, step=1, saveper=1))
    run = simulate(model, engine=engine, outcomes=list(BY_HAND), throw=False)
    for name, expected in BY_HAND.items():
        np.testing.assert_array_equal(run[name][0, 0], expected, err_msg=name)


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
def test_the_derivative_of_a_maximum_is_that_of_the_argument_that_is_not_missing(tmp_path, engine):
    equations = "p = 3 ~~|\nd = IF THEN ELSE(Time < 2, :NA:, Time) ~~|\nx = MAX(2*p, d + 5*p) + MAX(d + p, p) ~~|"
    model = load_model(write_model(tmp_path, equations, final=3, step=1, saveper=1))
    found = jacobian(model, parameters=["p"], outcomes=["x"], engine=engine)
    assert np.ravel(found["x"]).tolist() == [3, 3, 6, 6]


def test_a_model_in_which_nothing_can_be_missing_is_left_alone(tmp_path, monkeypatch):
    from pysd_runner.engine.frontend.lowering import model as lowering
    from pysd_runner.engine.passes import missing

    for equations in FEATURES.values():
        path = write_model(tmp_path, equations)
        monkeypatch.setattr(lowering, "with_missing_as_least", lambda model: model)
        before = load_lowered(path, {}).model
        assert serial.dumps(missing.with_missing_as_least(before)) == serial.dumps(before)


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
def test_data_at_a_missing_time_are_missing_and_what_depends_on_them_is_named(tmp_path, engine):
    (tmp_path / "d.csv").write_text("time,a\n0,3\n1,4\n", encoding="utf-8")
    equations = "d := GET DIRECT DATA('d.csv', ',', 'A', 'B2') ~~|\nfirst = GET DATA AT TIME(d, :NA:) ~~|\n"
    equations += "rest = INTEG(1, first + 1) ~~|\nfree = 2 ~~|"
    model = load_model(write_model(tmp_path, equations, final=3, step=1, saveper=1))
    assert model.ir.unsettled == ("first", "rest")
    with pytest.warns(ProbableSlip, match="trust no number of the variables that depend on it, first, rest"):
        run = simulate(model, engine=engine)
    assert np.isnan(run["first"]).all()
    assert np.isnan(run["rest"]).all()
