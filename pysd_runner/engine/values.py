"""Brings what a caller hands over to the axes (scenario, draw, ...) of a variable."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.errors import InvalidInput
from pysd_runner.engine.ir import ModelIr
from pysd_runner.engine.paths import TimePath

Array = NDArray[np.float64]


def fitted_to(model: ModelIr, name: str, value: Any) -> Array | TimePath:
    """A value with the axes of a variable.

    Parameters
    ----------
    model
        The lowered model.
    name
        The variable.
    value
        A number, an array over the subscripts with (scenario, draw) in front if it varies, or a `TimePath` of these.

    Returns
    -------
    ndarray or TimePath
        Shape (scenario, draw, ...).
    """
    if isinstance(value, TimePath):
        steps = [_fitted(model, name, item) for item in value.values]
        lead = np.broadcast_shapes(*(item.shape for item in steps))
        stacked = np.stack([np.broadcast_to(item, lead) for item in steps])
        return TimePath(times=value.times, values=stacked, interpolate=value.interpolate)
    return _fitted(model, name, value)


def _fitted(model: ModelIr, name: str, value: Any) -> Array:
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"value of {name!r} is not numeric: {value!r}") from error
    dims = model.variables[name].dims
    shape = model.shape(dims)
    # A series of data may have gaps, which the equations that read it have to cope with.
    if np.isnan(array).any() and model.variables[name].kind != "data":
        raise InvalidInput(f"value of {name!r} contains NaN; fill it or leave the variable to the model")
    check_cases(name, array.shape)
    if array.ndim == 0:
        return np.full((1, 1, *shape), float(array))
    if not dims and array.ndim == 1:
        return array[None, :]
    if array.shape == shape:
        return array[None, None]
    if array.ndim == len(shape) + 2 and array.shape[2:] == shape:
        return array
    expected = f"{shape} over {', '.join(dims)}" if dims else "a number"
    raise InvalidInput(
        f"value of {name!r} has shape {array.shape}; expected {expected}, with (scenario, draw) in front if it varies"
    )


def check_cases(name: str, shape: tuple[int, ...]) -> None:
    """Refuse a value for no case at all.

    Parameters
    ----------
    name
        The variable, for the message.
    shape
        Shape of its value.
    """
    if 0 in shape:
        raise InvalidInput(
            f"value of {name!r} holds no draw (shape {shape}); give at least one scenario and one draw, or leave the "
            "variable to the model"
        )
