"""Labelled results with dimensions (scenario, draw, region, year) as long tables and netCDF files."""

import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.export.files import write_bytes_whole

DIMS = ("scenario", "draw", "region", "year")
NATION = "nation"


def in_layout(values: xr.DataArray, *, what: str = "values") -> xr.DataArray:
    """Convert a labelled array to the dimensions (scenario, draw, region, year)."""
    # A dimension ``class`` is treated as regions; a missing scenario, draw or region gets length 1.
    if not isinstance(values, xr.DataArray):
        raise InvalidInput(
            "{name} is a {kind} without labels; give an xarray.DataArray with some of the dimensions {known}",
            name=what,
            kind=type(values).__name__,
            known=DIMS,
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
    """Variables of a dataset; those with further dimensions are split along them."""
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


def to_long_frame(dataset: xr.Dataset) -> pd.DataFrame:
    """Convert results to a long table with one value, and its unit, per row.

    Parameters
    ----------
    dataset
        Variables with any of the dimensions (scenario, draw, region, year); ``class`` stands for ``region``. Variables
        without regions are national; further dimensions become part of the variable name.

    Returns
    -------
    pandas.DataFrame
        Columns ``scenario, region, year, variable, unit, draw, value``, in the order of the dataset. Missing values
        keep their row. Observations, which have no scenario, have scenario ``history``.

    Raises
    ------
    InvalidInput
        If a variable has other dimensions.
    """
    frames = [_variable_frame(name, values) for name, values in layers_of(dataset).items()]
    columns = ["scenario", "region", "year", "variable", "unit", "draw", "value"]
    if not frames:
        return pd.DataFrame(columns=columns)
    return pd.concat(frames, ignore_index=True)[columns]


def _variable_frame(name: str, values: xr.DataArray) -> pd.DataFrame:
    """Long table of one variable."""
    frame = in_layout(values, what=name).to_series().rename("value").reset_index()
    if "scenario" not in values.dims:
        frame["scenario"] = "history"
    return frame.assign(variable=name, unit=str(values.attrs.get("units", values.attrs.get("unit", ""))))


PROVENANCE = "provenance"

# Bits of the mantissa of a 32-bit float.
_MANTISSA = 23
# Maximum size in bytes of a variable stored as one chunk.
_ONE_CHUNK = 64_000_000

# A slash separates groups in netCDF; in names it is replaced by a similar character.
SLASH, DIVISION_SLASH = "/", "\u2215"


def save_netcdf(
    dataset: xr.Dataset,
    path: str | Path,
    *,
    provenance: Mapping[str, object] | None = None,
    relative_error: float | None = None,
) -> Path:
    """Write results as a compressed netCDF-4 file, atomically.

    Parameters
    ----------
    dataset
        Results with their coordinates and attributes; labels may be in any script. A slash in the name of a variable or
        dimension is written as U+2215, which looks the same.
    path
        Where to write; missing folders are made.
    provenance
        How the results were computed; stored as JSON in the attribute ``provenance`` of the file.
    relative_error
        Store 32-bit floats rounded with at most this relative error, which compress better.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    InvalidInput
        If netCDF cannot store an attribute, name or label, or the provenance is not plain JSON.
    OSError
        If the file cannot be written.
    """
    prepared = _renamed(dataset)
    prepared.attrs = _plain(dataset.attrs, Message("the dataset"))
    for name in prepared.variables:
        prepared[name].attrs = _plain(prepared[name].attrs, Message("variable {name!r}", name=name))
    if provenance is not None:
        prepared.attrs[PROVENANCE] = _as_json(provenance)
    if relative_error is not None:
        prepared = rounded(prepared, relative_error)
    is_single = relative_error is not None
    encoding = {name: _encoding(prepared[name], is_single) for name in prepared.variables}
    # Written in memory first: HDF5 cannot close a file on a full disk, and crashes the process.
    draft = io.BytesIO()
    try:
        prepared.to_netcdf(draft, engine="h5netcdf", format="NETCDF4", encoding=encoding)
    except ValueError as cause:
        raise InvalidInput("these results cannot be written as netCDF: {reason}", reason=cause) from cause
    return write_bytes_whole(path, draft.getvalue())


def rounded(dataset: xr.Dataset, relative_error: float) -> xr.Dataset:
    """Round the variables of a dataset to 32-bit floats with fewer mantissa bits."""
    dropped = _MANTISSA - min(_MANTISSA, int(np.ceil(-np.log2(relative_error))) - 1)
    kept = dataset.copy()
    for name, values in dataset.data_vars.items():
        if values.dtype.kind == "f":
            kept[name] = values.copy(data=_few_digits(values.to_numpy().astype(np.float32), dropped))
    return kept


def _few_digits(values: NDArray[np.float32], dropped: int) -> NDArray[np.float32]:
    """Round off the last mantissa bits, to nearest with ties to even; non-finite values are kept."""
    if not dropped:
        return values
    bits = values.view(np.uint32)
    half = np.uint32((1 << (dropped - 1)) - 1) + ((bits >> dropped) & 1)
    found = (((bits + half) >> dropped) << dropped).view(np.float32)
    return np.where(np.isfinite(values), found, values)


def load_netcdf(path: str | Path) -> xr.Dataset:
    """Read a file written by `save_netcdf` into memory, and close it.

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
    # Without this, xarray would convert numbers in units of time to time differences.
    with xr.open_dataset(path, engine="h5netcdf", decode_timedelta=False) as opened:
        return opened.load()


def provenance_of(dataset: xr.Dataset) -> dict[str, object]:
    """Provenance of results: how they were computed, as stored with them.

    Parameters
    ----------
    dataset
        Results read by `load_netcdf`.

    Returns
    -------
    dict
        The provenance passed to `save_netcdf`; empty if there was none.

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
    """A copy with names that are valid in netCDF."""
    names = [name for name in {*dataset.variables, *dataset.dims} if isinstance(name, str) and SLASH in name]
    return dataset.rename({name: name.replace(SLASH, DIVISION_SLASH) for name in names})


def _encoding(values: xr.DataArray, is_single: bool) -> dict[str, object]:
    """Compression settings of numeric arrays; strings and scalars are not compressed."""
    kind = values.dtype.kind
    if values.ndim == 0 or kind not in "fiu":
        return {}
    packed: dict[str, object] = {"zlib": True, "complevel": 4, "shuffle": True}
    if 0 < values.nbytes <= _ONE_CHUNK:
        # One chunk saves a tenth of the size, and files are always read as a whole.
        packed["chunksizes"] = values.shape
    if is_single and kind == "f":
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


def _text(value: object) -> object:
    """A message as plain text, since the file format knows no other; anything else as it is."""
    return str.__str__(value) if isinstance(value, str) else value


def _plain(attributes: Mapping[object, object], where: str) -> dict[object, object]:
    """Convert attributes to types that netCDF can store: strings, numbers, arrays of them."""
    plain: dict[object, object] = {}
    for key, value in attributes.items():
        if isinstance(value, bool):
            plain[key] = np.int8(value)
        elif isinstance(value, list | tuple):
            plain[key] = [_text(item) for item in value]
        elif isinstance(value, str | int | float | np.number | np.ndarray):
            plain[key] = _text(value)
        else:
            raise InvalidInput(
                "attribute {attribute!r} of {place} is a {kind}, which netCDF cannot hold; use a text or a number, or "
                "pass it as provenance",
                attribute=key,
                place=where,
                kind=type(value).__name__,
            )
    return plain
