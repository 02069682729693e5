"""Paths begin and spread as the Kalman filter of their law says."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from calibration.filtering import Filtered, FilterSettings, estimate_laws, propagate
from calibration.filtering.laws import Laws, heavy, left_of_relative, states
from calibration.filtering.trend import Trend, forecasts, moved, steps
from tests.calibration.filtering.test_filter import STILL, known

SETTINGS = FilterSettings(clip=1e9, ordinary_regions=np.inf)
SD = 0.02
REGIONS, YEARS = 6, 14


def law(*, momentum: float = 0.4, reversion: float = 0.02) -> Trend:
    """One law."""
    return Trend(memory=np.array([0.6]), momentum=np.array([momentum]), reversion=np.array([reversion]))


def laws_of(trend: Trend, regions: int, shared: float = 0.0) -> Laws:
    """Equally likely."""
    count = len(trend)
    return Laws(
        trend=trend,
        sd=np.full(count, SD),
        weight=np.full(count, 1 / count),
        relative_size=np.ones(regions),
        shared=shared,
    )


def walks(regions: int = REGIONS, years: int = YEARS, seed: int = 0) -> np.ndarray:
    """Log relative output, shape (region, year)."""
    values = np.cumsum(np.random.default_rng(seed).normal(0, SD, (regions, years)), axis=1)
    return values - values.mean(axis=0)


def followed(values: np.ndarray, trend: Trend, *, shared: float = 0.0, groups: tuple[str, ...] = ()) -> Filtered:
    """The law at the origin."""
    laws = laws_of(trend, len(values), shared)
    *_, at = steps(values, trend, laws.sd[:, None] * laws.relative_size, SETTINGS)
    return Filtered(laws=laws, at=at, values=values, groups=groups or ("",) * len(values))


def test_states_differ_as_the_kalman_filter_says_they_do() -> None:
    values = walks()
    values[1, -1] = np.nan  # not seen in the last year
    values[2, -3:] = np.nan
    found = followed(values, law())
    level, drift = states(found, np.zeros(20_000, dtype=np.intp), np.random.default_rng(0))
    last = found.at
    scale = SD**2 * REGIONS / (REGIONS - 1)  # the mean over regions is taken out later
    for region in range(REGIONS):
        drawn = np.cov(np.stack((level, drift))[:, :, region])
        wanted = np.array(
            [
                [last.var_level[0, region], last.level_drift[0, region]],
                [last.level_drift[0, region], last.var_drift[0, region]],
            ]
        )
        assert_allclose(drawn, wanted * scale, rtol=0.05, atol=0.03 * scale * wanted.max())
    assert_allclose(level.mean(axis=0), last.level[0], atol=1e-15)
    # Where output was seen, it is known.
    assert_allclose(level[:, 0], values[0, -1], atol=1e-15)
    assert level[:, 2].std() > level[:, 1].std() > 1e-3


def test_what_a_class_has_in_common_has_one_sign_in_all_its_regions() -> None:
    values = walks(8, 20)
    values[2, -1] = np.nan
    values[5, -4:] = np.nan
    found = followed(values, law(), shared=0.95, groups=("a",) * 8)
    _, drift = states(found, np.zeros(400, dtype=np.intp), np.random.default_rng(0))
    assert np.corrcoef(drift.T).min() > 0.5


def test_paths_spread_as_the_small_filter_says() -> None:
    values = walks(12, 20, seed=5)
    settings = replace(STILL, momenta=(0.4,), memories=(0.6,), reversions=(0.02,), width_weight=1e12, clip=1e9)
    found = known(values, settings)
    _, draws = propagate(found, settings, horizon=5, draws=4000, rng=np.random.default_rng(0))
    laws = found.laws
    size = laws.sd[:, None] * laws.relative_size
    *_, at = steps(values, laws.trend, size, settings)
    for step in range(5):
        at = moved(at, laws.trend)
        # Relative output of a region holds a part of the shocks of the others, which differ in size.
        own = at.var_level[0] * size[0] ** 2 * 12 / 11
        wanted = own * (1 - 2 / 12) + own.sum() / 12**2
        assert_allclose(draws[:, :, step].var(axis=0), wanted, rtol=0.12)
        assert_allclose(draws[:, :, step].mean(axis=0), at.level[0] - at.level[0].mean(), atol=1e-12)


def test_two_regions_are_no_surer_than_many() -> None:
    """Relative output of two regions is half their difference, whose size is learnt as it is."""
    rng = np.random.default_rng(0)
    values = np.cumsum(rng.normal(0, SD, (2, 60)), axis=1)
    values -= values.mean(axis=0)
    settings = replace(STILL, width_weight=1e12, ordinary_regions=np.inf)
    found = known(values, settings)
    _, draws = propagate(found, settings, horizon=1, draws=2000, rng=np.random.default_rng(0))
    assert_allclose(draws[:, 0, 0].std(), found.laws.sd[0], rtol=0.05)
    assert_allclose(found.laws.sd[0], np.diff(values).std(), rtol=0.35)


def test_a_region_that_jumps_alone_has_no_momentum_of_it() -> None:
    values = walks(10, 15, seed=1)
    values[3, -1] += 10 * SD
    values -= values.mean(axis=0)
    trend = law(momentum=1.0, reversion=0.0)
    drift = {}
    for clip in (3.0, 1e9):
        *_, at = steps(values, trend, np.full((1, 10), SD), replace(SETTINGS, clip=clip))
        drift[clip] = at.drift[0, 3]
    assert 0 < drift[3.0] < 0.5 * drift[1e9]


@pytest.mark.parametrize("years", [60, 100, 150])
def test_an_early_jump_in_a_quiet_panel_leaves_the_variances_positive(years: int) -> None:
    values = np.tile(np.linspace(-1, 1, REGIONS)[:, None], years)
    values[2, 1:] += 5.0
    values -= values.mean(axis=0)
    laws = estimate_laws(values, [""] * REGIONS, FilterSettings())
    assert_allclose(laws.weight.sum(), 1.0)
    size = laws.sd[:, None] * laws.relative_size
    for step in steps(values, laws.trend, size, FilterSettings()):
        assert step.var_level.min() > -1e-9
        assert step.var_drift.min() >= 0


def test_a_lone_region_is_known_and_surprises_nobody() -> None:
    values = walks(5, 24, seed=2)
    values[1:, :10] = np.nan
    values[0, :10] = 0.0
    found = list(steps(values, law(), np.full((1, 5), SD), SETTINGS))
    for step in found[1:11]:
        assert np.isnan(step.innovation[0, 0])
        assert_allclose(step.level[0, 0], values[0, step.year] if step.year < 10 else step.level[0, 0], atol=1e-15)
        assert_allclose(step.var_level[0, 0], 0.0, atol=1e-12)


def test_noise_of_relative_output_has_the_size_that_was_learnt_in_classes_too() -> None:
    rng = np.random.default_rng(0)
    for groups, shared in ((("",) * 2, 0.0), (("a",) * 5 + ("b",) * 5, 0.8), (("a",) * 3 + ("",) * 4, 0.5)):
        noise = heavy(rng, 40_000, groups, shared, np.inf) / left_of_relative(groups, shared)
        relative = noise - noise.mean(axis=1, keepdims=True)
        assert_allclose((relative**2).mean(), 1.0, rtol=0.03)
    assert left_of_relative(("a",), 0.0) == 1.0


def test_a_lone_region_says_nothing_about_sizes() -> None:
    values = walks(5, 24, seed=2)
    values[1:, :10] = np.nan
    values[0, :10] = 0.0  # alone, it is the mean
    alone = estimate_laws(values, [""] * 5, FilterSettings())
    together = estimate_laws(values[:, 10:], [""] * 5, FilterSettings())
    assert_allclose(alone.sd.mean(), together.sd.mean(), rtol=0.1)
    assert abs(alone.relative_size[0] - together.relative_size[0]) < 0.1
    law_ = alone.trend.of(np.array([0]))
    for item in forecasts(values, law_, np.full((1, 5), SD), SETTINGS, 3):
        assert item.known.sum() > 1
