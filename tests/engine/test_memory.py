"""What is carried from step to step other than by integration: delays, samples, stocks that stop at zero."""

import os

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidInput, UnsupportedFeature
from pysd_runner.engine import memory
from pysd_runner.engine.numpy.target import Pipe, steps_of
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.small_models import write_model


def test_a_pipe_gives_back_its_input_after_the_rounded_number_of_steps(tmp_path):
    equations = "x = Time + 1 ~~|\na = DELAY FIXED(x, 1, 7) ~~|\nb = DELAY FIXED(x, 1.1, 7) ~~|"
    run = simulate(load_model(write_model(tmp_path, equations, final=4, step=0.5, saveper=0.5)))
    assert run["a"][0, 0].tolist() == [7, 7, 1, 1.5, 2, 2.5, 3, 3.5, 4]
    assert run["b"][0, 0].tolist() == run["a"][0, 0].tolist()


def test_the_length_of_a_pipe_may_differ_between_draws_and_elements(tmp_path):
    equations = "R: A, B ~~|\nwait = 1 ~~|\nk[R] = 1, 2 ~~|\na[R] = DELAY FIXED(Time, wait*k[R], -k[R]) ~~|"
    model = load_model(write_model(tmp_path, equations, final=4, step=0.5, saveper=0.5))
    waits = np.array([[0.5, 1.0, 1.5]])
    run = simulate(model, {"wait": waits})
    for draw, wait in enumerate(waits[0]):
        for place, factor in enumerate((1, 2)):
            since = run.years - wait * factor
            expected = np.where(since < -1e-9, -factor, since)
            np.testing.assert_allclose(run["a"][0, draw, place], expected, atol=1e-12)


def test_steps_round_to_the_nearest_and_are_at_least_one():
    assert steps_of(np.array([0.0, 0.2, 0.74, 0.75, 1.25, np.nan]), 0.5).tolist() == [1, 1, 1, 2, 3, 1]


def test_a_pipe_keeps_no_more_than_it_needs():
    pipe = Pipe(np.zeros((1, 1)), np.full((1, 1), 1.0), 0.5)
    found = [pipe.after(np.full((1, 1), float(step)))[0, 0] for step in range(6)]
    assert found == [0, 0, 1, 2, 3, 4]
    assert len(pipe._past) == 2


DELAYS = (
    "R: A, B, C ~~|\nwait = 1 ~~|\nk[R] = 1, 2.6, 40 ~~|\ns[R] = INTEG(k[R]*SIN(Time), 0) ~~|\nt = Time*wait ~~|\n"
    "a[R] = DELAY FIXED(s[R], wait*k[R], -k[R]) ~~|\nb = DELAY FIXED(t, 0.4, 3) ~~|\n"
    "c = DELAY FIXED(b + t, wait, b) ~~|"
)


@pytest.mark.parametrize("draws", [1, 3, 37])
def test_what_flows_in_goes_round_in_a_ring_and_gives_what_arrays_give(tmp_path, draws):
    model = load_model(write_model(tmp_path, DELAYS, final=30, step=0.1, saveper=0.1))
    # From no delay at all to one that is longer than the run; two scenarios use the same ring.
    waits = {"wait": np.stack([np.linspace(0.04, 33, draws), np.linspace(2, 0, draws)])}
    expected = simulate(model, waits, engine="numpy")
    found = simulate(model, waits)
    for name in ("a", "b", "c"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12, atol=1e-12)


def test_fixed_delays_keep_no_more_than_they_need_and_are_counted(tmp_path, monkeypatch):
    text = "R: (e1-e200) ~~|\ng = 0.1 ~~|\nwait = 2 ~~|\ns[R] = INTEG(g, 0) ~~|\nd[R] = DELAY FIXED(s[R], wait, 0) ~~|"
    model = load_model(write_model(tmp_path, text, final=50, step=0.01, saveper=50))
    draws = {"g": np.linspace(0.1, 0.2, 16)[None]}
    real = os.sysconf
    monkeypatch.setattr(os, "sysconf", lambda name: 6000 if name == "SC_PHYS_PAGES" else real(name))
    page = real("SC_PAGE_SIZE")
    # 200 steps of 200 cells of 16 draws are 5 MB; all 5001 would be 128 MB.
    assert 6000 * page < 5001 * 200 * 16 * 8
    found = simulate(model, draws, outcomes=["d"], threads=1)["d"]
    np.testing.assert_allclose(found[0, :, :, -1], np.repeat(draws["g"].T * 48, 200, axis=1), rtol=1e-9)
    with pytest.raises(InvalidInput, match=r"fixed delays \(DELAY FIXED\) of up to 4\d\d\d steps would need .* memory"):
        simulate(model, {**draws, "wait": 45}, outcomes=["d"], threads=1)


def test_a_run_is_refused_at_the_first_byte_that_memory_lacks(monkeypatch):
    # Two variables of 4 and 6 cells at 5 moments under 2 scenarios with 3 draws, and 12 arrays of 7 cells while a step
    # is computed.
    needed = 8 * ((4 + 6) * 5 * 2 * 3 + 12 * 7 * 2)
    asked = {"shapes": [(4,), (2, 3)], "cells": 7, "cases": (2, 3), "rows": 5}
    monkeypatch.setattr(memory, "machine_bytes", lambda: float(needed))
    memory.check_run(**asked)
    monkeypatch.setattr(memory, "machine_bytes", lambda: float(needed - 1))
    with pytest.raises(InvalidInput, match=r"fewer draws \(3\), scenarios \(2\), regions or outcomes \(2\)"):
        memory.check_run(**asked)


def test_a_sample_is_taken_before_the_step_that_follows(tmp_path):
    equations = "a = SAMPLE IF TRUE(Time <= 2, Time, 9) ~~|\nb = SAMPLE IF TRUE(Time > 1, Time, 9) ~~|"
    run = simulate(load_model(write_model(tmp_path, equations, final=4, step=1, saveper=1)))
    assert run["a"][0, 0].tolist() == [0, 1, 2, 2, 2]
    assert run["b"][0, 0].tolist() == [9, 9, 2, 3, 4]


def test_an_order_is_reduced_only_for_the_draws_whose_delay_is_short(tmp_path):
    equations = "x = 1 + Time ~~|\nwait = 2 ~~|\na = DELAY N(x, wait, 0.5, 4) ~~|"
    model = load_model(write_model(tmp_path, equations))
    waits = np.array([[0.3, 0.55, 0.8, 2.0]])
    together = simulate(model, {"wait": waits})["a"][0]
    for draw, wait in enumerate(waits[0]):
        alone = simulate(model, {"wait": wait}, engine="pysd")["a"][0, 0]
        np.testing.assert_allclose(together[draw], alone, rtol=1e-12)


ORDERS = (
    "R: A, B ~~|\nx[R] = 1 + STEP(2, 1) ~~|\nbase = 1 ~~|\norder = base + STEP(1, 3) + 1 ~~|\nk[R] = 1, 3 ~~|\n"
    "a = DELAY N(x[A], 3, 0.5, order) ~~|\nb = SMOOTH N(x[A], 3, 0.5, order + a*0 + base) ~~|\n"
    "c[R] = SMOOTH N(x[R], 3, 0.5, k[R]) ~~|\nd[R] = DELAY N(x[R], 3, 0.5, k[R]) ~~|\n"
)


def test_an_order_may_be_an_expression_and_differ_between_elements(tmp_path):
    alone = (
        "x = 1 + STEP(2, 1) ~~|\na = DELAY N(x, 3, 0.5, 2) ~~|\nb = SMOOTH N(x, 3, 0.5, 3) ~~|\n"
        "c1 = SMOOTHI(x, 3, 0.5) ~~|\nc3 = SMOOTH3I(x, 3, 0.5) ~~|\n"
        "d1 = DELAY1I(x, 3, 0.5) ~~|\nd3 = DELAY3I(x, 3, 0.5) ~~|"
    )
    (tmp_path / "alone").mkdir()
    found = simulate(load_model(write_model(tmp_path, ORDERS)))
    expected = simulate(load_model(write_model(tmp_path / "alone", alone)))
    np.testing.assert_allclose(found["a"], expected["a"], rtol=1e-13)
    np.testing.assert_allclose(found["b"], expected["b"], rtol=1e-13)
    for name in ("c", "d"):
        np.testing.assert_allclose(found[name][:, :, 0], expected[f"{name}1"], rtol=1e-13)
        np.testing.assert_allclose(found[name][:, :, 1], expected[f"{name}3"], rtol=1e-13)


def test_values_that_change_an_order_are_refused_and_others_are_not(tmp_path):
    model = load_model(write_model(tmp_path, ORDERS))
    assert sorted(value for values in model.ir.structural.values() for value in values) == [1, 1, 2, 3, 3, 3]
    simulate(model, {"base": np.array([1.0, 1.4])})
    with pytest.raises(InvalidInput, match="'a' is a delay or smooth of order 2"):
        simulate(model, {"base": np.array([1.0, 2.0])})
    with pytest.raises(InvalidInput, match="change it in the file"):
        simulate(model, start=4)


def test_an_order_nobody_knows_before_the_run_is_named(tmp_path):
    model = load_model(write_model(tmp_path, "x = Time ~~|\na = DELAY N(x, 3, 0.5, a + 1) ~~|\nb = x + 1 ~~|"))
    assert simulate(model, outcomes=["b"])["b"][0, 0, 0] == 1
    with pytest.raises(UnsupportedFeature, match="order of a delay"):
        simulate(model)


def test_a_variable_may_be_a_stock_for_some_of_its_elements(tmp_path):
    equations = (
        "R: A, B, C ~~|\nx[A] = INTEG(2 + 0*x[C], 1) ~~|\nx[B] = 3*Time ~~|\nx[C] = INTEG(x[B], 0.5) ~~|\n"
        "y[A] = 5 ~~|\ny[B] = INTEG(-1, 4) ~~|\ny[C] = y[B]*2 ~~|"
    )
    run = simulate(load_model(write_model(tmp_path, equations, final=2, step=0.5, saveper=0.5)))
    assert run["x"][0, 0, 0].tolist() == [1, 2, 3, 4, 5]
    assert run["x"][0, 0, 1].tolist() == [0, 1.5, 3, 4.5, 6]
    assert run["x"][0, 0, 2].tolist() == [0.5, 0.5, 1.25, 2.75, 5]
    assert run["y"][0, 0].tolist() == [[5] * 5, [4, 3.5, 3, 2.5, 2], [8, 7, 6, 5, 4]]
