"""Where a Vensim file draws its variables."""

import csv
from collections.abc import Iterator

from pysd_runner.engine.ir import Drawn

# A line about a variable: 10, number, name, x, y, width, height, shape, bits; the last bit is not set for a shadow.
VARIABLE = "10"
_X, _Y, _BITS = 3, 4, 8


def drawn_in(sketch: str) -> Iterator[Drawn]:
    """Variables where they are drawn."""
    view, before = "", ""
    for line in sketch.split("\n"):
        if line.startswith("*") and before.startswith("V"):
            view = line[1:].strip()
        before = line
        if not line.startswith(f"{VARIABLE},"):
            continue
        parts = next(csv.reader([line.replace('\\"', '""')]))
        try:
            x, y, bits = float(parts[_X]), float(parts[_Y]), int(parts[_BITS])
        except (IndexError, ValueError):
            continue
        yield Drawn(parts[2], view, x, y, is_copy=not bits & 1)
