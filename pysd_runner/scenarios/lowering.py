"""Convert a scenario to values of model variables."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from pysd_runner.core.errors import Message, UnknownName, suggest
from pysd_runner.core.findings import Finding
from pysd_runner.core.types import Array, Numbers, frozen
from pysd_runner.engine import TimePath
from pysd_runner.scenarios.document import InvalidScenarioFile
from pysd_runner.scenarios.policy import Mix, Policy, Schedule
from pysd_runner.scenarios.vocabulary import (
    Words,
    examine,
    find_group,
    find_region,
    find_word,
    load_vocabulary,
    range_elements,
)

if TYPE_CHECKING:
    from pysd_runner.data import Entity
    from pysd_runner.model import Model
    from pysd_runner.scenarios.scenario import Scenario

ModelValue = float | Array | TimePath

# Duration of the jump from zero at the first year of a schedule, far below any time step [Year].
JUMP = 1e-6
SUM_ROUNDING = 1e-12


def lower(
    scenario: "Scenario",
    model: "Model",
    regions: "Sequence[Entity]",
    *,
    default_start: float | None,
    times: ArrayLike | None,
) -> dict[str, ModelValue]:
    """Values of model variables under a scenario; see `Scenario.values`."""
    bench = _Bench(scenario=scenario, model=model, regions=regions, problems=[])
    values = _policy_values(bench, default_start)
    _refuse_idle(bench, values, times)
    values |= _assumption_values(bench)
    if bench.problems:
        raise InvalidScenarioFile(bench.problems)
    return values


@frozen
class _Bench:
    """Working state: a scenario with its model and regions, and the problems found so far."""

    scenario: "Scenario"
    model: "Model"
    regions: "Sequence[Entity]"
    problems: list[Finding]

    def report(self, path: str, message: str, remedy: str = "") -> None:
        self.problems.append(Finding("", message, where=self.scenario.name, column=path, remedy=remedy))


def _policy_values(bench: _Bench, default_start: float | None) -> dict[str, ModelValue]:
    policy = bench.scenario.policy
    start = _start(policy, default_start)
    counted = any(isinstance(value, Schedule) and value.since_start for value in (policy.budget, policy.mix))
    if start is None and (counted or policy.spends):
        bench.report("policy.start", Message("no year to start in"), Message("Write `start`, or give `default_start`."))
        start = 0.0
    vocabulary = load_vocabulary(bench.model)
    levers = _Axis("lever", range_elements(bench.model, "lever"), vocabulary.levers, bench)
    classes = _Axis("class", range_elements(bench.model, "policy_class"), vocabulary.classes, bench)
    moment = 0.0 if start is None else start
    values: dict[str, ModelValue | None] = {
        "start": None if start is None else float(start),
        "budget": _budget(policy.budget, moment),
        "mix": _mix_value(policy.mix, moment, levers),
        "differentiation": policy.differentiation,
        "class_mixes": _class_mixes(policy.class_mixes, levers, classes),
        "levers": _active(policy.levers, moment, levers),
        "redistribution": policy.redistribution,
        "rural_broadband": policy.rural_broadband,
        "basic_training": policy.basic_training,
        "rolling_evaluation": None if policy.rolling_evaluation is None else float(policy.rolling_evaluation),
        "targets.regions": _region_target(policy, bench),
        "targets.classes": _class_target(policy, classes),
        "targets.pilots": None if policy.pilots is None else _marked({"pilots": policy.pilots}, bench),
    }
    return dict(_known_to_model(values, bench))


def _known_to_model(values: Mapping[str, ModelValue | None], bench: _Bench) -> Iterable[tuple[str, ModelValue]]:
    """Pairs of variable and value; a setting without a variable is a problem only if the policy spends money."""
    bound = bench.model.design.policy
    for key, value in values.items():
        variable = bound.get(key, "")
        if value is None:
            continue
        reaches_all = key.startswith("targets.") and isinstance(value, np.ndarray) and bool((value == 1).all())
        if variable in bench.model.variables:
            yield variable, value
        elif bench.scenario.policy.spends and not reaches_all:
            told = Message("has no variable {variable!r}", variable=variable)
            told = told if variable else Message("declares no variable")
            bench.report(
                f"policy.{key}", Message("the model {model!r} {told} for it", model=bench.model.name, told=told)
            )


def _start(policy: Policy, default_start: float | None) -> float | None:
    if policy.start is not None or not isinstance(policy.budget, Schedule) or policy.budget.since_start:
        return default_start if policy.start is None else policy.start
    first = policy.budget.times[0]
    return first if default_start is None else max(first, default_start)


def _budget(budget: float | Schedule[float] | None, start: float) -> ModelValue | None:
    if not isinstance(budget, Schedule):
        return budget
    years = budget.years(start)
    return TimePath(
        times=np.array([years[0] - JUMP, *years]),
        values=np.array([0.0, *budget.values]),
        interpolate=budget.interpolate,
    )


@dataclass(frozen=True, slots=True)
class _Axis:
    """Elements of a range of the model, and their names in scenario files."""

    kind: str
    elements: tuple[str, ...]
    words: Words
    bench: _Bench

    def position(self, name: str, path: str) -> int | None:
        """Index of a name in the range; reports a problem and returns None if it is unknown."""
        word = find_word(name, self.words)
        element = (name if word is None else word.element).casefold()
        for position, known in enumerate(self.elements):
            if known.casefold() == element:
                return position
        known_words = list(self.words) or list(self.elements)
        self.bench.report(
            path,
            Message(
                "the model has no {what} {name!r}; {known}",
                what=Message(self.kind),
                name=name,
                known=Message("known: {names}", names=", ".join(known_words))
                if known_words
                else Message("known: none"),
            ),
            suggest(name, known_words),
        )
        return None

    def array(self, entries: Numbers, path: str) -> Array:
        """Array along the range; zero for elements without an entry."""
        values = np.zeros(len(self.elements))
        for name, value in entries.items():
            position = self.position(name, f"{path}.{name}")
            if position is not None:
                values[position] = value
        return values


def _shares(mix: Mix, levers: _Axis, path: str) -> Array:
    """Shares along the levers, normalised to sum to one in case they were rounded."""
    values = levers.array(mix, path)
    total = values.sum()
    return values / total if total > 0 and abs(total - 1) > SUM_ROUNDING else values


def _mix_value(mix: Mix | Schedule[Mix] | None, start: float, levers: _Axis) -> ModelValue | None:
    if isinstance(mix, Schedule):
        return TimePath(
            times=np.array(mix.years(start)),
            values=np.array([_shares(entry, levers, "policy.mix") for entry in mix.values]),
            interpolate=mix.interpolate,
        )
    return None if mix is None else _shares(mix, levers, "policy.mix")


def _class_mixes(mixes: Mapping[str, Mix], levers: _Axis, classes: _Axis) -> Array | None:
    if not mixes:
        return None
    columns = np.full((len(levers.elements), len(classes.elements)), np.nan)
    for name, mix in mixes.items():
        position = classes.position(name, f"policy.class_mixes.{name}")
        if position is not None:
            columns[:, position] = _shares(mix, levers, f"policy.class_mixes.{name}")
    for element, column in zip(classes.elements, columns.T, strict=True):
        if np.isnan(column).all():
            classes.bench.report("policy.class_mixes", Message("class {name!r} has no mix", name=element))
    return columns


def _active(switches: Mapping[str, bool | Schedule[bool]], start: float, levers: _Axis) -> ModelValue | None:
    """Array or path with 1 where a lever is on and 0 where it is off; None if no lever is switched."""
    if not switches:
        return None
    places = {name: levers.position(name, f"policy.levers.{name}") for name in switches}
    years = sorted({year for item in switches.values() if isinstance(item, Schedule) for year in item.years(start)})
    times = np.array([years[0] - JUMP, *years]) if years else np.zeros(1)
    values = np.ones((times.size, len(levers.elements)))
    for name, place in places.items():
        if place is not None:
            values[:, place] = [_is_on(switches[name], start, time) for time in times]
    return TimePath(times=times, values=values, interpolate="step") if years else values[0]


def _is_on(switch: bool | Schedule[bool], start: float, time: float) -> bool:
    if not isinstance(switch, Schedule):
        return switch
    passed = [value for year, value in zip(switch.years(start), switch.values, strict=True) if year <= time]
    return passed[-1] if passed else False


def _class_target(policy: Policy, classes: _Axis) -> Array | None:
    if not classes.elements:
        return None
    if policy.classes is None:
        return np.ones(len(classes.elements))
    return classes.array(dict.fromkeys(policy.classes, 1.0), "policy.targets.classes")


def _region_target(policy: Policy, bench: _Bench) -> Array | None:
    count = len(range_elements(bench.model, "region"))
    if not count:
        return None
    if policy.regions is None and policy.groups is None:
        return np.ones(count)
    named = {"regions": policy.regions, "groups": policy.groups}
    return _marked({key: places for key, places in named.items() if places is not None}, bench)


def _marked(names: Mapping[str, Sequence[str]], bench: _Bench) -> Array | None:
    """Array with 1 for every region that is named, by itself or through its group."""
    count = len(range_elements(bench.model, "region"))
    if len(bench.regions) != count:
        bench.report(
            "policy.targets",
            Message("the model has {count} regions, but {named} are named", count=count, named=len(bench.regions)),
        )
        return None
    target = np.zeros(count)
    for key, written in names.items():
        for name in written:
            try:
                found = find_group(name, bench.regions) if key == "groups" else (find_region(name, bench.regions),)
                target[list(found)] = 1.0
            except UnknownName as error:
                bench.report(f"policy.targets.{key}", str(error))
    return target


def _refuse_idle(bench: _Bench, values: Mapping[str, ModelValue], times: ArrayLike | None) -> None:
    """Report a policy that spends nothing during the run, because it would silently equal the baseline."""
    bound = bench.model.design.policy
    budget, start = (values.get(bound.get(key, "")) for key in ("budget", "start"))
    if times is None or not bench.scenario.policy.spends or budget is None or not isinstance(start, float):
        return
    years = np.asarray(times, dtype=float)
    active = years[years >= start]
    amounts = [float(budget.at(year)) if isinstance(budget, TimePath) else float(np.max(budget)) for year in active]
    if not any(amount > 0 for amount in amounts):
        bench.report(
            "policy",
            Message(
                "no money is spent in the years of the run, {first:g} to {last:g}; the policy starts in {start:g}",
                first=years.min(),
                last=years.max(),
                start=start,
            ),
            Message("Start it earlier, or run longer."),
        )


def _assumption_values(bench: _Bench) -> dict[str, ModelValue]:
    values: dict[str, ModelValue] = {}
    for finding in examine(bench.scenario.assumptions, bench.model):
        if finding.error:
            bench.report(f"assumptions.{finding.key}", finding.error, finding.remedy)
        else:
            values[finding.variable] = _filled(finding.variable, bench.scenario.assumptions[finding.key], bench.model)
    return values


def _filled(variable: str, value: float, model: "Model") -> ModelValue:
    dims: tuple[str, ...] = model.variables[variable].dims
    return np.full([len(model.ranges[name]) for name in dims], float(value)) if dims else float(value)
