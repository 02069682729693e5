"""Point fit and Theil's statistics: against fractions, published values, laws, and bad input."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from calibration.sdeval import PointFit, point_fit
from pysd_runner.core.errors import InvalidInput
from tests.calibration.sdeval import twins

# Made up: bias, unequal swing and scatter.
OBSERVED = [101.5, 98.25, 110.0, 120.75, 119.5, 131.0, 128.125, 140.0]
SIMULATED = [103.0, 99.5, 108.0, 118.25, 125.5, 133.0, 135.125, 138.5]

NUMBERS = [name for name in PointFit.__dataclass_fields__ if name != "missing"]
# Spacing of 1/1024: sums of squares stay exact enough for a comparison at 1e-12 whatever is drawn.
steps = st.integers(-(2**20), 2**20).map(lambda whole: whole / 1024)
series = st.integers(3, 12).flatmap(lambda n: st.tuples(*(arrays(float, n, elements=steps) for _ in range(2))))


@pytest.fixture
def panel() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    observed = 50 + rng.normal(size=(4, 15)).cumsum(axis=-1)
    return observed, observed + rng.normal(0.3, 0.7, size=observed.shape)


@settings(max_examples=60, deadline=None)
@given(series)
def test_every_number_equals_its_formula_whatever_the_series(pair: tuple[np.ndarray, np.ndarray]) -> None:
    observed, simulated = pair
    if np.ptp(observed) == 0 or np.ptp(simulated) == 0 or (observed == simulated).all() or observed.mean() == 0:
        return
    if (np.diff(observed) == 0).all():
        return
    expected, found = twins.point_fit(observed.tolist(), simulated.tolist()), point_fit(observed, simulated)
    for name, value in expected.items():
        assert float(getattr(found, name)) == pytest.approx(value, rel=1e-12, abs=1e-12), name


def test_shares_keep_their_digits_where_the_error_is_small() -> None:
    rng = np.random.default_rng(3)
    observed = 1e6 + 1e5 * rng.normal(size=20).round(3)
    simulated = observed + rng.normal(size=20).round(3) * 2.0**-10
    expected, found = twins.theil(observed.tolist(), simulated.tolist()), point_fit(observed, simulated)
    for name in ("um", "us", "uc"):
        assert float(getattr(found, name)) == pytest.approx(expected[name], abs=1e-12)


def test_theil_of_the_examples_of_desctools() -> None:
    """Manual of the R package DescTools, TheilU, 1:10 against 2:11 with type 1."""
    found = point_fit(np.arange(1.0, 11), np.arange(2.0, 12))
    assert float(found.u1) == pytest.approx(0.07512486, abs=5e-9)


def test_a_perfect_fit() -> None:
    found = point_fit(OBSERVED, OBSERVED)
    best = {"n": 8, "squared_correlation": 1, "efficiency": 1}
    for name in NUMBERS:
        if name in ("um", "us", "uc"):
            assert np.isnan(getattr(found, name))
        else:
            assert float(getattr(found, name)) == pytest.approx(best.get(name, 0), abs=1e-12), name


def test_pooled_is_one_long_series_but_for_changes(panel: tuple[np.ndarray, np.ndarray]) -> None:
    observed, simulated = panel
    pooled, long = point_fit(observed, simulated, pooled=True), point_fit(observed.ravel(), simulated.ravel())
    for name in set(NUMBERS) - {"u2"}:
        assert float(getattr(pooled, name)) == pytest.approx(float(getattr(long, name)), rel=1e-12)
    error, change = (simulated - observed)[:, 1:], np.diff(observed)
    assert float(pooled.u2) == pytest.approx(np.sqrt((error**2).sum() / (change**2).sum()), rel=1e-12)


def test_missing_values_are_left_out_in_pairs_and_counted() -> None:
    observed, simulated = np.array(OBSERVED), np.array(SIMULATED)
    observed[2], simulated[5] = np.nan, np.nan
    kept = [0, 1, 3, 4, 6, 7]
    found, expected = point_fit(observed, simulated), point_fit(observed[kept], simulated[kept])
    assert (int(found.n), int(found.missing)) == (6, 2)
    for name in set(NUMBERS) - {"n", "u2"}:
        assert float(getattr(found, name)) == pytest.approx(float(getattr(expected, name)), rel=1e-12)
    pairs = [(1, 0), (4, 3), (7, 6)]
    ratio = sum((simulated[t] - observed[t]) ** 2 for t, _ in pairs) / sum(
        (observed[t] - observed[b]) ** 2 for t, b in pairs
    )
    assert float(found.u2) == pytest.approx(np.sqrt(ratio), rel=1e-12)


def test_constants_have_no_spread_whatever_their_digits() -> None:
    """Three times 0.1 has a mean that is not 0.1 in floating point."""
    found = point_fit([0.1, 0.1, 0.1], [0.7, 0.7, 0.7])
    assert np.isnan([found.efficiency, found.squared_correlation, found.u2]).all()
    assert [float(part) for part in (found.um, found.us, found.uc)] == pytest.approx([1, 0, 0], abs=1e-12)


def test_what_is_not_defined_is_missing() -> None:
    found = point_fit([0.0, 1.0, 2.0], [1.0, 1.0, 1.0])
    assert np.isnan(found.mape)
    nothing = point_fit([np.nan, 1.0], [1.0, np.nan])
    assert (int(nothing.n), int(nothing.missing)) == (0, 2)
    assert np.isnan(nothing.mae)
    assert np.isnan(nothing.uc)


@pytest.mark.parametrize(
    ("observed", "simulated", "message"),
    [
        ([1.0, 2.0], [1.0, 2.0, 3.0], r"shape \(2,\) and simulated \(3,\)"),
        ([1.0, np.inf], [1.0, 2.0], r"observed is infinite at index \(1,\)"),
        ([], [], "no moments"),
        (1.0, 2.0, "one number"),
        (["a"], ["b"], "not an array of numbers"),
    ],
)
def test_bad_pairs(observed: object, simulated: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        point_fit(observed, simulated)
