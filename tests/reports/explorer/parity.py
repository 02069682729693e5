"""How far a model in Node is from the same model in NumPy."""

import dataclasses

import numpy as np

from pysd_runner.core.errors import GapsimError
from pysd_runner.engine import TimePath
from pysd_runner.simulation.run import constant_values
from tests.reports.explorer.node import run_in_node

# Share of a variable's largest value, and how much more than a last digit of the input moves it.
TOLERANCE, TIMES_ONE_ULP = 1e-12, 10


def apart(ours, theirs):
    """Largest difference as a share of the largest value; infinite where one has a number and the other has none."""
    both = np.isfinite(ours) & np.isfinite(theirs)
    same = both | (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    if not same.all():
        return np.inf
    scale = np.abs(theirs[both]).max(initial=0.0)
    worst = np.abs(ours[both] - theirs[both]).max(initial=0.0)
    return worst / scale if scale > 0 else worst


def departures(model, task):
    """By variable: what is left between Node and NumPy beyond what the criterion allows, else nothing."""
    found, _, _ = run_in_node(task)
    expected = {name: values[0] for name, values in dataclasses.replace(task, engine="numpy").compute().items()}
    far = {name: apart(found[name], values) for name, values in expected.items()}
    far = {name: value for name, value in far.items() if value > TOLERANCE}
    if far:
        moved = moved_by_one_ulp(model, task, expected)
        far = {name: value for name, value in far.items() if value > TIMES_ONE_ULP * moved[name]}
    return far


def moved_by_one_ulp(model, task, expected):
    """By variable: how far NumPy goes from itself where every input is one unit in the last place larger."""
    inputs = {name: _next(value) for name, value in task.values.items()}
    for name, item in model.variables.items():
        if item.kind == "constant" and name not in inputs:
            try:
                inputs[name] = _next(np.array(constant_values(model, name), dtype=float)[None, None])
            except GapsimError:
                continue
    moved = dataclasses.replace(task, engine="numpy", values=inputs).compute()
    return {name: apart(moved[name][0], values) for name, values in expected.items()}


def _next(value):
    if isinstance(value, TimePath):
        return TimePath(times=value.times, values=_next(value.values), interpolate=value.interpolate)
    return np.nextafter(value, np.inf)
