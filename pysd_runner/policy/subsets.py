"""Shares of players in what they do together, from the value of every subset, or of some. Arrays only."""

from collections.abc import Callable, Iterator
from math import comb

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = tuple[bool, ...]


def subsets(players: int) -> list[Mask]:
    """Every subset of some players; bit ``i`` of the position in the list is player ``i``."""
    return [tuple(bool(number >> player & 1) for player in range(players)) for number in range(2**players)]


def shapley(values: Array) -> Array:
    r"""Exact values of Shapley.

    .. math:: \phi_i = \sum_{S \not\ni i} \frac{|S|! (n - |S| - 1)!}{n!} (v(S \cup i) - v(S))

    Parameters
    ----------
    values
        Value of each subset in the order of `subsets`, shape (2**player, ...).

    Returns
    -------
    ndarray
        Shape (player, ...); they sum to the value of all less that of none. A player who never changes a value gets
        exactly 0.

    References
    ----------
    Shapley, L. S. (1953), A value for n-person games.
    """
    players = len(values).bit_length() - 1
    number = np.arange(len(values))
    sizes = np.array([int(item).bit_count() for item in number])
    found = np.zeros((players, *values.shape[1:]))
    for player in range(players):
        out = number[(number >> player & 1) == 0]
        weights = np.array([1 / (players * comb(players - 1, int(size))) for size in sizes[out]])
        found[player] = np.tensordot(weights, values[out | 1 << player] - values[out], axes=1)
    return found


def interactions(values: Array) -> Array:
    r"""Interaction index of Shapley of every pair: what two do together beyond what each does.

    .. math:: I_{ij} = \sum_{S \not\ni i,j} \frac{|S|! (n - |S| - 2)!}{(n - 1)!}
        (v(S \cup ij) - v(S \cup i) - v(S \cup j) + v(S))

    Parameters
    ----------
    values
        Value of each subset in the order of `subsets`, shape (2**player, ...).

    Returns
    -------
    ndarray
        Shape (player, player, ...), symmetric, 0 on the diagonal.

    References
    ----------
    Grabisch, M. and Roubens, M. (1999), An axiomatic approach to the concept of interaction among players in
    cooperative games.
    """
    players = len(values).bit_length() - 1
    number = np.arange(len(values))
    found = np.zeros((players, players, *values.shape[1:]))
    for first in range(players):
        for second in range(first + 1, players):
            one, two = 1 << first, 1 << second
            out = number[(number & (one | two)) == 0]
            weights = np.array([1 / ((players - 1) * comb(players - 2, int(item).bit_count())) for item in out])
            together = values[out | one | two] - values[out | one] - values[out | two] + values[out]
            found[first, second] = found[second, first] = np.tensordot(weights, together, axes=1)
    return found


def orders_of(players: int, count: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Random orders of the players in pairs, each followed by its reverse, which lowers the error."""
    found: list[tuple[int, ...]] = []
    while len(found) < count:
        order = tuple(int(item) for item in rng.permutation(players))
        found += [order, order[::-1]]
    return found


def ladders(order: tuple[int, ...]) -> Iterator[Mask]:
    """Subsets met while the players come in one by one, from none to all."""
    present = [False] * len(order)
    yield tuple(present)
    for player in order:
        present[player] = True
        yield tuple(present)


def sampled_shapley(value: Callable[[Mask], Array], orders: list[tuple[int, ...]]) -> tuple[Array, Array]:
    """Values of Shapley as means over orders, with their errors."""
    gains = []
    for order in orders:
        steps = [value(mask) for mask in ladders(order)]
        found = np.zeros((len(order), *np.shape(steps[0])))
        for place, player in enumerate(order):
            found[player] = steps[place + 1] - steps[place]
        gains.append(found)
    pairs = (np.array(gains[0::2]) + np.array(gains[1::2])) / 2
    errors = pairs.std(axis=0, ddof=1) / np.sqrt(len(pairs)) if len(pairs) > 1 else np.full_like(pairs[0], np.nan)
    return pairs.mean(axis=0), errors
