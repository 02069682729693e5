"""Labelled results: their one layout (scenario, draw, region, year), as long and IAMC tables and as netCDF files."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput
from pysd_runner.export.files import write_bytes_whole

DIMS = ("scenario", "draw", "region", "year")
NATION = "nation"
# Columns in front of the years in the layout of the Integrated Assessment Modelling Consortium.
INDEX = ("Model", "Scenario", "Region", "Variable", "Unit")

FloatArray = NDArray[np.float64]


def in_layout(values: xr.DataArray, *, what: str = "values") -> xr.DataArray:
    """Bring a labelled array to the dimensions (scenario, draw, region, year)."""
    # A dimension called ``class`` is read as regions; a missing scenario, draw or region becomes one of length 1.
    if not isinstance(values, xr.DataArray):
        raise InvalidInput(
            "{name} is a {kind} without labels; put them on with pysd_runner.plots.label_array(values, years=..., "
            "scenarios=..., regions=...)",
            name=what,
            kind=type(values).__name__,
        )
    if "class" in values.dims:
        values = values.rename({"class": "region"})
    strange = [str(dim) for dim in values.dims if dim not in DIMS]
    if strange or "year" not in values.dims or "year" not in values.coords:
        raise InvalidInput(
            "{name} has the dimensions {dims}; expected some of {known}, with labels along 'year'",
            name=what,
            dims=tuple(map(str, values.dims)),
            known=DIMS,
        )
    for dim, label in (("scenario", "baseline"), ("draw", 0), ("region", NATION)):
        if dim not in values.dims:
            values = values.drop_vars(dim, errors="ignore").expand_dims({dim: [label]})
    return values.transpose(*DIMS).astype(np.float64)


def layers_of(dataset: xr.Dataset) -> dict[str, xr.DataArray]:
    """Variables of a dataset, those with a further dimension cut along it."""
    layers: dict[str, xr.DataArray] = {}
    for name in dataset.data_vars:
        values = dataset[name]
        further = [str(dim) for dim in values.dims if dim not in DIMS and dim != "class"]
        if not further:
            layers[str(name)] = values
            continue
        stacked = values.stack(layer=further, create_index=False)
        for position, at in enumerate(np.ndindex(*(values.sizes[dim] for dim in further))):
            labels = ",".join(str(values[dim].to_numpy()[k]) for dim, k in zip(further, at, strict=True))
            layer = stacked.isel(layer=position, drop=True)
            layers[f"{name}[{labels}]"] = layer.drop_vars(further, errors="ignore")
    return layers


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


def to_iamc(
    dataset: xr.Dataset,
    *,
    model: str = "gapsim",
    quantiles: Sequence[float] = (0.05, 0.5, 0.95),
    region_names: str = "name_en",
    nation: str = NATION,
) -> pd.DataFrame:
    """Put results into the IAMC wide layout: one row for each series, one column for each year.

    ``to_iamc(project(...).data)`` has all outcomes; what a folder of results keeps are output and gaps.

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
    frames = [_iamc_frame(name, values, quantiles, region_names, nation) for name, values in layers_of(dataset).items()]
    years = sorted({int(year) for frame in frames for year in frame.columns.difference(list(INDEX))})
    whole = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    return whole.assign(Model=model).reindex(columns=[*INDEX, *years])


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
        raise InvalidInput(
            "quantiles={quantiles}: expected numbers from 0 to 1, at least one", quantiles=list(quantiles)
        )
    return tuple(quantiles)


def _variable_frame(name: str, values: xr.DataArray, levels: tuple[float, ...] | None, nation: str) -> pd.DataFrame:
    """Long table of one variable."""
    full = in_layout(values, what=name)
    array = full.to_numpy()
    members: NDArray[np.generic] | tuple[float, ...] = full["draw"].to_numpy()
    if levels is not None:
        array, members = quantiles_over_draws(array, levels), levels
    regions = np.asarray([nation]) if _is_national(values) else full["region"].to_numpy()
    index = pd.MultiIndex.from_product([_scenarios(full, values), members, regions, full["year"].to_numpy()])
    frame = pd.DataFrame({"value": array.ravel()})
    for position, column in enumerate(("scenario", "draw" if levels is None else "quantile", "region", "year")):
        frame[column] = index.get_level_values(position).to_numpy()
    frame["variable"] = name
    frame["unit"] = _unit(values)
    return frame


def _iamc_frame(
    name: str, values: xr.DataArray, quantiles: Sequence[float], region_names: str, nation: str
) -> pd.DataFrame:
    """Rows of one variable: scenario by scenario and region by region, the quantiles of each together."""
    full = in_layout(values, what=name)
    years = full["year"].to_numpy()
    if not np.array_equal(years, np.round(years)):
        raise InvalidInput(
            "{name}: year {year:g} is not whole; select whole years first",
            name=name,
            year=years[years != np.round(years)][0],
        )
    has_draws = full.sizes["draw"] > 1
    array = quantiles_over_draws(full.to_numpy(), quantiles) if has_draws else full.to_numpy()
    endings = [f"|{100 * level:.1f}th Percentile" for level in quantiles] if has_draws else [""]
    regions = _regions(full, values, region_names, nation)
    variable = str(values.attrs.get("iamc_variable", _title(name)))
    unit = _unit(values)
    labels = pd.MultiIndex.from_product(
        [[str(scenario) for scenario in _scenarios(full, values)], regions, [variable + ending for ending in endings]],
        names=["Scenario", "Region", "Variable"],
    ).to_frame(index=False)
    labels["Unit"] = "dimensionless" if unit in {"", "1", "Dmnl"} else unit
    rows = array.transpose(0, 2, 1, 3).reshape(len(labels), len(years))
    return labels.join(pd.DataFrame(rows, columns=years.astype(int)))


def _scenarios(full: xr.DataArray, values: xr.DataArray) -> NDArray[np.generic]:
    return full["scenario"].to_numpy() if "scenario" in values.dims else np.asarray(["history"])


def _is_national(values: xr.DataArray) -> bool:
    return not {"region", "class"} & {str(dim) for dim in values.dims}


def _unit(values: xr.DataArray) -> str:
    return str(values.attrs.get("units", values.attrs.get("unit", "")))


def _title(name: str) -> str:
    """Name in the manner of the consortium: words with capitals, layers after a bar."""
    return name.replace("_", " ").replace("[", "|").replace("]", "").title()


def _regions(full: xr.DataArray, values: xr.DataArray, column: str, nation: str) -> list[str]:
    """Names of the regions as they are written."""
    if _is_national(values):
        return [nation]
    labels = full[column] if column in full.coords else full["region"]
    return [str(label) for label in np.atleast_1d(labels.to_numpy())]


PROVENANCE = "provenance"

# Binary digits of a 32-bit number behind the point.
_MANTISSA = 23
# Bytes up to which a variable is one chunk.
_ONE_CHUNK = 64_000_000

# A slash parts groups of a file; a name gets the sign that looks like it.
SLASH, DIVISION_SLASH = "/", "\u2215"


def save_netcdf(
    dataset: xr.Dataset,
    path: str | Path,
    *,
    provenance: Mapping[str, object] | None = None,
    single_precision: bool = False,
    relative_error: float | None = None,
) -> Path:
    """Write results as a compressed netCDF-4 file, whole or not at all.

    Parameters
    ----------
    dataset
        Results with their coordinates and attributes; labels may be in any script. A slash in the name of a variable or
        dimension is written as U+2215, which looks the same.
    path
        Where to write; missing folders are made.
    provenance
        How the results were made; stored as JSON in the attribute ``provenance`` of the file.
    single_precision
        Store 32-bit numbers, half the size and seven digits; what is read back is then no longer equal.
    relative_error
        Store 32-bit numbers that are rounded to no more than this share of each, which compresses better.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    InvalidInput
        If an attribute, name or label is of a kind a netCDF file cannot hold, or the provenance is not plain JSON.
    OSError
        If the file cannot be written.
    """
    prepared = _renamed(dataset)
    prepared.attrs = _plain(dataset.attrs, "the dataset")
    for name in prepared.variables:
        prepared[name].attrs = _plain(prepared[name].attrs, f"variable {name!r}")
    if provenance is not None:
        prepared.attrs[PROVENANCE] = _as_json(provenance)
    if relative_error is not None:
        prepared, single_precision = rounded(prepared, relative_error), True
    encoding = {name: _encoding(prepared[name], single_precision) for name in prepared.variables}
    # In memory: HDF5 cannot close a file on a disk that is full, and takes the process with it.
    draft = io.BytesIO()
    try:
        prepared.to_netcdf(draft, engine="h5netcdf", format="NETCDF4", encoding=encoding)
    except ValueError as cause:
        raise InvalidInput("these results cannot be written as netCDF: {reason}", reason=cause) from cause
    return write_bytes_whole(path, draft.getvalue())


def rounded(dataset: xr.Dataset, relative_error: float) -> xr.Dataset:
    """Round the outcomes of a data set to 32-bit numbers with few binary digits."""
    dropped = _MANTISSA - min(_MANTISSA, int(np.ceil(-np.log2(relative_error))) - 1)
    kept = dataset.copy()
    for name, values in dataset.data_vars.items():
        if values.dtype.kind == "f":
            kept[name] = values.copy(data=_few_digits(values.to_numpy().astype(np.float32), dropped))
    return kept


def _few_digits(values: NDArray[np.float32], dropped: int) -> NDArray[np.float32]:
    """Clear the last binary digits, to the nearest and halves to even; what is not finite stays."""
    if not dropped:
        return values
    bits = values.view(np.uint32)
    half = np.uint32((1 << (dropped - 1)) - 1) + ((bits >> dropped) & 1)
    found = (((bits + half) >> dropped) << dropped).view(np.float32)
    return np.where(np.isfinite(values), found, values)


def load_netcdf(path: str | Path) -> xr.Dataset:
    """Read a file of `save_netcdf` into memory; the file is closed again.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    xarray.Dataset
        Equal to what was saved.

    Raises
    ------
    OSError
        If there is no such file or it is not netCDF-4.
    """
    # Values in a unit of time are numbers, whatever the unit is called.
    with xr.open_dataset(path, engine="h5netcdf", decode_timedelta=False) as opened:
        return opened.load()


def provenance_of(dataset: xr.Dataset) -> dict[str, object]:
    """How results were made, as stored with them.

    Parameters
    ----------
    dataset
        Results read by `load_netcdf`.

    Returns
    -------
    dict
        What was passed to `save_netcdf`; empty when nothing was.

    Raises
    ------
    InvalidInput
        If the stored text is not JSON.
    """
    text = dataset.attrs.get(PROVENANCE, "{}")
    try:
        found = json.loads(text)
    except (TypeError, json.JSONDecodeError) as cause:
        raise InvalidInput(
            "attribute {attribute!r} is not JSON: {error}; was the file changed by hand?",
            attribute=PROVENANCE,
            error=cause,
        ) from cause
    if not isinstance(found, dict):
        raise InvalidInput(
            "attribute {attribute!r} holds a {kind}, expected an object",
            attribute=PROVENANCE,
            kind=type(found).__name__,
        )
    return found


def _renamed(dataset: xr.Dataset) -> xr.Dataset:
    """A copy whose names a netCDF file can hold."""
    names = [name for name in {*dataset.variables, *dataset.dims} if isinstance(name, str) and SLASH in name]
    return dataset.rename({name: name.replace(SLASH, DIVISION_SLASH) for name in names})


def _encoding(values: xr.DataArray, single_precision: bool) -> dict[str, object]:
    """Compression of numbers; texts and single values are stored as they are."""
    kind = values.dtype.kind
    if values.ndim == 0 or kind not in "fiu":
        return {}
    packed: dict[str, object] = {"zlib": True, "complevel": 4, "shuffle": True}
    if 0 < values.nbytes <= _ONE_CHUNK:
        # Files are read whole, and it saves a tenth.
        packed["chunksizes"] = values.shape
    if single_precision and kind == "f":
        packed["dtype"] = "float32"
    return packed


def _as_json(provenance: Mapping[str, object]) -> str:
    """Provenance as JSON with sorted keys."""
    try:
        return json.dumps(provenance, ensure_ascii=False, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as cause:
        raise InvalidInput(
            "provenance must be plain JSON (texts, numbers, lists, objects): {error}", error=cause
        ) from cause


def _plain(attributes: Mapping[object, object], where: str) -> dict[object, object]:
    """Attributes a netCDF file can hold: texts, numbers, arrays of them."""
    plain: dict[object, object] = {}
    for key, value in attributes.items():
        if isinstance(value, bool):
            plain[key] = np.int8(value)
        elif isinstance(value, str | int | float | np.number | np.ndarray | list | tuple):
            plain[key] = value
        else:
            raise InvalidInput(
                "attribute {attribute!r} of {place} is a {kind}, which netCDF cannot hold; use a text or a number, or "
                "pass it as provenance",
                attribute=key,
                place=where,
                kind=type(value).__name__,
            )
    return plain
