"""Widths learnt from past errors: their size, growth, shape and dependence come back from made panels."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from calibration.forecasting import EmpiricalIntervals, empirical_intervals, origin_at, target_of
from calibration.forecasting.baselines import MeanReversion
from calibration.forecasting.empirical_intervals import (
    GRID,
    learn_spread,
    over_horizons,
    over_regions,
    quantile_map,
    quantiles,
    root,
    student,
)
from pysd_runner.core.errors import InvalidInput, InvalidPanel
from tests.calibration.forecasting.series import panel_of, walk


def test_target_is_the_log_less_the_mean_of_its_year() -> None:
    logs = walk(5, 6)
    target = target_of(panel_of(logs))
    assert_allclose(target.values, logs - logs.mean(axis=0))
    assert target.times == tuple(range(1990, 1996))


def test_target_uses_output_and_population_where_output_per_head_is_not_given() -> None:
    from pysd_runner.data import load_data

    panel = load_data("china")
    expected = np.log(panel.array("output") / panel.array("population"))
    assert_allclose(target_of(panel).values, expected - expected.mean(axis=0), atol=1e-12)


def test_panels_without_a_target_are_refused() -> None:
    panel = panel_of(walk(3, 5))
    other = panel.with_values({"schooling": np.ones((3, 5))})
    with pytest.raises(InvalidPanel, match="output_per_head"):
        target_of(other)
    with pytest.raises(InvalidInput, match="year 1980"):
        origin_at(target_of(panel), 1980)


@pytest.mark.parametrize("growth", [0.3, 0.5, 0.8])
def test_growth_with_the_horizon_comes_back(growth: float) -> None:
    rng = np.random.default_rng(0)
    size = 0.03 * np.arange(1, 6) ** growth
    errors = rng.normal(0, 1, (40, 20, 5)) * size
    found = learn_spread(errors, np.zeros((40, 5)))
    assert found is not None
    assert_allclose(found.growth, growth, atol=0.08)
    assert_allclose(found.by_horizon, size * np.sqrt(2 / np.pi), rtol=0.12)
    assert_allclose(found.region_factor, 1, atol=0.2)


def test_noisy_regions_get_wider_and_newer_errors_count_more() -> None:
    rng = np.random.default_rng(0)
    errors = rng.normal(0, 0.02, (30, 10, 3))
    errors[:, 0] *= 3
    found = learn_spread(errors, np.zeros((30, 3)))
    assert found is not None
    assert found.region_factor[0] > 1.8
    assert (found.region_factor[1:] < 1.1).all()
    ages = np.repeat(np.arange(30.0)[::-1, None], 3, axis=1)
    errors[:15] *= 10
    assert learn_spread(errors, ages).by_horizon[0] < 0.1  # type: ignore[union-attr]


def test_mean_absolute_sizes_are_a_plain_loop_without_shrinkage(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    errors = rng.normal(0, 1, (6, 3, 2))
    errors[5, :, 1] = np.nan
    ages = np.array([[5 - s, 4 - s] for s in range(6)], dtype=float)
    settings = {"HALF_LIFE": 2, "LAW_WEIGHT": 0, "GROWTH_WEIGHT": 0, "REGION_WEIGHT": 0}
    for name, value in settings.items():
        monkeypatch.setattr(empirical_intervals, name, value)
    found = learn_spread(errors, ages)
    assert found is not None
    for horizon in range(2):
        total = weights = 0.0
        for s in range(6):
            for region in range(3):
                if np.isfinite(errors[s, region, horizon]):
                    weight = 0.5 ** (ages[s, horizon] / 2)
                    total += weight * abs(errors[s, region, horizon])
                    weights += weight
        assert_allclose(found.by_horizon[horizon], total / weights)


def test_overlapping_origins_count_as_one_when_sizes_are_shrunk_to_a_power_law() -> None:
    """By least squares: the size h years ahead counts as origins over h, the prior exponent as four of them."""
    errors = np.random.default_rng(3).normal(0, [1, 3, 2, 4], (6, 5, 4))
    found = learn_spread(errors, np.zeros((6, 4)))
    assert found is not None
    steps = np.arange(1, 5)
    logs, counts = np.log(np.abs(errors).mean(axis=(0, 1))), 6 / steps
    weights = np.sqrt([*counts, 4 * 0.3])
    rows = np.array([*np.column_stack((np.ones(4), np.log(steps))), (0, 1)])
    (level, growth), *_ = np.linalg.lstsq(rows * weights[:, None], np.array([*logs, 0.6]) * weights)
    assert_allclose(found.growth, growth)
    part = counts / (counts + 4)
    assert_allclose(np.log(found.by_horizon), part * logs + (1 - part) * (level + growth * np.log(steps)))


@pytest.mark.parametrize("weights", [[1, 1, 1], [1, 5, 1], [3, 1, 2, 1, 3]])
def test_the_median_of_errors_with_as_much_weight_on_either_side_is_the_one_between(weights: list[float]) -> None:
    sizes = np.arange(1.0, len(weights) + 1) ** 2
    found = quantiles(sizes, np.array(weights, dtype=float), shape_weight=0, origins=5, tails=5)
    assert_allclose(found[:-1][GRID == 0.5], sizes[len(sizes) // 2])


def test_quantiles_come_back_and_few_errors_lean_on_student() -> None:
    sizes = np.abs(np.random.default_rng(0).normal(size=5000))
    found = quantiles(sizes, np.ones(5000), shape_weight=0, origins=50, tails=5)
    assert_allclose(found[5], np.quantile(sizes, GRID[5]), atol=0.02)
    assert_allclose(quantiles(np.zeros(0), np.zeros(0), shape_weight=4, origins=0, tails=5), student(5))
    assert (np.diff(found) >= 0).all()


def test_stretched_normal_draws_have_the_quantiles_they_were_given() -> None:
    sizes = np.array(student(5.0))
    draws = quantile_map(np.random.default_rng(0).normal(size=200_000), sizes)
    for place in (5, 10, 12):
        assert_allclose(np.quantile(np.abs(draws), GRID[place]), sizes[place], rtol=0.02)


def test_correlation_over_horizons_is_that_of_the_random_walk_at_one_half() -> None:
    steps = np.arange(1, 6)
    expected = np.minimum.outer(steps, steps) / np.sqrt(np.outer(steps, steps))
    assert_allclose(over_horizons(0.5, 5), expected)
    for growth in (0.1, 0.95):
        assert np.linalg.eigvalsh(over_horizons(growth, 10)).min() > 0


def test_correlation_over_regions_is_shrunk_when_origins_are_few_and_found_when_they_are_many() -> None:
    rng = np.random.default_rng(0)
    common = rng.normal(size=(400, 1))
    errors = common + rng.normal(size=(400, 4))
    assert_allclose(over_regions(errors)[0, 1], 0.5, atol=0.1)
    alone = over_regions(rng.normal(size=(8, 30)))
    assert np.abs(alone - np.eye(30)).max() < 0.35
    assert_allclose(over_regions(errors[:2])[0], [1, -1 / 3, -1 / 3, -1 / 3])
    late = np.where(np.arange(4) < 2, errors[:2], np.nan)
    assert_allclose(over_regions(late), [[1, -1, 0, 0], [-1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    matrix = over_regions(errors)
    assert_allclose(root(matrix) @ root(matrix), matrix, atol=1e-12)


@pytest.mark.parametrize("back", [1, 3])
def test_errors_known_some_years_earlier_are_those_known_at_that_origin(back: int) -> None:
    target = target_of(panel_of(walk(5, 20, seed=1), first=1980))
    model = EmpiricalIntervals(name="reversion", method=MeanReversion(rate=0.1))
    late = model.past(origin_at(target, 1999), 4).known(back)
    then = model.past(origin_at(target, 1999 - back), 4)
    assert_allclose(late.errors[: len(then.errors)], then.errors)
    assert_allclose(late.ages[: len(then.ages)], then.ages)
    assert np.isnan(late.errors[len(then.errors) :]).all()


def test_draws_of_a_random_walk_cover_what_comes_and_grow_as_they_should() -> None:
    logs = walk(30, 60, seed=5)
    target = target_of(panel_of(logs, first=1950))
    model = EmpiricalIntervals(name="persistence", method=MeanReversion(rate=0.0))
    found = model.forecast(origin_at(target, 1999), horizon=5, draws=400, seed=0)
    size = np.abs(found.draws - found.point).mean(axis=(0, 1))
    assert_allclose(size, 0.02 * np.sqrt(2 / np.pi) * np.sqrt(np.arange(1, 6)), rtol=0.2)
    assert_allclose(found.draws.mean(axis=0), found.point, atol=1e-12)
    inside = []
    for year in range(1980, 2004, 2):
        draws = model.forecast(origin_at(target, year), horizon=5, draws=200, seed=0).draws
        realised = target.values[:, target.position(year) + 1 :][:, :5]
        low, high = np.quantile(draws, (0.05, 0.95), axis=0)
        inside.append((low <= realised) & (realised <= high))
    assert_allclose(np.mean(inside), 0.9, atol=0.04)


@pytest.mark.parametrize("regions", [2, 5, 40])
def test_errors_of_relative_output_sum_to_zero_in_every_draw_without_a_loss_of_width(regions: int) -> None:
    target = target_of(panel_of(walk(regions, 30, seed=2)))
    model = EmpiricalIntervals(name="persistence", method=MeanReversion(rate=0.0))
    origin = origin_at(target, target.times[24])
    found = model.forecast(origin, horizon=3, draws=4000, seed=0)
    away = found.draws - found.point
    assert_allclose(away.sum(axis=1), 0.0, atol=1e-12)
    past = model.past(origin, 3)
    spread = learn_spread(past.errors, past.ages)
    assert spread is not None
    sizes, _ = model._shape(past, spread, origin, 3)
    alone = np.abs(quantile_map(np.random.default_rng(0).standard_normal(40_000), sizes)).mean()
    expected = alone * spread.region_factor[:, None] * spread.by_horizon
    assert_allclose(np.abs(away).mean(), expected.mean(), rtol=0.03)
