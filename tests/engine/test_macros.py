"""Macros are expanded where they are called."""

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidModel, UnsupportedFeature
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.parity import assert_same
from tests.engine.small_models import write_model

TANK = (
    ":MACRO: TANK(inflow, wait, start)\n"
    "TANK = level/wait ~~|\n"
    "level = INTEG(inflow - TANK, start*wait) ~~|\n"
    ":END OF MACRO:\n"
)
LATE = (
    ":MACRO: LATE(x, wait)\n"
    "half = wait/2 ~~|\nLATE = TANK(SMOOTH(x, half), half, 0.5*x) + curve(x) + shift*STEP(1, 2) ~~|\n"
    "shift = 0.25 ~~|\ncurve((0,0),(2,1),(9,3)) ~~|\n"
    ":END OF MACRO:\n"
)

MODELS = {
    "stock": TANK
    + "x = 1.5 + STEP(1, 2) ~~|\na = TANK(x, 3, 0.5) ~~|\nb = 2*TANK(x + a, 1.5 + Time/9, a) - TANK(1, 2, 3.5) ~~|",
    "macro in a macro": TANK + LATE + "x = 1.5 + Time ~~|\na = LATE(x*2, 3) ~~|\nb = LATE(a, 5) ~~|",
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_with_macros_agrees_with_pysd(name, tmp_path):
    model = load_model(write_model(tmp_path, MODELS[name]))
    assert_same(simulate(model), simulate(model, engine="pysd"))


def test_a_macro_called_over_a_range_has_stocks_for_every_element(tmp_path):
    equations = TANK + (
        "R: A, B, C ~~|\nP: R ~~|\nk[R] = 1.5, 2.25, 3 ~~|\nx[R] = k[R] + STEP(1, 2) ~~|\n"
        "a[R] = TANK(x[R], k[R], 0.5) ~~|\ntotal = SUM(TANK(x[R!], k[R!], 0.5)) ~~|\n"
        "one = TANK(x[B], k[B], 0.5) ~~|\ncrossed[R,P] = TANK(x[R], k[P], 0.5) ~~|"
    )
    run = simulate(load_model(write_model(tmp_path, equations)))
    np.testing.assert_array_equal(run["a"][:, :, 1], run["one"])
    np.testing.assert_allclose(run["a"].sum(axis=2), run["total"], rtol=1e-14)
    np.testing.assert_array_equal(run["crossed"][0, 0, [0, 1, 2], [0, 1, 2]], run["a"][0, 0])
    # One Euler step of level' = x - level / k from level = 0.5 k, by hand.
    np.testing.assert_allclose(run["a"][0, 0, :, 1], 0.5 + 0.25 * (np.array([1.5, 2.25, 3]) - 0.5) / [1.5, 2.25, 3])


def test_every_call_has_variables_of_its_own(tmp_path):
    model = load_model(write_model(tmp_path, MODELS["stock"]))
    levels = [name for name in model.ir.variables if name.endswith(": level")]
    assert len(levels) == 3
    assert list(model.variables) == ["x", "a", "b", "INITIAL TIME", "FINAL TIME", "TIME STEP", "SAVEPER"]


def test_a_table_function_can_be_handed_to_a_macro(tmp_path):
    equations = ":MACRO: AT(table, x)\nAT = table(x) ~~|\n:END OF MACRO:\nf((0,0),(2,4)) ~~|\na = AT(f, 0.5) ~~|"
    assert simulate(load_model(write_model(tmp_path, equations)))["a"][0, 0, 0] == 1


def test_a_macro_may_have_subscripts_of_its_own(tmp_path):
    equations = (
        ":MACRO: WEIGHTED(x)\nWEIGHTED = SUM(part[R!]) ~~|\nweight[R] = 1, 2, 4 ~~|\npart[R] = x*weight[R] ~~|\n"
        ":END OF MACRO:\nR: A, B, C ~~|\nL: u, v ~~|\nk[L] = 1, 10 ~~|\na = WEIGHTED(2) ~~|\nb[L] = WEIGHTED(k[L]) ~~|"
    )
    run = simulate(load_model(write_model(tmp_path, equations)))
    assert run["a"][0, 0, 0] == 14
    assert run["b"][0, 0, :, 0].tolist() == [7, 70]


def test_a_macro_knows_the_time_but_no_variable_of_the_model(tmp_path):
    known = ":MACRO: M(x)\nM = x + Time$ + TIME STEP$ ~~|\n:END OF MACRO:\na = M(1) ~~|"
    run = simulate(load_model(write_model(tmp_path, known)))
    np.testing.assert_allclose(run["a"][0, 0], 1.25 + run.years)
    unknown = ":MACRO: M(x)\nM = x + other ~~|\n:END OF MACRO:\nother = 1 ~~|\na = M(1) ~~|"
    with pytest.raises(InvalidModel, match=r"'other' is not defined.*in macro 'M', equation M = x"):
        load_model(write_model(tmp_path, unknown))


def test_delays_of_every_kind_stand_in_macros(tmp_path):
    # PySD cannot run these: in a macro it does not know the length of a step.
    equations = (
        ":MACRO: KEEP(x, wait)\nKEEP = DELAY FIXED(x^2, wait, 7) + DELAY N(x, wait, 0.5, 2) ~~|\n:END OF MACRO:\n"
        "a = KEEP(Time, 1) ~~|\nb = DELAY FIXED(Time^2, 1, 7) + DELAY N(Time, 1, 0.5, 2) ~~|"
    )
    run = simulate(load_model(write_model(tmp_path, equations)))
    np.testing.assert_array_equal(run["a"], run["b"])


@pytest.mark.parametrize(
    ("equations", "message"),
    [
        (":MACRO: M(x)\nM = x ~~|\n:END OF MACRO:\na = M(1, 2) ~~|", "macro 'M' takes 1 arguments, 2 are given"),
        (":MACRO: M(x)\nM = M(x) ~~|\n:END OF MACRO:\na = M(1) ~~|", "macro 'M' calls itself: M -> M"),
        (":MACRO: M(x)\nN = x ~~|\n:END OF MACRO:\na = M(1) ~~|", "does not define the variable of its name"),
    ],
)
def test_a_macro_that_cannot_be_expanded_says_why(equations, message, tmp_path):
    with pytest.raises(InvalidModel, match=message):
        load_model(write_model(tmp_path, equations))


def test_what_a_macro_uses_that_is_not_covered_is_named(tmp_path):
    equations = ":MACRO: M(x)\nM = QUEUE AGE OLDEST(x, 1) ~~|\n:END OF MACRO:\na = M(1) ~~|"
    with pytest.raises(UnsupportedFeature, match=r"QUEUE AGE OLDEST in macro 'M', equation M = .* in variable 'a'"):
        simulate(load_model(write_model(tmp_path, equations)))
