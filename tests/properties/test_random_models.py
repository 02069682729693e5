"""Random small models give the same numbers on the project's engine and on PySD."""

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pysd_runner.engine.functions import FUNCTIONS, REDUCTIONS
from pysd_runner.model import load_model
from pysd_runner.simulate import simulate
from tests.engine.small_models import write_model

HEADER = (
    "R: A, B, C ~~|\nP: R ~~|\nk[R] = 1.5, 2.25, 0.75 ~~|\ns = INTEG(0.1*s - 0.3, 2) ~~|\n"
    "v[R] = INTEG(k[R] - 0.2*v[R], k[R]) ~~|\n"
)

# How each function is written over operands that keep it within its domain; {0}, {1}, {2} are operands.
WRITTEN = {
    "abs": "ABS({0})",
    "power": "POWER(ABS({0}) + 0.1, MIN(MAX({1}, -2), 2))",
    "min": "MIN({0}, {1})",
    "max": "MAX({0}, {1})",
    "exp": "EXP(MIN({0}, 3))",
    "sin": "SIN({0})",
    "cos": "COS({0})",
    "tan": "TAN(MIN(MAX({0}, -1), 1))",
    "arcsin": "ARCSIN(MIN(MAX({0}, -1), 1))",
    "arccos": "ARCCOS(MIN(MAX({0}, -1), 1))",
    "arctan": "ARCTAN({0})",
    "sinh": "SINH(MIN(MAX({0}, -2), 2))",
    "cosh": "COSH(MIN(MAX({0}, -2), 2))",
    "tanh": "TANH({0})",
    "sqrt": "SQRT(ABS({0}))",
    "ln": "LN(ABS({0}) + 0.1)",
    "log": "LOG(ABS({0}) + 0.1, 2 + ABS({1}))",
    "integer": "INTEGER({0})",
    "quantum": "QUANTUM({0}, 0.5 + ABS({1}))",
    "modulo": "MODULO({0}, 0.5 + ABS({1}))",
    "if_then_else": "IF THEN ELSE({0} > {1}, {1}, {2})",
    "xidz": "XIDZ({0}, {1}, {2})",
    "zidz": "ZIDZ({0}, {1})",
    "step": "STEP({0}, 1.1)",
    "ramp": "RAMP({0}, 0.6, 1.6)",
    "pulse": "PULSE(0.5, 1)*{0}",
    "pulse_train": "PULSE TRAIN(0.5, 0.25, 1, 3)*{0}",
}
OPERATORS = ["({0} + {1})", "({0} - {1})", "({0}*{1})", "({0}/(0.5 + ABS({1})))", "(-{0})", "((ABS({0}) + 0.1)^2)"]
LOGIC = [
    "IF THEN ELSE({0} < {1} :AND: {1} <= {2}, {0}, 1)",
    "IF THEN ELSE({0} >= {1} :OR: :NOT: {1} <> {2}, {2}, 0)",
    "IF THEN ELSE({0} = {1}, {0}, {2})",
]
SUMS = {
    "sum": "SUM({0}*v[P!])",
    "prod": "PROD(v[P!]*0.5 + 0.1)",
    "vmin": "VMIN(v[P!]*{0})",
    "vmax": "VMAX(v[P!] - {0})",
}

LEAVES = st.one_of(
    st.sampled_from(["Time", "s", "v[B]", "k[C]"]),
    st.floats(-3, 3).map(lambda value: f"({value:.3f})"),
)
REGIONAL = st.one_of(LEAVES, st.sampled_from(["v[R]", "k[R]"]))


def grow(leaves, sums):
    templates = [*WRITTEN.values(), *OPERATORS, *LOGIC]

    def extend(children):
        three = st.tuples(st.sampled_from(templates), children, children, children)
        built = three.map(lambda parts: parts[0].format(*parts[1:]))
        if not sums:
            return built
        reduced = st.tuples(st.sampled_from([*SUMS.values()]), LEAVES).map(lambda parts: parts[0].format(parts[1]))
        return st.one_of(built, reduced)

    return st.recursive(leaves, extend, max_leaves=6)


MODELS = st.tuples(
    st.lists(grow(LEAVES, sums=True), min_size=4, max_size=8),
    st.lists(grow(REGIONAL, sums=True), min_size=4, max_size=8),
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(MODELS)
def test_random_expressions_agree_with_pysd(tmp_path, equations):
    scalars, regional = equations
    lines = [f"x{place} = {text} + 0*Time ~~|" for place, text in enumerate(scalars)]
    lines += [f"y{place}[R] = {text} + 0*v[R] ~~|" for place, text in enumerate(regional)]
    model = load_model(write_model(tmp_path, HEADER + "\n".join(lines), final=2, step=0.5, saveper=0.5))
    ours, theirs = simulate(model, throw=False), simulate(model, throw=False, engine="pysd")
    for name, expected in theirs.data.items():
        equation = model.variables[name].equation
        np.testing.assert_allclose(ours.data[name], expected, rtol=1e-10, atol=1e-10, err_msg=equation)


def test_every_function_and_reduction_has_a_generator():
    by_another_path = {"Xramp"}  # XMILE's two-argument ramp
    assert set(FUNCTIONS) - by_another_path == set(WRITTEN)
    assert set(REDUCTIONS) == set(SUMS)


@pytest.mark.parametrize("name", sorted(set(WRITTEN) | set(SUMS)))
def test_generators_write_the_function_they_are_for(name):
    text = {**WRITTEN, **SUMS}[name].lower().replace(" ", "_")
    assert re.search(rf"\b{name}\(", text)
