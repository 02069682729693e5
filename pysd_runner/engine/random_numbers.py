"""Counter-based random numbers: each depends only on the seed and on where and when it is drawn.

A uniform number in [0, 1) is a hash of five integers: seed, site (which call of a random function in the model), step,
cell (in C order over the axes of the function) and draw. All arithmetic is on unsigned 64-bit integers and wraps::

    mix(z)  = z ^= z >> 30;  z *= 0xBF58476D1CE4E5B9;  z ^= z >> 27;  z *= 0x94D049BB133111EB;  z ^= z >> 31
    h       = mix(seed + 0x9E3779B97F4A7C15)
    h       = mix((h ^ word) + 0x9E3779B97F4A7C15)   for word = site, step, cell, draw, in this order
    uniform = (h >> 11) * 2**-53

``mix`` is the finaliser of SplitMix64. The scenario is not used: scenarios share their random numbers. Draws are
counted over the whole ensemble, so that the numbers of a draw do not depend on the block that it is computed in.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST_MULTIPLIER = np.uint64(0xBF58476D1CE4E5B9)
SECOND = np.uint64(0x94D049BB133111EB)

# Seeds may be any integer; only their low 64 bits are used.
MASK = 0xFFFFFFFFFFFFFFFF

Words = NDArray[np.uint64]


def mixed(words: Words) -> Words:
    """Apply the finaliser of SplitMix64 to every word."""
    words = (words ^ (words >> np.uint64(30))) * FIRST_MULTIPLIER
    words = (words ^ (words >> np.uint64(27))) * SECOND
    return words ^ (words >> np.uint64(31))


def uniform(
    seed: int, draws: Sequence[int] | NDArray[np.int64], step: int, site: int, cells: int
) -> NDArray[np.float64]:
    """Uniform random numbers in [0, 1), shape (draw, cell).

    >>> uniform(0, [0, 1], 0, 0, 2).round(6).tolist()
    [[0.47141, 0.177325], [0.647758, 0.122707]]
    """
    # Arrays of one element overflow without a warning, unlike NumPy scalars.
    h = mixed(np.array([seed & MASK], dtype=np.uint64) + GOLDEN)
    for word in (site, step):
        h = mixed((h ^ np.uint64(word)) + GOLDEN)
    h = mixed((h ^ np.arange(cells, dtype=np.uint64)) + GOLDEN)
    h = mixed((h[None, :] ^ np.asarray(draws, dtype=np.uint64)[:, None]) + GOLDEN)
    return (h >> np.uint64(11)).astype(float) * 2.0**-53


class RandomStream:
    """Random numbers of consecutive draws."""

    def __init__(self, seed: int, first: int, count: int) -> None:
        self._seed = seed
        self._draws = np.arange(first, first + count)

    def uniform(self, site: int, step: int, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Uniform numbers, shape (1, draw, *shape)."""
        values = uniform(self._seed, self._draws, step, site, int(np.prod(shape)))
        return values.reshape(1, self._draws.size, *shape)
