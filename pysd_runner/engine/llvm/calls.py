"""One call of a compiled program: its argument table, working memory, inputs and outputs."""

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.llvm import signature
from pysd_runner.engine.llvm.programs import Program
from pysd_runner.engine.llvm.signature import ArrayCall, Slot
from pysd_runner.engine.memory import aligned, check_delays
from pysd_runner.engine.numpy.target import steps_of
from pysd_runner.engine.values import SAME_TIME, TimePath

Array = NDArray[Any]


class Clockwork:
    """The steps of a run as arrays in the form a program takes."""

    def __init__(self, times: Array, steps: Array, saved: Array) -> None:
        self.times = np.ascontiguousarray(times, dtype=float)
        self.steps = np.ascontiguousarray(steps, dtype=float)
        self.saved = np.ascontiguousarray(saved, dtype=np.uint8)
        self.rows = int(self.saved.sum())


class ProgramCall:
    """Buffers of a program for some scenarios and draws; it can be rerun with other input values."""

    def __init__(
        self,
        program: Program,
        clockwork: Clockwork,
        scenarios: int,
        draws: int,
        values: Mapping[str, Any],
        *,
        seed: int = 0,
        first_draw: int = 0,
        outputs: Sequence[Array] | None = None,
        out_stride: int | None = None,
        at_once: int = 1,
    ) -> None:
        self.program, self.clockwork = program, clockwork
        self.scenarios, self.draws = scenarios, draws
        types = program.recipe.types
        self.lanes = types.lanes if program.over_draws else 1
        self.room = -(-draws // self.lanes) * self.lanes
        self.inputs: dict[str, Array] = {}
        self._slots: dict[str, Slot] = {}
        self._table = np.zeros(signature.HEADER + 2 * len(program.frame.inputs) + len(program.frame.outputs), np.int64)
        self._memory = aligned((program.frame.size,), fill=np.nan)
        self._error: BaseException | None = None
        self._at_once = at_once
        self._history = aligned((0, self.program.frame.pipes))
        self._fill_inputs(values)
        lead = (scenarios, clockwork.rows)
        own = (aligned((*lead, slot.cells, self.room)) for slot in program.frame.outputs)
        self.outputs = list(own if outputs is None else outputs)
        self._fill_table(seed, first_draw, out_stride)

    def _fill_table(self, seed: int, first_draw: int, out_stride: int | None) -> None:
        table, clock = self._table, self.clockwork
        table[signature.TIMES] = clock.times.ctypes.data
        table[signature.STEPS] = clock.steps.ctypes.data
        table[signature.SAVED] = clock.saved.ctypes.data
        table[signature.COUNT] = clock.times.size
        table[signature.IN_STRIDE] = self.room
        table[signature.OUT_STRIDE] = self.room if out_stride is None else out_stride
        table[signature.ROWS] = clock.rows
        table[signature.SEED] = np.uint64(seed & 0xFFFFFFFFFFFFFFFF).astype(np.int64)
        table[signature.FIRST_DRAW] = first_draw
        if self.program.frame.arrays or self.program.frame.pipes:
            self._callback = _CALLBACK(self._array)
            table[signature.ARRAYS] = ctypes.cast(self._callback, ctypes.c_void_p).value or 0
        base = signature.HEADER + 2 * len(self.program.frame.inputs)
        for place, output in enumerate(self.outputs):
            table[base + place] = output.ctypes.data

    # Inputs ------------------------------------------------------------------------------------------------------

    def _fill_inputs(self, values: Mapping[str, Any]) -> None:
        paths = []
        for place, item in enumerate(self.program.frame.inputs):
            value = values[item.name]
            if item.moving:
                paths.append(self._path(place, item.name, item.slot, value))
                continue
            array = self.inputs[item.name] = self._arranged(item.slot, value[None])[0]
            self._slots[item.name] = item.slot
            self._enter(place, array, array.shape[0], array[0].size)
        count = self.clockwork.times.size
        self._positions = np.zeros((count, max(len(paths), 1), 2), dtype=np.int64)
        self._shares = np.zeros((count, max(len(paths), 1)), dtype=np.float64)
        for order, (positions, shares) in enumerate(paths):
            self._positions[:, order, :], self._shares[:, order] = positions, shares
        self._table[signature.POSITIONS] = self._positions.ctypes.data
        self._table[signature.SHARES] = self._shares.ctypes.data

    def enter(self, values: Mapping[str, Array]) -> None:
        """Replace the values of inputs that do not change over time."""
        for name, value in values.items():
            array = self.inputs.get(name)
            if array is None:
                continue
            if array.size == 1:
                array[...] = value.item()
            else:
                array[...] = self._arranged(self._slots[name], value[None])[0]

    def _enter(self, place: int, array: Array, scenarios: int, size: int) -> None:
        at = signature.HEADER + 2 * place
        self._table[at : at + 2] = array.ctypes.data, 0 if scenarios == 1 else size

    def _path(self, place: int, name: str, slot: Slot, path: TimePath) -> tuple[Array, Array]:
        array = self.inputs[name] = self._arranged(slot, path.values)
        self._enter(place, array, array.shape[1], array[0, 0].size)
        before, after, share = moments(path, self.clockwork.times)
        return np.stack([before, after], axis=1) * array[0].size, share

    def _arranged(self, slot: Slot, values: Array) -> Array:
        """Values (time, scenario, draw, ...) in the layout of the program: (time, scenario, cell[, draw])."""
        moments_, scenarios = values.shape[:2]
        flat = self._padded(slot, values)
        if not slot.wide:
            return np.ascontiguousarray(flat[:, :, 0], dtype=np.float64).reshape(moments_, scenarios, slot.cells)
        result = np.empty((moments_, scenarios, slot.cells, self.room), dtype=np.float64)
        draws = flat.shape[2]
        result[..., :draws] = np.moveaxis(flat, 2, 3)
        # Lanes without a draw of their own repeat the last draw: their results are never read.
        result[..., draws:] = result[..., draws - 1 : draws]
        return result

    @staticmethod
    def _padded(slot: Slot, values: Array) -> Array:
        lead = values.shape[:3]
        if slot.room == slot.lengths:
            return values.reshape(*lead, slot.cells)
        result = np.zeros((*lead, *slot.room), dtype=values.dtype)
        result[..., : slot.lengths[-1]] = values
        return result.reshape(*lead, slot.cells)

    # Running -----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Run all scenarios and draws."""
        run, table, memory = self.program.code.run, self._table.ctypes.data, self._memory.ctypes.data
        for scenario in range(self.scenarios):
            run(table, memory, scenario, 0, self.room // self.lanes)
            if self._error is not None:
                error, self._error = self._error, None
                raise error

    def _array(self, number: int, _memory: int, _table: int) -> None:
        try:
            if number == signature.MAKE_ROOM:
                self._make_room()
            else:
                self._call_array(self.program.frame.arrays[number])
        except BaseException as error:  # noqa: BLE001 - no exception may leave a callback; it is raised after the run
            self._error = error

    def _make_room(self) -> None:
        """Allocate the delay buffers: as many steps as the longest delay, but not more than the run has."""
        self._table[signature.RING] = 0
        step, steps = float(self.clockwork.steps[0]), self.clockwork.times.size
        with np.errstate(all="ignore"):
            longest = max(int(steps_of(self._view(slot), step).max()) for slot in self.program.frame.delays)
        # The program counts steps in its own precision: a margin is added for rounding.
        rows = min(longest + 1 + (longest >> 20), steps)
        if rows > len(self._history):
            check_delays(rows, self.program.frame.pipes * self._history.itemsize, self._at_once)
            self._history = aligned((rows, self.program.frame.pipes))
        self._table[signature.HISTORY] = self._history.ctypes.data
        self._table[signature.RING] = len(self._history)

    def _call_array(self, call: ArrayCall) -> None:
        from pysd_runner.engine.numpy.array_functions import FUNCTIONS

        arguments = [self._view(slot) for slot in call.arguments]
        result = self._view(call.result)
        lead = [item.shape[: item.ndim - core] for item, core in zip(arguments, call.core, strict=True)]
        batch = np.broadcast_shapes(*lead)
        full = [
            np.broadcast_to(item, batch + item.shape[item.ndim - core :])
            for item, core in zip(arguments, call.core, strict=True)
        ]
        with np.errstate(all="ignore"):
            result[...] = FUNCTIONS[call.name](*full)

    def _view(self, slot: Slot) -> Array:
        """A variable in the working memory, shape (lane, ...)."""
        width = self.lanes if slot.wide else 1
        cells = self._memory[slot.offset : slot.offset + slot.cells * width]
        shaped = _without_padding(cells.reshape(*slot.room, width), slot)
        return np.moveaxis(shaped, -1, 0)

    def results(self) -> list[Array]:
        """Outcomes, each of shape (scenario, draw, ..., year), without copying."""
        return [
            shaped(array, slot, self.draws)
            for slot, array in zip(self.program.frame.outputs, self.outputs, strict=True)
        ]


def shaped(array: Array, slot: Slot, draws: int) -> Array:
    """An outcome of shape (scenario, year, cell, draw) as (scenario, draw, ..., year), without copying."""
    whole = array[..., :draws].reshape(*array.shape[:2], *slot.room, draws)
    return np.moveaxis(_without_padding(whole, slot), (-1, 1), (1, -1))


def _without_padding(array: Array, slot: Slot) -> Array:
    """The values in a slot without padding, with one trailing axis."""
    return array[..., : slot.lengths[-1], :] if slot.lengths else array


_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)


def moments(path: TimePath, times: Array) -> tuple[Array, Array, Array]:
    """Indices of the path times before and after each time, and the interpolation weight of the latter."""
    last = path.times.size - 1
    before = np.searchsorted(path.times, times + SAME_TIME, side="right") - 1
    started = before >= 0
    before = np.clip(before, 0, last)
    after = np.minimum(before + 1, last)
    share = np.zeros(times.size)
    if path.interpolate == "linear":
        between = started & (after > before)
        gap = np.where(between, path.times[after] - path.times[before], 1.0)
        share = np.where(between, np.clip((times - path.times[before]) / gap, 0.0, 1.0), 0.0)
    return before, np.where(share > 0, after, before), share
