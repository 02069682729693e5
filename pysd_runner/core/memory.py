"""How much memory the machine has."""

import math
import os


def machine_bytes() -> float:
    """Memory of the machine in bytes; infinite where the system does not tell."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return math.inf
