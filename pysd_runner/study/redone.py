"""Run a published study again, and compare its saved series and its payoff with what was published."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from pysd_runner.core.errors import GapsimError, InvalidInput, Message
from pysd_runner.core.paths import declarations_beside
from pysd_runner.core.types import Array, Flags, frozen
from pysd_runner.engine import read_set
from pysd_runner.engine.ir import STATEFUL, TIME_STEP, Axis, Interpolation, ModelIr, Time, key, references
from pysd_runner.model import Model, load_model
from pysd_runner.published.lines import target_of
from pysd_runner.scenarios.changed import TIMES, times_of
from pysd_runner.simulation.run import Run, simulate
from pysd_runner.spec.declarations import Observation
from pysd_runner.spec.own import study_sets
from pysd_runner.study.equations import expression_of

# A series is equal if no point is off by more than this share of its largest published value; the second holds for
# files printed with so few digits.
TOLERANCE, COARSE, FEW_DIGITS = 2e-4, 1e-3, 4
# Share of the largest value from which on a series that differs is said to differ: what six printed digits leave.
FIRST = 1e-5
# Less than this is a missing value in a file of Vensim.
MISSING = -1e32
# Digits with which payoffs are printed.
PRINTED = 6

# What tables have besides results.
_CLOCK = {"time", *map(key, TIMES)}
# Keys of a variable and of its elements.
Label = tuple[str, tuple[str, ...]]
# A published series: its name as in the file, times and values.
Points = tuple[str, Array, Array]


@frozen(eq=False)
class Difference:
    """A published series and the same series of the run, at the published times within the run."""

    name: str  # as in the file
    variable: str
    times: Array
    ours: Array
    published: Array
    largest: float  # of the differences, as a share of the largest published value
    first: int  # place of the first point that differs
    is_data: bool = False  # whether the variable is data, of which files give the points alone


@frozen
class CheckedRun:
    """How a run compares with its published series; without any, `count` is 0."""

    name: str  # empty for the base run
    equal: int = 0
    count: int = 0
    data_equal: int = 0  # of series of data variables
    data_count: int = 0
    largest: float = 0.0
    differing: tuple[Difference, ...] = ()  # in order of dependence, the cause before its effects
    unknown: tuple[str, ...] = ()  # published names that are no variables of the model with values
    failure: str = ""  # why it could not be run or compared


@frozen
class CheckedPayoff:
    """The payoff of the base run, with sums over steps as they are and multiplied by the time step."""

    step: float
    time: float
    declared: str  # how the declarations sum: ``"step"`` or ``"time"``
    published: float | None

    @property
    def times(self) -> str:
        """How the published payoff sums: ``"time"``, as Vensim documents, unless it is met only without."""
        if self.published is None or self.step == self.time:
            return self.declared
        met = {way: is_printed(value, self.published) for way, value in (("time", self.time), ("step", self.step))}
        return next((way for way, is_met in met.items() if is_met), self.declared)

    @property
    def computed(self) -> float:
        """The payoff that is compared with the published one."""
        return self.step if self.times == "step" else self.time

    @property
    def is_equal(self) -> bool:
        """Whether it is the published one to the digits printed; also if none was published."""
        return self.published is None or is_printed(self.computed, self.published)


@frozen
class Redone:
    """A published study and what its model gives."""

    model: str
    file: str
    sha256: str  # of the model file
    time_unit: str
    runs: tuple[CheckedRun, ...]
    payoff: CheckedPayoff | None

    @property
    def is_equal(self) -> bool:
        """Whether everything that was published and could be compared is met."""
        met = all(not run.failure and not run.differing for run in self.runs)
        return met and (self.payoff is None or self.payoff.is_equal)


def is_printed(value: float, published: float) -> bool:
    """Whether a value is a published one to the digits that are printed.

    >>> is_printed(-60512.7164, -60512.7), is_printed(-60512.78, -60512.7)
    (True, False)
    """
    digits = len(repr(published).partition(".")[2]) if "e" not in repr(published) else 0
    return abs(value - published) <= max(0.501 * 10.0**-digits, 10.0**-PRINTED * abs(published))


def redo(path: str | Path) -> Redone:
    """Run the base and the published scenarios of a study, and compare them with what was published.

    Parameters
    ----------
    path
        Model file with declarations beside it, as `gapsim study` writes them.

    Returns
    -------
    Redone
        One entry for the base run and for each scenario with published series, and the payoff of the base run.

    Raises
    ------
    InvalidInput
        If nothing published is declared, or a file cannot be read.
    UnsupportedFeature
        If the model has a feature that is not supported.
    """
    model = load_model(path)
    spec = model.declarations
    published = {"": spec.published.series} | {
        name: item.published for name, item in spec.scenarios.items() if item.published
    }
    has_payoff = spec.published.payoff is not None and bool(spec.objective or spec.observations)
    if not has_payoff and not any(published.values()):
        raise InvalidInput(
            "{model}: nothing published to compare with; name files of series as series in [published] or as published "
            "in [scenarios.NAME], or a payoff in [published]",
            model=model.path.name,
        )
    runs = [_checked(model, name, files) for name, files in published.items() if files]
    return Redone(
        model=model.name,
        file=model.path.name,
        sha256=model.sha256,
        time_unit=model.ir.time_unit,
        runs=tuple(runs),
        payoff=_payoff(model) if spec.objective or spec.observations else None,
    )


def _beside(model: Model, names: Iterable[str]) -> list[Path]:
    return [model.path.parent / PureWindowsPath(name).as_posix() for name in names]


def _checked(model: Model, name: str, files: Sequence[str]) -> CheckedRun:
    try:
        changes = model.declarations.scenarios[name].changes if name else ()
        run_model = load_model(model.path, changes=_beside(model, changes)) if name else model
        series: dict[Label, Points] = {}
        for file in _beside(model, files):
            for label, item in read_set(file).items():
                if label[0] in _CLOCK:
                    continue
                spelled = f"{item.name}[{', '.join(item.elements)}]" if item.elements else item.name
                series[label] = (spelled, item.times, item.values)
        return _compared(name, run_model, series)
    except GapsimError as error:
        return CheckedRun(name=name, failure=str(error))


def _tolerance(series: Mapping[Label, Points]) -> float:
    """What may be off, by the number of digits of the values."""
    numbers = {f"{abs(value):.10g}" for _, _, values in series.values() for value in values.tolist()}
    most = max(len(text.partition("e")[0].replace(".", "").strip("0")) for text in numbers)
    return COARSE if most <= FEW_DIGITS else TOLERANCE


def _compared(name: str, model: Model, series: Mapping[Label, Points]) -> CheckedRun:
    tolerance = _tolerance(series)
    variables = {key(item): item for item, found in model.variables.items() if found.kind != "lookup"}
    places = {label: _place(model.ir, variables.get(label[0]), label[1]) for label in series}
    wanted = dict.fromkeys(variables[label[0]] for label, place in places.items() if place is not None)
    unknown = tuple(series[label][0] for label, place in places.items() if place is None)
    if not wanted:
        return CheckedRun(
            name=name, unknown=unknown, failure=Message("no published series has the name of a variable of the model")
        )
    run = _run(model, list(wanted))
    found = [
        _difference(series[label], model.ir, variables[label[0]], run, place)
        for label, place in places.items()
        if place is not None
    ]
    seen = [item for item in found if item is not None]
    apart = [item for item in seen if item.largest > tolerance]
    of_data, data_apart = ([item for item in items if item.is_data] for items in (seen, apart))
    return CheckedRun(
        name=name,
        equal=len(seen) - len(of_data) - len(apart) + len(data_apart),
        count=len(seen) - len(of_data),
        data_equal=len(of_data) - len(data_apart),
        data_count=len(of_data),
        largest=max((item.largest for item in seen), default=0.0),
        differing=tuple(_by_dependence(model.ir, apart)),
        unknown=unknown,
    )


def _run(model: Model, outcomes: Sequence[str]) -> Run:
    """A run that saves every step; values that are missing where there are no data do not stop it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return simulate(model, outcomes=outcomes, save_every=_step(model), throw=False)


def _step(model: Model) -> float | None:
    return times_of(model.ir).get(TIME_STEP)


def _place(model: ModelIr, variable: str | None, elements: Sequence[str]) -> tuple[int, ...] | None:
    """Index of an element; None if there is no such variable or element."""
    if variable is None or len(elements) != len(model.variables[variable].dims):
        return None
    ranges = [[key(item) for item in model.ranges[dim]] for dim in model.variables[variable].dims]
    # Tables may have the elements in another order than the variable; the first in which they fit counts.
    for labels in permutations(elements):
        if all(label in items for label, items in zip(labels, ranges, strict=True)):
            return tuple(items.index(label) for label, items in zip(labels, ranges, strict=True))
    return None


def _difference(series: Points, model: ModelIr, variable: str, run: Run, place: tuple[int, ...]) -> Difference | None:
    """Compare a series at the published times that the run has; None if there are none with a value."""
    name, times, published = series
    known = published > MISSING
    times, published = times[known], published[known]
    points = _data_points(model, variable, place)
    if points is not None and points[1].size == published.size:
        # Of data, a table of Vensim has all points one after the other from its first column, whatever their times.
        times, ours = points
    else:
        nearest, is_there = _nearest(run.years, times)
        times, published, nearest = times[is_there], published[is_there], nearest[is_there]
        ours = run.data[variable][0, 0][place][nearest]
    if not times.size:
        return None
    apart = np.where(np.isnan(ours), np.inf, np.abs(ours - published)) / (np.abs(published).max() or 1.0)
    return Difference(
        name=name,
        variable=variable,
        times=times,
        ours=ours,
        published=published,
        largest=float(apart.max()),
        first=int(np.argmax(apart > FIRST)),
        is_data=points is not None,
    )


def _data_points(model: ModelIr, variable: str, place: tuple[int, ...]) -> tuple[Array, Array] | None:
    """Times and values of the points of an element of a data variable; None for any other variable."""
    item = model.variables[variable]
    for block in item.blocks:
        read = block.expression
        chosen = [index.places(len(model.ranges[dim])) for index, dim in zip(block.index, item.dims, strict=True)]
        if not all(at in places for at, places in zip(place, chosen, strict=True)):
            continue
        if not isinstance(read, Interpolation) or not isinstance(read.argument, Time):
            return None
        axes = {
            index.label: (places.index(at), len(places))
            for index, places, at in zip(block.index, chosen, place, strict=True)
            if isinstance(index, Axis)
        }
        table = 0
        for label in read.tables:
            table = table * axes[label][1] + axes[label][0]
        x, y = (np.array(side).reshape(-1, read.points)[table] for side in (read.x, read.y))
        times, kept = np.unique(x[~np.isnan(y)], return_index=True)
        return times, y[~np.isnan(y)][kept]
    return None


def _nearest(moments: Array, times: Array) -> tuple[Any, Flags]:
    """Place of the moment of a run that is nearest to each time, and whether it is that time."""
    after = (
        np.clip(np.searchsorted(moments, times), 1, len(moments) - 1) if len(moments) > 1 else np.zeros(len(times), int)
    )
    place = np.where(np.abs(moments[after] - times) < np.abs(moments[after - 1] - times), after, after - 1)
    gap = np.diff(moments).min() if len(moments) > 1 else 1.0
    return place, np.abs(moments[place] - times) < gap / 100


def _by_dependence(model: ModelIr, differing: Sequence[Difference]) -> list[Difference]:
    """Those that differ first in time come first, and of these those that depend on no other of them."""
    if not differing:
        return []
    moment = {item.name: float(item.times[item.first]) for item in differing}
    earliest = min(moment.values())
    begun = min(float(item.times[0]) for item in differing)
    suspects = {item.variable for item in differing if moment[item.name] == earliest}
    causes = {name for name in suspects if not suspects & (_upstream(model, name, at_start=earliest == begun) - {name})}
    return sorted(differing, key=lambda item: (moment[item.name], item.variable not in causes, -item.largest))


def _upstream(model: ModelIr, name: str, *, at_start: bool) -> set[str]:
    """Variables that a variable depends on at the same moment."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        item = model.variables[waiting.pop()]
        if item.kind in STATEFUL and not at_start:
            continue
        parts = (block.at_start if at_start else block.expression for block in item.blocks)
        fresh = {other for part in parts for other in references(part)} - found
        found |= fresh
        waiting += fresh
    return found


def _payoff(model: Model) -> CheckedPayoff | None:
    spec = model.declarations
    terms = () if spec.objective is None else spec.objective.terms
    parsed = [(term, expression_of(model, term.variable)) for term in terms]
    weights = [expression_of(model, term.weight) if isinstance(term.weight, str) else None for term in terms]
    pairs = [item for item in spec.observations.values() if item.sd]
    compared = [expression_of(model, item.outcome) for item in pairs]
    needed = [
        name for item in (*(found for _, found in parsed), *weights, *compared) if item for name in item.variables
    ]
    if not needed:
        return None
    run = _run(model, list(dict.fromkeys(needed)))
    values = {name: found[0] for name, found in run.data.items()}
    summed, single = 0.0, 0.0
    for (term, variable), weight in zip(parsed, weights, strict=True):
        number = float(term.weight) if weight is None else weight.value(values)
        counted = {"steps": slice(None), "end": slice(-1, None), "start": slice(0, 1)}[term.at]
        total = float(np.nansum((variable.value(values) * number)[..., counted]))
        summed, single = (summed + total, single) if term.at == "steps" else (summed, single + total)
    sets = [read_set(file) for file in study_sets(declarations_beside(model.path))[0]] if pairs else []
    for item, expression in zip(pairs, compared, strict=True):
        single -= _squares(item, expression.value(values)[0], run.years, sets)
    step = _step(model) or 1.0
    declared = "step" if spec.objective is None else spec.objective.times
    return CheckedPayoff(
        step=summed + single, time=summed * step + single, declared=declared, published=spec.published.payoff
    )


def _squares(item: Observation, values: Array, moments: Array, sets: Iterable[Mapping[Label, Any]]) -> float:
    """Sum of the squared differences from data points, each over its standard deviation."""
    target, points = target_of(item.column), None
    label = (key(target.name), tuple(map(key, target.subscripts))) if target else ("", ())
    for found in sets:
        points = found.get(label, points)
    if points is None:
        raise InvalidInput("no data set has the series {name!r}", name=item.column)
    nearest, is_there = _nearest(moments, points.times)
    ours, theirs = values[nearest[is_there]], points.values[is_there]
    if item.scale == "log":
        ours, theirs = np.log(ours), np.log(theirs)
    return float(np.nansum(((ours - theirs) / (item.sd or 1.0)) ** 2))
