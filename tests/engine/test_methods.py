"""Euler and Runge-Kutta, and runs whose bounds and steps change while they go on."""

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidInput, UnsupportedFeature
from pysd_runner.engine.clock import UnevenStop
from pysd_runner.engine.values import TimePath
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.parity import assert_same
from tests.engine.small_models import FEATURES, write_model

ENGINES = ["numpy", "llvm"]


@pytest.mark.parametrize("engine", ENGINES)
def test_runge_kutta_follows_its_closed_form(engine, tmp_path):
    model = load_model(write_model(tmp_path, "rate = 0.8 ~~|\nflow = -rate*s ~~|\ns = INTEG(flow, 3) ~~|"))
    rates = np.array([[0.8, 2.0]])
    run = simulate(model, {"rate": rates}, method="rk4", engine=engine)
    z = -rates[0][:, None] * 0.25
    factor = 1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24
    np.testing.assert_allclose(run["s"][0], 3 * factor ** np.arange(run.years.size), rtol=1e-13)


@pytest.mark.parametrize("engine", ENGINES)
def test_runge_kutta_is_exact_for_cubic_flows_and_linear_paths(engine, tmp_path):
    equations = (
        "x = Time^2 ~~|\ny = 4*x*Time ~~|\ns = INTEG(y, 1) ~~|\ninput = 0 ~~|\nR: A, B ~~|\nk[R] = 1, 2 ~~|\n"
        "v[R] = INTEG(k[R]*input + 0*s, k[R]) ~~|"
    )
    path = TimePath(times=np.array([0.0, 10.0]), values=np.array([0.0, 20.0]), interpolate="linear")
    run = simulate(load_model(write_model(tmp_path, equations)), {"input": path}, method="rk4", engine=engine)
    np.testing.assert_allclose(run["s"][0, 0], 1 + run.years**4, rtol=1e-12)
    np.testing.assert_allclose(run["v"][0, 0], [[1], [2]] * (1 + run.years**2), rtol=1e-12)


@pytest.mark.parametrize("feature", ["pipe", "sample"])
def test_what_moves_once_per_step_is_the_same_in_both_methods(feature, tmp_path):
    model = load_model(write_model(tmp_path, FEATURES[feature]))
    stocks = {name for name, item in model.variables.items() if item.kind == "stock"}
    wanted = [name for name, item in model.variables.items() if item.kind == "auxiliary" and name not in stocks]
    euler, rk4 = (simulate(model, outcomes=wanted, method=method) for method in ("euler", "rk4"))
    assert_same(euler, rk4)


@pytest.mark.parametrize("feature", sorted(FEATURES))
def test_both_engines_integrate_alike(feature, tmp_path):
    model = load_model(write_model(tmp_path, FEATURES[feature]))
    assert_same(simulate(model, method="rk4", engine="llvm"), simulate(model, method="rk4", engine="numpy"))


def test_pysd_knows_no_other_method(tmp_path):
    model = load_model(write_model(tmp_path, "x = 1 ~~|"))
    with pytest.raises(InvalidInput, match="PySD knows 'euler' only"):
        simulate(model, method="rk4", engine="pysd")
    with pytest.raises(InvalidInput, match="found 'heun'"):
        simulate(model, method="heun")  # type: ignore[arg-type]


def write_with(folder, equations, controls):
    path = folder / "model.mdl"
    path.write_text("{UTF-8}\n" + equations + controls, encoding="utf-8")
    return load_model(path)


MOVING = {
    "final time": "FINAL TIME = IF THEN ELSE(s > 20, Time, 50) ~~|\nTIME STEP = 0.5 ~~|\nSAVEPER = TIME STEP ~~|",
    "step": (
        "FINAL TIME = 10 ~~|\nTIME STEP = IF THEN ELSE(Time < 4, 1, 0.5) ~~|\n"
        "SAVEPER = IF THEN ELSE(Time < 6, 1, 2) ~~|"
    ),
    "all": (
        "FINAL TIME = IF THEN ELSE(Time < 5, 8, 12) ~~|\nTIME STEP = IF THEN ELSE(s < 9, 0.5, 0.25) ~~|\n"
        "SAVEPER = TIME STEP ~~|"
    ),
}
GROWTH = "s = INTEG(rate*s + STEP(1, 2), 4) ~~|\nrate = 0.2 ~~|\nx = s*2 + DELAY FIXED(s, 1, 0.5) ~~|\n"


@pytest.mark.parametrize("name", MOVING)
@pytest.mark.parametrize("engine", ENGINES)
def test_bounds_and_steps_that_change_agree_with_pysd(name, engine, tmp_path):
    model = write_with(tmp_path, GROWTH, "INITIAL TIME = 0 ~~|\n" + MOVING[name])
    outcomes = ["s", "x", "TIME STEP", "FINAL TIME"]
    ours = simulate(model, engine=engine, outcomes=outcomes)
    assert_same(ours, simulate(model, engine="pysd", outcomes=outcomes))
    assert np.unique(ours["TIME STEP"]).size == (1 if name == "final time" else 2)


def test_steps_that_change_are_taken_as_long_as_they_are(tmp_path):
    model = write_with(tmp_path, "s = INTEG(Time, 1) ~~|\n", "INITIAL TIME = 0 ~~|\n" + MOVING["step"])
    run = simulate(model, save_every=0.5)
    times = [0, 1, 2, 3, *np.arange(4, 10.25, 0.5)]
    expected = 1 + np.concatenate([[0], np.cumsum(np.array(times[:-1]) * np.diff(times))])
    np.testing.assert_allclose(run["s"][0, 0], expected, rtol=1e-14)


@pytest.mark.parametrize("engine", ENGINES)
def test_runge_kutta_with_steps_that_change(engine, tmp_path):
    model = write_with(tmp_path, "s = INTEG(4*Time^3, 1) ~~|\n", "INITIAL TIME = 0 ~~|\n" + MOVING["step"])
    run = simulate(model, method="rk4", save_every=0.5, engine=engine)
    np.testing.assert_allclose(run["s"][0, 0], 1 + run.years**4, rtol=1e-12)
    path = TimePath(times=np.array([0.0]), values=np.array([1.0]))
    other = write_with(tmp_path, "k = 1 ~~|\ns = INTEG(k, 1) ~~|\n", "INITIAL TIME = 0 ~~|\n" + MOVING["step"])
    with pytest.raises(UnsupportedFeature, match='take method="euler"'):
        simulate(other, {"k": path}, method="rk4", engine=engine)


def test_a_step_that_shrinks_with_the_state_needs_many_passes(tmp_path):
    controls = "INITIAL TIME = 0 ~~|\nFINAL TIME = 3 ~~|\nTIME STEP = 1/(4 + s) ~~|\nSAVEPER = 3 ~~|"
    with pytest.warns(UnevenStop, match="the run ends at 2.957"):
        run = simulate(write_with(tmp_path, "s = INTEG(s, 1) ~~|\n", controls), stop=None, save_every=1e-9)
    times, s = [0.0], [1.0]
    while times[-1] + 1 / (4 + s[-1]) < 3:
        step = 1 / (4 + s[-1])
        times.append(times[-1] + step)
        s.append(s[-1] + step * s[-1])
    np.testing.assert_allclose(run["s"][0, 0], s, rtol=1e-13)


def test_cases_that_differ_share_what_is_saved(tmp_path):
    controls = (
        "INITIAL TIME = 0 ~~|\nFINAL TIME = 4 ~~|\nTIME STEP = IF THEN ELSE(s > 7, 0.25, 0.5) ~~|\nSAVEPER = 1 ~~|"
    )
    model = write_with(tmp_path, GROWTH, controls)
    rates = np.array([[0.1, 0.3], [0.5, 0.2]])
    together = simulate(model, {"rate": rates})
    for scenario, draw in np.ndindex(2, 2):
        alone = simulate(model, {"rate": rates[scenario, draw]}, engine="pysd")
        np.testing.assert_allclose(together["x"][scenario, draw], alone["x"][0, 0], rtol=1e-12)


def test_cases_that_end_at_different_times_are_refused(tmp_path):
    model = write_with(tmp_path, GROWTH, "INITIAL TIME = 0 ~~|\n" + MOVING["final time"])
    with pytest.raises(InvalidInput, match="draw 1 is saved at"):
        simulate(model, {"rate": np.array([0.1, 0.3])})
    assert simulate(model, {"rate": np.array([0.1, 0.3])}, stop=6).data["s"].shape == (1, 2, 13)


def test_a_bound_given_through_a_parameter_must_agree_as_well(tmp_path):
    controls = "INITIAL TIME = 0 ~~|\nFINAL TIME = end ~~|\nTIME STEP = 1 ~~|\nSAVEPER = 1 ~~|"
    model = write_with(tmp_path, "end = 3 ~~|\nx = Time ~~|\n", controls)
    assert simulate(model, {"end": 5.0}).years[-1] == 5
    with pytest.raises(InvalidInput, match="saved at"):
        simulate(model, {"end": np.array([3.0, 5.0])})


@pytest.mark.parametrize(
    ("controls", "message"),
    [
        ("FINAL TIME = 5 ~~|\nTIME STEP = 2 - Time ~~|", "TIME STEP is 0 at time 2"),
        ("FINAL TIME = Time + 1 ~~|\nTIME STEP = 1000 ~~|", "FINAL TIME is not reached"),
    ],
)
def test_steps_that_lead_nowhere_are_refused(controls, message, tmp_path, monkeypatch):
    import pysd_runner.engine.clock as own_clock

    monkeypatch.setattr(own_clock, "MOST_STEPS", 300)
    with pytest.raises(InvalidInput, match=message):
        simulate(write_with(tmp_path, "x = Time ~~|\n", f"INITIAL TIME = 0 ~~|\n{controls}\nSAVEPER = 1 ~~|"))
