"""Every feature the engine covers, against PySD."""

import re

import pytest

from pysd_runner.engine.frontend.source import read_source
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.parity import assert_same
from tests.engine.small_models import FEATURES, MISSING, RANDOM, write_model

# PySD searches the price of an allocation with a least-squares solver, to about eight digits.
LOOSER = {"allocation": 1e-7}


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
@pytest.mark.parametrize("feature", FEATURES)
def test_feature_agrees_with_pysd(feature, engine, tmp_path):
    model = load_model(write_model(tmp_path, FEATURES[feature]))
    assert_same(simulate(model, engine=engine), simulate(model, engine="pysd"), relative=LOOSER.get(feature, 1e-10))


def test_every_function_of_the_table_is_in_a_small_model():
    from pysd_runner.engine.frontend.lowering.expressions import CALLS, FUNCTIONS
    from pysd_runner.engine.frontend.lowering.reductions import REDUCTIONS

    text = " ".join(FEATURES.values()).lower()
    names = {*FUNCTIONS, *REDUCTIONS, *CALLS} - ELSEWHERE
    assert {name for name in names if not re.search(rf"\b{name}\d?i?\(", text)} == set()


# These have small models of their own in test_xmile_functions, test_random_numbers and test_library.
ELSEWHERE = {
    *("pi", "ramp on", "impulse", "impulses", "random 0 1", "random uniform", "random normal", "random exponential"),
    *("floor", "remainder", "round", "rootn", "log10", "percent", "sinwave", "coswave", "factorial", "permutations"),
    *("combinations", "gamma ln", "npv", "previous", "if missing", "normal probability", "normal quantile"),
    *("uniform", "log normal", "weibull", "pareto", "logistic"),
    "chance",
    # In test_quantiles, test_past_values and test_library.
    *(
        f"random {name}"
        for name in ("pink noise", "triangular", "gamma", "beta", "weibull", "poisson", "binomial", "negative binomial")
    ),
    *("gamma", "beta", "poisson", "binomial", "failures", "derivn", "sinteg", "delay material", "delay information"),
    *("cgrowth", "pmt", "fv", "pv", "counter", "time base", "npve"),
}


def test_every_operation_of_the_target_is_reached_by_the_small_models(tmp_path):
    from pysd_runner.engine.ir import Operation, walk
    from pysd_runner.engine.numpy.code import OPERATIONS

    reached = set()
    for equations in [*FEATURES.values(), RANDOM, MISSING]:
        for variable in load_model(write_model(tmp_path, equations)).ir.variables.values():
            for block in variable.blocks:
                for part in (block.expression, block.initial):
                    if part is not None:
                        reached |= {item.name for item in walk(part) if isinstance(item, Operation)}
    assert reached == set(OPERATIONS)


def test_integer_initial_value_of_smooth_is_truncated_by_pysd_and_not_by_us(tmp_path):
    equations = "x = 1.08404 ~~|\na = SMOOTHI(x, 20, 1) ~~|"
    model = load_model(write_model(tmp_path, equations, final=1, step=0.5, saveper=0.5))
    ours, theirs = simulate(model)["a"][0, 0], simulate(model, engine="pysd")["a"][0, 0]
    # One Euler step of s' = (x - s) / 20 from s = 1, by hand.
    assert ours[1] == pytest.approx(1 + 0.5 * (1.08404 - 1) / 20, rel=1e-14)
    assert theirs[1] == 1.0, "PySD keeps an integer array here; if this fails the fault is mended upstream"


def test_pysd_rounds_constants_written_into_a_model_with_subscripts(tmp_path):
    equations = "R: A, B ~~|\nk[R] = 0.0053700550000001, 2 ~~|\ns[R] = INTEG(k[R], 0) ~~|"
    model = load_model(write_model(tmp_path, equations, final=1))
    ours, theirs = simulate(model)["k"][0, 0, 0, 0], simulate(model, engine="pysd")["k"][0, 0, 0, 0]
    assert ours == 0.0053700550000001
    assert theirs == pytest.approx(ours, rel=1e-4)
    assert theirs != ours, "PySD prints eight decimals; if this fails it is mended upstream"


XMILE = """<?xml version="1.0" encoding="utf-8"?>
<xmile version="1.0" xmlns="http://docs.oasis-open.org/xmile/ns/XMILE/v1.0">
<header><product>test</product><vendor>test</vendor></header>
<sim_specs><start>0</start><stop>5</stop><dt>0.5</dt></sim_specs>
<model><variables>
<stock name="Tank"><eqn>10</eqn><inflow>fill</inflow><outflow>drain</outflow></stock>
<flow name="fill"><eqn>2</eqn></flow>
<flow name="drain"><eqn>Tank * rate</eqn></flow>
<aux name="rate"><eqn>0.3</eqn></aux>
</variables></model></xmile>
"""


def test_and_binds_tighter_than_or(tmp_path):
    equations = "a = Time ~~|\n"
    truths = [":OR:", ":AND:"]
    expected = {}
    for number, (first, second) in enumerate((x, y) for x in truths for y in truths):
        equations += f"x{number} = IF THEN ELSE(a = 1 {first} a = 2 {second} a > 1, 1, 0) ~~|\n"
        rank = {":OR:": " or ", ":AND:": " and "}
        expected[f"x{number}"] = [
            float(eval(f"{t == 1}{rank[first]}{t == 2}{rank[second]}{t > 1}"))  # noqa: S307 - our own text
            for t in range(4)
        ]
    run = simulate(load_model(write_model(tmp_path, equations, final=3, step=1, saveper=1)))
    assert {name: run[name][0, 0].tolist() for name in expected} == expected


def test_pysd_takes_and_before_or_the_other_way_round(tmp_path):
    model = load_model(write_model(tmp_path, "x = IF THEN ELSE(Time < 0 :AND: Time < 0 :OR: Time >= 0, 1, 0) ~~|"))
    assert (simulate(model)["x"] == 1).all()
    assert (simulate(model, engine="pysd")["x"] == 0).all(), "if this fails the fault is mended upstream"


def test_truth_values_count_as_one_and_zero(tmp_path):
    equations = (
        "a = Time ~~|\nb = (a > 1) + (a > 2) ~~|\nz = a > 1 ~~|\nw = z + z ~~|\nd = -(a > 1) ~~|\n"
        "e = (a > 1) - (a > 2) ~~|\nR: A, B ~~|\nk[R] = 1, 3 ~~|\nn = SUM(IF THEN ELSE(k[R!] > 2, 1, 0)) ~~|"
    )
    run = simulate(load_model(write_model(tmp_path, equations, final=3, step=1, saveper=1)))
    found = {name: run[name][0, 0].tolist() for name in "bwden"}
    assert found == {
        "b": [0, 0, 1, 2],
        "w": [0, 0, 2, 2],
        "d": [0, 0, -1, -1],
        "e": [0, 0, 1, 0],
        "n": [1, 1, 1, 1],
    }


def test_cells_without_an_equation_do_not_fail_a_run(tmp_path):
    model = load_model(write_model(tmp_path, "R: A, B, C ~~|\nx[A] = 1 ~~|\ny = x[A] + 1 ~~|"))
    assert (simulate(model)["y"] == 2).all()


def test_an_equation_for_parts_of_two_ranges(tmp_path):
    equations = (
        "R: A, B, C ~~|\nL: u, v, w ~~|\nR1: A, C ~~|\nL1: u, w ~~|\n"
        "x[R1,L1] = 1 ~~|\nx[B,L] = 2 ~~|\nx[R1,v] = 3 ~~|\ns = SUM(x[R!,L!]) ~~|"
    )
    assert (simulate(load_model(write_model(tmp_path, equations)))["s"] == 4 * 1 + 3 * 2 + 2 * 3).all()


POWERS = {
    "-2^2": -4,
    "(-2)^2": 4,
    "-(2^2)": -4,
    "-(2)^2": -4,
    "(-2)^3": -8,
    "-(-2)^2": -4,
    "2^-2": 0.25,
    "2^(-2)": 0.25,
    "3 - 2^2": -1,
    "3*-2^2": -12,
    "(-k)^2": 4,
    "-k^2": -4,
    "2^-2^2": 2**-4,
    "(-2)^2^3": 256,
    "-2^2^3": -256,
    "(-2) - (-3)": 1,
    "ABS((-2))": 2,
}


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
def test_a_minus_binds_less_tightly_than_a_power_unless_there_are_brackets(engine, tmp_path):
    equations = "k = 2 ~~|\n" + "".join(f"x{place} = {text} ~~|\n" for place, text in enumerate(POWERS))
    run = simulate(load_model(write_model(tmp_path, equations, final=1)), engine=engine)
    assert {text: run[f"x{place}"][0, 0, 0] for place, text in enumerate(POWERS)} == POWERS


def test_brackets_count_in_xmile_as_well(tmp_path):
    path = tmp_path / "tank.xmile"
    path.write_text(XMILE.replace("Tank * rate", "(-2)^2 + -3^2"), encoding="utf-8")
    assert (simulate(load_model(path))["drain"] == -5).all()


@pytest.mark.parametrize("feature", FEATURES)
def test_every_equation_that_is_read_stands_in_the_representation(feature, tmp_path):
    path = write_model(tmp_path, FEATURES[feature])
    read, kept = read_source(path).syntax.variables, load_model(path).ir.variables
    texts = {item.name: {block.text for block in kept[item.name].blocks} for item in read}
    assert all(equation.text in texts[item.name] for item in read for equation in item.equations)


SUMS = {"41 + 1": 42, "5 - 2": 3, "-1 + 2 - 3.5": -2.5, "1e-3+2.5E2": 250.001, "- 4 - .5": -4.5, "3": 3, "+2": 2}


@pytest.mark.parametrize("engine", ["numpy", "pysd"])
def test_a_sum_of_numbers_is_a_number(engine, tmp_path):
    equations = "".join(f"x{place} = {text} ~~|\n" for place, text in enumerate(SUMS))
    run = simulate(load_model(write_model(tmp_path, equations, final=1)), engine=engine)
    found = {text: run[f"x{place}"][0, 0, 0] for place, text in enumerate(SUMS)}
    assert found == pytest.approx(SUMS, rel=1e-15)


def test_comments_in_braces_are_left_out(tmp_path):
    equations = (
        'a = 1 + {the {} rest 2 + } 3 ~~|\n"b {not this}" = {first} a*2 ~~|\nR: A, {B,} C ~~|\nk[R] = 1, 2 ~~|\n'
    )
    equations = equations.replace("{the {} rest 2 + }", "{the rest 2 + }")
    model = load_model(write_model(tmp_path, equations, final=1))
    run = simulate(model)
    assert run["a"][0, 0, 0] == 4
    assert run['"b {not this}"'][0, 0, 0] == 8
    path = tmp_path / "tank.xmile"
    path.write_text(XMILE.replace("Tank * rate", "Tank {litres} * {a month} rate"), encoding="utf-8")
    assert simulate(load_model(path))["drain"][0, 0, 0] == 3


def test_xmile_names_the_controls_by_names_of_its_own(tmp_path):
    path = tmp_path / "tank.xmile"
    path.write_text(XMILE.replace("Tank * rate", "rate/DT + STOPTIME + STARTTIME"), encoding="utf-8")
    assert (simulate(load_model(path))["drain"] == 0.3 / 0.5 + 5).all()
