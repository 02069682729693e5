"""Values of Shapley against plain loops over all orders, and their laws."""

from itertools import permutations
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pysd_runner.policy.subsets import interactions, ladders, orders_of, sampled_shapley, shapley, subsets


def by_orders(values):
    """Slow twin: the mean of what a player adds over all orders."""
    players = len(values).bit_length() - 1
    found = np.zeros((players, *values.shape[1:]))
    for order in permutations(range(players)):
        present = 0
        for player in order:
            found[player] += values[present | 1 << player] - values[present]
            present |= 1 << player
    return found / factorial(players)


games = st.integers(1, 4).flatmap(
    lambda players: st.lists(st.floats(-10, 10), min_size=2**players, max_size=2**players).map(np.array)
)


@settings(deadline=None)
@given(games)
def test_exact_values_are_means_over_all_orders(values):
    assert shapley(values) == pytest.approx(by_orders(values), abs=1e-12)


@settings(deadline=None)
@given(games)
def test_a_player_who_changes_nothing_gets_exactly_nothing(values):
    idle = np.concatenate([values, values])
    assert shapley(idle)[-1] == 0
    assert shapley(idle)[:-1] == pytest.approx(shapley(values), abs=1e-12)
    if len(values) > 1:
        assert (interactions(idle)[-1] == 0).all()


def test_interaction_is_what_two_do_only_together():
    values = np.array([float(mask[0]) + 2 * float(mask[1] and mask[2]) for mask in subsets(3)])
    found = interactions(values)
    assert found[1, 2] == found[2, 1] == pytest.approx(2)
    assert found[0] == pytest.approx([0, 0, 0])


@settings(deadline=None)
@given(games)
def test_interactions_of_two_are_their_synergy(values):
    if len(values) == 4:
        assert interactions(values)[0, 1] == pytest.approx(values[3] - values[1] - values[2] + values[0], abs=1e-12)


def test_orders_drawn_at_random_come_near_and_say_how_near():
    rng = np.random.default_rng(0)
    values = dict(zip(subsets(6), rng.normal(size=64), strict=True))
    exact = shapley(np.array(list(values.values())))
    worth, errors = sampled_shapley(values.__getitem__, orders_of(6, 400, np.random.default_rng(1)))
    assert worth.sum() == pytest.approx(values[(True,) * 6] - values[(False,) * 6], abs=1e-12)
    assert (np.abs(worth - exact) < 4 * errors).all()


def test_a_ladder_goes_from_none_to_all():
    assert list(ladders((1, 0))) == [(False, False), (False, True), (True, True)]
