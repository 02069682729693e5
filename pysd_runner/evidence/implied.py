"""Repeat the experiments behind measured effects in the model: what it implies for each, by draw."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.kinds import Array, Arrays, Flags, Values, frozen
from pysd_runner.data import Data
from pysd_runner.engine import TimePath
from pysd_runner.model import Model
from pysd_runner.scenarios import Scenario, load_scenario
from pysd_runner.scenarios.load import load_changes
from pysd_runner.scenarios.scenario import BASELINE
from pysd_runner.simulation import Run, simulate
from pysd_runner.simulation.task import prepared
from pysd_runner.spec import FittedParameters
from pysd_runner.spec.evidence import EvidenceTerm
from pysd_runner.study.binding import RegionalModel
from pysd_runner.study.equations import with_starts
from pysd_runner.study.inputs import entered, starts_of
from pysd_runner.study.region_inputs import time_step
from pysd_runner.study.values import changed_values, scenario_values

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
        # What is given as a path need not be saved.
        read += [(item.variable, item.of) for item in raises if not isinstance(values.get(item.variable), TimePath)]
        wanted = list(dict.fromkeys(name for names in read for name in names if name))
        every = 1 if self.model.is_regional else None
        with np.errstate(all="ignore"):
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


def experiments_of(
    model: Model,
    data: Data,
    terms: Iterable[EvidenceTerm],
    *,
    origin: int,
    first_year: int | None = None,
    yuan_per_unit: float = 1.0,
) -> ExperimentRuns:
    """Set up the experiments of evidence terms for a model of regions.

    Parameters
    ----------
    model
        The model, with as many regions as the panel.
    data
        Panel of regions, from which the runs start.
    terms
        Evidence terms, such as those of ``model.spec.evidence``.
    origin
        Last year of data, in which the runs start.
    first_year
        First year of the run that gives start values which no series observes; None for ten years before.
    yuan_per_unit
        Value of one unit of the panel's currency in yuan.

    Returns
    -------
    ExperimentRuns
        Call `ExperimentRuns.implied` with draws of the parameters.

    Raises
    ------
    UnknownName
        If a term names a scenario that does not exist.
    """
    kept = tuple(terms)
    bound = RegionalModel(model=model, panel=data, yuan_per_unit=yuan_per_unit)

    def values(parameters: Values, draws: int) -> Values:  # noqa: ARG001
        drawn = bound.at(parameters)
        return drawn.values(drawn.start(origin, first_year))

    known: dict[tuple[int, float], Values] = {}
    step = time_step(model)

    def lowered(scenarios: Sequence[Scenario], common: Values, stop: float) -> Values:
        # Policies change nothing that is drawn, so their values are made once for all draws.
        bounds, place = (origin, round(stop)), (len(scenarios), stop)
        if place not in known:
            known[place] = scenario_values(scenarios, model, data.regions, {}, bounds, step=step)
        is_drawn = known[place].keys() & common.keys()
        if not is_drawn:
            return known[place]
        return scenario_values(scenarios, model, data.regions, common, bounds, step=step)

    load = partial(load_scenario, model=model)
    names = model.bindings.variables
    return ExperimentRuns(
        model=model,
        terms=kept,
        scenarios=_scenarios(kept, load(BASELINE), load),
        values=values,
        lowered=lowered,
        start=origin,
        last=origin,
        usual=(names.output, names.policy_money),
    )


def experiments_of_any(
    model: Model,
    terms: Iterable[EvidenceTerm],
    values: Callable[[Values, int], Values],
    *,
    start: float | None,
    last: float,
) -> ExperimentRuns:
    """Set up the experiments of evidence terms for a model without regions, from the values of its runs.

    Parameters
    ----------
    model
        The model, with the starting values of the fit.
    terms
        Evidence terms, such as those of ``model.spec.evidence``.
    values
        From draws of the parameters and their number to the values of a run.
    start
        Time at which the runs start; None for that of the model.
    last
        Last time of data.

    Returns
    -------
    ExperimentRuns
        Call `ExperimentRuns.implied` with draws of the parameters.
    """
    kept = tuple(terms)
    for item in kept:
        if not item.outcome or (item.measure in ("return", "present_value") and not item.money):
            raise InvalidInput(
                "evidence {name!r} names no {what}; a model of your own has no usual one",
                name=item.key,
                what="money" if item.outcome else "outcome",
            )
    clock = prepared(model, {}, start=start, outcomes=[]).clock

    def lowered(scenarios: Sequence[Scenario], common: Values, stop: float) -> Values:
        return changed_values(model, scenarios, common, start=clock.start, stop=stop, step=clock.step)

    return ExperimentRuns(
        model=model,
        terms=kept,
        scenarios=_scenarios(kept, Scenario.of(BASELINE, {}), load_changes),
        values=values,
        lowered=lowered,
        start=clock.start,
        last=last,
        usual=("", ""),
    )


def experiments_of_fit(
    model: Model, data: Data | None, fitted: FittedParameters, terms: Iterable[EvidenceTerm]
) -> ExperimentRuns:
    """Set up the experiments for the draws of a fit.

    Parameters
    ----------
    model
        The model; for regions with as many as the panel.
    data
        Panel of regions; None for a model without regions.
    fitted
        Result of a calibration, whose origin and currency hold.
    terms
        Evidence terms, such as those of ``model.spec.evidence``.

    Returns
    -------
    ExperimentRuns
        Call `ExperimentRuns.implied` with draws of the parameters.
    """
    if model.is_regional:
        assert data is not None  # noqa: S101
        seen = data.subset(times=range(data.years[0], fitted.last_year + 1))
        rate = float(fitted.provenance.get("yuan_per_unit", 1.0))
        where = {"origin": fitted.last_year, "first_year": fitted.first_year}
        return experiments_of(model, seen, terms, yuan_per_unit=rate, **where)
    run_model = with_starts(model, starts_of(model, fitted))
    start = fitted.provenance.get("start")
    return experiments_of_any(
        run_model, terms, lambda parameters, _: entered(model, fitted, parameters), start=start, last=fitted.last_year
    )
