"""The log posterior: written out cell by cell, its gradient against differences, its residual form, its edges."""

import numpy as np
import pytest
from scipy import stats

from calibration import Problem
from calibration.observation import HUBER_K, Noise, Series, Whitening, loss_of
from pysd_runner.spec import ErrorModel
from pysd_runner.study.region_inputs import yearly_memory
from tests.calibration.panels import made_panel, model_of, scaled

COUNT, YEARS = 5, 6


# The shipped declaration, and every other choice at least once.
CHOICES: dict[str, dict[str, ErrorModel]] = {
    "declared": {},
    "others": {
        "output": ErrorModel(family="student", degrees=4.5, memory="momentum", scale="region"),
        "access": ErrorModel(family="normal", memory="ar1"),
        "skills": ErrorModel(family="student", degrees=3, memory="independent"),
        "application": ErrorModel(family="normal", memory="independent", scale="region"),
        "access_level": ErrorModel(family="student", memory="ar1"),
    },
    "plain": {"output": ErrorModel(family="huber", memory="ar1", scale="region")},
}


def noise_of(item: Series) -> Noise:
    regional = (0.5, 1.5, 1.0, 2.0, 0.8) if item.errors.scale == "region" else ()
    return Noise(0.02, 0.0 if item.errors.memory == "independent" else 0.6, regional)


@pytest.fixture(scope="module", params=list(CHOICES))
def problem(request: pytest.FixtureRequest) -> Problem:
    panel = made_panel(COUNT, YEARS, {"tau_m": 0.9, "pi": 0.5}, noise=1.0)
    panel = scaled(panel, "ict_employment_share", [(2, 4)], np.nan)
    panel = scaled(panel, "firms_with_ecommerce", [(region, 5) for region in range(COUNT)], np.nan)
    panel = scaled(panel, "output_per_head", [(3, 6)], np.nan)
    made = Problem(
        model_of(COUNT), panel, observations={key: {"errors": item} for key, item in CHOICES[request.param].items()}
    )
    return made.with_noise({item.label: noise_of(item) for item in made.series})


def somewhere(problem: Problem, seed: int, share: float = 0.4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    z = problem.space.centre + share * problem.space.scale * rng.normal(size=len(problem.space))
    lower, upper = problem.space.bounds
    return np.clip(z, lower + 0.05 * problem.space.scale, upper - 0.05 * problem.space.scale)


def log_density(errors: ErrorModel, error: float) -> float:
    """Of an error of standard deviation one, from the textbook."""
    if errors.family == "normal":
        return float(stats.norm.logpdf(error))
    if errors.family == "student":
        return float(stats.t.logpdf(error, errors.degrees, scale=np.sqrt((errors.degrees - 2) / errors.degrees)))
    loss = 0.5 * error**2 if abs(error) <= HUBER_K else HUBER_K * abs(error) - 0.5 * HUBER_K**2
    return -loss - np.log(
        np.sqrt(2 * np.pi) * (2 * stats.norm.cdf(HUBER_K) - 1) + 2 * np.exp(-(HUBER_K**2) / 2) / HUBER_K
    )


def slow(problem: Problem, z: np.ndarray) -> float:
    """Cell by cell: the innovation given the last seen year, its Huber density, and every prior's density."""
    total = 0.0
    tau = float(np.ravel(problem.parameters_at(z)["tau_m"])[0])
    for item, raw in zip(problem.series, problem.raw_residuals(z), strict=True):
        noise = problem.noise[item.label]
        has_momentum = item.errors.memory == "momentum"
        rho = float(yearly_memory(np.array(tau), 0.25)) if has_momentum else noise.persistence
        for region, year in np.argwhere(item.used):
            sd = noise.sd * (noise.regional[region] if noise.regional else 1.0)
            before = [k for k in range(year) if item.seen[region, k]]
            if before:
                years = year - before[-1]
                spread = sd * np.sqrt((1 - noise.persistence ** (2 * years)) / (1 - noise.persistence**2))
                error = raw[region, year] - rho**years * raw[region, before[-1]]
            else:
                spread, error = sd / np.sqrt(1 - noise.persistence**2), raw[region, year]
            total += log_density(item.errors, error / spread) - np.log(spread)
    for prior, value in zip(problem.space.priors, z, strict=True):
        x = float(prior.from_unbounded(value))
        total += float(prior.log_density(x)) + float(np.log(prior.unbounded_slope(x)))
    return total


@pytest.mark.parametrize("seed", range(3))
def test_the_log_posterior_is_the_sum_over_cells_and_priors(problem: Problem, seed: int) -> None:
    z = somewhere(problem, seed)
    assert problem.log_posterior_batch(z[None])[0] == pytest.approx(slow(problem, z), rel=1e-9)


def test_many_vectors_give_what_single_ones_give(problem: Problem) -> None:
    z = np.stack([somewhere(problem, seed) for seed in range(4)])
    batch = problem.log_posterior_batch(z)
    assert batch.shape == (4,)
    np.testing.assert_allclose(batch, [problem.log_posterior_batch(row[None])[0] for row in z], rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_is_that_of_differences(problem: Problem, seed: int) -> None:
    # Steps so short that hardly a cell crosses the bend of its loss on the way.
    z, width = somewhere(problem, seed), 1e-3 * problem.space.scale
    steps = np.concatenate([k * np.diag(width) for k in (-2, -1, 1, 2)])
    values = problem.log_posterior_batch(z + steps).reshape(4, -1)
    exact = np.array([1, -8, 8, -1]) @ values / (12 * width)
    np.testing.assert_allclose(problem.gradient(z), exact, rtol=1e-6, atol=1e-5 * np.abs(exact).max())


def test_the_residual_form_is_the_log_posterior_up_to_a_constant(problem: Problem) -> None:
    """Priors are normal on their unconstrained scale, those on an interval by their normal score."""
    z = np.stack([somewhere(problem, seed) for seed in range(4)])
    halves = -0.5 * (problem.residual_batch(z) ** 2).sum(axis=1)
    apart = problem.log_posterior_batch(z) - halves
    np.testing.assert_allclose(apart, apart[0], rtol=1e-8)
    slopes = np.stack([problem.space.prior_slopes(row) for row in z])
    np.testing.assert_allclose(slopes * problem.space.scale, 1.0, rtol=1e-6)


def test_past_a_bound_nothing_is_likely(problem: Problem) -> None:
    z = problem.space.centre
    place = problem.space.keys.index("g_D")
    z[place] = problem.space.bounds[1][place] + 1e-6
    assert problem.log_posterior_batch(z[None])[0] == -np.inf
    assert np.isnan(problem.gradient(z)).all()


def test_a_failing_simulation_is_minus_infinity_and_spoils_no_other_draw(
    problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = somewhere(problem, 0)
    residuals = problem._data_residuals

    def spoilt(z: np.ndarray) -> np.ndarray:
        found = residuals(z)
        found[1, 3] = np.nan
        return found

    expected = problem.log_posterior_batch(good[None])[0]
    monkeypatch.setattr(problem, "_data_residuals", spoilt)
    found = problem.log_posterior_batch(np.stack([good, good]))
    assert found[0] == pytest.approx(expected, rel=1e-12)
    assert found[1] == -np.inf


def test_larger_errors_make_wild_cells_likelier_and_tame_ones_less(problem: Problem) -> None:
    """The scale has its price: the best common scale of a series lies where the derivative of its density is zero."""
    z, label = problem.space.centre, "skills:ict_employment_share"
    sds = np.geomspace(0.005, 1.0, 30)
    values = [problem.with_noise({**problem.noise, label: Noise(sd)}).log_posterior_batch(z[None])[0] for sd in sds]
    best = int(np.argmax(values))
    assert 0 < best < len(sds) - 1
    item = next(item for item in problem.series if item.label == label)
    raw = problem.raw_residuals(z)[problem.series.index(item)]
    cells = Whitening(item).pick(raw)
    likely = loss_of(item.errors).sd(cells, freedom=len(cells), declared=1.0, weight=1e-9)
    assert sds[best] == pytest.approx(likely, rel=0.35)
