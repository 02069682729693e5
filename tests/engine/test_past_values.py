"""Values of the past: HISTORY, DERIVN, delays with a time of their own, and what they need to be fixed."""

import numpy as np
import pytest

from pysd_runner.core.errors import UnsupportedFeature
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.small_models import write_model
from tests.engine.xmile_files import OVER_D, aux, load_xmile, stock

ENGINES = ["numpy", "llvm"]


@pytest.mark.parametrize("engine", ENGINES)
def test_history_looks_back_a_while_or_to_a_moment(engine, tmp_path):
    variables = aux("x", "TIME^2 + 1") + aux("lag", 1) + aux("back", "HISTORY(x, TIME - 2)")
    variables += aux("two", "HISTORY(x, TIME - lag - DT + 0)") + aux("then", "HISTORY(x, 3)")
    variables += aux("first", "HISTORY(x, STARTTIME)") + aux("late", "HISTORY(x, 99)")
    run = simulate(load_xmile(tmp_path, variables), engine=engine)
    found = {name: values[0, 0].tolist() for name, values in run.data.items()}
    assert found["x"] == [1, 2, 5, 10, 17]
    assert found["back"] == found["two"] == [0, 0, 1, 2, 5]
    assert found["then"] == [0, 0, 0, 10, 10]
    assert found["first"] == [1] * 5
    assert found["late"] == [0] * 5


def test_history_of_arrays(tmp_path):
    each = '<element subscript="a"><eqn>TIME</eqn></element><element subscript="b"><eqn>2*TIME</eqn></element>'
    variables = f'<aux name="x">{OVER_D}{each}</aux>' + aux("y", "HISTORY(x[D], TIME - 1)", OVER_D)
    assert simulate(load_xmile(tmp_path, variables), outcomes=["y"])["y"][0, 0, :, 2].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("HISTORY(x, TIME - x)", "variable 'y': the lag of HISTORY changes while the model runs.*; make it a constant"),
        ("HISTORY(x, TIME/2)", "variable 'y': the time of HISTORY changes while the model runs, which is not covered"),
        ("HISTORY(x, 3, 1)", "HISTORY of another run in variable 'y' is not covered"),
        ("DERIVN(x, x)", "DERIVN of an order that is no whole number from 0 to 20 in variable 'y'"),
        ("CLOCKTIME", "CLOCKTIME, the clock of the computer, which no run could repeat, in variable 'y'"),
    ],
)
def test_what_cannot_be_known_is_refused(text, message, tmp_path):
    model = load_xmile(tmp_path, aux("x", "TIME") + aux("y", text))
    with pytest.raises(UnsupportedFeature, match=message):
        simulate(model)
    assert simulate(model, outcomes=["x"])["x"][0, 0, -1] == 4


# Numbers of the tests of BPTK (transentis): of SIN(TIME) from 1 on, in steps of 1/4.
FOURTH = [0, 0, 0, 0, 0.987, 0.974, 0.9, 0.77, 0.592, 0.378, 0.14, -0.107, -0.347, -0.566, -0.749, -0.886, -0.967]


@pytest.mark.parametrize("engine", ENGINES)
def test_derivatives_over_time(engine, tmp_path):
    variables = aux("x", "SIN(TIME + 1)") + aux("y", "DERIVN(x, 4)") + aux("n", "DERIVN(TIME, 0) + DERIVN(TIME, 1)")
    run = simulate(load_xmile(tmp_path, variables, step=0.25), engine=engine)
    assert run["y"][0, 0].round(3).tolist() == FOURTH
    assert run["n"][0, 0, :3].tolist() == [0, 1.25, 1.5]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_material_delay_of_a_fixed_time_is_a_fixed_delay(engine, tmp_path):
    equations = "x = Time ~~|\nwait = 2 ~~|\na = DELAY MATERIAL(x, wait, 7, 0) ~~|\nb = DELAY FIXED(x, wait, 7) ~~|\n"
    equations += "c = DELAY INFORMATION(x, 2, 7) ~~|\nd = DELAY MATERIAL(x, x, 7, 0) ~~|\n"
    equations += ":MACRO: PIPE(input, wait)\nPIPE = DELAY MATERIAL(input, wait, 7, 0) ~~|\n:END OF MACRO:\n"
    equations += "e = PIPE(x, wait) ~~|\nf = PIPE(x, x) ~~|"
    model = load_model(write_model(tmp_path, equations))
    run = simulate(model, engine=engine, outcomes=["a", "b", "c", "e"])
    for name in "ace":
        np.testing.assert_array_equal(run[name], run["b"])
    for name in "df":
        with pytest.raises(UnsupportedFeature, match=f"variable '{name}': the delay time changes while the model runs"):
            simulate(model, outcomes=[name])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_special_integral_keeps_within_its_bounds(engine, tmp_path):
    """By hand, from the rules of Vensim's page "SINTEG"."""
    equations = "a = SINTEG(-2, 5, 0, :NA:, :NA:, :NA:, :NA:) ~~|\nb = SINTEG(3, -9, -2, 5, :NA:, :NA:, :NA:) ~~|\n"
    equations += "c = SINTEG(-1, 2.25, :NA:, :NA:, :NA:, 0, 0.5) ~~|\nd = SINTEG(1, 0, 0, 9, 2, :NA:, :NA:) ~~|"
    model = load_model(write_model(tmp_path, equations, final=4, step=1, saveper=1))
    run = simulate(model, engine=engine, outcomes=["a", "b", "c"])
    assert run["a"][0, 0].tolist() == [5, 3, 1, 0, 0]
    assert run["b"][0, 0].tolist() == [-2, 1, 4, 5, 5]
    assert run["c"][0, 0].tolist() == [2.25, 1.25, 0, -1, -2]
    with pytest.raises(
        UnsupportedFeature, match="SINTEG with a quantum, or with bounds that are no numbers, in variable"
    ):
        simulate(model, outcomes=["d"])


def test_a_run_is_the_first_of_its_session(tmp_path):
    variables = aux("x", "TIME + 3") + aux("a", "ENDVAL(x, 7)") + aux("b", "ENDVAL(x)") + aux("c", "RUNCOUNT")
    variables += aux("d", "SENSIRUNCOUNT") + stock("s", "ENDVAL(x, 2)")
    run = simulate(load_xmile(tmp_path, variables))
    assert [run[name][0, 0, -1] for name in "abcds"] == [7, 3, 0, 0, 2]
