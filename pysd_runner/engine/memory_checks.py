"""Whether a run fits into the memory of the machine."""

from collections.abc import Sequence

import numpy as np

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.memory import machine_bytes

# Arrays of the largest variable that live at once while a step is computed.
LIVE_ARRAYS = 12


def check_memory(shapes: Sequence[tuple[int, ...]], cells: int, cases: tuple[int, int], rows: int) -> None:
    """Refuse a run that would not fit into memory."""
    scenarios, draws = cases
    saved = sum(int(np.prod(shape)) for shape in shapes) * rows * scenarios * draws
    needed = 8 * (saved + LIVE_ARRAYS * cells * scenarios)
    available = machine_bytes()
    if needed > available:
        raise InvalidInput(
            f"this run would need about {needed / 1e9:.0f} GB of memory, the machine has {available / 1e9:.0f}: take "
            f"fewer draws ({draws}), scenarios ({scenarios}), regions or outcomes ({len(shapes)})"
        )


def check_delays(rows: int, row_bytes: int, at_once: int) -> None:
    """Refuse a run whose fixed delays would not fit into memory."""
    needed, available = rows * row_bytes * at_once, machine_bytes()
    if needed > available:
        raise InvalidInput(
            f"fixed delays (DELAY FIXED) of up to {rows} steps would need about {needed / 1e9:.3g} GB of memory, the "
            f"machine has {available / 1e9:.3g}: take longer steps, shorter delays, fewer regions or one thread"
        )
