"""Packs numbers and a compiled model into text that a page can hold."""

import base64
import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine import TimePath

Array = NDArray[np.float64]


@dataclass(slots=True)
class Numbers:
    """Collects arrays of numbers; each is known by its place among all."""

    parts: list[Array] = field(default_factory=list)
    size: int = 0

    def add(self, values: Any) -> list[int]:
        """Place and number of some values."""
        flat = np.ascontiguousarray(values, dtype="<f8").ravel()
        self.parts.append(flat)
        self.size += flat.size
        return [self.size - flat.size, flat.size]

    def text(self) -> str:
        """All numbers, exact: first bytes first, compressed, in base 64."""
        whole = np.concatenate(self.parts) if self.parts else np.zeros(0, dtype="<f8")
        # Signs and exponents of neighbours are alike: side by side they take a fraction of the room.
        shuffled = whole.view(np.uint8).reshape(-1, 8).T.tobytes()
        return packed(shuffled)


def packed(data: bytes) -> str:
    """Bytes, compressed, in base 64; the same for the same bytes."""
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode("ascii")


def input_records(inputs: Mapping[str, Any], numbers: Numbers) -> list[dict[str, Any]]:
    """Values of the inputs of a module, laid out (moment, draw, cell)."""
    found: list[dict[str, Any]] = []
    for name, value in inputs.items():
        if isinstance(value, TimePath):
            path = {"times": value.times.tolist(), "interpolate": value.interpolate}
            found.append({"name": name, "values": numbers.add(value.values[:, 0]), "path": path})
        else:
            found.append({"name": name, "values": numbers.add(value[0]), "path": None})
    return found
