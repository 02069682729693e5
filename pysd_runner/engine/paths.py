"""Inputs that change over time."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.errors import InvalidInput

# A schedule year and a simulated time that differ by rounding only are the same moment.
SAME_TIME = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TimePath:
    """An input that changes over time.

    Parameters
    ----------
    times
        Increasing years, shape (k,).
    values
        What holds at those years, shape ``(k, *shape)``, where ``shape`` is that of the input, with or without the two
        leading axes (scenario, draw).
    interpolate
        ``"step"``: a value holds from its year until the next one; ``"linear"``: straight lines between years.
        Before the first year the first value holds, after the last year the last one.

    Raises
    ------
    InvalidInput
        If times do not increase, or the number of values differs from the number of times.
    """

    times: NDArray[np.float64]
    values: NDArray[np.float64]
    interpolate: Literal["step", "linear"] = "step"

    def __post_init__(self) -> None:
        times = np.atleast_1d(np.asarray(self.times, dtype=float))
        values = np.asarray(self.values, dtype=float)
        if times.ndim != 1 or not times.size or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
            raise InvalidInput(f"a path over time needs increasing years; found {times.tolist()}")
        if values.ndim == 0 or values.shape[0] != times.size:
            raise InvalidInput(
                f"a path over time needs one value per year: {times.size} years, values of shape {values.shape}"
            )
        if self.interpolate not in ("step", "linear"):
            raise InvalidInput(f"interpolate must be 'step' or 'linear'; found {self.interpolate!r}")
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "values", values)

    def at(self, time: float) -> NDArray[np.float64]:
        """Value at one moment.

        Parameters
        ----------
        time
            The moment, in years.

        Returns
        -------
        ndarray
            Shape of one value.
        """
        position = int(np.searchsorted(self.times, time + SAME_TIME, side="right")) - 1
        first: NDArray[np.float64]
        if position < 0:
            first = self.values[0]
            return first
        first = self.values[position]
        if self.interpolate == "step" or position + 1 == self.times.size:
            return first
        share = min(max((time - self.times[position]) / (self.times[position + 1] - self.times[position]), 0.0), 1.0)
        second: NDArray[np.float64] = self.values[position + 1]
        between: NDArray[np.float64] = first + share * (second - first)
        return between
