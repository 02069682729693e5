"""Delays, smooths, trends and forecasts against the stocks that they stand for, written by hand."""

import itertools
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from pysd_runner.simulation.task import prepared
from tests.engine.small_models import write_model
from tests.engine.xmile_files import aux, write_xmile
from tests.reports.explorer.node import needs_node, run_in_node

METHODS = ("euler", "rk4")
ORDERS = (1, 2, 3, 4, 8, 12)

# What is delayed, and parameters that the tests change.
COMMON = {
    "x": "2 + SIN(TIME) + k*STEP(1, 1)",
    "wait": "base*(1 + sway*SIN(2*TIME))",
    "k": "0.5",
    "base": "3",
    "sway": "0.2",
    "start": "0.7",
    "horizon": "2",
}


def smooths(wait, start, order):
    """A chain of smooths, and what comes out of it."""
    inputs = ["x", *(f"Y level {place}" for place in range(1, order + 1))]
    levels = [f"{y} = INTEG(({x} - {y})/({wait}/{order}), {start})" for x, y in itertools.pairwise(inputs)]
    return [*levels, f"Y = {inputs[-1]}"]


def delays(wait, start, order):
    """A chain of stocks that drain into each other, and what flows out of the last."""
    lines, inflow = [], "x"
    for place in range(1, order + 1):
        outflow = f"Y level {place}/({wait}/{order})"
        lines.append(f"Y level {place} = INTEG({inflow} - {outflow}, {start}*{wait}/{order})")
        inflow = outflow
    return [*lines, f"Y = {inflow}"]


def average(start, result):
    """What TREND and FORECAST compare with, and their result."""
    return [f"Y level = INTEG((x - Y level)/wait, x/(1 + {start}*wait))", f"Y = {result}"]


TREND = "ZIDZ(x - Y level, wait*ABS(Y level))"
FORECAST = "x*(1 + horizon*ZIDZ(x - Y level, wait*Y level))"

# By format every function with its chain.
CHAINS = {
    "mdl": {
        "SMOOTH(x, wait)": smooths("wait", "x", 1),
        "SMOOTHI(x, wait, start)": smooths("wait", "start", 1),
        "SMOOTH3(x, wait)": smooths("wait", "x", 3),
        "SMOOTH3I(x, wait, start)": smooths("wait", "start", 3),
        **{f"SMOOTH N(x, wait, start, {order})": smooths("wait", "start", order) for order in ORDERS},
        "DELAY1(x, wait)": delays("wait", "x", 1),
        "DELAY1I(x, wait, start)": delays("wait", "start", 1),
        "DELAY3(x, wait)": delays("wait", "x", 3),
        "DELAY3I(x, wait, start)": delays("wait", "start", 3),
        # Where the delay time changes, what is under way keeps that which it came in with.
        **{f"DELAY N(x, base, start, {order})": delays("base", "start", order) for order in ORDERS},
        "DELAY N(x, 4, start, 7)": delays("4", "start", 7),
        "TREND(x, wait, start)": average("start", TREND),
        "FORECAST(x, wait, horizon)": average("0", FORECAST),
    },
    "xmile": {
        "SMTH1(x, wait)": smooths("wait", "x", 1),
        "SMTH1(x, wait, start)": smooths("wait", "start", 1),
        "SMTH3(x, wait)": smooths("wait", "x", 3),
        "SMTH3(x, wait, start)": smooths("wait", "start", 3),
        "SMTHN(x, wait, 2)": smooths("wait", "x", 2),
        **{f"SMTHN(x, wait, {order}, start)": smooths("wait", "start", order) for order in ORDERS},
        "DELAY1(x, wait)": delays("wait", "x", 1),
        "DELAY1(x, wait, start)": delays("wait", "start", 1),
        "DELAY3(x, wait)": delays("wait", "x", 3),
        "DELAY3(x, wait, start)": delays("wait", "start", 3),
        "DELAYN(x, wait, 2)": delays("wait", "x", 2),
        **{f"DELAYN(x, wait, {order}, start)": delays("wait", "start", order) for order in ORDERS},
        "TREND(x, wait)": average("0", TREND),
        "TREND(x, wait, start)": average("start", TREND),
        "FORCST(x, wait, horizon)": average("0", FORECAST),
        "FORCST(x, wait, horizon, start)": average("start", FORECAST),
    },
}


def write_functions(folder, kind):
    """A model of every function of a format."""
    equations = {**COMMON, **{f"y{place}": text for place, text in enumerate(CHAINS[kind])}}
    if kind == "xmile":
        return write_xmile(folder, "".join(aux(*item) for item in equations.items()), stop=6, step=0.25)
    return write_model(folder, "".join(f"{name} = {text} ~~|\n" for name, text in equations.items()))


def write_chains(folder, kind):
    """The same, written by hand in Vensim's format."""
    lines = [f"{name} = {text}" for name, text in COMMON.items()]
    for place, chain in enumerate(CHAINS[kind].values()):
        lines += [line.replace("Y", f"y{place}") for line in chain]
    return write_model(folder, "".join(f"{line} ~~|\n" for line in lines))


@cache
def both(kind):
    """The models of all functions of a format and of their chains, loaded once, and what they compute."""
    with tempfile.TemporaryDirectory() as folder:
        models = [load_model(write(Path(folder), kind)) for write in (write_functions, write_chains)]
    return models, [f"y{place}" for place in range(len(CHAINS[kind]))]


def assert_equal_to_chains(kind, found, chains):
    for name, text in zip(both(kind)[1], CHAINS[kind], strict=True):
        np.testing.assert_allclose(found[name], chains[name], rtol=1e-12, atol=1e-12, err_msg=text)


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", CHAINS)
@settings(max_examples=8)
@given(
    values=st.fixed_dictionaries(
        {
            "k": st.floats(-1, 1),
            "base": st.floats(3, 9),
            "sway": st.floats(-0.5, 0.5),
            "start": st.floats(0, 2),
            "horizon": st.floats(-1, 4),
        }
    )
)
def test_every_function_is_its_chain_of_stocks(kind, method, engine, values):
    models, outcomes = both(kind)
    assert_equal_to_chains(
        kind, *(simulate(item, values, outcomes=outcomes, method=method, engine=engine) for item in models)
    )


@pytest.mark.parametrize("kind", CHAINS)
def test_runge_kutta_follows_every_stock_of_a_chain_however_short_its_delay(kind):
    models, outcomes = both(kind)
    values = {"base": 1.8, "sway": 0}  # seven steps, for up to twelve stocks
    assert_equal_to_chains(kind, *(simulate(item, values, outcomes=outcomes, method="rk4") for item in models))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", CHAINS)
def test_every_function_is_its_chain_of_stocks_in_a_page(kind, method):
    needs_node()
    models, outcomes = both(kind)
    tasks = [prepared(item, {}, outcomes=outcomes, method=method, engine="llvm") for item in models]
    assert_equal_to_chains(kind, *(run_in_node(task)[0] for task in tasks))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "text", ["DELAY FIXED(x, 1.5, 7)", "DELAY MATERIAL(x, 1.5, 7, 0)", "DELAY INFORMATION(x, 1.5, 7)"]
)
def test_a_fixed_delay_is_what_went_in_some_steps_ago(text, method, tmp_path):
    run = simulate(load_model(write_model(tmp_path, f"x = Time^2 + 1 ~~|\ny = {text} ~~|")), method=method)
    assert run["y"][0, 0].tolist() == [7.0] * 6 + run["x"][0, 0, :-6].tolist()
