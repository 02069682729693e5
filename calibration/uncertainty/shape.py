"""What a profile looks like, in words."""

from enum import Enum

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# A dip must be this deep in minus log posterior to count as a second mode: a likelihood ratio of e to the half.
DIP = 0.5


class Shape(Enum):
    """How the data part of a profile looks; the value is the phrase a reader is told."""

    BOTH = "bounded on both sides"
    BELOW = "bounded from below only"
    ABOVE = "bounded from above only"
    FLAT = "flat"
    TWO_MODES = "two modes"

    @property
    def is_identified(self) -> bool:
        """Whether the data alone rule out values on either side."""
        return self is Shape.BOTH


def shape_of(rise: Array, data_rise: Array, limit: float) -> Shape:
    """Tell the shape of a profile.

    >>> flat, bowl = np.zeros(5), np.array([4.0, 1.0, 0.0, 1.0, 4.0])
    >>> shape_of(bowl, bowl, 1.35).value, shape_of(bowl, flat, 1.35).value
    ('bounded on both sides', 'flat')
    """
    if _dip(rise) >= DIP:
        return Shape.TWO_MODES
    lowest = int(data_rise.argmin())
    below, above = data_rise[:lowest], data_rise[lowest + 1 :]
    is_below, is_above = bool((below >= limit).any()), bool((above >= limit).any())
    if is_below and is_above:
        return Shape.BOTH
    if is_below:
        return Shape.BELOW
    return Shape.ABOVE if is_above else Shape.FLAT


def _dip(rise: Array) -> float:
    """Depth of the second lowest valley: how far one must climb from it towards the lowest."""
    lowest = int(rise.argmin())
    right = np.maximum.accumulate(rise[lowest:]) - rise[lowest:]
    left = np.maximum.accumulate(rise[lowest::-1]) - rise[lowest::-1]
    return float(max(right.max(), left.max()))
