"""Table of all indicators, and their computation from labelled output and population."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import xarray as xr

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.types import Array
from pysd_runner.indicators.inequality import (
    TheilParts,
    class_names,
    class_totals,
    coefficient_of_variation,
    gini,
    sigma_dispersion,
    theil,
    theil_decomposition,
)
from pysd_runner.indicators.relative import (
    gap_to_leader,
    log_relative_output,
    output_share,
    population_share,
    relative_output,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Totals:
    """Inputs of the indicators: output and population of regions, and the classes of regions if any."""

    output: Array
    people: Array
    axis: int  # axis of the regions
    classes: tuple[str, ...] = ()

    @cached_property
    def per_head(self) -> Array:
        """Output per head."""
        return self.output / self.people

    @cached_property
    def of_classes(self) -> "Totals":
        """Totals of the classes of regions."""
        output, people = (class_totals(item, self.classes, axis=self.axis) for item in (self.output, self.people))
        return Totals(output=output, people=people, axis=self.axis)

    @cached_property
    def theil_parts(self) -> TheilParts:
        """The split of the Theil index between and within classes."""
        return theil_decomposition(self.output, self.people, self.classes, axis=self.axis)


@dataclass(frozen=True, slots=True)
class Indicator:
    """Definition of an indicator computed from output and population.

    Attributes
    ----------
    of
        Function from `Totals` to the values.
    over
        Level of the values: each region, each class, the nation, or (``"parts"``) the nation with classes given.
    meaning
        Description in one line.
    unit
        Unit of the values.
    shown_as
        Presentation in figures: a share or a gap in per cent, an index in its own unit; lower is better for gaps and
        indices.
    in_results
        Whether projections add it to the outcomes of the model.
    """

    of: Callable[[Totals], Array]
    over: Literal["region", "nation", "class", "parts"]
    meaning: str
    unit: str = "Dmnl"
    shown_as: Literal["share", "gap", "index"] = "share"
    in_results: bool = True


#: Indicators computed by `indicators_of`, by name.
INDICATORS = {
    "relative_output": Indicator(
        lambda it: relative_output(it.output, it.people, axis=it.axis),
        "region",
        "output per head relative to the nation",
        in_results=False,
    ),
    "log_relative_output": Indicator(
        lambda it: log_relative_output(it.per_head, axis=it.axis),
        "region",
        "log output per head less the mean over regions",
        in_results=False,
    ),
    "gap_to_leader": Indicator(
        lambda it: gap_to_leader(it.per_head, axis=it.axis),
        "region",
        "shortfall of output per head from the leading region",
        shown_as="gap",
        in_results=False,
    ),
    "output_share": Indicator(
        lambda it: output_share(it.output, axis=it.axis), "region", "share of national output", in_results=False
    ),
    "population_share": Indicator(
        lambda it: population_share(it.people, axis=it.axis), "region", "share of national population", in_results=False
    ),
    "class_gap": Indicator(
        lambda it: gap_to_leader(it.of_classes.per_head, axis=it.axis),
        "class",
        "shortfall of output per head of a class from the leading class",
        shown_as="gap",
    ),
    "class_relative_output": Indicator(
        lambda it: relative_output(it.of_classes.output, it.of_classes.people, axis=it.axis),
        "class",
        "output per head of a class of regions relative to the nation",
    ),
    "class_output_share": Indicator(
        lambda it: output_share(it.of_classes.output, axis=it.axis), "class", "share of a class in national output"
    ),
    "theil_between": Indicator(
        lambda it: it.theil_parts.between, "parts", "part of the Theil index between classes", shown_as="index"
    ),
    "theil_within": Indicator(
        lambda it: it.theil_parts.within, "parts", "part of the Theil index within classes", shown_as="index"
    ),
    "national_gap": Indicator(
        lambda it: 1 - it.output.sum(axis=it.axis) / it.people.sum(axis=it.axis) / it.per_head.max(axis=it.axis),
        "nation",
        "population-weighted mean of the gaps to the leading region",
        shown_as="gap",
    ),
    "theil": Indicator(
        lambda it: theil(it.output, it.people, axis=it.axis),
        "nation",
        "Theil index of output per head between regions",
        shown_as="index",
        in_results=False,
    ),
    "sigma": Indicator(
        lambda it: sigma_dispersion(it.per_head, axis=it.axis),
        "nation",
        "standard deviation over regions of log output per head",
        shown_as="index",
        in_results=False,
    ),
    "gini": Indicator(
        lambda it: gini(it.per_head, it.people, axis=it.axis),
        "nation",
        "population-weighted Gini coefficient of output per head between regions",
        shown_as="index",
    ),
    "coefficient_of_variation": Indicator(
        lambda it: coefficient_of_variation(it.per_head, it.people, axis=it.axis),
        "nation",
        "population-weighted coefficient of variation of output per head",
        shown_as="index",
        in_results=False,
    ),
}


def indicators_of(
    output: xr.DataArray,
    population: xr.DataArray,
    *,
    classes: Sequence[str] | None = None,
    names: Collection[str] = tuple(INDICATORS),
) -> xr.Dataset:
    """Compute indicators of regional output.

    Parameters
    ----------
    output
        Output of each region, in any currency per year; dimensions ``region`` and any of (scenario, draw,
        year).
    population
        Population of each region; the same dimensions or fewer.
    classes
        Class of each region, in the order of ``output``; default: the coordinate ``group`` of ``output``, if
        any.
    names
        Entries of `INDICATORS` to compute; default: all.

    Returns
    -------
    xarray.Dataset
        One dimensionless variable for each of the entries of `INDICATORS`, with attributes ``units`` and
        ``long_name``. Regional indicators have the dimensions of ``output``, national ones lack ``region``,
        and those of classes have ``class`` in its place. National output and population are added in the
        units of the inputs; without classes, indicators that need them are left out.

    Raises
    ------
    InvalidInput
        If there is no region dimension, labels differ, or an indicator is not defined for the values.
    """
    if "region" not in output.dims:
        raise InvalidInput("output has the dimensions {dims}; one must be called 'region'", dims=output.dims)
    if "region" not in population.dims:
        raise InvalidInput("population has the dimensions {dims}; one must be called 'region'", dims=population.dims)
    try:
        output, population = xr.align(output, population, join="exact")
    except ValueError as mismatch:
        raise InvalidInput("output and population carry different labels: {mismatch}", mismatch=mismatch) from mismatch
    output, population = xr.broadcast(output, population)
    given = _classes(output, classes)
    totals = Totals(
        output=output.to_numpy(), people=population.to_numpy(), axis=output.get_axis_num("region"), classes=given or ()
    )
    called = () if given is None else class_names(given, output.sizes["region"])
    kept = output.isel(region=0, drop=True).drop_vars(_placed(output), errors="ignore")
    found: dict[str, xr.DataArray] = {}
    for over in ("region", "nation", "class", "parts"):
        if over == "class":
            found |= _sums(kept, output=output, population=population)
        if given is not None or over in ("region", "nation"):
            own = {name: item for name, item in INDICATORS.items() if item.over == over and name in names}
            found |= {name: _labelled(item, totals, output, kept, called) for name, item in own.items()}
    return xr.Dataset(found)


def _labelled(
    item: Indicator, totals: Totals, output: xr.DataArray, kept: xr.DataArray, names: Sequence[str]
) -> xr.DataArray:
    """Compute one indicator, with its labels and unit."""
    if item.over == "region":
        found = output.copy(data=item.of(totals))
    elif item.over == "class":
        dims = ["class" if dim == "region" else str(dim) for dim in output.dims]
        coords = {str(name): coordinate for name, coordinate in kept.coords.items()}
        labels = np.asarray(names, dtype=object)
        found = xr.DataArray(item.of(totals), dims=dims, coords={**coords, "class": labels})
    else:
        found = kept.copy(data=item.of(totals))
    found.attrs = {"units": item.unit, "long_name": item.meaning}
    return found


def _sums(kept: xr.DataArray, **of_regions: xr.DataArray) -> dict[str, xr.DataArray]:
    """National totals of output and population, in their own units."""
    found = {}
    for name, source in of_regions.items():
        found[f"national_{name}"] = kept.copy(data=source.sum("region", skipna=False).to_numpy())
        found[f"national_{name}"].attrs = {
            "units": source.attrs.get("units", ""),
            "long_name": f"{name} of all regions",
        }
    return found


def _classes(output: xr.DataArray, classes: Sequence[str] | None) -> tuple[str, ...] | None:
    """Class of each region: as passed, else from the coordinate ``group``, else None."""
    if classes is not None:
        return tuple(classes)
    if "group" not in output.coords:
        return None
    found = tuple(str(name) for name in np.atleast_1d(output.coords["group"].to_numpy()))
    return found if all(found) else None


def _placed(output: xr.DataArray) -> list[str]:
    """Names of the coordinates that have a region dimension."""
    return [str(name) for name, coordinate in output.coords.items() if "region" in coordinate.dims]
