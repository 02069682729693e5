"""A page of a model: one HTML file that runs it in the browser and asks nobody for anything."""

import base64
import gzip
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine import Task, TimePath
from pysd_runner.model import Model
from pysd_runner.text import LANGUAGES, texts

Array = NDArray[np.float64]

DIMENSIONLESS = "Dmnl"

# In the order in which they are read; what a worker runs as well comes first.
SHARED = ("engine.js", "running.js")
SCRIPTS = ("summaries.js", "drawing.js", "reading.js", "constants.js", "policy.js", "page.js")


@dataclass(frozen=True, kw_only=True, slots=True)
class Explored:
    """What a page runs and what it shows of it, as plain data."""

    model: Model
    task: Task
    title: Mapping[str, str]
    seed: int
    draws: int
    times: Sequence[float]
    origin: float | None = None  # where observations end and the run begins
    saved: Sequence[str]  # what the task saves, in its order
    outcomes: Sequence[Mapping[str, Any]]  # what can be drawn
    constants: Sequence[Mapping[str, Any]]  # sliders by group
    sections: Mapping[str, Any]  # what only some pages have: policies, regions, whether a forecast is followed


@dataclass(slots=True)
class PackedNumbers:
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


def page_of(explored: Explored, *, lang: str = "en", command: str = "") -> str:
    """Write a page; `lang` is the language it opens in, `command` the one that repeats a scenario of it."""
    program, numbers = explored.task.for_browsers(), PackedNumbers()
    inputs = input_records(program.inputs, numbers)
    data = {
        "title": explored.title,
        "command": command,
        "model": {"name": explored.model.name, "sha256": explored.model.sha256},
        "seed": explored.seed,
        "draws": explored.draws,
        "program": dict(program.record),
        "inputs": inputs,
        "times": explored.times,
        "origin": explored.origin,
        "saved": explored.saved,
        "outcomes": explored.outcomes,
        "constants": explored.constants,
        **explored.sections,
        "gapsim": version("gapsim"),
        "lang": lang,
        "texts": {item: dict(texts(item, "explorer")) for item in LANGUAGES},
        "code": packed(program.module.code),
        "numbers": numbers.text(),
    }
    parts = {
        "lang": {"zh": "zh-CN"}.get(lang, lang),
        "title": html.escape(explored.title[lang]),
        "style": _asset("page.css"),
        "data": _inert(json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))),
        "shared": "\n".join(_asset(name) for name in SHARED),
        "scripts": "\n".join(_asset(name) for name in SCRIPTS),
    }
    before, *rest = _asset("page.html").split("{{")
    filled = [before]
    for part in rest:
        name, after = part.split("}}", 1)
        filled += [parts[name], after]
    return "".join(filled)


def packed(data: bytes) -> str:
    """Bytes, compressed, in base 64; the same for the same bytes."""
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode("ascii")


def input_records(inputs: Mapping[str, Any], numbers: PackedNumbers) -> list[dict[str, Any]]:
    """Values of the inputs of a module, laid out (moment, draw, cell)."""
    found: list[dict[str, Any]] = []
    for name, value in inputs.items():
        if isinstance(value, TimePath):
            path = {"times": value.times.tolist(), "interpolate": value.interpolate}
            found.append({"name": name, "values": numbers.add(value.values[:, 0]), "path": path})
        else:
            found.append({"name": name, "values": numbers.add(value[0]), "path": None})
    return found


def _asset(name: str) -> str:
    return files("pysd_runner.explorer").joinpath("assets", name).read_text(encoding="utf-8")


def _inert(text: str) -> str:
    """JSON that cannot end the element it stands in, whatever names it holds."""
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
