"""Memory of the machine, checks that a run fits into it, and arrays aligned for the CPU cache."""

import math
import os
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.errors import InvalidInput, Message

# Length of a cache line in bytes; every array starts on one.
LINE = 64

# Length of a large page in bytes; large arrays start on one, since fresh memory is cleared much faster by such pages.
PAGE = 1 << 21

# Rows of results that are a multiple of this many bytes apart evict each other from the CPU cache.
ALIASED = 2048

# Number of temporary arrays of the size of the largest variable that exist at once within a step.
LIVE_ARRAYS = 12


def machine_bytes() -> float:
    """Memory of the machine in bytes; infinite where the system does not report it."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return math.inf


def aligned(shape: tuple[int, ...], dtype: Any = np.float64, *, fill: float | None = None) -> NDArray[Any]:
    """An array that starts on a cache line."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    line = PAGE if size >= 2 * PAGE else LINE
    raw = np.empty(size + line, dtype=np.uint8)
    shift = -raw.ctypes.data % line
    array: NDArray[Any] = raw[shift : shift + size].view(dtype).reshape(shape)
    if fill is not None:
        array.fill(fill)
    return array


def spread(room: int, lanes: int, item: int) -> int:
    """Pad the length of rows of draws where they would otherwise all use the same lines of the CPU cache."""
    return room + lanes if room * item % ALIASED == 0 else room


def check_memory(needed: int, what: Message, instead: Message) -> None:
    """Raise `InvalidInput` for work that needs more bytes than the machine has."""
    available = machine_bytes()
    if needed > available:
        raise InvalidInput(
            "{what} would need about {needed:.3g} GB of memory, the machine has {available:.3g}: {instead}",
            what=what,
            needed=min(needed, sys.float_info.max) / 1e9,
            available=available / 1e9,
            instead=instead,
        )


def check_run(
    shapes: Sequence[tuple[int, ...]], cells: int, cases: tuple[int, int], rows: int, *, copies: int = 1
) -> None:
    """Raise `InvalidInput` for a run that would not fit into memory."""
    scenarios, draws = cases
    saved = sum(map(math.prod, shapes)) * rows * scenarios * draws
    check_memory(
        8 * (copies * saved + LIVE_ARRAYS * cells * scenarios),
        Message("this run"),
        Message(
            "take fewer draws ({draws}), scenarios ({scenarios}), regions or outcomes ({outcomes})",
            draws=draws,
            scenarios=scenarios,
            outcomes=len(shapes),
        ),
    )


def check_delays(rows: int, row_bytes: int, at_once: int) -> None:
    """Raise `InvalidInput` for a run whose fixed delays would not fit into memory."""
    check_memory(
        rows * row_bytes * at_once,
        Message("fixed delays (DELAY FIXED) of up to {rows} steps", rows=rows),
        Message("take longer steps, shorter delays, fewer regions or one thread"),
    )
