"""Results as netCDF files that describe themselves."""

import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput
from pysd_runner.export.files import write_bytes_whole

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
