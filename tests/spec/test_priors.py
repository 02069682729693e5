"""Priors: their densities against scipy, their scales as inverses, their residuals as log densities."""

import numpy as np
import pytest
from hypothesis import example, given, strategies as st
from scipy import stats
from scipy.integrate import quad

from pysd_runner.core.errors import InvalidInput
from pysd_runner.spec import Beta, LogNormal, Normal, Prior, Uniform
from pysd_runner.spec.own import weak_parameter

PRIORS = [
    Normal(0.45, 0.05),
    Normal(0.05, 0.025, -0.02, 0.06),
    LogNormal(0.10, 0.7),
    LogNormal(1.4, 0.6, 0.5, 15.0),
    LogNormal(0.01, 0.8, 0.0, 0.15),
    Beta(4.0, 2.5),
    Beta(2.4, 2.0, 0.4, 0.95),
    Uniform(-1.0, 2.0),
]
every_prior = pytest.mark.parametrize("prior", PRIORS, ids=repr)


def support(prior: Prior) -> tuple[float, float]:
    return float(prior.from_unbounded(-1e3)), float(prior.from_unbounded(1e3))


@pytest.mark.parametrize(
    ("prior", "twin"),
    [
        (Normal(0.45, 0.05), stats.norm(0.45, 0.05)),
        (Normal(0.05, 0.025, -0.02, 0.06), stats.truncnorm(-2.8, 0.4, 0.05, 0.025)),
        (LogNormal(0.10, 0.7), stats.lognorm(0.7, scale=0.10)),
        (Beta(4.0, 2.5), stats.beta(4.0, 2.5)),
        (Beta(2.4, 2.0, 0.4, 0.95), stats.beta(2.4, 2.0, 0.4, 0.55)),
        (Uniform(-1.0, 2.0), stats.uniform(-1.0, 3.0)),
    ],
    ids=lambda item: item.dist.name if hasattr(item, "dist") else repr(item),
)
def test_log_density_agrees_with_scipy(prior: Prior, twin: stats.rv_continuous) -> None:
    x = np.linspace(-1.5, 2.5, 401)
    np.testing.assert_allclose(prior.log_density(x), twin.logpdf(x), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("prior", [*PRIORS, Beta(0.5, 1.0), Beta(1.0, 3.0, -1.0, 2.0)], ids=repr)
def test_the_support_is_where_the_density_is_above_zero(prior: Prior) -> None:
    ends = [end for end in (getattr(prior, "lower", 0.0), getattr(prior, "upper", 0.0)) if np.isfinite(end)]
    for x in [*np.linspace(-1.5, 2.5, 41), 0.0, *ends, *np.add(ends, 1e-9), *np.subtract(ends, 1e-9)]:
        assert prior.supports(float(x)) == (prior.log_density(x) > -np.inf)


@every_prior
def test_density_integrates_to_one(prior: Prior) -> None:
    lower, upper = support(prior)
    lower, upper = max(lower, -50.0), min(upper, 50.0)
    centre = float(prior.from_unbounded(prior.to_unbounded(np.median(prior.sample(np.random.default_rng(0), 999)))))
    total = quad(lambda x: float(np.exp(prior.log_density(x))), lower, upper, points=[centre], limit=200)[0]
    assert total == pytest.approx(1.0, abs=1e-6)


@every_prior
def test_draws_lie_inside_and_follow_the_density(prior: Prior) -> None:
    draws = prior.sample(np.random.default_rng(0), 4000)
    assert draws.shape == (4000,)
    assert np.isfinite(prior.log_density(draws)).all()
    ordered = np.sort(draws)
    grid = np.linspace(ordered[0], ordered[-1], 20001)
    density = np.exp(prior.log_density(grid))
    cumulative = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(grid))])
    expected = np.interp(ordered, grid, cumulative / cumulative[-1])
    assert np.abs(expected - np.arange(4000) / 4000).max() < 1.63 / np.sqrt(4000)


@every_prior
@given(share=st.floats(0.001, 0.999))
def test_unbounded_scale_is_inverted(prior: Prior, share: float) -> None:
    x = np.quantile(prior.sample(np.random.default_rng(1), 500), share)
    assert float(prior.from_unbounded(prior.to_unbounded(x))) == pytest.approx(x, rel=1e-12)


@every_prior
@given(z=st.floats(-1e6, 1e6))
@example(z=-25.0)
def test_no_value_leaves_the_bounds(prior: Prior, z: float) -> None:
    x = float(prior.from_unbounded(z))
    assert prior.lower <= x <= prior.upper  # type: ignore[attr-defined]


@every_prior
def test_both_scales_increase(prior: Prior) -> None:
    x = np.sort(prior.sample(np.random.default_rng(2), 200))
    assert (np.diff(prior.to_unbounded(x)) > 0).all()
    assert (np.diff(prior.residual(x)) > 0).all()


def test_half_squared_residual_is_minus_the_log_density() -> None:
    x = np.linspace(0.3, 0.6, 50)
    prior = Normal(0.45, 0.05)
    constant = prior.log_density(x) + 0.5 * prior.residual(x) ** 2
    np.testing.assert_allclose(constant, constant[0], atol=1e-12)
    on_log_scale = LogNormal(0.10, 0.7)
    x = np.geomspace(0.01, 2.0, 50)
    constant = on_log_scale.log_density(x) + np.log(x) + 0.5 * on_log_scale.residual(x) ** 2
    np.testing.assert_allclose(constant, constant[0], atol=1e-12)


@pytest.mark.parametrize("prior", [Beta(4.0, 2.5), Beta(2.4, 2.0, 0.4, 0.95), Uniform(-1.0, 2.0)], ids=repr)
def test_residual_on_an_interval_is_the_normal_score(prior: Beta | Uniform) -> None:
    shapes = (prior.a, prior.b) if isinstance(prior, Beta) else (1.0, 1.0)
    twin = stats.beta(*shapes, prior.lower, prior.upper - prior.lower)
    x = prior.sample(np.random.default_rng(3), 50)
    np.testing.assert_allclose(prior.residual(x), stats.norm.ppf(twin.cdf(x)), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    "prior", [Normal(0.45, 0.05), LogNormal(0.10, 0.7), Beta(2.4, 2.0, 0.4, 0.95), Uniform(-1.0, 2.0)], ids=repr
)
def test_residuals_of_draws_are_standard_normal_without_truncation(prior: Prior) -> None:
    residual = prior.residual(prior.sample(np.random.default_rng(4), 4000))
    assert stats.kstest(residual, "norm").pvalue > 0.001


def test_ends_of_an_interval_stay_finite() -> None:
    prior = Uniform(0.0, 0.5)
    for end in (0.0, 0.5):
        assert np.isfinite(prior.residual(end))
        assert np.isfinite(prior.to_unbounded(end))
        assert float(prior.from_unbounded(prior.to_unbounded(end))) == pytest.approx(end, abs=1e-9)


def test_a_lognormal_at_zero_has_no_density_and_no_warning() -> None:
    prior = LogNormal(0.01, 0.8, 0.0, 0.15)
    assert prior.log_density(0.0) == -np.inf
    assert prior.to_unbounded(0.0) == -np.inf
    assert prior.from_unbounded(-np.inf) == 0.0
    assert prior.unbounded_bounds == (-np.inf, np.log(0.15))


@pytest.mark.parametrize(
    ("prior", "expected"),
    [(Normal(0.45, 0.05), 0.05), (LogNormal(0.10, 0.7), 0.7), (Beta(4.0, 2.5), 1.0), (Uniform(0.0, 3.0), 1.0)],
    ids=repr,
)
def test_standard_deviation_on_the_unbounded_scale(prior: Prior, expected: float) -> None:
    sampled = prior.to_unbounded(prior.sample(np.random.default_rng(5), 200_000)).std()
    assert prior.unbounded_sd == pytest.approx(expected, rel=1e-12)
    assert sampled == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Normal(0.0, 0.0),
        lambda: Normal(0.0, np.nan),
        lambda: Normal(0.0, 1.0, 2.0, 1.0),
        lambda: LogNormal(0.0, 1.0),
        lambda: LogNormal(1.0, -1.0),
        lambda: LogNormal(1.0, 1.0, -1.0, 2.0),
        lambda: Beta(0.0, 1.0),
        lambda: Beta(1.0, np.inf),
        lambda: Beta(1.0, 1.0, 1.0, 1.0),
        lambda: Beta(1.0, 1.0, 0.0, np.inf),
        lambda: Uniform(1.0, 0.0),
        lambda: Uniform(0.0, np.inf),
    ],
)
def test_impossible_priors_are_refused(wrong: object) -> None:
    with pytest.raises(InvalidInput, match=r"found"):
        wrong()  # type: ignore[operator]


@every_prior
def test_density_on_the_unbounded_scale_is_that_of_the_value_times_the_slope(prior: Prior) -> None:
    x = np.sort(prior.sample(np.random.default_rng(6), 50))
    z = prior.to_unbounded(x)
    expected = prior.log_density(x) + np.log(prior.unbounded_slope(x))
    np.testing.assert_allclose(prior.unbounded_log_density(z), expected, rtol=1e-9, atol=1e-9)
    step = 1e-4 * prior.unbounded_sd
    inside = np.isfinite(prior.unbounded_log_density(z - step) + prior.unbounded_log_density(z + step))
    slope = (prior.unbounded_log_density(z + step) - prior.unbounded_log_density(z - step))[inside] / (2 * step)
    np.testing.assert_allclose(prior.unbounded_score(z)[inside], slope, rtol=1e-5, atol=1e-5 / prior.unbounded_sd)


def test_past_a_bound_the_unbounded_scale_has_no_density() -> None:
    prior = LogNormal(1.4, 0.6, 0.5, 15.0)
    assert prior.unbounded_log_density(np.log(15.1)) == -np.inf
    assert np.isfinite(prior.unbounded_log_density(np.log(14.9)))


@pytest.mark.parametrize(
    ("value", "limits", "prior"),
    [
        (0.5, (0, 1), Uniform(0.0, 1.0)),
        (4.0, (), LogNormal(4.0, 1.0, 0.004, 4000.0)),
        (4.0, (1, 10), LogNormal(4.0, 1.0, 1, 10)),
        (1.0, (-2, 6), Normal(1.0, 2.0, -2, 6)),
        (9.0, (-2, 6), Normal(2.0, 2.0, -2, 6)),
        (-3.0, (), Normal(-3.0, 3.0, -3003.0, 2997.0)),
    ],
)
def test_a_weak_prior_is_as_wide_as_it_is_documented(value: float, limits: tuple[float, ...], prior: Prior) -> None:
    assert weak_parameter("x", value=value, limits=limits).prior == prior


@every_prior
def test_normal_scores_of_draws_are_standard_normal(prior: Prior) -> None:
    scores = prior.normal_score(prior.sample(np.random.default_rng(7), 20_000))
    assert stats.kstest(scores, "norm").pvalue > 0.01
