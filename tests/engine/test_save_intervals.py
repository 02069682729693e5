"""A save interval that is no multiple of the step: refused where a caller asked for it, told where the file has it."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from pysd_runner import jacobian, load_model, run_ensemble, simulate
from pysd_runner.core.errors import InvalidInput
from pysd_runner.engine.clock import Clock, UnevenSaving, UnevenStop
from tests.engine.small_models import write_model

EQUATIONS = "x = 3 ~~|\ns = INTEG(x, 0) ~~|"


@pytest.fixture
def model(tmp_path):
    return load_model(write_model(tmp_path, EQUATIONS, final=6, step=0.25, saveper=0.5))


@pytest.mark.parametrize("engine", ["auto", "numpy", "pysd"])
@pytest.mark.parametrize(
    ("asked", "fitting"),
    [
        ({"step": 0.3}, "save_every=0.6, or step=0.25"),
        ({"save_every": 0.3}, "save_every=0.25, or step=0.3"),
        ({"step": 0.1, "save_every": 0.25}, "save_every=0.2, or step=0.125"),
        ({"save_every": 0.1}, "save_every=0.25, or step=0.1"),
    ],
)
def test_a_caller_is_told_what_fits(model, engine, asked, fitting):
    with pytest.raises(InvalidInput, match="must be a multiple of the step") as found:
        simulate(model, engine=engine, **asked)
    assert fitting in str(found.value)


def test_values_of_the_controls_count_as_asked_for(model):
    with pytest.raises(InvalidInput, match=r"every 0\.5 do not fall on steps of 0\.3"):
        simulate(model, {"TIME STEP": 0.3})


def test_ensembles_and_derivatives_refuse_too(model):
    with pytest.raises(InvalidInput, match="only 5 of 21 moments"):
        run_ensemble(model, {"x": np.ones(2)}, save_every=0.3)
    with pytest.raises(InvalidInput, match="only 5 of 13 moments"):
        jacobian(model, parameters=["x"], outcomes=["s"], step=0.3)


@pytest.mark.parametrize(
    "asked", [{"step": 0.1}, {"save_every": 0.75}, {"step": 1 / 3, "save_every": 1}, {"stop": 5.75}]
)
def test_what_fits_loses_nothing(model, asked):
    run = simulate(model, **asked)
    every = run.provenance["save_every"]
    np.testing.assert_allclose(run.years, every * np.arange(run.years.size), atol=1e-8)
    assert run.years[-1] > asked.get("stop", 6) - every
    assert "moments_not_saved" not in run.provenance


@pytest.mark.parametrize("engine", ["auto", "pysd"])
def test_a_file_that_does_not_fit_runs_with_a_warning(tmp_path, engine):
    model = load_model(write_model(tmp_path, EQUATIONS, final=6, step=0.3, saveper=0.5))
    with pytest.warns(UnevenSaving, match="only 5 of 13 moments"):
        run = simulate(model, engine=engine)
    assert run.years.tolist() == [0, 1.5, 3, 4.5, 6]
    assert run.provenance["moments_not_saved"] == 8


CHANGING = "TIME STEP = IF THEN ELSE(Time < 1, 0.5, 0.4) ~~|\nSAVEPER = 0.1 ~~|"
STOPS = {
    "in the file": ("FINAL TIME = 1 ~~|\nTIME STEP = 0.3 ~~|\nSAVEPER = 0.3 ~~|", {}, [0, 0.3, 0.6, 0.9]),
    "given": ("FINAL TIME = 6 ~~|\nTIME STEP = 0.25 ~~|\nSAVEPER = 0.5 ~~|", {"stop": 1.2}, [0, 0.5, 1]),
    "with steps that change": (f"FINAL TIME = 2 ~~|\n{CHANGING}", {}, [0, 0.5, 1, 1.4, 1.8]),
}


@pytest.mark.parametrize("engine", ["numpy", "llvm", "pysd"])
@pytest.mark.parametrize("case", STOPS)
def test_a_run_ends_before_a_stop_that_no_step_reaches_and_says_so(case, engine, tmp_path):
    controls, asked, times = STOPS[case]
    path = tmp_path / "model.mdl"
    path.write_text(f"{{UTF-8}}\n{EQUATIONS}\nINITIAL TIME = 0 ~~|\n{controls}", encoding="utf-8")
    with pytest.warns(UnevenStop, match=r"model\.mdl: no step of .* ends at the stop, .*; the run ends at "):
        run = simulate(load_model(path), outcomes=["s"], engine=engine, **asked)
    np.testing.assert_allclose(run.years, times, atol=1e-9)


def test_the_stop_that_is_offered_is_one_that_a_step_reaches(tmp_path):
    path = tmp_path / "model.mdl"
    controls = "INITIAL TIME = 2000 ~~|\nFINAL TIME = 2012.2 ~~|\nTIME STEP = 0.125 ~~|\nSAVEPER = TIME STEP ~~|\n"
    path.write_text(f"{{UTF-8}}\n{EQUATIONS}\n{controls}", encoding="utf-8")
    with pytest.warns(UnevenStop, match=r"at the stop, 2012\.2; the run ends at 2012\.125\. Pass stop=2012\.125, "):
        simulate(load_model(path), outcomes=["s"])


@given(start=st.floats(-1e4, 1e4), step=st.floats(1e-3, 10), span=st.floats(0, 100))
def test_no_moment_lies_beyond_the_stop(start, step, span):
    clock = Clock(start, start + span, step, step)
    assert clock.times[-1] <= clock.stop + 1e-4 * step
    assert clock.stop - clock.times[-1] < step
    assert bool(clock.left) == (clock.stop - clock.times[-1] > step / 1000)


def test_a_save_interval_tied_to_the_step_follows_it(tmp_path):
    path = write_model(tmp_path, EQUATIONS, final=6, step=0.25, saveper="TIME STEP")
    run = simulate(load_model(path), step=0.4)
    np.testing.assert_allclose(run.years, 0.4 * np.arange(16), atol=1e-8)
    assert run.provenance["save_every"] == 0.4
