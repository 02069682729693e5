"""Table functions: every mode, one table for each element, points as files hold them; against PySD and by hand."""

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidModel, UnsupportedFeature
from pysd_runner.engine.errors import ProbableSlip
from pysd_runner.engine.frontend.lowering.tables import TableFunction, TablePoints, interpolation, sorted_points
from pysd_runner.engine.ir import Interpolation, Time
from pysd_runner.engine.numpy.target import Tables
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.parity import assert_same
from tests.engine.small_models import write_model

RANGES = "R: A, B, C ~~|\nL: u, v ~~|\nSub: A, C ~~|\n"

SUBSCRIPTED = {
    "one table each": "f[A]((0,0),(2,4),(6,1)) ~~|\nf[B]((1,3),(5,-1)) ~~|\nf[C]((0,7),(3,7.5),(4,1),(5,2)) ~~|\n"
    "a[R] = f[R](Time) ~~|\nb = f[B](Time*1.5 - 1) ~~|\nc[R] = f[R](f[B](Time)) ~~|\n"
    "d[Sub] = f[Sub](Time + 0.5) ~~|\ne[L,R] = f[R](k[L]*Time) ~~|\ng[R,L] = f[R](k[L]*Time) ~~|\n"
    "k[L] = 0.5, 2 ~~|\nh = SUM(f[R!](Time)) ~~|\n",
    "one for all elements": "f[R]((0,0),(2,4),(6,1)) ~~|\na[R] = f[R](Time) ~~|\ns = SUM(f[R!](Time)) ~~|\n",
    "two dimensions": "f[A,u]((0,0),(2,4)) ~~|\nf[A,v]((0,1),(4,4)) ~~|\nf[B,L]((1,1),(2,3),(6,9)) ~~|\n"
    "f[C,u]((0,0),(1,1)) ~~|\nf[C,v]((0,5),(8,6)) ~~|\na[R,L] = f[R,L](Time) ~~|\nb[L] = f[B,L](Time) ~~|\n"
    "c[L,R] = f[R,L](Time + 1) ~~|\nd[R] = f[R,u](Time) ~~|\n",
    "numbers as arguments": "f[A]((0,0),(2,4)) ~~|\nf[B]((1,3),(5,-1)) ~~|\nf[C]((0,7),(3,7.5)) ~~|\n"
    "a[R] = f[R](1.5) ~~|\nb = f[B](3) + f[C](9) ~~|\nx = 1.25 ~~|\nc[R] = f[R](x) ~~|\n",
    "points in another order": "f((4,1),(0,0),(2,3)) ~~|\na = f(Time) ~~|\n",
}


@pytest.mark.parametrize("case", SUBSCRIPTED)
def test_table_functions_agree_with_pysd(case, tmp_path):
    model = load_model(write_model(tmp_path, RANGES + SUBSCRIPTED[case]))
    theirs = simulate(model, engine="pysd")
    for engine in ("numpy", "auto"):
        assert_same(simulate(model, engine=engine), theirs)


def test_tables_of_different_length_by_hand(tmp_path):
    equations = RANGES + SUBSCRIPTED["one table each"]
    run = simulate(load_model(write_model(tmp_path, equations)))
    assert run["a"][0, 0, :, run.years == 2.5].tolist() == [[4 - 3 / 8, 1.5, 7 + 0.5 * 2.5 / 3]]
    assert run["a"][0, 0, :, run.years == 0].tolist() == [[0, 3, 7]]
    assert run["a"][0, 0, :, run.years == 6].tolist() == [[1, -1, 2]]
    assert run["h"][0, 0, run.years == 6].tolist() == [2]


def test_a_table_read_over_draws_and_elements_agrees_with_one_at_a_time(tmp_path):
    equations = RANGES + SUBSCRIPTED["two dimensions"] + "q[R] = 1, 2, 0.5 ~~|\ne[R] = f[R,v](Time*q[R]) ~~|\n"
    model = load_model(write_model(tmp_path, equations))
    # By hand at time 2: 1 + 3/4*2, then (4, 6) of f[B,v], then (1, 5 + 1/8).
    at_two = simulate(model, outcomes=["e"])["e"][0, 0, :, 8]
    assert at_two == pytest.approx([2.5, 6.0, 5.125], rel=1e-14)
    q = np.random.default_rng(3).uniform(0.1, 2, (1, 5, 3))
    together = simulate(model, {"q": q})["e"]
    for draw in range(5):
        np.testing.assert_array_equal(together[0, draw], simulate(model, {"q": q[0, draw]})["e"][0, 0])


@pytest.mark.filterwarnings("ignore::pysd_runner.engine.task.ProbableSlip")
def test_a_table_with_a_jump_takes_the_second_value_from_there_on(tmp_path):
    run = simulate(load_model(write_model(tmp_path, "f((0,0),(2,1),(2,5),(4,6)) ~~|\na = f(Time) ~~|\n")))
    found = dict(zip(run.years.tolist(), run["a"][0, 0].tolist(), strict=True))
    assert [found[time] for time in (1.75, 2.0, 3.0)] == pytest.approx([0.875, 5, 5.5])


SLIPS = {
    "f((0,0),(2,1),(2,5),(4,6)) ~~|\na = f(Time) ~~|": r"line 2.*table of 'f' has x = 2 more than once, with 1 and 5",
    "f((0,0),(2,1),(2,9),(2,5)) ~~|\na = f(Time) ~~|": r"line 2.*x = 2.* 1 and 5.*between.*not used",
    "a = WITH LOOKUP(Time, ((0,0),(2,1),(2,5))) ~~|": r"line 2.*table of 'a' has x = 2 more than once",
    "a = RAMP(1, 3, 1) ~~|": r"line 2.*the ramp in 'a' ends at 1, before it starts at 3",
    "a = RAMP(1, start, end) ~~|\nstart = 3 ~~|\nend = 1 ~~|": r"line 2.*the ramp in 'a' ends at 1",
}
NO_SLIPS = ["f((0,0),(2,1),(2,1),(4,6)) ~~|\na = f(Time) ~~|", "a = RAMP(1, 1, 3) + RAMP(1, 2, 2) ~~|"]


@pytest.mark.parametrize(("equations", "message"), SLIPS.items())
def test_two_values_at_one_x_and_a_ramp_that_ends_before_its_start_are_told(equations, message, tmp_path):
    model = load_model(write_model(tmp_path, f"{equations}\n"))
    with pytest.warns(ProbableSlip, match=f"^model.mdl: {message}"):
        simulate(model)


@pytest.mark.parametrize("equations", NO_SLIPS)
def test_the_same_point_twice_and_a_ramp_that_rises_are_told_nothing(equations, tmp_path):
    simulate(load_model(write_model(tmp_path, f"{equations}\n")))


@pytest.mark.parametrize(
    ("equations", "message"),
    [
        ("f[A]((0,0),(1,1)) ~~|\nf[B] = 1 ~~|\nx = f[A](Time) ~~|", "'f': some of its equations are no table"),
        ("f((0,0),(1,1)) ~~|\nx = f(1, 2) ~~|", "'f' takes 1 argument, 2 are given"),
        ("f[R]((0,0),(1,1)) ~~|\nx = f[D](Time) ~~|", "'D' is not in subscript range 'R'"),
        ("f[R]((0,0),(1,1)) ~~|\nx = f[A,u](Time) ~~|", "1 subscripts, 2 are given"),
    ],
)
def test_table_functions_that_contradict_themselves(equations, message, tmp_path):
    with pytest.raises(InvalidModel, match=message):
        simulate(load_model(write_model(tmp_path, RANGES + equations)))


def test_an_element_without_a_table_needs_none_until_it_is_read(tmp_path):
    tables = RANGES + "f[A]((0,0),(1,1)) ~~|\nf[B]((0,2),(1,3)) ~~|\n"
    model = load_model(write_model(tmp_path, tables + "x = f[A](0.5) + f[B](0.5) ~~|\ny[R] = f[R](0.5) ~~|"))
    assert simulate(model, outcomes=["x"])["x"][0, 0, 0] == 3
    with pytest.raises(UnsupportedFeature, match=r"line .* variable 'y': the table f\[C\] is read and has no equation"):
        simulate(model, outcomes=["y"])


GF = """<?xml version="1.0" encoding="utf-8"?>
<xmile version="1.0" xmlns="http://docs.oasis-open.org/xmile/ns/XMILE/v1.0">
<header><product>test</product><vendor>test</vendor></header>
<sim_specs><start>-1</start><stop>6</stop><dt>0.5</dt></sim_specs>
<model><variables>
<gf name="f" type="{mode}"><xpts>0,1,3,4</xpts><ypts>1,2,0,0.5</ypts></gf>
<aux name="a"><eqn>f(TIME)</eqn></aux>
<aux name="b"><eqn>TIME</eqn><gf type="{mode}"><xscale min="0" max="4"/><ypts>1,2,1.5,0,0.5</ypts></gf></aux>
</variables></model></xmile>
"""


@pytest.mark.parametrize("mode", ["continuous", "extrapolate", "discrete"])
def test_modes_of_xmile_agree_with_pysd(mode, tmp_path):
    path = tmp_path / "model.xmile"
    path.write_text(GF.format(mode=mode), encoding="utf-8")
    model = load_model(path)
    ours, theirs = simulate(model), simulate(model, engine="pysd")
    np.testing.assert_allclose(ours["a"], theirs["a"], rtol=1e-12)
    if mode == "continuous":
        np.testing.assert_allclose(ours["b"], theirs["b"], rtol=1e-12)
    else:
        assert not np.allclose(ours["b"], theirs["b"]), "PySD reads every inline table as continuous"


def test_modes_of_xmile_by_hand(tmp_path):
    path = tmp_path / "model.xmile"
    expected = {
        "extrapolate": {"a": {-1.0: 0, 2.0: 1, 6.0: 1.5}, "b": {-1.0: 0, 2.5: 0.75, 5.0: 1}},
        "discrete": {"a": {-1.0: 1, 0.5: 1, 2.0: 2, 3.0: 0, 6.0: 0.5}, "b": {0.5: 1, 2.5: 1.5, 4.0: 0.5}},
    }
    for mode, variables in expected.items():
        path.write_text(GF.format(mode=mode), encoding="utf-8")
        run = simulate(load_model(path))
        for name, values in variables.items():
            for time, value in values.items():
                assert run[name][0, 0, run.years == time].tolist() == [value], (mode, name, time)


def test_points_are_sorted_and_doubled_points_are_a_jump():
    assert sorted_points([2, 0, 1], [5, 3, 4]) == TablePoints((0.0, 1.0, 2.0), (3.0, 4.0, 5.0))
    assert sorted_points([0, 1, 1, 2], [0, 3, 3, 4]) == TablePoints((0.0, 1.0, 2.0), (0.0, 3.0, 4.0))
    jump = sorted_points([0, 1, 1, 1, 2], [0, 3, 9, 5, 4])
    assert jump.y == (0.0, 3.0, 5.0, 4.0)
    assert jump.x[1] < jump.x[2] == 1.0
    assert np.interp(1.0, jump.x, jump.y) == 5.0


@pytest.mark.parametrize(("x", "y"), [([], []), ([1], [1, 2]), ([np.nan, 1], [1, 2]), ([np.inf], [1])])
def test_points_that_cannot_be_used(x, y):
    with pytest.raises(InvalidModel, match="table function needs"):
        sorted_points(x, y)


def test_no_straight_line_goes_on_from_a_jump_at_the_end():
    with pytest.raises(InvalidModel, match="two values at its end x = 1"):
        interpolation(Time(), [sorted_points([0, 1, 1], [0, 1, 2])], (), "extrapolate")


# What each mode gives for the points (0, 10), (1, 20), (3, 0) at some arguments.
MODES = {
    "interpolate": [10, 10, 15, 20, 10, 0, 0],
    "extrapolate": [0, 10, 15, 20, 10, 0, -10],
    "hold_backward": [10, 10, 10, 20, 20, 0, 0],
    "look_forward": [10, 10, 20, 20, 0, 0, 0],
    "raw": [np.nan, 10, np.nan, 20, np.nan, 0, np.nan],
}
AT = np.array([-1, 0, 0.5, 1, 2, 3, 4.0])


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_by_hand(mode):
    points = TablePoints((0.0, 1.0, 3.0), (10.0, 20.0, 0.0))
    one = Tables.of(interpolation(Time(), [points], (), mode), {})
    np.testing.assert_array_equal(one.at(AT.reshape(1, 7)), [MODES[mode]])
    assert [float(one.at(value)) for value in AT if mode != "raw" or value in (0, 1, 3)] == [
        value for value in MODES[mode] if value == value
    ]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("same_x", [True, False])
def test_many_tables_are_read_as_each_alone(mode, same_x):
    generator = np.random.default_rng(5)
    tables = []
    for _ in range(6):
        count = 4 if same_x else int(generator.integers(1, 6))
        x = [0.0, 0.5, 2.0, 3.0] if same_x else np.sort(generator.uniform(0, 3, count)).tolist()
        tables.append(TablePoints(tuple(x), tuple(generator.normal(size=count).tolist())))
    argument = np.concatenate([generator.uniform(-1, 4, 20), tables[2].x, tables[4].x, [np.nan]])
    function = TableFunction(("R", "L"), (3, 2), {(i, j): tables[2 * i + j] for i in range(3) for j in range(2)}, mode)
    from pysd_runner.engine.ir import Axis, Reference

    expression = function.chosen((Axis("R"), Axis("L"))).read(Reference("k", (Axis("L"), Axis("M"))), mode)
    assert expression.axes == ("L", "M", "R")
    many = Tables.of(expression, {"R": 3, "L": 2, "M": argument.size})
    found = many.at(np.broadcast_to(argument[None, :, None], (1, 1, 2, argument.size, 1)))
    assert found.shape == (1, 1, 2, argument.size, 3)
    for i in range(3):
        for j in range(2):
            alone = Tables.of(interpolation(Time(), [tables[2 * i + j]], (), mode), {})
            # Where it goes on, a shorter table has more points on its last line.
            exact = 0 if mode != "extrapolate" else 1e-13
            np.testing.assert_allclose(found[0, 0, j, :, i], alone.at(argument), rtol=exact, atol=exact)


def test_the_same_table_for_all_elements_is_one_table():
    points = TablePoints((0.0, 1.0), (1.0, 2.0))
    assert interpolation(Time(), [points, points], ("R",), "interpolate").tables == ()
    kept = interpolation(Time(), [points, points], ("R!",), "interpolate")
    assert kept == Interpolation(Time(), (0.0, 1.0) * 2, (1.0, 2.0) * 2, 2, ("R!",), "interpolate", ("R!",))


def test_a_table_is_read_by_the_rule_of_the_function_it_is_handed_to(tmp_path):
    equations = RANGES + (
        "f((0,10),(1,20),(3,0)) ~~|\ng[A]((0,10),(1,20),(3,0)) ~~|\ng[B]((0,1),(2,3)) ~~|\ng[C]((0,2),(5,2)) ~~|\n"
        "x = Time - 1 ~~|\na = LOOKUP FORWARD(f, x) ~~|\nb = LOOKUP BACKWARD(f, x) ~~|\n"
        "c = LOOKUP EXTRAPOLATE(f, x) ~~|\nd[R] = LOOKUP FORWARD(g[R], x + 0.5) ~~|\n"
    )
    model = load_model(write_model(tmp_path, equations, final=5, step=1, saveper=1))
    for engine in ("numpy", "auto"):
        run = simulate(model, engine=engine)
        assert run["a"][0, 0].tolist() == [10, 10, 20, 0, 0, 0]
        assert run["b"][0, 0].tolist() == [10, 10, 20, 20, 0, 0]
        assert run["c"][0, 0].tolist() == [0, 10, 20, 10, 0, -10]
        assert run["d"][0, 0, :, 2].tolist() == [0, 3, 2]
    with pytest.raises(InvalidModel, match="LOOKUP FORWARD takes a table function and a number"):
        simulate(load_model(write_model(tmp_path, "y = LOOKUP FORWARD(Time, 1) ~~|\n")))


@pytest.mark.parametrize("engine", ["numpy", "auto"])
@pytest.mark.parametrize(("text", "value"), [("LOOKUP(f, TIME)", 1), ("LOOKUP(b, 0.5) + b", 1.5 + 1.5)])
def test_lookup_of_xmile_reads_a_table_or_that_inside_a_variable(text, value, engine, tmp_path):
    path = tmp_path / "model.xmile"
    path.write_text(GF.format(mode="continuous").replace("f(TIME)", text), encoding="utf-8")
    run = simulate(load_model(path), engine=engine)
    assert run["a"][0, 0, run.years == 2].tolist() == [value]
