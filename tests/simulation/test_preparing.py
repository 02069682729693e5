"""A model made ready once: the same numbers as the front doors that look everything up anew."""

import copy

import numpy as np
import pytest

from pysd_runner import jacobian, load_model, prepare, simulate
from pysd_runner.core.errors import InvalidInput, SimulationFailed, UnknownName, UnsupportedFeature
from pysd_runner.engine.values import TimePath
from tests.engine.small_models import write_model

EQUATIONS = (
    "R: A, B ~~|\nk[R] = 1, 2 ~~|\nrate = 0.1 ~~|\npush = 1 ~~|\nwait = 2 ~~|\n"
    "s[R] = INTEG(push - rate*s[R]*k[R], k[R]) ~~|\ntotal = SUM(s[R!])^1.5 ~~|\nlate = SMOOTH(total, wait) ~~|"
)


@pytest.fixture
def model(tmp_path):
    return load_model(write_model(tmp_path, EQUATIONS, final=5, step=0.25, saveper=0.5))


@pytest.fixture(params=["numpy", "llvm"])
def engine(request):
    if request.param == "llvm":
        pytest.importorskip("llvmlite")
    return request.param


@pytest.mark.parametrize("method", ["euler", "rk4"])
def test_calls_give_what_simulate_and_jacobian_give(model, engine, method):
    asked = {"parameters": ["rate", "k[B]", "wait"], "outcomes": ["s", "late"]}
    f = prepare(model, **asked, values={"push": 2.0}, engine=engine, method=method)
    assert f.parameters == ("rate", "k[B]", "wait")
    assert f.series == ("s[A]", "s[B]", "late")
    assert f.start.tolist() == [0.1, 2, 2]
    assert f.years.tolist() == np.arange(0, 5.5, 0.5).tolist()
    for point in ([0.2, 3.0, 1.5], f.start, [0.2, 3.0, 1.5]):
        values = {"rate": point[0], "k": np.array([1.0, point[1]]), "wait": point[2], "push": 2.0}
        run = simulate(model, values, outcomes=asked["outcomes"], engine="numpy", method=method)
        expected = np.vstack([run["s"][0, 0], run["late"][0]])
        np.testing.assert_allclose(f(point), expected, rtol=1e-12)
        found, slopes = f.with_jacobian(point)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        labelled = jacobian(model, values, **asked, engine="numpy", method=method)
        expected = np.concatenate([labelled["s"][0, 0], labelled["late"][0]])
        np.testing.assert_allclose(slopes, expected, rtol=1e-10, atol=1e-12)
        np.testing.assert_array_equal(f.jacobian(point), slopes)


def test_results_are_not_overwritten_by_the_next_call(model, engine):
    f = prepare(model, ["rate"], ["total"], engine=engine)
    first, slopes = f(0.1), f.jacobian([0.1])
    kept = first.copy(), slopes.copy()
    f(0.3), f.jacobian([0.3])
    np.testing.assert_array_equal(first, kept[0])
    np.testing.assert_array_equal(slopes, kept[1])


def test_two_functions_of_one_model_do_not_disturb_each_other(model):
    f, g = prepare(model, ["rate"], ["total"]), prepare(model, ["rate"], ["total"], values={"push": 5.0})
    alone = f(0.2)
    g(0.3)
    np.testing.assert_array_equal(f(0.2), alone)
    assert not np.array_equal(g(0.2), alone)


def test_random_numbers_are_the_same_in_every_call(tmp_path, engine):
    noisy = load_model(write_model(tmp_path, "spread = 1 ~~|\nx = RANDOM UNIFORM(0, spread, 1) ~~|"))
    f = prepare(noisy, ["spread"], ["x"], engine=engine, seed=0)
    np.testing.assert_allclose(f(2.0), 2 * f(1.0), rtol=1e-12)
    assert not np.array_equal(prepare(noisy, ["spread"], ["x"], engine=engine, seed=1)(1.0), f(1.0))


def test_what_is_not_finite_comes_back(tmp_path, engine):
    model = load_model(write_model(tmp_path, "a = 1 ~~|\nx = 1/a ~~|"))
    f = prepare(model, ["a"], ["x"], engine=engine)
    assert np.isinf(f(0.0)).all()
    assert (f(2.0) == 0.5).all()


def test_a_whole_array_takes_one_number_each(model):
    f = prepare(model, ["k"], ["s"])
    assert f.parameters == ("k[A]", "k[B]")
    assert f([3.0, 4.0])[:, 0].tolist() == [3, 4]


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ([0.1], "expected 2 numbers, of rate, push in this order"),
        ([0.1, 1, 2], "expected 2 numbers"),
        ([[0.1, 1]], "expected 2 numbers"),
        ([0.1, np.nan], "'push' is nan; expected a finite number"),
        ([np.inf, 1], "'rate' is inf"),
        (["a", "b"], "are numbers; found"),
        (None, "expected 2 numbers|is nan"),
    ],
)
def test_bad_numbers_are_refused_and_change_nothing(model, numbers, told):
    f = prepare(model, ["rate", "push"], ["total"])
    before = f([0.1, 1.0])
    with pytest.raises(InvalidInput, match=told):
        f(numbers)
    with pytest.raises(InvalidInput, match=told):
        f.with_jacobian(numbers)
    np.testing.assert_array_equal(f([0.1, 1.0]), before)


@pytest.mark.parametrize(
    ("asked", "error", "told"),
    [
        ({"parameters": "rate"}, InvalidInput, "a list of at least one name"),
        ({"parameters": []}, InvalidInput, "a list of at least one name"),
        ({"parameters": ["rato"]}, UnknownName, "Did you mean 'rate'"),
        ({"parameters": ["rate", "rate"]}, InvalidInput, "twice"),
        ({"parameters": ["total"]}, InvalidInput, "has an equation"),
        ({"parameters": ["TIME STEP"]}, (InvalidInput, UnsupportedFeature), "TIME STEP"),
        ({"outcomes": []}, InvalidInput, "a list of at least one name"),
        ({"outcomes": "total"}, InvalidInput, "a list of at least one name"),
        ({"outcomes": ["sum"]}, UnknownName, "has no variable 'sum'"),
        ({"values": {"push": np.array([1.0, 2.0])}}, InvalidInput, "computes one case"),
        ({"values": {"rate": TimePath(times=np.array([0.0, 1.0]), values=np.array([1.0, 2.0]))}}, InvalidInput, "over"),
        ({"engine": "pysd"}, InvalidInput, "'llvm' or 'numpy'"),
        ({"engine": "fortran"}, InvalidInput, "engine must be"),
        ({"seed": -1}, InvalidInput, "seed"),
    ],
)
def test_what_cannot_be_prepared_is_refused(model, asked, error, told):
    with pytest.raises(error, match=told):
        prepare(model, **{"parameters": ["rate"], "outcomes": ["total"]} | asked)


def test_numbers_that_change_the_order_of_a_delay_are_refused(tmp_path):
    text = "n = 3 ~~|\na = 1 ~~|\nx = DELAY N(a + Time, 2, 0, n) ~~|"
    f = prepare(load_model(write_model(tmp_path, text)), ["n", "a"], ["x"])
    f([3.0, 2.0])
    with pytest.raises(InvalidInput, match="order"):
        f([2.0, 2.0])


def test_bounds_that_depend_on_a_parameter_are_refused(tmp_path):
    path = write_model(tmp_path, "span = 4 ~~|\nx = span ~~|")
    path.write_text(path.read_text().replace("FINAL TIME = 6", "FINAL TIME = span"))
    with pytest.raises(UnsupportedFeature, match="FINAL TIME"):
        prepare(load_model(path), ["span"], ["x"])
    assert prepare(load_model(path), ["span"], ["x"], stop=2.0)(3.0).max() == 3


def test_the_moments_of_a_clock_are_computed_once_and_cannot_be_changed(model):
    from pysd_runner.simulation.task import prepared

    clock = prepared(model, {}).clock
    assert clock.times is clock.times
    assert clock.saved is clock.saved
    with pytest.raises(ValueError, match="read-only"):
        clock.times[0] = 1
    assert copy.copy(clock) == clock
    assert hash(copy.copy(clock)) == hash(clock)


def test_calls_that_differ_in_numbers_alone_give_what_others_give(model, engine):
    asked = {"outcomes": ["s", "total"], "engine": engine}
    points = ((0.1, 2.0), (0.2, 3), (0.2, 3.0), (0.3, 4.0))
    runs = [simulate(model, {"rate": rate, "push": push}, **asked) for rate, push in points]
    for (rate, push), run in zip(points, runs, strict=True):
        usual = simulate(model, {"rate": np.array(rate), "push": np.array(push)}, **asked)
        assert all(np.array_equal(run.data[name], usual.data[name]) for name in asked["outcomes"])
        assert (run.provenance, run.dims, run.units) == (usual.provenance, usual.dims, usual.units)
    for _ in range(3):
        with pytest.raises(InvalidInput, match="contains NaN"):
            simulate(model, {"rate": float("nan"), "push": 1.0}, **asked)
        with pytest.raises(SimulationFailed):
            simulate(model, {"rate": 1e308, "push": 1e308}, **asked)
