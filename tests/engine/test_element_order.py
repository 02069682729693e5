"""Arrays whose elements depend on each other: the order of computation is found element by element."""

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidModel, SimulationFailed
from pysd_runner.engine.passes.order import plan
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.small_models import write_model


def planned(model, *outcomes, given=()):
    return plan(model.ir, outcomes, frozenset(given), frozenset())


def final(model, name, values=None):
    runs = [simulate(model, values, outcomes=[name], engine=engine) for engine in ("numpy", "llvm")]
    found = [run[name][0, 0, ..., -1].tolist() for run in runs]
    assert found[0] == found[1]
    return found[0]


def test_elements_that_read_each_other_are_computed_in_order(tmp_path):
    equations = (
        "R: A, B, C ~~|\nx[A] = 1 + Time ~~|\nx[C] = x[B] + y[B] ~~|\nx[B] = x[A]*2 ~~|\n"
        "y[R] = x[A] + z[R] ~~|\nz[R] = 3*x[A] ~~|"
    )
    model = load_model(write_model(tmp_path, equations))
    assert final(model, "x") == [7, 14, 14 + 7 + 21]
    assert final(model, "y") == [28, 28, 28]


def test_an_array_stays_whole_along_a_dimension_that_runs_in_step(tmp_path):
    equations = (
        "Age: young, middle, old ~~|\nR: r1, r2, r3, r4 ~~|\nk[R] = 1, 2, 3, 4 ~~|\n"
        "x[young,R] = k[R] ~~|\nx[middle,R] = x[young,R]*2 + y[young,R] ~~|\nx[old,R] = x[middle,R] + y[middle,R] ~~|\n"
        "y[Age,R] = x[Age,R]*10 ~~|"
    )
    model = load_model(write_model(tmp_path, equations))
    order = planned(model, "y")
    blocks = order.model.variables["y"].blocks
    assert [block.axes for block in blocks] == [("R",)] * 3
    young = [1, 2, 3, 4]
    middle = [12 * item for item in young]
    assert final(model, "x") == [young, middle, [11 * item for item in middle]]
    assert model.ir.variables["y"].blocks[0].axes == ("Age", "R")


def test_a_whole_array_stays_whole_where_nothing_asks_for_its_elements(tmp_path):
    equations = "R: A, B, C ~~|\nx[A] = 1 ~~|\nx[B] = x[A] + 1 ~~|\nx[C] = x[B] + 1 ~~|\ny[R] = 2*x[R] ~~|"
    model = load_model(write_model(tmp_path, equations))
    order = planned(model, "y")
    assert order.model.variables["y"] is model.ir.variables["y"]
    assert [item.variable for item in order.invariant] == ["x", "x", "x", "y"]
    assert final(model, "y") == [2, 4, 6]


def test_tables_numbers_and_sums_are_cut_with_the_equation(tmp_path):
    equations = (
        "R: A, B, C ~~|\nL: u, v ~~|\nm[R,L] = 1, 2; 3, 4; 5, 6; ~~|\n"
        "x[A,L] = m[A,L] ~~|\nx[B,L] = SUM(y[A,L!]*m[B,L!]) + m[B,L] ~~|\nx[C,L] = y[B,L] ~~|\n"
        "y[R,L] = x[R,L] + R*100 + L ~~|"
    )
    model = load_model(write_model(tmp_path, equations))
    first = np.array([1, 2]) + 100 + np.array([1, 2])
    second = (first * [3, 4]).sum() + np.array([3, 4])
    assert final(model, "x") == [[1, 2], second.tolist(), (second + 200 + [1, 2]).tolist()]


def test_initial_values_of_stocks_may_follow_each_other(tmp_path):
    equations = (
        "R: A, B, C ~~|\nlater: B, C ~~|\nk[R] = 1, 2, 3 ~~|\n"
        "s[A] = INTEG(1, 5) ~~|\ns[B] = INTEG(k[B], s[A] + 1) ~~|\ns[C] = INTEG(s[A], start[C]) ~~|\n"
        "start[R] = s[B]*k[R] ~~|"
    )
    model = load_model(write_model(tmp_path, equations, final=1, step=1, saveper=1))
    assert simulate(model)["s"][0, 0].T.tolist() == [[5, 6, 18], [6, 8, 23]]


def test_draws_and_scenarios_reach_an_array_that_is_filled_in_parts(tmp_path):
    equations = "R: A, B, C ~~|\na = 1 ~~|\nx[A] = 1 ~~|\nx[B] = x[A] + a ~~|\nx[C] = x[B]*a ~~|"
    model = load_model(write_model(tmp_path, equations))
    draws = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    expected = np.stack([np.ones((2, 3)), 1 + draws, (1 + draws) * draws], axis=-1)
    for engine in ("numpy", "llvm"):
        found = simulate(model, {"a": draws}, engine=engine)["x"][..., -1]
        np.testing.assert_array_equal(found, expected)


def test_values_from_outside_cut_a_circle(tmp_path):
    equations = "R: A, B ~~|\nx[R] = y[R] ~~|\ny[R] = x[R] + 1 ~~|"
    model = load_model(write_model(tmp_path, equations))
    assert final(model, "y", {"x": [1, 2]}) == [2, 3]


@pytest.mark.parametrize(
    ("equations", "circle"),
    [
        ("x[R] = y[R] ~~|\ny[R] = x[R] + 1 ~~|", r"'x\[R\]' -> 'y\[R\]' -> 'x\[R\]'.*Equation: x\[R\] = y\[R\]"),
        ("x[A] = x[B] ~~|\nx[B] = x[C] ~~|\nx[C] = x[A] ~~|", r"'x\[A\]' -> 'x\[B\]' -> 'x\[C\]' -> 'x\[A\]'"),
        ("x[R] = y ~~|\ny = SUM(x[R!]) ~~|", r"'x\[A\]' -> 'y' -> 'x\[A\]'"),
        ("x[R] = x[R] + 1 ~~|", r"'x\[R\]' -> 'x\[R\]'"),
        ("x[A] = y[A] ~~|\nx[B] = 1 ~~|\nx[C] = 2 ~~|\ny[R] = x[R] ~~|", r"'x\[A\]' -> 'y\[A\]' -> 'x\[A\]'"),
    ],
)
def test_true_circles_are_refused_and_name_their_elements(equations, circle, tmp_path):
    model = load_model(write_model(tmp_path, f"R: A, B, C ~~|\n{equations}"))
    with pytest.raises(InvalidModel, match=circle):
        simulate(model)


def test_a_long_chain_of_elements_is_ordered_quickly(tmp_path):
    count = 2000
    names = ", ".join(f"e{number}" for number in range(count))
    steps = "".join(f"x[e{number}] = y[e{number - 1}] + 1 ~~|\n" for number in range(1, count))
    model = load_model(write_model(tmp_path, f"R: {names} ~~|\nx[e0] = 0 ~~|\n{steps}y[R] = x[R] ~~|", final=1))
    found = simulate(model, outcomes=["y"], engine="numpy")["y"][0, 0, :, -1]
    assert found.tolist() == list(range(count))


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
def test_derivatives_pass_through_arrays_in_parts_and_in_order(engine, tmp_path):
    from pysd_runner.simulation.sensitivities import jacobian

    equations = (
        "R: A, B, C, D ~~|\nlater: B, C, D ~~|\nbefore: A, B, C -> later ~~|\nL: u, v ~~|\nk[R] = 1, 2, 3, 4 ~~|\n"
        "P: R ~~|\np = 0.5 ~~|\nw[R,P] = R*p^2 + P ~~|\ndiagonal[R] = w[R,R] ~~|\nx[A,L] = p*L ~~|\n"
        "x[later,L] = x[before,L]*p + k[later] + 1/(4 + Time*(L - 1)) ~~|\n"
        "s[R] :EXCEPT: [B] = INTEG(x[R,u]*p, 1) ~~|\ns[B] = INTEG(p, s[A] + p) ~~|\n"
        "q[R] :EXCEPT: [B] = DELAY1(s[R], p*3) ~~|\nq[B] = SMOOTH(s[A], p*4) ~~|"
    )
    model = load_model(write_model(tmp_path, equations, final=3, step=0.5, saveper=0.5))
    outcomes, change = ["diagonal", "x", "s", "q"], 1e-6
    exact = jacobian(model, parameters=["p"], outcomes=outcomes, engine=engine)
    above, below = (simulate(model, {"p": 0.5 + sign * change}, outcomes=outcomes, engine=engine) for sign in (1, -1))
    for name in outcomes:
        difference = (above[name] - below[name]) / (2 * change)
        np.testing.assert_allclose(exact[name][..., 0], difference, rtol=1e-7, atol=1e-8, err_msg=name)


ONLY_IN_ORDER = {
    "a stock among what it depends on": (
        "x[C] = y[C] ~~|\nx[B] = k[B] ~~|\nx[A] = INTEG(x[B], x[B]) ~~|\nx[D] = 1 ~~|\n"
        "y[R] = IF THEN ELSE(R = A, x[B], x[A]) ~~|",
        [[2, 4, 6], [2, 2, 2], [2, 4, 6], [1, 1, 1]],
    ),
    "frozen values": (
        "x[C] = INITIAL(y[C]) ~~|\nx[B] = INITIAL(k[B]) ~~|\nx[A] = INITIAL(x[C]*2 + Time) ~~|\nx[D] = INITIAL(1) ~~|\n"
        "y[R] = x[B] + 5 ~~|",
        [[14] * 3, [2] * 3, [7] * 3, [1] * 3],
    ),
    "table functions and random choices": (
        "f((0,0),(10,20)) ~~|\nx[A] = f(k[C]) ~~|\nx[B] = f(x[A]) + 0*SUM(x2[R!]) ~~|\n"
        "x[C] = MAX(x[B], x[A]) + Time ~~|\nx[D] = x[C] + 0*RANDOM UNIFORM(0, 1, 3) ~~|\n"
        "x2[R] = k[R]*RANDOM UNIFORM(0, 1, 3) ~~|",
        [[6] * 3, [12] * 3, [12, 13, 14], [12, 13, 14]],
    ),
}


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
@pytest.mark.parametrize(("equations", "expected"), ONLY_IN_ORDER.values(), ids=ONLY_IN_ORDER)
def test_arrays_that_pysd_cannot_put_in_order(equations, expected, engine, tmp_path):
    model = load_model(
        write_model(tmp_path, f"R: A, B, C, D ~~|\nk[R] = 1, 2, 3, 4 ~~|\n{equations}", final=2, step=1, saveper=1)
    )
    assert simulate(model, engine=engine)["x"][0, 0].tolist() == expected
    with pytest.raises(SimulationFailed, match="PySD cannot run this model"):
        simulate(model, engine="pysd")
