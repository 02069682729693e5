"""Statistics over draws, updated block by block, for ensembles whose runs are not kept."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.types import Array, Arrays, Flags, frozen

Numbers = NDArray[np.floating]

# Maximum number of values of a series that are all kept, so that their quantiles are exact.
MAX_EXACT = 4096

# Maximum number of values reduced at once: enough to make merging cheap, few enough to stay in the cache when sorted.
LEAF = 1024

# Number of reduced summaries that are merged into one of the next tier.
FAN = 4

# Maximum number of elements of an array while quantiles are computed; more series are processed in parts.
READ_AT_ONCE = 1_000_000

# Standard deviations around the expected rank of a quantile within which it is searched first.
FIRST_SEARCHED = 3.5


@dataclass(frozen=True, slots=True)
class Summary:
    """Values of every series, reduced to weighted points."""

    points: Numbers  # sorted along the last axis, shape (series, point)
    count: int  # number of values they represent, the same for every series
    error: float  # maximum error, in ranks, of the number of values at or below any number

    @property
    def weight(self) -> float:
        """Number of values that each point represents."""
        return float(self.count / self.points.shape[1])


@dataclass(kw_only=True, slots=True)
class QuantileSketch:
    """Quantiles of many series, with a bound on their error in ranks."""

    # Values are sorted and reduced to `size` of them at evenly spaced ranks, each standing for the same number ``w`` of
    # values; four such summaries are merged and reduced again, and so on. A reduction of values with total weight ``W``
    # to ``k`` points is wrong by at most ``W / (2 k)`` ranks, whatever the values and their order, and the errors of
    # merged summaries add up. After ``n`` values this gives at most ``r / (2 k)`` of ``n``, where ``r`` is one more
    # than the number of tiers, ``floor(log4(n / leaf))`` with leaves of at least 3/4 of a block. The sketch adds up
    # the actual errors: see `error`.

    planned: int  # maximum number of values to be added; up to 4096 are kept, and the quantiles are exact
    block: int  # number of values per block; blocks of at least three quarters of it are reduced individually
    tolerance: float  # largest error in ranks, as a share of the number of values
    size: int = field(init=False)
    leaf: int = field(init=False)
    count: int = field(init=False, default=0)
    _waiting: list[Summary] = field(init=False, default_factory=list)
    _tiers: list[list[Summary]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        if not 0 < self.tolerance < 1:
            raise InvalidInput(
                "tolerance of quantiles: expected a share between 0 and 1; found {value!r}", value=self.tolerance
            )
        leaf = max(1, 3 * min(LEAF, self.block) // 4)
        reductions = 1 + int(math.log(max(1, self.planned // leaf), FAN) + 1e-9)
        self.size = math.ceil(reductions / (2 * self.tolerance))
        self.leaf = max(MAX_EXACT + 1 if self.planned <= MAX_EXACT else leaf, 2 * self.size)

    def summarise(self, values: Numbers) -> Summary:
        """Reduce the values of one block, sorted along the last axis; thread-safe."""
        whole = Summary(values, values.shape[1], 0.0)
        return whole if whole.count < self.leaf else _merged([whole], self.size)

    def add(self, block: Summary) -> None:
        """Add the values of a block."""
        if not block.count:
            return
        self.count += block.count
        if block.points.shape[1] < block.count:
            self._add_reduced(block, 0)
            return
        self._waiting.append(block)
        if sum(item.count for item in self._waiting) >= self.leaf:
            self._add_reduced(_merged(self._waiting, self.size), 0)
            self._waiting.clear()

    def _add_reduced(self, summary: Summary, tier: int) -> None:
        while len(self._tiers) <= tier:
            self._tiers.append([])
        self._tiers[tier].append(summary)
        if len(self._tiers[tier]) == FAN:
            merged = _merged(self._tiers[tier], self.size)
            self._tiers[tier].clear()
            self._add_reduced(merged, tier + 1)

    @property
    def summaries(self) -> list[Summary]:
        """All summaries that are kept."""
        return [*(item for tier in reversed(self._tiers) for item in tier), *self._waiting]

    @property
    def error(self) -> float:
        """Bound on the rank error, as a share of the number of values; 0 if all values were kept."""
        return sum(item.error for item in self.summaries) / max(self.count, 1)

    def at(self, levels: Sequence[float]) -> Array:
        """Quantiles at the given levels, shape (level, series)."""
        kept = self.summaries
        if not kept:
            raise InvalidInput("no value was added, so there are no quantiles")
        series = kept[0].points.shape[0]
        width = sum(item.points.shape[1] for item in kept)
        rows = max(1, READ_AT_ONCE // width)
        found = np.empty((len(levels), series))
        for first in range(0, series, rows):
            part = slice(first, first + rows)
            if self.error == 0:
                runs = [item.points[part] for item in kept]
                found[:, part] = [_exact(runs, level) for level in levels]
            else:
                points = np.concatenate([item.points[part] for item in kept], axis=1)
                weights = np.concatenate([np.full(item.points.shape[1], item.weight) for item in kept])
                found[:, part] = _read(points, weights, levels)
        return found


def _exact(runs: Sequence[Numbers], level: float) -> Array:
    """Exact quantile of the values in sorted runs, with linear interpolation as in ``numpy.quantile``."""
    # Runs are similar, so that both neighbours of the quantile have similar ranks in each; else all are searched.
    count = sum(run.shape[1] for run in runs)
    below = int(level * (count - 1))
    share = level * (count - 1) - below
    near = [_near(run.shape[1], level) for run in runs]
    part = np.concatenate([run[:, span] for run, span in zip(runs, near, strict=True)], axis=1)
    rank = below - sum(span.start for span in near)
    found = np.full(part.shape[0], np.nan)
    if 0 <= rank < part.shape[1] - 1:
        part.partition(rank + 1, axis=1)
        low, high = part[:, : rank + 1].max(axis=1), part[:, rank + 1]
        with np.errstate(invalid="ignore"):
            found[:] = low + (high - low) * share if share < 0.5 else high - (high - low) * (1 - share)
        for run, span in zip(runs, near, strict=True):
            beyond = np.isnan(run[:, -1])  # sorting puts NaN last
            if span.start:
                beyond |= run[:, span.start - 1] > low
            if span.stop < run.shape[1]:
                beyond |= run[:, span.stop] < high
            found[beyond] = np.nan
    missed = ~np.isfinite(found)
    if missed.any():
        with np.errstate(invalid="ignore"):
            found[missed] = np.quantile(np.concatenate([run[missed] for run in runs], axis=1), level, axis=1)
    return found


def _near(count: int, level: float) -> slice:
    """Ranks in a run of `count` values between which the overall quantile almost always lies."""
    middle, width = level * count, FIRST_SEARCHED * math.sqrt(level * (1 - level) * count) + 2
    return slice(max(0, int(middle - width)), min(count, int(middle + width) + 1))


def _merged(parts: Sequence[Summary], size: int) -> Summary:
    """Merge summaries and reduce them to `size` points at evenly spaced ranks."""
    count = sum(item.count for item in parts)
    points = np.concatenate([item.points for item in parts], axis=1)
    error = sum(item.error for item in parts) + count / (2 * size)
    if len({item.weight for item in parts}) == 1:
        points.sort(axis=-1)
        chosen = np.diff(_targets(np.arange(1, points.shape[1] + 1) * parts[0].weight, count, size), prepend=0) > 0
        return Summary(np.ascontiguousarray(points[:, chosen]), count, error)
    weights = np.concatenate([np.full(item.points.shape[1], item.weight) for item in parts])
    order = points.argsort(axis=-1)
    ranks = weights[order].cumsum(axis=-1)
    chosen = np.diff(_targets(ranks, count, size), axis=-1, prepend=0) > 0
    sorted_points = np.take_along_axis(points, order, axis=-1)
    return Summary(sorted_points[chosen].reshape(points.shape[0], size), count, error)


def _targets(ranks: Array, count: int, size: int) -> NDArray[np.int64]:
    """Number of the ranks ``(j - 1/2) count / size`` reached; no point weighs more than their spacing."""
    return np.floor(ranks * (size / count) + 0.5 + 1e-9).astype(np.int64)


def _read(points: Numbers, weights: Array, levels: Sequence[float]) -> Array:
    order = points.argsort(axis=-1)
    ranks = weights[order].cumsum(axis=-1)
    # Tolerance for rounding of the sums where a level falls exactly on a rank.
    slack = 1e-9 * ranks[:, -1:]
    places = [(ranks < level * ranks[:, -1:] - slack).sum(axis=-1, keepdims=True) for level in levels]
    place = np.minimum(np.concatenate(places, axis=1), points.shape[1] - 1)
    return np.take_along_axis(points, np.take_along_axis(order, place, axis=-1), axis=-1).T.astype(float)


# Maximum number of values processed at once, so that they and their deviations stay in the cache.
AT_ONCE = 65_536

SIMPLE = ("mean", "variance", "minimum", "maximum")
QUANTILE = "quantile"


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean, sum of squared deviations and extremes of every series."""

    count: int  # number of values they represent, the same for every series
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
        """Sample variance, ``squares / (count - 1)``, shape (series,); NaN for fewer than two values."""
        return self.squares / (self.count - 1) if self.count > 1 else np.full_like(self.squares, np.nan)


def moments_of(values: Numbers, *, is_sorted: bool = False) -> Moments:
    """Moments of one block, computed from deviations from one of its values."""
    # No value lies farther from the mean than sqrt(count - 1) standard deviations, so that cancellation is small.
    count = values.shape[1]
    origin = values[:, count // 2].astype(float)
    deviations = values - origin[:, None]
    beyond = deviations.mean(axis=1)
    squares = np.vecdot(deviations, deviations) - count * beyond**2
    low, high = (values[:, 0], values[:, -1]) if is_sorted else (values.min(axis=1), values.max(axis=1))
    return Moments(count, origin, beyond, squares, low.astype(float), high.astype(float))


def joined_moments(parts: Sequence[Moments]) -> Moments | None:
    """Concatenate the moments of different series of one block."""
    if not parts:
        return None
    names = [item.name for item in fields(Moments) if item.name != "count"]
    return Moments(parts[0].count, *(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def combined(first: Moments | None, second: Moments) -> Moments:
    """Moments of the values of two blocks combined."""
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


@frozen
class Statistics:
    """Statistics over draws to keep instead of the runs; failed cases are counted and left out.

    Parameters
    ----------
    mean, variance, minimum, maximum
        Whether to keep them. The variance is the sample variance, with denominator n - 1.
    quantiles
        Probabilities between 0 and 1; empty for none.
    tolerance
        Maximum rank error of a quantile, as a share of the draws, whatever the values and their order: at least
        ``quantile - tolerance`` of the draws lie at or below the returned value, at most ``quantile + tolerance``
        strictly below. Up to 4096 draws quantiles are exact.

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

    def __post_init__(self) -> None:
        try:
            levels = tuple(float(level) for level in self.quantiles)
        except (TypeError, ValueError) as error:
            raise InvalidInput(
                "quantiles: expected a list of shares between 0 and 1, such as (0.05, 0.5, 0.95); found {found!r}",
                found=self.quantiles,
            ) from error
        wrong = [level for level in levels if not 0 <= level <= 1]
        if wrong:
            raise InvalidInput("quantiles: expected shares between 0 and 1; found {value!r}", value=wrong[0])
        if not 0 < self.tolerance < 1:
            raise InvalidInput("tolerance: expected a share between 0 and 1; found {value!r}", value=self.tolerance)
        object.__setattr__(self, "quantiles", levels)
        if not self.simple and not levels:
            raise InvalidInput("no statistic is kept; ask for at least one")

    @property
    def simple(self) -> tuple[str, ...]:
        """Those among mean, variance, minimum and maximum that are kept."""
        return tuple(name for name in SIMPLE if getattr(self, name))


@dataclass(frozen=True, slots=True)
class BlockStatistics:
    """Statistics of one outcome in one block."""

    moments: Moments | None  # None if no moments are kept
    summary: Summary | None  # None if no quantile is kept
    missing: Flags | None = None  # series with a missing value, shape (series,); None when there is no draw


@dataclass(kw_only=True, slots=True)
class RunningStatistics:
    """Statistics of one outcome under one scenario."""

    kept: Statistics
    shape: tuple[int, ...]  # subscripts and years of the outcome
    planned: int
    block: int
    _moments: Moments | None = field(init=False, default=None)
    _sketch: QuantileSketch = field(init=False)
    _missing: Flags = field(init=False)

    def __post_init__(self) -> None:
        self._sketch = QuantileSketch(planned=self.planned, block=self.block, tolerance=self.kept.tolerance)
        self._missing = np.zeros(int(np.prod(self.shape)), dtype=bool)

    def summarise(self, values: Numbers) -> BlockStatistics:
        """Reduce the draws of one block, whose order may be lost; thread-safe."""
        count = values.shape[0]
        if not count:
            return BlockStatistics(None, None)
        # (draw, ..., year) becomes (year, ..., draw), as the compiled engine writes it, then (series, draw).
        series = np.moveaxis(values, (0, -1), (-1, 0)).reshape(-1, count)
        if self.kept.quantiles and not (series.flags.writeable and series.strides[1] == series.itemsize):
            series = series.copy()
        rows = max(1, AT_ONCE // count)
        with np.errstate(all="ignore"):
            found = [self._summarise(series[first : first + rows]) for first in range(0, len(series), rows)]
            summary = self._sketch.summarise(series) if self.kept.quantiles else None
        moments = joined_moments([item for item, _ in found if item is not None])
        return BlockStatistics(moments, summary, np.concatenate([missing for _, missing in found]))

    def _summarise(self, series: Numbers) -> tuple[Moments | None, Flags]:
        """Moments of a chunk of series that fits into the cache, and a mask of series with a missing value."""
        if not self.kept.quantiles:
            moments = moments_of(series)
            missing = np.isnan(moments.squares)  # also NaN for infinite values
            missing[missing] = np.isnan(series[missing]).any(axis=1)
            return moments, missing
        series.sort(axis=-1)
        # Sorting puts NaN last.
        return moments_of(series, is_sorted=True) if self.kept.simple else None, np.isnan(series[:, -1])

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
        """Bound on the rank error of the quantiles, as a share of the draws."""
        return self._sketch.error

    def results(self) -> Arrays:
        """Statistics by name, shape (..., year), for quantiles (quantile, ..., year)."""
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
        """Reshape values by series, shape (..., series), to (..., subscripts, year)."""
        lead = values.shape[:-1]
        return np.moveaxis(values.reshape(*lead, self.shape[-1], *self.shape[:-1]), len(lead), -1)
