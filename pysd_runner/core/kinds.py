"""Kinds of arrays, as annotations name them."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.intp]
# Arrays of numbers by name.
Arrays = Mapping[str, Array]
