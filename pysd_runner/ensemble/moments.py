"""Mean, variance and extremes of many series at once, from values that come in blocks and are not kept."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Values that are worked on at once: they and their deviations stay in the cache.
AT_ONCE = 32_768


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean, sum of squared deviations and extremes of every series."""

    count: int  # how many values stand behind them, the same for every series
    origin: Array
    beyond: Array
    squares: Array
    minimum: Array
    maximum: Array

    @property
    def mean(self) -> Array:
        """Mean, shape (series,)."""
        return self.origin + self.beyond

    @property
    def variance(self) -> Array:
        """Sample variance, ``squares / (count - 1)``, shape (series,); NaN below two values."""
        return self.squares / (self.count - 1) if self.count > 1 else np.full_like(self.squares, np.nan)


def moments_of(values: NDArray[np.floating], *, is_sorted: bool = False) -> Moments:
    """Moments of one block, from deviations of a value amid the others."""
    series, count = values.shape
    origin = (values[:, count // 2] if is_sorted else values.mean(axis=1, dtype=float)).astype(float)
    beyond, squares = np.empty(series), np.empty(series)
    rows = max(1, AT_ONCE // count)
    for first in range(0, series, rows):
        part = slice(first, first + rows)
        deviations = values[part] - origin[part, None]
        deviations.mean(axis=1, out=beyond[part])
        np.einsum("ij,ij->i", deviations, deviations, out=squares[part])
    squares -= count * beyond**2
    low, high = (values[:, 0], values[:, -1]) if is_sorted else (values.min(axis=1), values.max(axis=1))
    return Moments(count, origin, beyond, squares, low.astype(float), high.astype(float))


def joined_moments(parts: Sequence[Moments]) -> Moments | None:
    """Moments of different series of one block, one after the other."""
    if not parts:
        return None
    names = [item.name for item in fields(Moments) if item.name != "count"]
    return Moments(parts[0].count, *(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def combined(first: Moments | None, second: Moments) -> Moments:
    """Moments of the values of two blocks together.

    With ``d = mean2 - mean1`` and ``n = n1 + n2``: ``mean = mean1 + d n2 / n``,
    ``squares = squares1 + squares2 + d^2 n1 n2 / n``. The origin stays that of the first block.

    References
    ----------
    Chan, Golub & LeVeque (1983), Algorithms for computing the sample variance.
    """
    if first is None or not first.count:
        return second
    if not second.count:
        return first
    count = first.count + second.count
    apart = (second.origin - first.origin) + (second.beyond - first.beyond)
    return Moments(
        count,
        first.origin,
        first.beyond + apart * (second.count / count),
        first.squares + second.squares + apart**2 * (first.count * second.count / count),
        np.minimum(first.minimum, second.minimum),
        np.maximum(first.maximum, second.maximum),
    )
