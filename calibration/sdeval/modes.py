"""The behaviour mode of a series: how often it turns, and where it ends against where it began."""

import numpy as np
from numpy.typing import NDArray

from calibration.sdeval.pairs import FloatArray

# A step smaller than this share of the range of a series is no movement.
STILL = 1e-9


def turning_points(values: FloatArray) -> NDArray[np.int_]:
    """How often each series turns from rising to falling or back.

    Parameters
    ----------
    values
        Time on the last axis.

    Returns
    -------
    ndarray of int
        Counts, shape without time. A stretch without change is passed over; a step smaller than 1e-9 of the range of
        the series counts as none.

    Examples
    --------
    >>> turning_points(np.array([0.0, 1, 1, 0, 2])).item()
    2
    """
    series = np.asarray(values, dtype=float)
    counts = [_turns(row) for row in series.reshape(-1, series.shape[-1])]
    return np.array(counts, dtype=int).reshape(series.shape[:-1])


def mode_differs(first: FloatArray, second: FloatArray) -> NDArray[np.bool_]:
    """Whether two runs of a series show another mode of behaviour.

    Parameters
    ----------
    first, second
        Arrays of one shape, time on the last axis.

    Returns
    -------
    ndarray of bool
        Shape without time: true where the turning points are not as many, or one ends above where it began and the
        other does not.
    """
    turns = turning_points(first) != turning_points(second)
    ends = [np.sign(_net_change(np.asarray(array, dtype=float))) for array in (first, second)]
    return np.asarray(turns | (ends[0] != ends[1]))


def _net_change(values: FloatArray) -> FloatArray:
    change = values[..., -1] - values[..., 0]
    return np.asarray(np.where(np.abs(change) > STILL * np.ptp(values, axis=-1), change, 0.0))


def _turns(row: FloatArray) -> int:
    change = np.diff(row)
    change = change[np.abs(change) > STILL * np.ptp(row)]
    return int((np.diff(np.sign(change)) != 0).sum())
