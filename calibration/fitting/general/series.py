"""One observed column as the model sees it."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.general.expressions import Expression
from calibration.observation import Whitening
from pysd_runner.core.errors import InvalidInput
from pysd_runner.spec import ErrorModel, Observation

Array = NDArray[np.float64]

# Values that span a factor of this many are compared by their logarithms unless the scale is declared.
WIDE = 10.0
# The least a count is expected to be: a model that gives none at all does not exclude one for certain.
LEAST_COUNT = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ObservedSeries:
    """A column of a table as an observation of a model."""

    measurement: str
    observation: Observation
    expression: Expression
    labels: tuple[str, ...]
    elements: NDArray[np.intp]
    times: Array
    raw: Array
    values: Array
    weights: Array
    declared_sd: float
    spacing: float
    unusable: int = 0
    cells: "TimedWhitening" = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cells", TimedWhitening(self))

    @property
    def label(self) -> str:
        """What it is called among the series."""
        return self.measurement

    @property
    def indicator(self) -> str:
        """The column."""
        return self.observation.column

    @property
    def errors(self) -> ErrorModel:
        """How the errors are distributed."""
        return self.observation.errors

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Cells with an observation, shape (row, time)."""
        return np.isfinite(self.values)

    @property
    def used(self) -> NDArray[np.bool_]:
        """Cells that give a residual: all that were seen."""
        return self.seen

    @property
    def increments(self) -> bool:
        """Whether changes are compared: never here."""
        return False

    def compared(self, outcome: Array) -> Array:
        """What the model gives where something was observed, before the scale."""
        flat = outcome.reshape(len(outcome), -1, outcome.shape[-1])[:, self.elements]
        return self._weighted(flat)

    def slopes(self, slopes: Array) -> Array:
        """Jacobian of the compared values."""
        flat = np.moveaxis(slopes.reshape(-1, *slopes.shape[-2:])[self.elements], -1, 0)
        return self._weighted(flat)

    def _weighted(self, flat: Array) -> Array:
        # A run that overflows times a weight of nought is no number, and the draw is left out.
        with np.errstate(invalid="ignore"):
            return np.asarray((flat[..., None, :] @ np.swapaxes(self.weights, -1, -2))[..., 0, :])

    def scaled(self, raw: Array) -> Array:
        """Values on the scale; NaN where the scale cannot show them."""
        return to_scale(raw, self.observation.scale)

    def scaled_slopes(self, raw: Array, slopes: Array) -> Array:
        """Derivatives of `scaled` from those of what is scaled."""
        if self.observation.scale == "log":
            return slopes / raw
        return slopes / (raw * (1 - raw)) if self.observation.scale == "logit" else slopes

    def at(self, times: Array, values: Array, moments: Array, step: float) -> "ObservedSeries":
        """The same column at other moments."""
        weights = weights_of(times, moments, self.observation.kind, step)[None]
        return replace(self, times=times, raw=self.unscaled(values), values=values, weights=weights)

    def unscaled(self, values: Array) -> Array:
        """The inverse of `scaled`."""
        if self.observation.scale == "log":
            return np.exp(values)
        if self.observation.scale == "logit":
            return 1 / (1 + np.exp(-values))
        return values


class TimedWhitening(Whitening):
    """Standardised innovations of residuals at uneven distances."""

    def __init__(self, series: ObservedSeries) -> None:
        super().__init__(series)  # type: ignore[arg-type]
        before = np.maximum(self.previous, 0)
        gaps = np.where(self.has_previous, series.times[self.year] - series.times[before], 0.0)
        self._gaps: Array = gaps / series.spacing

    @property
    def _distance(self) -> Array:  # type: ignore[override]
        return self._gaps

    @property
    def follows(self) -> NDArray[np.bool_]:
        """Cells whose predecessor is about the usual distance away, shape (cell,)."""
        return np.asarray(self.has_previous & (self._gaps < 1.5), dtype=bool)


def to_scale(raw: Array, scale: str) -> Array:
    """Values on a scale, NaN where it cannot show them."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if scale == "log":
            return np.where(raw > 0, np.log(raw), np.nan)
        if scale == "logit":
            return np.where((raw > 0) & (raw < 1), np.log(raw / (1 - raw)), np.nan)
    return np.asarray(raw, dtype=float)


def chosen_scale(observation: Observation, raw: Array) -> str:
    """The scale of a column whose scale was left open."""
    if observation.errors.is_count:
        return "level"
    if observation.scale != "auto":
        return observation.scale
    seen = raw[np.isfinite(raw)]
    return "log" if seen.size and seen.min() > 0 and seen.max() >= WIDE * seen.min() else "level"


def weights_of(times: Array, moments: Array, kind: str, step: float) -> Array:
    """How saved moments make what a column says."""
    if kind == "level":
        return _between(times, moments)
    flowed = _flowed(times, moments, step)
    if kind == "cumulative":
        return flowed
    if len(times) < 2:
        raise InvalidInput("a flow over an interval needs at least two observations, which tell the interval")
    first = times[0] - (times[1] - times[0])
    before = _flowed(np.array([max(first, moments[0]), *times[:-1]]), moments, step)
    return flowed - before


def _between(times: Array, moments: Array) -> Array:
    """Straight lines between moments."""
    place = np.clip(np.searchsorted(moments, times, side="right") - 1, 0, max(len(moments) - 2, 0))
    weights = np.zeros((len(times), len(moments)))
    if len(moments) == 1:
        weights[:, 0] = 1.0
        return weights
    share = np.clip((times - moments[place]) / (moments[place + 1] - moments[place]), 0.0, 1.0)
    rows = np.arange(len(times))
    weights[rows, place] = 1 - share
    weights[rows, place + 1] += share
    return weights


def _flowed(times: Array, moments: Array, step: float) -> Array:
    """What has flowed up to some times: every moment's value holds for a step."""
    held = np.clip(times[:, None] - moments[None, :], 0.0, step)
    return np.asarray(held, dtype=float)
