"""Puts the blocks of an ensemble together: runs at full length, or statistics of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput, UnknownName, suggest
from pysd_runner.engine.memory import aligned, machine_bytes, spread
from pysd_runner.ensemble.cases import LEAST_DRAWS, BlockRuns, Cases
from pysd_runner.ensemble.statistics import BlockStatistics, RunningStatistics, Statistics

Array = NDArray[np.floating]


class Collector(Protocol):
    """Takes the blocks of an ensemble."""

    @property
    def order(self) -> Sequence[int]:
        """Scenarios in the order in which the runs of a block are wanted."""

    def room(self, scenario: int, draws: slice) -> Mapping[str, Array] | None:
        """Memory that the runs of a block may be written to, shape (1, year, cell, room for draws); None for none."""

    def reduce(self, draws: slice, runs: Iterable[BlockRuns]) -> Any:
        """Take what is needed of one block under every scenario; called from several threads at once."""

    def add(self, reduced: Any) -> None:
        """Add what `reduce` gave, in the order of the blocks."""

    def results(self, draws: int) -> dict[str, Any]:
        """What an `Ensemble` keeps of it, when that many draws were finished."""


class RunCollector:
    """Keeps every run."""

    def __init__(self, cases: Cases, precision: str) -> None:
        shapes = cases.shapes
        lead = (len(cases.scenarios), cases.draws)
        cells = sum(int(np.prod(shape)) for shape in shapes.values()) * lead[0] * lead[1]
        needed, available = cells * np.dtype(precision).itemsize, machine_bytes()
        if needed > available:
            raise InvalidInput(
                f"the runs would need {needed / 1e9:.3g} GB of memory, the machine has {available / 1e9:.3g}; keep "
                "statistics of them (keep=Statistics()), or take fewer draws, scenarios or outcomes"
            )
        self.order = range(lead[0])
        # As the compiled engine gives them, shape (scenario, year, cell, room for draws), so that it writes them here.
        room = spread(-(-lead[1] // LEAST_DRAWS) * LEAST_DRAWS, LEAST_DRAWS, np.dtype(precision).itemsize)
        self._room = {
            name: aligned((lead[0], shape[-1], int(np.prod(shape[:-1])), room), precision)
            for name, shape in shapes.items()
        }
        self._draws = lead[1]
        self._data = {name: _by_draw(self._room[name], shape, lead[1]) for name, shape in shapes.items()}

    def room(self, scenario: int, draws: slice) -> Mapping[str, Array]:
        """The place of a block; what lies behind the last draw is not read."""
        stop = None if draws.stop == self._draws else draws.stop
        return {name: array[scenario : scenario + 1, ..., draws.start : stop] for name, array in self._room.items()}

    def reduce(self, draws: slice, runs: Iterable[BlockRuns]) -> None:
        """Copy a block to its place, unless it was written there; no two blocks share one."""
        for run in runs:
            for name, values in run.data.items():
                place = self._data[name][run.scenario, draws]
                if place.ctypes.data != values.ctypes.data:
                    place[...] = values[0]

    def add(self, reduced: None) -> None:
        """All is in its place."""

    def results(self, draws: int) -> dict[str, Any]:
        """The runs of the draws that were finished."""
        data = {name: values[:, :draws] for name, values in self._data.items()}
        return {"data": data, "statistics": {}, "differences": {}, "kept": None, "quantile_error": 0.0}


def _by_draw(array: Array, shape: tuple[int, ...], draws: int) -> Array:
    """A view of shape (scenario, draw, ..., year)."""
    shaped = array.reshape(*array.shape[:2], *shape[:-1], array.shape[-1])[..., :draws]
    return np.moveaxis(shaped, (-1, 1), (1, -1))


Running = dict[str, RunningStatistics]
Reduced = dict[str, BlockStatistics]


class StatisticsCollector:
    """Keeps statistics alone."""

    def __init__(self, cases: Cases, kept: Statistics, block: int) -> None:
        def running() -> Running:
            return {
                name: RunningStatistics(kept=kept, shape=shape, planned=cases.draws, block=block)
                for name, shape in cases.shapes.items()
            }

        count = len(cases.scenarios)
        self._kept = kept
        self._against = _place(cases.scenarios, kept.against)
        self._levels = [running() for _ in range(count)]
        self._differences = {
            scenario: running() for scenario in range(count) if self._against is not None and scenario != self._against
        }
        self.order = sorted(range(count), key=lambda scenario: scenario != self._against)

    def room(self, scenario: int, draws: slice) -> None:  # noqa: ARG002
        """None: what is reduced is not kept."""
        return

    def reduce(self, draws: slice, runs: Iterable[BlockRuns]) -> list[tuple[int, Reduced, Reduced]]:  # noqa: ARG002
        """Statistics of a block, without the cases that failed."""
        found: list[tuple[int, Reduced, Reduced]] = []
        reference: BlockRuns | None = None
        for run in runs:
            difference: Reduced = {}
            if reference is not None:
                apart = {name: values - reference.data[name] for name, values in run.data.items()}
                difference = _reduced(self._differences[run.scenario], apart, run.failed | reference.failed)
            elif self._against is not None:
                reference = run
            found.append((run.scenario, _reduced(self._levels[run.scenario], run.data, run.failed), difference))
        return found

    def add(self, reduced: Sequence[tuple[int, Reduced, Reduced]]) -> None:
        """Bring the statistics up to date."""
        for scenario, levels, differences in reduced:
            for name, block in levels.items():
                self._levels[scenario][name].add(block)
            for name, block in differences.items():
                self._differences[scenario][name].add(block)

    def results(self, draws: int) -> dict[str, Any]:  # noqa: ARG002
        """Statistics with the scenario axis in front; a scenario minus itself is nothing."""
        levels = [_results(running) for running in self._levels]
        nothing = {name: {part: 0 * values for part, values in found.items()} for name, found in levels[0].items()}
        apart = [
            _results(self._differences[scenario]) if scenario in self._differences else nothing
            for scenario in range(len(levels))
        ]
        every = [item for running in (*self._levels, *self._differences.values()) for item in running.values()]
        return {
            "data": {},
            "statistics": _stacked(levels),
            "differences": _stacked(apart) if self._against is not None else {},
            "kept": self._kept,
            "quantile_error": max((item.error for item in every), default=0.0) if self._kept.quantiles else 0.0,
        }


def _place(scenarios: Sequence[str], name: str) -> int | None:
    if not name:
        return None
    if name not in scenarios:
        raise UnknownName(f"statistics against {name!r}: there is no such scenario.{suggest(name, scenarios)}")
    return scenarios.index(name)


def _reduced(running: Running, data: Mapping[str, Array], failed: NDArray[np.bool_]) -> Reduced:
    sound = ~failed
    found = {}
    for name, values in data.items():
        every = np.broadcast_to(values[0], (failed.size, *values.shape[2:]))
        found[name] = running[name].summarise(every if sound.all() else every[sound])
    return found


def _results(running: Running) -> dict[str, dict[str, Array]]:
    return {name: dict(item.results()) for name, item in running.items()}


def _stacked(each: Sequence[dict[str, dict[str, Array]]]) -> dict[str, dict[str, Array]]:
    return {name: {part: np.stack([found[name][part] for found in each]) for part in each[0][name]} for name in each[0]}
