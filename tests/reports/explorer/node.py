"""Runs a task in Node as a page would run it."""

import base64
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pysd_runner.engine import TimePath, leading_shape

SCRIPT = Path(__file__).with_name("run.js")


def needs_node():
    """Skip where there is no Node."""
    if shutil.which("node") is None:
        pytest.skip("Node is not installed, so compiled models cannot be run outside a browser")


def run_in_node(task, *, repeat=0):
    """Outcomes of a task, shape (draw, ..., time), by variable, and processor times of repeated runs [ms]."""
    program = task.for_browsers()
    module = program.module
    _, draws = leading_shape(task.inputs)
    inputs = []
    for name, value in program.inputs.items():
        is_path = isinstance(value, TimePath)
        path = {"times": value.times.tolist(), "interpolate": value.interpolate} if is_path else None
        numbers = (value.values[:, 0] if is_path else value[0]).ravel()
        inputs.append({"name": name, "values": [repr(float(number)) for number in numbers], "path": path})
    job = {
        "code": base64.b64encode(module.code).decode(),
        "program": program.record,
        "runs": [{"inputs": inputs, "draws": draws, "repeat": repeat}],
    }
    text = json.dumps(job).replace('"nan"', '"NaN"').replace('"inf"', '"Infinity"').replace('"-inf"', '"-Infinity"')
    done = subprocess.run(["node", str(SCRIPT)], input=text, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    rows = int(task.clock.saved.sum())
    outcomes = {}
    for name, slot, flat in zip(module.outcomes, module.signature.outputs, found["outcomes"], strict=True):
        numbers = np.array([float(item.replace("Infinity", "inf")) for item in flat])
        outcomes[name] = np.moveaxis(numbers.reshape(rows, *slot.lengths, draws), (-1, 0), (0, -1))
    return outcomes, found["times"], module
