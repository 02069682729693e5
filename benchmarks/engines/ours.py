"""The targets of this project, through the array-level calls and through `simulate`."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.engines import Array, Prepared, Unavailable
from benchmarks.models import Subject
from pysd_runner.engine.clock import Clock
from pysd_runner.model import Model, load_model
from pysd_runner.simulation import simulate
from pysd_runner.simulation.task import prepared

CONTROLS = ("INITIAL TIME", "FINAL TIME", "TIME STEP", "SAVEPER")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A loaded model with its clock and what is asked of it."""

    model: Model
    subject: Subject
    clock: Clock
    engine: str

    def values(self, draws: Array) -> dict[str, Array]:
        """Values from outside with the axes (scenario, draw), those of the model's own controls among them."""
        clock = self.clock
        bounds = (clock.start, clock.stop, clock.step, clock.save_every)
        values = {name: np.full((1, 1), value) for name, value in zip(CONTROLS, bounds, strict=True)}
        return values | {name: draws[None, :, at] for at, name in enumerate(self.subject.parameters)}

    @property
    def moments(self) -> tuple[Array, NDArray[np.bool_]]:
        """Every step, and which of them are saved."""
        return self.clock.times, self.clock.saved

    @property
    def steps(self) -> Array:
        """Length of every step."""
        return np.full(self.clock.times.size, self.clock.step)

    def labelled(self, row: Array) -> Any:
        """Run one draw through `simulate`, whose result knows its labels and its failures."""
        values = dict(zip(self.subject.parameters, row.tolist(), strict=True))
        return simulate(self.model, values, outcomes=self.subject.outcomes, engine=self.engine)  # type: ignore[arg-type]

    def series(self, result: Mapping[str, Array]) -> Array:
        """Saved series, shape (draw, series, year)."""
        parts = [array[0].reshape(array.shape[1], -1, self.subject.years) for array in result.values()]
        return np.concatenate(parts, axis=1)


@dataclass(frozen=True, slots=True)
class NumpyModel:
    """A program of the NumPy target."""

    loaded: Loaded
    program: Any

    def ensemble(self, draws: Array) -> dict[str, Array]:
        """Run all draws."""
        from pysd_runner.engine.numpy.target import run

        clock = self.loaded.clock
        return run(self.program, self.loaded.values(draws), clock.times, clock.saved, step=clock.step)

    def single(self, row: Array) -> dict[str, Array]:
        """Run one draw."""
        return self.ensemble(row[None, :])

    def labelled(self, row: Array) -> Any:
        """Run one draw through `simulate`."""
        return self.loaded.labelled(row)

    def series(self, result: dict[str, Array]) -> Array:
        """Saved series, shape (draw, series, year)."""
        return self.loaded.series(result)


# Draws of one call of the compiled code, as in its own `run`.
BLOCK = 1024


class Buffers:
    """Inputs and outputs of a compiled program that are used again with other numbers."""

    def __init__(self, program: Any, loaded: Loaded, draws: Array) -> None:
        from pysd_runner.engine.llvm.calls import Clockwork, ProgramCall

        times, saved = loaded.moments
        clockwork = Clockwork(times, loaded.steps, saved)
        self.call = ProgramCall(program, clockwork, 1, len(draws), loaded.values(draws))
        self.inputs = [self.call.inputs[name].reshape(-1) for name in loaded.subject.parameters]
        self.views = self.call.results()
        for view in self.views:
            view.fill(0.0)

    def run(self, draws: Array) -> None:
        """Run some draws, as many as before."""
        for place, array in enumerate(self.inputs):
            array[: len(draws)] = draws[:, place]
        self.call.run()


@dataclass(slots=True)
class LlvmPrograms:
    """Two programs of the LLVM target: vectors over draws, and over subscripts.

    As the C it is compared with, it writes to arrays that are made once.
    """

    loaded: Loaded
    many: Any
    alone: Any
    threads: int
    one: Buffers = field(init=False)
    kept: dict[int, list[Buffers]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.one = Buffers(self.alone, self.loaded, np.array(self.loaded.subject.base)[None, :])

    def ensemble(self, draws: Array) -> list[Array]:
        """Run all draws, with vectors over them."""
        if len(draws) not in self.kept:
            self.kept.clear()
            blocks = np.split(draws, range(BLOCK, len(draws), BLOCK))
            self.kept[len(draws)] = [Buffers(self.many, self.loaded, block) for block in blocks]
        kept, firsts = self.kept[len(draws)], range(0, len(draws), BLOCK)
        parts = [draws[first : first + BLOCK] for first in firsts]
        if self.threads == 1:
            for buffers, part in zip(kept, parts, strict=True):
                buffers.run(part)
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                list(pool.map(Buffers.run, kept, parts))
        return [view for buffers in kept for view in buffers.views]

    def single(self, row: Array) -> list[Array]:
        """Run one draw and copy the saved series out."""
        self.one.run(row[None, :])
        return [item.copy() for item in self.one.views]

    def series(self, result: list[Array]) -> Array:
        """Saved series, shape (draw, series, year)."""
        names = self.loaded.subject.outcomes
        blocks = [dict(zip(names, result[at:], strict=False)) for at in range(0, len(result), len(names))]
        return np.concatenate([self.loaded.series(block) for block in blocks])


class LlvmModel(LlvmPrograms):
    """The same with the calls that make their arrays anew, or label their result."""

    def fresh(self, draws: Array) -> dict[str, Array]:
        """Run all draws through `run`, which makes its arrays anew."""
        return self._run(self.many, draws)

    def once(self, row: Array) -> dict[str, Array]:
        """Run one draw through `run`, which makes its arrays anew."""
        return self._run(self.alone, row[None, :])

    def labelled(self, row: Array) -> Any:
        """Run one draw through `simulate`."""
        return self.loaded.labelled(row)

    def _run(self, program: Any, draws: Array) -> dict[str, Array]:
        from pysd_runner.engine.llvm.target import run

        found: dict[str, Array] = run(
            program, self.loaded.values(draws), *self.loaded.moments, steps=self.loaded.steps, threads=self.threads
        )
        return found


@dataclass(frozen=True, slots=True)
class Ours:
    """One target of this project."""

    engine: str
    threads: int = 1
    processor: str = "native"
    note: str = ""
    batched: bool = True
    loads: int = 1

    @property
    def name(self) -> str:
        """As in the tables."""
        return self.engine

    def version(self) -> str:
        """Version of this project and of what compiles it."""
        library = {"llvm": "llvmlite", "numpy": "numpy"}[self.engine]
        return f"gapsim {version('gapsim')}, {library} {version(library)}"

    def prepare(self, subject: Subject, folder: Path) -> Prepared:  # noqa: ARG002 - nothing is written
        """Compile a model."""
        model = load_model(subject.path)
        loaded = Loaded(model, subject, clock_of(model), self.engine)
        return self._numpy(loaded) if self.engine == "numpy" else self._llvm(loaded)

    def _numpy(self, loaded: Loaded) -> NumpyModel:
        from pysd_runner.engine.numpy.target import compiled

        given = (*CONTROLS, *loaded.subject.parameters)
        return NumpyModel(loaded, compiled(loaded.model.ir, loaded.subject.outcomes, given, frozenset()))

    def _llvm(self, loaded: Loaded) -> LlvmPrograms:
        try:
            from benchmarks.engines.compiling import processor_named
            from pysd_runner.engine.llvm.programs import host
            from pysd_runner.engine.llvm.target import compiled
        except ImportError as error:
            raise Unavailable(str(error)) from error
        rows = np.tile(loaded.subject.base, (64, 1))
        ir, outcomes = loaded.model.ir, loaded.subject.outcomes
        own = self.processor == "native"
        how = partial(compiled, processor=host() if own else processor_named(self.processor))
        many = how(ir, outcomes, loaded.values(rows), single=False)
        alone = how(ir, outcomes, loaded.values(rows[:1]), single=True)
        kind = LlvmModel if own else LlvmPrograms
        return kind(loaded, many, alone, self.threads)


def clock_of(model: Model) -> Clock:
    """Bounds and steps of a model as its file gives them."""
    return prepared(model, None, engine="numpy").clock
