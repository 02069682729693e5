"""Functions that PySD's translators do not know, against numbers from outside."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy import stats

from pysd_runner.core.errors import InvalidModel
from pysd_runner.engine.values import TimePath
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.small_models import write_model
from tests.engine.xmile_files import OVER_N, aux, flow, load_xmile, stock

ENGINES = ["numpy", "llvm"]
NORMAL = NormalDist(2, 3)

XMILE = {
    "INT(-2.5)": -3,
    "INT(2.5)": 2,
    "-7 MOD 3": 2,
    "7 MOD -3": -2,
    "7.5 mod 2": 1.5,
    # Stella's own output for its equation of this form: weaker than * and /, stronger than + and -.
    "1 + 7 MOD 2 * 2 - 7 * 2 MOD 4 MOD 3": 1 + 3 - 2,
    "7 // 2 + 5 // 0": 3.5,
    "ROUND(2.5) + 10*ROUND(-2.5) + 100*ROUND(1.4)": 3 - 30 + 100,
    "LOG10(1000)": 3,
    "ROOTN(27, 3)": 3,
    "PERCENT(0.25)": 25,
    "SINWAVE(2, 8)": 2 * math.sin(2 * math.pi * 3 / 8),
    "COSWAVE(2, 8)": 2 * math.cos(2 * math.pi * 3 / 8),
    "GAMMALN(4.5)": math.lgamma(4.5),
    "GAMMALN(0.2)": math.lgamma(0.2),
    "FACTORIAL(6)": 720,
    "PERMUTATIONS(7, 3)": math.perm(7, 3),
    "PERMUTATIONS(3, 7)": 0,
    "COMBINATIONS(7, 3)": math.comb(7, 3),
    "NORMALCDF(0, 4, 2, 3)": NORMAL.cdf(4) - NORMAL.cdf(0),
    "NORMALCDF(-1, 0.5)": NormalDist().cdf(0.5) - NormalDist().cdf(-1),
    "INVNORM(0.9)": NormalDist().inv_cdf(0.9),
    "INVNORM(0.01, 2, 3)": NORMAL.inv_cdf(0.01),
    "IF 1 = 1 AND NOT 2 != 2 THEN 4 ELSE 5": 4,
    "MIN(4, 2, 3) + MAX(1, 5, 2)": 7,
    "MEAN(1, 2, 6)": 3,
    "PI": math.pi,
    "IF INF > 1e300 THEN 1 ELSE 0": 1,
    "SAFEDIV(1, 0, 7)": 7,
    # A loan of 10,000 at 1 % a month over 36 months, as on the page of Stella's financial builtins, -332.14; and back.
    "PMT(0.01, 36, 10000, 0)": -10000 * 0.01 / (1 - 1.01**-36),
    "FV(0.01, 36, PMT(0.01, 36, 10000, 0), 0)": 10000 * 1.01**36,
    "PV(0.01, 36, PMT(0.01, 36, 10000, 0), 0)": 10000,
    "PMT(0, 4, 100, 20) + 10*FV(0, 4, 3, 5) + 100*PV(0, 4, 3, 5)": -30 - 170 - 1700,
    "CGROWTH(10)": 0.1,
    "COUNTER(1, 3)": 2,
    "SWITCH(3, 2) + 10*SWITCH(2, 2)": 1,
    "LOGN(7)": math.log(7),
    "-2^2 + 2^-1": -3.5,
    "3 - 2 - 1 + 8/4/2": 1,
}


@pytest.mark.parametrize("engine", ENGINES)
def test_functions_of_xmile(engine, tmp_path):
    variables = "".join(
        aux(f"x{place}", text.replace("<", "&lt;").replace(">", "&gt;")) for place, text in enumerate(XMILE)
    )
    run = simulate(load_xmile(tmp_path, variables, stop=4), engine=engine)
    found = {text: run[f"x{place}"][0, 0, 3] for place, text in enumerate(XMILE)}
    assert found == pytest.approx(XMILE, rel=1e-13)


VENSIM = {
    "GAMMA LN(4.5)": math.lgamma(4.5),
    "X IF MISSING(:NA:, 4)": 4,
    "X IF MISSING(3, 4)": 3,
    "TIME BASE(1970, 0.5)": 1970,
    "REINITIAL(4)": 4,
    "LOOKUP INVERT(f, 3)": 0.75,
    "LOOKUP INVERT(down, 3)": 1.5,
    "IF THEN ELSE(:NA: = :NA:, 1, 2)": 1,
    "IF THEN ELSE(Time = :NA:, 1, 2)": 2,
    "IF THEN ELSE(Time <> :NA:, 1, 2)": 1,
    "IF THEN ELSE(Time > :NA:, 1, 2)": 1,
    "IF THEN ELSE(:NA: < Time, 1, 2)": 1,
    "IF THEN ELSE(Time < :NA:, 1, 2)": 2,
}


@pytest.mark.parametrize("engine", ENGINES)
def test_functions_of_vensim(engine, tmp_path):
    tables = "f((0,0),(1,4),(2,5)) ~~|\ndown((0,6),(2,2)) ~~|\n"
    equations = tables + "".join(f"x{place} = {text} ~~|\n" for place, text in enumerate(VENSIM))
    run = simulate(load_model(write_model(tmp_path, equations)), engine=engine)
    found = {text: run[f"x{place}"][0, 0, 0] for place, text in enumerate(VENSIM)}
    assert found == pytest.approx(VENSIM, rel=1e-13)


def test_missing_values_of_data_are_known_as_missing(tmp_path):
    equations = "d ~~|\na = IF THEN ELSE(d = :NA:, -1, d) ~~|\nb = X IF MISSING(d, 9) ~~|"
    given = TimePath(times=[0.0, 1.0, 2.0], values=[5.0, np.nan, 7.0], interpolate="step")
    run = simulate(load_model(write_model(tmp_path, equations, final=2, step=1, saveper=1)), {"d": given}, throw=False)
    assert run["a"][0, 0].tolist() == [5, -1, 7]
    assert run["b"][0, 0].tolist() == [5, 9, 7]


def test_previous_values_and_self(tmp_path):
    variables = aux("x", "TIME^2") + aux("before", "PREVIOUS(x, 7)") + aux("sum", "PREVIOUS(SELF, 1) + TIME")
    run = simulate(load_xmile(tmp_path, variables))
    assert run["before"][0, 0].tolist() == [7, 0, 1, 4, 9]
    assert run["sum"][0, 0].tolist() == [1, 2, 4, 7, 11]


def test_net_present_value_compounds_the_rates(tmp_path):
    run = simulate(load_xmile(tmp_path, aux("v", "NPV(10, 0.1)") + aux("w", "NPV(10, 0.1, 5, 2)"), step=0.5, stop=2))
    factors = 0.5 * 10 / 1.05 ** np.arange(5)
    assert run["v"][0, 0] == pytest.approx(np.cumsum(factors), rel=1e-13)
    assert run["w"][0, 0] == pytest.approx(2 * (5 + np.cumsum(factors)), rel=1e-13)


def test_vensim_net_present_value(tmp_path):
    equations = "v = NPV(10, 0.1, 5, 2) ~~|"
    run = simulate(load_model(write_model(tmp_path, equations, final=2, step=0.5, saveper=0.5)))
    assert run["v"][0, 0] == pytest.approx(2 * (5 + np.cumsum(5 / 1.05 ** np.arange(5))), rel=1e-13)


def test_net_present_value_of_a_spreadsheet(tmp_path):
    run = simulate(load_model(write_model(tmp_path, "v = NPVE(Time + 1, 0.1, 0, 2) ~~|", final=3, step=1, saveper=1)))
    terms = [(year + 1) / 1.1 ** (year + 1) for year in range(4)]
    assert run["v"][0, 0] == pytest.approx(2 * np.cumsum(terms), rel=1e-13)


def test_a_counter_starts_again_and_growth_compounds(tmp_path):
    """Numbers of the tests of BPTK (transentis), but that its counter is zero for a step where it starts again."""
    variables = aux("c", "COUNTER(1, 8)") + aux("d", "COUNTER(0, 1)") + aux("g", "CGROWTH(10)")
    run = simulate(
        load_xmile(tmp_path, variables + stock("s", 100, inflows=["f"]) + flow("f", "s*g"), step=0.1, stop=8)
    )
    assert run["c"][0, 0] == pytest.approx([1 + number % 70 / 10 for number in range(81)], abs=1e-6)
    assert run["d"][0, 0] == pytest.approx([number % 10 / 10 for number in range(81)], abs=1e-6)
    assert run["s"][0, 0, ::10] == pytest.approx(100 * 1.1 ** np.arange(9), rel=1e-12)


def test_names_that_a_file_defines_go_before_numbers_and_functions(tmp_path):
    variables = aux("PI", 3) + aux("inf", 4) + aux("runcount", 5) + aux("x", "PI + inf + RUNCOUNT")
    assert simulate(load_xmile(tmp_path, variables))["x"][0, 0, 0] == 12


DISTRIBUTIONS = {
    "UNIFORM(2, 5)": stats.uniform(2, 3),
    "RANDOM(2, 5, 7)": stats.uniform(2, 3),
    "NORMAL(4, 2)": stats.norm(4, 2),
    "NORMAL(4, 2, 9)": stats.norm(4, 2),
    "NORMAL(4, 2, 9, 3, 7)": stats.truncnorm(-0.5, 1.5, 4, 2),
    "EXPRND(3)": stats.expon(0, 3),
    "TRIANGULAR(1, 2, 5)": stats.triang(0.25, 1, 4),
    "TRIANGULAR(1, 5, 5)": stats.triang(1, 1, 4),
    "WEIBULL(1.5, 2)": stats.weibull_min(1.5, 0, 2),
    "PARETO(3, 2)": stats.pareto(3, 0, 2),
    "PARETO(3, 2, 1, NAN, 4)": stats.truncpareto(3, 2, 0, 2),
    "WEIBULL(1.5, 2, NAN, 1, 3)": stats.truncweibull_min(1.5, 0.5, 1.5, 0, 2),
    "LOGISTIC(1, 2)": stats.logistic(1, 2),
    "LOGISTIC(1, 2, 7, 1)": stats.halflogistic(1, 2),
    "LOGNORMAL(10, 4)": stats.lognorm(math.sqrt(math.log(1.16)), 0, math.exp(math.log(10) - 0.5 * math.log(1.16))),
}


@pytest.mark.parametrize("text", DISTRIBUTIONS)
def test_random_functions_have_their_distributions(text, tmp_path):
    model = load_xmile(tmp_path, aux("x", text), stop=4000)
    values, law = simulate(model, engine="llvm", seed=0)["x"][0, 0], DISTRIBUTIONS[text]
    assert stats.kstest(values, law.cdf).pvalue > 1e-3
    assert values.mean() == pytest.approx(law.mean(), abs=5 * law.std() / math.sqrt(values.size))
    again = simulate(model, engine="numpy", seed=0, stop=400)["x"][0, 0]
    np.testing.assert_allclose(again, values[: again.size], rtol=1e-12)


def test_pink_noise_keeps_its_deviation_at_every_step(tmp_path):
    variables = aux("x", "NORMALPINK(3, 2, 4)") + aux("white", "NORMALPINK(3, 2, 0.1)")
    model = load_xmile(tmp_path, variables, step=0.5, stop=20000)
    run, again = (
        simulate(model, engine=engine, seed=0, stop=stop) for engine, stop in (("llvm", None), ("numpy", 500))
    )
    values = run["x"][0, 0]
    # 40,000 values with an autocorrelation of 7/8 count as 2,667 independent ones.
    assert values.mean() == pytest.approx(3, abs=0.15)
    assert values.std() == pytest.approx(2, abs=0.1)
    assert np.corrcoef(values[1:], values[:-1])[0, 1] == pytest.approx(7 / 8, abs=0.01)
    assert np.corrcoef(run["white"][0, 0, 1:], run["white"][0, 0, :-1])[0, 1] == pytest.approx(0, abs=0.02)
    for name in ("x", "white"):
        np.testing.assert_allclose(again[name][0, 0], run[name][0, 0, : again.years.size], rtol=1e-12)


def test_a_random_number_is_kept_for_a_time(tmp_path):
    drawn = aux("x", "UNIFORM(0, 1, NAN, NAN, NAN, 2)") + aux("each", "UNIFORM(0, 1, 5, 0, 1, 0)")
    run = simulate(load_xmile(tmp_path, drawn, step=0.5, stop=7))
    values = run["x"][0, 0]
    assert len(set(run["each"][0, 0])) == 15
    assert [len(set(values[start : start + 4])) for start in range(0, 15, 4)] == [1] * 4
    assert len(set(values)) == 4


def test_an_event_of_so_many_percent_in_a_unit_of_time(tmp_path):
    run = simulate(load_xmile(tmp_path, aux("x", "MONTECARLO(40)"), step=0.5, stop=4000), outcomes=["x"])
    assert set(run["x"].ravel()) == {0, 1}
    assert run["x"].mean() == pytest.approx(0.2, abs=0.02)


ARRAYS = {
    "VECTOR": (
        aux("v", "3, 1, 2", OVER_N)
        + aux("first", "RANK(v[*], 1)")
        + aux("last", "RANK(v, SIZE)")
        + aux("picked", "v[RANK(v[*], 2)]")
        + aux("flat", "v(2)")
        + aux("beyond", "v[TIME + 1]"),
        {"first": [2] * 4, "last": [1] * 4, "picked": [2] * 4, "flat": [1] * 4, "beyond": [3, 1, 2, 0]},
    ),
    "spans": (
        aux("v", "3, 1, 2", OVER_N)
        + aux("k", "2")
        + aux("two", "SUM(v[1:2])")
        + aux("rest", "SUM(v[2:])")
        + aux("until", "MEAN(v[:k])")
        + aux("from", "MAX(v[k:])")
        + aux("bare", "SUM(v) + SIZE(v) + SIZE(N) + STDDEV(v)")
        + aux("element", "v[N.3] + N.2")
        + aux("mixed", "MAX(v, 2.5) + MIN(v, 2, SUM(v[N.*]))")
        + aux("each", "MAX(v, 2.5)", OVER_N),
        {
            "two": [4] * 4,
            "rest": [3] * 4,
            "until": [2] * 4,
            "from": [2] * 4,
            "bare": [6 + 3 + 3 + math.sqrt(2 / 3)] * 4,
            "element": [4] * 4,
            "mixed": [4] * 4,
            "each": [[3] * 4, [2.5] * 4, [2.5] * 4],
        },
    ),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", ARRAYS)
def test_places_and_spans_in_arrays(case, engine, tmp_path):
    variables, expected = ARRAYS[case]
    run = simulate(load_xmile(tmp_path, variables, stop=3), engine=engine)
    assert {name: run[name][0, 0].tolist() for name in expected} == {
        name: values if name == "each" else pytest.approx(values, rel=1e-14) for name, values in expected.items()
    }


SQUARE = "".join(
    f'<element subscript="{row}, {column}"><eqn>{10 * row + column}</eqn></element>'
    for row in (1, 2, 3)
    for column in (1, 2, 3)
)
TWICE = '<dimensions><dim name="N"/><dim name="N"/></dimensions>'


def test_a_dimension_may_stand_twice(tmp_path):
    variables = f'<aux name="sq">{TWICE}{SQUARE}</aux>' + aux("copy", "sq[N, N]", TWICE) + aux("bare", "sq + 0", TWICE)
    variables += aux("turned", "sq'", TWICE) + aux("swapped", "copy[@2, @1]", TWICE)
    variables += aux("diagonal", "sq[N, N]", OVER_N) + aux("rows", "SUM(sq[N, *])", OVER_N)
    run = simulate(load_xmile(tmp_path, variables, stop=0))
    square = np.array([[11.0, 12, 13], [21, 22, 23], [31, 32, 33]])
    for name, expected in (
        *(("copy", square), ("bare", square), ("turned", square.T), ("swapped", square.T)),
        *(("diagonal", np.diag(square)), ("rows", square.sum(axis=1))),
    ):
        assert run[name][0, 0, ..., 0].tolist() == expected.tolist(), name


def test_transposition_reverses_the_dimensions(tmp_path):
    variables = aux("m", "N*10 + D", '<dimensions><dim name="N"/><dim name="D"/></dimensions>')
    variables += aux("t", "m'", '<dimensions><dim name="D"/><dim name="N"/></dimensions>')
    run = simulate(load_xmile(tmp_path, variables, stop=0))
    assert run["t"][0, 0, ..., 0].tolist() == run["m"][0, 0, ..., 0].T.tolist()
    with pytest.raises(InvalidModel, match="m' runs over 2 dimensions, and the left side over 1"):
        load_xmile(tmp_path, variables + aux("wrong", "m'", OVER_N))
    with pytest.raises(InvalidModel, match="@3 is no dimension of the left side, which has 1"):
        load_xmile(tmp_path, variables + aux("wrong", "SUM(m[@3, *])", OVER_N))


@pytest.mark.parametrize("engine", ENGINES)
def test_vector_elm_map_goes_on_from_an_element(engine, tmp_path):
    equations = (
        "R: A, B, C ~~|\nQ: x, y ~~|\nk[R] = 5, 6, 7 ~~|\noff[Q] = 0, 2 ~~|\n"
        "m[Q] = VECTOR ELM MAP(k[A], off[Q]) ~~|\nbeyond = VECTOR ELM MAP(k[B], 2) ~~|\n"
        "known = IF THEN ELSE(beyond = :NA:, 1, 0) ~~|"
    )
    run = simulate(load_model(write_model(tmp_path, equations)), engine=engine, throw=False)
    assert run["m"][0, 0, :, 0].tolist() == [5, 7]
    assert run["known"][0, 0, 0] == 1


def test_a_sample_may_depend_on_itself(tmp_path):
    equations = (
        "R: A, B ~~|\nk[R] = 1, -1 ~~|\nx[R] = k[R]*(Time - 2)^2 ~~|\n"
        "low[R] = SAMPLE IF TRUE(x[R] < low[R], x[R], x[R]) ~~|\n"
    )
    for engine in ENGINES:
        run = simulate(load_model(write_model(tmp_path, equations, final=4, step=1, saveper=1)), engine=engine)
        assert run["x"][0, 0].tolist() == [[4, 1, 0, 1, 4], [-4, -1, 0, -1, -4]]
        assert run["low"][0, 0].tolist() == [[4, 1, 0, 0, 0], [-4, -4, -4, -4, -4]]


def test_a_matrix_over_the_same_range_twice_is_inverted_as_a_whole(tmp_path):
    equations = (
        "R: A, B ~~|\nP: R ~~|\nm[A,A] = 2 ~~|\nm[A,B] = 1 ~~|\nm[B,A] = 1 ~~|\nm[B,B] = 3 ~~|\n"
        "i[R,P] = INVERT MATRIX(m[R,R], 2) ~~|"
    )
    run = simulate(load_model(write_model(tmp_path, equations)))
    np.testing.assert_allclose(run["i"][0, 0, ..., 0], np.linalg.inv([[2, 1], [1, 3]]), rtol=1e-14)
