"""Run a lowered model as machine code, vectorised over draws, or over subscripts if there are few draws."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.clock import Clock
from pysd_runner.engine.ir import ModelIr
from pysd_runner.engine.kinds import Array, Flags
from pysd_runner.engine.llvm.calls import Clockwork, ProgramCall, shaped
from pysd_runner.engine.llvm.emitter import REAL_BYTES, REGISTER, Types
from pysd_runner.engine.llvm.programs import Program, host, program_of
from pysd_runner.engine.llvm.signature import Processor, Recipe
from pysd_runner.engine.memory import aligned, check_run, spread
from pysd_runner.engine.validation import cores
from pysd_runner.engine.values import cases_of, leading_shape, over_time, some_cases

# Number of draws below which each runs by itself, vectorised over subscripts.
SINGLE_BELOW = 4

# Vectors per block of lanes: more of them overlap latencies, too many do not fit into the registers.
UNROLLED = 2

# Maximum number of draws that are prepared and run together.
MOST_AT_ONCE = 1024


def compiled(
    model: ModelIr,
    outcomes: Sequence[str],
    values: Mapping[str, Any],
    *,
    single: bool | None = None,
    processor: Processor | None = None,
) -> Program:
    """Compile a model for some outcomes and for inputs that vary like `values`, for this or another processor."""
    processor = processor or host()
    recipe = recipe_of(outcomes, values, single=single, processor=processor)
    return program_of(model, recipe)


def recipe_of(
    outcomes: Sequence[str], values: Mapping[str, Any], *, single: bool | None = None, processor: Processor
) -> Recipe:
    """The recipe of a program: everything except the model that determines it."""
    _, draws = leading_shape(values)
    alone = draws < SINGLE_BELOW if single is None else single
    native = processor.vector_bytes // REAL_BYTES
    moving = over_time(values)
    varying = None if alone else frozenset(name for name, value in values.items() if cases_of(value)[1] > 1)
    lanes = native if alone else native * UNROLLED
    types = Types(lanes, permutes=native == REGISTER)
    return Recipe(tuple(outcomes), tuple(values), moving, varying, types, processor)


def run(
    program: Program,
    values: Mapping[str, Any],
    times: Array,
    saved: Flags,
    *,
    steps: Array,
    threads: int | None = None,
    seed: int = 0,
    first_draw: int = 0,
    progress: Callable[[int], None] | None = None,
    into: Mapping[str, NDArray[Any]] | None = None,
) -> dict[str, Array]:
    """Run a program for all scenarios and draws, shape (scenario, draw, ..., year).

    Outcomes are written to arrays ``into`` of the caller, shape (scenario, year, cell, padded draws), if these have
    room for the whole vectors that a program writes.
    """
    scenarios, draws = leading_shape(values)
    clockwork = Clockwork(times, steps, saved)
    if program.over_draws:
        outputs = _own(program, clockwork, (scenarios, draws), into)
        return _over_draws(
            program, clockwork, values, (scenarios, draws), threads, (seed, first_draw), progress, outputs
        )
    shapes = [slot.lengths for slot in program.frame.outputs]
    check_run(shapes, program.frame.size, (1, draws), clockwork.rows * scenarios)
    return _alone(program, clockwork, values, (scenarios, draws), (seed, first_draw), progress)


def _over_draws(
    program: Program,
    clockwork: Clockwork,
    values: Mapping[str, Any],
    shape: tuple[int, int],
    threads: int | None,
    stream: tuple[int, int],
    progress: Callable[[int], None] | None,
    outputs: Sequence[Array],
) -> dict[str, Array]:
    scenarios, draws = shape
    lanes, workers = program.recipe.types.lanes, threads or cores()
    size = min(MOST_AT_ONCE, -(-draws // (lanes * workers)) * lanes)
    seed, first_draw = stream
    stride = outputs[0].strides[-2] // outputs[0].itemsize if outputs else draws

    def part(first: int) -> int:
        last = min(first + size, draws)
        share = {name: some_cases(value, slice(None), slice(first, last)) for name, value in values.items()}
        here = [output[..., first:] for output in outputs]
        ProgramCall(
            program,
            clockwork,
            scenarios,
            last - first,
            share,
            seed=seed,
            first_draw=first_draw + first,
            outputs=here,
            out_stride=stride,
            at_once=min(workers, -(-draws // size)),
        ).run()
        return last - first

    firsts = range(0, draws, size)
    if workers == 1 or len(firsts) == 1:
        for first in firsts:
            _report(part(first), progress)
    else:
        with ThreadPoolExecutor(workers) as pool:
            for done in pool.map(part, firsts):
                _report(done, progress)
    results = map(partial(shaped, draws=draws), outputs, program.frame.outputs)
    return dict(zip(program.recipe.outcomes, results, strict=True))


def _own(
    program: Program, clockwork: Clockwork, shape: tuple[int, int], into: Mapping[str, NDArray[Any]] | None
) -> list[Array]:
    """Arrays for outcomes, shape (scenario, year, cell, padded draws): those of the caller if they are suitable."""
    scenarios, draws = shape
    lanes, slots = program.recipe.types.lanes, program.frame.outputs
    room = -(-draws // lanes) * lanes
    if into is not None and all(
        array.shape[-1] >= room and array.dtype == np.float64 and array.strides[-1] == array.itemsize
        for array in into.values()
    ):
        return [into[name] for name in program.recipe.outcomes]
    check_run([slot.lengths for slot in slots], program.frame.size, (1, draws), clockwork.rows * scenarios)
    room = spread(room, lanes, REAL_BYTES)
    return [aligned((scenarios, clockwork.rows, slot.cells, room)) for slot in slots]


def _report(done: int, progress: Callable[[int], None] | None) -> None:
    if progress is not None:
        progress(done)


def _alone(
    program: Program,
    clockwork: Clockwork,
    values: Mapping[str, Any],
    shape: tuple[int, int],
    stream: tuple[int, int],
    progress: Callable[[int], None] | None,
) -> dict[str, Array]:
    """Run each draw by itself, and join the results along the axis of draws."""
    scenarios, draws = shape
    seed, first_draw = stream
    found = []
    for draw in range(draws):
        share = {name: some_cases(value, slice(None), slice(draw, draw + 1)) for name, value in values.items()}
        call = ProgramCall(program, clockwork, scenarios, 1, share, seed=seed, first_draw=first_draw + draw)
        call.run()
        found.append(call.results())
        _report(1, progress)
    joined = [items[0] if draws == 1 else np.concatenate(items, axis=1) for items in zip(*found, strict=True)]
    return dict(zip(program.recipe.outcomes, joined, strict=True))


class SingleCase:
    """A compiled program for one case, with its memory, for repeated runs."""

    def __init__(
        self,
        model: ModelIr,
        inputs: Mapping[str, Any],
        outcomes: Sequence[str],
        clock: Clock,
        *,
        seed: int = 0,
        first_draw: int = 0,
    ) -> None:
        program = compiled(model, outcomes, inputs, single=True)
        steps = np.full(clock.times.size, clock.step)
        clockwork = Clockwork(clock.times, steps, clock.saved)
        self.call = ProgramCall(program, clockwork, 1, 1, inputs, seed=seed, first_draw=first_draw)
        self.found = dict(zip(outcomes, self.call.results(), strict=True))

    def run(self, changed: Mapping[str, Array]) -> dict[str, Array]:
        """Compute outcomes for changed values; every run overwrites the arrays of the previous one."""
        self.call.enter(changed)
        self.call.run()
        return self.found
