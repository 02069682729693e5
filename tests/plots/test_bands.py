"""Bands of futures."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings, strategies as st

from pysd_runner.plots.bands import LEVELS, bands_of, joined


def futures_of(values):
    return xr.DataArray(
        values, dims=("scenario", "draw", "region", "year"), coords={"year": np.arange(values.shape[3])}
    )


@given(seed=st.integers(0, 10_000), draws=st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_bands_are_nested_and_hold_their_share(seed, draws):
    values = np.random.default_rng(seed).normal(size=(1, draws, 1, 3))
    bands = bands_of(futures_of(values), scenario=0, region=0)
    assert (np.diff(bands.quantiles, axis=0) >= 0).all()
    inside = ((values[0, :, 0] >= bands.low) & (values[0, :, 0] <= bands.high)).mean(axis=0)
    assert (inside >= 0.9 - 2 / draws).all()
    np.testing.assert_allclose(bands.median, np.median(values[0, :, 0], axis=0))
    assert bands.is_single == (draws == 1)


def test_differences_pair_the_draws_one_by_one():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2, 9, 2, 3))
    bands = bands_of(futures_of(values), scenario=1, baseline=0, region=1, scale=100)
    slow = [sorted(100 * (values[1, d, 1, y] - values[0, d, 1, y]) for d in range(9)) for y in range(3)]
    np.testing.assert_allclose(bands.median, [column[4] for column in slow])


def test_a_common_shock_leaves_no_band_in_the_difference():
    shock = np.random.default_rng(0).normal(size=(1, 30, 1, 4))
    values = np.concatenate([shock, shock - 0.05])
    bands = bands_of(futures_of(values), scenario=1, baseline=0, region=0)
    np.testing.assert_allclose(bands.quantiles, -0.05)


def test_joining_puts_the_last_observation_in_front():
    bands = bands_of(futures_of(np.ones((1, 3, 1, 2))), scenario=0, region=0)
    longer = joined(bands, -1.0, 0.5)
    assert longer.years.tolist() == [-1, 0, 1]
    assert longer.quantiles[:, 0].tolist() == [0.5] * len(LEVELS)
    assert joined(bands, 0.0, 0.5) is bands
    assert joined(bands, -1.0, np.nan) is bands


def test_draws_with_a_hole_are_left_out():
    values = np.arange(5.0).reshape(1, 5, 1, 1) * np.ones((1, 5, 1, 2))
    values[0, 4, 0, 1] = np.nan
    bands = bands_of(futures_of(values), scenario=0, region=0)
    assert (bands.draws, bands.failed) == (5, 1)
    assert bands.median.tolist() == pytest.approx([1.5, 1.5])
