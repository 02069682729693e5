"""Run any loaded model for many draws of its parameters under several scenarios, block by block."""

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Unpack

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput, Message, SimulationFailed
from pysd_runner.core.parallel import open_pool
from pysd_runner.core.progress import ProgressCallback, between_steps, counted, with_progress
from pysd_runner.core.types import Flags
from pysd_runner.engine import Failure, TimePath
from pysd_runner.engine.memory import aligned, check_memory, spread
from pysd_runner.engine.validation import check_integer, cores
from pysd_runner.ensemble.cases import LEAST_DRAWS, BlockRuns, Cases, Precision, Room, cases_of, no_room, without_frames
from pysd_runner.ensemble.designs import Design
from pysd_runner.ensemble.result import Ensemble
from pysd_runner.ensemble.statistics import MAX_EXACT, BlockStatistics, RunningStatistics, Statistics
from pysd_runner.model import Model
from pysd_runner.simulation.task import RunSettings, labels, provenance, versions

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.floating]
Keep = Literal["full"] | Statistics


@with_progress("Running the ensemble")
def run_ensemble(  # noqa: PLR0913 - public entry point
    model: Model,
    cases: "Design | Mapping[str, Any] | pd.DataFrame",
    *,
    outcomes: Sequence[str] | None = None,
    scenarios: "Mapping[str, Mapping[str, Any]] | pd.DataFrame | None" = None,
    threads: int | None = None,
    draws: int | None = None,
    keep: Keep = "full",
    precision: Precision = "float64",
    throw: bool = False,
    progress: ProgressCallback = None,
    **settings: Unpack[RunSettings],
) -> Ensemble:
    """Run a model for many draws of its parameters.

    All scenarios share the draws and the random numbers of the model, so that their difference can be taken draw by
    draw. Draws are computed in blocks; results depend neither on the number of threads nor on the machine's memory.

    Parameters
    ----------
    model
        Any model returned by `load_model`, with declarations or without.
    cases
        A `Design`, a data frame with a column for each variable and a row for each draw, or values by variable: a
        number or an array of shape (subscripts...) for all draws, an array of shape (draw,) or (draw, subscripts...),
        or a `TimePath` of such values. An array with the shape of the subscripts is never taken for draws: with 31
        regions, 31 numbers are one for each region. A single element of a constant is named as ``contact rate[young]``;
        the others keep the values in the model file.
    outcomes
        Variables to save; None saves every variable of the file.
    scenarios
        Values that replace those of `cases` or of the file, by the name of the scenario: numbers, arrays over the
        subscripts, or `TimePath`; or a data frame with a row for each scenario and a column for each variable. None
        stands for one scenario, ``"base"``, that replaces nothing. Policy mixes of the shipped model give such values:
        ``load_scenario(...).values(model, panel.regions)``.
    threads
        Number of blocks computed in parallel; None uses all cores available to the process.
    draws
        Number of draws if no value has a draw axis, so that only random numbers differ; None takes that of the values.
    keep
        ``"full"``: every run; `Statistics`: only these statistics over draws, so that memory does not grow with the
        number of draws.
    precision
        ``"float64"``, or ``"float32"`` to keep results in half the memory, accurate to about seven digits.
    throw
        Whether a case that is not finite raises an error; otherwise failed cases are counted and described, and left
        out of statistics.
    progress
        As for `calibration.fit`; draws are counted.
    **settings
        ``start``, ``stop``, ``step``, ``save_every``, ``engine``, ``seed`` and ``method``, as for `simulate`.

    Returns
    -------
    Ensemble
        Runs with the axes (scenario, draw, ..., year), or statistics of them. After an interruption (Ctrl-C) it holds
        the draws that were finished, and says so: ``complete`` is false.

    Raises
    ------
    UnknownName
        If a variable does not exist.
    InvalidInput
        If a value does not fit its variable, or an option is invalid.
    UnsupportedFeature
        If the engine does not cover the model.
    SimulationFailed
        If a case is not finite and `throw` is true.
    KeyboardInterrupt
        If it was interrupted before any draw was finished.
    """
    if precision not in ("float64", "float32"):
        raise InvalidInput("precision must be 'float64' or 'float32'; found {precision!r}", precision=precision)
    cases, scenarios = without_frames(model, cases, scenarios)
    found = cases_of(model, cases, scenarios, draws, outcomes=outcomes, **settings).in_blocks()
    check_kept(found, found.draws, precision, keep)
    # PySD keeps its state in Python modules, which threads would share; each case takes seconds, so that progress is
    # reported after each.
    is_slow = found.first.engine == "pysd"
    parts = [slice(draw, draw + 1) for draw in range(found.draws)] if is_slow else found.blocks(found.draws)
    at_once = cores() if threads is None else check_integer("threads", threads, least=1)
    kept = statistics_of(keep)
    # Exact quantiles need every run until the end, so their memory is allocated at the start.
    is_whole = kept is not None and found.draws <= MAX_EXACT and len(kept.quantiles) > 0
    room = RunCollector(found, "float64").room if is_whole else no_room
    collector = (
        RunCollector(found, precision) if kept is None else StatisticsCollector(found, kept, parts[0].stop, room)
    )
    work = _Work(found, collector, precision, throw)
    work.run(parts, 1 if is_slow else at_once, counted(progress, "draws", found.draws))
    made = {
        "precision": precision,
        "cases": dict(cases.made) if isinstance(cases, Design) else {"method": "given values"},
        "varied": sorted(found.parameters),
        "values_sha256": _digest(cases.cases if isinstance(cases, Design) else cases, scenarios or {}),
        "scenarios": _described(found, scenarios),
        "versions": versions(found.first.engine),
    }
    failed = work.failed[:, : work.done]
    parameters = {name: values[: work.done] for name, values in found.parameters.items()}
    failures = _failures(found, failed, work.shown)
    return ensemble_of(model, found, parameters, failed, failures, made, collector.results(work.done))


def statistics_of(keep: Keep) -> Statistics | None:
    """Statistics to keep; None if every run is kept."""
    if keep != "full" and not isinstance(keep, Statistics):
        raise InvalidInput("keep must be 'full' or Statistics(...); found {keep!r}", keep=keep)
    return keep if isinstance(keep, Statistics) else None


def check_kept(cases: Cases, draws: int, precision: str, keep: Keep) -> None:
    """Raise if what is kept of so many draws would not fit into memory: runs or their statistics, and what failed."""
    kept = 0 if isinstance(keep, Statistics) else np.dtype(precision).itemsize
    cells = kept * sum(map(math.prod, cases.shapes.values()))
    fewer = Message("take fewer draws ({draws}), scenarios or outcomes", draws=draws)
    check_memory(
        len(cases.scenarios) * draws * (cells + 1),
        Message("the runs"),
        Message("keep statistics of them (--statistics, in Python keep=Statistics()), or {fewer}", fewer=fewer)
        if kept
        else fewer,
    )


def ensemble_of(
    model: Model,
    cases: Cases,
    parameters: Mapping[str, NDArray[np.float64]],
    failed: Flags,
    failures: tuple[Failure, ...],
    made: Mapping[str, Any],
    results: Mapping[str, Any],
) -> Ensemble:
    """Build the result from the arrays of a collector, with labels and provenance."""
    return Ensemble(
        scenarios=cases.scenarios,
        years=cases.first.clock.saved_times,
        parameters=parameters,
        failed=failed,
        failures=failures,
        planned=cases.draws,
        provenance={**provenance(model, cases.first), **made},
        **labels(model, dict.fromkeys((*cases.first.outcomes, *parameters))),
        **results,
    )


@dataclass(slots=True)
class _Work:
    """Computes blocks and passes them to a collector."""

    cases: Cases
    collector: "RunCollector | StatisticsCollector"
    precision: Precision
    throw: bool
    failed: Flags = field(init=False)
    done: int = field(init=False, default=0)
    # First value that is not finite in the first failed draws of every block, by scenario and draw.
    shown: dict[tuple[int, int], Failure] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.failed = np.zeros((len(self.cases.scenarios), self.cases.draws), dtype=bool)

    def run(self, parts: Sequence[slice], threads: int, told: Callable[[int], None]) -> None:
        """Compute all blocks; an interruption keeps those already finished."""
        if min(threads, len(parts)) > 1 and self.cases.first.engine == "llvm":
            self.compile(parts[0])
        try:
            with open_pool("threads", threads) as pool, between_steps() as interruption:
                for part, reduced in zip(parts, pool.in_order(self.compute, parts), strict=True):
                    self.take(part, reduced)
                    told(part.stop - part.start)
                    interruption.check()
        except KeyboardInterrupt:
            if not self.done:
                raise

    def compile(self, part: slice) -> None:
        """Compile before threads start, since otherwise each of them would."""
        for task in self.cases.tasks:
            task.part(part).compile()

    def compute(self, part: slice) -> tuple[Flags, Any]:
        """Compute one block under every scenario; return the mask of failed cases and the reduced block."""
        failed = np.zeros((len(self.cases.tasks), part.stop - part.start), dtype=bool)
        return failed, self.collector.reduce(part, self.runs(part, failed))

    def runs(self, part: slice, failed: Flags) -> Iterator[BlockRuns]:
        """Yield the runs of a block, noting failed cases in `failed`, shape (scenario, draw), the first in `shown`."""
        for run in self.cases.runs(part, self.precision, self.collector.room):
            failed[run.scenario] = run.failed
            for draw in np.flatnonzero(run.failed)[:MOST_TRACED].tolist():
                self.shown[run.scenario, part.start + draw] = self.cases.first.seen(run.data, (0, draw))
            yield run

    def take(self, part: slice, found: tuple[Flags, Any]) -> None:
        """Add a finished block to the collector, and count its draws."""
        failed, reduced = found
        self.failed[:, part] = failed
        if self.throw and failed.any():
            raise SimulationFailed(_message(self.cases, self.failed[:, : part.stop], self.shown))
        self.collector.add(reduced)
        self.done = part.stop


# Maximum number of failed draws that are traced.
MOST_TRACED = 3

Shown = Mapping[tuple[int, int], Failure]


def _failures(cases: Cases, failed: Flags, shown: Shown) -> tuple[Failure, ...]:
    """Trace the first failed cases to their first value that is not finite, in the order of draws."""
    first = [(int(scenario), int(draw)) for draw, scenario in np.argwhere(failed.T)[:MOST_TRACED]]
    found: list[Failure] = []
    for scenario, draw in first:
        task = cases.tasks[scenario].part(slice(draw, draw + 1))
        item = task.traced_case((0, 0), shown[scenario, draw])
        found.append(replace(item, scenario=scenario, draw=draw))
    return tuple(found)


def _message(cases: Cases, failed: Flags, shown: Shown) -> str:
    failures = _failures(cases, failed, shown)
    found = Message(
        "{count} of the first {size} cases gave values that are not finite", count=int(failed.sum()), size=failed.size
    )
    return Message("{found}; first: {failure}", found=found, failure=failures[0].message) if failures else found


def _described(cases: Cases, scenarios: Mapping[str, Mapping[str, Any]] | None) -> dict[str, Any]:
    """Scenarios in strings and numbers, for the provenance."""
    return {
        name: {str(variable): _plain(value) for variable, value in (scenarios or {}).get(name, {}).items()}
        for name in cases.scenarios
    }


def _digest(cases: Mapping[str, Any], scenarios: Mapping[str, Mapping[str, Any]]) -> str:
    """Hash of all given values, independent of the order of their names."""
    found = hashlib.sha256()
    for group, values in (("", cases), *sorted(scenarios.items())):
        for name, value in sorted(values.items()):
            parts = (value.times, value.values, value.interpolate) if isinstance(value, TimePath) else (value,)
            found.update(repr((group, name, [np.shape(part) for part in parts])).encode())
            for part in parts:
                found.update(np.ascontiguousarray(part, dtype=None if isinstance(part, str) else float).tobytes())
    return found.hexdigest()


def _plain(value: Any) -> Any:
    if np.ndim(value) == 0 and isinstance(value, int | float | np.number):
        return float(value)
    return f"{type(value).__name__} of shape {np.shape(getattr(value, 'values', value))}"


class RunCollector:
    """Keeps every run of an ensemble."""

    # Interface shared with `StatisticsCollector`: `reduce` takes a block, possibly from several threads at once, `add`
    # takes its result, in the order of blocks.

    def __init__(self, cases: Cases, precision: str) -> None:
        shapes = cases.shapes
        lead = (len(cases.scenarios), cases.draws)
        check_kept(cases, cases.draws, precision, "full")
        # Layout of the compiled engine, shape (scenario, year, cell, padded draws), so that it writes here directly.
        room = spread(-(-lead[1] // LEAST_DRAWS) * LEAST_DRAWS, LEAST_DRAWS, np.dtype(precision).itemsize)
        self._room = {
            name: aligned((lead[0], shape[-1], int(np.prod(shape[:-1])), room), precision)
            for name, shape in shapes.items()
        }
        self._draws = lead[1]
        self._data = {}
        for name, shape in shapes.items():
            shaped = self._room[name].reshape(lead[0], shape[-1], *shape[:-1], room)[..., : lead[1]]
            self._data[name] = np.moveaxis(shaped, (-1, 1), (1, -1))  # shape (scenario, draw, ..., year)

    def room(self, scenario: int, draws: slice) -> Mapping[str, Array]:
        """Memory into which a block is written; padding after the last draw is not read."""
        stop = None if draws.stop == self._draws else draws.stop
        return {name: array[scenario : scenario + 1, ..., draws.start : stop] for name, array in self._room.items()}

    def reduce(self, draws: slice, runs: Iterable[BlockRuns]) -> None:
        """Copy a block into the result, unless it was written there directly; blocks do not overlap."""
        for run in runs:
            for name, values in run.data.items():
                place = self._data[name][run.scenario, draws]
                if place.ctypes.data != values.ctypes.data:
                    place[...] = values[0]

    def add(self, reduced: None) -> None:
        """Do nothing: `reduce` has stored the runs."""

    def results(self, draws: int) -> dict[str, Any]:
        """The runs of the draws that were finished."""
        data = {name: values[:, :draws] for name, values in self._data.items()}
        return {"data": data, "statistics": {}, "kept": None, "quantile_error": 0.0}


Running = dict[str, RunningStatistics]
Reduced = dict[str, BlockStatistics]


class StatisticsCollector:
    """Keeps only statistics of an ensemble."""

    def __init__(self, cases: Cases, kept: Statistics, block: int, room: Room = no_room) -> None:
        def running() -> Running:
            return {
                name: RunningStatistics(kept=kept, shape=shape, planned=cases.draws, block=block)
                for name, shape in cases.shapes.items()
            }

        self._kept = kept
        self.room = room
        self._running = [running() for _ in cases.scenarios]

    def reduce(self, draws: slice, runs: Iterable[BlockRuns]) -> list[tuple[int, Reduced]]:  # noqa: ARG002
        """Statistics of a block, without the cases that failed."""
        return [(run.scenario, _reduced(self._running[run.scenario], run.data, run.failed)) for run in runs]

    def add(self, reduced: Sequence[tuple[int, Reduced]]) -> None:
        """Update the running statistics with a block."""
        for scenario, found in reduced:
            for name, block in found.items():
                self._running[scenario][name].add(block)

    def results(self, draws: int) -> dict[str, Any]:  # noqa: ARG002
        """Statistics with a leading scenario axis."""
        every = [item for running in self._running for item in running.values()]
        return {
            "data": {},
            "statistics": _stacked([_results(running) for running in self._running]),
            "kept": self._kept,
            "quantile_error": max((item.error for item in every), default=0.0) if self._kept.quantiles else 0.0,
        }


def _reduced(running: Running, data: Mapping[str, Array], failed: Flags) -> Reduced:
    sound = ~failed
    found = {}
    for name, values in data.items():
        alike = values.shape[1] == failed.size
        every = values[0] if alike else np.broadcast_to(values[0], (failed.size, *values.shape[2:]))
        found[name] = running[name].summarise(every if sound.all() else every[sound])
    return found


def _results(running: Running) -> dict[str, dict[str, Array]]:
    return {name: dict(item.results()) for name, item in running.items()}


def _stacked(each: Sequence[dict[str, dict[str, Array]]]) -> dict[str, dict[str, Array]]:
    return {name: {part: np.stack([found[name][part] for found in each]) for part in each[0][name]} for name in each[0]}
