"""One module per engine; each prepares a model once and then runs it, once or for many draws."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.models import Subject

Array = NDArray[np.float64]


class Unavailable(Exception):
    """An engine cannot run a model here; the message says why."""


class Prepared(Protocol):
    """A model ready to run on one engine; nothing it does once is part of a measurement."""

    def ensemble(self, draws: Array) -> Any:
        """Run all draws, shape (draw, parameter), and keep every saved series."""

    def single(self, row: Array) -> Any:
        """Run one draw, shape (parameter,), and keep every saved series."""

    def series(self, result: Any) -> Array:
        """What either returned with the axes (draw, series, year), for comparison; not timed."""


class Engine(Protocol):
    """A way to run models."""

    @property
    def name(self) -> str:
        """As in the tables."""

    @property
    def note(self) -> str:
        """What a reader must know of how it was run, empty if nothing."""

    @property
    def batched(self) -> bool:
        """Whether many draws at once cost less each than one at a time."""

    @property
    def loads(self) -> int:
        """How often a model may be loaded until its numbers are right; more than once only where they change."""

    def version(self) -> str:
        """Version of what runs the model."""

    def prepare(self, subject: Subject, folder: Path) -> Prepared:
        """Make a model ready to run.

        Raises
        ------
        Unavailable
            If it cannot be run here.
        """


def all_engines(yardsticks: Path, sdeverywhere: Path | None) -> Mapping[str, Engine]:
    """Every engine by name, ours first, slow ones last."""
    from benchmarks.engines.ours import Ours
    from benchmarks.engines.pysd_runs import PySD
    from benchmarks.engines.simlin_runs import Simlin

    ours, *others = compiled_engines(yardsticks, sdeverywhere).values()
    engines = [ours, Ours("numpy"), *others, Simlin(), PySD("kept"), PySD("patched"), PySD("released")]
    return {engine.name: engine for engine in engines}


def compiled_engines(yardsticks: Path, sdeverywhere: Path | None, processor: str = "native") -> Mapping[str, Engine]:
    """Engines that become machine code, by name, for a processor by its name in compilers."""
    from benchmarks.engines.hand_written import HandWritten
    from benchmarks.engines.ours import Ours
    from benchmarks.engines.sde import SDEverywhere

    engines: list[Engine] = [Ours("llvm", processor=processor)]
    engines += [HandWritten(yardsticks, fast, processor) for fast in (False, True)]
    engines += [SDEverywhere(sdeverywhere, fast, processor) for fast in (False, True)]
    return {engine.name: engine for engine in engines}
