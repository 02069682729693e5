"""Steps and pulses, as Vensim documents them; PySD differs where they do not lie on the grid of steps."""

import numpy as np
import pytest

from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.small_models import write_model

ENGINES = ["numpy", "llvm"]

# Equation -> moments at which it is one, with steps of a quarter up to six.
ON = {
    "PULSE(2, 1)": [2, 2.25, 2.5, 2.75],
    "PULSE(2, 0)": [2],
    "PULSE(2, 0.1)": [2],
    # Between two moments the nearer one counts, for the beginning as for the end.
    "PULSE(1.9, 0.5)": [2, 2.25],
    "PULSE(2.1, 0.5)": [2, 2.25],
    "PULSE TRAIN(1, 0.5, 2, 5)": [1, 1.25, 3, 3.25, 5],
    "PULSE TRAIN(1, 0.1, 1, 3.1)": [1, 2, 3],
    # Without a gap between them the pulses are one, up to the end.
    "PULSE TRAIN(4, 1, 0.5, 5.25)": [4, 4.25, 4.5, 4.75, 5, 5.25],
    "PULSE TRAIN(5, 1, 0, 5.5)": [5, 5.25, 5.5],
    "STEP(1, 5.6)": [5.5, 5.75, 6],
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("method", ["euler", "rk4"])
def test_inputs_are_on_when_vensim_says(engine, method, tmp_path):
    equations = "".join(f"x{place} = {text} ~~|\n" for place, text in enumerate(ON))
    run = simulate(load_model(write_model(tmp_path, equations)), engine=engine, method=method)
    found = {text: run.years[run[f"x{place}"][0, 0] == 1].tolist() for place, text in enumerate(ON)}
    assert found == ON


@pytest.mark.parametrize("step", [0.1, 1 / 3, 0.05])
def test_rounding_of_the_time_is_of_no_account(step, tmp_path):
    equations = "a = PULSE(3, 1) ~~|\nb = PULSE TRAIN(3, 1, 2, 6) ~~|"
    run = simulate(load_model(write_model(tmp_path, equations)), step=step, save_every=step)
    assert run["a"].sum() == round(1 / step)
    assert run["b"].sum() == 2 * round(1 / step)


@pytest.mark.parametrize("method", ["euler", "rk4"])
@pytest.mark.parametrize("engine", ENGINES)
def test_what_flows_in_during_a_pulse_is_its_area(engine, method, tmp_path):
    equations = "s = INTEG(3*PULSE(2, 1) + STEP(2, 4), 1) ~~|"
    run = simulate(load_model(write_model(tmp_path, equations)), engine=engine, method=method)
    np.testing.assert_allclose(run["s"][0, 0], 1 + 3 * np.clip(run.years - 2, 0, 1) + 2 * np.maximum(run.years - 4, 0))
