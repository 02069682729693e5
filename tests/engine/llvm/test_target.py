"""The compiled engine gives what NumPy gives, however it is run."""

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidInput, SimulationFailed
from pysd_runner.engine.cache import default_store
from pysd_runner.engine.ir import Number
from pysd_runner.engine.llvm import programs, target
from pysd_runner.engine.llvm.programs import host, machine_for, object_code
from pysd_runner.engine.values import TimePath
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from pysd_runner.simulation.task import prepared
from tests.engine.small_models import FEATURES, RANDOM, write_model

pytest.importorskip("llvmlite")

DRAWS = 19


def varied(model, draws=DRAWS):
    """Every number of a model that may be, a little different in each draw."""
    found = {}
    for name, variable in model.variables.items():
        value = variable.blocks[0].expression
        free = variable.kind == "constant" and not variable.dims and name not in model.ir.structural
        if free and isinstance(value, Number):
            found[name] = value.value * (1 + 0.003 * np.arange(draws))
    return found


def assert_near(ours, theirs, relative=1e-10, absolute=1e-12):
    assert set(ours) == set(theirs)
    for name, expected in theirs.items():
        shape = np.broadcast_shapes(ours[name].shape, expected.shape)
        np.testing.assert_allclose(
            np.broadcast_to(ours[name], shape),
            np.broadcast_to(expected, shape),
            rtol=relative,
            atol=absolute,
            err_msg=name,
        )


@pytest.mark.parametrize("draws", [1, 3, DRAWS])
@pytest.mark.parametrize("feature", FEATURES)
def test_every_feature_over_draws_and_over_subscripts(feature, draws, tmp_path):
    model = load_model(write_model(tmp_path, FEATURES[feature]))
    values = varied(model, draws)
    ours = simulate(model, values, engine="llvm", throw=False)
    assert_near(ours.data, simulate(model, values, engine="numpy", throw=False).data)


def test_random_numbers_are_the_same_to_the_last_bit(tmp_path):
    equations = "other = 1 ~~|\nR: A, B, C ~~|\nn[R] = RANDOM UNIFORM(0, 1, 1) ~~|\nm = RANDOM 0 1() ~~|"
    model = load_model(write_model(tmp_path, equations))
    for draws in (1, DRAWS):
        ours, theirs = (
            simulate(model, {"other": np.arange(draws)}, engine=engine, seed=3) for engine in ("llvm", "numpy")
        )
        for name in ours.data:
            np.testing.assert_array_equal(ours.data[name], theirs.data[name])


def test_random_functions_over_draws(tmp_path):
    model = load_model(write_model(tmp_path, RANDOM))
    ours, theirs = (simulate(model, varied(model), engine=engine, seed=5).data for engine in ("llvm", "numpy"))
    assert_near(ours, theirs)


MOVING = (
    "R: A, B, C, D, E ~~|\nk[R] = 1, 2, 3, 4, 5 ~~|\ngain = 1 ~~|\npush[R] = 0 ~~|\npull = 0 ~~|\n"
    "s[R] = INTEG(gain*push[R] - 0.1*s[R] - pull, k[R]) ~~|\ntotal = SUM(s[R!]) ~~|"
)


@pytest.mark.parametrize("draws", [1, DRAWS])
@pytest.mark.parametrize("interpolate", ["step", "linear"])
def test_values_that_change_over_time(tmp_path, draws, interpolate):
    model = load_model(write_model(tmp_path, MOVING))
    rng = np.random.default_rng(0)
    times = np.array([0.5, 2.0, 3.5, 4.0])
    values = {
        "push": TimePath(times=times, values=rng.normal(size=(4, 1, draws, 5)), interpolate=interpolate),
        "pull": TimePath(times=times, values=rng.normal(size=(4, 3, 1)), interpolate=interpolate),
        "gain": rng.uniform(0.5, 1.5, size=(3, draws)),
    }
    ours, theirs = (simulate(model, values, engine=engine).data for engine in ("llvm", "numpy"))
    assert_near(ours, theirs)


def test_threads_do_not_change_a_bit(tmp_path):
    model = load_model(write_model(tmp_path, MOVING))
    values = {"gain": np.linspace(0.5, 1.5, 5000)}
    one, two = (simulate(model, values, engine="llvm", threads=threads).data for threads in (1, 2))
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])


def test_the_number_of_draws_does_not_change_a_draw(tmp_path):
    model = load_model(write_model(tmp_path, FEATURES["functions"] + "\nR: A, B ~~|\nq[R] = RANDOM 0 1() + a ~~|"))
    gains = np.linspace(0.5, 1.5, 67)
    values = {"FINAL TIME": 6.0}
    many = simulate(model, values | {"a": gains}, engine="llvm", seed=1, throw=False).data
    few = simulate(model, values | {"a": gains[:9]}, engine="llvm", seed=1, throw=False).data
    for name in few:
        np.testing.assert_array_equal(many[name][:, :9], few[name])


def test_a_run_that_is_no_number_is_told_by_variable_and_draw(tmp_path):
    model = load_model(write_model(tmp_path, "a = 1 ~~|\nb = LN(a) ~~|\ns = INTEG(b, 0) ~~|"))
    gains = np.ones(20)
    gains[13] = -1
    with pytest.raises(SimulationFailed, match=r"1 of 20 cases.*b became nan at time 0 \(scenario 0, draw 13\)"):
        simulate(model, {"a": gains}, engine="llvm")


def test_cells_no_equation_defines_are_no_numbers(tmp_path):
    model = load_model(write_model(tmp_path, "R: A, B, C ~~|\nx[A] = Time ~~|\ny = x[A] + 1 ~~|"))
    for draws in (1, 6):
        data = simulate(model, {"FINAL TIME": 6}, engine="llvm", outcomes=["x", "y"], throw=False).data
        assert np.isfinite(data["x"][:, :, 0]).all()
        assert np.isnan(data["x"][:, :, 1:]).all(), draws


CIRCLE = (
    "prey = INTEG(0.3*prey - 0.1*prey*hunter, 4) ~~|\nhunter = INTEG(0.05*prey*hunter - 0.2*hunter, 1) ~~|\n"
    "R: A, B, C, D, E, F ~~|\nP: R ~~|\nk[R] = 1, 2, 3, 4, 5, 6 ~~|\n"
    "u[R] = INTEG(v[R] - u[A] + 0.01*SUM(u[P!]*k[P!]), k[R]) ~~|\nv[R] = INTEG(k[R] - u[R]*0.1, k[R]) ~~|\n"
    "w[R,P] = INTEG(0.1*(w[P,R] - w[R,P]) + u[R], k[R]*10 + k[P]) ~~|\ncorner = w[A,F] + prey ~~|"
)


@pytest.mark.parametrize("draws", [1, DRAWS])
def test_stocks_that_read_each_other(tmp_path, draws):
    model = load_model(write_model(tmp_path, "rate = 1 ~~|\n" + CIRCLE.replace("0.3*prey", "0.3*rate*prey")))
    values = {"rate": np.linspace(0.9, 1.1, draws)}
    ours, theirs = (simulate(model, values, engine=engine).data for engine in ("llvm", "numpy"))
    assert_near(ours, theirs)


def test_operations_of_both_targets_are_the_same():
    from pysd_runner.engine.llvm.operations import OPERATIONS
    from pysd_runner.engine.numpy.code import OPERATIONS as TEXTS

    assert set(OPERATIONS) == set(TEXTS)


def test_a_new_process_takes_the_program_from_the_cache(tmp_path, monkeypatch):
    model = load_model(write_model(tmp_path, MOVING))
    task = prepared(model, {"gain": np.linspace(0.5, 1.5, DRAWS)}, engine="llvm")
    first = simulate(model, task.values, engine="llvm").data
    monkeypatch.setattr(programs, "_PROGRAMS", {})
    monkeypatch.setattr(programs, "_made", lambda *_: pytest.fail("compiled again"))
    second = simulate(model, task.values, engine="llvm").data
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


def test_without_llvmlite_numpy_takes_over_with_one_message(tmp_path, monkeypatch):
    import importlib.util

    from pysd_runner.core.errors import UnsupportedFeature
    from pysd_runner.engine import task as choice

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "llvmlite" else find(name, *rest)
    )
    choice._loads.cache_clear()
    model = load_model(write_model(tmp_path, MOVING))
    try:
        with pytest.warns(RuntimeWarning, match="NumPy takes over"):
            simulate(model)
        run = simulate(model)  # a second message would be an error
        assert run.provenance["engine"] == "numpy"
        with pytest.raises(UnsupportedFeature, match="needs llvmlite"):
            simulate(model, engine="llvm")
    finally:
        choice._loads.cache_clear()


def test_threads_are_counted_in_whole_numbers_of_any_type_and_are_the_cores_of_the_process(tmp_path, monkeypatch):
    model, many = load_model(write_model(tmp_path, MOVING)), {"gain": np.linspace(0, 1, 100)[None]}
    for threads in (0, 1.5):
        with pytest.raises(InvalidInput, match="threads must be"):
            simulate(model, threads=threads)
    whole = simulate(model, many, threads=np.int64(2))
    asked = []
    monkeypatch.setattr(target, "cores", lambda: asked.append(1) or 2)
    parts = simulate(model, many)
    assert asked == [1]
    for name in whole.data:
        np.testing.assert_array_equal(whole[name], parts[name], err_msg=name)


@pytest.mark.parametrize("useless", ["no machine code", "other", "none"])
def test_machine_code_that_cannot_be_loaded_is_made_again_and_replaced(tmp_path, monkeypatch, useless):
    monkeypatch.setenv("GAPSIM_CACHE", str(tmp_path / "kept"))
    programs._PROGRAMS.clear()
    model = load_model(write_model(tmp_path, MOVING))
    expected = simulate(model)
    (entry,) = (tmp_path / "kept" / "object").iterdir()
    store, good = default_store("object"), entry.read_bytes()
    frame, _ = programs._opened(store.get(entry.name))
    other = object_code("define void @other() {\nret void\n}", machine_for(host()))
    codes = {"no machine code": b"x" * 1000, "none": b"", "other": other}
    store.put(entry.name, programs._sealed(frame, codes[useless]))
    assert entry.read_bytes() != good
    programs._PROGRAMS.clear()
    found = simulate(model)
    for name in expected.data:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
    assert entry.read_bytes() == good
