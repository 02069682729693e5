"""Combine parameter draws, time paths and scenarios into the cases of an ensemble; all scenarios share the draws."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Unpack, cast

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.core.types import Array, Arrays, Flags, Values, frozen
from pysd_runner.engine import Task, TimePath, check_cases, leading_shape
from pysd_runner.engine.ir import INITIAL_TIME, Random, walk
from pysd_runner.engine.validation import check_integer, check_series
from pysd_runner.ensemble.designs import Design, rows
from pysd_runner.model import Model
from pysd_runner.simulation.run import Position, constant_values, element_name, located
from pysd_runner.simulation.task import RunSettings, prepared

if TYPE_CHECKING:
    import pandas as pd

# Type of the numbers that are kept; runs are computed in double precision.
Precision = Literal["float64", "float32"]
# Function that gives the memory into which the runs of a block under a scenario are written, or None.
Room = Callable[[int, slice], Mapping[str, NDArray[Any]] | None]


def no_room(scenario: int, draws: slice) -> None:
    """Provide no memory: each block allocates its own."""


# Name of the default scenario, used when no scenarios are given.
BASE = "base"

# Maximum bytes of outcomes per block; independent of the machine, so that blocks are the same everywhere.
BLOCK_BYTES = 32_000_000

# Maximum draws per block: larger blocks are not faster, and progress is reported once per block.
MOST_DRAWS = 4096

# Minimum draws per block, however large their outcomes: the compiled engine runs fewer draws one by one, slowly and
# summing in another order. Sizes of small blocks are multiples of this number, one vector.
LEAST_DRAWS = 16

# Sizes of larger blocks are multiples of this number, several vectors of every compiled kernel.
VECTOR = 64

# Number of blocks into which a small ensemble is divided, so that several threads have work.
PARTS = 16

# Minimum work per block, in variables times steps times draws (about twenty milliseconds); overrides PARTS.
LEAST_WORK = 80_000_000


@dataclass(frozen=True, slots=True)
class BlockRuns:
    """Runs of one block under one scenario."""

    scenario: int
    data: Mapping[str, NDArray[Any]]  # outcome by name, shape (1, draw or 1, ..., year)
    failed: Flags  # which draws failed, shape (draw,)


@frozen
class Cases:
    """Simulation tasks of an ensemble: every scenario with the same draws."""

    scenarios: tuple[str, ...]
    tasks: tuple[Task, ...]  # one for each scenario, with all draws; their values may replace different variables
    draws: int  # number of draws
    parameters: Arrays

    @property
    def first(self) -> Task:
        """The task of the first scenario; model, clock and outcomes are the same in all."""
        return self.tasks[0]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each outcome: its subscripts, then the saved times."""
        ir, years = self.first.ir, self.first.clock.saved_times.size
        return {name: (*ir.shape(ir.variables[name].dims), years) for name in self.first.outcomes}

    def blocks(self, draws: int) -> list[slice]:
        """Divide `draws` draws into blocks, sized by the memory of the outcomes and the work per draw."""
        ir = self.first.ir
        cells = sum(int(np.prod(ir.shape(variable.dims))) for variable in ir.variables.values())
        size = 8 * sum(int(np.prod(shape)) for shape in self.shapes.values())
        return blocks(draws, size, cells * self.first.clock.times.size)

    def in_blocks(self, first_draw: int = 0) -> "Cases":
        """Give each task one thread, as blocks run in parallel."""
        settings: dict[str, Any] = {"threads": 1, "first_draw": first_draw}
        return replace(self, tasks=tuple(replace(task, **settings) for task in self.tasks))

    def runs(self, part: slice, precision: Precision, room: Room = no_room) -> Iterator[BlockRuns]:
        """Run one block of draws, scenario by scenario."""
        for scenario, every in enumerate(self.tasks):
            task = every.part(part)
            data: Mapping[str, NDArray[Any]] = task.compute(into=room(scenario, part))
            with np.errstate(all="ignore"):
                stored = {name: values.astype(precision, copy=False) for name, values in data.items()}
            yield BlockRuns(scenario, stored, task.failed_cases(stored)[0])


def blocks(draws: int, bytes_per_draw: int, work_per_draw: int = LEAST_WORK) -> list[slice]:
    """Divide draws into blocks."""
    fits = max(LEAST_DRAWS, BLOCK_BYTES // max(1, bytes_per_draw))
    size = min(fits, MOST_DRAWS, max(VECTOR, -(-draws // PARTS), LEAST_WORK // max(1, work_per_draw)))
    size -= size % (VECTOR if size > VECTOR else LEAST_DRAWS)
    # A small remainder joins the last block, since a few draws alone would need a separate kernel.
    firsts = [first for first in range(0, draws, size) if first == 0 or draws - first >= min(size, VECTOR)]
    return [slice(first, last) for first, last in itertools.pairwise([*firsts, draws])]


def without_frames(
    model: Model,
    cases: "Design | Values | pd.DataFrame",
    scenarios: "Mapping[str, Values] | pd.DataFrame | None",
) -> tuple[Design | Values, Mapping[str, Values] | None]:
    """Convert data frames: a row of `cases` to a draw, a row of `scenarios` to a scenario (NaN: not replaced)."""
    if hasattr(cases, "columns"):
        cases = rows(model, cast("pd.DataFrame", cases))
    if hasattr(scenarios, "columns"):
        table = cast("pd.DataFrame", scenarios)
        scenarios = {
            str(name): {str(key): value for key, value in row.dropna().items()} for name, row in table.iterrows()
        }
    return cases, scenarios


def cases_of(
    model: Model,
    given: Design | Values,
    scenarios: Mapping[str, Values] | None,
    draws: int | None = None,
    *,
    outcomes: Sequence[str] | None = None,
    **settings: Unpack[RunSettings],
) -> Cases:
    """Build the cases of an ensemble."""
    values = given.cases if isinstance(given, Design) else given
    if not isinstance(values, Mapping):
        raise InvalidInput(
            "cases are a design, a data frame with a row for each draw, or a mapping from variables "
            "to arrays; found {found}",
            found=type(values).__name__,
        )
    whole_variables = _whole_variables(model, values)
    common = {name: _by_draw(model, name, value, isinstance(given, Design)) for name, value in whole_variables.items()}
    named = {BASE: {}} if scenarios is None else _named(model, scenarios)
    asked: dict[str, Any] = {**settings, "outcomes": outcomes, "runs": draws or 1}
    tasks = [_task(model, {**common, **overrides}, name, asked) for name, overrides in named.items()]
    for name, task in zip(named, tasks, strict=True):
        if task.clock != tasks[0].clock:
            raise InvalidInput(
                "scenario {name!r} runs over other years or steps than the first one; all share one "
                "clock: give start, stop, step and save_every to the ensemble",
                name=name,
            )
    found = _draws(common, named, tasks)
    if draws is not None and found not in (1, check_integer("draws", draws, least=1)):
        raise InvalidInput(
            "values have {found} draws, {draws} were asked for; leave the number away", found=found, draws=draws
        )
    draws = found if draws is None else draws
    if draws > 1 and is_random(model):
        # Only random numbers differ between draws, so some value has to carry the draw axis.
        spread = np.broadcast_to(np.array(tasks[0].clock.start), (1, draws))
        tasks = [replace(task, values={**task.values, INITIAL_TIME: spread}) for task in tasks]
    parameters = {
        name: value[0] for name, value in common.items() if not isinstance(value, TimePath) and value.shape[1] == draws
    }
    return Cases(scenarios=tuple(named), tasks=tuple(tasks), draws=draws, parameters=parameters)


def _whole_variables(model: Model, values: Values) -> Values:
    """Values by variable; elements given individually replace those in the model file's array, shape (draw, ...)."""
    places = {name: located(model, name) for name in values}
    whole = model.by_variable({name: value for name, value in values.items() if places[name][1] is None})
    elements: dict[str, dict[Position, Any]] = {}
    for name, (variable, position) in places.items():
        if position is not None:
            group = elements.setdefault(variable, {})
            if variable in whole or position in group:
                raise InvalidInput(
                    "{name!r} is given twice; give the whole of {variable!r}, or each element once",
                    name=name,
                    variable=variable,
                )
            group[position] = values[name]
    return whole | {name: _array_with(model, name, group) for name, group in elements.items()}


def _array_with(model: Model, variable: str, elements: Mapping[Position, Any]) -> Array:
    if model.ir.variables[variable].kind != "constant":
        raise InvalidInput(
            "{variable!r} has an equation, so that no element of it is a number of its own; give the "
            "whole array, shape (draw, ...)",
            variable=variable,
        )
    columns = {}
    for position, value in elements.items():
        name = element_name(model.ir, variable, position)
        if isinstance(value, TimePath):
            raise InvalidInput(
                "{name!r} changes over time; give a path of the whole of {variable!r}", name=name, variable=variable
            )
        columns[position] = _numbers(model, name, value, ())
        if columns[position].ndim > 1:
            raise InvalidInput(
                "{name!r} has shape {shape}; expected a number, or one per draw",
                name=name,
                shape=columns[position].shape,
            )
    lengths = {column.size for column in columns.values() if column.ndim}
    if len(lengths) > 1:
        raise InvalidInput(
            "elements of {variable!r} have {counts} draws; expected as many of each",
            variable=variable,
            counts=sorted(lengths),
        )
    base = constant_values(model, variable)
    array = np.tile(base, (max(lengths, default=1), *(1 for _ in base.shape)))
    for position, column in columns.items():
        np.moveaxis(array, 0, -1)[position] = column
    return array


def _named(model: Model, scenarios: Mapping[str, Values]) -> dict[str, Values]:
    if not isinstance(scenarios, Mapping) or not scenarios:
        raise InvalidInput(
            "scenarios: expected a mapping from names to values, at least one; found {scenarios!r}", scenarios=scenarios
        )
    for name, overrides in scenarios.items():
        if not isinstance(overrides, Mapping):
            raise InvalidInput(
                "scenario {name!r}: expected a mapping from variables to values; found {found}. A "
                "scenario of the shipped model gives one: scenario.values(model, panel.regions, ...)",
                name=name,
                found=type(overrides).__name__,
            )
    return {str(name): model.by_variable(overrides) for name, overrides in scenarios.items()}


def _task(model: Model, values: Values, scenario: str, asked: Values) -> Task:
    task = prepared(model, values, **asked)
    if leading_shape(task.values)[0] != 1:
        raise InvalidInput(
            "scenario {scenario!r}: a value has several scenarios of its own; give each as a scenario with a name",
            scenario=scenario,
        )
    return task


def _draws(common: Mapping[str, Array | TimePath], named: Mapping[str, Values], tasks: Sequence[Task]) -> int:
    """Number of draws that all values imply, including the values given by scenarios."""
    replaced = {
        f"{variable} of scenario {name}": task.values[variable]
        for (name, overrides), task in zip(named.items(), tasks, strict=True)
        for variable in overrides
        if variable in task.values
    }
    return leading_shape({**common, **replaced})[1]


def is_random(model: Model) -> bool:
    """Whether any equation of a model draws random numbers, so that draws differ even with equal inputs."""
    blocks = (block for variable in model.ir.variables.values() for block in variable.blocks)
    parts = (part for block in blocks for part in (block.expression, block.initial) if part is not None)
    return any(isinstance(item, Random) for part in parts for item in walk(part))


def _by_draw(model: Model, name: str, value: Any, is_drawn: bool) -> Array | TimePath:
    """A value with the axes (1, draw, ...) that `simulate` expects; a 1-D value of a design has one number per draw."""
    shape = model.ir.shape(model.ir.variables[name].dims)
    if isinstance(value, TimePath):
        return TimePath(
            times=value.times, values=_with_scenario(name, value.values, shape, lead=1), interpolate=value.interpolate
        )
    numbers = _numbers(model, name, value, model.ir.variables[name].dims)
    if is_drawn and numbers.ndim == 1:
        numbers = np.broadcast_to(numbers.reshape(-1, *(1 for _ in shape)), (numbers.size, *shape))
    return _with_scenario(name, numbers, shape, lead=0)


def _numbers(model: Model, name: str, value: Any, dims: tuple[str, ...]) -> Array:
    check_series(model.ir, name, value, dims)
    try:
        return np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise InvalidInput("value of {name!r} is not numeric: {value!r}", name=name, value=value) from error


def _with_scenario(name: str, array: Array, shape: tuple[int, ...], *, lead: int) -> Array:
    """Insert the scenario axis after `lead` axes; one number per draw is broadcast to every element."""
    own = array.shape[lead:]
    check_cases(name, own)
    if shape and own == shape:
        return np.expand_dims(array, (lead, lead + 1))
    if own == () or (len(own) == len(shape) + 2 and own[0] == 1 and own[2:] == shape):
        return array if own else array.reshape(*array.shape, 1, 1, *(1 for _ in shape)) + np.zeros(shape)
    if len(own) == 1:
        spread = array.reshape(*array.shape[:lead], 1, own[0], *(1 for _ in shape))
        return np.broadcast_to(spread, (*array.shape[:lead], 1, own[0], *shape))
    if own[1:] == shape:
        return np.expand_dims(array, lead)
    expected = f"(draw, {', '.join(str(length) for length in shape)})" if shape else "(draw,)"
    alone = Message("{shape} for all draws, ", shape=shape) if shape else ""
    raise InvalidInput(
        "value of {name!r} has shape {shape}; expected a number, one number per draw, "
        "{alone}or {expected}: the first axis is the draw",
        name=name,
        shape=own,
        alone=alone,
        expected=expected,
    )
