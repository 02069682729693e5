"""One observed series: what was measured, and what the model says in the same terms."""

from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from calibration.observation.noise import Whitening
from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.spec import USUAL_ERRORS, ErrorModel, Observation

if TYPE_CHECKING:
    from calibration.observation.expressions import Expression

Array = NDArray[np.float64]

# Values that span a factor of this many are compared by their logarithms unless the scale is declared.
WIDE = 10.0


def chosen_scale(observation: Observation, raw: Array) -> str:
    """The scale of a column; where it was left open, that of what was observed."""
    if observation.errors.is_count:
        return "level"
    if observation.scale != "auto":
        return observation.scale
    seen = raw[np.isfinite(raw)]
    return "log" if seen.size and seen.min() > 0 and seen.max() >= WIDE * seen.min() else "level"


def weights_of(times: Array, moments: Array, kind: str, step: float) -> Array:
    """How saved moments, a step apart, make what a column says at some times, shape (time, moment).

    Euler's method holds a flow over a step. ``InvalidInput`` if a flow is observed at one moment only, so that its
    interval is not known.
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


# Of a series that `never_changes`.
FILLED_IN = Message("no region's value ever changes: that looks filled in, not observed")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How the size of errors is estimated from residuals."""

    weight: float = 4.0  # observations that the declared size counts as
    holds: bool = True  # whether wild residuals are held before their persistence is estimated
    # Least size in units of the spread of what was seen: what is met exactly must not rule all others.
    least: float = 0.0
    # Whether parameters cost degrees of freedom; otherwise each moment whose mean was removed.
    by_parameters: bool = False


DECLARED, FOUND = Sizes(), Sizes(weight=0.0, holds=False, least=1e-3, by_parameters=True)


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One indicator as an observation of the model.

    ``f(indicator) = c_t + loading * f(outcome) + e`` with ``f`` the scale. The moment's effect ``c_t`` goes out with
    the mean over the rows observed then where the series is relative; changes from one moment to the next are compared
    where levels carry persistent errors.
    """

    _: KW_ONLY
    measurement: str  # key of the declared one
    indicator: str  # name of the column, panel variable or national series
    expression: "Expression"  # what of the model it observes
    times: Array  # ascending, shape (time,)
    values: Array  # what was observed in the terms above, shape (row, time); NaN where missing
    declared_sd: float  # standard deviation of the error before anything was fitted
    scale: str = "log"  # as of `pysd_runner.spec.Observation`, settled
    kind: str = "level"  # as there
    loading: str = ""  # key of the parameter that the outcome is multiplied with on the scale; empty for 1
    relative: bool = False  # whether the moment's mean is removed
    increments: bool = False  # whether changes are compared
    labels: tuple[str, ...] = ()  # name of each row
    elements: NDArray[np.intp] | None = None  # places of the rows among the elements of the expression; None for all
    weights: Array | None = None  # how saved moments make what is compared, (row or 1, time, moment); None: each
    is_first_given: bool = True  # whether the first gives no residual, only conditions the next (`Whitening`)
    raw: Array | None = None  # what was observed as it stands; None where a reader is shown the terms
    errors: ErrorModel = USUAL_ERRORS  # how they are distributed
    sd: float | None = None  # their size where it is given
    sizes: Sizes = DECLARED  # how it is estimated otherwise
    spacing: float = 1.0  # usual distance of two observations, which persistence is meant for
    missing: int = 0  # cells without an observation
    unusable: int = 0  # cells whose value the scale cannot show
    recounted: int = 0  # of the missing, changes that join two counts of the population
    label: str = ""
    cells: Whitening = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cells", Whitening(self))
        object.__setattr__(self, "label", self.label or f"{self.measurement}:{self.indicator}")

    @property
    def outcome(self) -> str:
        """The observed variable, the first of an expression."""
        return self.expression.variables[0]

    @property
    def national(self) -> bool:
        """Whether it is one series for all regions."""
        return not self.expression.dims

    @property
    def years(self) -> tuple[int, ...]:
        """The moments as years."""
        return tuple(int(time) for time in self.times)

    @property
    def observation(self) -> Observation:
        """How a column observes the model, as declared or found."""
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
        """What was observed as a reader is shown it, shape (row, time)."""
        return self.values if self.raw is None else self.raw

    @property
    def places(self) -> NDArray[np.intp]:
        """Place of each row among the elements of the expression."""
        return np.arange(len(self.values)) if self.elements is None else self.elements

    @property
    def is_given(self) -> bool:
        """Whether the size of the errors is given; otherwise it is estimated."""
        return self.sd is not None

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Cells with an observation, shape (row, time)."""
        return np.isfinite(self.values)

    @property
    def used(self) -> NDArray[np.bool_]:
        """Cells that give a residual, shape (row, time)."""
        used = self.seen.copy()
        used[:, : int(self.is_first_given)] = False
        return used

    def compared(self, outcome: Array) -> Array:
        """What the model gives at observations, shape (draw, row, time), from that of (draw, element..., moment)."""
        flat = outcome.reshape(len(outcome), -1, outcome.shape[-1])
        return self._weighted(flat if self.elements is None else flat[:, self.elements])

    def compared_slopes(self, slopes: Array) -> Array:
        """Derivatives of `compared`, shape (parameter, row, time), from (element..., moment, parameter)."""
        flat = slopes.reshape(-1, *slopes.shape[-2:])
        return self._weighted(np.moveaxis(flat if self.elements is None else flat[self.elements], -1, 0))

    def _weighted(self, flat: Array) -> Array:
        if self.weights is None:
            return flat
        # A run that overflows times a weight of nought is no number, and the draw is left out.
        with np.errstate(invalid="ignore"):
            return np.asarray((flat[..., None, :] @ np.swapaxes(self.weights, -1, -2))[..., 0, :])

    def predicted(self, raw: Array, loading: Array | None = None) -> Array:
        """What the model says in the terms of the observation, of what `compared` gave; NaN where there is none."""
        scaled = self.scaled(raw)
        return self._in_terms(scaled if loading is None else loading[:, None, None] * scaled)

    def slopes(self, raw: Array, raw_slopes: Array, loading: float, loading_slopes: Array | None = None) -> Array:
        """Derivatives of `predicted`, shape (parameter, row, time), NaN where nothing was observed.

        Parameters
        ----------
        raw, raw_slopes
            What `compared` gave, shape (row, time), and its derivatives.
        loading, loading_slopes
            What it is multiplied with on the scale, and its derivatives, shape (parameter,); None for none.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            moved = self._scaled_slopes(raw, loading * raw_slopes)
            if loading_slopes is not None:
                moved = loading_slopes[:, None, None] * self.scaled(raw) + moved
        return self._in_terms(moved)

    def _in_terms(self, scaled: Array) -> Array:
        return in_terms(scaled, self.seen, relative=self.relative, increments=self.increments)

    def scaled(self, raw: Array) -> Array:
        """Values on the scale; NaN where the scale cannot show them."""
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
        """Values in the terms as a reader is shown them."""
        return values if self.raw is None else self.unscaled(values)

    def at(self, times: Array, values: Array, moments: Array, step: float) -> "Series":
        """The same column at other moments, with values on the scale, shape (row, time)."""
        weights = weights_of(times, moments, self.kind, step)[None]
        return replace(self, times=times, raw=self.unscaled(values), values=values, weights=weights)


def to_scale(raw: Array, scale: str) -> Array:
    """Values on a scale, NaN where it cannot show them."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if scale == "log":
            return np.where(raw > 0, np.log(raw), np.nan)
        if scale == "logit":
            return np.where((raw > 0) & (raw < 1), np.log(raw / (1 - raw)), np.nan)
    return np.asarray(raw, dtype=float)


def in_terms(scaled: Array, seen: NDArray[np.bool_], *, relative: bool, increments: bool) -> Array:
    """Changes if asked for, then less the mean of the moment over the cells that are seen."""
    if increments:
        scaled = np.concatenate([np.full_like(scaled[..., :1], np.nan), np.diff(scaled, axis=-1)], axis=-1)
    if relative:
        count = np.maximum(seen.sum(axis=0), 1)
        scaled = scaled - np.where(seen, scaled, 0.0).sum(axis=-2, keepdims=True) / count
    return np.where(seen, scaled, np.nan)


def never_changes(values: Array) -> bool:
    """Whether every region that is seen more than once has the same value each time."""
    often = values[np.isfinite(values).sum(axis=1) > 1]
    return len(often) > 0 and bool((np.nanmax(often, axis=1) == np.nanmin(often, axis=1)).all())
