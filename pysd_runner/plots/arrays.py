"""Labelled arrays as the pictures read them: four dimensions in one order, and the names to print."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from pysd_runner.core.errors import InvalidInput, UnknownName, suggest
from pysd_runner.export.labelled import DIMS, in_layout
from pysd_runner.text import has_text, say


def label_array(
    values: ArrayLike,
    *,
    years: Sequence[int] | ArrayLike,
    scenarios: Sequence[str] | None = None,
    regions: Sequence[str] | None = None,
    name: str = "",
    units: str = "Dmnl",
    region_labels: Mapping[str, Sequence[object]] | None = None,
) -> xr.DataArray:
    """Put labels on a plain array, so that it can be drawn.

    Parameters
    ----------
    values
        Numbers with the axes (scenario, draw, region, year); the axes for which no labels are given may be
        left out: (draw, region, year) without ``scenarios``, (region, year) is history, (year,) a national
        series.
    years
        Years along the last axis.
    scenarios
        Names along the first axis.
    regions
        Codes along the region axis.
    name
        What the quantity is called: one of the indicators' names brings its title, unit and direction.
    units
        Unit of the values; ``"Dmnl"`` for shares and indices.
    region_labels
        More about the regions, one value each: ``name_en``, ``name_zh``, ``group``, ``row``, ``column``.

    Returns
    -------
    xarray.DataArray
        Dims from (scenario, draw, region, year), as many as ``values`` has axes.

    Raises
    ------
    InvalidInput
        If the labels do not fit the shape.
    """
    array = np.asarray(values, dtype=np.float64)
    dims = _dims(array.ndim, with_scenarios=scenarios is not None)
    labels: dict[str, Sequence[object] | ArrayLike | None] = {
        "scenario": scenarios,
        "region": regions,
        "year": np.asarray(years),
    }
    coords: dict[str, object] = {}
    for dim, length in zip(dims, array.shape, strict=True):
        given = labels.get(dim)
        own = np.arange(length) if given is None else np.asarray(given)
        if own.shape != (length,):
            raise InvalidInput(f"{own.size} labels for the {length} {dim}s of an array of shape {array.shape}")
        coords[dim] = own
    for key, column in (region_labels or {}).items():
        if "region" not in dims or len(column) != array.shape[dims.index("region")]:
            raise InvalidInput(f"region_labels[{key!r}]: {len(column)} values do not fit shape {array.shape}")
        coords[key] = ("region", np.asarray(column))
    return xr.DataArray(array, dims=dims, coords=coords, name=name or None, attrs={"units": units})


def history_in_layout(history: xr.DataArray | None) -> xr.DataArray | None:
    """Bring observations to the dimensions (region, year)."""
    if history is None:
        return None
    full = in_layout(history, what="history")
    if full.sizes["scenario"] != 1 or full.sizes["draw"] != 1:
        raise InvalidInput(
            f"history has the dimensions {tuple(map(str, history.dims))}; observations have no scenarios and no draws"
        )
    return full.isel(scenario=0, draw=0, drop=True)


def position_of(values: xr.DataArray, dim: str, label: str) -> int:
    """Position of a label along a dimension; regions may be called by code or by name."""
    columns = [dim, "name_en", "name_zh"] if dim == "region" else [dim]
    labels = [_labels(values, column) for column in columns if column in values.coords]
    for own in labels:
        found = np.flatnonzero(own == str(label))
        if found.size:
            return int(found[0])
    known = [name for own in labels for name in own.tolist()]
    shown = ", ".join(known[:6]) + (", ..." if len(known) > 6 else "")
    raise UnknownName(f"no {dim} is called {label!r}; there are {shown}.{suggest(str(label), known)}")


def scenario_label(values: xr.DataArray, scenario: str, lang: str) -> str:
    """Name of a scenario in a language."""
    own = _own_label(values, "scenario", scenario, (f"label_{lang}",))
    if own:
        return own
    key = f"scenario.{scenario}"
    return say(key, lang) if has_text(key) else scenario.replace("_", " ")


def region_label(values: xr.DataArray, region: str, lang: str) -> str:
    """Name of a region or class in a language."""
    own = _own_label(values, "region", region, (f"name_{lang}", "name_en"))
    if own:
        return own
    for key in (f"class.{region}", f"region.{region}"):
        if has_text(key):
            return say(key, lang)
    return region


def origin_of(values: xr.DataArray, history: xr.DataArray | None, origin: int | None) -> int:
    """Last observed year: as given, from the attribute ``origin``, from history, or where all draws start as one."""
    found = origin
    if found is None and "origin" in values.attrs:
        found = int(values.attrs["origin"])
    if found is None and history is not None:
        found = int(history["year"].max())
    if found is None and _starts_as_one(values):
        found = int(values["year"].min())
    if found is None:
        raise InvalidInput("the last observed year is not known; pass origin= or history")
    if found > int(values["year"].max()):
        raise InvalidInput(f"origin {found} lies after the last year projected, {int(values['year'].max())}")
    return int(found)


def _dims(axes: int, *, with_scenarios: bool) -> tuple[str, ...]:
    """Names of the axes of a plain array."""
    candidates = {1: ("year",), 2: ("region", "year"), 3: ("draw", "region", "year"), 4: DIMS}
    if axes not in candidates or (axes == 4) != with_scenarios:
        raise InvalidInput(
            f"an array with {axes} axes {'and' if with_scenarios else 'without'} scenario names cannot be labelled; "
            "expected (scenario, draw, region, year) with scenarios=, or (draw, region, year), (region, year), "
            "(year,) without"
        )
    return candidates[axes]


def _starts_as_one(values: xr.DataArray) -> bool:
    """Whether all draws and scenarios agree in the first year, as they do where projections start from the data."""
    first = values.isel(year=0).to_numpy()
    return bool(np.isfinite(first).all() and (np.ptp(first, axis=(0, 1)) <= 1e-9 * np.abs(first).max()).all())


def _own_label(values: xr.DataArray, dim: str, label: str, columns: tuple[str, ...]) -> str:
    """Label the array carries for one of its scenarios or regions, or an empty string."""
    places = np.flatnonzero(_labels(values, dim) == label)
    if not places.size:
        return ""
    for column in columns:
        if column in values.coords:
            found = str(np.atleast_1d(values.coords[column].to_numpy())[places[0]]).strip()
            if found and found != "nan":
                return found
    return ""


def _labels(values: xr.DataArray, column: str) -> NDArray[np.str_]:
    """Labels along a coordinate as texts."""
    return np.atleast_1d(values.coords[column].to_numpy()).astype(np.str_)
