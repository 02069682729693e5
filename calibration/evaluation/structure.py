"""Structural tests: units, extreme conditions, plausible parameters, reality checks, and loops switched off."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from calibration.evaluation.judgement import NOTHING, Judgement, Phrase, Section
from calibration.evaluation.subject import Subject
from calibration.fitting.estimates import CONTRADICTS_PRIOR, ParameterEstimate
from calibration.sdeval import KnockOut, knock_out
from pysd_runner.checks import (
    BehaviourProblem,
    EquationProblem,
    check_behaviour,
    check_dimensions,
    experiments_of,
    rules_of,
)
from pysd_runner.checks.declarations import Expectation, Experiment, Pulse, Relation, SwitchableLoop
from pysd_runner.checks.units import UnitProduct, parse_unit
from pysd_runner.core.errors import InvalidInput, Message, joined
from pysd_runner.core.types import Array, Arrays, Numbers, frozen
from pysd_runner.engine import TimePath
from pysd_runner.simulation import Run

KEY = "structure"

# A loop is inactive if removing it changes its target variable by less than this share of the base run's variation.
LEAST_CHANGE = 1e-3

# Factor of the change of units (arbitrary), and tolerance of the differences, which are only due to rounding.
FACTOR, TOLERANCE = 7.0, 1e-9
DIRECTED: tuple[Relation, ...] = ("rises", "falls", "below base", "above base")
ROUNDING = 1e-12


def structure_tests(subject: Subject) -> Section:
    """Test the structure of a model."""
    declared = experiments_of(subject.model)
    problems = check_dimensions(subject.model)
    judgements = [*_units(subject, problems), *_rules(subject)]
    for key, experiments in (("extreme", declared.extremes), ("reality", declared.realities)):
        if not experiments:
            judgements.append(Judgement.untested(key, "not_declared"))
        judgements += [_experiment(subject, item) for item in experiments]
    judgements += [*invariance_tests(subject), *_parameters(subject)]
    loops, table = _loops(subject, declared.loops)
    return Section(key=KEY, judgements=(*judgements, *loops), tables={"loops": table} if len(table) else {})


def _units(subject: Subject, problems: Sequence[EquationProblem]) -> Iterator[Judgement]:
    """One judgement per equation with inconsistent units, or one for all equations if there are none."""
    failures = [item for item in problems if item.is_failure]
    equations = sum(len(item.blocks) for item in subject.model.variables.values())
    silent = [item for item in problems if not item.is_failure]
    if not failures:
        note = Phrase("units_fit", {"equations": equations, "silent": len(silent)})
        yield Judgement.of("units", subject.model.name, True, note=note)
    for item in failures:
        yield Judgement.of("units", item.variable, False, note=Phrase("verbatim", {"text": item.message}))
    if silent:
        names = ", ".join(dict.fromkeys(item.variable for item in silent))
        yield Judgement.untested("units", "units_silent", names, count=len(silent))


def _rules(subject: Subject) -> Iterator[Judgement]:
    """Check the behaviour rules declared for the model in its base run."""
    rules = rules_of(subject.model)
    if not rules:
        yield Judgement.untested("rule", "no_rules")
    for rule in rules:
        broken = check_behaviour(subject.base, [rule])
        note = Phrase("verbatim", {"text": joined((item.message for item in broken), "; ")}) if broken else NOTHING
        value = broken[0].value if broken else None
        yield Judgement.of("rule", rule.name, not broken, value=value, note=note)


def _experiment(subject: Subject, experiment: Experiment) -> Judgement:
    breaches = try_experiment(subject, experiment)
    said = {"en": experiment.en, "zh": experiment.zh}
    note = Phrase("declared", said)
    if breaches:
        text = joined((item.message for item in breaches), "; ")
        note = Phrase("declared_broken", {**said, "text": text})
    return Judgement.of(
        experiment.kind, experiment.name, not breaches, value=breaches[0].value if breaches else None, note=note
    )


def _parameters(subject: Subject) -> Iterator[Judgement]:
    """Test that estimates are inside their bounds and consistent with their sources."""
    if subject.fit is None:
        yield Judgement.untested("parameter", "no_fit")
        return
    for item in subject.fit.parameters:
        holds = not item.at_bound and abs(item.score) <= CONTRADICTS_PRIOR if item.is_shown else None
        note = _plausibility(item) if item.is_shown else Phrase("prior_only")
        name = item.name if item.name == item.key else f"{item.name} ({item.key})"
        yield Judgement.of("parameter", name, holds, value=item.estimate, note=note)


def _plausibility(item: ParameterEstimate) -> Phrase:
    parts = {
        "low": f"{item.lower_bound:g}",
        "high": f"{item.upper_bound:g}",
        "score": f"{item.score:+.1f}",
        "unit": item.unit,
    }
    return Phrase("at_bound" if item.at_bound else "plausible", parts)


def _loops(subject: Subject, loops: tuple[SwitchableLoop, ...]) -> tuple[list[Judgement], pd.DataFrame]:
    """Measure the effect of switching each loop off."""
    if not loops:
        return [Judgement.untested("loop", "not_declared")], pd.DataFrame()
    judgements, parts = [], []
    for loop in loops:
        names = list(dict.fromkeys(subject.model.find(name) for name in (*loop.moves, *_compared(subject))))
        table = _knocked_out(subject, loop, names)
        parts.append(table)
        moved = table[table["outcome"].isin([subject.model.find(name) for name in loop.moves])]
        judgements.append(_loop(loop, moved))
    return judgements, pd.concat(parts, ignore_index=True)


def _loop(loop: SwitchableLoop, moved: pd.DataFrame) -> Judgement:
    """Test that a loop affects all its target variables."""
    note = Phrase("declared", {"en": loop.en, "zh": loop.zh})
    broken = moved.loc[moved["status"] != "run", "status"]
    if len(broken):
        return Judgement.of("loop", loop.name, False, note=Phrase("verbatim", {"text": broken.iloc[0]}))
    if moved["change"].isna().any():
        return Judgement.untested("loop", "undefined", loop.name)
    least = float(moved["change"].min())
    return Judgement.of("loop", loop.name, least > LEAST_CHANGE, value=least, bound=LEAST_CHANGE, note=note)


def _compared(subject: Subject) -> tuple[str, ...]:
    """Measures of the gaps and of output for which the effect of every loop is shown."""
    spec = subject.model.spec
    keys = ("sigma", "theil", "national_output_per_head")
    return () if spec is None else tuple(spec.outcomes[key].variable for key in keys if key in spec.outcomes)


def _knocked_out(subject: Subject, loop: SwitchableLoop, names: list[str]) -> pd.DataFrame:
    def simulate(changes: Numbers) -> Arrays:
        run = subject.run(changes, years=loop.years)
        if run.failed.any():
            raise ArithmeticError(str(run.failures[0]) if run.failures else Message("values that are not finite"))
        return subject.paths(run, names)

    cut = KnockOut(name=loop.name, inputs=dict(loop.values))
    return knock_out(simulate, [cut], outcomes=names, base=dict(loop.given))


def invariance_tests(subject: Subject) -> Iterator[Judgement]:
    """Test invariance to a change of units and to the order of regions.

    If every input is multiplied by :math:`c^p`, :math:`p` the power of a base unit in the input's unit, every variable
    must change by its own :math:`c^p`; otherwise an equation contains a constant with a hidden unit. Time units are not
    changed, because the time step has them.

    References
    ----------
    Barenblatt, G. I. (1996), Scaling, Self-similarity, and Intermediate Asymptotics, Cambridge University Press, ch. 1.
    """
    if not subject.past or subject.base.failed.any():
        reason = "base_fails" if subject.past else "no_state"
        yield from (Judgement.untested(test, reason) for test in ("unit_of_measure", "order"))
        return
    units = _other_units(subject)
    time = _time(units)
    for name in dict.fromkeys(name for unit in units.values() for name in unit.powers if name != time):
        written = next(unit.written.get(name, name) for unit in units.values() if name in unit.powers)
        yield _scaled(subject, units, name, written)
    yield _reordered(subject)


def _other_units(subject: Subject) -> dict[str, UnitProduct]:
    """Units of the variables, without those that cannot be parsed."""
    found = {}
    for name, item in subject.model.variables.items():
        try:
            found[name] = parse_unit(item.unit)
        except InvalidInput:
            continue
    return found


def _time(units: Mapping[str, UnitProduct]) -> str:
    return next(iter(units["TIME STEP"].powers), "") if "TIME STEP" in units else ""


def _constants(subject: Subject) -> dict[str, Array]:
    """Values of all constants in the base run."""
    names = [name for name, item in subject.model.variables.items() if item.kind == "constant"]
    return {name: np.asarray(subject.base[name][0, 0, ..., 0]) for name in names if name in subject.base.data}


def _scaled(subject: Subject, units: Mapping[str, UnitProduct], name: str, written: str) -> Judgement:
    def factor(variable: str) -> float:
        return FACTOR ** float(units[variable].powers.get(name, 0)) if variable in units else 1.0

    run = subject.run({key: value * factor(key) for key, value in _constants(subject).items()})
    paths, base = (subject.paths(item) for item in (run, subject.base))
    expected = {key: values * factor(key) for key, values in base.items() if key in units}
    return _outcomes_differ("unit_of_measure", written, paths, expected)


def _reordered(subject: Subject) -> Judgement:
    regions = subject.regions
    order = np.roll(np.arange(len(regions))[::-1], 1)

    def turned(variable: str, values: Array) -> Array:
        for axis, dim in enumerate(subject.model.variables[variable].dims):
            if subject.model.ranges[dim] == regions:
                values = np.take(values, order, axis=axis)
        return values

    run = subject.run({key: turned(key, value) for key, value in _constants(subject).items()})
    expected = {key: turned(key, values) for key, values in subject.paths(subject.base).items()}
    return _outcomes_differ("order", subject.model.design.ranges.region, subject.paths(run), expected)


def _outcomes_differ(test: str, subject: str, found: Arrays, expected: Arrays) -> Judgement:
    """Judge the largest deviation from the expected values, relative to the largest value of the variable."""
    apart = {}
    for name, values in expected.items():
        size = float(np.abs(values).max(initial=0.0)) or 1.0
        gap = float(np.abs(found[name] - values).max(initial=0.0)) / size
        apart[name] = gap if np.isfinite(gap) else np.inf
    wrong = [name for name, gap in apart.items() if gap > TOLERANCE]
    worst = max(apart, key=lambda name: apart[name])
    note = Phrase("departs", {"names": ", ".join(wrong[:5]), "count": len(wrong), "all": len(apart)})
    return Judgement.of(
        test,
        subject,
        not wrong,
        value=apart[worst],
        bound=TOLERANCE,
        note=note if wrong else Phrase("departs_not", {"all": len(apart)}),
    )


@frozen
class Breach:
    """An expectation of an experiment that was not met."""

    message: str  # the expectation, its variable and elements, and the deviation found
    value: float


def try_experiment(subject: Subject, experiment: Experiment) -> list[Breach | BehaviourProblem]:
    """Run an experiment and list the expectations that were not met."""
    tried, pulse = subject, experiment.pulse
    if experiment.regions is not None:
        tried = tried.with_regions(min(experiment.regions, len(subject.regions)))
    tried = tried.alike() if experiment.is_alike else tried
    given = _everywhere(tried, experiment.given)
    changes = _everywhere(tried, experiment.values)
    if pulse is not None:
        changes[tried.model.find(pulse.variable)] = _path(tried, pulse)
    run = tried.run({**given, **changes}, years=experiment.years)
    if run.failed.any():
        return [Breach(message=item.message, value=item.value) for item in run.failures] or [
            Breach(message=Message("values that are not finite"), value=float("nan"))
        ]
    base = tried.run(given, years=experiment.years) if experiment.expectations else run
    hit = _hit(tried, pulse)
    broken = check_behaviour(run, rules_of(subject.model)) if experiment.kind == "extreme" else []
    found = [_departure(run, base, item, hit) for item in experiment.expectations]
    return [*broken, *(item for item in found if item is not None)]


def _everywhere(subject: Subject, values: Numbers) -> dict[str, object]:
    """Broadcast numbers to the subscripts of their variables."""
    found: dict[str, object] = {}
    for name, value in values.items():
        variable = subject.model.find(name)
        shape = tuple(len(subject.model.ranges[dim]) for dim in subject.model.variables[variable].dims)
        found[variable] = np.full(shape, value)
    return found


def _path(subject: Subject, pulse: Pulse) -> TimePath:
    """Time path of the input of a pulse: its value in the base run, except in one year."""
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
    """Index of the element that receives the pulse; None for all elements or without a pulse."""
    if pulse is None or not pulse.highest_of:
        return None
    return int(np.argmax(subject.base[pulse.highest_of][0, 0, ..., 0]))


def _departure(run: Run, base: Run, expectation: Expectation, hit: int | None) -> Breach | None:
    """The largest deviation from an expectation; None if it holds everywhere."""
    values, before = (_chosen(item[expectation.variable][0, 0], expectation, hit) for item in (run, base))
    scale = max(1.0, float(np.abs(values).max(initial=0.0)), float(np.abs(before).max(initial=0.0)))
    # An expected change must exceed rounding; an unexpected change may be up to the tolerance.
    allowed = -ROUNDING if expectation.relation in DIRECTED else expectation.tolerance
    excess = _EXCESS[expectation.relation](values, before, expectation) - allowed * scale
    # Written so that NaN counts as a breach.
    if bool((excess <= 0).all()):
        return None
    worst = float(np.max(excess)) if np.isfinite(excess).all() else float("nan")
    where = "" if expectation.over == "every" else Message(" ({over})", over=Message(expectation.over))
    bound = "" if expectation.bound is None else f" {expectation.bound:g}"
    broken = int((~(excess <= 0)).sum())
    relation = f"expected {expectation.relation}"
    return Breach(
        message=Message(
            "{variable}{where}: {relation}{bound}; broken in {count} of {all} places, by {worst:.3g} at worst",
            variable=expectation.variable,
            where=where,
            relation=Message(relation),
            bound=bound,
            count=broken,
            all=excess.size,
            worst=worst,
        ),
        value=worst,
    )


def _chosen(values: Array, expectation: Expectation, hit: int | None) -> Array:
    """The elements to which an expectation applies, time last."""
    if expectation.over == "mean" and values.ndim > 1:
        return np.asarray(values.mean(axis=tuple(range(values.ndim - 1))))
    if hit is None or values.ndim < 2:
        return values
    if expectation.over == "others":
        return np.delete(values, hit, axis=0)
    return values[hit : hit + 1] if expectation.over == "pulsed" else values


# Deviation of each value from the expectation: positive if it is not met.
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
