"""Planted boxes and borders are found again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pysd_runner.policy.futures import prim


def planted(seed, low=0.6, switch=True):
    """Futures with five factors: it happens where the first is high and the last, a switch, is on, with some noise."""
    rng = np.random.default_rng(seed)
    factors = np.column_stack([rng.uniform(size=(1500, 4)), rng.integers(0, 2, 1500)])
    box = (factors[:, 0] > low) & ((factors[:, 4] == 1) | (not switch))
    return factors, box ^ (rng.uniform(size=1500) < 0.05), box


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_a_planted_box_is_found(seed):
    factors, hits, box = planted(seed)
    found = prim(factors, hits)
    assert {side.factor for side in found.sides} == {0, 4}
    low = next(side.low for side in found.sides if side.factor == 0)
    assert low == pytest.approx(0.6, abs=0.06)
    inside = found.inside(factors)
    assert (inside & box).sum() / (inside | box).sum() > 0.85
    assert found.density > 0.85
    assert found.coverage > 0.7
    assert found.mass == pytest.approx(inside.mean())


def test_sides_are_those_of_conditional_shares():
    factors, hits, _ = planted(3)
    found = prim(factors, hits)
    for side in found.sides:
        others = np.ones(len(hits), dtype=bool)
        for other in found.sides:
            if other is not side:
                others &= (factors[:, other.factor] >= other.low) & (factors[:, other.factor] <= other.high)
        inside = others & (factors[:, side.factor] >= side.low) & (factors[:, side.factor] <= side.high)
        assert hits[inside].mean() == pytest.approx(found.density)
        assert side.gain == pytest.approx(hits[inside].mean() - hits[others].mean())
        assert hits[inside].mean() > hits[others & ~inside].mean() + 0.3


def test_where_nothing_matters_no_side_is_named():
    rng = np.random.default_rng(0)
    found = prim(rng.uniform(size=(1000, 4)), np.ones(1000, dtype=bool))
    assert found.sides == ()
    assert (found.density, found.coverage, found.mass) == (1.0, 1.0, 1.0)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.1, 0.35, 0.5, 0.8]))
def test_in_noise_no_side_is_named(seed, share):
    rng = np.random.default_rng(seed)
    factors = np.column_stack([rng.uniform(size=(600, 8)), rng.integers(0, 2, (600, 3))])
    assert prim(factors, rng.uniform(size=600) < share).sides == ()


def test_a_box_is_found_where_it_happens_often_elsewhere_too():
    rng = np.random.default_rng(0)
    factors = rng.uniform(size=(1500, 4))
    hits = rng.uniform(size=1500) < np.where(factors[:, 1] > 0.7, 0.8, 0.35)
    found = prim(factors, hits)
    assert {side.factor for side in found.sides} == {1}
    assert found.sides[0].low == pytest.approx(0.7, abs=0.08)
    assert found.density > 0.7


def test_a_box_keeps_the_least_part_of_all_futures():
    factors = np.linspace(0, 1, 1000)[:, None]
    assert prim(factors, factors[:, 0] > 0.98).mass == pytest.approx(0.1, abs=0.006)
