"""Convert data to tables, labelled arrays and workbooks, and hash their content."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pysd_runner.export.files import save_workbook

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from pysd_runner.data.dataset import Data

_NAMES = ("name_en", "name_zh", "group")


def contents(data: "Data") -> "pd.DataFrame":
    """Summary table of data, one row per column."""
    import pandas as pd

    rows = []
    for name in data.variables:
        column = data.columns[name]
        seen = np.isfinite(column.values).reshape(-1, len(data.times))
        held = np.flatnonzero(seen.any(axis=0))
        inside = seen[:, held[0] : held[-1] + 1] if held.size else seen[:, :0]
        times = data.years if data.is_panel else data.times
        rows.append(
            {
                "variable": column.name,
                "observes": column.variable,
                "unit": column.unit,
                "over": ", ".join(column.axes),
                "first": times[held[0]] if held.size else np.nan,
                "last": times[held[-1]] if held.size else np.nan,
                "values": int(seen.sum()),
                "missing": int((~inside).sum()),
            }
        )
    return pd.DataFrame(rows)


def frame(data: "Data") -> "pd.DataFrame":
    """Long table, one row per observation; for a panel also missing ones, with units and marks."""
    import pandas as pd

    labels = {axis: np.array(codes, dtype=object) for axis, codes in data.labels.items()}
    times = np.array(data.years, dtype=np.int64) if data.is_panel else data.moments
    frames = []
    for name, values in data.values.items():
        column = data.columns[name]
        kept = np.ones(values.shape, dtype=bool) if data.is_panel else np.isfinite(values)
        *places, moments = np.nonzero(kept)
        count = len(moments)
        part = {axis: labels[axis][place] for axis, place in zip(column.axes, places, strict=True)}
        part |= {data.axis: times[moments], "value": values[kept], "variable": np.full(count, name, dtype=object)}
        part["unit"] = np.full(count, column.unit, dtype=object)
        part["flag"] = np.full(count, "", dtype=object) if column.marks is None else column.marks[kept]
        frames.append(pd.DataFrame(part))
    whole = pd.concat(frames, ignore_index=True)
    if data.is_panel:
        return whole[[*data.entities, "year", "variable", "value", "unit", "flag"]]
    return whole.rename(columns={"variable": "column"})[["time", *data.entities, "column", "value"]]


def by_time(data: "Data", name: str) -> "pd.Series[float] | pd.DataFrame":
    """Values of one column by time, without times at which nothing was observed."""
    import pandas as pd

    column = data.column(name)
    index = pd.Index(data.moments, name="time")
    if not column.axes:
        return pd.Series(column.values, index=index, name=column.name).dropna()
    labels = pd.MultiIndex.from_product([data.labels[axis] for axis in column.axes], names=list(column.axes))
    columns = labels if len(column.axes) > 1 else labels.get_level_values(0)
    frame = pd.DataFrame(column.values.reshape(-1, len(data.times)).T, index=index, columns=columns)
    return frame.dropna(how="all")


def labelled(data: "Data", names: Iterable[str]) -> "xr.Dataset":
    """Columns as an xarray data set."""
    import xarray as xr

    arrays = {
        item.name: xr.DataArray(item.values, dims=[*item.axes, data.axis], attrs={"units": item.unit})
        for item in map(data.column, names)
    }
    times = list(data.years) if data.is_panel else data.moments
    coords: dict[str, object] = {axis: list(codes) for axis, codes in data.labels.items()}
    coords[data.axis] = (data.axis, times, {"units": data.time_unit} if data.time_unit and not data.dates else {})
    attributes = {"name": data.name}
    if data.is_panel:
        coords |= {part: ("region", [getattr(item, part) for item in data.regions]) for part in _NAMES}
        attributes |= {"currency": data.currency, "price_basis": data.price_basis, "sha256": data.sha256}
    return xr.Dataset(arrays, coords=coords, attrs=attributes)


def workbook(data: "Data", path: str | Path) -> Path:
    """Write the observations and the summary table to a workbook."""
    observed = data.to_frame()
    if not data.entities:
        observed = observed.pivot_table(index=data.axis, columns="column", values="value").reset_index()
    return save_workbook({"observations": observed, "columns": data.table()}, path)


def hash_of_panel(data: "Data") -> str:
    """Hash of regions and groups, years, values, units, flags and national series."""
    header = {
        "regions": [[region.code, region.group] for region in data.regions],
        "years": list(data.years),
        "units": dict(sorted(data.units.items())),
        "national": {name: sorted(series.items()) for name, series in sorted(data.national.items())},
        "flags": sorted([*place, mark] for place, mark in data.flags.items()),
        "currency": data.currency,
        "price_basis": data.price_basis,
    }
    digest = hashlib.sha256(json.dumps(header, ensure_ascii=True, separators=(",", ":")).encode())
    for _, values in sorted(data.values.items()):
        array = np.where(np.isnan(values), np.nan, values) + 0.0
        digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return digest.hexdigest()


def hash_of_table(data: "Data") -> str:
    """Hash of times, values, names, units and entity labels."""
    digest = hashlib.sha256(np.ascontiguousarray(data.times).tobytes())
    for name, values in sorted(data.values.items()):
        column = data.columns[name]
        digest.update(repr((name, column.axes, column.unit, column.variable)).encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    digest.update(repr(sorted(data.labels.items())).encode())
    return digest.hexdigest()
