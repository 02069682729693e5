"""A projection as tables: levels and differences by scenario and region; several runs as one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pysd_runner.core.errors import InvalidInput, UnknownName, suggest
from pysd_runner.study.keeping import unknown

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

ENDS = (0.05, 0.5, 0.95)
# What a region, and what the nation is told by.
OF_REGIONS, OF_NATION = ("relative_output", "gap_to_leader"), ("laggard_gap", "theil", "national_gap", "sigma")
BETWEEN = ": "


def region_code(data: "xr.Dataset", text: str) -> str:
    """Code of a region by code or name."""
    columns = [data[name].to_numpy().astype(str) for name in ("region", "name_en", "name_zh")]
    for column in columns:
        found = np.flatnonzero(np.char.lower(column) == text.casefold())
        if found.size:
            return str(columns[0][found[0]])
    known = [str(name) for column in columns for name in column if name]
    raise UnknownName(f"the projection has no region {text!r}.{suggest(text, known)}")


def chosen(
    data: "xr.Dataset", outcome: str | None, region: str | Sequence[str] | None, *, past: bool = False
) -> "list[xr.DataArray]":
    """Outcomes that are asked for, of the regions that are asked for."""
    default = OF_NATION if region is None else OF_REGIONS
    names = [outcome] if outcome else [name for name in default if name in data]
    regions = None if region is None else [region] if isinstance(region, str) else list(region)
    found = []
    for name in names:
        if name not in data:
            raise UnknownName(unknown(data, name))
        values = data[name]
        if "draw" not in values.dims and not past:
            raise InvalidInput(f"{name} is kept as a mean over draws; read it from `data`")
        if regions is not None and "region" in values.dims:
            values = values.sel(region=[region_code(data, item) for item in regions])
        found.append(values)
    return found


def table(
    data: "xr.Dataset",
    baselines: Mapping[str, str],
    *,
    outcome: str | None,
    region: str | Sequence[str] | None,
    year: int | Sequence[int] | None,
) -> "pd.DataFrame":
    """One row a scenario, place and year: median, 90 % interval, and of the difference to the baseline."""
    import pandas as pd

    last = int(data["year"][-1])
    years = [last] if year is None else [year] if isinstance(year, int | np.integer) else list(year)
    known = data["year"].to_numpy().tolist()
    for item in years:
        if item not in known:
            raise InvalidInput(f"the projection has no year {item}; it has {known[0]} to {known[-1]}")
    rows = [
        row
        for values in chosen(data, outcome, region)
        for name in map(str, data["scenario"].to_numpy())
        for item in years
        for row in _rows(values.sel(year=item), name, baselines[name])
    ]
    return pd.DataFrame(rows)


def _rows(values: "xr.DataArray", scenario: str, baseline: str) -> list[dict[str, Any]]:
    own = values.sel(scenario=scenario)
    moved = own - values.sel(scenario=baseline, drop=True).drop_vars(["label_en", "label_zh"], errors="ignore")
    others = [str(dim) for dim in own.dims if dim != "draw"]
    rows = []
    for place in np.ndindex(*(own.sizes[dim] for dim in others)):
        pick = dict(zip(others, place, strict=True))
        cell = own.isel(pick)
        row: dict[str, Any] = {"outcome": str(values.name), "scenario": scenario, "year": int(values["year"])}
        row |= {dim: str(own[dim].to_numpy()[at]) for dim, at in pick.items()}
        row |= {"name": str(cell["name_en"].item())} if "region" in pick and "name_en" in cell.coords else {}
        low, median, high = np.quantile(cell.to_numpy(), ENDS)
        row |= {"median": median, "low_90": low, "high_90": high}
        if scenario != baseline:
            low, median, high = np.quantile(moved.isel(pick).to_numpy(), ENDS)
            row |= {"difference": median, "difference_low_90": low, "difference_high_90": high}
        rows.append({**row, "unit": str(values.attrs.get("units", ""))})
    return rows


def together(runs: Mapping[str, Any]) -> Any:
    """Put several projections beside each other, so that one table and one figure show them all.

    Parameters
    ----------
    runs
        Projections of the same regions and years, by a name of each; the first so many draws are kept that all have.

    Returns
    -------
    Projection
        Scenarios are called ``name: scenario``; each is compared with the baseline of its own run.

    Raises
    ------
    InvalidInput
        If there is none, or regions or years differ.
    """
    import xarray as xr

    if not runs:
        raise InvalidInput("nothing to put together; give at least one projection by name")
    first = next(iter(runs.values()))
    draws = min(item.data.sizes["draw"] for item in runs.values())
    parts = []
    for name, item in runs.items():
        for dim in ("region", "year"):
            if item.data[dim].to_numpy().tolist() != first.data[dim].to_numpy().tolist():
                raise InvalidInput(f"{name!r} has other {dim}s than {next(iter(runs))!r}; projections must share them")
        shared = item.data.isel(draw=slice(0, draws)).assign_coords(draw=np.arange(draws))
        labels = {key: ("scenario", [f"{name}{BETWEEN}{text}" for text in shared[key].to_numpy()]) for key in _LABELS}
        named = [f"{name}{BETWEEN}{text}" for text in shared["scenario"].to_numpy()]
        parts.append(shared.assign_coords(scenario=named, **labels))
    held = set.intersection(*(set(part.data_vars) for part in parts))
    data = xr.concat([part[sorted(map(str, held))] for part in parts], "scenario", combine_attrs="override")
    return replace(
        first,
        data=data,
        parameters=None,
        baselines={
            f"{name}{BETWEEN}{key}": f"{name}{BETWEEN}{value}"
            for name, item in runs.items()
            for key, value in item.baselines.items()
        },
        warnings=tuple(dict.fromkeys(text for item in runs.values() for text in item.warnings)),
    )


_LABELS = ("label_en", "label_zh")
