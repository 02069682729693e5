"""Find the first non-finite value of a run."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.clock import Clock
from pysd_runner.engine.errors import Message
from pysd_runner.engine.ir import (
    HIDDEN,
    STATEFUL,
    TIME_STEP,
    Expression,
    Interpolation,
    ModelIr,
    Number,
    references,
    walk,
)
from pysd_runner.engine.kinds import Array, Flags, frozen
from pysd_runner.engine.numpy.target import computed
from pysd_runner.engine.passes.elements import defined
from pysd_runner.engine.passes.integration import integrated
from pysd_runner.engine.values import TimePath, one_case, over_time, picked


@frozen
class Failure:
    """The first non-finite value of a run."""

    scenario: int
    draw: int
    variable: str  # the first variable with a non-finite value
    element: tuple[str, ...]  # its element, empty for a variable without subscripts
    time: float
    value: float  # nan, inf or -inf
    remark: str = ""  # a remark that is appended to the message

    @property
    def message(self) -> Message:
        """Message on a failure: which variable became not finite, when, and in which case."""
        element = f"[{', '.join(self.element)}]" if self.element else ""
        return Message(
            "{name} became {value} at time {time:g} (scenario {scenario}, draw {draw}){remark}",
            name=self.variable.replace(HIDDEN, ": ") + element,
            value=self.value,
            time=self.time,
            scenario=self.scenario,
            draw=self.draw,
            remark=Message("; {said}", said=self.remark) if self.remark else "",
        )

    def __str__(self) -> str:
        return self.message


def trace(
    model: ModelIr,
    values: Mapping[str, Array | TimePath],
    clock: Clock,
    outcomes: Sequence[str],
    case: tuple[int, int],
    *,
    seed: int = 0,
    first_draw: int = 0,
    method: str = "euler",
) -> Failure | None:
    """Rerun one case, save all variables its outcomes depend on at every step, and find the first non-finite value."""
    scenario, draw = case
    one = {name: one_case(value, scenario, draw) for name, value in values.items()}
    model, values = integrated(model, one, method, clock.step, own_steps=TIME_STEP in clock.own)
    # Imported here because most runs do not fail.
    from pysd_runner.engine.passes.order import needed

    names = list(needed(model, outcomes, frozenset(values), over_time(values)))
    found = computed(model, names, values, clock.times, step=clock.step, seed=seed, first_draw=first_draw + draw)
    return _first(model, {name: found[name][0, 0] for name in names}, clock.times, case)


def seen(model: ModelIr, data: Mapping[str, NDArray[np.floating]], times: Array, case: tuple[int, int]) -> Failure:
    """The first non-finite value of a failed case among its saved results."""
    found = _first(model, {name: picked(values, case) for name, values in data.items()}, times, case)
    if found is None:
        raise ValueError(f"case {case} did not fail")
    return found


def _first(
    model: ModelIr, series: Mapping[str, NDArray[np.floating]], times: Array, case: tuple[int, int]
) -> Failure | None:
    """The first non-finite value of variables with shape (..., time); None if there is none."""
    wrong = {name: not_usable(model, name, values) for name, values in series.items()}
    first = min(
        (int(np.argmax(item.any(axis=tuple(range(item.ndim - 1))))) for item in wrong.values() if item.any()),
        default=-1,
    )
    if first < 0:
        return None
    name = _earliest([name for name in series if wrong[name][..., first].any()], model, at_start=first == 0)
    place = np.argwhere(wrong[name][..., first])[0] if wrong[name].ndim > 1 else ()
    dims = model.variables[name].dims
    element = tuple(model.ranges[dim][position] for dim, position in zip(dims, place, strict=True))
    value = float(series[name][(*place, first)])
    return Failure(*case, name, element, float(times[first]), value)


def not_usable(model: ModelIr, name: str, values: NDArray[np.floating]) -> Flags:
    """Mark the non-finite values of a variable, except missing values and elements that no equation defines."""
    # NaN in a variable whose own equation contains ``:NA:``, or reads a series as ``:RAW:``, is an intended missing
    # value, not a failure; nor is one that a run tells of.
    wrong = ~np.isfinite(values)
    parts = (part for block in model.variables[name].blocks for part in (block.expression, block.at_start))
    if name in model.unsettled or any(_is_missing(item) for part in parts for item in walk(part)):
        wrong &= ~np.isnan(values)
    return np.asarray(wrong & defined(model, name)[..., None])


def _is_missing(item: Expression) -> bool:
    if isinstance(item, Interpolation):
        return item.mode == "raw"
    return isinstance(item, Number) and math.isnan(item.value)


def _earliest(names: list[str], model: ModelIr, *, at_start: bool) -> str:
    """The variable that depends on none of the other failed variables: the origin of the failure."""
    wrong = set(names)
    for name in names:
        variable = model.variables[name]
        if variable.kind in STATEFUL and not at_start:
            return name
        parts = [block.at_start if at_start else block.expression for block in variable.blocks]
        if not {ref for part in parts for ref in references(part)} & (wrong - {name}):
            return name
    return names[0]
