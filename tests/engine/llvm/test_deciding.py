"""Where the last bit of a quotient decides something, both engines divide; elsewhere a product may stand for it."""

import numpy as np
import pytest

from pysd_runner.engine.llvm.hoisting import deciding_divisions
from pysd_runner.engine.passes.order import plan
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.small_models import write_model

EQUATIONS = (
    "k = 10 ~~|\nshare = Time/k ~~|\nwhole = INTEGER(share*10) ~~|\ncut = INTEGER(Time/k*10) ~~|\n"
    "s = INTEG(share/k, 0) ~~|\nreached = IF THEN ELSE(s >= 0.5, 1, 0) ~~|\nlater = MODULO(reached, 2) ~~|\n"
    "free = (Time + 1)/k ~~|\n"
)


def found(tmp_path):
    model = load_model(write_model(tmp_path, EQUATIONS, final=30, step=1, saveper=1)).ir
    outcomes = ["whole", "cut", "later", "free"]
    return model, {id(part): part for part in deciding_divisions(plan(model, outcomes, frozenset(), frozenset()))}


def test_divisions_that_decide_are_found_through_variables_and_levels(tmp_path):
    model, divisions = found(tmp_path)
    [share] = [block.expression for block in model.variables["share"].blocks]
    [flow] = [block.expression for block in model.variables["s"].blocks]
    [free] = [block.expression for block in model.variables["free"].blocks]
    assert share in divisions.values()
    assert flow in divisions.values()
    assert free not in divisions.values()


@pytest.mark.parametrize("draws", [1, 40])
def test_what_is_cut_to_whole_numbers_is_the_same_to_the_bit(draws, tmp_path):
    model = load_model(write_model(tmp_path, EQUATIONS, final=30, step=1, saveper=1))
    k = {"k": np.full((1, draws), 10.0)}
    compiled, plain = (simulate(model, k, engine=engine) for engine in ("llvm", "numpy"))
    for name in ("share", "whole", "cut", "s", "reached", "later"):
        np.testing.assert_array_equal(compiled[name], np.broadcast_to(plain[name], compiled[name].shape), err_msg=name)
    # 3/10*10 is 3, while 3*0.1*10 is a little more, and 7/10*10 is 7, while 7*0.1*10 is a little more as well.
    assert plain["cut"][0, 0, :8].tolist() == list(range(8))


# Time/49 is 1 at 49, while Time times the inverse of 49 is a little less; 525/75 is 7, times the inverse a little more.
EDGES = {
    "truth": "y = IF THEN ELSE(Time/b - 1, 1, 0) ~~|\n",
    "truth of a level": "s = INTEG(1, 0) ~~|\nrest = 1 - s/b ~~|\ny = IF THEN ELSE(rest, 1, 0) ~~|\n",
    "and": "y = IF THEN ELSE(Time/b - 1 :AND: 1, 1, 0) ~~|\n",
    "not": "y = IF THEN ELSE(:NOT: (Time/b - 1), 1, 0) ~~|\n",
    "root": "y = SQRT(1 - Time/b) ~~|\n",
    "logarithm": "y = LN(Time/b - 1) ~~|\n",
    "power": "y = (1 - Time/b)^0.5 ~~|\n",
    "arc": "y = ARCSIN(Time/b) ~~|\n",
    "jump of a table": "t((0,0),(1,2),(1,5),(2,6)) ~~|\ny = t(Time/b) ~~|\n",
    "ratio": "y = XIDZ(1, (Time/b - 1)*1, 7) ~~|\n",
}


@pytest.mark.filterwarnings("ignore::pysd_runner.engine.task.ProbableSlip")
@pytest.mark.parametrize("draws", [1, 20])
@pytest.mark.parametrize("text", EDGES.values(), ids=EDGES)
def test_truth_edges_and_jumps_keep_their_division(text, draws, tmp_path):
    model = load_model(write_model(tmp_path, f"b = 49 ~~|\n{text}", final=50, step=1, saveper=1))
    b = {"b": np.full((1, draws), 49.0)}
    asked = {"outcomes": ["y"], "throw": False}
    compiled, plain = (simulate(model, b, engine=engine, **asked)["y"] for engine in ("llvm", "numpy"))
    np.testing.assert_allclose(compiled, np.broadcast_to(plain, compiled.shape), rtol=1e-12)


def test_the_order_of_equals_keeps_its_division(tmp_path):
    text = "b = 49 ~~|\nR: p, q ~~|\none[R] = 1, 2 ~~|\nx[R] = Time/b*one[R] - one[R] ~~|\n"
    text += "y[R] = VECTOR SORT ORDER(x[R], -1) ~~|\n"
    model = load_model(write_model(tmp_path, text, final=49, step=1, saveper=1))
    compiled, plain = (simulate(model, outcomes=["y"], engine=engine)["y"] for engine in ("llvm", "numpy"))
    np.testing.assert_array_equal(compiled, plain)


def quotients(numerators, denominators, tmp_path, **asked):
    """Quotients that a comparison depends on, by numbers that do not change."""
    text = "p = 1 ~~|\nd = 1 ~~|\ny = (p + 0*Time)/d ~~|\nz = IF THEN ELSE(y > 1, 1, 0) ~~|\n"
    model = load_model(write_model(tmp_path, text, final=1, step=1, saveper=1))
    values = {"p": numerators[None], "d": denominators[None]}
    return simulate(model, values, outcomes=["y", "z"], throw=False, **asked)["y"][0, :, 0]


def test_where_the_last_bit_decides_a_quotient_is_rounded_as_a_division_rounds(tmp_path):
    rng = np.random.default_rng(3)
    whole = np.arange(-30.0, 31.0)
    special = np.array([0.0, 1.0, 3.0, 0.1, 7e99, 1e-150, np.inf, 2.0**-60, 1 - 2.0**-53, 1 + 2.0**-52])
    pairs = [
        np.meshgrid(whole, whole),
        np.meshgrid(whole / 7, whole / 8),
        np.meshgrid([*special, *-special], [*special, *-special]),
        rng.choice([-1, 1], (2, 20_000)) * np.exp(rng.normal(0, 20, (2, 20_000))),
        # Nearly the same: quotients next to one, and next to the middle of two numbers.
        1 + rng.integers(0, 2**12, (2, 5_000)) * 2.0**-52,
        2 - rng.integers(1, 2**12, (2, 5_000)) * 2.0**-52,
    ]
    numerators, denominators = (np.concatenate([np.ravel(pair[place]) for pair in pairs]) for place in (0, 1))
    compiled, plain = (quotients(numerators, denominators, tmp_path, engine=engine) for engine in ("llvm", "numpy"))
    np.testing.assert_array_equal(compiled, plain)
    known = np.isfinite(plain) & (numerators != 0)
    np.testing.assert_array_equal(np.signbit(compiled[known]), np.signbit(plain[known]))


def test_the_sign_of_a_quotient_alone_decides_nothing(tmp_path):
    text = "k = 10 ~~|\nshare = Time/k ~~|\nroot = SQRT(share) ~~|\nraised = (share*2)^0.3 ~~|\n"
    model = load_model(write_model(tmp_path, text, final=30, step=1, saveper=1)).ir
    assert not deciding_divisions(plan(model, ["root", "raised"], frozenset(), frozenset()))
