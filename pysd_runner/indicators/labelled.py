"""Indicators of labelled arrays: output and population in, a dataset of indicators with units out."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from pysd_runner.core.errors import InvalidInput
from pysd_runner.indicators.classes import class_names, class_totals
from pysd_runner.indicators.dispersion import coefficient_of_variation, sigma_dispersion
from pysd_runner.indicators.gini import gini
from pysd_runner.indicators.regions import FloatArray
from pysd_runner.indicators.relative import (
    gap_to_leader,
    log_relative_output,
    output_share,
    population_share,
    relative_output,
)
from pysd_runner.indicators.theil import theil, theil_decomposition

#: Name, unit and one-line meaning of every indicator of `indicators_of`.
INDICATORS = {
    "relative_output": ("Dmnl", "output per head relative to the nation"),
    "log_relative_output": ("Dmnl", "log output per head less the mean over regions"),
    "gap_to_leader": ("Dmnl", "shortfall of output per head from the leading region"),
    "output_share": ("Dmnl", "share of national output"),
    "population_share": ("Dmnl", "share of national population"),
    "national_gap": ("Dmnl", "population-weighted mean of the gaps to the leading region"),
    "theil": ("Dmnl", "Theil index of output per head between regions"),
    "theil_between": ("Dmnl", "part of the Theil index between classes"),
    "theil_within": ("Dmnl", "part of the Theil index within classes"),
    "sigma": ("Dmnl", "standard deviation over regions of log output per head"),
    "gini": ("Dmnl", "population-weighted Gini coefficient of output per head between regions"),
    "coefficient_of_variation": ("Dmnl", "population-weighted coefficient of variation of output per head"),
    "class_relative_output": ("Dmnl", "output per head of a class of regions relative to the nation"),
    "class_gap": ("Dmnl", "shortfall of output per head of a class from the leading class"),
    "class_output_share": ("Dmnl", "share of a class in national output"),
}


def indicators_of(
    output: xr.DataArray, population: xr.DataArray, *, classes: Sequence[str] | None = None
) -> xr.Dataset:
    """Every indicator of regional output, from output and population.

    Parameters
    ----------
    output
        Output of each region; dims are any of (scenario, draw, region, year), with ``region``; any currency
        per year.
    population
        People in each region; same dims or fewer.
    classes
        The class of each region in the order of ``output``; default: the coordinate ``group`` of ``output``,
        if any.

    Returns
    -------
    xarray.Dataset
        One variable for each entry of `INDICATORS`, dimensionless shares and indices, with ``units`` and
        ``long_name``; those of one region have the dims of ``output``, those of the nation lack ``region``,
        those of a class have ``class`` in its place. Without classes the last five and the split of the Theil
        index are left out. National output and population come with the units of what was given.

    Raises
    ------
    InvalidInput
        If there is no region dimension, the labels differ, or as the functions called.
    """
    if "region" not in output.dims:
        raise InvalidInput(f"output has the dimensions {output.dims}; one must be called 'region'")
    if "region" not in population.dims:
        raise InvalidInput(f"population has the dimensions {population.dims}; one must be called 'region'")
    try:
        output, population = xr.align(output, population, join="exact")
    except ValueError as mismatch:
        raise InvalidInput(f"output and population carry different labels: {mismatch}") from mismatch
    output, population = xr.broadcast(output, population)
    axis = output.get_axis_num("region")
    produced, people = output.to_numpy(), population.to_numpy()
    found = {
        **_regional(output, produced, people, axis),
        **_national(output, population, produced, people, axis),
    }
    given = _classes(output, classes)
    if given is not None:
        found |= _by_class(output, produced, people, given, axis)
    dataset = xr.Dataset(found)
    for name, (unit, meaning) in INDICATORS.items():
        if name in dataset:
            dataset[name].attrs = {"units": unit, "long_name": meaning}
    return dataset


def _classes(output: xr.DataArray, classes: Sequence[str] | None) -> tuple[str, ...] | None:
    """Class of each region: as passed, as a coordinate, or none."""
    if classes is not None:
        return tuple(classes)
    if "group" not in output.coords:
        return None
    found = tuple(str(name) for name in np.atleast_1d(output.coords["group"].to_numpy()))
    return found if all(found) else None


def _regional(output: xr.DataArray, produced: FloatArray, people: FloatArray, axis: int) -> dict[str, xr.DataArray]:
    """Compute the indicators with a value for each region."""
    per_head = produced / people
    values = {
        "relative_output": relative_output(produced, people, axis=axis),
        "log_relative_output": log_relative_output(per_head, axis=axis),
        "gap_to_leader": gap_to_leader(per_head, axis=axis),
        "output_share": output_share(produced, axis=axis),
        "population_share": population_share(people, axis=axis),
    }
    return {name: output.copy(data=array) for name, array in values.items()}


def _national(
    output: xr.DataArray, population: xr.DataArray, produced: FloatArray, people: FloatArray, axis: int
) -> dict[str, xr.DataArray]:
    """Compute the indicators with one value for all regions."""
    per_head = produced / people
    leader = per_head.max(axis=axis)
    values = {
        "national_gap": 1 - produced.sum(axis=axis) / people.sum(axis=axis) / leader,
        "theil": theil(produced, people, axis=axis),
        "sigma": sigma_dispersion(per_head, axis=axis),
        "gini": gini(per_head, people, axis=axis),
        "coefficient_of_variation": coefficient_of_variation(per_head, people, axis=axis),
    }
    template = output.isel(region=0, drop=True).drop_vars(_of_regions(output), errors="ignore")
    found = {name: template.copy(data=array) for name, array in values.items()}
    for name, source in (("output", output), ("population", population)):
        found[f"national_{name}"] = template.copy(data=source.sum("region", skipna=False).to_numpy())
        found[f"national_{name}"].attrs = {
            "units": source.attrs.get("units", ""),
            "long_name": f"{name} of all regions",
        }
    return found


def _by_class(
    output: xr.DataArray, produced: FloatArray, people: FloatArray, classes: tuple[str, ...], axis: int
) -> dict[str, xr.DataArray]:
    """Compute the indicators of classes of regions, and the split of the Theil index."""
    parts = theil_decomposition(produced, people, classes, axis=axis)
    class_output, class_people = (class_totals(total, classes, axis=axis) for total in (produced, people))
    values = {
        "class_relative_output": relative_output(class_output, class_people, axis=axis),
        "class_gap": gap_to_leader(class_output / class_people, axis=axis),
        "class_output_share": output_share(class_output, axis=axis),
    }
    names = np.asarray(class_names(classes, produced.shape[axis]), dtype=object)
    dims = ["class" if dim == "region" else str(dim) for dim in output.dims]
    kept = output.isel(region=0, drop=True).drop_vars(_of_regions(output), errors="ignore")
    coords = {**{str(name): coordinate for name, coordinate in kept.coords.items()}, "class": names}
    found = {name: xr.DataArray(array, dims=dims, coords=coords) for name, array in values.items()}
    for name, array in (("theil_between", parts.between), ("theil_within", parts.within)):
        found[name] = kept.copy(data=array)
    return found


def _of_regions(output: xr.DataArray) -> list[str]:
    """Coordinates that belong to the regions alone."""
    return [str(name) for name, coordinate in output.coords.items() if "region" in coordinate.dims]
