"""Repeat the experiments behind measured effects in the model, and compute the effect it implies in each draw."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.core.types import Array, Arrays, Flags, Values, frozen
from pysd_runner.data import Data, Entity
from pysd_runner.engine import TimePath
from pysd_runner.model import Model
from pysd_runner.scenarios import Scenario, load_scenario
from pysd_runner.scenarios.scenario import BASELINE
from pysd_runner.simulation import Run, simulate
from pysd_runner.simulation.task import prepared
from pysd_runner.spec import FittedParameters
from pysd_runner.spec.evidence import EvidenceTerm
from pysd_runner.study.binding import RegionalModel
from pysd_runner.study.draws import check_fit
from pysd_runner.study.equations import with_starts
from pysd_runner.study.inputs import entered, last_origin, starts_of
from pysd_runner.study.values import scenario_values

# Draws simulated at a time: more need more memory and are no faster.
BATCH = 256


@frozen(eq=False)
class ExperimentRuns:
    """The experiments of some evidence terms, on the model's own path from the last year of data.

    Attributes
    ----------
    model
        The model, with as many regions as the data.
    terms
        The evidence terms.
    scenarios
        The run without policy, then the scenario of each term that has one.
    values
        Values of a run by variable, from parameters by key and the number of draws.
    lowered
        Values that scenarios change, stacked along the scenario axis, from the common values and the last time.
    start, last
        Start of the runs; last time of the data, from which the years of a term are counted.
    usual
        Outcome and money of terms that declare none.
    """

    model: Model
    terms: tuple[EvidenceTerm, ...]
    scenarios: tuple[Scenario, ...]
    values: Callable[[Values, int], Values]
    lowered: Callable[[Sequence[Scenario], Values, float], Values]
    start: float
    last: float
    usual: tuple[str, str]

    def implied(self, parameters: Values, draws: int) -> dict[str, Array]:
        """Effects that the model implies for the experiments.

        Parameters
        ----------
        parameters
            Numbers or arrays of shape (draw,), by key; missing ones take their declared values.
        draws
            Number of draws.

        Returns
        -------
        dict
            Key of the term to effects in the unit of the term, shape (draw,); NaN where a run fails.
        """
        parts = []
        for place in range(0, draws, BATCH):
            some = {
                key: np.asarray(value)[place : place + BATCH] if np.ndim(value) else value
                for key, value in parameters.items()
            }
            parts.append(self._implied(some, min(BATCH, draws - place)))
        return {item.key: np.concatenate([part[item.key] for part in parts]) for item in self.terms}

    def residuals(self, parameters: Values, draws: int) -> Array:
        """Standardised distances from what was measured, shape (draw, term): half their squares are the losses."""
        found = self.implied(parameters, draws)
        columns = [item.residuals(found[item.key]) for item in self.terms]
        return np.stack(columns, axis=1) if columns else np.zeros((draws, 0))

    def _implied(self, parameters: Values, draws: int) -> Arrays:
        values = self.values(parameters, draws)
        stop = self._stop(self.terms)
        stacked = {**values, **self.lowered(self.scenarios, values, stop)}
        run = self._run(stacked, stop)
        alone = {**values, **self.lowered(self.scenarios[:1], values, stop)}
        names, found = [scenario.name for scenario in self.scenarios], {}
        for item in self.terms:
            if item.raises is None:
                found[item.key] = self._measured(item, run, run, names.index(_name(item)), draws)
            else:
                found[item.key] = self._raised(item, run, alone, draws)
        return found

    def _raised(self, item: EvidenceTerm, base: Run, values: Values, draws: int) -> Array:
        """Effect of raising a variable above its path without policy, for the full raise."""
        assert item.raises is not None  # noqa: S101
        own, whole = base[item.raises.variable][:1], base[item.raises.of][:1]
        raised = np.minimum(own + item.raises.by * whole, np.maximum(item.raises.most * whole, own))
        path = TimePath(times=base.years, values=np.moveaxis(raised, -1, 0), interpolate="linear")
        run = self._run({**values, item.raises.variable: path}, self._stop([item]))
        lasts = slice(len(run.years))
        got = (_total(raised - own, draws) / _total(whole, draws) / item.raises.by)[0, :, lasts]
        years = self._years(item, run)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self._measured(item, run, base, 0, draws) / got[:, years].mean(axis=1))

    def _measured(self, item: EvidenceTerm, run: Run, base: Run, number: int, draws: int) -> Array:
        """Effect of one scenario of a run relative to the first of another run, shape (draw,)."""
        outcome, money = item.outcome or self.usual[0], item.money or self.usual[1]
        after, before = _total(run[outcome], draws)[number], _total(base[outcome], draws)[0, :, : len(run.years)]
        years = self._years(item, run)
        gain = item.factor * (after - before)[:, years]
        with np.errstate(divide="ignore", invalid="ignore"):
            if item.measure == "difference":
                return np.asarray(gain.mean(axis=1))
            if item.measure == "percent":
                return np.asarray(100 * (gain / before[:, years]).mean(axis=1))
            spent = _total(run[money], draws)[number]
            if item.measure == "return":
                paid = (run.years > self.last) & (run.years < self.last + item.after[1] + 1e-6)
                return np.asarray(gain.mean(axis=1) / spent[:, paid].sum(axis=1) / (run.years[1] - run.years[0]))
            discount = (1 + item.rate) ** -(run.years[years] - self.last)
            return np.asarray((gain @ discount) / (spent[:, years] @ discount))

    def _years(self, item: EvidenceTerm, run: Run) -> Flags:
        """Saved times in which the outcome of a term is read."""
        first, last = item.after
        return (run.years > self.last + first - 1e-6) & (run.years < self.last + last + 1e-6)

    def _stop(self, terms: Iterable[EvidenceTerm]) -> float:
        return self.last + max(item.after[1] for item in terms)

    def _run(self, values: Values, stop: float) -> Run:
        read = [(item.outcome or self.usual[0], item.money or self.usual[1]) for item in self.terms]
        raises = [item.raises for item in self.terms if item.raises is not None]
        # A variable given as a path need not be saved.
        read += [(item.variable, item.of) for item in raises if not isinstance(values.get(item.variable), TimePath)]
        wanted = list(dict.fromkeys(name for names in read for name in names if name))
        with np.errstate(all="ignore"):
            every = self.model.design.save_every
            return simulate(
                self.model, values, outcomes=wanted, start=self.start, stop=stop, save_every=every, throw=False
            )


def _total(values: Array, draws: int) -> Array:
    """Sum over elements, shape (scenario, draw, time)."""
    summed = values.sum(axis=tuple(range(2, values.ndim - 1)))
    return np.broadcast_to(summed, (len(summed), draws, summed.shape[-1]))


def _name(item: EvidenceTerm) -> str:
    return item.scenario if isinstance(item.scenario, str) else str(item.scenario.get("name", item.key))


def _scenarios(
    terms: Iterable[EvidenceTerm], baseline: Scenario, load: Callable[[Any], Scenario]
) -> tuple[Scenario, ...]:
    found = {baseline.name: baseline}
    for item in terms:
        if item.raises is None:
            content = item.scenario if isinstance(item.scenario, str) else {"name": item.key, **item.scenario}
            found.setdefault(_name(item), load(content))
    return tuple(found.values())


@frozen(eq=False)
class Beginning:
    """Where the runs of experiments start from.

    Attributes
    ----------
    model
        The model, with as many regions as the data and the starting values of a fit.
    values
        Values of a run by variable, from parameters by key and the number of draws.
    start, last
        Start of the runs, None for that of the model; last time of the data, after which the years of a term count.
    regions
        Entities of the data in whose state the runs start.
    """

    model: Model
    values: Callable[[Values, int], Values]
    start: float | None
    last: float
    regions: tuple[Entity, ...] = ()


def in_state(
    model: Model, data: Data, origin: int, *, first_year: int | None = None, yuan_per_unit: float = 1.0
) -> Beginning:
    """Start from the state observed at the origin.

    Parameters
    ----------
    model
        The model, with as many regions as the panel.
    data
        Panel of regions, from which the runs start.
    origin
        Last year of data, in which the runs start.
    first_year
        First year of the run that gives start values which no series observes; None for ten years before.
    yuan_per_unit
        Value of one unit of the panel's currency in yuan.
    """
    bound = RegionalModel(model=model, panel=data, yuan_per_unit=yuan_per_unit)

    def values(parameters: Values, draws: int) -> Values:  # noqa: ARG001
        drawn = bound.at(parameters)
        return drawn.values(drawn.start(origin, first_year))

    return Beginning(model=model, values=values, start=origin, last=origin, regions=tuple(data.regions))


def beginning_of(model: Model, data: Data | None, fitted: FittedParameters | None = None) -> Beginning:
    """Start from the same values as the runs of a projection.

    Parameters
    ----------
    model
        The model; for regions with as many as the panel.
    data
        Observed data; None where runs start as the file says.
    fitted
        Result of a calibration, whose origin and currency hold; None for the priors of the model.

    Raises
    ------
    InvalidInput
        If the data are missing from which runs start, or the fit is of another version of the model.
    """
    return _BEGIN[model.design.start](model, data, fitted)


def _from_state(model: Model, data: Data | None, fitted: FittedParameters | None) -> Beginning:
    if data is None:
        raise InvalidInput("{model} starts from what was observed; give its data", model=model.name)
    if fitted is None:
        return in_state(model, data, last_origin(data))
    check_fit(fitted, model, fitted.last_year)
    seen = data.subset(times=range(data.years[0], fitted.last_year + 1))
    rate = float(fitted.provenance.get("yuan_per_unit", 1.0))
    return in_state(model, seen, fitted.last_year, first_year=fitted.first_year, yuan_per_unit=rate)


def _from_file(model: Model, _data: Data | None, fitted: FittedParameters | None) -> Beginning:
    if fitted is None:
        raise InvalidInput("a model without regions has priors in its fit alone; give one (--fit)")
    return Beginning(
        model=with_starts(model, starts_of(model, fitted)),
        values=lambda parameters, _: entered(model, fitted, parameters),
        start=fitted.provenance.get("start"),
        last=fitted.last_year,
    )


_BEGIN = {"state": _from_state, "file": _from_file}


def experiments_of(terms: Iterable[EvidenceTerm], begun: Beginning) -> ExperimentRuns:
    """Set up the experiments of evidence terms.

    Parameters
    ----------
    terms
        Evidence terms, such as those of ``model.spec.evidence``.
    begun
        How the runs begin, from `beginning_of` or `in_state`.

    Returns
    -------
    ExperimentRuns
        Call `ExperimentRuns.implied` with draws of the parameters.

    Raises
    ------
    InvalidInput
        If a term names no outcome or money, and the model has no usual one.
    UnknownName
        If a term names a scenario that does not exist.
    """
    model, kept = begun.model, tuple(terms)
    outcome, money = model.design.usual
    for item in kept:
        lacking = [] if item.outcome or outcome else [Message("outcome")]
        lacking += [] if item.money or money or item.measure not in ("return", "present_value") else [Message("money")]
        for what in lacking:
            raise InvalidInput(
                "evidence {name!r} names no {what}; a model of your own has no usual one", name=item.key, what=what
            )
    clock = prepared(model, {}, start=begun.start, outcomes=[]).clock
    known: dict[tuple[int, float], Values] = {}

    def lowered(scenarios: Sequence[Scenario], common: Values, stop: float) -> Values:
        # Values set by scenarios are computed once for all draws, unless some of them differ between draws.
        place = (len(scenarios), stop)
        if place not in known or known[place].keys() & common.keys():
            bounds = (clock.start, stop)
            known[place] = scenario_values(scenarios, model, begun.regions, common, bounds, step=clock.step)
        return known[place]

    load = partial(load_scenario, model=model)
    return ExperimentRuns(
        model=model,
        terms=kept,
        scenarios=_scenarios(kept, load(BASELINE), load),
        values=begun.values,
        lowered=lowered,
        start=clock.start,
        last=begun.last,
        usual=model.design.usual,
    )
