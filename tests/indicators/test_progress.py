"""Years to halve a gap."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pysd_runner.indicators import halving_time, years_to_halve
from tests.indicators import twins

GAPS = st.lists(st.integers(0, 100).map(lambda percent: percent / 100), min_size=2, max_size=8)


@given(gap=GAPS)
@settings(max_examples=60, deadline=None)
def test_years_to_halve_equals_walking_along_the_line(gap):
    years = [2000 + 2 * k for k in range(len(gap))]
    fast, slow = float(years_to_halve(gap, years)), twins.halved_after(gap, years)
    if gap[0] == 0:
        assert math.isnan(fast)
    elif math.isinf(slow):
        assert math.isinf(fast) or fast == pytest.approx(years[-1] - years[0])
    else:
        assert fast == pytest.approx(slow, abs=2e-2)


def test_halving_of_an_exponential_is_its_half_life():
    years = np.arange(2000, 2041)
    gap = 0.6 * np.exp(-np.log(2) / 17 * (years - 2000))
    assert halving_time(gap, years) == pytest.approx(17)
    assert years_to_halve(gap, years) == pytest.approx(17)


def test_gaps_that_never_halve():
    paths = np.array([[0.4, 0.5], [0.4, 0.4], [0.4, 0.3], [0.4, 0.0], [0.0, 0.1], [0.4, np.nan]])
    reached = years_to_halve(paths, [2000, 2010])
    rate = halving_time(paths, [2000, 2010])
    assert reached[:3].tolist() == [math.inf] * 3
    assert reached[3] == pytest.approx(5)
    assert np.isnan(reached[4:]).all()
    assert rate[:2].tolist() == [math.inf] * 2
    assert rate[2] == pytest.approx(10 * math.log(2) / math.log(4 / 3))
    assert rate[3] == 0
    assert np.isnan(rate[4:]).all()


def test_years_may_lie_along_any_axis():
    paths = np.array([[0.4, 0.3, 0.1], [0.4, 0.5, 0.6]])
    years = [2024, 2025, 2026]
    np.testing.assert_array_equal(years_to_halve(paths.T, years, axis=0), years_to_halve(paths, years))
    assert years_to_halve(paths, years).tolist() == [1.5, math.inf]
