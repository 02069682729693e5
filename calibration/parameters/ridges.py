"""Ridges of a posterior, along which data say nothing, as coordinates of their own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.parameters.space import ParameterSpace
from pysd_runner.core.errors import Message
from pysd_runner.spec import LogNormal, Ridge

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class RidgeChange:
    """Coordinates along and across the declared ridges whose parameters are all moved.

    Written in logarithms of positive parameters, which is the scale their priors move them on.

    * ``product`` of ``a`` and ``b``: ``(log a, log a b)``.
    * ``turnover`` of gains ``a``, ``b`` and a loss ``d`` at a reference ``u``: with ``l = a + b u``, the odds and the
      speed of the equilibrium ``(log(l / d), log(l + d))``, and the odds of the first gain ``log(a / (b u))``. The
      equilibrium share is ``l / (l + d)``.

    Attributes
    ----------
    space
        The moved parameters.
    ridges
        Those that apply.
    """

    space: ParameterSpace
    ridges: tuple[Ridge, ...]

    def forward(self, z: Array) -> Array:
        """Parameters on their unbounded scale to coordinates, shape (..., parameter)."""
        y = np.array(z, dtype=float)
        for ridge in self.ridges:
            places = self._places(ridge)
            if ridge.form == "product":
                y[..., places[1]] = z[..., places[0]] + z[..., places[1]]
                continue
            first, second, loss = (z[..., place] for place in places)
            second = second + np.log(ridge.reference)
            gain = np.logaddexp(first, second)
            y[..., places[0]], y[..., places[1]], y[..., places[2]] = (
                first - second,
                gain - loss,
                np.logaddexp(gain, loss),
            )
        return y

    def backward(self, y: Array) -> Array:
        """Coordinates to parameters on their unbounded scale, shape (..., parameter)."""
        z = np.array(y, dtype=float)
        for ridge in self.ridges:
            places = self._places(ridge)
            if ridge.form == "product":
                z[..., places[1]] = y[..., places[1]] - y[..., places[0]]
                continue
            odds, balance, speed = (y[..., place] for place in places)
            gain, loss = speed + _log_share(balance), speed + _log_share(-balance)
            z[..., places[0]] = gain + _log_share(odds)
            z[..., places[1]] = gain + _log_share(-odds) - np.log(ridge.reference)
            z[..., places[2]] = loss
        return z

    def slopes(self, y: Array) -> Array:
        """Derivatives of parameters with respect to coordinates at a point, shape (parameter, coordinate)."""
        matrix = np.eye(len(y))
        for ridge in self.ridges:
            places = self._places(ridge)
            if ridge.form == "product":
                matrix[places[1], places[0]] = -1.0
                continue
            first, rise = float(_share(y[places[0]])), float(_share(y[places[1]]))
            part = [[1 - first, 1 - rise, 1.0], [-first, 1 - rise, 1.0], [0.0, -rise, 1.0]]
            matrix[np.ix_(places, places)] = part
        return matrix

    def known(self, ridge: Ridge) -> tuple[tuple[str, int, Callable[[Array], Array]], ...]:
        """Combinations across a ridge: name, place of the coordinate, and the function that gives each from it."""
        places = self._places(ridge)
        if ridge.form == "product":
            return ((" x ".join(ridge.keys), places[1], np.exp),)
        return ((Message("equilibrium share"), places[1], _share), (Message("speed a year"), places[2], np.exp))

    def _places(self, ridge: Ridge) -> list[int]:
        return [self.space.keys.index(key) for key in ridge.keys]


def applying(space: ParameterSpace, ridges: Sequence[Ridge]) -> tuple[Ridge, ...]:
    """Ridges that a space can be turned along: all parameters are moved, on a logarithmic scale."""
    logarithmic = {key for key, prior in zip(space.keys, space.priors, strict=True) if isinstance(prior, LogNormal)}
    return tuple(ridge for ridge in ridges if set(ridge.keys) <= logarithmic)


def _share(odds: Array) -> Array:
    """``1 / (1 + exp(-odds))``."""
    return np.exp(_log_share(odds))


def _log_share(odds: Array) -> Array:
    return -np.logaddexp(0.0, -odds)
