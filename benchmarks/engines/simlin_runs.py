"""simlin through its Python bindings: one simulation is reset, given parameters and run again."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.engines import Array, Unavailable
from benchmarks.models import Subject


@dataclass(frozen=True, slots=True)
class PreparedSimlin:
    """A simulation with the names of what is set and what is read."""

    simulation: Any
    parameters: tuple[str, ...]
    series_names: tuple[str, ...]

    def ensemble(self, draws: Array) -> list[list[Array]]:
        """Run all draws, one after the other."""
        return [self.single(row) for row in draws]

    def single(self, row: Array) -> list[Array]:
        """Run one draw."""
        self.simulation.reset()
        for name, value in zip(self.parameters, row.tolist(), strict=True):
            self.simulation.set_value(name, value)
        self.simulation.run_to_end()
        return [self.simulation.get_series(name) for name in self.series_names]

    def series(self, result: Any) -> Array:
        """Saved series, shape (draw, series, year)."""
        array = np.array(result, dtype=float)
        return array if array.ndim == 3 else array[None]


@dataclass(frozen=True, slots=True)
class Simlin:
    """pysimlin."""

    name: str = "pysimlin"
    note: str = "one simulation, reset and set anew for every draw"
    batched: bool = False
    # In pysimlin 0.8.5 about every second load of the shipped model starts from other values once parameters were set.
    loads: int = 12

    def version(self) -> str:
        """Version of the bindings."""
        try:
            return f"pysimlin {version('pysimlin')}"
        except PackageNotFoundError:
            return "not installed"

    def prepare(self, subject: Subject, folder: Path) -> PreparedSimlin:  # noqa: ARG002 - nothing is written
        """Load a model."""
        try:
            import simlin
        except ImportError as error:
            raise Unavailable("pysimlin is not installed; pip install pysimlin") from error
        model = simlin.load(subject.path)
        names = [
            _spelled(outcome) + (f"[{','.join(_spelled(item) for item in label)}]" if label else "")
            for outcome, labels in zip(subject.outcomes, subject.labels, strict=True)
            for label in labels
        ]
        return PreparedSimlin(model.simulate(), tuple(_spelled(item) for item in subject.parameters), tuple(names))


def _spelled(name: str) -> str:
    return "_".join(name.lower().split())
