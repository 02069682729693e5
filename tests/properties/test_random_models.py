"""Random small models give the same numbers on the project's engine and on PySD."""

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pysd_runner.engine.frontend.lowering.expressions import CALLS, FUNCTIONS, SPECIAL
from pysd_runner.engine.frontend.lowering.reductions import REDUCTIONS
from pysd_runner.engine.frontend.lowering.table_calls import DATA_CALLS
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.small_models import write_model

HEADER = (
    "R: A, B, C ~~|\nP: R ~~|\nk[R] = 1.5, 2.25, 0.75 ~~|\ns = INTEG(0.1*s - 0.3, 2) ~~|\n"
    "v[R] = INTEG(k[R] - 0.2*v[R], k[R]) ~~|\n"
    ":MACRO: TANK(inflow, wait, start)\nTANK = level/wait ~~|\nlevel = INTEG(inflow - TANK, start*wait) ~~|\n"
    ":END OF MACRO:\n"
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
    "if then else": "IF THEN ELSE({0} > {1}, {1}, {2})",
    "xidz": "XIDZ({0}, {1}, {2})",
    "zidz": "ZIDZ({0}, {1})",
    "step": "STEP({0}, 1.1)",
    "ramp": "RAMP({0}, 0.6, 1.6)",
    "pulse": "PULSE(0.5, 1)*{0}",
    "pulse train": "PULSE TRAIN(0.5, 0.25, 1, 3)*{0}",
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

# Equations for functions and nodes that stand alone; x0, x1, x2 are random scalars, y0 a random vector over R.
# Initial values end in a half, as PySD keeps integers where they are whole.
WHOLE = {
    "stock": "w{n} = INTEG(x0 - 0.5*x1, x2 + 0.5) ~~|",
    "macro": "w{n} = TANK(x0, 1.6 + ABS(x1), x2 + 0.5) ~~|",
    "initial": "w{n} = x0 + INITIAL(x1) ~~|",
    "game": "w{n} = GAME(x0) ~~|",
    "with lookup": "w{n} = WITH LOOKUP(x0, ([(0,0)-(1,1)],(-2,1),(0,0.5),(1,-1),(3,4))) ~~|",
    "smooth": "w{n} = SMOOTH3I(x0, 1.6 + ABS(x1), x2 + 0.5) + x0 ~~|",
    "smooth n": "w{n} = SMOOTH N(x0, 1.6 + ABS(x1), x2 + 0.5, 2) ~~|",
    "delay": "w{n} = DELAY3I(x0, 1.6 + ABS(x1), x2 + 0.5) + x0 ~~|",
    "delay n": "w{n} = DELAY N(x0, 1.6 + ABS(x1), x2 + 0.5, 3) ~~|",
    "delay fixed": "w{n} = DELAY FIXED(x0, 0.3 + MIN(ABS(x1), 3), x2 + 0.5) ~~|",
    "trend": "w{n} = TREND(x0, 1 + ABS(x1), 0.25) + x0 ~~|",
    "forecast": "w{n} = FORECAST(x0, 1 + ABS(x1), 2) ~~|",
    "sample if true": "w{n} = SAMPLE IF TRUE(x1 > x2, x0, x2 + 0.5) ~~|",
    "allocate by priority": (
        "b{n}[R] = MIN(ABS(y0[R]), 9) + 0.5 ~~|\n"
        "w{n}[R] = ALLOCATE BY PRIORITY(b{n}[R], k[R], 3, 1, MIN(ABS(x0), 9)) ~~|"
    ),
    "active initial": "w{n} = ACTIVE INITIAL(x0, x1) ~~|\nb{n} = INTEG(1, w{n} + 0.5) ~~|",
    "get time value": "w{n} = GET TIME VALUE(0, x0, 0) ~~|",
    "vector sort order": "w{n}[R] = VECTOR SORT ORDER(y0[R], x0) ~~|",
    "vector rank": "w{n}[R] = VECTOR RANK(y0[R], -1) ~~|",
    "vector reorder": "b{n}[R] = VECTOR SORT ORDER(k[R], 1) ~~|\nw{n}[R] = VECTOR REORDER(y0[R], b{n}[R]) ~~|",
    "vector select": "w{n} = VECTOR SELECT(k[R!], y0[R!], 0, 4, 0) ~~|",
    "invert matrix": (
        "b{n}[R,P] = IF THEN ELSE(R = P, 9 + MIN(ABS(y0[R]), 9), k[P]) ~~|\nw{n}[R,P] = INVERT MATRIX(b{n}[R,P], 3) ~~|"
    ),
    "get constants": ("b{n}[R] = GET DIRECT CONSTANTS('numbers.csv', ',', 'B2*') ~~|\nw{n}[R] = b{n}[R]*y0[R] ~~|"),
    "get data": (
        "b{n}[R] :LOOK FORWARD: := GET DIRECT DATA('numbers.csv', ',', 'A', 'B2') ~~|\n"
        "d{n} := GET DIRECT DATA('numbers.csv', ',', 'A', 'C2') ~~|\nw{n} = SUM(b{n}[R!]*y0[R!]) + d{n} ~~|"
    ),
    "get lookups": ("b{n}[R](GET DIRECT LOOKUPS('numbers.csv', ',', 'A', 'B2')) ~~|\nw{n}[R] = b{n}[R](y0[R]) ~~|"),
    "table": "w{n}[R] = f[R](y0[R]) ~~|\nb{n}[R] = f[R](x0) ~~|\nd{n} = f[B](x1) ~~|",
}
# What the equations above read.
NUMBERS = "time,a,b,c\n-0.5,2.5,-1,0.25\n0.75,1,,3\n1.25,-2,4.5,3\n2.5,0.5,1,-1\n"
# PySD draws other numbers; test_random_numbers knows their distributions.
RANDOM = {name for name in CALLS if name.startswith("random")}
# PySD solves these to eight digits only; test_features and test_array_functions compare them.
SEARCHED = {"allocate available"}
# PySD's translators do not know these, or only those of XMILE; test_xmile_functions and test_library do.
XMILE = {
    *("pi", "ramp on", "impulse", "impulses", "floor", "remainder", "round", "rootn", "log10", "percent", "sinwave"),
    *("coswave", "factorial", "permutations", "combinations", "gamma ln", "npv", "previous", "if missing"),
    *("normal probability", "normal quantile", "uniform", "log normal"),
    *("weibull", "pareto", "logistic", "chance", "lookup invert", "vector elm map", "rank", "transposed"),
    *(
        "max of several",
        "min of several",
        "lookupinv",
        "lookup area",
        "lookuparea",
        "lookup slope",
        "poisson",
        "binomial",
    ),
    *("failures", "gamma", "beta"),
    *("poisson", "binomial", "failures", "gamma", "beta", "derivn", "sinteg", "history", "delay material"),
    *("cgrowth", "pmt", "fv", "pv", "counter", "time base", "npve", "delay information", "interpolate", "allocate"),
    *("find market price", "demand at price", "supply at price", "vector lookup"),
    *(f"{name} of array" for name in ("sum", "prod", "min", "max", "mean", "stddev", "size")),
}
# Conveyors make these, or read data; test_conveyors and test_data_calls do.
MADE = {"conveyor part", *DATA_CALLS}
# These say what they cannot do, or count; test_features and test_bad_models ask them.
OTHERWISE = {"elmcount", "a function of", "clocktime", "lookup forward", "lookup backward", "lookup extrapolate"}

LEAVES = st.one_of(st.sampled_from(["Time", "s", "v[B]", "k[C]"]), st.floats(-3, 3).map(lambda value: f"({value:.3f})"))
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


VALUES = st.integers(-300, 300).map(lambda value: value / 100)
TABLES = st.lists(st.dictionaries(VALUES, VALUES, min_size=2, max_size=6), min_size=3, max_size=3)

MODELS = st.tuples(
    st.lists(grow(LEAVES, sums=True), min_size=4, max_size=8),
    st.lists(grow(REGIONAL, sums=True), min_size=4, max_size=8),
    st.lists(st.sampled_from(sorted(WHOLE.values())), min_size=3, max_size=6),
    TABLES,
)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(MODELS)
def test_random_expressions_agree_with_pysd(tmp_path, equations):
    scalars, regional, whole, tables = equations
    (tmp_path / "numbers.csv").write_text(NUMBERS, encoding="utf-8")
    lines = [f"x{place} = {text} + 0*Time ~~|" for place, text in enumerate(scalars)]
    lines += [f"y{place}[R] = {text} + 0*v[R] ~~|" for place, text in enumerate(regional)]
    for element, points in zip("ABC", tables, strict=True):
        lines.append(f"f[{element}]({','.join(f'({x},{y})' for x, y in points.items())}) ~~|")
    lines += [text.replace("{n}", str(place)) for place, text in enumerate(whole)]
    # PySD reads what is used once after stocks have moved; used twice, it is read before.
    lines += [f"again{place} = x0 + x1 + x2 + SUM(y0[R!]) ~~|" for place in range(2)]
    model = load_model(write_model(tmp_path, HEADER + "\n".join(lines), final=2, step=0.5, saveper=0.5))
    theirs = simulate(model, throw=False, engine="pysd")
    for engine in ("numpy", "llvm"):
        ours = simulate(model, throw=False, engine=engine)
        for name, expected in theirs.data.items():
            equation = f"{engine}: {model.variables[name].equation}"
            np.testing.assert_allclose(ours.data[name], expected, rtol=1e-10, atol=1e-10, err_msg=equation)


def test_every_node_function_and_reduction_has_a_generator():
    assert set(FUNCTIONS) <= {*WRITTEN, *XMILE}
    assert set(CALLS) <= {*WHOLE, *WRITTEN, *RANDOM, *XMILE}
    assert set(SPECIAL) <= {*WHOLE, *SUMS, *SEARCHED, *OTHERWISE, *XMILE, *MADE}
    assert set(REDUCTIONS) == set(SUMS)
    nodes = {"stock", "macro", "game", "table", "get lookups"}
    assert {*WHOLE, *WRITTEN} <= {*FUNCTIONS, *CALLS, *SPECIAL, *nodes}


@pytest.mark.parametrize("name", sorted(set(WRITTEN) | set(SUMS)))
def test_generators_write_the_function_they_are_for(name):
    text = {**WRITTEN, **SUMS}[name].lower()
    assert re.search(rf"\b{name}\(", text)
