"""Statistics that are brought up to date block by block are those of all values at once."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pysd_runner.core.errors import InvalidInput
from pysd_runner.ensemble.statistics import (
    MAX_EXACT,
    QuantileSketch,
    RunningStatistics,
    Statistics,
    _exact,
    combined,
    moments_of,
)

LEVELS = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


def in_blocks(values, sizes):
    """Parts of these lengths, over and over, along the last axis."""
    place, turn = 0, 0
    while place < values.shape[-1]:
        size = sizes[turn % len(sizes)]
        yield values[..., place : place + size]
        place, turn = place + size, turn + 1


def sketch_of(values, sizes, tolerance, planned=None):
    sketch = QuantileSketch(planned=planned or values.shape[1], block=sizes[0], tolerance=tolerance)
    for part in in_blocks(values, sizes):
        sketch.add(sketch.summarise(np.sort(part)))
    return sketch


def worst(values, found, levels):
    """Largest distance in ranks, as a share, between a quantile that was found and one that would be exact."""
    count = values.shape[1]
    distance = 0.0
    for series, row in enumerate(values):
        for place, level in enumerate(levels):
            at_or_below = (row <= found[place, series]).sum() / count
            below = (row < found[place, series]).sum() / count
            distance = max(distance, level - at_or_below, below - level)
    return distance


def orders(count):
    rng = np.random.default_rng(0)
    heavy = rng.standard_cauchy(count)
    ramp = np.arange(count, dtype=float)
    saw = np.where(np.arange(count) % 2, ramp, -ramp)
    late = np.concatenate([np.zeros(count // 2), 1e300 * np.sort(rng.random(count - count // 2))])
    steps = np.floor(10 * rng.random(count))
    blocked = np.concatenate([np.sort(part) for part in np.array_split(heavy, 13)])
    return np.stack([ramp, ramp[::-1], np.full(count, 3.7), heavy, np.sort(heavy), saw, late, steps, blocked])


@pytest.mark.parametrize("count", [MAX_EXACT + 1, 60_000])
@pytest.mark.parametrize("sizes", [(64,), (1024,), (1600,), (4096,), (1, 700, 33)], ids=str)
@pytest.mark.parametrize("tolerance", [0.05, 0.01, 0.002])
def test_quantiles_keep_their_tolerance_in_every_order(count, sizes, tolerance):
    values = orders(count)
    sketch = sketch_of(values, sizes, tolerance)
    found = sketch.at(LEVELS)
    assert 0 < sketch.error <= tolerance
    assert worst(values, found, LEVELS) <= sketch.error + 1e-9
    assert np.isin(found.T, values).all()


def test_the_bound_is_not_idle():
    """Values in an adverse order use a good part of it: a bound far below would be broken."""
    values = orders(200_000)
    sketch = sketch_of(values, (1024,), 0.05)
    assert worst(values, sketch.at(LEVELS), LEVELS) > sketch.error / 20


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=6),
    count=st.integers(1, 40_000),
    tolerance=st.sampled_from([0.3, 0.05, 0.01]),
    seed=st.integers(0, 3),
)
def test_quantiles_keep_their_tolerance_in_any_blocks(sizes, count, tolerance, seed):
    values = np.random.default_rng(seed).normal(size=(2, count)).round(2)
    sketch = sketch_of(values, [*sizes, 97], tolerance)
    assert sketch.count == count
    assert sketch.error <= tolerance
    assert worst(values, sketch.at(LEVELS), LEVELS) <= sketch.error + 1e-9 + 1 / count * (sketch.error == 0)


def test_few_values_are_kept_and_their_quantiles_are_those_of_numpy():
    values = np.random.default_rng(1).normal(size=(5, MAX_EXACT))
    sketch = sketch_of(values, (300,), 0.2)
    assert sketch.error == 0
    np.testing.assert_array_equal(sketch.at(LEVELS), np.quantile(values, LEVELS, axis=1))


def test_fewer_values_than_planned_keep_the_tolerance():
    values = orders(9000)
    sketch = sketch_of(values, (640,), 0.01, planned=1_000_000)
    assert worst(values, sketch.at(LEVELS), LEVELS) <= sketch.error <= 0.01


def test_what_is_kept_hardly_grows_with_the_number_of_values():
    kept = {}
    for count in (50_000, 1_000_000):
        sketch = QuantileSketch(planned=count, block=4096, tolerance=0.01)
        most = 0
        for part in in_blocks(np.arange(count, dtype=float)[None], (4096,)):
            sketch.add(sketch.summarise(np.sort(part)))
            most = max(most, sum(item.points.size for item in sketch.summaries))
        kept[count] = most
    assert kept[1_000_000] < 5000
    assert kept[1_000_000] < 4 * kept[50_000]


def test_series_do_not_mix_and_parts_of_them_do_not_matter(monkeypatch):
    values = np.random.default_rng(2).normal(size=(7, 20_000)) * np.arange(1, 8)[:, None]
    together = sketch_of(values, (1000,), 0.01).at(LEVELS)
    monkeypatch.setattr("pysd_runner.ensemble.statistics.READ_AT_ONCE", 1)
    np.testing.assert_array_equal(together, sketch_of(values, (1000,), 0.01).at(LEVELS))
    alone = np.concatenate([sketch_of(row[None], (1000,), 0.01).at(LEVELS) for row in values], axis=1)
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("sizes", [(64,), (1, 2, 3), (1000, 1)], ids=str)
@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("is_sorted", [False, True])
def test_mean_and_variance_are_exact(sizes, offset, is_sorted):
    rng = np.random.default_rng(0)
    values = offset + rng.normal(size=(6, 5000)) * 10.0 ** np.arange(-2, 4)[:, None]
    whole = None
    for part in in_blocks(values, sizes):
        whole = combined(whole, moments_of(np.sort(part) if is_sorted else part, is_sorted=is_sorted))
    longer = values.astype(np.longdouble)
    np.testing.assert_allclose(whole.mean, longer.mean(axis=1).astype(float), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(whole.variance, longer.var(axis=1, ddof=1).astype(float), rtol=1e-12)
    np.testing.assert_array_equal(whole.minimum, values.min(axis=1))
    np.testing.assert_array_equal(whole.maximum, values.max(axis=1))


def test_a_constant_has_no_variance():
    whole = None
    for part in in_blocks(np.full((1, 1000), 0.1), (7,)):
        whole = combined(whole, moments_of(part))
    assert whole.mean[0] == 0.1
    assert whole.variance[0] == 0


def test_one_value_has_no_variance_and_none_has_no_statistics():
    running = RunningStatistics(kept=Statistics(quantiles=(0.5,)), shape=(2,), planned=10, block=10)
    running.add(running.summarise(np.empty((0, 2))))
    assert all(np.isnan(values).all() for values in running.results().values())
    running.add(running.summarise(np.array([[1.0, 2.0]])))
    found = running.results()
    assert found["mean"].tolist() == found["minimum"].tolist() == found["quantile"][0].tolist() == [1, 2]
    assert np.isnan(found["variance"]).all()


def test_summarising_leaves_the_values_alone():
    values = np.random.default_rng(0).normal(size=(50, 3, 2))
    before = values.copy()
    running = RunningStatistics(kept=Statistics(), shape=(3, 2), planned=50, block=50)
    running.add(running.summarise(values))
    np.testing.assert_array_equal(values, before)
    np.testing.assert_allclose(running.results()["mean"], before.mean(axis=0), rtol=1e-14)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"quantiles": (0.5, 1.5)}, "found 1.5"),
        ({"quantiles": ("median",)}, "shares between 0 and 1"),
        ({"quantiles": 0.5}, "expected a list of shares"),
        ({"tolerance": 0}, "tolerance"),
        ({"mean": False, "variance": False, "minimum": False, "maximum": False, "quantiles": ()}, "at least one"),
    ],
)
def test_statistics_that_make_no_sense_are_refused(options, text):
    with pytest.raises(InvalidInput, match=text):
        Statistics(**options)


@given(
    st.lists(
        st.lists(st.sampled_from([0.0, 1.0, -2.5, 1e300, 3.0, np.nan, np.inf]), min_size=1, max_size=9), min_size=1
    ),
    st.sampled_from([0.0, 0.05, 1 / 3, 0.5, 0.95, 1.0]),
)
def test_quantiles_of_sorted_runs_are_those_of_all_values(runs, level):
    parts = [np.sort(np.array([run], dtype=float), axis=1) for run in runs]
    with np.errstate(invalid="ignore"):
        expected = np.quantile(np.concatenate(parts, axis=1), level, axis=1)
    np.testing.assert_array_equal(_exact(parts, level), expected)


def test_moments_of_values_with_one_far_away():
    values = np.random.default_rng(1).normal(size=(2, 1000))
    values[:, 500] = 1e9  # the value deviations are taken from
    found = moments_of(values)
    np.testing.assert_allclose(found.variance, values.var(axis=1, ddof=1), rtol=1e-12)
    np.testing.assert_allclose(found.mean, values.mean(axis=1), rtol=1e-9)
