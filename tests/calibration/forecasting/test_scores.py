"""Scores against their definitions, by plain loops, and the library against ours."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from calibration.forecasting.scores import (
    LEVELS,
    PINBALL,
    all_scores,
    crps,
    energy_score,
    interval_score,
    naive_scale,
    percent,
    pinball,
    pit,
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


def test_crps_of_many_normal_draws_is_the_closed_form() -> None:
    from scipy.stats import norm

    draws = norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    for observed in (-1.0, 0.3):
        exact = observed * (2 * norm.cdf(observed) - 1) + 2 * norm.pdf(observed) - 1 / np.sqrt(np.pi)
        assert_allclose(crps(draws, np.array(observed)), exact, rtol=1e-3)


def test_interval_score_and_pinball_are_their_definitions() -> None:
    assert_allclose(interval_score(np.array(1.0), np.array(3.0), np.array(2.0), 0.9), 2)
    assert_allclose(interval_score(np.array(1.0), np.array(3.0), np.array(3.5), 0.9), 2 + 20 * 0.5)
    assert_allclose(interval_score(np.array(1.0), np.array(3.0), np.array(0.0), 0.5), 2 + 4 * 1.0)
    assert_allclose(pinball(np.array(2.0), np.array(3.0), 0.9), 0.9)
    assert_allclose(pinball(np.array(3.0), np.array(2.0), 0.9), 0.1)


def test_crps_is_twice_the_mean_pinball_over_all_levels() -> None:
    draws = np.sort(np.random.default_rng(0).normal(size=400))
    levels = (np.arange(400) + 0.5) / 400
    losses = [pinball(np.array(quantile), np.array(0.4), level) for quantile, level in zip(draws, levels, strict=True)]
    assert_allclose(crps(draws, np.array(0.4)), 2 * np.mean(losses), rtol=1e-2)


def test_energy_score_is_its_definition_and_crps_in_one_dimension() -> None:
    rng = np.random.default_rng(0)
    draws, observed = rng.normal(size=(40, 3)), rng.normal(size=3)
    near = np.mean(np.linalg.norm(draws - observed, axis=1))
    apart = np.mean([np.linalg.norm(one - other) for one in draws for other in draws])
    assert_allclose(energy_score(draws, observed), near - apart / 2)
    assert_allclose(energy_score(draws[:, :1], observed[:1]), plain_crps(draws[:, 0], observed[0]))


def test_energy_score_leaves_out_what_is_missing() -> None:
    draws = np.random.default_rng(0).normal(size=(30, 3))
    assert_allclose(
        energy_score(draws, np.array([0.1, np.nan, 0.2])), energy_score(draws[:, [0, 2]], np.array([0.1, 0.2]))
    )
    assert np.isnan(energy_score(draws, np.full(3, np.nan)))


def test_pit_counts_draws_below_and_ties_by_half() -> None:
    draws = np.array([1.0, 2.0, 2.0, 4.0])
    assert_allclose(pit(draws, np.array(2.0)), 0.5)
    assert_allclose(pit(draws, np.array(5.0)), 1.0)
    assert np.isnan(pit(draws, np.array(np.nan)))


def test_naive_scale_is_the_mean_change_up_to_the_origin() -> None:
    history = np.array([[0.0, 1.0, -1.0], [2.0, 2.0, 2.0], [np.nan, 1.0, 2.0]])
    assert_allclose(naive_scale(history), (1.5, np.nan, 1.0))


def test_all_scores_of_a_perfect_forecast_are_zero_and_signs_are_forecast_less_observed() -> None:
    observed = np.random.default_rng(0).normal(size=(3, 2))
    draws = np.repeat(observed[None], 10, axis=0)
    found = all_scores(observed, draws, observed, np.ones(3))
    for name in ("error", "scaled_error", "crps", "interval_90", "pinball_25", "energy"):
        assert_allclose(found[name], 0, atol=1e-12)
    assert (found["covered_50"] == 1).all()
    assert_allclose(all_scores(observed + 1, draws + 1, observed, np.ones(3))["error"], 1)


def test_all_scores_of_a_calibrated_forecast_cover_what_they_say() -> None:
    rng = np.random.default_rng(1)
    draws, observed = rng.normal(size=(200, 500, 2)), rng.normal(size=(500, 2))
    found = all_scores(np.zeros((500, 2)), draws, observed, np.ones(500))
    for level in LEVELS:
        assert_allclose(found[f"covered_{percent(level)}"].mean(), level, atol=0.03)
    assert_allclose(np.histogram(found["pit"], bins=4, range=(0, 1))[0] / 1000, 0.25, atol=0.05)
    assert {f"pinball_{percent(level)}" for level in PINBALL} <= set(found)


def test_missing_observations_give_missing_scores() -> None:
    observed = np.array([[0.0, np.nan]])
    draws = np.random.default_rng(0).normal(size=(20, 1, 2))
    found = all_scores(np.zeros((1, 2)), draws, observed, np.ones(1))
    for name, score in found.items():
        assert np.isnan(score[..., 1]).all(), name
        assert np.isfinite(score[..., 0]).all(), name


@pytest.mark.parametrize("scale", [0.1, 10.0])
def test_scores_scale_with_the_unit(scale: float) -> None:
    rng = np.random.default_rng(2)
    draws, observed = rng.normal(size=(50, 2, 2)), rng.normal(size=(2, 2))
    plain = all_scores(observed * 0, draws, observed, np.ones(2))
    scaled = all_scores(observed * 0, scale * draws, scale * observed, np.ones(2))
    for name in ("crps", "interval_80", "pinball_5", "energy"):
        assert_allclose(scaled[name], scale * plain[name])
    assert_allclose(scaled["pit"], plain["pit"])
