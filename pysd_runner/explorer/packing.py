"""Packs a compiled model and the numbers it starts from into text that a page can hold."""

import base64
import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.paths import TimePath
from pysd_runner.engine.wasm.module import WasmModule, given_of, wasm_module
from pysd_runner.simulation.task import Task

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


def compiled_task(task: Task) -> tuple[WasmModule, dict[str, Any]]:
    """Compile what a task asks for, with the values it is run with."""
    model, inputs = task.integrated
    moving, varying = given_of(inputs)
    return wasm_module(model, task.outcomes, moving, varying), inputs


def program_record(module: WasmModule, task: Task) -> dict[str, Any]:
    """What `engine.js` must know to call a module."""
    clock, signature = task.clock, module.signature
    return {
        "lanes": module.lanes,
        "size": signature.size,
        "pages": module.pages,
        "functions": list(module.functions),
        "inputs": [
            {"name": item.name, "cells": item.slot.cells, "wide": item.slot.wide, "moving": item.moving}
            for item in signature.inputs
        ],
        "outputs": [
            {"name": name, "cells": slot.cells} for name, slot in zip(module.outcomes, signature.outputs, strict=True)
        ],
        "times": clock.times.tolist(),
        "steps": [clock.step] * clock.times.size,
        "saved": clock.saved.astype(int).tolist(),
        "seed": task.seed,
    }


def input_records(module: WasmModule, values: Mapping[str, Any], numbers: Numbers) -> list[dict[str, Any]]:
    """Values of the inputs of a module, laid out (moment, draw, cell)."""
    found: list[dict[str, Any]] = []
    for item in module.signature.inputs:
        value = values[item.name]
        if isinstance(value, TimePath):
            path = {"times": value.times.tolist(), "interpolate": value.interpolate}
            found.append({"name": item.name, "values": numbers.add(value.values[:, 0]), "path": path})
        else:
            found.append({"name": item.name, "values": numbers.add(value[0]), "path": None})
    return found
