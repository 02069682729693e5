"""Results in the wide layout of the Integrated Assessment Modelling Consortium, which pyam and its explorers load."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from pysd_runner.core.errors import InvalidInput
from pysd_runner.export.layout import NATION, in_layout, layers_of
from pysd_runner.export.long import quantiles_over_draws

INDEX = ("Model", "Scenario", "Region", "Variable", "Unit")


def to_iamc(
    dataset: xr.Dataset,
    *,
    model: str = "gapsim",
    quantiles: Sequence[float] = (0.05, 0.5, 0.95),
    region_names: str = "name_en",
    nation: str = NATION,
) -> pd.DataFrame:
    """Put results into the IAMC wide layout: one row for each series, one column for each year.

    Parameters
    ----------
    dataset
        Variables with any of the dims (scenario, draw, region, year); ``class`` stands for ``region``.
    model
        Content of the column ``Model``.
    quantiles
        Over the draws, each a row of its own whose variable ends in, for instance, ``|5.0th Percentile``, as
        in the database of the sixth assessment report; a dataset with one draw gets one row and no ending.
    region_names
        Coordinate of the regions that is written; their codes where there is none.
    nation
        Content of the column ``Region`` for variables without regions.

    Returns
    -------
    pandas.DataFrame
        Columns ``Model, Scenario, Region, Variable, Unit`` and the years as whole numbers.

    Raises
    ------
    InvalidInput
        If a year is not whole, or a variable has other dimensions.

    References
    ----------
    Huppmann, D. et al. (2021), pyam: Analysis and visualisation of integrated assessment and macro-energy
    scenarios, Open Research Europe 1:74.
    """
    frames = [_frame(name, values, quantiles, region_names, nation) for name, values in layers_of(dataset).items()]
    years = sorted({int(year) for frame in frames for year in frame.columns.difference(list(INDEX))})
    whole = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    return whole.assign(Model=model).reindex(columns=[*INDEX, *years])


def _frame(name: str, values: xr.DataArray, quantiles: Sequence[float], region_names: str, nation: str) -> pd.DataFrame:
    """Rows of one variable: scenario by scenario and region by region, the quantiles of each together."""
    full = in_layout(values, what=name)
    years = full["year"].to_numpy()
    if not np.array_equal(years, np.round(years)):
        raise InvalidInput(
            f"{name}: year {years[years != np.round(years)][0]:g} is not whole; select whole years first"
        )
    has_draws = full.sizes["draw"] > 1
    array = quantiles_over_draws(full.to_numpy(), quantiles) if has_draws else full.to_numpy()
    endings = [f"|{100 * level:.1f}th Percentile" for level in quantiles] if has_draws else [""]
    scenarios = full["scenario"].to_numpy() if "scenario" in values.dims else np.asarray(["history"])
    regions = _regions(full, values, region_names, nation)
    variable = str(values.attrs.get("iamc_variable", _title(name)))
    unit = str(values.attrs.get("units", values.attrs.get("unit", "")))
    labels = pd.MultiIndex.from_product(
        [[str(scenario) for scenario in scenarios], regions, [variable + ending for ending in endings]],
        names=["Scenario", "Region", "Variable"],
    ).to_frame(index=False)
    labels["Unit"] = "dimensionless" if unit in {"", "1", "Dmnl"} else unit
    rows = array.transpose(0, 2, 1, 3).reshape(len(labels), len(years))
    return labels.join(pd.DataFrame(rows, columns=years.astype(int)))


def _title(name: str) -> str:
    """Name in the manner of the consortium: words with capitals, layers after a bar."""
    return name.replace("_", " ").replace("[", "|").replace("]", "").title()


def _regions(full: xr.DataArray, values: xr.DataArray, column: str, nation: str) -> list[str]:
    """Names of the regions as they are written."""
    if not {"region", "class"} & {str(dim) for dim in values.dims}:
        return [nation]
    labels = full[column] if column in full.coords else full["region"]
    return [str(label) for label in np.atleast_1d(labels.to_numpy())]
