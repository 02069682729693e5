"""The filter nests the simple forecasts, agrees with the Kalman filter, and sees nothing after the origin."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import t as student

from calibration.filtering import Filtered, FilterSettings, estimate, estimate_laws, propagate
from calibration.filtering.laws import composite_likelihood, heavy, learn_widths
from calibration.filtering.trend import STEPS, Trend, recent_volatility
from calibration.forecasting import origin_at, target_of
from calibration.forecasting.baselines import DampedDrift, MeanReversion
from calibration.forecasting.models import FilteredModel
from pysd_runner.study.binding import shipped_model
from pysd_runner.study.draws import shared_part
from pysd_runner.study.region_inputs import time_step
from tests.calibration.forecasting.series import panel_of, walk

# Every restriction on: no momentum, no mean reversion.
STILL = FilterSettings(momenta=(0.0,), reversions=(0.0,), memories=(0.5,), ordinary_regions=np.inf)
HORIZON = 4


def history(regions: int = 4, years: int = 12) -> np.ndarray:
    """Log relative output, shape (region, year)."""
    logs = walk(regions, years, seed=3)
    return logs - logs.mean(axis=0)


def known(values: np.ndarray, settings: FilterSettings) -> Filtered:
    """What is known of regions without groups."""
    return estimate(values, [""] * len(values), settings)


def points(values: np.ndarray, settings: FilterSettings) -> np.ndarray:
    """Mean forecast, shape (region, horizon)."""
    rng = np.random.default_rng(0)
    point, draws = propagate(known(values, settings), settings, horizon=HORIZON, draws=48, rng=rng)
    assert_allclose(draws.mean(axis=0), point, rtol=0, atol=1e-12)
    return point


def test_without_momentum_it_is_persistence() -> None:
    values = history()
    assert_allclose(points(values, STILL), MeanReversion(rate=0.0).points(values, HORIZON), rtol=0, atol=1e-12)


@pytest.mark.parametrize("rate", [0.02, 0.1])
def test_a_pull_to_the_mean_alone_is_pooled_convergence(rate: float) -> None:
    values = history()
    found = points(values, replace(STILL, reversions=(rate,)))
    assert_allclose(found, MeanReversion(rate).points(values, HORIZON), rtol=0, atol=1e-12)


@pytest.mark.parametrize("memory", [0.3, 0.6])
def test_momentum_that_outweighs_shocks_is_damped_drift(memory: float) -> None:
    values = history()
    # Shocks to the level a millionth of those to momentum: the last change is all momentum.
    found = points(values, replace(STILL, momenta=(1e6,), memories=(memory,), clip=1e9))
    expected = DampedDrift(window=1, damping=memory).points(values, HORIZON)
    assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_momentum_and_pull_are_second_order_error_correction() -> None:
    values, memory, rate = history(), 0.5, 0.05
    found = points(values, replace(STILL, momenta=(1e6,), memories=(memory,), reversions=(rate,), clip=1e9))
    stay = 1 - rate
    level, last = values[:, -1], values[:, -1] - values[:, -2]
    for step in range(HORIZON):
        change = -(1 - stay) * (1 - memory) * level + stay * memory * last
        level, last = level + change, change
        assert_allclose(found[:, step], level, rtol=0, atol=1e-6)


def test_output_is_followed_by_the_kalman_filter_where_the_model_is_linear() -> None:
    """Slow twin: local trend with fading slope, written out for one region at a time."""
    values, memory, size = history(4, 10), 0.7, 0.5
    found = points(values, replace(STILL, memories=(memory,), momenta=(size,), clip=1e9))
    move, noise, output = np.array([[1.0, 1.0], [0.0, memory]]), np.diag([1.0, size**2]), np.array([1.0, 0.0])
    for region in range(len(values)):
        mean, spread = np.array([values[region, 0], 0.0]), np.diag([0.0, size**2 / (1 - memory**2)])
        for seen in values[region, 1:]:
            mean, spread = move @ mean, move @ spread @ move.T + noise
            gain = spread @ output / (output @ spread @ output)
            mean, spread = mean + gain * (seen - output @ mean), spread - np.outer(gain, output @ spread)
        for step in range(HORIZON):
            mean = move @ mean
            assert_allclose(found[region, step], output @ mean, rtol=0, atol=1e-9)


def test_the_small_filter_steps_like_the_model() -> None:
    assert time_step(shipped_model()) * STEPS == 1


def test_holes_late_entries_and_silent_regions_are_borne() -> None:
    logs = walk(5, 14)
    logs[0, :6] = np.nan
    logs[1, 9] = np.nan
    logs[2, -1] = np.nan
    logs[3, :13] = np.nan
    panel = panel_of(logs)
    model = FilteredModel(name="filtered")
    found = model.forecast(origin_at(target_of(panel), 2002), horizon=2, draws=32, seed=0)
    assert np.isnan(found.point[3]).all()
    assert np.isfinite(np.delete(found.point, 3, axis=0)).all()


def test_walks_are_told_from_momentum() -> None:
    logs = walk(20, 30)
    still = estimate_laws(logs - logs.mean(axis=0), [""] * 20, FilterSettings())
    assert (still.weight * still.trend.momentum).sum() < 0.2
    rng = np.random.default_rng(0)
    changes = np.zeros((20, 30))
    for year in range(1, 30):
        changes[:, year] = 0.8 * changes[:, year - 1] + rng.normal(0, 0.02, 20)
    moving = np.cumsum(changes, axis=1)
    found = estimate_laws(moving - moving.mean(axis=0), [""] * 20, FilterSettings())
    assert (found.weight * found.trend.momentum).sum() > 0.5
    assert (found.weight * found.trend.memory).sum() > 0.6


def test_the_composite_likelihood_is_a_plain_loop_over_kalman_filters() -> None:
    values = history(regions=3, years=9).copy()
    values[1, 4] = np.nan
    memory, momentum, reversion, sd, tails = 0.6, 0.4, 0.03, 0.02, 5.0
    # The model adds momentum in four parts, on each of which mean reversion works until the end of the year.
    parts = memory ** (np.arange(4) / 4)
    added = (parts * (1 - reversion) ** (np.arange(3, -1, -1) / 4)).sum() / parts.sum()
    motion = np.array([[1 - reversion, added], [0.0, memory]])
    noise = np.diag([1.0, momentum**2]) * sd**2
    output = np.array([[1.0, 0.0]])
    states = [np.array([[row[0]], [0.0]]) for row in values]
    spreads = [np.diag([0.0, momentum**2 / (1 - memory**2)]) * sd**2 for _ in values]
    weights = 0.9 ** np.arange(9)[::-1]
    total = 0.0
    for year in range(9):
        if year:
            states = [motion @ state for state in states]
            spreads = [motion @ spread @ motion.T + noise for spread in spreads]
            surprise = np.array([row[year] for row in values]) - [(output @ state).item() for state in states]
            common = np.nanmean(surprise)
            for place, (state, spread) in enumerate(zip(states, spreads, strict=True)):
                state[0] += common
                if np.isfinite(surprise[place]):
                    gain = spread @ output.T / (output @ spread @ output.T)
                    states[place] = state + gain * (surprise[place] - common)
                    spreads[place] = spread - gain @ output @ spread
        for step in range(1, min(3, 8 - year) + 1) if year else ():
            after = [np.linalg.matrix_power(motion, step) @ state for state in states]
            wide = []
            for spread in spreads:
                for _ in range(step):
                    spread = motion @ spread @ motion.T + noise
                wide.append((output @ spread @ output.T).item())
            missed = np.array([(output @ state).item() for state in after]) - values[:, year + step]
            missed -= np.nanmean(missed)
            scale = np.sqrt(np.array(wide) * (tails - 2) / tails)
            known = np.isfinite(missed)
            total += weights[year + step] / step * student.logpdf(missed[known], tails, scale=scale[known]).sum()
    law = Trend(memory=np.array([memory]), momentum=np.array([momentum]), reversion=np.array([reversion]))
    found = composite_likelihood(
        values,
        law,
        np.full((1, 3), sd),
        weights,
        FilterSettings(horizons=3, tails=tails, clip=np.inf, ordinary_regions=np.inf),
    )
    assert_allclose(found, total, rtol=1e-10)


def test_a_slow_pull_is_told_by_years_rather_than_by_one() -> None:
    rng = np.random.default_rng(4)
    values = np.zeros((30, 25))
    values[:, 0] = rng.normal(0, 0.5, 30)
    for year in range(1, 25):
        values[:, year] = 0.98 * values[:, year - 1] + rng.normal(0, 0.02, 30)
    # What passes hides in one year what is plain over five.
    values += rng.normal(0, 0.02, values.shape)
    values -= values.mean(axis=0)
    one, five = (estimate_laws(values, [""] * 30, FilterSettings(horizons=horizons)) for horizons in (1, 5))
    assert (one.weight * one.trend.reversion).sum() < (five.weight * five.trend.reversion).sum() < 0.021
    still = values[:, :1] + np.cumsum(rng.normal(0, 0.02, values.shape), axis=1)
    free = estimate_laws(still - still.mean(axis=0), [""] * 30, FilterSettings())
    assert (free.weight * free.trend.reversion).sum() < 0.008


def test_widths_follow_past_errors() -> None:
    walks = walk(20, 40, seed=1)
    walks -= walks.mean(axis=0)
    law = estimate_laws(walks, [""] * 20, STILL)
    assert_allclose(learn_widths(walks, law, STILL, 5), 1.0, atol=0.12)
    rng = np.random.default_rng(6)
    # Errors of observation are no walk: a law that knows only walks must narrow far horizons.
    noisy = rng.normal(0, 0.4, (20, 1)) + rng.normal(0, 0.02, (20, 40))
    noisy -= noisy.mean(axis=0)
    found = learn_widths(noisy, estimate_laws(noisy, [""] * 20, STILL), STILL, 5)
    assert found[4] < 0.75 < found[0]
    none = learn_widths(noisy, law, replace(STILL, width_weight=1e12), 5)
    assert_allclose(none, 1.0)


def test_widths_of_walks_are_those_of_a_plain_loop() -> None:
    sizes = np.array([0.005, 0.01, 0.02, 0.08])
    values = np.cumsum(np.random.default_rng(3).normal(size=(4, 15)) * sizes[:, None], axis=1)
    values -= values.mean(axis=0)
    values[3, :6] = np.nan
    settings = replace(STILL, tails=5.0, width_half_life=6.0, width_weight=2.0)
    law = estimate_laws(values, [""] * 4, settings)
    # The late region is the restless one, so that sizes do not average out.
    assert law.relative_size[3] > 1.4
    expected = []
    for step in (1, 2, 3):
        unit = np.sqrt(2 / np.pi) + (student.expect(abs, (5,)) * np.sqrt(3 / 5) - np.sqrt(2 / np.pi)) / step
        came = predicted = origins = 0.0
        for origin in range(1, 15 - step):
            known = np.arange(4) < (4 if origin > 6 else 3)
            counts = 0.5 ** ((14 - origin - step) / 6.0)
            error = (values[:, origin + step] - values[:, origin])[known]
            came += counts * np.abs(error - error.mean()).mean()
            predicted += counts * unit * (law.sd[0] * law.relative_size[known] * np.sqrt(step)).mean()
            origins += counts
        part = origins / step / (origins / step + 2.0)
        expected.append((came / predicted) ** part)
    assert_allclose(learn_widths(values, law, settings, 3), expected, rtol=1e-9)


def test_shocks_have_unit_variance_and_share_what_they_should() -> None:
    groups = ["a", "a", "a", "b", "b", "b"]
    draws = heavy(np.random.default_rng(0), 40_000, groups, 0.4, 8.0)
    assert_allclose(draws.std(axis=0), 1.0, atol=0.03)
    together = np.corrcoef(draws.T)
    assert_allclose(together[0, 1], 0.4, atol=0.03)
    assert_allclose(together[0, 3], 0.0, atol=0.03)
    assert_allclose(shared_part(draws[:200].T, groups), 0.4, atol=0.1)
    assert shared_part(np.full((2, 3), np.nan), ["a", "a"]) == 0.0


def test_a_year_that_shakes_most_regions_is_no_news_about_momentum() -> None:
    settings = FilterSettings()
    usual = student.ppf(0.75, 5) * np.sqrt(3 / 5)
    calm = usual * np.array([[-3.0, 0.1, 1.0, -1.0, 0.5, 9.0]])
    assert_allclose(recent_volatility(calm, settings), 1.0)
    assert_allclose(recent_volatility(2 * calm, settings), 2.0 ** (2 * 6 / 16))
    assert_allclose(recent_volatility(2 * calm, replace(settings, ordinary_regions=np.inf)), 1.0)
    assert_allclose(recent_volatility(2 * calm, replace(settings, ordinary_regions=0.0)), 4.0)
    # After ten quiet years all regions move by ten times as much as ever before: the level keeps it, momentum does not.
    rng = np.random.default_rng(2)
    values = np.cumsum(rng.normal(0, 0.01, (20, 11)), axis=1)
    values[:, -1] = values[:, -2] + 0.1 * np.sign(rng.normal(size=20))
    values -= values.mean(axis=0)
    moving = replace(STILL, momenta=(1.0,), memories=(0.8,), clip=1e9)
    drift = {
        regions: np.abs(known(values, replace(moving, ordinary_regions=regions)).at.drift) for regions in (10.0, np.inf)
    }
    assert drift[10.0].mean() < 0.5 * drift[np.inf].mean()
