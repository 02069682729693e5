"""Input values: arrays broadcast to the axes (scenario, draw, ...) of a variable, and paths over time."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.errors import InvalidInput, Message
from pysd_runner.engine.ir import ModelIr
from pysd_runner.engine.kinds import Array, frozen
from pysd_runner.engine.validation import check_series

# Tolerance for rounding errors when the years of a path are compared with simulated times.
SAME_TIME = 1e-9


@frozen(kw_only=True, eq=False)
class TimePath:
    """An input that changes over time.

    Parameters
    ----------
    times
        Increasing years, shape (k,).
    values
        Values at those years, shape ``(k, *shape)``, where ``shape`` is that of the input, with or without the two
        leading axes (scenario, draw).
    interpolate
        ``"step"``: a value applies from its year until the next one; ``"linear"``: linear interpolation between years.
        Before the first year the first value applies, after the last year the last one.

    Raises
    ------
    InvalidInput
        If times do not increase, or the number of values differs from the number of times.
    """

    times: Array
    values: Array
    interpolate: Literal["step", "linear"] = "step"

    def __post_init__(self) -> None:
        times = np.atleast_1d(np.asarray(self.times, dtype=float))
        values = np.asarray(self.values, dtype=float)
        if times.ndim != 1 or not times.size or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
            raise InvalidInput("a path over time needs increasing years; found {years}", years=times.tolist())
        if values.ndim == 0 or values.shape[0] != times.size:
            raise InvalidInput(
                "a path over time needs one value per year: {count} years, values of shape {shape}",
                count=times.size,
                shape=values.shape,
            )
        if self.interpolate not in ("step", "linear"):
            raise InvalidInput("interpolate must be 'step' or 'linear'; found {found!r}", found=self.interpolate)
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "values", values)

    def at(self, time: float) -> Array:
        """Value at one time.

        Parameters
        ----------
        time
            The time, in years.

        Returns
        -------
        ndarray
            The value, shape ``shape``.
        """
        position = int(np.searchsorted(self.times, time + SAME_TIME, side="right")) - 1
        first: Array
        if position < 0:
            first = self.values[0]
            return first
        first = self.values[position]
        if self.interpolate == "step" or position + 1 == self.times.size:
            return first
        share = min(max((time - self.times[position]) / (self.times[position + 1] - self.times[position]), 0.0), 1.0)
        second: Array = self.values[position + 1]
        between: Array = first + share * (second - first)
        return between


Values = Mapping[str, Array | TimePath]


def over_time(values: Mapping[str, Any]) -> frozenset[str]:
    """Names of the values that change over time."""
    return frozenset(name for name, value in values.items() if isinstance(value, TimePath))


def cases_of(value: Array | TimePath) -> tuple[int, ...]:
    """Numbers of scenarios and draws of a value."""
    return value.values.shape[1:3] if isinstance(value, TimePath) else value.shape[:2]


def leading_shape(values: Mapping[str, Array | TimePath]) -> tuple[int, int]:
    """Numbers of scenarios and draws to which values broadcast together.

    Parameters
    ----------
    values
        Numbers, arrays or paths over time, by name.

    Returns
    -------
    tuple
        Scenarios and draws, each 1 where nothing varies over it.
    """
    shape = [1, 1]
    owner = ["", ""]
    for name, item in values.items():
        lead = cases_of(item)
        for place, kind in enumerate((Message("scenarios"), Message("draws"))):
            if lead[place] == 1 or lead[place] == shape[place]:
                continue
            if shape[place] != 1:
                raise InvalidInput(
                    "{owner!r} has {count} {kind}, {name!r} has {other_count}; every value needs the same "
                    "number, or one",
                    owner=owner[place],
                    count=shape[place],
                    kind=kind,
                    name=name,
                    other_count=lead[place],
                )
            shape[place], owner[place] = lead[place], name
    return shape[0], shape[1]


def some_cases(value: Array | TimePath, scenarios: slice, draws: slice) -> Array | TimePath:
    """A value for some scenarios and draws; axes of length one, along which it does not vary, are kept."""
    lead = cases_of(value)
    picked = tuple(part if count > 1 else slice(None) for part, count in zip((scenarios, draws), lead, strict=True))
    if isinstance(value, TimePath):
        return TimePath(times=value.times, values=value.values[:, *picked], interpolate=value.interpolate)
    return value[picked]


def one_case(value: Array | TimePath, scenario: int, draw: int) -> Array | TimePath:
    """A value for one case, with leading axes of length one."""
    return some_cases(value, slice(scenario, scenario + 1), slice(draw, draw + 1))


def picked(value: NDArray[Any], case: tuple[int, int]) -> NDArray[Any]:
    """The part of an array for one case (scenario, draw), without these axes."""
    scenario, draw = (place if length > 1 else 0 for place, length in zip(case, value.shape[:2], strict=True))
    return np.asarray(value[scenario, draw])


def fitted_to(model: ModelIr, name: str, value: Any) -> Array | TimePath:
    """Convert a value to an array or path with the axes of a variable.

    Parameters
    ----------
    model
        The lowered model.
    name
        The variable.
    value
        A number, an array over the subscripts, after axes (scenario, draw) if it varies, or a `TimePath` of these.

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
    check_series(model, name, value, model.variables[name].dims)
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise InvalidInput("value of {name!r} is not numeric: {value!r}", name=name, value=value) from error
    dims = model.variables[name].dims
    shape = model.shape(dims)
    # A data series may have gaps, which the equations that use it must handle.
    if np.isnan(array).any() and model.variables[name].kind != "data":
        raise InvalidInput("value of {name!r} contains NaN; fill it or leave the variable to the model", name=name)
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
        "value of {name!r} has shape {shape}; expected {expected}, with (scenario, draw) in front if it varies",
        name=name,
        shape=array.shape,
        expected=expected,
    )


def check_cases(name: str, shape: tuple[int, ...]) -> None:
    """Raise `InvalidInput` for an empty value, without any scenario or draw.

    Parameters
    ----------
    name
        The variable, for the message.
    shape
        Shape of its value.
    """
    if 0 in shape:
        raise InvalidInput(
            "value of {name!r} holds no draw (shape {shape}); give at least one scenario and one "
            "draw, or leave the variable to the model",
            name=name,
            shape=shape,
        )
