"""The log posterior: written out cell by cell, its gradient against differences, its residual form, its edges."""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from calibration import CalibrationProblem
from calibration.observation import BEND, Noise, Whitening, bounded, log_mass
from pysd_runner.inputs import yearly_memory
from tests.calibration.panels import made_panel, model_of

COUNT, YEARS = 5, 6


@pytest.fixture(scope="module")
def problem() -> CalibrationProblem:
    made = CalibrationProblem(model_of(COUNT), made_panel(COUNT, YEARS, {"tau_m": 0.9, "pi": 0.5}, noise=1.0))
    return made.with_noise({item.label: Noise(0.02, 0.6) for item in made.series})


def somewhere(problem: CalibrationProblem, seed: int, share: float = 0.4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    z = problem.space.centre + share * problem.space.scale * rng.normal(size=len(problem.space))
    lower, upper = problem.space.bounds
    return np.clip(z, lower + 0.05 * problem.space.scale, upper - 0.05 * problem.space.scale)


def huber_log_density(error: float) -> float:
    loss = 0.5 * error**2 if abs(error) <= BEND else BEND * abs(error) - 0.5 * BEND**2
    return -loss - np.log(np.sqrt(2 * np.pi) * (2 * stats.norm.cdf(BEND) - 1) + 2 * np.exp(-(BEND**2) / 2) / BEND)


def slow(problem: CalibrationProblem, z: np.ndarray) -> float:
    """Cell by cell: the innovation given the last seen year, its Huber density, and every prior's density."""
    total = 0.0
    tau = float(np.ravel(problem.parameters_at(z)["tau_m"])[0])
    for item, raw in zip(problem.series, problem.raw_residuals(z), strict=True):
        noise = problem.noise[item.label]
        rho = float(yearly_memory(np.array(tau), 0.25)) if item.measurement == "output" else noise.persistence
        for region, year in np.argwhere(item.used):
            before = [k for k in range(year) if item.seen[region, k]]
            if before:
                years = year - before[-1]
                spread = noise.sd * np.sqrt((1 - noise.persistence ** (2 * years)) / (1 - noise.persistence**2))
                error = raw[region, year] - rho**years * raw[region, before[-1]]
            else:
                spread, error = noise.sd / np.sqrt(1 - noise.persistence**2), raw[region, year]
            total += huber_log_density(error / spread) - np.log(spread)
    for prior, value in zip(problem.space.priors, z, strict=True):
        x = float(prior.from_unbounded(value))
        total += float(prior.log_density(x)) + float(np.log(prior.unbounded_slope(x)))
    return total


@pytest.mark.parametrize("seed", range(3))
def test_the_log_posterior_is_the_sum_over_cells_and_priors(problem: CalibrationProblem, seed: int) -> None:
    z = somewhere(problem, seed)
    assert problem.log_posterior(z) == pytest.approx(slow(problem, z), rel=1e-9)


def test_many_vectors_give_what_single_ones_give(problem: CalibrationProblem) -> None:
    z = np.stack([somewhere(problem, seed) for seed in range(4)])
    batch = problem.log_posterior_batch(z)
    assert batch.shape == (4,)
    np.testing.assert_allclose(batch, [problem.log_posterior(row) for row in z], rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_is_that_of_differences(problem: CalibrationProblem, seed: int) -> None:
    z, width = somewhere(problem, seed), 5e-3 * problem.space.scale
    steps = np.concatenate([k * np.diag(width) for k in (-2, -1, 1, 2)])
    values = problem.log_posterior_batch(z + steps).reshape(4, -1)
    exact = np.array([1, -8, 8, -1]) @ values / (12 * width)
    np.testing.assert_allclose(problem.gradient(z), exact, rtol=1e-6, atol=1e-5 * np.abs(exact).max())
    assert problem.log_posterior_with_gradient(z)[0] == pytest.approx(problem.log_posterior(z), rel=1e-12)


def test_the_residual_form_differs_by_the_volume_of_priors_on_intervals_alone(problem: CalibrationProblem) -> None:
    z = np.stack([somewhere(problem, seed) for seed in range(4)])
    halves = -0.5 * (problem.residual_batch(z) ** 2).sum(axis=1)
    volumes = np.array([np.log(problem.space.prior_slopes(row)).sum() for row in z])
    apart = problem.log_posterior_batch(z) - halves - volumes
    np.testing.assert_allclose(apart, apart[0], rtol=1e-8)
    # All but the structural gap persistence have normal or lognormal priors.
    place = problem.space.keys.index("pi")
    slopes = np.stack([problem.space.prior_slopes(row) for row in z])
    assert np.ptp(np.delete(slopes, place, axis=1), axis=0).max() < 1e-6
    assert np.ptp(slopes[:, place]) > 1e-3


def test_the_prior_integrates_to_one_on_the_unbounded_scale(problem: CalibrationProblem) -> None:
    for prior in problem.space.priors:
        lower, upper = prior.unbounded_bounds
        centre = float(prior.to_unbounded(prior.from_unbounded(0.0)))
        low, high = max(lower, centre - 40), min(upper, centre + 40)
        total = quad(lambda z, prior=prior: float(np.exp(prior.unbounded_log_density(z))), low, high, limit=400)[0]
        assert total == pytest.approx(1.0, abs=1e-6)


def test_the_mass_of_the_bent_density() -> None:
    total = 2 * quad(lambda e: float(np.exp(-0.5 * bounded(np.array(e)) ** 2)), 0, 60, points=[BEND])[0]
    assert log_mass() == pytest.approx(np.log(total), rel=1e-9)


def test_past_a_bound_nothing_is_likely(problem: CalibrationProblem) -> None:
    z = problem.space.centre
    place = problem.space.keys.index("g_D")
    z[place] = problem.space.bounds[1][place] + 1e-6
    assert problem.log_posterior(z) == -np.inf
    value, gradient = problem.log_posterior_with_gradient(z)
    assert value == -np.inf
    assert np.isnan(gradient).all()


def test_a_failing_simulation_is_minus_infinity_and_spoils_no_other_draw(
    problem: CalibrationProblem, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = somewhere(problem, 0)
    residuals = problem._data_residuals

    def spoilt(space: object, z: np.ndarray) -> np.ndarray:
        found = residuals(space, z)
        found[1, 3] = np.nan
        return found

    expected = problem.log_posterior(good)
    monkeypatch.setattr(problem, "_data_residuals", spoilt)
    assert problem.log_posterior_batch(np.stack([good, good])).tolist() == [expected, -np.inf]


def test_larger_errors_make_wild_cells_likelier_and_tame_ones_less(problem: CalibrationProblem) -> None:
    """The scale has its price: the best common scale of a series lies where the derivative of its density is zero."""
    z, label = problem.space.centre, "skills:ict_employment_share"
    sds = np.geomspace(0.005, 1.0, 30)
    values = [problem.with_noise({**problem.noise, label: Noise(sd)}).log_posterior(z) for sd in sds]
    best = int(np.argmax(values))
    assert 0 < best < len(sds) - 1
    item = next(item for item in problem.series if item.label == label)
    raw = problem.raw_residuals(z)[problem.series.index(item)]
    size = float(np.sqrt(np.mean(Whitening(item).pick(raw) ** 2)))
    assert sds[best] == pytest.approx(size, rel=0.35)
