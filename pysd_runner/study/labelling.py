"""Labelled arrays of a projection and of observed history: those that are stored, and those computed on reading."""

import json
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pysd_runner.core.errors import Message, suggest
from pysd_runner.core.types import Arrays, Flags, Record, Texts, frozen
from pysd_runner.data import Data, Entity
from pysd_runner.export.layout import rounded
from pysd_runner.indicators import INDICATORS, gap_to_leader, indicators_of
from pysd_runner.indicators.labelled import Totals
from pysd_runner.indicators.relative import laggards, mean_log_gap
from pysd_runner.model import Model
from pysd_runner.scenarios import Scenario
from pysd_runner.simulation import Run
from pysd_runner.spec.design import KEPT_ERROR, StudyDesign
from pysd_runner.study.equations import Expression
from pysd_runner.study.inputs import ProjectionInputs
from pysd_runner.text import LANGUAGES


@frozen
class SavedOutcome:
    """A variable of a run under its name in results: attributes of its array, and the factor of its unit."""

    variable: str
    attrs: Texts = field(default_factory=dict)
    rate: float = 1.0


def labelled(
    run: Run, cast: Sequence[Scenario], inputs: ProjectionInputs, saved: Mapping[str, SavedOutcome]
) -> xr.Dataset:
    """Data set of the outcomes of a run, dimensions (scenario, draw, axes..., time); NaN where a draw failed."""
    design, sizes = inputs.design, (len(cast), len(inputs.common.draws))
    failed = np.broadcast_to(run.failed, sizes)
    arrays: dict[str, xr.DataArray] = {}
    for name, item in saved.items():
        values = run.data[item.variable]
        # Nothing is copied where nothing changes: the arrays are most of the memory of a projection.
        if item.rate != 1 or failed.any() or values.shape[:2] != sizes:
            values = np.broadcast_to(values, (*sizes, *values.shape[2:])) / item.rate
            values[failed] = np.nan
        dims = ["scenario", "draw", *(design.axes.get(dim, dim) for dim in run.dims[item.variable]), design.time]
        found = xr.DataArray(values, dims=dims, attrs=item.attrs or {"units": run.units[item.variable]})
        # With a lever axis, arrays are several times as large, so only the mean over draws is kept.
        if not set(dims).isdisjoint(design.averaged):
            found = xr.concat([part.mean("draw", keep_attrs=True) for part in _by_scenario(found)], "scenario")
        arrays[name] = found
    used = sorted({dim for item in saved.values() for dim in run.dims[item.variable]})
    coords: dict[str, Any] = {design.axes.get(dim, dim): list(run.ranges[dim]) for dim in used}
    coords |= {"scenario": [item.name for item in cast], "draw": list(inputs.common.draws)}
    coords |= {f"label_{lang}": ("scenario", [item.label.get(lang, item.name) for item in cast]) for lang in LANGUAGES}
    coords[design.time] = inputs.calendar.axis(run.years, run.time_unit, name=design.time)
    dataset = xr.Dataset(arrays, coords={**coords, **entity_coordinates(inputs.regions, design)})
    for pair in design.totals:
        dataset = _with_indicators(dataset, pair, _classes(inputs.regions))
    return with_sources(dataset, inputs.common.sources)


def with_formulas(
    outcomes: xr.Dataset, formulas: Mapping[str, tuple[Expression, str, str]], years: Any, seen: Data | None
) -> xr.Dataset:
    """Outcomes with the values of formulas; a flow is the total over the usual interval of its column.

    `years` are the times of the outcomes in the unit of the model, as are those of the observations.
    """
    for name, (formula, kind, column) in formulas.items():
        first = outcomes[formula.variables[0]]
        sizes = (outcomes.sizes["scenario"] * outcomes.sizes["draw"],)
        arrays = {item: outcomes[item].to_numpy() for item in formula.variables}
        values = formula.value({item: array.reshape(sizes + array.shape[2:]) for item, array in arrays.items()})
        unit = str(first.attrs.get("units", ""))
        if kind != "level" and seen is not None:
            watched = seen.column(column)
            times = seen.times[np.isfinite(watched.values)]
            values, unit = _totals(values, years, float(np.median(np.diff(times))), kind), watched.unit
        shape = tuple(outcomes.sizes[dim] for dim in ("scenario", "draw", "time"))
        outcomes[name] = (("scenario", "draw", "time"), values.reshape(shape), {"units": unit})
    return outcomes


def _totals(rates: Any, times: Any, spacing: float, kind: str) -> Any:
    """Totals of rates since the start, or over the interval before each time; NaN where it begins before the start."""
    steps = np.diff(times) * (rates[:, 1:] + rates[:, :-1]) / 2
    whole = np.concatenate([np.zeros((len(rates), 1)), np.cumsum(steps, axis=1)], axis=1)
    if kind == "cumulative":
        return whole
    before = np.stack([np.interp(times - spacing, times, row, left=np.nan) for row in whole])
    return whole - before


def with_sources(dataset: xr.Dataset, sources: Sequence[str]) -> xr.Dataset:
    """Record the sources of uncertainty in the attributes of every outcome, for plots."""
    if not sources:
        return dataset
    mark = {"includes": ",".join(sources)}
    marked = {name: values.assign_attrs(mark) for name, values in dataset.data_vars.items()}
    return dataset.assign(marked).assign_attrs(mark)


def parameters_of(parameters: Arrays, draws: NDArray[np.int64]) -> xr.DataArray:
    """Array of the draws of every parameter, dimensions (parameter, draw)."""
    values = [np.broadcast_to(drawn, draws.shape) for drawn in parameters.values()]
    return xr.DataArray(values, dims=["parameter", "draw"], coords={"parameter": list(parameters), "draw": draws})


def history_dataset(inputs: ProjectionInputs) -> xr.Dataset:
    """Data set of the observed series of entities and the indicators computed from them; empty without entities."""
    found = xr.Dataset()
    for panel in inputs.past:
        found = _history(panel, inputs.design)
    return found


def _history(panel: Data, design: StudyDesign) -> xr.Dataset:
    coords = {"year": list(panel.years), **entity_coordinates(panel.regions, design)}
    arrays = {
        name: xr.DataArray(panel.array(name), dims=["region", "year"], attrs={"units": panel.units[name]})
        for name in panel.variables
    }
    dataset = xr.Dataset(arrays, coords=coords)
    if "population" not in panel or "output" not in panel:
        if "output_per_head" not in panel:
            return dataset
        gaps = gap_to_leader(panel.array("output_per_head"), axis=0)
        return dataset.assign(gap_to_leader=(("region", "year"), gaps, {"units": "Dmnl"}))
    output, population = dataset["output"], dataset["population"]
    found = indicators_of(output, population, classes=_classes(panel.regions))
    dataset = dataset.assign({name: found[name] for name in found if name not in dataset})
    last = [values.isel(year=-1).to_numpy() for values in (output, population)]
    if not np.isfinite(last).all():
        return dataset
    return _with_laggards(dataset, output.drop_vars("group"), population.drop_vars("group"), laggards(last[0], last[1]))


def entity_coordinates(entities: Sequence[Entity], design: StudyDesign) -> Record:
    """Codes, names, classes and tile-map positions of entities, as coordinates."""
    return {name: (design.entity, [getattr(item, own) for item in entities]) for name, own in design.labels.items()}


def _classes(entities: Sequence[Entity]) -> list[str] | None:
    groups = [item.group for item in entities]
    return groups if all(groups) else None


def _by_scenario(values: xr.DataArray) -> list[xr.DataArray]:
    """Parts with one scenario each, so that what is computed from them is small."""
    return [values.isel(scenario=[place]) for place in range(values.sizes["scenario"])]


def _with_indicators(dataset: xr.Dataset, pair: tuple[str, str], classes: Sequence[str] | None) -> xr.Dataset:
    """Add the indicators of output and population, where outcomes have both."""
    if not set(pair) <= set(dataset.data_vars):
        return dataset
    output, population = (dataset[name].drop_vars("group") for name in pair)
    pairs = zip(_by_scenario(output), _by_scenario(population), strict=True)
    found = xr.concat([indicators_of(*part, classes=classes, names=ADDED) for part in pairs], "scenario")
    dataset = dataset.assign({name: found[name] for name in ADDED if name in found})
    first = [values.isel(scenario=0, draw=0, year=0).to_numpy() for values in (output, population)]
    return _with_laggards(dataset, output, population, laggards(first[0], first[1]))


def _with_laggards(dataset: xr.Dataset, output: xr.DataArray, population: xr.DataArray, behind: Flags) -> xr.Dataset:
    """Add the mean log gap of the regions that were below the mean in the last observed year, if there are any."""
    if not behind.any():
        return dataset
    axis = output.get_axis_num("region")
    gap = 100 * mean_log_gap(output.to_numpy(), population.to_numpy(), behind, axis=axis)
    template = output.isel(region=0, drop=True).drop_vars(["name_en", "name_zh", "row", "column"], errors="ignore")
    attrs = {"units": "log points x100", "long_name": "mean log gap of the regions below the mean"}
    return dataset.assign(laggard_gap=template.copy(data=gap).assign_attrs(attrs))


# Outcomes stored by region and draw; those of all stages of the model would be eight times as large.
SAVED_BY_REGION = ("output_per_head", "population")
# Attribute of the data set that lists the outcomes to recompute, with the attributes of each.
COMPUTED = "computed"
# Indicators that a projection adds to the outcomes of the model.
ADDED = tuple(name for name, item in INDICATORS.items() if item.in_results)

# Outcomes that need population data: totals, shares and population-weighted indicators.
WEIGHTED = (
    "output",
    "population",
    "relative_output",
    "log_gap",
    "output_share",
    "population_share",
    "skilled_people_share",
    "theil",
    "national_output",
    "national_output_per_head",
    "national_access",
    "national_skills",
    "policy_budget",
    "budget_share",
    "lever_budget",
)

PARAMETERS = "parameters"
# File names of a saved projection: its record, its outcomes, and the data that observe them.
RECORD, OUTCOMES, OBSERVED, COMPARED = "run.json", "projection.nc", "observed.csv", "compared.nc"
SCHEMA = 1

# Number of draws for which outcomes are recomputed at once.
DRAWS_AT_ONCE = 256

_DIMS = ("scenario", "draw", "region", "year")
_REGION = _DIMS.index("region")
# Tolerance between an outcome of the model and its recomputed value.
_TOLERANCE = 1e-6


def not_stored(design: StudyDesign, model: Model) -> list[str]:
    """Outcomes by region and draw that `headline` drops and `completed` cannot compute again."""
    by_region = (name for name, item in INDICATORS.items() if item.over == "region")
    known = {*SAVED_BY_REGION, "output", "log_gap", *by_region}
    axes = (design.ranges.region,)
    found = [name for name, item in design.outcomes.items() if model.variables[item.variable].dims == axes]
    return [name for _ in design.totals for name in found if name not in known]


def headline(data: xr.Dataset, design: StudyDesign) -> xr.Dataset:
    """Reduce outcomes for storage by those that follow from the totals of entities, if there are any."""
    for _, people in design.totals:
        data = _headline(data, people)
    return data


def _headline(data: xr.Dataset, people: str) -> xr.Dataset:
    """Outcomes for storage, rounded: all of the nation and of classes, `SAVED_BY_REGION` by region and draw."""
    agreed = [_agreement(data.isel(place), people) for place in _blocks(data)]
    found = agreed[0]
    follows = {name: data[name].attrs for name in found if all(part[name] for part in agreed)}
    others = [
        name
        for name, values in data.data_vars.items()
        if {"region", "draw"} <= set(values.dims)
        and name not in SAVED_BY_REGION
        and (name in follows or name not in found)
    ]
    return rounded(data.drop_vars(others), KEPT_ERROR).assign_attrs({COMPUTED: json.dumps(follows, ensure_ascii=False)})


def _agreement(data: xr.Dataset, people: str) -> dict[str, bool]:
    """Whether outcomes that can be recomputed are those of the model, by name."""
    return {
        name: name in data and np.allclose(values, data[name].transpose(*_DIMS), rtol=_TOLERANCE, atol=_TOLERANCE)
        for name, values in _computed(data, data, people).items()
    }


def completed(data: xr.Dataset) -> xr.Dataset:
    """Add the outcomes that can be recomputed from the stored ones."""
    follows = computed(data)
    missing = [name for name in follows if name not in data]
    if not missing:
        return data
    shape = tuple(data.sizes[dim] for dim in _DIMS)
    arrays = {name: np.empty(shape, dtype=np.float32) for name in missing}
    for place in _blocks(data):
        found = _computed(data.isel(place), follows)
        part = rounded(xr.Dataset({name: (_DIMS, found[name]) for name in missing}), KEPT_ERROR)
        for name, array in arrays.items():
            array[place["scenario"], place["draw"]] = part[name].to_numpy()
    return data.assign({name: (_DIMS, array, follows[name]) for name, array in arrays.items()})


def _blocks(data: xr.Dataset) -> Iterator[dict[str, slice]]:
    """Places of a few draws of one scenario each: what is computed on the way stays small."""
    for scenario in range(data.sizes["scenario"]):
        for draw in range(0, data.sizes["draw"], DRAWS_AT_ONCE):
            yield {"scenario": slice(scenario, scenario + 1), "draw": slice(draw, draw + DRAWS_AT_ONCE)}


def computed(data: xr.Dataset) -> Record:
    """Outcomes that are recomputed rather than stored, with the attributes of each."""
    return dict(json.loads(data.attrs.get(COMPUTED, "{}")))


def _computed(data: xr.Dataset, names: Iterable[Hashable], population: str = "population") -> Arrays:
    """Compute outcomes from output per head and, if available, population; `names` selects the regional indicators."""
    heads = data["output_per_head"].transpose(*_DIMS).to_numpy().astype(float)
    found = {"gap_to_leader": gap_to_leader(heads, axis=_REGION)}
    if population not in data:
        return found
    people = data[population].transpose(*_DIMS).to_numpy().astype(float)
    totals = Totals(output=heads * people, people=people, axis=_REGION)
    wanted = {str(name) for name in names} - found.keys() | {"relative_output"}
    of_regions = {
        name: item.of(totals) for name, item in INDICATORS.items() if item.over == "region" and name in wanted
    }
    relative = of_regions["relative_output"]
    return found | {"output": totals.output, "relative_output": relative, "log_gap": np.log(relative)} | of_regions


def unknown(data: xr.Dataset, name: str, design: StudyDesign) -> str:
    """Error message for a missing outcome."""
    lacks_people = any(people not in data for _, people in design.totals)
    if lacks_people and name in {*WEIGHTED, *ADDED, "laggard_gap"}:
        return Message(
            "the projection has no outcome {name!r}: that needs the population of every region, which the panel lacks",
            name=name,
        )
    kept = Message("; written results keep draws of output and gaps, and a new projection has the rest")
    return Message(
        "the projection has no outcome {name!r}{kept}.{suggestion}",
        name=name,
        kept=kept if COMPUTED in data.attrs else "",
        suggestion=suggest(name, map(str, data)),
    )
