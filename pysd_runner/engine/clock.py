"""Start, stop, time steps and saved times of a run, including those that the model computes itself."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.errors import InvalidInput, Message
from pysd_runner.engine.ir import FINAL_TIME, INITIAL_TIME, SAVEPER, TIME_STEP, ModelIr, remembered, written
from pysd_runner.engine.kinds import Array, Flags, frozen
from pysd_runner.engine.numpy.target import computed
from pysd_runner.engine.passes.integration import integrated
from pysd_runner.engine.values import TimePath, Values, leading_shape, one_case, over_time

# Maximum number of steps of a run: more are probably a typo, and would not fit into memory.
MOST_STEPS = 5_000_000

# Times that differ by less than this share of a step are equal, as in PySD.
PRECISION = 1e-5


class UnevenSaving(UserWarning):
    """The save interval of a model file is not a multiple of its time step, so that some times are not saved."""


class UnevenStop(UserWarning):
    """The duration of a run is not a multiple of its time step, so that the run ends before its stop time."""


@frozen
class Moments:
    """Times of a run whose stop, time step or save interval changes during the run."""

    times: tuple[float, ...]  # time of every step, including the first and the last
    saved: tuple[bool, ...]  # which of them are saved


@dataclass(frozen=True)
class Clock:
    """Start, stop, time step and save interval of a run."""

    start: float
    stop: float
    step: float  # length of a step, in years
    save_every: float  # time between saved results, in years
    own: frozenset[str] = frozenset()  # names of the time controls that the model computes during the run
    axis: Moments | None = None  # the times, where they do not follow from the numbers above

    def __post_init__(self) -> None:
        bounds = (self.start, self.stop, self.step, self.save_every)
        if not all(math.isfinite(value) for value in bounds):
            raise InvalidInput(
                "time bounds must be finite; found start, stop, step, save_every = {bounds}", bounds=bounds
            )
        if self.step <= 0 or self.save_every <= 0:
            raise InvalidInput(
                "step and save_every must be positive; found {step} and {save_every}",
                step=self.step,
                save_every=self.save_every,
            )
        if (self.stop - self.start) / self.step > MOST_STEPS:
            raise InvalidInput(
                "{count:.3g} steps from {start:g} to {stop:g} are more than {most:,}; take a longer step than {step:g}",
                count=(self.stop - self.start) / self.step,
                start=self.start,
                stop=self.stop,
                most=MOST_STEPS,
                step=self.step,
            )
        if self.stop < self.start:
            raise InvalidInput(
                "a run goes forward: stop {stop:g} lies before start {start:g}", stop=self.stop, start=self.start
            )

    # The arrays of times are computed once and shared, hence read-only.

    @cached_property
    def times(self) -> Array:
        """Time of every step, including the first and the last, shape (step,)."""
        if self.axis is not None:
            return _shared(np.array(self.axis.times))
        # Steps are added one by one, so that times have the same rounding errors as in PySD.
        count = math.floor((self.stop - self.start) / self.step + PRECISION)
        return _shared(np.cumsum(np.concatenate([[self.start], np.full(max(count, 0), self.step)])))

    @cached_property
    def saved(self) -> Flags:
        """Which steps are saved, shape (step,)."""
        if self.axis is not None:
            return _shared(np.array(self.axis.saved))
        since = self.times - self.times[0]
        tolerance = self.step * PRECISION
        return _shared((since % self.save_every < tolerance) | (-since % self.save_every < tolerance))

    @property
    def left(self) -> float:
        """Time between the last step and the stop; zero where they coincide, up to rounding."""
        left = self.stop - float(self.times[-1])
        return left if left > self.step / 1000 else 0.0

    @cached_property
    def lost(self) -> int:
        """Number of times at whole save intervals after the start that are not saved because no step ends there."""
        if self.axis is not None:
            return 0
        times = self.times
        whole = math.floor(float(times[-1] - times[0]) / self.save_every + PRECISION) + 1
        return max(0, whole - int(self.saved.sum()))

    @property
    def saved_times(self) -> Array:
        """Saved times, free of rounding errors, shape (year,)."""
        return np.round(self.times[self.saved], 9)


def _shared(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


# An iteration tries at most twice as many times as are known to be correct, and this many more.
EXTRA_TIMES = 1000


@frozen
class Controls:
    """Time controls of a model at every time, shape (time,) each."""

    final: Array
    step: Array  # length of a step
    save_every: Array  # time between saved results


def axis_of(start: float, controls: Callable[[Array], Controls], *, stop_moves: bool) -> Moments:
    """The times of a run, by fixed-point iteration; none is after the stop, unless the stop changes during the run."""
    tried: list[float] = [start]
    while True:
        axis, agreed = _walked(start, controls(np.array(tried)), tried, stop_moves)
        if agreed:
            return axis
        tried = list(axis.times)


def _walked(start: float, controls: Controls, tried: Sequence[float], stop_moves: bool) -> tuple[Moments, bool]:
    """The times that follow from the controls, and whether the controls were computed at exactly these times."""
    times, saved = [start], []
    right = 0
    while True:
        if right == len(times) - 1 and right < len(tried) and times[right] == tried[right]:
            right += 1
        # After the times known to be correct, the last controls are assumed to stay constant.
        now, step, save_every = times[-1], float(controls.step[right - 1]), float(controls.save_every[right - 1])
        _check(now, step, len(times))
        saved.append(_is_saved(now - start, step, save_every))
        needed = PRECISION if stop_moves else 1 - PRECISION
        if not now + step * needed <= float(controls.final[right - 1]):
            return Moments(tuple(times), tuple(saved)), right == len(times)
        if len(times) > 2 * right + EXTRA_TIMES:
            return Moments(tuple(times), tuple(saved)), False
        times.append(now + step)


def _check(now: float, step: float, count: int) -> None:
    if not step > 0 or not math.isfinite(step):
        raise InvalidInput("TIME STEP is {step:g} at time {time:g}; a step must be positive", step=step, time=now)
    if count > MOST_STEPS:
        raise InvalidInput(
            "more than {most:,} steps to time {time:g}, and FINAL TIME is not reached",
            most=MOST_STEPS,
            time=now,
        )


def _is_saved(since: float, step: float, save_every: float) -> bool:
    if not save_every > 0 or not math.isfinite(save_every):
        return math.isinf(save_every) and since == 0
    tolerance = step * PRECISION
    return since % save_every < tolerance or -since % save_every < tolerance


@frozen
class Clocks:
    """Clocks of all cases of a run."""

    first: Clock  # of the first case; of all cases where `cases` is empty
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
    """The clocks of a run, with warnings where saved times or the stop do not fall on a step."""
    found = _clocks(model, label, values, asked, method=method, seed=seed)
    _check_saving(label, found.first, asked)
    _warn_of_stop(label, found.first)
    return found


def _check_saving(label: str, clock: Clock, asked: Mapping[str, float | None]) -> None:
    """Reject an unsuitable save interval of the caller; warn of one in the file, which other programs accept."""
    if not clock.lost:
        return
    times = max(1, round(clock.save_every / clock.step))
    kept, whole = clock.saved.sum(), clock.saved.sum() + clock.lost
    found = Message(
        "results every {interval:g} do not fall on steps of {step:g}: only {kept} of {whole} moments could be saved",
        interval=clock.save_every,
        step=clock.step,
        kept=kept,
        whole=whole,
    )
    fitting = Message(
        "save_every={interval:.6g}, or step={step:.6g}", interval=clock.step * times, step=clock.save_every / times
    )
    if asked[TIME_STEP] is not None or asked[SAVEPER] is not None:
        raise InvalidInput(
            "{label}: {found}. The save interval must be a multiple of the step; nearest: {fitting}",
            label=label,
            found=found,
            fitting=fitting,
        )
    warnings.warn(
        Message(
            "{label}: {found}, those on a step. To save all pass {fitting}", label=label, found=found, fitting=fitting
        ),
        UnevenSaving,
        stacklevel=6,
    )


def _warn_of_stop(label: str, clock: Clock) -> None:
    if clock.left:
        last = f"{clock.times[-1]:.10g}"
        warnings.warn(
            Message(
                "{label}: no step of {step:g} ends at the stop, {stop:.10g}; the run ends at "
                "{last}. Pass stop={last}, or a step that divides {span:.10g}",
                label=label,
                step=clock.step,
                stop=clock.stop,
                last=last,
                span=clock.stop - clock.start,
            ),
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
    numbers = {name: written(model, name) if bound is None else bound for name, bound in asked.items()}
    if (plain := {name: value for name, value in numbers.items() if value is not None}).keys() == asked.keys():
        return Clocks(_first(label, plain))
    moving = over_time(values)
    # A control may depend on another in the file: SAVEPER = TIME STEP.
    given = {**{name: np.full((1, 1), bound) for name, bound in asked.items() if bound is not None}, **values}
    found = computed(model, tuple(asked), given, np.zeros(1))
    at_start = {name: float(found[name].flat[0]) if bound is None else bound for name, bound in asked.items()}
    first = _first(label, at_start)
    differing = {name for name, bound in asked.items() if bound is None and _differs(found[name])}
    if INITIAL_TIME in differing:
        raise InvalidInput("INITIAL TIME differs between cases; all start together: pass start to the simulation")
    saving = TIME_STEP if np.isnan(at_start[SAVEPER]) else SAVEPER
    # Time controls, other than INITIAL TIME, that depend on time or on the state of the model.
    own = _moving_controls(model, tuple(asked), frozenset(given), moving) | differing
    if not own:
        return Clocks(first)
    fixed = {name: np.full((1, 1), at_start[name]) for name in asked if name not in own}
    if saving == TIME_STEP and SAVEPER in fixed:
        fixed[SAVEPER] = np.full((1, 1), at_start[TIME_STEP])
    work = _Work(model, {**fixed, **values}, replace(first, own=frozenset(own)), saving, method, seed)
    return work.clocks()


def _first(label: str, at_start: Mapping[str, float]) -> Clock:
    missing = [name for name in (INITIAL_TIME, FINAL_TIME, TIME_STEP) if np.isnan(at_start[name])]
    if missing:
        raise InvalidInput(
            "{label} does not say its {names}; pass start, stop and step to the simulation",
            label=label,
            names=", ".join(missing),
        )
    save_every = at_start[TIME_STEP] if np.isnan(at_start[SAVEPER]) else at_start[SAVEPER]
    return Clock(at_start[INITIAL_TIME], at_start[FINAL_TIME], at_start[TIME_STEP], save_every)


def _differs(value: Array) -> bool:
    return bool((value != value.flat[0]).any() and not np.isnan(value).all())


@remembered(64)
def _moving_controls(
    model: ModelIr, asked: tuple[str, ...], given: frozenset[str], moving: frozenset[str]
) -> frozenset[str]:
    # Imported here because a run whose controls are numbers needs no plan.
    from pysd_runner.engine.passes.order import plan

    order = plan(model, asked, given, moving)
    return frozenset(item.variable for item in order.dynamic if item.variable in asked) - {INITIAL_TIME}


@frozen
class _Work:
    """Computes the clocks of a run whose time controls change during the run or differ between cases."""

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
                    "scenario {scenario}, draw {draw} is saved at {shown}, the first case at "
                    "{other_shown}; cases of one run are saved at the same times: pass start, stop, step "
                    "or save_every, or run them apart",
                    scenario=scenario,
                    draw=draw,
                    shown=_shown(other),
                    other_shown=_shown(clock),
                )
        return Clocks(clock, cases)

    def _clock(self, inputs: Values, draw: int) -> Clock:
        own_steps = TIME_STEP in self.first.own
        model, ready = integrated(self.model, inputs, self.method, self.first.step, own_steps=own_steps)
        wanted = (FINAL_TIME, TIME_STEP, self.saving)

        def controls(times: Array) -> Controls:
            found = computed(model, wanted, ready, times, step=self.first.step, seed=self.seed, first_draw=draw)
            series = [found[name].reshape(-1, times.size) for name in wanted]
            if any((item != item[:1]).any() for item in series):
                raise _CasesDiffer
            return Controls(*(item[0] for item in series))

        stop_moves = FINAL_TIME in self.first.own
        axis = axis_of(self.first.start, controls, stop_moves=stop_moves)
        return replace(self.first, stop=axis.times[-1] if stop_moves else self.first.stop, axis=axis)


class _CasesDiffer(Exception):
    """Time controls differ between cases; always caught within this module."""


def _shown(clock: Clock) -> Message:
    times = clock.saved_times
    return Message("{count} times up to {last:g}", count=times.size, last=times[-1])


def _case(values: Values, scenario: int, draw: int) -> dict[str, Array | TimePath]:
    return {name: one_case(value, scenario, draw) for name, value in values.items()}
