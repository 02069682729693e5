"""How far a model in Node is from the same model in NumPy.

``python -m tests.explorer.parity FOLDER`` for a checkout of SDXorg/test-models; nothing of it stands here.
"""

import argparse
import dataclasses
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

from pysd_runner.core.errors import GapsimError, UnsupportedFeature
from pysd_runner.engine import TimePath
from pysd_runner.model import load_model
from pysd_runner.simulation.run import constant_values
from pysd_runner.simulation.task import prepared
from tests.explorer.node import run_in_node
from tests.validation.conformance import data_beside, model_files

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


def examine(path):
    """What became of one model: a word and details."""
    try:
        model = load_model(path)
        task = prepared(model, data_beside(model, path.parent))
        dataclasses.replace(task, engine="llvm").compute()
    except GapsimError:
        return "not run by the compiled engine", ""
    try:
        far = departures(model, task)
    except UnsupportedFeature as reason:
        return "refused", str(reason)
    return ("differs", str(far)) if far else ("same", "")


def main():
    """Examine every model of a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    counts = Counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in model_files(folder):
            status, detail = examine(path)
            counts[status] += 1
            if status in ("differs", "refused"):
                print(f"{path.relative_to(folder)}: {status} {detail}")  # noqa: T201
    print(dict(counts))  # noqa: T201


if __name__ == "__main__":
    main()
