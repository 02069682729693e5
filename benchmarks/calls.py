"""What a call costs where one run follows another, as an optimiser asks for them: a model of ten variables."""

from collections.abc import Callable
from typing import Any

from benchmarks import targets
from benchmarks.extras import Context, Finding, verdict
from benchmarks.measure import Task, interleaved
from pysd_runner.ensemble import run_ensemble
from pysd_runner.model import load_model
from pysd_runner.simulation import jacobian, prepare, simulate

CALLS = 10_000

# An epidemic: 3 stocks, 4 equations, 3 numbers, 400 steps.
TEN_VARIABLES = """{UTF-8}
contact rate = 0.4 ~ 1/Day ~|
recovery time = 8 ~ Day ~|
population = 1000 ~ Person ~|
susceptible = INTEG(-infection, population - 1) ~ Person ~|
infected = INTEG(infection - recovery, 1) ~ Person ~|
recovered = INTEG(recovery, 0) ~ Person ~|
share = infected/population ~ Dmnl ~|
infection = contact rate*susceptible*share ~ Person/Day ~|
recovery = infected/recovery time ~ Person/Day ~|
reproduction = contact rate*recovery time*susceptible/population ~ Dmnl ~|
INITIAL TIME = 0 ~ Day ~|
FINAL TIME = 100 ~ Day ~|
TIME STEP = 0.25 ~ Day ~|
SAVEPER = 0.25 ~ Day ~|
"""
PARAMETERS, OUTCOMES = ("contact rate", "recovery time"), ("infected", "recovery")


def calls(context: Context) -> Finding:
    """Seconds of the processor for ten thousand sequential calls through each front door."""
    path = context.folder / "ten_variables.mdl"
    path.write_text(TEN_VARIABLES, encoding="utf-8")
    model = load_model(path)
    ready = prepare(model, PARAMETERS, OUTCOMES)
    point = (0.3, 7.0)
    values = dict(zip(PARAMETERS, point, strict=True))
    doors: dict[str, Callable[[], Any]] = {
        "f = prepare(...), f(values)": lambda: ready(point),
        "f.with_jacobian(values)": lambda: ready.with_jacobian(point),
        "simulate": lambda: simulate(model, values, outcomes=OUTCOMES),
        "jacobian": lambda: jacobian(model, values, parameters=PARAMETERS, outcomes=OUTCOMES),
        "run_ensemble, one draw": lambda: run_ensemble(model, values, outcomes=OUTCOMES),
    }
    timings = interleaved({name: Task(call) for name, call in doors.items()}, context.rounds)
    finding = Finding(
        f"calls: {CALLS:,} one after the other, ten variables, 400 steps; seconds of the processor (median)"
    )
    for number, (name, item) in enumerate(timings.items()):
        goal = verdict(CALLS * item.median, targets.CALLS_SECONDS, least=False) if number == 0 else ""
        finding.lines.append(f"{name}: {CALLS * item.median:.2f} s {goal}".rstrip())
        finding.record[name] = item.as_dict()
    return finding
