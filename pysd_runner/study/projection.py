"""Simulate scenarios on common draws and collect the results with their warnings and provenance."""

import dataclasses
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pysd_runner.core.errors import InvalidInput, InvalidScenario, Message, SimulationFailed
from pysd_runner.core.paths import is_shipped
from pysd_runner.core.progress import ProgressCallback, counted, with_progress
from pysd_runner.core.types import Record, Texts, Values
from pysd_runner.data import Data
from pysd_runner.engine import Engine
from pysd_runner.model import Model, load_model
from pysd_runner.scenarios import Scenario, load_scenario, with_comparisons
from pysd_runner.scenarios.load import holds_changes
from pysd_runner.scenarios.scenario import BASELINE
from pysd_runner.simulation import Run, simulate
from pysd_runner.simulation.run import failure_message
from pysd_runner.spec import Baseline, FittedParameters
from pysd_runner.spec.design import PLAIN, StudyDesign
from pysd_runner.spec.fitted import DENSITIES
from pysd_runner.study.arguments import AnyFit, AnyModel, HasProblem, loaded, named, parameters_of, subject_of
from pysd_runner.study.draws import CommonDraws
from pysd_runner.study.equations import Expression, equations_of
from pysd_runner.study.future import Future
from pysd_runner.study.inputs import ProjectionInputs, inputs_of, saved_outcomes
from pysd_runner.study.values import formulas_of, observed_of, scenario_values
from pysd_runner.study.variants import timed, with_variants

if TYPE_CHECKING:
    from pysd_runner.data.sources import AnySource
    from pysd_runner.study.labelling import SavedOutcome

    OneScenario = Scenario | str | Values
    Scenarios = OneScenario | Sequence[OneScenario]


class HasBaseline(Protocol):
    """A result of `calibration.forecast`."""

    @property
    def baseline(self) -> Baseline:
        """The draws of the forecast, as a baseline."""


@with_progress("Projecting")
def project(  # noqa: PLR0913 - a public entry point
    model: AnyModel | HasProblem,
    data: "Data | AnySource | None" = None,
    scenarios: "Scenarios | None" = None,
    fit: AnyFit | None = None,
    baseline: Baseline | HasBaseline | None = None,
    *,
    until: float | None = None,
    draws: int | None = None,
    seed: int = 0,
    origin: int | None = None,
    outcomes: Sequence[str] | None = None,
    yuan_per_unit: float = 1.0,
    progress: ProgressCallback = None,
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
        Any model: loaded, or an argument of `load_model`. A fit stands for its model, its data and itself, as in
        ``project(fit, scenarios)``.
    data
        A panel of regions; or, for any other model, observations to plot with its outcomes; None without data. A data
        frame, dictionary or file is read as a panel for a regional model, and as a table for any other.
    scenarios
        For regions: one or several scenarios, names of shipped ones, or dictionaries as for `load_scenario`; baselines
        and the scenarios in `compare_with` are added. For any other model: scenarios (`Scenario.of`), dictionaries of
        changes, or files; or a dictionary of dictionaries, which names them.
    fit
        Result of a calibration, its parameters, or its folder. None draws the parameters of a regional model from their
        priors, and runs any other model once with the values of its file.
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
    known, data, scenarios, fit = subject_of(model, data, scenarios, fit)
    sized, data = loaded(known, data)
    fitted = parameters_of(fit, draws)
    path = baseline if baseline is None or isinstance(baseline, Baseline) else baseline.baseline
    asked: dict[str, Any] = {"until": until, "draws": draws, "seed": seed, "origin": origin}
    inputs = inputs_of(sized, data, fitted, baseline=path, yuan_per_unit=yuan_per_unit, **asked)
    tell = counted(progress, "draws", len(inputs.common.draws))
    return projected(inputs, data, scenarios, outcomes=outcomes, progress=tell)


def projected(  # noqa: PLR0913 - every way to project comes through here
    inputs: ProjectionInputs,
    data: Data | None,
    scenarios: "Scenarios",
    *,
    outcomes: Sequence[str] | None = None,
    engine: Engine = "auto",
    progress: Callable[[int], None] | None = None,
    inspect: Callable[[Run], None] | None = None,
    also: Sequence[str] = (),
    is_stored: bool = False,
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
    is_stored
        Whether to leave out outcomes by region and draw that written results do not have: they are half of all.
    """
    cast = scenarios_with_baseline(scenarios, inputs.model)
    bounds, step = timed(cast, inputs.bounds, inputs.step, is_asked=inputs.settings["until"] is not None)
    inputs = dataclasses.replace(inputs, bounds=bounds, step=step)
    run_model, chosen = with_variants(inputs.model, inputs.run_model, cast)
    saved, formulas, observed = _saved(inputs, outcomes, is_stored=is_stored)
    names = [item.variable for item in saved.values()]
    run = simulate(
        run_model,
        {**inputs.common.values, **values_of(cast, inputs), **chosen},
        start=inputs.bounds[0],
        stop=inputs.bounds[1],
        step=inputs.step,
        save_every=inputs.design.save_every,
        outcomes=list(
            dict.fromkeys([*names, *also, *(name for item, _, _ in formulas.values() for name in item.variables)])
        ),
        engine=engine,
        throw=inputs.design.is_strict,
        progress=progress,
    )
    if inspect is not None:
        inspect(run)
    return _future(inputs, data, cast, run, saved=saved, formulas=formulas, observed=observed)


def values_of(cast: Sequence[Scenario], inputs: ProjectionInputs) -> Values:
    """Values of the variables that scenarios set, stacked along the scenario axis, by variable."""
    return scenario_values(
        cast,
        inputs.model,
        inputs.regions,
        inputs.common.values,
        inputs.bounds,
        step=inputs.step,
        calendar=inputs.calendar,
    )


def _saved(
    inputs: ProjectionInputs, outcomes: Sequence[str] | None, *, is_stored: bool
) -> "tuple[dict[str, SavedOutcome], dict[str, tuple[Expression, str, str]], Texts]":
    """Outcomes by the names of results, observed formulas, and the columns that observe outcomes."""
    from pysd_runner.study.labelling import WEIGHTED, SavedOutcome, not_stored

    model, data, design, common = inputs.model, inputs.observed, inputs.design, inputs.common
    kept = saved_outcomes(design, model)
    left = {*(() if common.inputs.has_population else WEIGHTED), *(not_stored(design, model) if is_stored else ())}
    saved = {
        name: SavedOutcome(
            variable=item.variable,
            attrs={
                "units": item.unit.replace(design.money, inputs.panel.currency),
                "long_name": item.en,
                "long_name_zh": item.zh,
            },
            rate=common.yuan_per_unit if design.money in item.unit else 1.0,
        )
        for name, item in design.outcomes.items()
        if item.variable in kept and name not in left
    }
    observed = observed_of(model, data, inputs.fitted)
    names = outcomes_of(model, outcomes, observed, design)
    formulas = {} if outcomes is not None else formulas_of(model, data, inputs.fitted, names)
    needed = dict.fromkeys([*names, *(name for item, _, _ in formulas.values() for name in item.variables)])
    return saved | {name: SavedOutcome(variable=name) for name in needed}, formulas, observed


def _future(
    inputs: ProjectionInputs,
    data: Data | None,
    cast: Sequence[Scenario],
    run: Run,
    *,
    saved: "Mapping[str, SavedOutcome]",
    formulas: Mapping[str, tuple[Expression, str, str]],
    observed: Texts,
) -> Future:
    from pysd_runner.study.labelling import history_dataset, labelled, parameters_of, with_formulas

    if run.failed.all():
        raise SimulationFailed(failure_message(run.failed, run.failures))
    model, common, design = inputs.model, inputs.common, inputs.design
    found = with_formulas(labelled(run, cast, inputs, saved), formulas, run.years, inputs.clocked if formulas else None)
    declared = model.declarations.outcomes
    return Future(
        data=found,
        baselines={item.name: item.baseline_name for item in cast},
        history=history_dataset(inputs),
        cast=tuple(cast),
        model=model.name,
        origin=round(inputs.bounds[0]),
        parameters=parameters_of(common.parameters, found["draw"].to_numpy()) if common.parameters else None,
        observations=inputs.seen,
        observed={**observed, **{name: column for name, (_, _, column) in formulas.items()}},
        better={key: item.better for key, item in declared.items() if item.better},
        time_unit=inputs.time_unit,
        design=design,
        imputed=tuple(str(item) for item in common.inputs.imputed),
        warnings=tuple(_warnings(inputs, data, cast, run)),
        provenance=_provenance(inputs, data, cast, run),
    )


def _followed(baseline: Baseline, common: CommonDraws) -> Values:
    """Provenance of the baseline forecast, with diagnostics of the shocks by which the no-policy run follows it."""
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


def _on_baseline(baseline: Baseline, common: CommonDraws, data: Data | None) -> list[str]:
    """Warnings about the forecast that the no-policy run follows."""
    found: list[str] = []
    if data is not None and baseline.panel_sha256 != data.sha256:
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


def scenarios_with_baseline(scenarios: "Scenarios", model: Model) -> list[Scenario]:
    """Scenarios in the order in which they run: baselines first, and those that must be shown beside others last."""
    scenarios = named(scenarios)
    several = [scenarios] if isinstance(scenarios, str | Path | Scenario | Mapping) else list(scenarios)
    for item in several:
        if not isinstance(item, str | Path | Scenario | Mapping):
            raise InvalidInput("scenarios must be names, dictionaries or Scenario objects; found {found!r}", found=item)
    found = [_scenario(item, number, model) for number, item in enumerate(several or [BASELINE], start=1)]
    for item in found:
        if item.model and "budget" not in model.design.policy:
            raise InvalidScenario(
                "scenario {scenario!r} sets the policy of {model}; give changes of constants, as Scenario.of does",
                scenario=item.name,
                model=item.model,
            )
    return list(with_comparisons(found, model=model))


def _scenario(item: "OneScenario", number: int, model: Model) -> Scenario:
    """A scenario, given by its name, its file, the content of a file, or changes of constants."""
    if isinstance(item, Mapping) and holds_changes(item):
        return Scenario.of(Message("scenario {scenario}", scenario=number), item)
    return item if isinstance(item, Scenario) else load_scenario(item, model=model)


def outcomes_of(model: Model, asked: Sequence[str] | None, observed: Texts, design: StudyDesign = PLAIN) -> list[str]:
    """Variables to save: those requested, else those observed or declared and the first stocks.

    Parameters
    ----------
    model
        The model.
    asked
        Requested names; None for the default.
    observed
        Columns that observe variables, by variable.
    design
        Outcomes that are saved under names of their own, and how many stocks.
    """
    if asked is not None:
        names = [asked] if isinstance(asked, str) else asked
        return list(dict.fromkeys(model.find(name) for name in names))
    known = model.declarations.outcomes
    declared = [item.variable for name, item in known.items() if name not in design.outcomes]
    leading = [name for name in design.leading if name in model.variables]
    stocks = [name for name, item in model.variables.items() if item.kind == "stock"]
    return list(dict.fromkeys([*observed, *declared, *leading, *stocks[: design.stocks]]))


def _warnings(inputs: ProjectionInputs, data: Data | None, cast: Sequence[Scenario], run: Run) -> Iterator[str]:
    """Warnings that apply to all results of a projection."""
    fitted, design, begun = inputs.fitted, inputs.design, inputs.common.inputs
    path = inputs.baseline
    yield from design.unfollowed if path is None else _on_baseline(path, inputs.common, data)
    if run.failed.any():
        yield Message("{said}; they are left out.", said=failure_message(run.failed, run.failures))
    yield from design.caveats
    yield from inputs.model.ir.slips
    if fitted is None:
        yield design.unfitted
    else:
        yield from _of_fit(fitted, design)
    yield from inputs.doubts
    for item in cast:
        start = item.policy.start
        if item.policy.spends and start is not None and start <= begun.year:
            yield Message(
                "{scenario}: its policy starts in {start:g}, not after the last observed year {year}; it acts "
                "from {again} on, and nothing of it before that is simulated.",
                scenario=item.name,
                start=start,
                year=begun.year,
                again=begun.year,
            )
    yield from begun.warnings
    yield from (Message("{where}: {said}", where=item.name, said=text) for item in cast for text in item.warnings)


def _of_fit(fitted: FittedParameters, design: StudyDesign) -> Iterator[str]:
    """Warnings about the reliability of the draws of a fit."""
    yield from _untrusted_draws(fitted, design)
    if fitted.status != "converged":
        yield Message("The fit did not converge: {said}", said=fitted.message)
    yield from (note for note in fitted.provenance.get("notes", ()) if "its last value holds" in note)


def _untrusted_draws(fitted: FittedParameters, design: StudyDesign) -> Sequence[str]:
    """Warn if the draws of the fit come from a normal approximation, or a sampler that had not converged."""
    sampling = fitted.provenance.get("sampling")
    if sampling is None:
        return () if fitted.provenance.get("weighting") else design.unsampled
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


def recorded_model(provenance: Record) -> str:
    """Argument for `load_model` to load the model of a projection: its name if it is shipped, else its path."""
    made = provenance["simulation"]
    return str(made.get("model_file", made["model"]))


def model_again(provenance: Record, data: Data | None) -> Model:
    """The model of a projection, the copy beside its results if there is one, with as many regions as its data."""
    files = provenance["simulation"].get("model_data")
    return load_model(recorded_model(provenance), regions=None if data is None else data.count, files=files)


def _without_draws(fitted: FittedParameters) -> Record:
    """Record of a fit without its draws and their densities."""
    provenance = {key: value for key, value in fitted.provenance.items() if key != DENSITIES}
    return dataclasses.asdict(dataclasses.replace(fitted, draws=(), provenance=provenance))


def _provenance(inputs: ProjectionInputs, data: Data | None, cast: Sequence[Scenario], run: Run) -> Record:
    """Everything needed to repeat the projection."""
    fitted, model, file, path = inputs.fitted, inputs.model, inputs.model.source, inputs.baseline
    rate = None if data is None else data.provenance.get("yuan_per_unit")
    packages = ("gapsim", "pysd", "numpy", "scipy", "pandas", "xarray")
    made = {key: value for key, value in run.provenance.items() if key != "moments_not_saved"}
    found: dict[str, Any] = {
        "settings": dict(inputs.settings),
        "simulation": {
            **made,
            **({} if is_shipped(file) else {"model_file": file, "model_data": dict(model.ir.named)}),
        },
        "panel": None
        if data is None
        else {"name": data.name, "sha256": data.sha256, **data.reading} | ({"yuan_per_unit": rate} if rate else {}),
        "scenarios": [item.to_dict() for item in cast],
        # Posterior draws are omitted: the record would be many times as long, and they are in the file of the fit.
        "fitted": None if fitted is None else _without_draws(fitted),
        "equations": equations_of(model),
        "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in packages}},
        "baseline": None if path is None else _followed(path, inputs.common),
    }
    return found | ({"calendar": inputs.calendar.record} if inputs.calendar.record else {})
