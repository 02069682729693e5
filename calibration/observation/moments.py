"""How the saved moments of a run make what a column says, and on which scale it is compared."""

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput
from pysd_runner.spec import Observation

Array = NDArray[np.float64]

# Values that span a factor of this many are compared by their logarithms unless the scale is declared.
WIDE = 10.0


def chosen_scale(observation: Observation, raw: Array) -> str:
    """The scale of a column whose scale was left open.

    Parameters
    ----------
    observation
        How it observes.
    raw
        What was observed.
    """
    if observation.errors.is_count:
        return "level"
    if observation.scale != "auto":
        return observation.scale
    seen = raw[np.isfinite(raw)]
    return "log" if seen.size and seen.min() > 0 and seen.max() >= WIDE * seen.min() else "level"


def weights_of(times: Array, moments: Array, kind: str, step: float) -> Array:
    """How saved moments make what a column says.

    Parameters
    ----------
    times
        Of the observations, within the moments, shape (time,).
    moments
        Saved moments of the model, a step apart, shape (moment,).
    kind
        ``"level"``, ``"flow"`` or ``"cumulative"``.
    step
        Step of the run, over which Euler's method holds a flow.

    Returns
    -------
    ndarray
        Shape (time, moment).

    Raises
    ------
    InvalidInput
        If a flow is observed at one moment only, so that its interval is not known.
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
