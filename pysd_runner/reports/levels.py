"""How far gaps and dispersion move from the last observed year to the last projected one, under each scenario."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr

from pysd_runner.regional.projection import Projection

QUANTILES = {"p05": 0.05, "p50": 0.5, "p95": 0.95}
NATIONAL = ("national_gap", "theil", "sigma")


def level_table(projection: Projection) -> pd.DataFrame:
    """Level at the start, level at the end and the change between them, with their intervals."""
    rows = [
        {"scenario": scenario, **row}
        for scenario in projection.scenarios
        for row in _rows(projection.data.sel(scenario=scenario))
    ]
    return pd.DataFrame(rows)


def _rows(data: xr.Dataset) -> Iterator[dict[str, object]]:
    for name in NATIONAL:
        if name in data:
            yield _row(data[name], name, "")
    if "class_gap" in data:
        for group in data["class"].to_numpy():
            yield _row(data["class_gap"].sel({"class": group}), "class_gap", str(group))


def _row(values: xr.DataArray, name: str, group: str) -> dict[str, object]:
    path = values.transpose("draw", "year").to_numpy()
    start, end = path[:, 0], path[:, -1]
    levels = {f"end_{key}": float(np.quantile(end, share)) for key, share in QUANTILES.items()}
    changes = {f"change_{key}": float(np.quantile(end - start, share)) for key, share in QUANTILES.items()}
    return {
        "variable": name,
        "class": group,
        "year": int(values["year"][-1]),
        "start": float(np.median(start)),
        **levels,
        **changes,
        "probability_falls": float((end < start).mean()),
    }
