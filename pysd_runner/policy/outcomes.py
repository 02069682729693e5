"""A variable of any model as an outcome."""

from collections.abc import Sequence
from typing import Any

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

    def weighing(values: Array) -> Array:
        shape = values.shape[2:-1]
        given: Any = np.ones(shape) if weights is None else np.reshape(np.asarray(weights, dtype=float), shape)
        return np.asarray(given)[..., None]

    def value(data: Data) -> Array:
        values = data[variable]
        return np.asarray((values * weighing(values)).sum(axis=tuple(range(2, values.ndim - 1))))

    return Outcome(
        key=key,
        variables=(variable,),
        value=value,
        slopes=lambda data: {variable: np.broadcast_to(weighing(data[variable]), data[variable].shape)},
        sign=sign,
        unit=unit,
        en=en,
        zh=zh,
    )
