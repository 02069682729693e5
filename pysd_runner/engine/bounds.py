"""When a run starts and stops and how long its steps are: from the file, from the caller, or from the run itself."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.clock import Clock, Controls, UnevenSaving, UnevenStop, axis_of
from pysd_runner.engine.errors import InvalidInput
from pysd_runner.engine.ir import ModelIr, Number
from pysd_runner.engine.names import FINAL_TIME, INITIAL_TIME, SAVEPER, TIME_STEP
from pysd_runner.engine.numpy.target import compiled, run
from pysd_runner.engine.passes.integration import integrated
from pysd_runner.engine.values import TimePath, Values, leading_shape, one_case, over_time

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Clocks:
    """Bounds and steps of all cases."""

    first: Clock  # those of the first case, which are those of all unless `cases` says otherwise
    cases: Mapping[tuple[int, int], Clock] = field(default_factory=dict)


def clocks(
    model: ModelIr,
    label: str,
    values: Values,
    asked: Mapping[str, float | None],
    *,
    method: str = "euler",
    seed: int = 0,
) -> Clocks:
    """Bounds and steps of a run."""
    found = _clocks(model, label, values, asked, method=method, seed=seed)
    _check_saving(label, found.first, asked)
    _warn_of_stop(label, found.first)
    return found


def _check_saving(label: str, clock: Clock, asked: Mapping[str, float | None]) -> None:
    """Refuse what a caller can mend; a file from outside runs as it does elsewhere, with a warning."""
    if not clock.lost:
        return
    times = max(1, round(clock.save_every / clock.step))
    kept, whole = clock.saved.sum(), clock.saved.sum() + clock.lost
    found = (
        f"results every {clock.save_every:g} do not fall on steps of {clock.step:g}: only {kept} of {whole} moments "
        "could be saved"
    )
    fitting = f"save_every={clock.step * times:.6g}, or step={clock.save_every / times:.6g}"
    if asked[TIME_STEP] is not None or asked[SAVEPER] is not None:
        raise InvalidInput(f"{label}: {found}. The save interval must be a multiple of the step; nearest: {fitting}")
    warnings.warn(f"{label}: {found}, those on a step. To save all pass {fitting}", UnevenSaving, stacklevel=6)


def _warn_of_stop(label: str, clock: Clock) -> None:
    if clock.left:
        last = f"{clock.times[-1]:.10g}"
        warnings.warn(
            f"{label}: no step of {clock.step:g} ends at the stop, {clock.stop:.10g}; the run ends at {last}. "
            f"Pass stop={last}, or a step that divides {clock.stop - clock.start:.10g}",
            UnevenStop,
            stacklevel=6,
        )


def _clocks(
    model: ModelIr,
    label: str,
    values: Values,
    asked: Mapping[str, float | None],
    *,
    method: str,
    seed: int,
) -> Clocks:
    numbers = {name: _written(model, name) if bound is None else bound for name, bound in asked.items()}
    if (plain := {name: value for name, value in numbers.items() if value is not None}).keys() == asked.keys():
        return Clocks(_first(label, plain))
    moving = over_time(values)
    # A file may tie one to another: SAVEPER = TIME STEP.
    given = {**{name: np.full((1, 1), bound) for name, bound in asked.items() if bound is not None}, **values}
    program = compiled(model, tuple(asked), tuple(given), moving)
    found = run(program, given, np.zeros(1), np.ones(1, dtype=bool))
    at_start = {name: float(found[name].flat[0]) if bound is None else bound for name, bound in asked.items()}
    first = _first(label, at_start)
    differing = {name for name, bound in asked.items() if bound is None and _differs(found[name])}
    if INITIAL_TIME in differing:
        raise InvalidInput("INITIAL TIME differs between cases; all start together: pass start to the simulation")
    saving = TIME_STEP if np.isnan(at_start[SAVEPER]) else SAVEPER
    own = _own(model, values, asked, moving) | differing
    if not own:
        return Clocks(first)
    fixed = {name: np.full((1, 1), at_start[name]) for name in asked if name not in own}
    if saving == TIME_STEP and SAVEPER in fixed:
        fixed[SAVEPER] = np.full((1, 1), at_start[TIME_STEP])
    work = _Work(model, {**fixed, **values}, replace(first, own=frozenset(own)), saving, method, seed)
    return work.clocks()


def _written(model: ModelIr, control: str) -> float | None:
    """The number a model gives for a control, None where it has an equation."""
    blocks = model.variables[control].blocks
    expression = blocks[0].expression if blocks else None
    return expression.value if isinstance(expression, Number) else None


def _first(label: str, at_start: Mapping[str, float]) -> Clock:
    missing = [name for name in (INITIAL_TIME, FINAL_TIME, TIME_STEP) if np.isnan(at_start[name])]
    if missing:
        raise InvalidInput(
            f"{label} does not say its {', '.join(missing)}; pass start, stop and step to the simulation"
        )
    save_every = at_start[TIME_STEP] if np.isnan(at_start[SAVEPER]) else at_start[SAVEPER]
    return Clock(at_start[INITIAL_TIME], at_start[FINAL_TIME], at_start[TIME_STEP], save_every)


def _differs(value: Array) -> bool:
    return bool((value != value.flat[0]).any() and not np.isnan(value).all())


_OWN: dict[tuple[Any, ...], frozenset[str]] = {}
_MOST_OWN = 64


def _own(model: ModelIr, values: Values, asked: Mapping[str, float | None], moving: frozenset[str]) -> frozenset[str]:
    """Bounds and steps that depend on time or on the state of the model, INITIAL TIME aside; worked out once."""
    given = frozenset({*values, *(name for name, value in asked.items() if value is not None)})
    identity = (model.fingerprint, tuple(asked), given, moving)
    if identity not in _OWN:
        if len(_OWN) >= _MOST_OWN:
            _OWN.pop(next(iter(_OWN)))
        # Imported here because a run whose controls are numbers needs no plan.
        from pysd_runner.engine.passes.order import plan

        order = plan(model, tuple(asked), given, moving)
        _OWN[identity] = frozenset(item.variable for item in order.dynamic if item.variable in asked) - {INITIAL_TIME}
    return _OWN[identity]


@dataclass(frozen=True, slots=True)
class _Work:
    """Finds the moments of a run whose bounds or steps change."""

    model: ModelIr
    inputs: Values
    first: Clock
    saving: str
    method: str
    seed: int

    def clocks(self) -> Clocks:
        try:
            return Clocks(self._clock(self.inputs, 0))
        except _CasesDiffer:
            pass
        scenarios, draws = leading_shape(self.inputs)
        cases = {
            (scenario, draw): self._clock(_case(self.inputs, scenario, draw), draw)
            for scenario in range(scenarios)
            for draw in range(draws)
        }
        clock = cases[0, 0]
        for (scenario, draw), other in cases.items():
            if not np.array_equal(other.saved_times, clock.saved_times):
                raise InvalidInput(
                    f"scenario {scenario}, draw {draw} is saved at {_shown(other)}, the first case at {_shown(clock)}; "
                    "cases of one run are saved at the same times: pass start, stop, step or save_every, or run them "
                    "apart"
                )
        return Clocks(clock, cases)

    def _clock(self, inputs: Values, draw: int) -> Clock:
        own_steps = TIME_STEP in self.first.own
        model, ready = integrated(self.model, inputs, self.method, self.first.step, own_steps=own_steps)
        moving = over_time(ready)
        wanted = (FINAL_TIME, TIME_STEP, self.saving)
        program = compiled(model, wanted, tuple(ready), moving)

        def controls(times: Array) -> Controls:
            saved = np.ones(times.size, dtype=bool)
            found = run(program, ready, times, saved, step=self.first.step, seed=self.seed, first_draw=draw)
            series = [found[name].reshape(-1, times.size) for name in wanted]
            if any((item != item[:1]).any() for item in series):
                raise _CasesDiffer
            return Controls(*(item[0] for item in series))

        stop_moves = FINAL_TIME in self.first.own
        axis = axis_of(self.first.start, controls, stop_moves=stop_moves)
        return replace(self.first, stop=axis.times[-1] if stop_moves else self.first.stop, axis=axis)


class _CasesDiffer(Exception):
    """Bounds or steps differ between cases; never leaves this module."""


def _shown(clock: Clock) -> str:
    times = clock.saved_times
    return f"{times.size} times up to {times[-1]:g}"


def _case(values: Values, scenario: int, draw: int) -> dict[str, Array | TimePath]:
    return {name: one_case(value, scenario, draw) for name, value in values.items()}
