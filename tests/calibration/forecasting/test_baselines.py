"""Every baseline against a closed form, a plain loop, or statsmodels."""

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose
from statsmodels.tsa.forecasting.theta import ThetaModel
from statsmodels.tsa.holtwinters import SimpleExpSmoothing

from benchmarks.comparators import Mean, PooledConvergence
from calibration.forecasting.baselines import (
    WEIGHTS,
    DampedDrift,
    ErrorCorrection,
    FixedEffects,
    MeanReversion,
    ShrunkenErrorCorrection,
    Smoothing,
    coefficients,
    group_means,
    smoothed,
    usual_size,
)
from calibration.forecasting.models import METHODS
from calibration.forecasting.target import relative
from tests.calibration.forecasting.series import autoregressive, walk


def history(regions: int = 8, years: int = 14, seed: int = 0) -> np.ndarray:
    return relative(walk(regions, years, seed=seed))


def holed(seed: int = 0) -> np.ndarray:
    values = history(seed=seed).copy()
    values[0, 5] = values[1, -1] = np.nan
    values[2, :4] = np.nan
    return values


def test_closed_forms_of_the_methods_without_estimates() -> None:
    values = history()
    last, pace = values[:, -1], (values[:, -1] - values[:, -6]) / 5
    for step in (1, 4):
        assert_allclose(MeanReversion(rate=0.0).points(values, 4)[:, step - 1], last)
        assert_allclose(DampedDrift(damping=1.0).points(values, 4)[:, step - 1], last + step * pace)
        assert_allclose(MeanReversion(0.02).points(values, 4)[:, step - 1], last * 0.98**step)
        fading = sum(0.5**k for k in range(1, step + 1))
        assert_allclose(DampedDrift(damping=0.5).points(values, 4)[:, step - 1], last + fading * pace)


def test_error_correction_is_least_squares_by_a_plain_loop_with_holes() -> None:
    values = holed()
    step, rows, answers = 2, [], []
    for region in values:
        for year in range(1, len(region) - step):
            row = (region[year], region[year] - region[year - 1])
            answer = region[year + step] - region[year]
            if np.isfinite([*row, answer]).all():
                rows.append(row)
                answers.append(answer)
    fitted = sm.OLS(np.array(answers), np.array(rows)).fit().params
    found = coefficients(values, step)
    assert found is not None
    assert_allclose(found, fitted, rtol=1e-9)
    last = values[3, -1]
    expected = last + 0.5 * (fitted[0] * last + fitted[1] * (last - values[3, -2]))
    assert_allclose(ErrorCorrection(strength=0.5).points(values, step)[3, step - 1], expected)


@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("groups", [(), ("a", "a", "a", "b", "b", "b", "b", "")])
def test_shrunken_error_correction_by_a_plain_loop(step: int, groups: tuple[str, ...]) -> None:
    """Least squares of statsmodels, prior rates weighed by their errors, means of groups and deviations apart."""
    values = holed()
    values[3, -1] += 2.0
    largest = 1.345 * 1.4826 * np.nanmedian(np.abs(np.diff(values)))
    farthest = 3 * 1.4826 * np.median(np.abs([row[np.isfinite(row)][-1] for row in values]))
    assert (np.abs(values) > farthest).any()
    rows = []
    for region, row in enumerate(values):
        for year in range(1, len(row) - step):
            level, change = (
                np.clip(row[year], -farthest, farthest),
                np.clip(row[year] - row[year - 1], -largest, largest),
            )
            rows.append((region, year, level, change, row[year + step] - row[year]))
    table = np.array([row for row in rows if np.isfinite(row).all()])
    years = len(set(table[:, 1])) / step
    rates = np.array([0.98**step, 0.99**step, 1.0]) - 1
    weights = np.array([((table[:, 4] - rate * table[:, 2]) ** 2).sum() ** (-years / 2) for rate in rates])
    prior = (weights * rates).sum() / weights.sum()

    def shrunken(level: np.ndarray, change: np.ndarray, answer: np.ndarray) -> np.ndarray:
        found = sm.OLS(answer, np.column_stack((level, change))).fit().params
        return np.array([min((years * found[0] + 2 * prior) / (years + 2), 0.0), years / (years + 0.5) * found[1]])

    common = shrunken(*table[:, 2:].T)
    last = np.array([row[np.isfinite(row)][-1] for row in values])
    state = np.stack(
        (np.clip(last, -farthest, farthest), np.clip(np.nan_to_num(values[:, -1] - values[:, -2]), -largest, largest))
    )
    expected = last + common @ state
    if groups:
        label = np.array([groups[int(region)] for region in table[:, 0]])
        means = np.empty((len(table), 3))
        for place, (year, group) in enumerate(zip(table[:, 1], label, strict=True)):
            means[place] = table[(table[:, 1] == year) & (label == group), 2:].mean(axis=0)
        middle = np.stack([state[:, [other == group for other in groups]].mean(axis=1) for group in groups], axis=1)
        for own, part, freedom in ((means, middle, 3 - 1), (table[:, 2:] - means, state - middle, 8 - 3)):
            expected += years * freedom / (years * freedom + 100) * (shrunken(*own.T) - common) @ part
    points = ShrunkenErrorCorrection(groups=groups).points(values, 5)
    assert_allclose(points[:, step - 1], expected, rtol=1e-9)


def test_gaps_are_not_taken_to_grow_by_themselves() -> None:
    values = autoregressive(8, 20, level=0.1, change=0.0, size=1e-6)
    assert coefficients(values, 1)[0] > 0.05
    assert_allclose(
        ShrunkenErrorCorrection(change_years=1e12).points(values, 3), MeanReversion(rate=0.0).points(values, 3)
    )


def test_means_of_groups_are_over_the_regions_that_were_seen() -> None:
    values = np.array([[1.0, np.nan], [3.0, 4.0], [5.0, np.nan]])
    found = group_means(values, np.array([0, 0, 1]))
    assert_allclose(found, [[2.0, np.nan], [2.0, 4.0], [5.0, np.nan]])


def test_the_usual_size_is_a_standard_deviation_that_some_jumps_do_not_move() -> None:
    steps = np.random.default_rng(0).normal(0, 0.02, (50, 60))
    assert_allclose(usual_size(steps), 0.02, rtol=0.05)
    steps[:, ::10] *= 100
    steps[0, 3] = np.nan
    assert_allclose(usual_size(steps), 0.02, rtol=0.2)
    assert usual_size(np.zeros((4, 9))) == usual_size(np.zeros((4, 0))) == np.inf
    # Relative output of regions that grow alike changes by rounding.
    assert usual_size(1e-15 * steps) == np.inf
    some = np.array([[0.1, 0.0, 0.0, 0.2]])
    assert usual_size(some[:, :3]) == np.inf
    assert_allclose(usual_size(some), 1.4826 * 0.05)


def test_shrunken_error_correction_lies_between_the_pull_and_error_correction() -> None:
    values = holed()
    as_they_are = {"most": np.inf, "most_level": np.inf}
    free = ShrunkenErrorCorrection(level_years=0, change_years=0, **as_they_are)
    converging = autoregressive(12, 30, level=-0.1, change=0.3)
    assert_allclose(free.points(converging, 5), ErrorCorrection().points(converging, 5))
    bound = ShrunkenErrorCorrection(rates=(0.03,), level_years=1e12, change_years=1e12, **as_they_are)
    assert_allclose(bound.points(values, 5), MeanReversion(0.03).points(values, 5), rtol=1e-6)
    one = ShrunkenErrorCorrection(rates=(0.02,), **as_they_are)
    for nothing_known in (values[:, :2], values[3:5, :5], np.repeat(values[:, -1:], 12, axis=1)):
        expected = MeanReversion().points(nothing_known, 5)
        assert_allclose(one.points(nothing_known, 5), expected)
        assert_allclose(replace(one, level_years=0).points(nothing_known, 5), expected)
        # Without years to weigh them by the rates are as likely.
        mixed = np.mean([MeanReversion(rate).points(nothing_known, 5) for rate in (0.0, 0.01, 0.02)], axis=0)
        assert_allclose(ShrunkenErrorCorrection(most_level=np.inf).points(nothing_known, 5), mixed)


def test_a_change_over_a_hole_is_no_change_of_a_year() -> None:
    """Persistence after ten years without data, instead of going on with what happened in all of them."""
    values = history(years=12).copy()
    holed_ = np.concatenate((values[:, :-1], np.full((len(values), 9), np.nan), values[:, -1:] + 3.0), axis=1)
    pace_of = DampedDrift(window=5, damping=1.0).points(holed_, 1)[:, 0] - holed_[:, -1]
    assert_allclose(pace_of, (holed_[:, -1] - values[:, -2]) / 10)
    at_once = ErrorCorrection().points(holed_, 1)[:, 0] - holed_[:, -1]
    assert np.abs(at_once).max() < 1.0
    found = coefficients(holed_, 1)
    assert found is not None
    assert_allclose(at_once, found[0] * holed_[:, -1])


def test_pooled_convergence_is_regression_through_the_origin() -> None:
    values = history()
    before, change = values[:, :-3].ravel(), (values[:, 3:] - values[:, :-3]).ravel()
    slope = sm.OLS(change, before).fit().params[0]
    assert_allclose(PooledConvergence().points(values, 3)[:, 2], values[:, -1] * (1 + slope))


def test_pooled_convergence_compounds_where_a_horizon_has_too_few_years() -> None:
    values = history(regions=6, years=4)
    found = PooledConvergence().points(values, 5)
    factor = found[:, 1] / values[:, -1]
    assert_allclose(found[:, 3] / values[:, -1], factor**2)


def test_fixed_effects_are_dummies() -> None:
    values = holed()
    before, after = values[:, :-1], values[:, 1:]
    whole = np.isfinite(before) & np.isfinite(after)
    dummies = np.repeat(np.eye(len(values))[:, None], before.shape[1], axis=1)
    design = np.column_stack((before[whole], dummies[whole]))
    persistence, *intercepts = sm.OLS(after[whole], design).fit().params
    one = intercepts[3] + persistence * values[3, -1]
    found = FixedEffects().points(values, 2)
    assert_allclose(found[3], (one, intercepts[3] + persistence * one))


def test_mean_is_the_mean_of_its_members() -> None:
    values = history()
    found = Mean((MeanReversion(rate=0.0), DampedDrift(damping=1.0))).points(values, 3)
    assert_allclose(found, (MeanReversion(rate=0.0).points(values, 3) + DampedDrift(damping=1.0).points(values, 3)) / 2)


def test_theta_is_that_of_statsmodels_at_the_weight_of_smallest_errors() -> None:
    values = history(regions=3, years=20)
    series = values[1]
    level, weight = smoothed(series)
    fitted = SimpleExpSmoothing(series, initialization_method="known", initial_level=series[0])
    errors = {tried: fitted.fit(smoothing_level=tried, optimized=False).sse for tried in WEIGHTS}
    assert weight == min(errors, key=errors.get)
    assert_allclose(level, fitted.fit(smoothing_level=weight, optimized=False).level[-1], rtol=1e-12)
    # The same drift as theirs, from the level and with the weight of ours.
    theirs = ThetaModel(series, period=1, deseasonalize=False).fit()
    ahead = np.arange(3) + (1 - (1 - weight) ** 20) / weight
    assert_allclose(Smoothing(drift=0.5, least=8).points(values, 3)[1], level + theirs._b0 / 2 * ahead, rtol=1e-9)


@pytest.mark.parametrize("name", list(METHODS))
def test_order_of_regions_does_not_matter(name: str) -> None:
    values = holed()
    order = np.random.default_rng(1).permutation(len(values))
    assert_allclose(
        METHODS[name].points(values[order], 5), METHODS[name].points(values, 5)[order], rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("name", list(METHODS))
def test_unit_of_the_target_does_not_matter(name: str) -> None:
    values = history(regions=4, years=12)
    assert_allclose(METHODS[name].points(-3 * values, 3), -3 * METHODS[name].points(values, 3), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", list(METHODS))
@pytest.mark.parametrize("years", [1, 2, 3])
def test_short_histories_give_a_number_for_every_region(name: str, years: int) -> None:
    values = history(regions=3, years=6)[:, :years]
    found = METHODS[name].points(values, 5)
    assert found.shape == (3, 5)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("name", list(METHODS))
def test_a_region_never_seen_has_no_forecast_and_disturbs_none(name: str) -> None:
    values = history(regions=4, years=10)
    more = np.vstack((values, np.full(values.shape[1], np.nan)))
    found = METHODS[name].points(more, 3)
    assert np.isnan(found[-1]).all()
    assert_allclose(found[:-1], METHODS[name].points(values, 3), rtol=1e-9)
