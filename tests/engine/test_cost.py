"""Which target "auto" is, what is refused to be compiled, and long programs, which are compiled in parts."""

import numpy as np
import pytest

from pysd_runner import load_model, prepare, run_ensemble, simulate
from pysd_runner.core.errors import UnsupportedFeature
from pysd_runner.engine import Budgets
from pysd_runner.engine.task import BIG, Work
from tests.engine.small_models import write_model

pytest.importorskip("llvmlite")

LONG = 450


def chain(length):
    lines = ["a = 1 ~~|", "x0 = INTEG(a - 0.01*x0, 1) ~~|"]
    return "\n".join([*lines, *(f"x{n} = x{n - 1}*1.0001 + a ~~|" for n in range(1, length))]) + "\n"


def ring(length):
    """Stocks that each read two others, and an array that reads them all."""
    stocks = [
        f"s{n} = INTEG(rate*(s{(n + 1) % length} - s{n - 1 if n else length - 1}), {n}) ~~|" for n in range(length)
    ]
    return "\n".join(["R: A, B ~~|", "rate = 0.1 ~~|", *stocks, "v[R] = s0 + s1*rate ~~|", "w = SUM(v[R!]) ~~|"]) + "\n"


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    return load_model(write_model(tmp_path_factory.mktemp("long"), chain(LONG), final=10, step=1, saveper=1))


def engine_of(result):
    return result.provenance["engine"]


def test_one_short_run_of_a_big_model_is_not_compiled(long):
    assert engine_of(simulate(long, outcomes=["x9"])) == "numpy"
    assert engine_of(run_ensemble(long, {"a": 2.0}, outcomes=["x9"])) == "numpy"


def test_what_is_worth_compiling_is_compiled(long, tmp_path):
    assert engine_of(simulate(long, outcomes=["x9"], stop=10_000, save_every=5000)) == "llvm"
    assert engine_of(simulate(long, outcomes=["x9"], engine="llvm")) == "llvm"
    assert engine_of(run_ensemble(long, {"a": np.ones(100_000)}, outcomes=["x9"], stop=3)) == "llvm"
    assert prepare(long, ["a"], ["x9"])._task.engine == "llvm"
    assert engine_of(simulate(load_model(write_model(tmp_path, chain(20))))) == "llvm"


def test_draws_of_chance_count(tmp_path):
    model = load_model(write_model(tmp_path, chain(BIG + 50) + "noise = RANDOM 0 1() ~~|\n", final=2))
    assert engine_of(run_ensemble(model, {}, draws=100_000, outcomes=["noise"])) == "llvm"
    assert engine_of(run_ensemble(model, {}, draws=2, outcomes=["noise"])) == "numpy"


def test_the_choice_depends_on_counts_alone():
    small = Work(blocks=BIG, cells=BIG, steps=10, cases=1)
    assert not small.is_cheaper_by_numpy
    big = Work(blocks=4 * BIG, cells=4 * BIG, steps=10, cases=1)
    assert big.is_cheaper_by_numpy
    assert not Work(blocks=4 * BIG, cells=4 * BIG, steps=10_000, cases=1).is_cheaper_by_numpy
    assert not Work(blocks=4 * BIG, cells=4 * BIG, steps=10, cases=100_000).is_cheaper_by_numpy


def test_the_time_of_compiling_has_a_budget(long):
    tight = load_model(long.path, budgets=Budgets(seconds=0.2))
    with pytest.raises(
        UnsupportedFeature, match=r"predicted to take 0.26 s to compile; at most 0.2 s .*Budgets\(seconds=1\)"
    ):
        simulate(tight, outcomes=["x9"], engine="llvm")
    with pytest.raises(UnsupportedFeature, match="engine='numpy'"):
        run_ensemble(tight, {"a": np.ones(8)}, outcomes=["x9"], engine="llvm")
    assert engine_of(simulate(tight, outcomes=["x9"], stop=10_000, save_every=5000)) == "numpy"
    assert prepare(tight, ["a"], ["x9"])._task.engine == "numpy"
    raised = load_model(long.path, budgets=Budgets(seconds=1))
    assert engine_of(simulate(raised, outcomes=["x9"], engine="llvm")) == "llvm"


@pytest.mark.parametrize("equations", [chain(LONG), ring(220)], ids=["chain", "ring"])
@pytest.mark.parametrize("draws", [1, 3, 20])
def test_programs_in_parts_give_the_same_numbers(tmp_path, equations, draws):
    model = load_model(write_model(tmp_path, equations, final=3, step=0.25, saveper=0.5))
    name = "a" if "a" in model.variables else "rate"
    cases = {name: np.linspace(0.05, 0.2, draws)}
    fast, slow = (run_ensemble(model, cases, engine=engine) for engine in ("llvm", "numpy"))
    assert len(fast.data) == len(model.variables) - 4  # controls
    for outcome, values in slow.data.items():
        np.testing.assert_allclose(fast[outcome], values, rtol=1e-12, atol=1e-12)
