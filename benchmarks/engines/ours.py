"""The targets of this project, through the array-level call and through `simulate`."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.engines import Array, Unavailable
from benchmarks.models import Subject
from pysd_runner.engine.clock import Clock
from pysd_runner.model import Model, load_model

TARGETS = {"numpy": "pysd_runner.engine.numpy_target", "llvm": "pysd_runner.engine.llvm.target"}
CONTROLS = ("INITIAL TIME", "FINAL TIME", "TIME STEP", "SAVEPER")


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """A program of one target with the clock of its model.

    Parameters
    ----------
    target
        Module with `compiled` and `run`.
    program
        What `compiled` returned.
    model, subject, clock, engine
        What it was made from.
    options
        Further arguments of `run`.
    """

    target: ModuleType
    program: Any
    model: Model
    subject: Subject
    clock: Clock
    engine: str
    options: Mapping[str, Any]

    def ensemble(self, draws: Array) -> dict[str, Array]:
        """Run all draws."""
        values = {name: np.ascontiguousarray(draws[None, :, at]) for at, name in enumerate(self.subject.parameters)}
        clock = self.clock
        bounds = (clock.start, clock.stop, clock.step, clock.save_every)
        values |= {name: np.full((1, 1), value) for name, value in zip(CONTROLS, bounds, strict=True)}
        found: dict[str, Array] = self.target.run(
            self.program, values, self.clock.times, self.clock.saved, step=self.clock.step, **self.options
        )
        return found

    def single(self, row: Array) -> dict[str, Array]:
        """Run one draw."""
        return self.ensemble(row[None, :])

    def labelled(self, row: Array) -> Any:
        """Run one draw through `simulate`, whose result knows its labels and its failures."""
        from pysd_runner.simulate import simulate

        values = dict(zip(self.subject.parameters, row.tolist(), strict=True))
        return simulate(self.model, values, outcomes=self.subject.outcomes, engine=self.engine)  # type: ignore[arg-type]

    def series(self, result: dict[str, Array]) -> Array:
        """Saved series, shape (draw, series, year)."""
        parts = [result[name][0].reshape(result[name].shape[1], -1, self.subject.years) for name in result]
        return np.concatenate(parts, axis=1)


@dataclass(frozen=True, slots=True)
class Ours:
    """One target of this project."""

    engine: str
    threads: int = 1
    note: str = ""
    batched: bool = True

    @property
    def name(self) -> str:
        """As in the tables."""
        return self.engine

    def version(self) -> str:
        """Version of this project and of what compiles it."""
        library = {"llvm": "llvmlite", "numpy": "numpy"}[self.engine]
        return f"gapsim {version('gapsim')}, {library} {version(library)}"

    def prepare(self, subject: Subject, folder: Path) -> PreparedModel:  # noqa: ARG002 - nothing is written
        """Compile a model."""
        try:
            target = import_module(TARGETS[self.engine])
        except ImportError as error:
            raise Unavailable(f"{self.engine}: {error}") from error
        model = load_model(subject.path)
        clock = clock_of(model)
        given = (*CONTROLS, *subject.parameters)
        program = target.compiled(model.ir, subject.outcomes, given, frozenset())
        options = {} if self.engine == "numpy" else {"threads": self.threads}
        return PreparedModel(target, program, model, subject, clock, self.engine, options)


def clock_of(model: Model) -> Clock:
    """Bounds and steps of a model as its file gives them."""
    from pysd_runner.simulate import simulate

    run = simulate(model, outcomes=CONTROLS, engine="numpy")
    return Clock(*(float(run[name].flat[0]) for name in CONTROLS))
