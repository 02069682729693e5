"""Runs a model through PySD itself: the slow twin every other target is compared with."""

import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.clock import Clock
from pysd_runner.engine.errors import GapsimError, InvalidInput, SimulationFailed
from pysd_runner.engine.frontend.lowering.limits import is_non_negative
from pysd_runner.engine.frontend.translated.source import Translated
from pysd_runner.engine.ir import ModelIr, Reduction, walk
from pysd_runner.engine.names import key
from pysd_runner.engine.numpy.target import leading_shape
from pysd_runner.engine.passes.order import plan
from pysd_runner.engine.paths import TimePath
from pysd_runner.engine.sanitised import Sanitised, sanitise

Array = NDArray[np.float64]


class UnlimitedOutflow(UserWarning):
    """PySD lets outflows of a non-negative stock go on when it is empty."""


def run_reference(
    source: Translated,
    model: ModelIr,
    values: Mapping[str, Array | TimePath],
    clock: Clock,
    outcomes: Sequence[str],
    *,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Array]:
    """Run every case through PySD, one after the other, from a private temporary folder."""
    _refuse_missing_data(model, values)
    _warn_of_limits(model)
    try:
        return _run_cases(source, model, values, clock, outcomes, progress)
    except SimulationFailed as error:
        if _is_circle(error.__cause__):
            # Planning names the variables, where the whole model is covered.
            plan(model, outcomes, frozenset(values), frozenset())
        raise


def _is_circle(error: BaseException | None) -> bool:
    return isinstance(error, RecursionError) or "Circular initialization" in str(error)


def _run_cases(
    source: Translated,
    model: ModelIr,
    values: Mapping[str, Array | TimePath],
    clock: Clock,
    outcomes: Sequence[str],
    progress: Callable[[int], None] | None,
) -> dict[str, Array]:
    for name in _reduced_ranges(model):
        if len(model.ranges[name]) == 1:
            raise InvalidInput(f'range {name!r} has one element, which PySD cannot sum over; use engine="numpy"')
    scenarios, draws = leading_shape(values)
    rows = int(clock.saved.sum())
    data = {name: np.empty((scenarios, draws, *model.shape(model.variables[name].dims), rows)) for name in outcomes}
    with tempfile.TemporaryDirectory(prefix="gapsim-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        safe = sanitise(source, Path(folder))
        runner = _guarded(source, lambda: _build(safe))
        for draw in range(draws):
            for scenario in range(scenarios):
                # Each case gets a model of its own, so that no override persists into the next.
                runner.reload()
                case = (scenario, draw)
                frame = _guarded(source, partial(_run_case, runner, safe, model, values, clock, outcomes, case))
                for name in outcomes:
                    data[name][scenario, draw] = _column(frame, safe, model, name)
            if progress is not None:
                progress(1)
    return data


def _warn_of_limits(model: ModelIr) -> None:
    names = [repr(name) for name, variable in model.variables.items() if is_non_negative(variable)]
    if names:
        warnings.warn(
            f"PySD keeps the non-negative stock {names[0]} at zero while its outflows go on"
            f"{f', and {len(names) - 1} others' if len(names) > 1 else ''}; the other engines limit them",
            UnlimitedOutflow,
            stacklevel=5,
        )


def _refuse_missing_data(model: ModelIr, values: Mapping[str, Array | TimePath]) -> None:
    for name, variable in model.variables.items():
        if variable.kind == "data" and name not in values:
            raise InvalidInput(variable.uncovered)


def _reduced_ranges(model: ModelIr) -> set[str]:
    """Ranges that some equation sums, multiplies or compares over."""
    return {
        axis.removesuffix("!")
        for variable in model.variables.values()
        for block in variable.blocks
        for part in walk(block.expression)
        if isinstance(part, Reduction)
        for axis in part.over
    }


def _guarded(source: Translated, action: Callable[[], Any]) -> Any:
    try:
        return action()
    except GapsimError:
        raise
    except Exception as error:
        # PySD raises whatever its generated code runs into.
        reason = " ".join(str(error).split())[:300]
        raise SimulationFailed(
            f"{source.path}: PySD cannot run this model: {type(error).__name__}: {reason}"
        ) from error


def _build(safe: Sanitised) -> Any:
    import pysd
    from pysd.builders.python.python_model_builder import ModelBuilder

    return pysd.load(ModelBuilder(safe.abstract).build_model())


def _run_case(
    runner: Any,
    safe: Sanitised,
    model: ModelIr,
    values: Mapping[str, Array | TimePath],
    clock: Clock,
    outcomes: Sequence[str],
    case: tuple[int, int],
) -> Any:
    given = {
        safe.variables[key(name)]: _component(runner, safe, model, name, value, clock, case)
        for name, value in values.items()
    }
    return runner.run(
        params=given,
        return_columns=[safe.variables[key(name)] for name in outcomes],
        initial_condition=(clock.start, {}),
        final_time=None if "FINAL TIME" in clock.own else float(clock.times[-1]),
        time_step=None if "TIME STEP" in clock.own else clock.step,
        saveper=None if "SAVEPER" in clock.own else clock.save_every,
        progress=False,
        flatten_output=False,
    )


def _component(
    runner: Any,
    safe: Sanitised,
    model: ModelIr,
    name: str,
    value: Array | TimePath,
    clock: Clock,
    case: tuple[int, int],
) -> Any:
    dims = model.variables[name].dims
    if not isinstance(value, TimePath):
        return _labelled(safe, model, dims, _pick(value, case))
    path = TimePath(
        times=value.times, values=np.stack([_pick(item, case) for item in value.values]), interpolate=value.interpolate
    )
    if key(name) in safe.series:
        # PySD replaces the points of a series, not the variable that reads it.
        import pandas as pd

        return pd.Series({time: _labelled(safe, model, dims, path.at(time)) for time in clock.times.tolist()})
    return lambda: _labelled(safe, model, dims, path.at(runner.time()))


def _pick(value: Array, case: tuple[int, int]) -> Array:
    scenario, draw = (place if length > 1 else 0 for place, length in zip(case, value.shape[:2], strict=True))
    return np.asarray(value[scenario, draw])


def _labelled(safe: Sanitised, model: ModelIr, dims: tuple[str, ...], value: Array) -> Any:
    if not dims:
        return float(value)
    import xarray as xr

    names = [safe.ranges[key(dim)] for dim in dims]
    coords = {
        name: [safe.elements[key(label)] for label in model.ranges[dim]] for name, dim in zip(names, dims, strict=True)
    }
    return xr.DataArray(value, coords, names)


def _column(frame: Any, safe: Sanitised, model: ModelIr, name: str) -> Array:
    """Saved values of a variable, shape (..., year), in the order of its ranges."""
    column = frame[safe.variables[key(name)]]
    dims = model.variables[name].dims
    steps = []
    for item in column.to_numpy():
        if dims and hasattr(item, "dims"):
            steps.append(_placed(item, safe, model, dims))
        else:
            steps.append(np.broadcast_to(np.asarray(item, dtype=float), model.shape(dims)))
    return np.stack(steps, axis=-1)


def _placed(item: Any, safe: Sanitised, model: ModelIr, dims: tuple[str, ...]) -> Array:
    """An array of PySD's in the order of our ranges."""
    # PySD may take another range for a variable that is defined by its elements: then the dimensions are in the order
    # of the left side, and cells it does not have are NaN.
    order = [safe.ranges.get(key(dim), "") for dim in dims]
    if set(item.dims) == set(order):
        item = item.transpose(*order)
    result = np.full(model.shape(dims), np.nan)
    ours, theirs = [], []
    for dim, other in zip(dims, item.dims, strict=True):
        found = {str(label): place for place, label in enumerate(item.coords[other].to_numpy())}
        named = [safe.elements[key(label)] for label in model.ranges[dim]]
        ours.append([place for place, label in enumerate(named) if label in found])
        theirs.append([found[label] for label in named if label in found])
    result[np.ix_(*ours)] = np.asarray(item.to_numpy(), dtype=float)[np.ix_(*theirs)]
    return result
