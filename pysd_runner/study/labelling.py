"""Label the arrays of a projection, and of the observed history, with names, units and coordinates."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pysd_runner.data import Data
from pysd_runner.indicators import indicators_of
from pysd_runner.indicators.relative import laggards, mean_log_gap
from pysd_runner.scenarios import Scenario
from pysd_runner.simulation import Run
from pysd_runner.spec import ModelSpec
from pysd_runner.study.keeping import ADDED, WEIGHTED

# Unit of money in the declarations of a model.
MONEY = "Yuan"


def projection_dataset(
    run: Run,
    spec: ModelSpec,
    panel: Data,
    scenarios: Sequence[Scenario],
    *,
    yuan_per_unit: float = 1.0,
    has_population: bool = True,
) -> xr.Dataset:
    """Data set of the declared outcomes of a regional run, by key, with indicators by class."""
    assert spec.bindings is not None  # noqa: S101
    ranges = spec.bindings.ranges
    axes = {ranges.region: "region", ranges.lever: "lever", ranges.policy_class: "class"}
    arrays: dict[str, xr.DataArray] = {}
    draws = max(values.shape[1] for values in run.data.values())
    for name, outcome in spec.outcomes.items():
        if outcome.variable not in run.data:
            continue
        values = run.data[outcome.variable]
        values = np.broadcast_to(values, (len(scenarios), draws, *values.shape[2:]))
        dims = ["scenario", "draw", *(axes.get(dim, dim.lower()) for dim in run.dims[outcome.variable]), "year"]
        unit = outcome.unit.replace(MONEY, panel.currency)
        values = values / yuan_per_unit if MONEY in outcome.unit else values
        attrs = {"units": unit, "long_name": outcome.en, "long_name_zh": outcome.zh}
        found = xr.DataArray(values, dims=dims, attrs=attrs)
        # With a lever axis, arrays are several times as large, so only the mean over draws is kept.
        arrays[name] = found.mean("draw", keep_attrs=True) if "lever" in dims else found
    coords = {
        "scenario": [item.name for item in scenarios],
        "label_en": ("scenario", [item.label.get("en", item.name) for item in scenarios]),
        "label_zh": ("scenario", [item.label.get("zh", item.name) for item in scenarios]),
        "draw": np.arange(draws),
        "year": np.round(run.years).astype(int),
        **region_coordinates(panel),
    }
    if any("lever" in values.dims for values in arrays.values()):
        coords["lever"] = list(run.ranges[ranges.lever])
    dataset = xr.Dataset(arrays, coords=coords)
    if not has_population:
        return dataset.drop_vars(WEIGHTED, errors="ignore")
    return _with_classes(dataset, dataset["output"], dataset["population"], panel)


def any_dataset(run: Run, scenarios: Sequence[Scenario], draws: int) -> xr.Dataset:
    """Data set of the outcomes of a run of any model; NaN where a draw failed."""
    arrays = {}
    for name, values in run.data.items():
        full = np.broadcast_to(values, (len(scenarios), draws, *values.shape[2:])).copy()
        full[np.broadcast_to(run.failed, (len(scenarios), draws))] = np.nan
        dims = ["scenario", "draw", *run.dims[name], "time"]
        arrays[name] = xr.DataArray(full, dims=dims, attrs={"units": run.units[name]})
    used = {dim for dims in (run.dims[name] for name in run.data) for dim in dims}
    coords: dict[str, Any] = {dim: list(run.ranges[dim]) for dim in sorted(used)}
    coords |= {"scenario": [item.name for item in scenarios], "draw": np.arange(draws)}
    coords["time"] = ("time", run.years, {"units": run.time_unit} if run.time_unit else {})
    return xr.Dataset(arrays, coords=coords)


def with_sources(dataset: xr.Dataset, sources: Sequence[str]) -> xr.Dataset:
    """Record the sources of uncertainty in the attributes of every outcome, for plots."""
    mark = {"includes": ",".join(sources)}
    marked = {name: values.assign_attrs(mark) for name, values in dataset.data_vars.items()}
    return dataset.assign(marked).assign_attrs(mark)


def parameters_of(parameters: Mapping[str, NDArray[np.float64]], draws: NDArray[np.int64]) -> xr.DataArray:
    """Array of the draws of every parameter, dimensions (parameter, draw)."""
    values = [np.broadcast_to(drawn, draws.shape) for drawn in parameters.values()]
    return xr.DataArray(values, dims=["parameter", "draw"], coords={"parameter": list(parameters), "draw": draws})


def history_dataset(panel: Data) -> xr.Dataset:
    """Data set of the observed series of a panel and the indicators computed from them."""
    coords = {"year": list(panel.years), **region_coordinates(panel)}
    arrays = {
        name: xr.DataArray(panel.array(name), dims=["region", "year"], attrs={"units": panel.units[name]})
        for name in panel.variables
    }
    dataset = xr.Dataset(arrays, coords=coords)
    if "population" not in panel or "output" not in panel:
        return dataset
    output, population = dataset["output"], dataset["population"]
    found = indicators_of(output, population, classes=_classes(panel))
    dataset = dataset.assign({name: found[name] for name in found if name not in dataset})
    last = [values.isel(year=-1).to_numpy() for values in (output, population)]
    if not np.isfinite(last).all():
        return dataset
    return _with_laggards(dataset, output.drop_vars("group"), population.drop_vars("group"), laggards(last[0], last[1]))


def region_coordinates(panel: Data) -> dict[str, Any]:
    """Codes, names, classes and tile-map positions of the regions of a panel, as coordinates."""
    regions = panel.regions
    return {
        "region": [item.code for item in regions],
        "name_en": ("region", [item.name_en for item in regions]),
        "name_zh": ("region", [item.name_zh for item in regions]),
        "group": ("region", [item.group for item in regions]),
        "row": ("region", [item.row for item in regions]),
        "column": ("region", [item.column for item in regions]),
    }


def _classes(panel: Data) -> list[str] | None:
    groups = [item.group for item in panel.regions]
    return groups if all(groups) else None


def _with_classes(dataset: xr.Dataset, output: xr.DataArray, population: xr.DataArray, panel: Data) -> xr.Dataset:
    output, population = output.drop_vars("group"), population.drop_vars("group")
    found = indicators_of(output, population, classes=_classes(panel))
    dataset = dataset.assign({name: found[name] for name in ADDED if name in found})
    first = [values.isel(scenario=0, draw=0, year=0).to_numpy() for values in (output, population)]
    return _with_laggards(dataset, output, population, laggards(first[0], first[1]))


def _with_laggards(
    dataset: xr.Dataset, output: xr.DataArray, population: xr.DataArray, behind: NDArray[np.bool_]
) -> xr.Dataset:
    """Add the mean log gap of the regions that were below the mean in the last observed year, if there are any."""
    if not behind.any():
        return dataset
    axis = output.get_axis_num("region")
    gap = 100 * mean_log_gap(output.to_numpy(), population.to_numpy(), behind, axis=axis)
    template = output.isel(region=0, drop=True).drop_vars(["name_en", "name_zh", "row", "column"], errors="ignore")
    attrs = {"units": "log points x100", "long_name": "mean log gap of the regions below the mean"}
    return dataset.assign(laggard_gap=template.copy(data=gap).assign_attrs(attrs))
