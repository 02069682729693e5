"""Results as a long table: one number a row."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput
from pysd_runner.export.layout import NATION, in_layout, layers_of

FloatArray = NDArray[np.float64]


def to_long_frame(
    dataset: xr.Dataset, *, quantiles: Sequence[float] | None = None, nation: str = NATION
) -> pd.DataFrame:
    """Put results into a long table, one number a row, with its unit.

    Parameters
    ----------
    dataset
        Variables with any of the dims (scenario, draw, region, year); ``class`` stands for ``region``. A
        variable without regions is one of the nation; further dimensions become part of its name.
    quantiles
        From 0 to 1: quantiles over the draws instead of the draws themselves. Draws without a number are left
        out of the year and region they lack, and of no other.
    nation
        What the column ``region`` holds for variables of the nation.

    Returns
    -------
    pandas.DataFrame
        Columns ``scenario, region, year, variable, unit, draw`` (or ``quantile``)``, value``, in the order of
        the dataset. Missing numbers keep their row. Observations, which have no scenario, are called
        ``history``.

    Raises
    ------
    InvalidInput
        If a variable has other dimensions, or a quantile lies outside 0 to 1.
    """
    levels = None if quantiles is None else _checked(quantiles)
    frames = [_variable_frame(name, values, levels, nation) for name, values in layers_of(dataset).items()]
    last = "draw" if levels is None else "quantile"
    columns = ["scenario", "region", "year", "variable", "unit", last, "value"]
    if not frames:
        return pd.DataFrame(columns=columns)
    return pd.concat(frames, ignore_index=True)[columns]


def quantiles_over_draws(values: FloatArray, levels: Sequence[float]) -> FloatArray:
    """Quantiles over the second axis of the layout, of the draws that have a number."""
    known = np.isfinite(values).any(axis=1, keepdims=True)
    # Draws that lie side by side take half the time.
    series = np.ascontiguousarray(np.moveaxis(np.where(known, values, 0.0), 1, -1))
    found = np.quantile(series, list(levels), axis=-1)
    # NumPy goes series by series where numbers are missing, so it is asked for those alone.
    partly = np.isnan(series).any(axis=-1)
    if partly.any():
        found[:, partly] = np.nanquantile(series[partly], list(levels), axis=-1)
    return np.where(known, np.moveaxis(found, 0, 1), np.nan)


def _checked(quantiles: Sequence[float]) -> tuple[float, ...]:
    """Quantiles that lie between 0 and 1."""
    wrong = [level for level in quantiles if not 0 <= level <= 1]
    if wrong or not quantiles:
        raise InvalidInput(f"quantiles={list(quantiles)}: expected numbers from 0 to 1, at least one")
    return tuple(quantiles)


def _variable_frame(name: str, values: xr.DataArray, levels: tuple[float, ...] | None, nation: str) -> pd.DataFrame:
    """Long table of one variable."""
    full = in_layout(values, what=name)
    array = full.to_numpy()
    members: NDArray[np.generic] | tuple[float, ...] = full["draw"].to_numpy()
    if levels is not None:
        array, members = quantiles_over_draws(array, levels), levels
    scenarios = full["scenario"].to_numpy() if "scenario" in values.dims else np.asarray(["history"])
    is_national = not {"region", "class"} & {str(dim) for dim in values.dims}
    regions = np.asarray([nation]) if is_national else full["region"].to_numpy()
    index = pd.MultiIndex.from_product([scenarios, members, regions, full["year"].to_numpy()])
    frame = pd.DataFrame({"value": array.ravel()})
    for position, column in enumerate(("scenario", "draw" if levels is None else "quantile", "region", "year")):
        frame[column] = index.get_level_values(position).to_numpy()
    frame["variable"] = name
    frame["unit"] = str(values.attrs.get("units", values.attrs.get("unit", "")))
    return frame
