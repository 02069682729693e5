"""What is kept of an ensemble when its runs are not: statistics over draws, brought up to date block by block."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput
from pysd_runner.ensemble.quantiles import QuantileSketch, Summary

Array = NDArray[np.float64]

# Values that are worked on at once: they stay in the cache while they are copied, sorted and reduced.
AT_ONCE = 131_072

SIMPLE = ("mean", "variance", "minimum", "maximum")
QUANTILE = "quantile"
# Values that are worked on at once: they and their deviations stay in the cache.
DRAWS_AT_ONCE = 32_768


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
    """Moments of one block, from deviations of one of the values."""
    # No value lies farther from the mean than sqrt(count - 1) standard deviations, so that little is cancelled.
    series, count = values.shape
    origin = values[:, count // 2].astype(float)
    beyond, squares = np.empty(series), np.empty(series)
    rows = max(1, DRAWS_AT_ONCE // count)
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
    """Moments of the values of two blocks together."""
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Statistics:
    """Which statistics over draws are kept in place of the runs; cases that failed are counted and left out.

    Parameters
    ----------
    mean, variance, minimum, maximum
        Whether they are kept. The variance is that of a sample, with one less than the number of draws below.
    quantiles
        Shares between 0 and 1; empty for none.
    tolerance
        Largest error of a quantile in ranks, as a share of the draws, whatever the values and their order: at least
        ``quantile - tolerance`` of the draws lie at or below the value given, at most ``quantile + tolerance``
        strictly below. Up to 4096 draws quantiles are exact.
    against
        Name of a scenario: the same statistics are also kept of every scenario minus that one, draw by draw, over the
        draws that failed under neither. Empty for none.

    Raises
    ------
    InvalidInput
        If nothing is kept, or a share does not lie between 0 and 1.
    """

    mean: bool = True
    variance: bool = True
    minimum: bool = True
    maximum: bool = True
    quantiles: tuple[float, ...] = (0.05, 0.5, 0.95)
    tolerance: float = 0.01
    against: str = ""

    def __post_init__(self) -> None:
        try:
            levels = tuple(float(level) for level in self.quantiles)
        except (TypeError, ValueError) as error:
            raise InvalidInput(
                f"quantiles: expected a list of shares between 0 and 1, such as (0.05, 0.5, 0.95); found "
                f"{self.quantiles!r}"
            ) from error
        wrong = [level for level in levels if not 0 <= level <= 1]
        if wrong:
            raise InvalidInput(f"quantiles: expected shares between 0 and 1; found {wrong[0]!r}")
        if not 0 < self.tolerance < 1:
            raise InvalidInput(f"tolerance: expected a share between 0 and 1; found {self.tolerance!r}")
        object.__setattr__(self, "quantiles", levels)
        if not self.simple and not levels:
            raise InvalidInput("no statistic is kept; ask for at least one")

    @property
    def simple(self) -> tuple[str, ...]:
        """Those among mean, variance, minimum and maximum that are kept."""
        return tuple(name for name in SIMPLE if getattr(self, name))


@dataclass(frozen=True, slots=True)
class BlockStatistics:
    """What is left of one outcome of one block."""

    moments: Moments | None  # none when none are kept
    summary: Summary | None  # none when no quantile is kept
    missing: NDArray[np.bool_] | None = None  # series with a missing value, shape (series,); None when there is no draw


@dataclass(kw_only=True, slots=True)
class RunningStatistics:
    """Statistics of one outcome under one scenario."""

    kept: Statistics
    shape: tuple[int, ...]  # subscripts and years of the outcome
    planned: int
    block: int
    _moments: Moments | None = field(init=False, default=None)
    _sketch: QuantileSketch = field(init=False)
    _missing: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self._sketch = QuantileSketch(planned=self.planned, block=self.block, tolerance=self.kept.tolerance)
        self._missing = np.zeros(int(np.prod(self.shape)), dtype=bool)

    def summarise(self, values: NDArray[np.floating]) -> BlockStatistics:
        """Reduce the draws of one block; it can be done in any thread."""
        count = values.shape[0]
        if not count:
            return BlockStatistics(None, None)
        # (draw, ..., year) becomes (year, ..., draw), as the compiled engine writes it, and (series, draw).
        series = np.moveaxis(values, (0, -1), (-1, 0)).reshape(-1, count)
        kept = np.empty_like(series, order="C") if self.kept.quantiles else None
        rows = max(1, AT_ONCE // count)
        with np.errstate(all="ignore"):
            found = [
                self._summarise(series[part], None if kept is None else kept[part])
                for part in (slice(first, first + rows) for first in range(0, len(series), rows))
            ]
            summary = None if kept is None else self._sketch.summarise(kept, is_sorted=True)
        moments = joined_moments([item for item, _ in found if item is not None])
        return BlockStatistics(moments, summary, np.concatenate([missing for _, missing in found]))

    def _summarise(
        self, series: NDArray[np.floating], kept: NDArray[np.floating] | None
    ) -> tuple[Moments | None, NDArray[np.bool_]]:
        """Moments of some of the series, few enough to stay in the cache, and which have a missing value."""
        if kept is None:
            moments = moments_of(series)
            missing = np.isnan(moments.squares)  # also of what is infinite
            missing[missing] = np.isnan(series[missing]).any(axis=1)
            return moments, missing
        kept[...] = series
        kept.sort(axis=-1)
        # Sorting puts NaN last.
        return moments_of(kept, is_sorted=True) if self.kept.simple else None, np.isnan(kept[:, -1])

    def add(self, block: BlockStatistics) -> None:
        """Add the draws of a block."""
        with np.errstate(all="ignore"):
            if block.moments is not None:
                self._moments = combined(self._moments, block.moments)
            if block.summary is not None:
                self._sketch.add(block.summary)
        if block.missing is not None:
            self._missing |= block.missing

    @property
    def error(self) -> float:
        """Bound on the error of quantiles that was reached, in ranks as a share of the draws."""
        return self._sketch.error

    def results(self) -> dict[str, Array]:
        """Statistics by name, shape (..., year), that of quantiles (quantile, ..., year)."""
        # They are NaN without any draw, and where some draw has a missing value.
        found = {name: self._moment(name) for name in self.kept.simple}
        levels: Sequence[float] = self.kept.quantiles
        if levels:
            shape = (len(levels), *self.shape)
            found[QUANTILE] = self._in_place(self._sketch.at(levels)) if self._sketch.count else np.full(shape, np.nan)
        missing = self._in_place(self._missing)
        return {name: np.where(missing, np.nan, values) for name, values in found.items()} if missing.any() else found

    def _moment(self, name: str) -> Array:
        if self._moments is None:
            return np.full(self.shape, np.nan)
        return self._in_place(getattr(self._moments, name))

    def _in_place(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values by series, shape (..., series), as (..., subscripts, year)."""
        lead = values.shape[:-1]
        return np.moveaxis(values.reshape(*lead, self.shape[-1], *self.shape[:-1]), len(lead), -1)
