"""Samples of the posterior: against exact answers, diagnostics against published ones, and warnings that are seen."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq

from calibration import Fit, Problem
from calibration.fitting.space import ParameterSpace
from calibration.uncertainty import (
    Convergence,
    FittedPoint,
    PosteriorSample,
    convergence,
    fitted_point,
    sample,
    sample_at,
)
from calibration.uncertainty.sampling import ReferenceNormal
from pysd_runner.core.errors import InvalidInput
from pysd_runner.reports.evidence import certainty_lines
from pysd_runner.spec import load_fitted
from pysd_runner.spec.design import REGIONAL
from pysd_runner.spec.fitted import MOVED_BY, has_moved, moved_words
from pysd_runner.study.draws import parameter_draws
from pysd_runner.study.projection import _untrusted_draws
from tests.calibration.uncertainty.test_profiles import Linear, linear_point

Array = NDArray[np.float64]


class Batched:
    """A linear problem that also takes many vectors at once."""

    def __init__(self, at: FittedPoint) -> None:
        self.space, self._known = at.problem.space, cast("Linear", at.problem)

    def log_posterior_batch(self, z: Array) -> Array:
        data = z @ self._known.design.T - self._known.observed
        return -0.5 * np.asarray((data**2).sum(axis=1) + (self.space.prior_residuals(z) ** 2).sum(axis=1))


@pytest.fixture(scope="module")
def linear() -> tuple[FittedPoint, PosteriorSample]:
    at = linear_point()
    at = replace(at, problem=Batched(at))  # type: ignore[arg-type]
    return at, sample_at(at, 3840, seed=1)


@pytest.fixture(scope="module")
def sampled(fitted_problem: Problem, result: Fit) -> PosteriorSample:
    return sample(fitted_problem, result, 300, steps=400, seed=2)


def test_the_tree_of_a_panel_has_what_was_observed(fitted_problem: Problem, sampled: PosteriorSample) -> None:
    tree = sampled.to_datatree(fitted_problem)
    assert dict(tree["observed_data"].sizes) == dict(fitted_problem.data.to_xarray().sizes)
    assert "output_per_head" in tree["observed_data"]


def test_a_linear_problem_gives_the_normal_posterior_it_has(linear: tuple[FittedPoint, PosteriorSample]) -> None:
    at, found = linear
    assert found.is_trusted
    error = at.spread / np.sqrt(np.array(found.convergence.ess_bulk))
    np.testing.assert_array_less(np.abs(found.draws.mean(axis=0) - at.point), 4 * error)
    np.testing.assert_allclose(np.cov(found.draws.T), at.curvature.covariance, rtol=0.2, atol=0.1)


def test_a_wrong_approximation_does_not_spoil_the_sample() -> None:
    """Proposals made for a posterior half as wide and elsewhere still end at the right one."""
    at = linear_point()
    wrong = replace(
        at,
        problem=Batched(at),  # type: ignore[arg-type]
        point=at.point + 0.8 * at.spread,
        curvature=replace(at.curvature, covariance=0.25 * at.curvature.covariance),
    )
    found = sample_at(wrong, 4000, seed=3)
    assert found.is_trusted
    error = at.spread / np.sqrt(np.array(found.convergence.ess_bulk))
    np.testing.assert_array_less(np.abs(found.draws.mean(axis=0) - at.point), 4 * error)
    np.testing.assert_allclose(found.draws.std(axis=0), at.spread, rtol=0.12)


class Bent:
    """A density that no normal distribution describes: a bent ridge in the first two coordinates, a bound in the third.

    The first is normal with standard deviation `WIDE`, the second normal about the square of the first, the third
    standard normal above `BOUND`.
    """

    WIDE, HUBER_K, BOUND = 1.5, 0.5, -0.4

    def __init__(self, space: ParameterSpace) -> None:
        self.space = space

    def log_posterior_batch(self, z: Array) -> Array:
        along, beside, bounded = z.T
        middle = self.HUBER_K * (along**2 - self.WIDE**2)
        density = -0.5 * ((along / self.WIDE) ** 2 + (beside - middle) ** 2 + bounded**2)
        return np.where(bounded < self.BOUND, -np.inf, density)

    def quantiles(self, levels: Array) -> Array:
        """Exact ones of every coordinate, shape (coordinate, level); the second by integration over the first."""
        along = np.linspace(-8 * self.WIDE, 8 * self.WIDE, 4001)
        weights = stats.norm.pdf(along, scale=self.WIDE)
        middle = self.HUBER_K * (along**2 - self.WIDE**2)

        def below(value: float) -> float:
            return float((weights * stats.norm.cdf(value - middle)).sum() / weights.sum())

        beside = [brentq(lambda value, level=level: below(value) - level, -20, 60) for level in levels]
        third = stats.truncnorm(self.BOUND, np.inf).ppf(levels)
        return np.stack([stats.norm.ppf(levels, scale=self.WIDE), beside, third])


def test_a_density_that_is_not_normal_is_sampled_as_it_is() -> None:
    """Shares of draws below exact quantiles are the levels, within Monte Carlo error; the approximation is far off."""
    at = linear_point()
    bent = Bent(at.problem.space)
    mode = np.array([0.0, -bent.HUBER_K * bent.WIDE**2, 0.0])
    covariance = np.diag([bent.WIDE**2, 1.0, 1.0])
    point = replace(
        at,
        problem=bent,  # type: ignore[arg-type]
        point=mode,
        curvature=replace(at.curvature, covariance=covariance),
    )
    found = sample_at(point, 4000, seed=4)
    assert found.is_trusted
    levels = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    exact = bent.quantiles(levels)
    draws = found.chains.reshape(-1, 3)
    for place in range(3):
        below = (draws[:, place, None] < exact[place]).mean(axis=0)
        error = np.sqrt(
            levels * (1 - levels) / min(found.convergence.ess_bulk[place], found.convergence.ess_tail[place])
        )
        np.testing.assert_array_less(np.abs(below - levels), 4 * error)
    assert np.abs(stats.norm.cdf(exact[1] - mode[1]) - levels).max() > 0.2


def test_the_posterior_of_a_fit_agrees_with_its_profiles(sampled: PosteriorSample, result: Fit) -> None:
    table = sampled.table().set_index("key")
    for key in ("q_a", "g_D", "tau_m", "lambda_s"):
        item = result.parameter(key)
        width = item.high - item.low
        assert abs(table.loc[key, "q05"] - item.low) < 0.25 * width
        assert abs(table.loc[key, "q95"] - item.high) < 0.25 * width


def test_projections_draw_from_the_sample(
    sampled: PosteriorSample, fitted_problem: Problem, result: Fit, tmp_path: Path
) -> None:
    attached = sampled.attached(result)
    loaded = load_fitted(attached.fitted.save(tmp_path / "fitted.json"))
    assert loaded == attached.fitted
    drawn = parameter_draws(fitted_problem.spec, loaded, 50, np.random.default_rng(0))
    column = sampled.keys.index("tau_m")
    assert set(drawn["tau_m"]) <= set(sampled.draws[:, column])
    assert drawn["dep_u"].tolist() == [0.02] * 50
    assert set(drawn["g0"]) <= set(sampled.draws[:, sampled.keys.index("g0")])
    more = parameter_draws(fitted_problem.spec, loaded, 70, np.random.default_rng(0))
    np.testing.assert_array_equal(more["q_a"][:50], drawn["q_a"])
    # Draws of one vector stay together.
    rows = {tuple(row) for row in sampled.draws}
    assert {tuple(row) for row in np.stack([drawn[key] for key in sampled.keys], axis=1)} <= rows


def test_every_row_of_a_sample_is_drawn_once_before_any_comes_again(
    sampled: PosteriorSample, fitted_problem: Problem, result: Fit
) -> None:
    """Drawing with replacement would leave a third of the rows out, and their information with them."""
    fitted = sampled.attached(result).fitted
    drawn = fitted.sample(np.random.default_rng(5), 700, spec=fitted_problem.spec)
    rows = np.stack([drawn[key] for key in sampled.keys], axis=1)
    kept = np.unique(sampled.draws, axis=0)
    np.testing.assert_array_equal(np.unique(rows[:300], axis=0), kept)
    np.testing.assert_array_equal(np.unique(rows[300:600], axis=0), kept)
    assert not np.array_equal(rows[:300], rows[300:600])


def test_draws_of_a_sample_know_their_walkers(sampled: PosteriorSample, fitted_problem: Problem, result: Fit) -> None:
    fitted = sampled.attached(result).fitted
    drawn = fitted.sample(np.random.default_rng(6), 400, spec=fitted_problem.spec)
    chains = sampled.chains.reshape(-1, *sampled.chains.shape[2:])
    values = fitted_problem.space.to_values(chains.reshape(-1, chains.shape[-1]))
    made = np.stack([values[key] for key in sampled.keys], axis=1).reshape(chains.shape)
    for place, walker in enumerate(fitted.walkers(drawn)):
        row = np.array([drawn[key][place] for key in sampled.keys])
        assert (made[walker] == row).all(axis=1).any()
    assert len(set(fitted.walkers(drawn))) == len(chains)
    # Without a sample every draw is made alone.
    bare = replace(fitted, draws=())
    assert bare.walkers({key: values[:9] for key, values in drawn.items()}).tolist() == list(range(9))


def test_draws_of_a_sample_know_their_log_likelihood(
    sampled: PosteriorSample, fitted_problem: Problem, result: Fit
) -> None:
    fitted = sampled.attached(result).fitted
    drawn = fitted.sample(np.random.default_rng(6), 40, spec=fitted_problem.spec)
    settled = fitted_problem.with_noise_of(fitted)
    points = np.array(
        [settled.space.to_vector({key: values[place] for key, values in drawn.items()}) for place in range(40)]
    )
    np.testing.assert_allclose(
        fitted.densities(drawn)["likelihood"], settled.log_likelihood_batch(points), rtol=1e-9, atol=1e-6
    )
    assert replace(fitted, draws=()).densities(drawn) == {}


def test_draws_that_are_kept_are_nearly_independent(linear: tuple[FittedPoint, PosteriorSample]) -> None:
    """Neighbouring rows of a walker have forgotten each other, and no more than that was asked of the walkers."""
    _, found = linear
    rows = found.draws.reshape(128, -1, found.draws.shape[-1])[:, :30]
    for place in range(rows.shape[-1]):
        pairs = rows[..., place]
        assert abs(np.corrcoef(pairs[:, :-1].ravel(), pairs[:, 1:].ravel())[0, 1]) < 0.1


def test_a_bad_sample_cannot_be_missed(fitted_problem: Problem, result: Fit, sampled: PosteriorSample) -> None:
    bad = sample(fitted_problem, result, 10, steps=16)
    assert not bad.is_trusted
    assert repr(bad).startswith("!!! THE POSTERIOR SAMPLE HAS NOT CONVERGED")
    attached = bad.attached(result)
    assert [item.rule for item in attached.check()] == ["not-mixed"]
    assert _untrusted_draws(attached.fitted, REGIONAL)[0].startswith(
        "THE PARAMETERS ARE DRAWN FROM A POSTERIOR SAMPLE THAT HAS"
    )
    assert "WARNING: THE POSTERIOR SAMPLE" in " ".join(certainty_lines(asdict(attached.fitted), fitted_problem.spec))
    good = replace(sampled, convergence=replace(sampled.convergence, rhat=(1.0,), ess_bulk=(500.0,), ess_tail=(500.0,)))
    assert not good.attached(result).check()
    assert not _untrusted_draws(good.attached(result).fitted, REGIONAL)
    assert "normal approximation" in _untrusted_draws(result.fitted, REGIONAL)[0]
    assert repr(good).startswith("PosteriorSample(300 draws")


def test_a_shift_stands_beside_its_contraction(fitted_problem: Problem, result: Fit, sampled: PosteriorSample) -> None:
    """It is that of the sample, and of the mode before; what moved without data is named in a sentence."""
    prior = fitted_problem.spec.parameters["q_a"].prior
    attached = sampled.attached(result)
    medians = dict(zip(sampled.keys, np.median(sampled.draws, axis=0), strict=True))
    assert prior is not None
    assert attached.shifts["q_a"] == pytest.approx(float(prior.residual(medians["q_a"])), abs=0.1)
    assert result.table().set_index("key")["shift"]["q_a"] == result.parameter("q_a").score
    told = moved_words({"eta_S": 0.25, "th_U": -0.1, "tau_m": -0.54}, (0.02, 0.05, 0.96))
    assert told == f"eta_S +0.25: {MOVED_BY}"
    assert not moved_words({"eta_S": 0.2}, (0.02,))
    moved = [key for key, shift in attached.shifts.items() if has_moved(shift, result.parameter(key).contraction)]
    lines = " ".join(certainty_lines(asdict(attached.fitted), fitted_problem.spec))
    assert all(f"{key} {attached.shifts[key]:+.2f}" in lines for key in moved)
    assert (str(MOVED_BY)[:20] in lines) == (str(MOVED_BY)[:20] in attached.summary()) == bool(moved)


def test_ensembles_that_disagree_or_drift_raise_r_hat() -> None:
    rng = np.random.default_rng(0)
    chains = rng.normal(size=(4, 32, 50, 1))
    assert convergence(("a",), chains).is_trusted
    apart = chains.copy()
    apart[0] += 0.5
    assert convergence(("a",), apart).worst_rhat > 1.02
    drifting = chains + np.linspace(0, 1, 50)[:, None]
    assert convergence(("a",), drifting).worst_rhat > 1.02
    wider = chains.copy()
    wider[0] *= 2.5
    assert convergence(("a",), wider).worst_rhat > 1.02
    frozen = np.repeat(chains[:, :, :1], 50, axis=2)
    assert convergence(("a",), frozen).least_ess < 400


def test_effective_sizes_of_an_autoregression_are_those_of_theory() -> None:
    """For AR(1) chains with memory r the mean of n draws is worth n (1 - r) / (1 + r) independent ones."""
    rng = np.random.default_rng(1)
    memory, steps = 0.6, 2000
    chains = np.zeros((2, 4, steps, 1))
    chains[:, :, 0] = rng.normal(size=(2, 4, 1))
    for step in range(1, steps):
        noise = rng.normal(size=(2, 4, 1)) * np.sqrt(1 - memory**2)
        chains[:, :, step] = memory * chains[:, :, step - 1] + noise
    found = convergence(("a",), chains)
    assert found.ess_bulk[0] == pytest.approx(8 * steps * (1 - memory) / (1 + memory), rel=0.1)


def test_proposals_leave_their_reference_as_it_is() -> None:
    """The density of coming back over that of going is the reference's at the start over that at the end."""
    random = np.random.RandomState(4)
    walked = random.standard_normal((400, 3)) * [0.5, 1.0, 3.0] + [0.2, 0.0, -1.0]
    reference = ReferenceNormal(3)
    reference.learn(walked)
    centre, width = walked.mean(axis=0), np.sqrt(0.7 * walked.var(axis=0) + 0.3)
    law = stats.multivariate_normal(centre, np.diag(width**2))
    points = centre + width * random.standard_normal((20_000, 3))
    proposals, factors = reference.propose(points, random)
    np.testing.assert_allclose(factors, law.logpdf(points) - law.logpdf(proposals), rtol=1e-7, atol=1e-9)
    for place in range(3):
        assert stats.kstest(proposals[:, place], stats.norm(centre[place], width[place]).cdf).pvalue > 0.001
    moved = np.std(proposals - points, axis=0) / width
    assert (moved > 0.2).all()
    assert (moved < 1.0).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"draws": 0}, "must be a whole number from 1"),
        ({"ensembles": 1}, "ensembles must be at least 2; found 1"),
    ],
)
def test_bad_numbers_are_told(settings: dict[str, int], message: str, fitted_problem: Problem, result: Fit) -> None:
    with pytest.raises(InvalidInput, match=message):
        sample(fitted_problem, result, **settings)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="at least two ensembles"):
        convergence(("a",), np.zeros((1, 4, 20, 1)))


def test_nothing_to_sample_is_told(fitted_problem: Problem, result: Fit) -> None:
    at = fitted_point(fitted_problem, result)

    class Empty:
        space = ParameterSpace.of(())

    with pytest.raises(InvalidInput, match="nothing to sample"):
        sample_at(replace(at, problem=Empty()))  # type: ignore[arg-type]
    assert Convergence(keys=(), rhat=(), ess_bulk=(), ess_tail=()).is_trusted


@pytest.mark.parametrize(
    ("rhat", "bulk", "tail"),
    [(1.02, 900.0, 900.0), (1.0, 300.0, 900.0), (1.0, 900.0, 300.0)],
    ids=["R-hat", "bulk", "tail"],
)
def test_each_measure_of_convergence_can_withhold_trust(rhat: float, bulk: float, tail: float) -> None:
    good = Convergence(keys=("a", "b"), rhat=(1.0, 1.0), ess_bulk=(900.0, 900.0), ess_tail=(900.0, 900.0))
    assert good.is_trusted
    assert good.finding() is None
    found = replace(good, rhat=(1.0, rhat), ess_bulk=(900.0, bulk), ess_tail=(900.0, tail))
    assert not found.is_trusted
    warning = found.finding()
    assert warning is not None
    assert "NOT CONVERGED for b:" in warning.message


def test_tails_are_measured_as_tails() -> None:
    """A chain that forgets its sign at once, but stays far from zero or near it for long."""
    rng = np.random.default_rng(0)
    far = np.repeat(rng.random((8, 50)) < 0.1, 20, axis=1)
    chains = (np.where(far, 5.0, 1.0) * rng.normal(size=far.shape)).reshape(2, 4, 1000, 1)
    found = convergence(("a",), chains)
    assert found.ess_tail[0] < 0.5 * found.ess_bulk[0]
