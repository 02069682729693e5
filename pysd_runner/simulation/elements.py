"""Values of variables: single elements by names such as ``contact rate[young]``, several policies on one axis."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput, UnknownName, suggest
from pysd_runner.engine import TimePath, fitted_to
from pysd_runner.engine.ir import ModelIr, key
from pysd_runner.model import Model
from pysd_runner.simulation.run import simulate

Array = NDArray[np.float64]
Position = tuple[int, ...]
Values = Mapping[str, Any]


def located(model: Model, name: str) -> tuple[str, Position | None]:
    """What a name stands for: a variable, or one element of it."""
    try:
        return model.find(name), None
    except UnknownName:
        plain, bracket, labels = name.strip().removesuffix("]").rpartition("[")
        if not bracket or not name.strip().endswith("]"):
            raise
    variable = model.find(plain)
    return variable, position_of(model, variable, [label.strip() for label in labels.split(",")])


def position_of(model: Model, variable: str, labels: Sequence[str]) -> Position:
    """Place of one element of a variable."""
    dims = model.ir.variables[variable].dims
    if len(labels) != len(dims):
        raise InvalidInput(
            f"{variable!r} has the subscripts ({', '.join(dims)}); {len(labels)} labels are given: {tuple(labels)}"
        )
    places = []
    for label, dim in zip(labels, dims, strict=True):
        known = {key(item): place for place, item in enumerate(model.ir.ranges[dim])}
        if key(label) not in known:
            raise UnknownName(f"{dim!r} has no element {label!r}.{suggest(label, model.ir.ranges[dim])}")
        places.append(known[key(label)])
    return tuple(places)


def element_name(model: ModelIr, variable: str, position: Position | None) -> str:
    """Name of a variable, with the labels of one element in brackets where it is one."""
    if not position:
        return variable
    dims = model.variables[variable].dims
    labels = [model.ranges[dim][place] for dim, place in zip(dims, position, strict=True)]
    return f"{variable}[{', '.join(labels)}]"


def constant_values(model: Model, variable: str) -> Array:
    """Values that the file gives for a constant."""
    run = simulate(model, outcomes=[variable], stop=0, start=0, step=1, save_every=1, method="euler")
    return np.asarray(run[variable][0, 0, ..., 0])


def stacked_values(
    each: Sequence[Mapping[str, Any]], model: Model, common: Mapping[str, Any], times: Array
) -> dict[str, Array | TimePath]:
    """Values of several policies, stacked along the scenario axis."""
    names = list(dict.fromkeys(name for values in each for name in values))
    stacked = {}
    for name in names:
        default = common[name] if name in common else constant_values(model, name)[None, None]
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


def only_draws(model: Model, values: Values, kept: NDArray[Any]) -> dict[str, Array | TimePath]:
    """Keep some draws of every value that varies between draws."""
    return {name: _only(fitted_to(model.ir, name, value), kept) for name, value in values.items()}


def _only(value: Array | TimePath, kept: NDArray[Any]) -> Array | TimePath:
    if isinstance(value, TimePath):
        some = value.values if value.values.shape[2] == 1 else value.values[:, :, kept]
        return TimePath(times=value.times, values=some, interpolate=value.interpolate)
    return value if value.shape[1] == 1 else value[:, kept]
