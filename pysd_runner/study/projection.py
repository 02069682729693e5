"""Projects regional gaps under alternative policies, all scenarios on the same draws."""

import dataclasses
import json
import math
import platform
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pysd_runner.core.errors import InvalidInput, InvalidPanel
from pysd_runner.core.paths import is_shipped
from pysd_runner.engine import Engine
from pysd_runner.engine.counts import whole
from pysd_runner.engine.memory import machine_bytes
from pysd_runner.export.records import check_entries, file_digest, read_record, write_record
from pysd_runner.export.tables import Tabled
from pysd_runner.model import Model
from pysd_runner.panel import Panel
from pysd_runner.scenarios import Scenario, load_scenario, with_comparisons
from pysd_runner.simulation import Run, simulate
from pysd_runner.spec import Baseline, FittedParameters, ModelSpec
from pysd_runner.spec.baseline import check_ahead
from pysd_runner.study.draws import CommonDraws, check_fit, common_draws, panel_differences
from pysd_runner.study.keeping import KEPT_ERROR, completed, unknown
from pysd_runner.study.region_inputs import RegionInputs
from pysd_runner.study.scenario_stacks import scenario_values

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    OneScenario = Scenario | str | Mapping[str, Any]
    Scenarios = OneScenario | Sequence[OneScenario]

# Outcomes by lever and region that are kept; the others would make results several times as large.
BY_LEVER = ("lever_budget",)

# Results and what they are labelled from are in memory at once: 1.8 was measured.
COPIES = 2

PARAMETERS = "parameters"
RECORD, SCHEMA = "run.json", 1
REMEDY = "run the scenarios again"
# Scenarios that a projection names on one line.
_SHOWN = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    """What the record of a projection always holds, beside how it was made."""

    origin: int
    baselines: Mapping[str, str]
    imputed: tuple[str, ...]
    warnings: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)  # digests of those beside it, by name


@dataclass(frozen=True, kw_only=True, repr=False)
class Projection(Tabled):
    """Gaps projected under several scenarios."""

    data: "xr.Dataset"  # outcomes by their keys
    history: "xr.Dataset"  # the same indicators from the panel, dimensions (region, year) or (year,)
    origin: int  # last observed year, where every path starts from the observed state
    baselines: Mapping[str, str]  # for each scenario, the one without policy under the same assumptions
    parameters: "xr.DataArray | None" = None  # what was drawn, dimensions (parameter, draw); None in older results
    imputed: tuple[str, ...] = ()  # what was not observed at the origin, and how it was filled
    warnings: tuple[str, ...] = ()  # what a reader must know before quoting a number
    provenance: Mapping[str, Any] = field(default_factory=dict)  # everything needed to make it again

    @property
    def scenarios(self) -> tuple[str, ...]:
        """Names of the scenarios, baselines first."""
        return tuple(str(name) for name in self.data["scenario"].to_numpy())

    @property
    def policies(self) -> tuple[str, ...]:
        """Names of the scenarios that have a baseline to be compared with."""
        return tuple(name for name in self.scenarios if self.baselines[name] != name)

    @property
    def gaps(self) -> "xr.DataArray":
        """Gap to the leading region, dimensions (scenario, draw, region, year)."""
        return self.data["gap_to_leader"]

    def difference(self, outcome: str) -> "xr.DataArray":
        """Each scenario minus its baseline, draw by draw."""
        from pysd_runner.core.errors import UnknownName

        if outcome not in self.data:
            raise UnknownName(unknown(self.data, outcome))
        policies = list(self.policies)
        reference = self.data[outcome].sel(scenario=[self.baselines[name] for name in policies])
        found = self.data[outcome].sel(scenario=policies)
        result = found - reference.to_numpy()
        result.attrs = dict(found.attrs)
        return result

    def __repr__(self) -> str:
        sizes, years = self.data.sizes, self.data["year"].to_numpy()
        names = self.scenarios
        shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        counts = [f"{sizes[key]} {key}{'' if sizes[key] == 1 else 's'}" for key in ("region", "draw")]
        return f"<Projection: {shown}; {', '.join(counts)}, {years[0]} to {years[-1]}>"

    def table(
        self,
        outcome: str | None = None,
        *,
        region: "str | Sequence[str] | None" = None,
        year: "int | Sequence[int] | None" = None,
    ) -> "pd.DataFrame":
        """Median and 90 % interval by scenario, and of the difference to the baseline in the same draw.

        Parameters
        ----------
        outcome
            One outcome; None takes those that tell of the nation, or of the regions.
        region
            Regions by code or name; None takes the nation, or all regions of an outcome that has them.
        year
            One or several; None takes the last.

        Returns
        -------
        pandas.DataFrame
            One row an outcome, scenario, year and place.

        Raises
        ------
        UnknownName
            If there is no such outcome or region.
        InvalidInput
            If there is no such year.
        """
        from pysd_runner.study.showing import table

        return table(self.data, self.baselines, outcome=outcome, region=region, year=year)

    def plot(self, outcome: str | None = None, *, region: str | None = None, ax: Any = None) -> Any:
        """Fans of an outcome under every scenario over what was observed.

        Parameters
        ----------
        outcome
            None takes the first that tells of the nation, or of the region.
        region
            Code or name; needed for an outcome that has regions.
        ax
            Where to draw; None makes a figure.

        Returns
        -------
        ReportFigure or Axes
            The axes where some were given.
        """
        import pandas as pd

        from pysd_runner.plots.over_time import plot_fan
        from pysd_runner.study.showing import chosen

        values = chosen(self.data, outcome, region)[0]
        if "region" in values.dims and region is None:
            raise InvalidInput(f"{values.name} has regions; name one, as in plot({str(values.name)!r}, region=...)")
        seen = self.history.get(str(values.name))
        if "region" in values.dims:
            values = values.isel(region=0, drop=True)
            seen = None if seen is None else chosen(self.history, str(values.name), region, past=True)[0]
        # Fans are drawn against time, whatever it is called.
        past = None
        if seen is not None:
            points = np.asarray(seen.squeeze(drop=True).to_numpy(), dtype=float)
            past = pd.Series(points, index=seen["year"].to_numpy()).dropna()
        return plot_fan(values.rename({"year": "time"}), past, ax=ax, time_unit="year")

    def to_excel(self, path: str | Path) -> Path:
        """Write a workbook: the nation and all regions in every year, a sheet each."""
        from pysd_runner.export.tables import save_workbook

        years = self.data["year"].to_numpy().tolist()
        codes = self.data["region"].to_numpy().tolist()
        return save_workbook({"nation": self.table(year=years), "regions": self.table(region=codes, year=years)}, path)

    def to_xarray(self) -> "xr.Dataset":
        """The projection as one labelled data set with its provenance."""
        return self.data.assign_attrs(
            {"origin": self.origin, "provenance": json.dumps(self.provenance, ensure_ascii=False)}
        )

    def to_frame(self) -> "pd.DataFrame":
        """The projection as a long table: scenario, draw, region, year, variable, unit, value."""
        from pysd_runner.export import to_long_frame

        return to_long_frame(self.data)

    def save(self, folder: str | Path) -> Path:
        """Write ``projection.nc``, ``history.nc``, ``parameters.nc`` and ``run.json``, each whole or not at all.

        Outcomes are kept to a hundred-thousandth of each, far below what draws differ by.
        """
        from pysd_runner.export import save_netcdf

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        files = [
            save_netcdf(self.data, folder / "projection.nc", relative_error=KEPT_ERROR),
            save_netcdf(self.history, folder / "history.nc"),
        ]
        if self.parameters is not None:
            files.append(save_netcdf(self.parameters.to_dataset(name=PARAMETERS), folder / f"{PARAMETERS}.nc"))
        record = {
            "origin": self.origin,
            "baselines": dict(self.baselines),
            "imputed": list(self.imputed),
            "warnings": list(self.warnings),
            "files": {path.name: file_digest(path) for path in files},
            **self.provenance,
        }
        write_record(folder / RECORD, record, schema=SCHEMA, allow_nan=True, indent=2)
        return folder


def load_projection(folder: str | Path) -> Projection:
    """Read a projection that was saved.

    Parameters
    ----------
    folder
        A results folder.

    Returns
    -------
    Projection
        The one that was saved, its outcomes to a hundred-thousandth.

    Raises
    ------
    InvalidInput
        If the folder does not hold a projection, or a file of it is damaged.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InvalidInput(f"there is no folder {str(folder)!r}; give the folder that `gapsim run` wrote")
    missing = [name for name in ("projection.nc", "history.nc", RECORD) if not (folder / name).is_file()]
    if missing:
        raise InvalidInput(f"{folder} holds no projection: {', '.join(missing)} missing; expected a results folder")
    file = folder / RECORD
    record = read_run_record(file)
    data, history = read_outcomes(folder / "projection.nc"), _read_dataset(folder / "history.nc")
    names = {str(name) for name in data["scenario"].to_numpy()}
    if names != set(record["baselines"]) or not names.issuperset(record["baselines"].values()):
        raise InvalidInput(f"{file}: baselines: expected one for each scenario of projection.nc")
    parameters = _read_parameters(folder / f"{PARAMETERS}.nc", data)
    # Last, so that a file that is no projection at all is told as that.
    check_files(folder, record)
    return Projection(
        data=completed(data),
        history=history,
        parameters=parameters,
        origin=record["origin"],
        baselines=record["baselines"],
        imputed=tuple(record["imputed"]),
        warnings=tuple(record["warnings"]),
        provenance={name: value for name, value in record.items() if name not in Recorded.__slots__},
    )


def read_outcomes(file: Path) -> "xr.Dataset":
    """Read the outcomes of a projection as they were kept."""
    data = _read_dataset(file)
    _check_dataset(data, file)
    return data


def _check_dataset(data: "xr.Dataset", file: Path) -> None:
    """Make sure that coordinates are there, once each, and that what they belong to are numbers."""
    for name in ("scenario", "draw", "region", "year"):
        if name not in data.coords:
            raise InvalidInput(f"{file}: no coordinate {name!r}; expected a projection")
        if data[name].ndim != 1:
            raise InvalidInput(f"{file}: {name}: expected a list; run the scenarios again")
        twice = [value for value, count in Counter(data[name].to_numpy().tolist()).items() if count > 1]
        if twice:
            raise InvalidInput(f"{file}: duplicate {name} {twice[0]!r}; run the scenarios again")
    texts = [name for name, values in data.data_vars.items() if values.dtype.kind not in "fiub"]
    if texts:
        raise InvalidInput(f"{file}: {texts[0]}: expected numbers; run the scenarios again")


def read_run_record(file: Path) -> dict[str, Any]:
    """Read the record of a projection."""
    record = read_record(file, schema=SCHEMA, what="record of a projection", remedy=REMEDY)
    check_entries(Recorded, record, str(file), REMEDY, is_open=True)
    return record


def changed_files(folder: Path, record: Mapping[str, Any]) -> list[str]:
    """Say which files beside the record of a projection are no longer those it was written with."""
    return [
        f"{folder / name} is not the file this run wrote: its hash differs from the one in run.json"
        for name, digest in record.get("files", {}).items()
        if (folder / name).is_file() and file_digest(folder / name) != digest
    ]


def check_files(folder: Path, record: Mapping[str, Any]) -> None:
    """Refuse results of which a file was changed afterwards."""
    for text in changed_files(folder, record):
        raise InvalidInput(text)


def _read_parameters(file: Path, data: "xr.Dataset") -> "xr.DataArray | None":
    """Draws of the parameters, which results of earlier versions do not hold."""
    if not file.is_file():
        return None
    found = _read_dataset(file).get(PARAMETERS)
    if found is None or found.dims != ("parameter", "draw") or not found["draw"].equals(data["draw"]):
        raise InvalidInput(f"{file} does not belong to the projection beside it; run the scenarios again")
    return found


def _read_dataset(file: Path) -> "xr.Dataset":
    from pysd_runner.export import load_netcdf

    try:
        return load_netcdf(file)
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        raise InvalidInput(
            f"{file} cannot be read: {error}; expected the netCDF file of a projection: run the scenarios again"
        ) from error


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ProjectionInputs:
    """What every scenario of a projection starts from.

    Attributes
    ----------
    model
        With as many regions as the panel.
    panel
        Observations up to the origin.
    fitted
        What a calibration found; None for priors.
    baseline
        The forecast without policy; None where the model goes its own way.
    common
        Draws of parameters, start states and shocks.
    bounds
        Origin and last year.
    settings
        What decided the draws.
    """

    model: Model
    panel: Panel
    fitted: FittedParameters | None
    baseline: Baseline | None
    common: CommonDraws
    bounds: tuple[int, int]
    settings: Mapping[str, Any]

    @property
    def spec(self) -> ModelSpec:
        """Declarations of the model."""
        assert self.model.spec is not None  # noqa: S101
        return self.model.spec


def projection_inputs(  # noqa: PLR0913 - a front door
    model: Model,
    panel: Panel,
    fitted: FittedParameters | None = None,
    *,
    until: int = 2040,
    draws: int = 200,
    seed: int = 0,
    origin: int | None = None,
    baseline: Baseline | None = None,
    shocks: bool = True,
    engine: Engine = "auto",
    yuan_per_unit: float = 1.0,
) -> ProjectionInputs:
    """Draw what every scenario of a projection starts from, without running any.

    Parameters
    ----------
    model, panel, fitted, until, draws, seed, origin, baseline, shocks, engine, yuan_per_unit
        As for `project`.

    Returns
    -------
    ProjectionInputs
        The same for the same seed.

    Raises
    ------
    InvalidInput
        As for `project`.
    """
    until, draws, seed = whole("until", until), whole("draws", draws, least=1), whole("seed", seed, least=0)
    _spec(model, panel)
    origin = _origin(panel, baseline.origin if origin is None and baseline is not None else origin, until)
    check_size(model, (origin, until), draws)
    if fitted is not None:
        check_fit(fitted, model, origin)
    seen = panel.subset(years=range(panel.years[0], origin + 1))
    common = common_draws(
        model,
        seen,
        fitted,
        baseline,
        bounds=(origin, until),
        draws=draws,
        seed=seed,
        shocks=shocks,
        yuan_per_unit=yuan_per_unit,
        engine=engine,
    )
    settings = {
        "until": until,
        "draws": draws,
        "seed": seed,
        "origin": origin,
        "shocks": shocks,
        "yuan_per_unit": yuan_per_unit,
    }
    return ProjectionInputs(
        model=model,
        panel=seen,
        fitted=fitted,
        baseline=baseline,
        common=common,
        bounds=(origin, until),
        settings=settings,
    )


def project(  # noqa: PLR0913 - a front door
    model: Model,
    panel: Panel,
    scenarios: "Scenarios",
    fitted: FittedParameters | None = None,
    *,
    until: int = 2040,
    draws: int = 200,
    seed: int = 0,
    origin: int | None = None,
    baseline: Baseline | None = None,
    shocks: bool = True,
    engine: Engine = "auto",
    yuan_per_unit: float = 1.0,
    progress: Callable[[int], None] | None = None,
    inspect: Callable[[Run], None] | None = None,
    also: Sequence[str] = (),
) -> Projection:
    """Project the gaps of a panel under some scenarios.

    Every path starts from the state observed at the origin. A draw is one vector of parameters and one path of shocks
    to regional growth. With a baseline the shocks are those with which the run without policy is a draw of that
    forecast, so that levels are forecasts; without one they are as large as those of the past, and levels are paths of
    the model. All scenarios share the draws: the difference to the baseline has a band of its own, much narrower than
    the level's.
    A scenario with other assumptions keeps the shocks of the world as it is; its own baseline departs from the forecast
    by what the assumption does.

    Parameters
    ----------
    model
        A model with declarations, with as many regions as the panel.
    panel
        Observations.
    scenarios
        Scenarios, names of shipped ones, or dictionaries as `load_scenario` takes them; a single one stands for
        itself. Baselines, and what a scenario must be compared with, are added.
    fitted
        What a calibration found; None takes every parameter from its prior.
    until
        Last year.
    draws
        Number of draws; 1 gives central values without shocks. More draws keep those there were.
    seed
        Decides every draw, a whole number from 0; the same seed gives the same numbers.
    origin
        Last year that may be used; None takes that of the baseline, or else the last one in which every region has
        output.
    baseline
        The forecast without policy; None lets the model go its own way.
    shocks
        Without a baseline, whether regional growth is disturbed as in the past.
    engine
        ``"numpy"`` or ``"pysd"``.
    yuan_per_unit
        Value of one unit of the panel's currency in yuan.
    progress
        Called with the number of draws finished.
    inspect
        Called with the simulation of all scenarios, for instance to apply behaviour rules to it.
    also
        Variables the simulation saves for `inspect`, besides the outcomes.

    Returns
    -------
    Projection
        Outcomes of every scenario.

    Raises
    ------
    InvalidInput
        If the years, the draws or the regions do not fit, or the fit saw another model or years after the origin.
    SimulationFailed
        If a case is not finite.
    """
    from pysd_runner.study.labelling import history_dataset, parameters_of, projection_dataset, with_sources

    inputs = projection_inputs(
        model,
        panel,
        fitted,
        until=until,
        draws=draws,
        seed=seed,
        origin=origin,
        baseline=baseline,
        shocks=shocks,
        engine=engine,
        yuan_per_unit=yuan_per_unit,
    )
    spec, common, seen = inputs.spec, inputs.common, inputs.panel
    origin, until = inputs.bounds
    cast = with_comparisons(_asked(scenarios, model), model=model)
    values = {**common.values, **scenario_values(cast, model, panel, common.values, (origin, until))}
    run = simulate(
        model,
        values,
        start=origin,
        stop=until,
        save_every=1,
        outcomes=[*_outcomes(spec, model), *also],
        engine=engine,
        progress=progress,
    )
    if inspect is not None:
        inspect(run)
    has_population = common.inputs.has_population
    data = projection_dataset(run, spec, panel, cast, yuan_per_unit=yuan_per_unit, has_population=has_population)
    data = with_sources(data.assign_coords(draw=list(common.draws)), common.sources)
    return Projection(
        data=data,
        parameters=parameters_of(common.parameters, data["draw"].to_numpy()),
        history=history_dataset(seen),
        origin=origin,
        baselines={item.name: item.baseline_name for item in cast},
        imputed=tuple(str(item) for item in common.inputs.imputed),
        warnings=(*_on_baseline(baseline, common, panel), *_warnings(fitted, panel, cast, common.inputs)),
        provenance={
            **_provenance(_made(run, model), panel, cast, fitted, inputs.settings),
            "baseline": None if baseline is None else _followed(baseline, common),
        },
    )


def _followed(baseline: Baseline, common: CommonDraws) -> dict[str, Any]:
    """Which forecast the run without policy is, and what it took to follow it."""
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


def _on_baseline(baseline: Baseline | None, common: CommonDraws, panel: Panel) -> list[str]:
    """What a reader must know about the run without policy."""
    if baseline is None:
        return [
            "The run without policy is the path of the model, not a forecast: compare scenarios, do not quote levels."
        ]
    found = []
    if baseline.panel_sha256 != panel.sha256:
        found.append(f"The baseline was made from panel {baseline.panel!r} with other values than this one's.")
    left = len(common.implied.found) - len(common.draws) if common.implied is not None else 0
    if left:
        found.append(f"{left} draws of the model cannot follow the forecast and were left out; run.json lists them.")
    return found


def _asked(scenarios: "Scenarios", model: Model) -> list[Scenario]:
    several = [scenarios] if isinstance(scenarios, str | Scenario | Mapping) else list(scenarios)
    if not several:
        raise InvalidInput("no scenario was given; name at least one, for instance 'baseline'")
    for item in several:
        if not isinstance(item, str | Scenario | Mapping):
            raise InvalidInput(f"scenarios must be names, dictionaries or Scenario objects; found {item!r}")
    return [item if isinstance(item, Scenario) else load_scenario(item, model=model) for item in several]


def _spec(model: Model, panel: Panel) -> ModelSpec:
    count = len(model.ranges[model.bindings.ranges.region])
    if count != len(panel.regions):
        raise InvalidInput(
            f"the model has {count} regions, panel {panel.name!r} has {len(panel.regions)}; "
            f"load it with load_model({model.name!r}, regions={len(panel.regions)})"
        )
    assert model.spec is not None  # noqa: S101
    return model.spec


def last_origin(panel: Panel) -> int:
    """Last year in which every region of a panel has output per head."""
    complete = np.isfinite(panel["output_per_head"]).all(axis=0)
    if not complete.any():
        raise InvalidPanel(
            f"panel {panel.name!r} has no year in which every region has output per head; leave regions out"
        )
    return panel.years[int(np.flatnonzero(complete)[-1])]


def _origin(panel: Panel, origin: int | None, until: int) -> int:
    origin = whole("origin", last_origin(panel) if origin is None else origin)
    if origin not in panel.years:
        raise InvalidInput(f"panel {panel.name!r} has no year {origin}; it has {panel.years[0]} to {panel.years[-1]}")
    if until <= origin:
        raise InvalidInput(f"until must lie after the origin; found until {until}, origin {origin}")
    return origin


def check_size(model: Model, bounds: tuple[int, int], draws: int, scenarios: int = 1) -> None:
    """Refuse years too far ahead and results that no memory holds, before anything is drawn."""
    origin, until = bounds
    check_ahead(until, origin)
    assert model.spec is not None  # noqa: S101
    shapes = [model.ir.shape(model.ir.variables[name].dims) for name in _outcomes(model.spec, model)]
    saved = sum(map(math.prod, shapes)) * (until - origin + 1) * scenarios * draws
    needed, available = 8 * COPIES * saved, machine_bytes()
    if needed > available:
        raise InvalidInput(
            f"this run would need about {needed / 1e9:.0f} GB of memory, the machine has {available / 1e9:.0f}: take "
            f"fewer draws ({draws}), scenarios ({scenarios}), regions or outcomes ({len(shapes)})"
        )


def _outcomes(spec: ModelSpec, model: Model) -> list[str]:
    kept = [
        item.variable
        for item in spec.outcomes.values()
        if item.key in BY_LEVER or set(model.variables[item.variable].dims) <= {model.bindings.ranges.region}
    ]
    return list(dict.fromkeys(kept))


def _warnings(
    fitted: FittedParameters | None, panel: Panel, scenarios: Sequence[Scenario], inputs: RegionInputs
) -> tuple[str, ...]:
    found = [
        "Effects of digital policy on output rest on priors from the literature passed through the structure; "
        "panels like this one say almost nothing about them.",
        "Unit costs of the levers are judgement and decide their ranking.",
    ]
    if fitted is None:
        found.append("No calibration was given: every parameter is drawn from its prior.")
    else:
        found += panel_differences(fitted, panel)
        found += _untrusted_draws(fitted)
    if not inputs.has_population:
        found.append(
            "The panel has no population: totals, shares, the Theil index, gaps of the nation and of classes, and all "
            "else that is weighted by population are left out."
        )
    if "current" in panel.price_basis.casefold():
        found.append("The panel is in current prices: relative prices of regions are part of the gaps.")
    for item in scenarios:
        start = item.policy.start
        if item.policy.spends and start is not None and start <= inputs.year:
            found.append(
                f"{item.name}: its policy starts in {start:g}, not after the last observed year {inputs.year}; "
                f"it acts from {inputs.year} on, and nothing of it before that is simulated."
            )
    found += inputs.warnings
    found += [f"{item.name}: {text}" for item in scenarios for text in item.warnings]
    return tuple(found)


def _untrusted_draws(fitted: FittedParameters) -> list[str]:
    """A warning if the draws of the fit come from a sampler that had not converged."""
    sampling = fitted.provenance.get("sampling")
    if not fitted.draws or sampling is None or sampling["is_trusted"]:
        return []
    return [
        "THE PARAMETERS ARE DRAWN FROM A POSTERIOR SAMPLE THAT HAS NOT CONVERGED (largest R-hat "
        f"{sampling['rhat']:.3f}, smallest effective sample size {sampling['ess']:.0f}): do not quote intervals."
    ]


def recorded_model(provenance: Mapping[str, Any]) -> str:
    """What `load_model` loads the model of a projection by: its name where it ships, else the path of its file."""
    made = provenance["simulation"]
    return str(made.get("model_file", made["model"]))


def _made(run: Run, model: Model) -> dict[str, Any]:
    """How a run was made, with the file of a model that does not ship."""
    return {**run.provenance, **({} if is_shipped(model.source) else {"model_file": model.source})}


def _provenance(
    made: Mapping[str, Any],
    panel: Panel,
    scenarios: Sequence[Scenario],
    fitted: FittedParameters | None,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    packages = ("gapsim", "pysd", "numpy", "scipy", "pandas", "xarray")
    return {
        "settings": dict(settings),
        "simulation": dict(made),
        "panel": {"name": panel.name, "sha256": panel.sha256},
        "scenarios": [item.to_dict() for item in scenarios],
        # Draws of the posterior would make the record many times as long; they stand in the file of the fit.
        "fitted": None if fitted is None else dataclasses.asdict(dataclasses.replace(fitted, draws=())),
        "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in packages}},
    }
