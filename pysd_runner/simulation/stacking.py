"""Values of several policies on one axis, and of some draws alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine import TimePath, fitted_to
from pysd_runner.model import Model
from pysd_runner.simulation.run import simulate

Array = NDArray[np.float64]
Values = Mapping[str, Any]


def stacked_values(
    each: Sequence[Mapping[str, Any]], model: Model, common: Mapping[str, Any], times: Array
) -> dict[str, Array | TimePath]:
    """Values of several policies, stacked along the scenario axis."""
    names = list(dict.fromkeys(name for values in each for name in values))
    stacked = {}
    for name in names:
        default = common[name] if name in common else _default(model, name)
        chosen = [fitted_to(model.ir, name, values.get(name, default)) for values in each]
        stacked[name] = _stacked(chosen, times)
    return stacked


def _stacked(known: Sequence[Array | TimePath], times: Array) -> Array | TimePath:
    draws = max((value.values.shape[2] if isinstance(value, TimePath) else value.shape[1]) for value in known)
    if not any(isinstance(value, TimePath) for value in known):
        return np.concatenate([_spread(np.asarray(value), 1, draws) for value in known], axis=0)
    sampled = [
        np.stack([value.at(time) for time in times])
        if isinstance(value, TimePath)
        else np.broadcast_to(value, (times.size, *value.shape))
        for value in known
    ]
    values = np.concatenate([_spread(value, 2, draws) for value in sampled], axis=1)
    return TimePath(times=times, values=values, interpolate="step")


def _spread(value: Array, axis: int, draws: int) -> Array:
    """A value at full length along the axis of draws."""
    return np.broadcast_to(value, (*value.shape[:axis], draws, *value.shape[axis + 1 :]))


def _default(model: Model, name: str) -> Array:
    """What the model file gives a constant."""
    run = simulate(model, outcomes=[name], start=0.0, stop=0.0)
    return run[name][..., 0]


def only_draws(model: Model, values: Values, kept: NDArray[Any]) -> dict[str, Array | TimePath]:
    """Keep some draws of every value that varies between draws."""
    return {name: _only(fitted_to(model.ir, name, value), kept) for name, value in values.items()}


def _only(value: Array | TimePath, kept: NDArray[Any]) -> Array | TimePath:
    if isinstance(value, TimePath):
        some = value.values if value.values.shape[2] == 1 else value.values[:, :, kept]
        return TimePath(times=value.times, values=some, interpolate=value.interpolate)
    return value if value.shape[1] == 1 else value[:, kept]
