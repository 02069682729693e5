"""A variable of any model as an outcome."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pysd_runner.policy.study import Data, Outcome

Array = NDArray[np.float64]


def variable_outcome(
    key: str,
    variable: str,
    *,
    sign: float = 1.0,
    unit: str = "",
    en: str = "",
    zh: str = "",
    weights: Sequence[float] | None = None,
) -> Outcome:
    """A variable of any model as an outcome: itself, or a weighted sum over its elements.

    Parameters
    ----------
    key
        Name.
    variable
        The variable.
    sign
        1 where more is better, -1 where less is.
    unit, en, zh
        Unit and labels.
    weights
        Of its elements in C order; None adds them up.
    """
    factors = None if weights is None else np.asarray(weights, dtype=float)
    return Outcome(
        key=key,
        variables=(variable,),
        value=partial(_value, variable, factors),
        slopes=partial(_slopes, variable, factors),
        sign=sign,
        unit=unit,
        en=en,
        zh=zh,
    )


def _weighing(weights: Array | None, values: Array) -> Array:
    shape = values.shape[2:-1]
    return np.asarray(np.ones(shape) if weights is None else weights.reshape(shape))[..., None]


def _value(variable: str, weights: Array | None, data: Data) -> Array:
    values = data[variable]
    return np.asarray((values * _weighing(weights, values)).sum(axis=tuple(range(2, values.ndim - 1))))


def _slopes(variable: str, weights: Array | None, data: Data) -> Data:
    values = data[variable]
    return {variable: np.broadcast_to(_weighing(weights, values), values.shape)}
