"""The Jacobian of digi31 by 20 parameters, in units of single runs of the C written by hand."""

from functools import partial
from importlib import import_module

import numpy as np

from benchmarks import targets
from benchmarks.differentiating import Jacobian, differences
from benchmarks.engines import Unavailable
from benchmarks.engines.hand_written import HandWritten
from benchmarks.engines.ours import LlvmModel, Ours
from benchmarks.extras import Context, Finding, verdict
from benchmarks.measure import Task, interleaved
from benchmarks.models import find_subject

# Central differences are good to about this, relative to the largest slope by the same parameter.
DIFFERENCES_ARE_GOOD_TO = 1e-5


def jacobians(context: Context) -> Finding:
    """Cost of exact derivatives, of differences, and of the labelled call."""
    subject = find_subject("digi31", yardsticks=context.yardsticks, world3=None, folder=context.folder)
    finding = Finding(
        f"Jacobian of digi31: {subject.series} series x {subject.years} moments by {len(subject.parameters)} values, "
        "in single runs of hand C -O3"
    )
    ours = Ours("llvm").prepare(subject, context.folder)
    exact = Jacobian(subject)
    row = subject.draws(1)[0]
    if not isinstance(ours, LlvmModel):
        raise Unavailable("the compiled engine is not there")
    by_differences = differences(ours, row)
    scale = np.abs(by_differences).max(axis=(0, 1))
    gap = float((np.abs(exact(row)[1] - by_differences) / scale).max())
    if gap > DIFFERENCES_ARE_GOOD_TO:
        finding.lines.append(f"differs from central differences by {gap:.0e} of the largest slope: no cost is shown")
        return finding
    tasks = {
        "hand C -O3": Task(
            partial(HandWritten(context.yardsticks, fast=False).prepare(subject, context.folder).single, row)
        ),
        "exact, buffers used again": Task(partial(exact, row)),
        "central differences, one ensemble": Task(partial(differences, ours, row)),
    }
    try:
        jacobian = import_module("pysd_runner.simulation.sensitivities").jacobian
        values = dict(zip(subject.parameters, row.tolist(), strict=True))
        model = ours.loaded.model
        tasks["the labelled call"] = Task(
            lambda: jacobian(model, values, parameters=subject.parameters, outcomes=subject.outcomes, engine="llvm")
        )
        tasks["the labelled call"].call()
    except (ImportError, AttributeError, TypeError) as error:
        tasks.pop("the labelled call", None)
        finding.lines.append(f"the labelled call was left out: {error}")
    timings = interleaved(tasks, context.rounds)
    unit = timings["hand C -O3"].best
    for name, timing in timings.items():
        cost = timing.best / unit
        said = verdict(cost, targets.JACOBIAN_IN_SINGLE_RUNS, least=False) if name.startswith("exact") else ""
        if name != "hand C -O3":
            finding.lines.append(f"{name}: {cost:.2f} runs {said}".rstrip())
    finding.lines.append(f"agrees with central differences to {gap:.0e} of the largest slope by the same parameter")
    finding.record = {"difference": gap, "timings": {name: item.as_dict() for name, item in timings.items()}}
    return finding
