"""Runs the experiments declared beside a model, and holds what comes out against what must."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.evaluation.subject import Subject
from pysd_runner.checks import Rule, check_behaviour, rules_of
from pysd_runner.checks.experiments import Expectation, Experiment, Pulse, Relation
from pysd_runner.engine import TimePath
from pysd_runner.simulation import Run

Array = NDArray[np.float64]

DIRECTED: tuple[Relation, ...] = ("rises", "falls", "below base", "above base")
ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True, slots=True)
class Breach:
    """One thing an experiment should have implied and did not."""

    message: str  # what was expected of which variable where, and what was found
    value: float


def try_experiment(subject: Subject, experiment: Experiment) -> list[Breach]:
    """Run an experiment and list what it should have implied and did not."""
    tried = _reshaped(subject, experiment)
    given = _everywhere(tried, experiment.given)
    run = tried.run({**given, **_test_input(tried, experiment)}, years=experiment.years)
    if run.failed.any():
        return [Breach(message=str(item), value=item.value) for item in run.failures] or [
            Breach(message="values that are not finite", value=float("nan"))
        ]
    base = tried.run(given, years=experiment.years) if experiment.expectations else run
    hit = _hit(tried, experiment.pulse)
    breaches = list(_broken_rules(run, rules_of(subject.model))) if experiment.kind == "extreme" else []
    for item in experiment.expectations:
        breach = _departure(run, base, item, hit)
        breaches += [] if breach is None else [breach]
    return breaches


def _reshaped(subject: Subject, experiment: Experiment) -> Subject:
    if experiment.regions is not None:
        subject = subject.with_regions(min(experiment.regions, len(subject.model.ranges["Region"])))
    return subject.alike() if experiment.is_alike else subject


def _everywhere(subject: Subject, values: Mapping[str, float]) -> dict[str, object]:
    """Numbers as arrays over the subscripts of their variables."""
    found: dict[str, object] = {}
    for name, value in values.items():
        variable = subject.model.find(name)
        shape = tuple(len(subject.model.ranges[dim]) for dim in subject.model.variables[variable].dims)
        found[variable] = np.full(shape, value)
    return found


def _test_input(subject: Subject, experiment: Experiment) -> dict[str, object]:
    changes = _everywhere(subject, experiment.values)
    if experiment.pulse is not None:
        changes[subject.model.find(experiment.pulse.variable)] = _path(subject, experiment.pulse)
    return changes


def _path(subject: Subject, pulse: Pulse) -> TimePath:
    """What the pulse makes of its input: its value of the base run, but for one year."""
    variable = subject.model.find(pulse.variable)
    base = np.asarray(subject.base[variable][0, 0, ..., 0], dtype=float)
    high = base.copy()
    hit = _hit(subject, pulse)
    if hit is None:
        high[...] = pulse.size
    else:
        high[hit] = pulse.size
    start = subject.clock["start"]
    return TimePath(times=np.array([start, start + 1, start + 2]), values=np.stack([base, high, base]))


def _hit(subject: Subject, pulse: Pulse | None) -> int | None:
    """Position of the element that is hit; None for all or none."""
    if pulse is None or not pulse.highest_of:
        return None
    return int(np.argmax(subject.base[pulse.highest_of][0, 0, ..., 0]))


def _broken_rules(run: Run, rules: Sequence[Rule]) -> Iterator[Breach]:
    for problem in check_behaviour(run, rules):
        yield Breach(message=problem.message, value=problem.value)


def _departure(run: Run, base: Run, expectation: Expectation, hit: int | None) -> Breach | None:
    """The worst departure from an expectation; None when it holds everywhere."""
    values, before = (_chosen(item[expectation.variable][0, 0], expectation, hit) for item in (run, base))
    scale = max(1.0, float(np.abs(values).max(initial=0.0)), float(np.abs(before).max(initial=0.0)))
    # What must move has to move by more than rounding; what must stay may move by the tolerance.
    allowed = -ROUNDING if expectation.relation in DIRECTED else expectation.tolerance
    excess = _EXCESS[expectation.relation](values, before, expectation) - allowed * scale
    # Compared the other way round, NaN would pass.
    if bool((excess <= 0).all()):
        return None
    worst = float(np.max(excess)) if np.isfinite(excess).all() else float("nan")
    where = "" if expectation.over == "every" else f" ({expectation.over})"
    bound = "" if expectation.bound is None else f" {expectation.bound:g}"
    broken = int((~(excess <= 0)).sum())
    return Breach(
        message=f"{expectation.variable}{where}: expected {expectation.relation}{bound}; "
        f"broken in {broken} of {excess.size} places, by {worst:.3g} at worst",
        value=worst,
    )


def _chosen(values: Array, expectation: Expectation, hit: int | None) -> Array:
    """The elements an expectation speaks of, time last."""
    if expectation.over == "mean" and values.ndim > 1:
        return np.asarray(values.mean(axis=tuple(range(values.ndim - 1))))
    if hit is None or values.ndim < 2:
        return values
    if expectation.over == "others":
        return np.delete(values, hit, axis=0)
    return values[hit : hit + 1] if expectation.over == "pulsed" else values


# How far each value departs from what is expected: positive where it does.
_EXCESS: Mapping[Relation, Callable[[Array, Array, Expectation], Array]] = {
    "zero": lambda values, _, __: np.abs(values),
    "constant": lambda values, _, __: np.abs(values - values[..., :1]),
    "rises": lambda values, _, __: values[..., 0] - values[..., -1],
    "falls": lambda values, _, __: values[..., -1] - values[..., 0],
    "alike": lambda values, _, __: np.abs(values - values[:1]),
    "as base": lambda values, base, _: np.abs(values - base),
    "below base": lambda values, base, _: values[..., -1] - base[..., -1],
    "above base": lambda values, base, _: base[..., -1] - values[..., -1],
    "at most": lambda values, _, item: values - _number(item.bound),
    "at least": lambda values, _, item: _number(item.bound) - values,
}


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
