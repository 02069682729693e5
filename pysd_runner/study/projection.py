"""Simulate scenarios on common draws and collect the results with their warnings and provenance."""

import dataclasses
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pysd_runner.core.errors import InvalidInput, InvalidScenario, Message, SimulationFailed
from pysd_runner.core.kinds import Record, Texts, Values
from pysd_runner.core.paths import is_shipped
from pysd_runner.core.progress import Told, counted, reporting
from pysd_runner.data import Data
from pysd_runner.data.dataset import is_panel
from pysd_runner.engine import Engine
from pysd_runner.model import Model, loaded
from pysd_runner.scenarios import Scenario, load_scenario, with_comparisons
from pysd_runner.scenarios.load import load_changes
from pysd_runner.scenarios.scenario import BASELINE
from pysd_runner.simulation import Run, simulate
from pysd_runner.simulation.run import failure_message
from pysd_runner.simulation.task import time_unit
from pysd_runner.spec import Baseline, FittedParameters
from pysd_runner.study.draws import CommonDraws, panel_differences
from pysd_runner.study.equations import Expression, equations_of
from pysd_runner.study.future import Future
from pysd_runner.study.inputs import ProjectionInputs, inputs_of, saved_outcomes
from pysd_runner.study.region_inputs import RegionInputs
from pysd_runner.study.values import changed_values, formulas_of, observed_of, scenario_values
from pysd_runner.text import in_both

if TYPE_CHECKING:
    from pysd_runner.data.sources import AnySource

    OneScenario = Scenario | str | Values
    Scenarios = OneScenario | Sequence[OneScenario]

# Maximum number of stocks that are saved by default.
MOST_STOCKS = 12


class HasFit(Protocol):
    """What `calibration.fit` returns."""

    @property
    def fitted(self) -> FittedParameters:
        """The estimated parameters."""


class HasBaseline(Protocol):
    """What `calibration.forecast` returns."""

    @property
    def baseline(self) -> Baseline:
        """Its draws."""


@reporting("Projecting")
def project(  # noqa: PLR0913 - a public entry point
    model: Model | str | Path,
    data: "Data | AnySource | None",
    scenarios: "Scenarios",
    fit: FittedParameters | HasFit | None = None,
    baseline: Baseline | HasBaseline | None = None,
    *,
    until: float | None = None,
    draws: int | None = None,
    seed: int = 0,
    origin: int | None = None,
    outcomes: Sequence[str] | None = None,
    yuan_per_unit: float = 1.0,
    progress: Told = None,
) -> Future:
    """Run scenarios for draws from a fit.

    All scenarios share the draws, so that intervals of differences from the baseline are much narrower than those of
    levels. Regional paths start from the state observed at the origin, and a draw is one parameter vector and one path
    of shocks to regional growth. With a `baseline`, the shocks are those with which the no-policy run follows a draw of
    that forecast, so that levels are forecasts; without one, the shocks are as large as in the past, and levels are
    paths of the model. A scenario with other assumptions keeps the same shocks, and its own no-policy baseline differs
    from the forecast by the effect of the assumptions. The baseline of a model without regions is the model without
    changes.

    Parameters
    ----------
    model
        Any model: loaded, or an argument of `load_model`.
    data
        A panel of regions; or, for any other model, observations to plot with its outcomes; None without data. A data
        frame, dictionary or file is read as a panel for a regional model, and as a table for any other.
    scenarios
        For regions: one or several scenarios, names of shipped ones, or dictionaries as for `load_scenario`; baselines
        and the scenarios in `compare_with` are added. For any other model: scenarios (`Scenario.of`), dictionaries of
        changes, or files.
    fit
        Result of a calibration, or its parameters. None draws the parameters of a regional model from their priors, and
        runs any other model once with the values of its file.
    baseline
        Forecast that the no-policy run of regions follows, or an `Outlook`, which has it; None for a free run of the
        model.
    until, draws, seed, origin, yuan_per_unit
        As for `inputs_of`.
    outcomes
        Variables of a model without regions to save; None for observed and declared ones, and the first stocks.
    progress
        As for `calibration.fit`; draws are counted.

    Returns
    -------
    Future
        Outcomes of every scenario. For a model without regions, draws that fail under a scenario are NaN there, and
        counted in its `warnings`.

    Raises
    ------
    InvalidInput
        If years, draws or regions do not match, or the fit is for another model or used data after the origin.
    InvalidScenario
        If a scenario changes a variable that is not a constant, or two have the same name.
    SimulationFailed
        If a regional simulation is not finite, or every draw of any other model fails.
    """
    model, data = loaded(model, data)
    fitted = fit if fit is None or isinstance(fit, FittedParameters) else fit.fitted
    path = baseline if baseline is None or isinstance(baseline, Baseline) else baseline.baseline
    asked: dict[str, Any] = {"until": until, "draws": draws, "seed": seed, "origin": origin}
    inputs = inputs_of(model, data, fitted, baseline=path, yuan_per_unit=yuan_per_unit, **asked)
    tell = counted(progress, "draws", len(inputs.common.draws))
    return projected(inputs, data, scenarios, outcomes=outcomes, progress=tell)


def projected(
    inputs: ProjectionInputs,
    data: Data | None,
    scenarios: "Scenarios",
    *,
    outcomes: Sequence[str] | None = None,
    engine: Engine = "auto",
    progress: Callable[[int], None] | None = None,
    inspect: Callable[[Run], None] | None = None,
    also: Sequence[str] = (),
) -> Future:
    """Run scenarios from common inputs.

    Parameters
    ----------
    inputs
        As `inputs_of` returns them.
    data, scenarios, outcomes
        As for `project`.
    engine
        Engine that runs the model.
    progress
        Called with the number of draws finished.
    inspect
        Called with the simulation of all scenarios, for instance to apply behaviour rules to it.
    also
        Variables to save for `inspect`, in addition to the outcomes.
    """
    model, fitted = inputs.model, inputs.fitted
    cast = _asked(scenarios, model) if is_panel(data) else cast_of(scenarios)
    observed: dict[str, str] = {}
    formulas: dict[str, tuple[Expression, str, str]] = {}
    if is_panel(data):
        cast = list(with_comparisons(cast, model=model))
        names = saved_outcomes(inputs.spec, model)
        values = scenario_values(cast, model, data, inputs.common.values, inputs.years)
    else:
        observed = observed_of(model, data, fitted)
        names = outcomes_of(model, outcomes, observed)
        formulas = {} if outcomes is not None else formulas_of(model, data, fitted, names)
        start, stop = inputs.bounds
        values = changed_values(
            model, cast, inputs.common.values, start=start, stop=stop, step=inputs.step, calendar=inputs.calendar
        )
    run = simulate(
        inputs.run_model,
        {**inputs.common.values, **values},
        start=inputs.bounds[0],
        stop=inputs.bounds[1],
        save_every=1 if is_panel(data) else None,
        outcomes=[*names, *also, *(name for formula, _, _ in formulas.values() for name in formula.variables)],
        engine=engine,
        throw=is_panel(data),
        progress=progress,
    )
    if inspect is not None:
        inspect(run)
    return _of_regions(inputs, data, cast, run) if is_panel(data) else _of_any(inputs, cast, run, observed, formulas)


def _of_regions(inputs: ProjectionInputs, panel: Data, cast: Sequence[Scenario], run: Run) -> Future:
    from pysd_runner.study.labelling import history_dataset, parameters_of, projection_dataset, with_sources

    common, fitted, baseline = inputs.common, inputs.fitted, inputs.baseline
    rate, has_population = common.yuan_per_unit, common.inputs.has_population
    data = projection_dataset(run, inputs.spec, panel, cast, yuan_per_unit=rate, has_population=has_population)
    data = with_sources(data.assign_coords(draw=list(common.draws)), common.sources)
    return Future(
        data=data,
        baselines={item.name: item.baseline_name for item in cast},
        history=history_dataset(inputs.panel),
        cast=tuple(cast),
        model=inputs.model.name,
        origin=inputs.years[0],
        parameters=parameters_of(common.parameters, data["draw"].to_numpy()),
        imputed=tuple(str(item) for item in common.inputs.imputed),
        warnings=(*_on_baseline(baseline, common, panel), *_warnings(fitted, panel, cast, common.inputs)),
        provenance={
            **_provenance(inputs, panel, cast, run),
            "baseline": None if baseline is None else _followed(baseline, common),
        },
    )


def _of_any(
    inputs: ProjectionInputs,
    cast: Sequence[Scenario],
    run: Run,
    observed: Texts,
    formulas: Mapping[str, tuple[Expression, str, str]],
) -> Future:
    import xarray as xr

    from pysd_runner.study.labelling import any_dataset, with_formulas

    if run.failed.all():
        raise SimulationFailed(failure_message(run.failed, run.failures))
    model, fitted = inputs.model, inputs.fitted
    outcomes = {} if model.spec is None else model.spec.outcomes
    return Future(
        data=with_formulas(
            any_dataset(run, cast, len(inputs.common.draws), inputs.calendar), formulas, run.years, inputs.clocked
        ),
        baselines={item.name: BASELINE for item in cast},
        history=xr.Dataset(),
        cast=tuple(cast),
        model=model.name,
        origin=round(inputs.bounds[0]),
        observations=inputs.seen,
        observed={**observed, **{name: column for name, (_, _, column) in formulas.items()}},
        better={key: item.better for key, item in outcomes.items() if item.better},
        time_unit=inputs.calendar.unit_of(time_unit(model)),
        warnings=_of_draws(run, fitted),
        provenance={
            **{key: value for key, value in run.provenance.items() if key != "moments_not_saved"},
            "equations": equations_of(model),
            "fit": None if fitted is None else {"data": fitted.panel, "sha256": fitted.panel_sha256},
            "draws": inputs.settings["draws"],
            "draws_seed": inputs.settings["seed"],
            **({"calendar": inputs.calendar.record} if inputs.calendar.record else {}),
        },
    )


def _followed(baseline: Baseline, common: CommonDraws) -> Values:
    """Provenance of the baseline forecast, with diagnostics of the shocks that make the no-policy run follow it."""
    assert common.implied is not None  # noqa: S101
    systematic = dict(zip(baseline.regions, common.implied.systematic.tolist(), strict=True))
    return {
        "panel": baseline.panel,
        "panel_sha256": baseline.panel_sha256,
        "origin": baseline.origin,
        "draws": len(baseline),
        "made": dict(baseline.provenance),
        "most_runs": int(common.implied.runs.max()),
        "largest_error": float(common.implied.errors[common.implied.found].max()),
        "left_out": np.flatnonzero(~common.implied.found).tolist(),
        "systematic_shock": systematic,
    }


def _on_baseline(baseline: Baseline | None, common: CommonDraws, panel: Data) -> list[str]:
    """Warnings about the no-policy run."""
    if baseline is None:
        return [
            Message(
                "The run without policy is the path of the model, not a forecast: compare scenarios, do not quote "
                "levels."
            )
        ]
    found: list[str] = []
    if baseline.panel_sha256 != panel.sha256:
        found.append(
            Message(
                "The baseline was made from panel '{panel}' with other values than this one's.", panel=baseline.panel
            )
        )
    left = len(common.implied.found) - len(common.draws) if common.implied is not None else 0
    if left:
        found.append(
            Message(
                "{count} draws of the model cannot follow the forecast and were left out; run.json lists them.",
                count=left,
            )
        )
    return found


def _asked(scenarios: "Scenarios", model: Model) -> list[Scenario]:
    several = [scenarios] if isinstance(scenarios, str | Scenario | Mapping) else list(scenarios)
    if not several:
        raise InvalidInput("no scenario was given; name at least one, for instance 'baseline'")
    for item in several:
        if not isinstance(item, str | Scenario | Mapping) or (isinstance(item, Scenario) and not item.model):
            raise InvalidInput("scenarios must be names, dictionaries or Scenario objects; found {found!r}", found=item)
    return [item if isinstance(item, Scenario) else load_scenario(item, model=model) for item in several]


def cast_of(scenarios: "Scenarios") -> list[Scenario]:
    """Scenarios of a model without regions, in the order in which they run: the baseline first."""
    several: Iterable[Any] = [scenarios] if isinstance(scenarios, str | Scenario) else scenarios
    found = [Scenario.of(BASELINE, {}, label=in_both("scenario.none"))]
    for number, item in enumerate(several, start=1):
        if isinstance(item, Scenario):
            scenario = item
        elif isinstance(item, Mapping):
            scenario = Scenario.of(Message("scenario {scenario}", scenario=number), item)
        elif isinstance(item, str) and item == BASELINE:
            continue
        else:
            scenario = load_changes(str(item))
        if scenario.model:
            raise InvalidScenario(
                "scenario {scenario!r} sets the policy of {model}; give changes of constants, as Scenario.of does",
                scenario=scenario.name,
                model=scenario.model,
            )
        if scenario.name in {other.name for other in found}:
            raise InvalidScenario(
                "two scenarios are called {scenario!r}; a run needs different names", scenario=scenario.name
            )
        found.append(scenario)
    return found


def outcomes_of(model: Model, asked: Sequence[str] | None, observed: Texts) -> list[str]:
    """Variables to save: those requested, else those observed or declared and the first stocks.

    Parameters
    ----------
    model
        The model.
    asked
        Requested names; None for the default.
    observed
        Columns that observe variables, by variable.
    """
    if asked is not None:
        return list(dict.fromkeys(model.find(name) for name in asked))
    declared = [] if model.spec is None else [item.variable for item in model.spec.outcomes.values()]
    stocks = [name for name, item in model.variables.items() if item.kind == "stock"]
    return list(dict.fromkeys([*observed, *declared, *stocks[:MOST_STOCKS]]))


def _warnings(
    fitted: FittedParameters | None, panel: Data, scenarios: Sequence[Scenario], inputs: RegionInputs
) -> tuple[str, ...]:
    found: list[str] = [
        Message(
            "Effects of digital policy on output rest on priors from the literature passed through the structure; "
            "panels like this one say almost nothing about them."
        ),
        Message("Unit costs of the levers are judgement and decide their ranking."),
    ]
    if fitted is None:
        found.append(Message("No calibration was given: every parameter is drawn from its prior."))
    else:
        found += panel_differences(fitted, panel)
        found += _untrusted_draws(fitted)
    if not inputs.has_population:
        found.append(
            Message(
                "The panel has no population: totals, shares, the Theil index, gaps of the nation and of classes, "
                "and all else that is weighted by population are left out."
            )
        )
    if "current" in panel.price_basis.casefold():
        found.append(Message("The panel is in current prices: relative prices of regions are part of the gaps."))
    for item in scenarios:
        start = item.policy.start
        if item.policy.spends and start is not None and start <= inputs.year:
            found.append(
                Message(
                    "{scenario}: its policy starts in {start:g}, not after the last observed year {year}; it acts "
                    "from {again} on, and nothing of it before that is simulated.",
                    scenario=item.name,
                    start=start,
                    year=inputs.year,
                    again=inputs.year,
                )
            )
    found += inputs.warnings
    found += [Message("{where}: {said}", where=item.name, said=text) for item in scenarios for text in item.warnings]
    return tuple(found)


def _untrusted_draws(fitted: FittedParameters) -> list[str]:
    """Warn if the draws of the fit come from a normal approximation, or a sampler that had not converged."""
    sampling = fitted.provenance.get("sampling")
    if sampling is None:
        return [
            Message(
                "The parameters are drawn from the normal approximation of the posterior, which is not skewed where "
                "the posterior is: sample it before quoting ends of intervals (gapsim calibrate --sample)."
            )
        ]
    if not fitted.draws or sampling["is_trusted"]:
        return []
    return [
        Message(
            "THE PARAMETERS ARE DRAWN FROM A POSTERIOR SAMPLE THAT HAS NOT CONVERGED (largest R-hat {rhat:.3f}, "
            "smallest effective sample size {ess:.0f}): do not quote intervals.",
            rhat=sampling["rhat"],
            ess=sampling["ess"],
        )
    ]


def _of_draws(run: Any, fitted: FittedParameters | None) -> tuple[str, ...]:
    found = []
    if run.failed.any():
        found.append(f"{failure_message(run.failed, run.failures)}; they are left out.")
    if fitted is None:
        found.append("No fit was given: the values of the file were run once, without uncertainty.")
    elif fitted.status != "converged":
        found.append(f"The fit did not converge: {fitted.message}")
    notes = () if fitted is None else fitted.provenance.get("notes", ())
    return (*found, *(note for note in notes if "its last value holds" in note))


def recorded_model(provenance: Record) -> str:
    """Argument for `load_model` to load the model of a projection: its name if it is shipped, else its path."""
    made = provenance["simulation"]
    return str(made.get("model_file", made["model"]))


def _provenance(inputs: ProjectionInputs, panel: Data, scenarios: Sequence[Scenario], run: Run) -> Record:
    fitted, file = inputs.fitted, inputs.model.source
    rate = panel.provenance.get("yuan_per_unit")
    packages = ("gapsim", "pysd", "numpy", "scipy", "pandas", "xarray")
    return {
        "settings": dict(inputs.settings),
        "simulation": {**run.provenance, **({} if is_shipped(file) else {"model_file": file})},
        "panel": {"name": panel.name, "sha256": panel.sha256} | ({"yuan_per_unit": rate} if rate else {}),
        "scenarios": [item.to_dict() for item in scenarios],
        # Posterior draws are left out: they would make the record many times as long, and the file of the fit has them.
        "fitted": None if fitted is None else dataclasses.asdict(dataclasses.replace(fitted, draws=())),
        "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in packages}},
    }
