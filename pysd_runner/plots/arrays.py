"""Labelled arrays for the plot functions: dimensions in a fixed order, display names, units and directions."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.core.findings import listed
from pysd_runner.core.types import frozen
from pysd_runner.export.layout import in_layout
from pysd_runner.indicators import INDICATORS
from pysd_runner.plots.style import can_draw, stands_for
from pysd_runner.text import has_text, translate


def history_in_layout(history: xr.DataArray | None) -> xr.DataArray | None:
    """Convert observations to the dimensions (region, year)."""
    if history is None:
        return None
    full = in_layout(history, what="history")
    if full.sizes["scenario"] != 1 or full.sizes["draw"] != 1:
        raise InvalidInput(
            "history has the dimensions {dims}; observations have no scenarios and no draws",
            dims=tuple(map(str, history.dims)),
        )
    return full.isel(scenario=0, draw=0, drop=True)


def position_of(values: xr.DataArray, dim: str, label: str) -> int:
    """Position of a label along a dimension; regions may be given by code or by name."""
    columns = [dim, "name_en", "name_zh"] if dim == "region" else [dim]
    labels = [_labels(values, column) for column in columns if column in values.coords]
    for own in labels:
        found = np.flatnonzero(own == str(label))
        if found.size:
            return int(found[0])
    known = [name for own in labels for name in own.tolist()]

    raise UnknownName(
        "no {dim} is called {label!r}; there are {known}.{suggestion}",
        dim=dim,
        known=listed(known, 6),
        label=label,
        among=known,
    )


def position_of_year(values: xr.DataArray, year: int | None) -> int:
    """Position of a year, the last by default."""
    years = values["year"].to_numpy()
    if year is None:
        return len(years) - 1
    found = np.flatnonzero(years == year)
    if not found.size:
        raise InvalidInput(
            "year {year} is not in the array, which runs from {first:g} to {end:g}",
            year=year,
            first=years[0],
            end=years[-1],
        )
    return int(found[0])


def label_of(values: xr.DataArray, dim: str, label: str, lang: str) -> str:
    """Display name of a scenario, region or class: from the array, else from the package's texts, else the label."""
    columns, rooms, other = (f"name_{lang}", "name_en"), ("class", "region"), label
    if dim == "scenario":
        columns, rooms, other = (f"label_{lang}",) * 2, ("scenario",) * 2, label.replace("_", " ")
    places = np.flatnonzero(_labels(values, dim) == label)
    for column in columns if places.size else ():
        if column in values.coords:
            found = str(np.atleast_1d(values.coords[column].to_numpy())[places[0]]).strip()
            if found and found != "nan":
                return found
    return next((translate(f"{room}.{label}", lang) for room in rooms if has_text(f"{room}.{label}")), other)


def origin_of(values: xr.DataArray, history: xr.DataArray | None, origin: int | None) -> int:
    """Last observed year: as given, from attribute ``origin``, from history, or the first year if all draws agree."""
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
        raise InvalidInput(
            "origin {origin} lies after the last year projected, {end}", origin=found, end=int(values["year"].max())
        )
    return int(found)


def _starts_as_one(values: xr.DataArray) -> bool:
    """Whether all draws and scenarios agree in the first year, as they do where projections start from the data."""
    first = values.isel(year=0).to_numpy()
    return bool(np.isfinite(first).all() and (np.ptp(first, axis=(0, 1)) <= 1e-9 * np.abs(first).max()).all())


def _labels(values: xr.DataArray, column: str) -> NDArray[np.str_]:
    """Labels of a coordinate as strings."""
    return np.atleast_1d(values.coords[column].to_numpy()).astype(np.str_)


@frozen
class PrintedNames:
    """Printed names of the scenarios and regions of an array."""

    values: xr.DataArray  # array with the dimensions of `in_layout`
    lang: str
    is_drawn: bool = True  # whether the fonts must be able to draw the names; not needed in sentences

    def scenario(self, name: str) -> str:
        """Printed name of a scenario."""
        return self._usable("scenario", name, f"#{position_of(self.values, 'scenario', name) + 1}")

    def region(self, code: str) -> str:
        """Printed name of a region."""
        position = position_of(self.values, "region", code) + 1
        return self._usable("region", code, translate("region.position", self.lang, position=position))

    def _usable(self, dim: str, label: str, other: str) -> str:
        """First name of a label that can be drawn, or another name that stands for it."""
        wanted = (*(label_of(self.values, dim, label, lang) for lang in (self.lang, "en")), label)
        found = next((text for text in wanted if not self.is_drawn or can_draw(text)), other)
        return found if found == wanted[0] else stands_for(found, wanted[0])


_DIMENSIONLESS = frozenset({"", "1", "Dmnl", "dmnl", "dimensionless", "share", "fraction"})
_INDICES = frozenset(name for name, item in INDICATORS.items() if item.shown_as == "index")
_PROPER = frozenset({"Theil", "Gini"})
_LOG_POINTS = "log points x100"
_GAPS = frozenset(
    {"laggard_gap", "brief_leader"} | {name for name, item in INDICATORS.items() if item.shown_as == "gap"}
)


@frozen
class Quantity:
    """Title, units and number format of a variable in figures."""

    name: str  # name in the data
    title: str  # title in the language of the figure
    inline: str  # title as written within a sentence
    unit: str  # unit of the axis, in words
    short_unit: str  # unit after a number
    difference_unit: str  # unit of a difference between two scenarios
    counted_unit: str  # unit of a difference after a number in a sentence
    scale: float  # factor from the data to the plotted values: 100 for shares, shown in per cent
    digits: int  # decimal places in sentences and labels
    difference_digits: int  # decimal places of differences, which are smaller than levels
    lower_is_better: bool  # true for gaps and measures of dispersion
    is_gap: bool  # true when a difference is described as narrower or wider

    @property
    def directions(self) -> tuple[str, str]:
        """Words for a fall and for a rise of the quantity."""
        return ("narrower", "wider") if self.is_gap else ("lower", "higher")

    @property
    def difference_scale(self) -> float:
        """Factor from the data to a difference; negative if lower is better, so that improvements are positive."""
        return -self.scale if self.lower_is_better else self.scale

    def difference(self, baseline: str, lang: str) -> str:
        """Label of differences from the baseline, with their unit."""
        key = "axis.difference_closed" if self.lower_is_better else "axis.difference"
        return translate(key, lang, baseline=baseline, unit=self.difference_unit)


def quantity_of(values: xr.DataArray, lang: str) -> Quantity:
    """Title, units and number format of the variable of an array."""
    name = str(values.name or "value")
    units = str(values.attrs.get("units", values.attrs.get("unit", "")))
    is_index, is_share = name in _INDICES, units in _DIMENSIONLESS and name not in _INDICES
    percent = translate("unit.percent", lang)
    units = translate("unit.log_points", lang) if units == _LOG_POINTS else units
    points = "points" if is_share else "index_points" if is_index else ""
    own_unit = translate(f"unit.{name}", lang) if has_text(f"unit.{name}") else (percent if is_share else units)
    title = _title(values, name, lang)
    digits = 1 if is_share else 3 if is_index else _digits(values)
    return Quantity(
        name=name,
        title=title,
        inline=_inline(title),
        unit=own_unit,
        short_unit=percent if is_share else ("" if is_index else units),
        difference_unit=translate(f"unit.{points}", lang) if points else units,
        counted_unit=translate(f"unit.{points}_counted", lang) if points else units,
        scale=100.0 if is_share else 1.0,
        digits=digits,
        difference_digits=digits + 1 if digits else 0,
        lower_is_better=name in _INDICES or name in _GAPS,
        is_gap=name in _GAPS,
    )


def _title(values: xr.DataArray, name: str, lang: str) -> str:
    """Title of the quantity: from the package's texts, from the attributes of the array, or its name."""
    if has_text(f"quantity.{name}"):
        return translate(f"quantity.{name}", lang)
    own = values.attrs.get(f"long_name_{lang}") or values.attrs.get("long_name") or name.replace("_", " ")
    return str(own)


def _digits(values: xr.DataArray) -> int:
    """Decimal places that give three significant digits in the largest value."""
    largest = float(np.nanmax(np.abs(values.to_numpy()), initial=0.0))
    return int(np.clip(2 - np.floor(np.log10(largest)), 0, 6)) if largest > 0 else 0


def _inline(title: str) -> str:
    """Title within a sentence: a lower-case initial, unless the first word is a name or an abbreviation."""
    first = title.split(" ")[0]
    is_name = first in _PROPER or not first[1:].islower()
    return title if is_name else title[:1].lower() + title[1:]
