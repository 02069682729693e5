"""Weighted draws of the posterior: against exact moments, a slow twin of the weights, and the sampler."""

from dataclasses import asdict, replace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import stats

from calibration import Fit, Problem
from calibration.fitting.space import ParameterSpace
from calibration.uncertainty import FittedPoint, WeightedDraws, fitted_point, sample_at, truncated, weighted_at
from calibration.uncertainty.importance import FREEDOM, STAGES, SplitDensity
from pysd_runner.core.errors import InvalidInput
from pysd_runner.reports.evidence import certainty_lines
from pysd_runner.spec.design import REGIONAL
from pysd_runner.study.projection import _untrusted_draws
from tests.calibration.uncertainty.test_profiles import Linear, linear_point

Array = NDArray[np.float64]
ENOUGH = 1e9


class Batched(Linear):
    """A linear problem that also takes many vectors at once."""

    def residual_batch(self, z: Array) -> Array:
        return np.stack([self.residuals(point) for point in z])

    def log_posterior_batch(self, z: Array) -> Array:
        return -0.5 * np.asarray((self.residual_batch(z) ** 2).sum(axis=1))


class Known:
    """A density of three independent coordinates that are skewed: a gamma's logarithm, a split normal, and a normal."""

    SHAPE, BELOW, ABOVE = 1.5, 0.5, 2.0

    def __init__(self, space: ParameterSpace) -> None:
        self.space = space

    def residual_batch(self, z: Array) -> Array:
        return np.array(z)

    def log_posterior_batch(self, z: Array) -> Array:
        split = stats.norm.logpdf(z[:, 1] / np.where(z[:, 1] < 0, self.BELOW, self.ABOVE))
        return np.asarray(stats.loggamma.logpdf(z[:, 0], self.SHAPE) + split + stats.norm.logpdf(z[:, 2]))

    @property
    def moments(self) -> tuple[Array, Array]:
        apart = self.ABOVE - self.BELOW
        sd = np.sqrt((1 - 2 / np.pi) * apart**2 + self.BELOW * self.ABOVE)
        known = stats.loggamma(self.SHAPE)
        mean, variance = known.mean(), known.var()
        return np.array([mean, np.sqrt(2 / np.pi) * apart, 0.0]), np.array([np.sqrt(variance), sd, 1.0])


class Bowed:
    """Residuals of which the first is that of a well-determined coordinate along a parabola of another."""

    def __init__(self, space: ParameterSpace, bow: float = 0.012, exact: float = 0.1) -> None:
        self.space, self.bow, self.exact = space, bow, exact

    def residual_batch(self, z: Array) -> Array:
        return np.stack([(z[:, 0] - self.bow * z[:, 1] ** 2) / self.exact, z[:, 1] / 2, z[:, 2] / 2], axis=1)

    def log_posterior_batch(self, z: Array) -> Array:
        return -0.5 * np.asarray((self.residual_batch(z) ** 2).sum(axis=1))


def point_of(problem: object, mode: Array, spread: Array) -> FittedPoint:
    at = linear_point()
    curvature = replace(at.curvature, covariance=np.diag(spread**2))
    slopes = np.diag(1 / spread)
    return replace(at, problem=problem, point=mode, curvature=curvature, data_jacobian=slopes)  # type: ignore[arg-type]


def moments_of(found: WeightedDraws) -> tuple[Array, Array]:
    mean = found.weights @ found.points
    return mean, np.sqrt(found.weights @ (found.points - mean) ** 2)


@pytest.fixture
def known() -> tuple[Known, FittedPoint]:
    problem = Known(linear_point().problem.space)
    # The mode, and curvatures there; of the split normal, that of its upper side.
    return problem, point_of(
        problem, np.array([np.log(problem.SHAPE), 0.0, 0.0]), np.array([problem.SHAPE**-0.5, problem.ABOVE, 1.0])
    )


def test_a_normal_posterior_has_equal_weights_where_proposals_are_normal_and_its_moments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = linear_point()
    known = cast("Linear", at.problem)
    problem = Batched(known.design, known.observed, known.space.parameters)
    at = replace(at, problem=problem)  # type: ignore[arg-type]
    monkeypatch.setattr("calibration.uncertainty.importance.INFORMED", 0.0)
    found = weighted_at(at)
    count = STAGES[0]
    assert len(found.points) == count
    np.testing.assert_allclose(found.weights, 1 / count, rtol=1e-7)
    assert found.effective == pytest.approx(count)
    monkeypatch.undo()
    found = weighted_at(at, least=ENOUGH)
    mean, sd = moments_of(found)
    error = at.spread / np.sqrt(found.effective)
    np.testing.assert_array_less(np.abs(mean - at.point), 4 * error)
    np.testing.assert_array_less(np.abs(sd - at.spread), 4 * error)
    assert found.effective > 0.8 * sum(STAGES)


def test_skewed_densities_have_their_moments_where_the_normal_approximation_has_not(
    known: tuple[Known, FittedPoint],
) -> None:
    problem, at = known
    found = weighted_at(at, least=ENOUGH)
    assert found.effective > 0.5 * sum(STAGES)
    (mean, sd), (exact_mean, exact_sd) = moments_of(found), problem.moments
    # Errors of a standard deviation by the kurtosis of the log gamma, the largest of the three.
    kurtosis = float(stats.loggamma(problem.SHAPE).stats(moments="k"))
    error = exact_sd / np.sqrt(found.effective)
    np.testing.assert_array_less(np.abs(mean - exact_mean), 4 * error)
    np.testing.assert_array_less(np.abs(sd - exact_sd), 4 * np.sqrt((kurtosis + 2) / 4) * error)
    away = np.abs(at.point - exact_mean)[:2]
    assert (away > 10 * error[:2]).all()


def test_a_bowed_posterior_is_drawn_along_its_bow(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Bowed(linear_point().problem.space)
    at = point_of(problem, np.zeros(3), np.array([problem.exact, 2.0, 2.0]))
    found = weighted_at(at, least=ENOUGH)
    mean, sd = moments_of(found)
    bow = 4 * problem.bow
    error = np.array([np.hypot(problem.exact, np.sqrt(2) * bow), 2.0, 2.0]) / np.sqrt(found.effective)
    np.testing.assert_array_less(np.abs(mean - [bow, 0.0, 0.0]), 4 * error)
    # At most the kurtosis of a chi-square of one degree, 15.
    np.testing.assert_array_less(np.abs(sd - error * np.sqrt(found.effective)), 4 * np.sqrt([3.5, 0.5, 0.5]) * error)
    assert found.effective > 0.9 * sum(STAGES)
    monkeypatch.setattr("calibration.uncertainty.importance.MOST_BENT", 0.0)
    assert weighted_at(at, least=ENOUGH).effective < 0.8 * found.effective


@given(
    arrays(np.float64, st.integers(1, 30), elements=st.floats(-700, 700) | st.just(-np.inf)),
)
def test_weights_are_bounded_and_their_effective_number_is_that_of_the_formula(logs: Array) -> None:
    weights, effective = truncated(logs)
    known = [value for value in logs.tolist() if np.isfinite(value)]
    if not known:
        assert effective == 0
        assert not weights.any()
        return
    top = max(known)
    whole = [float(np.exp(value - top)) if np.isfinite(value) else 0.0 for value in logs.tolist()]
    assert effective == pytest.approx(sum(whole) ** 2 / sum(value**2 for value in whole))
    most = len(whole) ** 0.5 * sum(whole) / len(whole)
    cut = [min(value, most) for value in whole]
    np.testing.assert_allclose(weights, [value / sum(cut) for value in cut])
    assert weights.sum() == pytest.approx(1)
    assert effective * (1 + 1e-12) >= 1
    assert effective <= len(known) * (1 + 1e-12)


@pytest.mark.parametrize("tailed", [0, 1])
def test_a_split_density_has_the_draws_of_its_formula(tailed: int) -> None:
    density = SplitDensity(mode=np.array([1.0]), below=np.array([0.5]), above=np.array([2.0]), tailed=tailed)
    drawn = density.drawn(20_000, np.random.default_rng(0))[:, 0]
    half = stats.t(FREEDOM) if tailed else stats.norm()

    def below(values: Any) -> Any:
        """Distribution function: a share of the mass on either side in proportion to its width."""
        left, right = half.cdf((values - 1.0) / 0.5), half.cdf((values - 1.0) / 2.0)
        return np.where(values < 1.0, 2 * 0.2 * left, 0.2 + 0.8 * (2 * right - 1))

    assert stats.kstest(drawn, below).pvalue > 0.001
    places = np.array([-0.3, 0.9, 1.1, 4.0])
    slopes = (below(places + 1e-6) - below(places - 1e-6)) / 2e-6
    logs = density.log_density(places[:, None])
    np.testing.assert_allclose(np.diff(logs), np.diff(np.log(slopes)), rtol=1e-5)


def test_weights_are_those_of_a_slow_twin(known: tuple[Known, FittedPoint], monkeypatch: pytest.MonkeyPatch) -> None:
    """Density over the mixture of the proposals, each by a loop over draws and coordinates."""
    problem, at = known
    used: list[SplitDensity] = []
    drawn = SplitDensity.drawn

    def noted(self: SplitDensity, count: int, rng: np.random.Generator) -> Array:
        used.append(self)
        return drawn(self, count, rng)

    monkeypatch.setattr(SplitDensity, "drawn", noted)
    found = weighted_at(at, least=ENOUGH, stages=(40, 60))
    assert len(used) == 2
    assert not np.array_equal(used[0].mode, used[1].mode)
    # Directions are coordinates in ascending order of variance, here in standard deviations of the prior.
    spread = np.array([problem.SHAPE**-0.5, problem.ABOVE, 1.0])
    order = np.argsort(spread)
    places = ((found.points - at.point) / spread)[:, order]
    places = places * np.sign(_signs(at))[None, :]
    logs = []
    for point, place in zip(found.points, places, strict=True):
        parts = []
        for item, count in zip(used, (40, 60), strict=True):
            value = count / 100
            for k, x in enumerate(place):
                width = item.above[k] if x > item.mode[k] else item.below[k]
                score = (x - item.mode[k]) / width
                half = stats.t.pdf(score, FREEDOM) if k < item.tailed else stats.norm.pdf(score)
                value *= 2 * half / (item.above[k] + item.below[k])
            parts.append(value)
        logs.append(float(problem.log_posterior_batch(point[None])[0]) - np.log(sum(parts)))
    weights, effective = truncated(np.array(logs))
    np.testing.assert_allclose(found.weights, weights, rtol=1e-6)
    assert found.effective == pytest.approx(effective, rel=1e-6)


def _signs(at: FittedPoint) -> Array:
    """Sign of each eigenvector, which the decomposition chooses."""
    slopes = at.problem.space.prior_slopes(at.point)
    vectors = np.linalg.eigh(at.curvature.covariance * np.outer(slopes, slopes))[1]
    return np.asarray(vectors.sum(axis=0))


def test_the_seed_decides_draws_and_zero_is_one(known: tuple[Known, FittedPoint]) -> None:
    _, at = known
    first, again, other = (weighted_at(at, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.points, again.points)
    np.testing.assert_array_equal(first.weights, again.weights)
    np.testing.assert_array_equal(first.taken(50), again.taken(50))
    assert not np.isin(first.points, other.points).any()


def test_draws_are_taken_in_proportion_to_their_weights(known: tuple[Known, FittedPoint]) -> None:
    _, at = known
    found = weighted_at(at)
    count = 4000
    keys = list(found.space.to_values(found.points).values())
    values = np.stack(keys, axis=1)
    taken = found.taken(count)
    for place in np.argsort(-found.weights)[:20]:
        times = int((taken == values[place]).all(axis=1).sum())
        assert abs(times - count * found.weights[place]) <= 1


def test_a_posterior_without_density_at_its_draws_is_worth_none(known: tuple[Known, FittedPoint]) -> None:
    problem, at = known
    empty = Known(problem.space)
    empty.log_posterior_batch = lambda z: np.full(len(z), -np.inf)  # type: ignore[method-assign]
    found = weighted_at(replace(at, problem=empty))  # type: ignore[arg-type]
    assert found.effective == 0
    assert not found.weights.any()


def test_nothing_is_drawn_where_nothing_was_estimated(known: tuple[Known, FittedPoint]) -> None:
    problem, at = known
    alone = Known(ParameterSpace(parameters=(), priors=()))
    with pytest.raises(InvalidInput, match="nothing to sample"):
        weighted_at(replace(at, problem=alone))  # type: ignore[arg-type]
    assert problem.space.keys


def test_draws_of_a_panel_agree_with_the_sampler(fitted_problem: Problem, result: Fit) -> None:
    at = fitted_point(fitted_problem, result)
    found = weighted_at(at, seed=1)
    assert found.effective > 100
    chains = sample_at(at, 1000, seed=1, steps=1200)
    pool = chains.chains.reshape(-1, len(found.space))
    mean, sd = moments_of(found)
    apart = np.abs(mean - pool.mean(axis=0)) / pool.std(axis=0)
    # Two errors of either are .2 at a hundred effective draws; the worst of sixty parameters and their mean.
    assert apart.max() < 4 / np.sqrt(100)
    assert np.sqrt((apart**2).mean()) < 1.5 / np.sqrt(100)
    assert abs(np.log(sd / pool.std(axis=0))).mean() < 0.1


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_fit_with_draws_says_how_many_they_are_worth(fitted_problem: Problem, result: Fit, lang: str) -> None:
    at = fitted_point(fitted_problem, result)
    points = at.point + 0.01 * at.spread * np.arange(3)[:, None]
    found = WeightedDraws(space=at.problem.space, points=points, weights=np.array([0.5, 0.5, 0.0]), effective=432.1)
    fit = found.attached(result, 4)
    assert fit.fitted.draws[0] == fit.fitted.draws[1] != fit.fitted.draws[2] == fit.fitted.draws[3]
    assert not _untrusted_draws(fit.fitted, REGIONAL)
    assert _untrusted_draws(result.fitted, REGIONAL)
    lines = " ".join(certainty_lines(asdict(fit.fitted), fitted_problem.spec, lang=lang))
    assert "432" in lines
    assert "432" not in " ".join(certainty_lines(asdict(result.fitted), fitted_problem.spec, lang=lang))
