"""An observed series, and the model's predictions on the same scale."""

from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from calibration.observation.noise import Whitening
from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.core.types import Array, Flags, Indices
from pysd_runner.spec import USUAL_ERRORS, ErrorModel, Observation
from pysd_runner.spec.design import DECLARED, ErrorSizes

if TYPE_CHECKING:
    from pysd_runner.study.equations import Expression

# Ratio of largest to smallest value from which on values are compared on the log scale, unless a scale is declared.
WIDE = 10.0
_SCALES = {
    "level": Message("on the original scale"),
    "log": Message("on the log scale"),
    "logit": Message("on the logit scale"),
}


def chosen_scale(observation: Observation, raw: Array) -> str:
    """Scale of a column: the declared one or, for "auto", one chosen from the observed values."""
    if observation.errors.is_count:
        return "level"
    if observation.scale != "auto":
        return observation.scale
    seen = raw[np.isfinite(raw)]
    return "log" if seen.size and seen.min() > 0 and seen.max() >= WIDE * seen.min() else "level"


def weights_of(times: Array, moments: Array, kind: str, step: float) -> Array:
    """Weights of the saved times, a step apart, in the predicted observation at each time, shape (time, saved time).

    A flow is constant over a step, as in Euler's method. Raises ``InvalidInput`` if a flow is observed only once, so
    that its interval is unknown.
    """
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
    """Weights of linear interpolation between saved times."""
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
    """Weights of the integral of a flow up to each time; a saved value applies to the step after it."""
    held = np.clip(times[:, None] - moments[None, :], 0.0, step)
    return np.asarray(held, dtype=float)


# Reason why a series for which `never_changes` is true is not used.
FILLED_IN = Message("no region's value ever changes: that looks filled in, not observed")


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """An indicator as an observation of a model outcome.

    ``f(indicator) = c_t + loading * f(outcome) + e`` with ``f`` the scale. In a relative series the mean over the rows
    observed at each time is subtracted, which removes the time effect ``c_t``. Changes from one time to the next are
    compared (`increments`) if the errors of levels are persistent.
    """

    _: KW_ONLY
    measurement: str  # key of the declared measurement
    indicator: str  # name of the column, panel variable or national series
    expression: "Expression"  # observed expression of model variables
    times: Array  # ascending, shape (time,)
    values: Array  # observations after the scale, mean and increments are applied, (row, time); NaN where missing
    declared_sd: float  # standard deviation of the error before the fit
    scale: str = "log"  # as in `pysd_runner.spec.Observation`, with "auto" resolved
    kind: str = "level"  # as in `pysd_runner.spec.Observation`
    loading: str = ""  # key of the parameter by which the outcome is multiplied on the scale; empty for 1
    relative: bool = False  # whether the mean over rows is subtracted at each time
    increments: bool = False  # whether changes from one time to the next are compared
    labels: tuple[str, ...] = ()  # name of each row
    elements: Indices | None = None  # index of each row among the elements of the expression; None for all
    weights: Array | None = None  # weights of saved times per observation, (row or 1, time, saved time); None: identity
    is_first_given: bool = True  # whether the first observation gives no residual, only conditions the next
    raw: Array | None = None  # observations in original units; None if reports show `values`
    errors: ErrorModel = USUAL_ERRORS  # distribution of the errors
    sd: float | None = None  # standard deviation of the errors if given; otherwise estimated
    sizes: ErrorSizes = DECLARED  # settings of this estimation
    spacing: float = 1.0  # usual time between observations, the unit of lag of the persistence
    missing: int = 0  # number of cells without an observation
    unusable: int = 0  # number of cells whose value is invalid on the scale (e.g. zero on a log scale)
    recounted: int = 0  # number of missing cells excluded because of a census revision of population
    label: str = ""
    cells: Whitening = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cells", Whitening(self))
        object.__setattr__(self, "label", self.label or f"{self.measurement}:{self.indicator}")

    @property
    def outcome(self) -> str:
        """The observed variable; of an expression, its first variable."""
        return self.expression.variables[0]

    @property
    def national(self) -> bool:
        """Whether the observed expression is scalar, a single series for all regions."""
        return not self.expression.dims

    @property
    def years(self) -> tuple[int, ...]:
        """The times as years."""
        return tuple(int(time) for time in self.times)

    @property
    def observation(self) -> Observation:
        """Specification of the observed column, with automatic choices resolved."""
        return Observation(
            column=self.indicator,
            outcome=self.expression.text,
            scale=self.scale,
            kind=self.kind,
            errors=self.errors,
            sd=self.sd,
        )

    @property
    def observed(self) -> Array:
        """Observations as shown in reports, shape (row, time)."""
        return self.values if self.raw is None else self.raw

    @property
    def places(self) -> Indices:
        """Index of each row among the elements of the expression."""
        return np.arange(len(self.values)) if self.elements is None else self.elements

    @property
    def is_given(self) -> bool:
        """Whether the standard deviation of the errors is given; otherwise it is estimated."""
        return self.sd is not None

    @property
    def seen(self) -> Flags:
        """Cells with an observation, shape (row, time)."""
        return np.isfinite(self.values)

    @property
    def used(self) -> Flags:
        """Cells that give a residual, shape (row, time)."""
        used = self.seen.copy()
        used[:, : int(self.is_first_given)] = False
        return used

    def compared(self, outcome: Array) -> Array:
        """Model values at the observations, shape (draw, row, time), from (draw, element..., saved time)."""
        flat = outcome.reshape(len(outcome), -1, outcome.shape[-1])
        return self._weighted(flat if self.elements is None else flat[:, self.elements])

    def compared_slopes(self, slopes: Array) -> Array:
        """Derivatives of `compared`, shape (parameter, row, time), from (element..., saved time, parameter)."""
        flat = slopes.reshape(-1, *slopes.shape[-2:])
        return self._weighted(np.moveaxis(flat if self.elements is None else flat[self.elements], -1, 0))

    def _weighted(self, flat: Array) -> Array:
        if self.weights is None:
            return flat
        # Infinity times a weight of zero is NaN, and a draw with NaN is excluded.
        with np.errstate(invalid="ignore"):
            return (flat[..., None, :] @ np.swapaxes(self.weights, -1, -2))[..., 0, :]

    def predicted(self, raw: Array, loading: Array | None = None) -> Array:
        """Predictions comparable with `values`, from the result of `compared`; NaN where nothing was observed."""
        scaled = self.scaled(raw)
        return self._in_terms(scaled if loading is None else loading[:, None, None] * scaled)

    def slopes(self, raw: Array, raw_slopes: Array, loading: float, loading_slopes: Array | None = None) -> Array:
        """Derivatives of `predicted`, shape (parameter, row, time), NaN where nothing was observed.

        Parameters
        ----------
        raw, raw_slopes
            The result of `compared`, shape (row, time), and its derivatives.
        loading, loading_slopes
            The factor on the scale and its derivatives, shape (parameter,); None for a constant factor.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            moved = self._scaled_slopes(raw, loading * raw_slopes)
            if loading_slopes is not None:
                moved = loading_slopes[:, None, None] * self.scaled(raw) + moved
        return self._in_terms(moved)

    def _in_terms(self, scaled: Array) -> Array:
        return in_terms(scaled, self.seen, relative=self.relative, increments=self.increments)

    @property
    def words(self) -> str:
        """Description of the errors and of the scale on which they are added, for reports."""
        return Message("{errors}, {scale}", errors=self.errors.words, scale=_SCALES[self.scale])

    def scaled(self, raw: Array) -> Array:
        """Transform values to the scale of the series; NaN where they are outside its domain."""
        return to_scale(raw, self.scale)

    def _scaled_slopes(self, raw: Array, slopes: Array) -> Array:
        if self.scale == "log":
            return slopes / raw
        return slopes / (raw * (1 - raw)) if self.scale == "logit" else slopes

    def unscaled(self, values: Array) -> Array:
        """The inverse of `scaled`."""
        if self.scale == "log":
            return np.exp(values)
        return 1 / (1 + np.exp(-values)) if self.scale == "logit" else values

    def shown(self, values: Array) -> Array:
        """Convert values of `predicted` to the units shown in reports."""
        return values if self.raw is None else self.unscaled(values)

    def at(self, times: Array, values: Array, moments: Array, step: float) -> "Series":
        """Copy of the series with other times and values (on the scale), shape (row, time)."""
        weights = weights_of(times, moments, self.kind, step)[None]
        return replace(self, times=times, raw=self.unscaled(values), values=values, weights=weights)


def to_scale(raw: Array, scale: str) -> Array:
    """Transform values to a scale; NaN where they are outside its domain."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if scale == "log":
            return np.where(raw > 0, np.log(raw), np.nan)
        if scale == "logit":
            return np.where((raw > 0) & (raw < 1), np.log(raw / (1 - raw)), np.nan)
    return np.asarray(raw, dtype=float)


def in_terms(scaled: Array, seen: Flags, *, relative: bool, increments: bool) -> Array:
    """Take changes if requested, then subtract the mean of the observed cells at each time if `relative`."""
    if increments:
        scaled = np.concatenate([np.full_like(scaled[..., :1], np.nan), np.diff(scaled, axis=-1)], axis=-1)
    if relative:
        count = np.maximum(seen.sum(axis=0), 1)
        scaled = scaled - np.where(seen, scaled, 0.0).sum(axis=-2, keepdims=True) / count
    return np.where(seen, scaled, np.nan)


def never_changes(values: Array) -> bool:
    """Whether every region observed more than once always has the same value."""
    often = values[np.isfinite(values).sum(axis=1) > 1]
    return len(often) > 0 and bool((np.nanmax(often, axis=1) == np.nanmin(often, axis=1)).all())


def carried(history: Array) -> Array:
    """Carry the last level of each row forward over gaps, shape (row, time)."""
    seen = np.isfinite(history)
    last = np.maximum.accumulate(np.where(seen, np.arange(history.shape[1]), 0), axis=1)
    return np.take_along_axis(history, last, axis=1)


def last_level(history: Array) -> Array:
    """Last observed level of each row, shape (row,); NaN if there is none."""
    level: Array = carried(history)[:, -1]
    return level
