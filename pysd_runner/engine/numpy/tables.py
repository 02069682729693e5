"""Reads table functions with NumPy: one table quickly, many tables at once."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.ir import Interpolation, Mode

Array = NDArray[np.float64]


class Tables:
    """The tables of one expression, ready to be read."""

    def __init__(self, x: Array, y: Array, mode: Mode) -> None:
        self._x, self._y = x, y
        self._single = x.size == x.shape[-1]
        flat = x.reshape(-1, x.shape[-1])
        self._same_x = bool((flat == flat[0]).all())
        self._first = flat[0]
        with np.errstate(all="ignore"):
            width = np.diff(x)
            self._slope = np.where(width > 0, np.diff(y) / width, 0.0)
        # A shorter table repeats its last point, which has no slope of its own.
        last = np.maximum((width > 0).sum(axis=-1, keepdims=True) - 1, 0)
        self._low = self._slope[..., 0] if x.shape[-1] > 1 else np.zeros(x.shape[:-1])
        self._high = _at(self._slope, last) if x.shape[-1] > 1 else np.zeros(x.shape[:-1])
        self.at: Callable[[Array], Array] = _READERS[mode].__get__(self)

    @classmethod
    def of(cls, expression: Interpolation, lengths: Mapping[str, int]) -> "Tables":
        """The tables of an expression, shaped to go with its argument."""
        own = (*(lengths[axis] for axis in expression.tables), expression.points)
        order = [expression.tables.index(axis) for axis in expression.axes if axis in expression.tables]
        shape = (1, 1, *(lengths[axis] if axis in expression.tables else 1 for axis in expression.axes))
        shape = (*shape, expression.points) if expression.tables else own
        sides = (np.asarray(side, dtype=float).reshape(own) for side in (expression.x, expression.y))
        x, y = (side.transpose(*order, len(order)).reshape(shape) for side in sides)
        return cls(x, y, expression.mode)

    def _interpolated(self, argument: Array) -> Array:
        if self._single and self._first.size > 1:
            return np.asarray(np.interp(argument, self._first, self._y.ravel()))
        argument = self._shaped(argument)
        inside = self._between(argument)
        low, high = self._x[..., 0], self._x[..., -1]
        return np.where(argument <= low, self._y[..., 0], np.where(argument >= high, self._y[..., -1], inside))

    def _extrapolated(self, argument: Array) -> Array:
        if self._single:
            x, y = self._first, self._y.ravel()
            argument = np.asarray(argument, dtype=float)
            low, high = self._low.ravel()[0], self._high.ravel()[0]
            below, above = y[0] + (argument - x[0]) * low, y[-1] + (argument - x[-1]) * high
            inside = np.interp(argument, x, y) if x.size > 1 else self._between(argument)
            return np.where(argument < x[0], below, np.where(argument > x[-1], above, inside))
        argument = self._shaped(argument)
        low, high = self._x[..., 0], self._x[..., -1]
        below = self._y[..., 0] + (argument - low) * self._low
        above = self._y[..., -1] + (argument - high) * self._high
        return np.where(argument <= low, below, np.where(argument >= high, above, self._between(argument)))

    def _held(self, argument: Array) -> Array:
        argument = self._shaped(argument)
        return np.where(np.isnan(argument), np.nan, _at(self._y, self._place(argument, "right", 1)))

    def _looked_forward(self, argument: Array) -> Array:
        argument = self._shaped(argument)
        return np.where(np.isnan(argument), np.nan, _at(self._y, self._place(argument, "left", 0)))

    def _raw(self, argument: Array) -> Array:
        argument = self._shaped(argument)
        place = self._place(argument, "left", 0)
        return np.where(_at(self._x, place) == argument, _at(self._y, place), np.nan)

    def _shaped(self, argument: Array) -> Array:
        argument = np.asarray(argument, dtype=float)
        missing = self._x.ndim - 1 - argument.ndim
        return argument.reshape(argument.shape + (1,) * missing) if missing > 0 else argument

    def _between(self, argument: Array) -> Array:
        """The straight line between the two points around the argument, computed as np.interp does."""
        if self._x.shape[-1] == 1:
            return np.where(np.isnan(argument), np.nan, self._y[..., 0])
        place = np.minimum(self._place(argument, "right", 1), self._x.shape[-1] - 2)
        return _at(self._slope, place) * (argument - _at(self._x, place)) + _at(self._y, place)

    def _place(self, argument: Array, side: str, back: int) -> NDArray[np.intp]:
        """Number of the point at or before (or after) the argument, with an axis of length one behind."""
        count = self._x.shape[-1]
        if self._same_x:
            found = np.searchsorted(self._first, argument, side=side)  # type: ignore[call-overload]
        else:
            shape = np.broadcast_shapes(argument.shape, self._x.shape[:-1])
            argument = np.broadcast_to(argument, shape)
            found = np.empty(shape, dtype=np.intp)
            for table in np.ndindex(*self._x.shape[:-1]):
                lengths = zip(table, self._x.shape, strict=False)
                part = tuple(slice(None) if length == 1 else place for place, length in lengths)
                found[part] = np.searchsorted(self._x[table], argument[part], side=side)  # type: ignore[call-overload]
        clipped: NDArray[np.intp] = np.clip(found - back, 0, count - 1)[..., None]
        return clipped


def _at(values: Array, place: NDArray[np.intp]) -> Array:
    """Values at the places given, over all axes but the last."""
    shape = np.broadcast_shapes(values.shape[:-1], place.shape[:-1])
    spread = np.broadcast_to(values, (*shape, values.shape[-1]))
    picked: Array = np.take_along_axis(spread, np.broadcast_to(place, (*shape, 1)), axis=-1)[..., 0]
    return picked


_READERS: dict[Mode, Callable[[Tables, Array], Array]] = {
    "interpolate": Tables._interpolated,
    "extrapolate": Tables._extrapolated,
    "hold_backward": Tables._held,
    "look_forward": Tables._looked_forward,
    "raw": Tables._raw,
}
