"""Random functions whose quantiles are searched for, against scipy's distributions."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from pysd_runner.core.errors import InvalidModel, UnsupportedFeature
from pysd_runner.engine.numpy.array_functions import QUANTILES
from pysd_runner.model import load_model
from pysd_runner.simulation import jacobian, simulate
from tests.engine.small_models import write_model
from tests.engine.xmile_files import aux, load_xmile

SHARES = st.floats(0.01, 0.99)
LAWS = {
    "gamma_quantile": (stats.gamma, [st.floats(0.1, 50)]),
    "beta_quantile": (stats.beta, [st.floats(0.2, 20), st.floats(0.2, 20)]),
    "weibull_quantile": (stats.weibull_min, [st.floats(0.3, 9)]),
    "poisson_quantile": (stats.poisson, [st.floats(0, 3000)]),
    "binomial_quantile": (stats.binom, [st.integers(0, 3000).map(float), SHARES]),
    "failures_quantile": (stats.nbinom, [st.floats(0.3, 300), SHARES]),
}
CHANCES = np.linspace(0.001, 0.999, 41)


def quantile(name, chances, low, high, *parameters):
    """Numbers that are neither stretched nor shifted."""
    return QUANTILES[name](chances, *map(np.asarray, (low, high, 0.0, 1.0, *parameters)))


@pytest.mark.parametrize("name", LAWS)
@given(data=st.data())
def test_quantiles_are_those_of_scipy(name, data):
    law, ranges = LAWS[name]
    parameters = [data.draw(item) for item in ranges]
    found = quantile(name, CHANCES, -np.inf, np.inf, *parameters)
    expected = law(*parameters).ppf(CHANCES)
    if name in ("poisson_quantile", "binomial_quantile", "failures_quantile"):
        # Two ways to compute a probability may differ in its last digits, which decide where one falls on a step.
        assert (np.abs(found - np.maximum(expected, 0)) <= (law(*parameters).cdf(found) < 1)).all()
        assert (found == np.maximum(expected, 0)).mean() > 0.9
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize("name", LAWS)
def test_bounds_leave_the_middle_of_a_distribution(name):
    parameters = {"beta_quantile": (2.0, 3.0), "binomial_quantile": (9.0, 0.4), "failures_quantile": (3.0, 0.4)}
    own = parameters.get(name, (3.0,))
    law = LAWS[name][0](*own)
    low, high = (0.3, 0.6) if name == "beta_quantile" else (0.5, 1.2) if name == "weibull_quantile" else (1.5, 5)
    found = quantile(name, CHANCES, low, high, *own)
    below = law.cdf(np.ceil(low) - 1) if law.dist.name in ("poisson", "binom", "nbinom") else law.cdf(low)
    np.testing.assert_allclose(found, law.ppf(below + CHANCES * (law.cdf(high) - below)), rtol=1e-9)
    assert low <= found.min() <= found.max() <= high


def test_ends_of_the_unit_interval_and_parameters_that_are_none():
    chances = np.array([0.0, 1e-300, 1 - 2.0**-53])
    assert quantile("poisson_quantile", chances, -np.inf, np.inf, 5.0)[:2].tolist() == [0, 0]
    assert quantile("binomial_quantile", chances, -np.inf, np.inf, 7.0, 0.5).tolist() == [0, 0, 7]
    assert quantile("failures_quantile", chances, -np.inf, np.inf, 7.0, 1.0).tolist() == [0, 0, 0]
    for name, parameters in {
        "poisson_quantile": (-1.0,),
        "binomial_quantile": (4.0, 1.5),
        "failures_quantile": (0.0, 0.5),
        "gamma_quantile": (-1.0,),
    }.items():
        assert np.isnan(quantile(name, chances, -np.inf, np.inf, *parameters)).all()


def test_nothing_stretched_has_no_bounds():
    found = QUANTILES["gamma_quantile"](CHANCES, *map(np.asarray, (5.0, 9.0, 2.0, 0.0, 3.0)))
    np.testing.assert_allclose(found, stats.gamma(3).ppf(CHANCES))


def test_as_many_trials_as_there_are_people():
    law = stats.binom(10**9, 0.3)
    found = quantile("binomial_quantile", CHANCES, -np.inf, np.inf, 1e9, 0.3)
    np.testing.assert_allclose(found, law.ppf(CHANCES), atol=1)


# Page "RANDOM" of Vensim's reference: minimum, maximum, what the distribution takes, shift, stretch, stream.
VENSIM = {
    "RANDOM TRIANGULAR(-9, 9, 1, 2, 5, 0)": stats.triang(0.25, 1, 4),
    "RANDOM GAMMA(-9, 900, 2.5, 1, 3, 0)": stats.gamma(2.5, 1, 3),
    "RANDOM GAMMA(-9, 900, 0.5, 0, 1, 0)": stats.expon(),
    "RANDOM BETA(-9, 9, 2, 3, 1, -2, 0)": stats.beta(3, 2, -1, 2),
    "RANDOM WEIBULL(-9, 900, 1.5, 1, 2, 0)": stats.weibull_min(1.5, 1, 2 / math.gamma(1 + 1 / 1.5)),
}
XMILE = {
    "GAMMA(2.5, 3)": stats.gamma(2.5, 0, 3),
    "GAMMA(2.5)": stats.gamma(2.5),
    "BETA(2, 3, 7)": stats.beta(2, 3),
}
WHOLE_VENSIM = {
    "RANDOM POISSON(-9, 900, 4.5, 0, 1, 0)": stats.poisson(4.5),
    "RANDOM BINOMIAL(-9, 900, 0.3, 12, 2, 1, 0)": stats.binom(12, 0.3, 2),
    "RANDOM NEGATIVE BINOMIAL(-9, 900, 0.3, 4, 0, 1, 0)": stats.nbinom(4, 0.3, 4),
}
UP_TO_THREE = stats.poisson(4.5).pmf(range(4))
WHOLE_XMILE = {
    "POISSON(4.5)": stats.poisson(4.5),
    "POISSON(4.5, NAN, NAN, 3)": stats.rv_discrete(values=(range(4), UP_TO_THREE / UP_TO_THREE.sum())),
    "BINOMIAL(12, 0.3, 5)": stats.binom(12, 0.3),
    "NEGBINOMIAL(4, 0.3)": stats.nbinom(4, 0.3),
    "GEOMETRIC(0.3)": stats.geom(0.3),
}


def numbers(text, tmp_path, engine="numpy"):
    if text in VENSIM or text in WHOLE_VENSIM:
        model = load_model(write_model(tmp_path, f"x = {text} ~~|", final=4000, step=1, saveper=1))
    else:
        model = load_xmile(tmp_path, aux("x", text), stop=4000)
    return simulate(model, engine=engine, outcomes=["x"], seed=0)["x"][0, 0]


@pytest.mark.parametrize("text", [*VENSIM, *XMILE])
def test_continuous_random_functions(text, tmp_path):
    values, law = numbers(text, tmp_path), (VENSIM | XMILE)[text]
    assert stats.kstest(values, law.cdf).pvalue > 1e-3
    np.testing.assert_array_equal(numbers(text, tmp_path, "llvm"), values)


@pytest.mark.parametrize("text", [*WHOLE_VENSIM, *WHOLE_XMILE])
def test_whole_random_functions(text, tmp_path):
    values, law = numbers(text, tmp_path), (WHOLE_VENSIM | WHOLE_XMILE)[text]
    found, counts = np.unique(values, return_counts=True)
    expected = law.pmf(found) * values.size
    often = expected > 10
    assert stats.chisquare(counts[often], expected[often] * counts[often].sum() / expected[often].sum()).pvalue > 1e-3
    assert values.mean() == pytest.approx(law.mean(), abs=5 * law.std() / math.sqrt(values.size))
    np.testing.assert_array_equal(numbers(text, tmp_path, "llvm"), values)


def test_every_element_has_a_number_of_its_own(tmp_path):
    equations = "R: A, B ~~|\nm[R] = 3, 300 ~~|\nx[R] = RANDOM POISSON(0, 9999, m[R], 0, 1, 0) ~~|"
    run = simulate(load_model(write_model(tmp_path, equations)), outcomes=["x"])
    assert run["x"].shape[2] == 2
    assert run["x"][0, 0, 0].max() < 50
    assert run["x"][0, 0, 1].min() > 200


def test_faults_are_said(tmp_path):
    with pytest.raises(InvalidModel, match="RANDOM POISSON takes 6 arguments, 1 are given"):
        simulate(load_model(write_model(tmp_path, "x = RANDOM POISSON(3) ~~|")))
    with pytest.raises(InvalidModel, match="POISSON takes 1 or 2 or 3 or 4 or 5 arguments, 6 are given"):
        load_xmile(tmp_path, aux("x", "POISSON(3, 1, 0, 9, 1, 1)"))
    model = load_model(write_model(tmp_path, "m = 3 ~~|\nx = RANDOM POISSON(0, 99, m, 0, 1, 0) ~~|"))
    with pytest.raises(UnsupportedFeature, match="derivative of POISSON QUANTILE in 'x'"):
        jacobian(model, parameters=["m"], outcomes=["x"])
