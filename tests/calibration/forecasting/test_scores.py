"""Scores against their definitions, by plain loops, and the library against ours; tests and intervals over origins."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from calibration.forecasting.scores import (
    LEVELS,
    all_scores,
    block_length,
    blocks,
    by_origin,
    crps,
    diebold_mariano,
    long_run_variance,
    mean_interval,
    percent,
    pit,
    ratio_interval,
    spread_factor,
)


def plain_crps(draws: np.ndarray, observed: float) -> float:
    near = np.mean([abs(draw - observed) for draw in draws])
    apart = np.mean([abs(one - other) for one in draws for other in draws])
    return float(near - apart / 2)


@given(st.integers(0, 10_000), st.integers(2, 30))
@settings(max_examples=30, deadline=None)
def test_crps_is_its_definition(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    draws, observed = rng.normal(size=(count, 2, 3)), rng.normal(size=(2, 3))
    found = crps(draws, observed)
    assert found.shape == (2, 3)
    assert_allclose(found[1, 2], plain_crps(draws[:, 1, 2], observed[1, 2]), rtol=1e-9, atol=1e-12)


def test_pit_counts_draws_below_and_ties_by_half() -> None:
    draws = np.array([1.0, 2.0, 2.0, 4.0])
    assert_allclose(pit(draws, np.array(2.0)), 0.5)
    assert_allclose(pit(draws, np.array(5.0)), 1.0)
    assert np.isnan(pit(draws, np.array(np.nan)))


def test_all_scores_of_a_perfect_forecast_are_zero_and_signs_are_forecast_less_observed() -> None:
    observed = np.random.default_rng(0).normal(size=(3, 2))
    draws = np.repeat(observed[None], 10, axis=0)
    found = all_scores(observed, draws, observed)
    for name in ("error", "crps"):
        assert_allclose(found[name], 0, atol=1e-12)
    assert (found["covered_50"] == 1).all()
    assert_allclose(all_scores(observed + 1, draws + 1, observed)["error"], 1)


def test_all_scores_of_a_calibrated_forecast_cover_what_they_say() -> None:
    rng = np.random.default_rng(1)
    draws, observed = rng.normal(size=(200, 500, 2)), rng.normal(size=(500, 2))
    found = all_scores(np.zeros((500, 2)), draws, observed)
    for level in LEVELS:
        assert_allclose(found[f"covered_{percent(level)}"].mean(), level, atol=0.03)
    assert_allclose(np.histogram(found["pit"], bins=4, range=(0, 1))[0] / 1000, 0.25, atol=0.05)


def test_missing_observations_give_missing_scores() -> None:
    observed = np.array([[0.0, np.nan]])
    draws = np.random.default_rng(0).normal(size=(20, 1, 2))
    found = all_scores(np.zeros((1, 2)), draws, observed)
    for name, score in found.items():
        assert np.isnan(score[..., 1]).all(), name
        assert np.isfinite(score[..., 0]).all(), name


def losses(origins: int = 40, regions: int = 5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(1, 1, (origins, regions))


def test_one_step_ahead_it_is_the_t_test_of_mean_differences() -> None:
    own, other = losses(), losses(seed=1)
    found = diebold_mariano(own, other, 1)
    expected = stats.ttest_1samp(own.mean(axis=1) - other.mean(axis=1), 0)
    assert_allclose((found.statistic, found.p_value), (expected.statistic, expected.pvalue), rtol=1e-9)


def test_several_steps_ahead_it_is_the_formula_by_a_plain_loop() -> None:
    difference = losses(regions=1)[:, 0]
    count, horizon = len(difference), 3
    centred = difference - difference.mean()
    variance = sum(centred[t] ** 2 for t in range(count)) / count
    for lag in range(1, horizon):
        variance += 2 * sum(centred[t] * centred[t - lag] for t in range(lag, count)) / count
    plain = difference.mean() / (variance / count) ** 0.5
    corrected = plain * ((count + 1 - 2 * horizon + horizon * (horizon - 1) / count) / count) ** 0.5
    found = diebold_mariano(difference[:, None], np.zeros((count, 1)), horizon)
    assert_allclose(found.statistic, corrected)
    assert_allclose(found.p_value, 2 * stats.t.sf(abs(corrected), count - 1))
    assert found.origins == count


def test_copies_of_a_region_add_no_evidence() -> None:
    own, other = losses(regions=1), losses(regions=1, seed=1)
    once = diebold_mariano(own, other, 2)
    often = diebold_mariano(np.repeat(own, 30, axis=1), np.repeat(other, 30, axis=1), 2)
    assert_allclose(often.p_value, once.p_value)


def test_too_few_origins_and_equal_forecasts_cannot_be_told() -> None:
    assert np.isnan(diebold_mariano(losses(3), losses(3, seed=1), 1).p_value)
    assert np.isnan(diebold_mariano(losses(6), losses(6, seed=1), 5).p_value)
    assert np.isnan(diebold_mariano(losses(), losses(), 1).statistic)


def test_long_run_variance_takes_bartlett_weights_when_plain_ones_give_none() -> None:
    series = np.tile([1.0, -1.0], 20)
    assert long_run_variance(series, 1) > 0
    assert_allclose(long_run_variance(series, 0), 1)


def test_means_by_origin_leave_out_what_is_missing() -> None:
    assert_allclose(by_origin(np.array([[1.0, np.nan, 3.0], [np.nan] * 3])), (2, np.nan))


def test_blocks_are_runs_of_neighbours_that_go_round() -> None:
    chosen = blocks(10, 4, 50, np.random.default_rng(0))
    assert chosen.shape == (50, 10)
    steps = np.diff(chosen, axis=1) % 10
    inside = np.ones(9, dtype=bool)
    inside[[3, 7]] = False
    assert (steps[:, inside] == 1).all()
    assert set(chosen.ravel()) == set(range(10))
    assert block_length(27, 1) == 3
    assert block_length(27, 5) == 5


def test_interval_of_a_ratio_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    inside = 0
    for trial in range(150):
        common = rng.normal(size=(60, 1))
        own, other = (0.8 * common + rng.normal(size=(60, 6))) ** 2, (common + rng.normal(size=(60, 6))) ** 2
        low, high = ratio_interval(own, other, 1, power=0.5, seed=trial, repetitions=199)
        inside += low <= (1.64 / 2) ** 0.5 <= high
    assert 0.8 < inside / 150 < 0.96


@pytest.mark.parametrize(("origins", "horizon"), [(12, 1), (12, 5), (16, 3), (48, 5)])
def test_a_perfect_forecaster_is_inside_its_intervals_as_often_as_they_say(origins: int, horizon: int) -> None:
    """Random walks forecast with their own law: 90 % intervals must hold nine times in ten, overlap or not."""
    rng, trials = np.random.default_rng(0), 250
    inside, plain = np.zeros(2), 0
    for _ in range(trials):
        walks = np.cumsum(rng.normal(size=(origins + horizon, 20)), axis=0)
        error = (walks[horizon:] - walks[:-horizon]) / np.sqrt(horizon)
        for place, (level, half) in enumerate(((0.5, 0.6745), (0.9, 1.6449))):
            covered = (np.abs(error) <= half).astype(float)
            low, high = mean_interval(covered, horizon, repetitions=199)
            inside[place] += low <= level <= high
        found, factor = covered.mean(), spread_factor(origins, block_length(origins, horizon), horizon)
        plain += found + (low - found) / factor <= 0.9 <= found + (high - found) / factor
    assert (inside / trials >= 0.83).all()
    assert (inside / trials <= 0.97).all()
    # Without the factor they hold much less often where forecasts overlap.
    assert plain < inside[1]
    if horizon == 5:
        assert plain / trials < 0.82


def test_the_factor_is_that_of_a_simulated_bootstrap() -> None:
    origins, horizon, trials = 14, 4, 4000
    rng = np.random.default_rng(0)
    shocks = rng.normal(size=(trials, origins + horizon))
    errors = np.stack([shocks[:, lag : lag + origins] for lag in range(horizon)]).sum(axis=0)
    shares = np.stack([np.bincount(row, minlength=origins) for row in blocks(origins, horizon, 500, rng)]) / origins
    found = (errors @ shares.T).var(axis=1, ddof=1).mean()
    wanted = np.sqrt(errors.mean(axis=1).var() / found)
    tail = stats.t.ppf(0.95, origins - 1) / stats.norm.ppf(0.95)
    assert_allclose(spread_factor(origins, horizon, horizon), wanted * tail, rtol=0.03)
    assert 1 < spread_factor(300, 7, 1) < 1.03


def test_interval_of_a_mean_is_around_it_and_depends_on_the_seed_alone() -> None:
    covered = (np.random.default_rng(0).random((30, 8)) < 0.9).astype(float)
    covered[3, 2] = np.nan
    low, high = mean_interval(covered, 2)
    assert low < np.nanmean(covered) < high
    assert (low, high) == mean_interval(covered, 2)
    assert np.isnan(mean_interval(covered[:3], 1)).all()
