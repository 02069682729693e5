"""The protocol of all forecasters: the data available at an origin, and the forecast returned."""

import hashlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import field
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from calibration.forecasting.target import Target
from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.parallel import Pool
from pysd_runner.core.types import Array, frozen

Value = TypeVar("Value")
Key = tuple[Hashable, ...]


class Memory:
    """Cache of results, keyed by the inputs they were computed from."""

    # Keys hold a digest of the data, so a result is never used for other data: the cache saves time and changes no
    # result.

    def __init__(self, known: Mapping[Key, Any] | None = None) -> None:
        self.known: dict[Key, Any] = dict(known or {})

    def recall(self, key: Key, compute: Callable[[], Value]) -> Value:
        """Return the result stored under a key; compute and store it if there is none."""
        if key not in self.known:
            self.known[key] = compute()
        value: Value = self.known[key]
        return value


def digest(values: Array) -> str:
    """Digest of the shape and values of an array, with all NaNs treated as equal."""
    plain = np.ascontiguousarray(np.where(np.isnan(values), np.nan, values) + 0.0, dtype="<f8")
    return hashlib.blake2b(plain.tobytes() + repr(plain.shape).encode(), digest_size=16).hexdigest()


@frozen(eq=False)
class Origin:
    """A forecast origin: the data available to a forecaster, which end at the origin's time.

    Attributes
    ----------
    target
        The target, cut at the origin.
    memory
        Cache of results, shared by the origins of a back-test.
    """

    target: Target
    memory: Memory = field(default_factory=Memory)

    @property
    def time(self) -> int:
        """The last time whose observations may be used."""
        return self.target.times[-1]

    @property
    def digest(self) -> str:
        """Digest of the target up to the origin."""
        return digest(self.target.values)

    def earlier(self, time: int) -> "Origin":
        """The origin at an earlier time, with the same memory."""
        return origin_at(self.target, time, memory=self.memory)


def origin_at(target: Target, time: int, *, memory: Memory | None = None) -> Origin:
    """Cut a target at a time.

    Parameters
    ----------
    target
        What is forecast.
    time
        Last time that may be seen.
    memory
        What was learnt at earlier origins; None for nothing.

    Returns
    -------
    Origin
        The target until that time.

    Raises
    ------
    InvalidInput
        If the time is not a time of the target.
    """
    return Origin(target=target.until(time), memory=memory if memory is not None else Memory())


@frozen(eq=False)
class Forecast:
    """A predictive distribution of the target.

    Attributes
    ----------
    point
        Shape (row, horizon), horizons 1, 2, ... times after the origin; NaN for a row that was never observed.
    draws
        Joint over rows and horizons, shape (draw, row, horizon).
    """

    point: Array
    draws: Array

    def __post_init__(self) -> None:
        if self.draws.ndim != 3 or self.draws.shape[1:] != self.point.shape:
            raise InvalidInput(
                "draws of shape {draws} do not belong to points of shape {points}; expected (draw, region, horizon)",
                draws=self.draws.shape,
                points=self.point.shape,
            )


class Forecaster(Protocol):
    """Anything that forecasts the target from an origin.

    Its ``repr`` must contain all its settings: caches and checkpoints identify a forecaster by it.
    """

    @property
    def name(self) -> str:
        """Name shown in tables."""

    def forecast(self, origin: Origin, *, horizon: int, draws: int, seed: int) -> Forecast:
        """Forecast the times after the origin.

        Parameters
        ----------
        origin
            The data that may be used.
        horizon
            Number of times ahead.
        draws
            Number of predictive draws.
        seed
            Seed of the random numbers; the same seed gives the same draws.

        Returns
        -------
        Forecast
            Draws of shape (draw, row, horizon).
        """


@runtime_checkable
class FittedForecaster(Protocol):
    """A forecaster whose fits can be computed in advance and shared by several origins."""

    def prepare(self, origins: Sequence[Origin], seed: int, pool: Pool) -> None:
        """Fit for all origins, in parallel."""


class PointMethod(Protocol):
    """A method of point forecasts; `calibration.forecasting.empirical_intervals` adds predictive distributions."""

    def points(self, history: Array, horizon: int) -> Array:
        """Point forecasts from a history.

        Parameters
        ----------
        history
            Shape (region, year), NaN where missing; at least one year.
        horizon
            Number of years ahead.

        Returns
        -------
        Array
            Shape (region, horizon); NaN for a region that was never observed. If the history is too short for the
            method, the last level.
        """
