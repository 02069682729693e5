"""Reduce a projection for storage, and recompute the dropped outcomes when it is read."""

import json
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pysd_runner.core.errors import Message, suggest
from pysd_runner.export.layout import rounded
from pysd_runner.indicators import INDICATORS, gap_to_leader
from pysd_runner.indicators.labelled import Totals

Array = NDArray[np.float64]

# Relative rounding error of stored outcomes, which reduces files to a third of the size.
KEPT_ERROR = 1e-5
# Outcomes stored by region and draw; those of all stages of the model would be eight times as large.
KEPT = ("output_per_head", "population")
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
# File names: the record of a regional projection; the record and the outcomes of any other projection.
RECORD, FUTURE, DATA = "run.json", "future.json", "future.nc"
SCHEMA = 1

_DIMS = ("scenario", "draw", "region", "year")
_REGION = _DIMS.index("region")
# Tolerance between an outcome of the model and its recomputed value.
_CLOSE = 1e-6


def headline(data: xr.Dataset) -> xr.Dataset:
    """Reduce outcomes for storage, rounded: all of the nation and of classes, `KEPT` by region and draw."""
    found = _computed(data, data)
    follows = {
        name: data[name].attrs
        for name, values in found.items()
        if name in data and np.allclose(values, data[name].transpose(*_DIMS), rtol=_CLOSE, atol=_CLOSE)
    }
    others = [
        name
        for name, values in data.data_vars.items()
        if {"region", "draw"} <= set(values.dims) and name not in KEPT and (name in follows or name not in found)
    ]
    return rounded(data.drop_vars(others), KEPT_ERROR).assign_attrs({COMPUTED: json.dumps(follows, ensure_ascii=False)})


def completed(data: xr.Dataset) -> xr.Dataset:
    """Add the outcomes that can be recomputed from the stored ones."""
    follows = computed(data)
    missing = [name for name in follows if name not in data]
    if not missing:
        return data
    found = _computed(data, follows)
    added = xr.Dataset({name: (_DIMS, found[name], follows[name]) for name in missing})
    return data.assign(rounded(added, KEPT_ERROR).data_vars)


def computed(data: xr.Dataset) -> Mapping[str, Any]:
    """Outcomes that are recomputed rather than stored, with the attributes of each."""
    return dict(json.loads(data.attrs.get(COMPUTED, "{}")))


def _computed(data: xr.Dataset, names: Iterable[Hashable]) -> dict[str, Array]:
    """Compute outcomes from output per head and, if available, population; `names` selects the regional indicators."""
    heads = data["output_per_head"].transpose(*_DIMS).to_numpy().astype(float)
    found = {"gap_to_leader": gap_to_leader(heads, axis=_REGION)}
    if "population" not in data:
        return found
    people = data["population"].transpose(*_DIMS).to_numpy().astype(float)
    totals = Totals(output=heads * people, people=people, axis=_REGION)
    wanted = {str(name) for name in names} - found.keys() | {"relative_output"}
    of_regions = {
        name: item.of(totals) for name, item in INDICATORS.items() if item.over == "region" and name in wanted
    }
    relative = of_regions["relative_output"]
    return found | {"output": totals.output, "relative_output": relative, "log_gap": np.log(relative)} | of_regions


def unknown(data: xr.Dataset, name: str) -> str:
    """Error message for a missing outcome."""
    people = ": that needs the population of every region, which the panel lacks"
    if "population" not in data and name in {*WEIGHTED, *ADDED, "laggard_gap"}:
        return f"the projection has no outcome {name!r}{people}"
    kept = "; written results keep draws of output and gaps, and a new projection has the rest"
    return Message(
        "the projection has no outcome {name!r}{kept}.{suggestion}",
        name=name,
        kept=kept * (COMPUTED in data.attrs),
        suggestion=suggest(name, map(str, data)),
    )
