"""How much memory the machine has, and arrays that lie well in it."""

import math
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Every value starts on a cache line.
LINE = 64

# Rows of results this many bytes apart, or a multiple of it, push each other out of the cache.
ALIASED = 2048


def machine_bytes() -> float:
    """Memory of the machine in bytes; infinite where the system does not tell."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return math.inf


def aligned(shape: tuple[int, ...], dtype: Any, *, fill: float | None = None) -> NDArray[Any]:
    """An array that starts on a cache line."""
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    raw = np.empty(size + LINE, dtype=np.uint8)
    shift = -raw.ctypes.data % LINE
    array: NDArray[Any] = raw[shift : shift + size].view(dtype).reshape(shape)
    if fill is not None:
        array.fill(fill)
    return array


def spread(room: int, lanes: int, item: int) -> int:
    """Room for the draws of a row such that rows do not all fall on the same lines of the processor's cache."""
    return room + lanes if room * item % ALIASED == 0 else room
