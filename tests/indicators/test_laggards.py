"""The gap of the regions below the mean, and the split of its change."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from pysd_runner.core.errors import InvalidInput
from pysd_runner.indicators.relative import laggards, mean_log_gap, split_change

POSITIVE = st.floats(0.1, 10.0)
STATES = arrays(float, (4, 2, 5), elements=POSITIVE)


def gap(output, people):
    return mean_log_gap(output, people, BEHIND, axis=-1)


BEHIND = np.array([True, True, False, False, True])


def test_who_is_behind_and_by_how_much():
    output, people = np.array([1.0, 3.0, 8.0]), np.array([1.0, 1.0, 2.0])
    assert laggards(output, people).tolist() == [True, False, False]
    assert float(mean_log_gap(output, people, [True, False, False], axis=-1)) == pytest.approx(np.log(3.0))


@settings(max_examples=50)
@given(STATES, st.floats(0.5, 2.0))
def test_parts_sum_to_the_change_and_scale_does_not_matter(states, factor):
    before, after = (states[0], states[1]), (states[2], states[3])
    own, others = split_change(gap, before, after, BEHIND)
    np.testing.assert_allclose(own + others, gap(*after) - gap(*before), atol=1e-12)
    other = split_change(gap, (factor * before[0], before[1]), (factor * after[0], after[1]), BEHIND)
    np.testing.assert_allclose(other[0], own, atol=1e-12)


@settings(max_examples=50)
@given(STATES)
def test_a_part_does_not_depend_on_which_regions_are_named_first(states):
    before, after = (states[0], states[1]), (states[2], states[3])
    own, others = split_change(gap, before, after, BEHIND)
    swapped = split_change(gap, before, after, ~BEHIND)
    np.testing.assert_allclose(swapped, (others, own), atol=1e-12)


@settings(max_examples=50)
@given(STATES)
def test_who_does_not_move_contributes_nothing(states):
    before = (states[0], states[1])
    after = (np.where(BEHIND, states[2], states[0]), np.where(BEHIND, states[3], states[1]))
    own, others = split_change(gap, before, after, BEHIND)
    np.testing.assert_allclose(others, 0, atol=1e-12)
    np.testing.assert_allclose(own, gap(*after) - gap(*before), atol=1e-12)


def test_no_region_behind_is_refused():
    with pytest.raises(InvalidInput, match="no region lies below the mean"):
        mean_log_gap([1.0, 1.0], [1.0, 1.0], [False, False], axis=-1)
