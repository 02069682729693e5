"""A fan: bands of futures around their median, behind what was observed; and all that is drawn of one region."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pysd_runner.plots.arrays import PrintedNames, Quantity, number, position_of
from pysd_runner.plots.bands import MEDIAN, Bands, Behind, FloatArray, bands_of, joined
from pysd_runner.plots.palette import BASELINE, BASELINE_DASHES, FAN, INK, ORIGIN, SCENARIO
from pysd_runner.plots.typography import spread, text_width


@dataclass(frozen=True, kw_only=True, slots=True)
class EndLabel:
    """Text beside the end of a line."""

    value: float  # where the line ends, in the unit of the axis
    text: str
    colour: str  # of the text, the same as the line's


def draw_fan(axes: Axes, bands: Bands, *, tints: Sequence[str] = FAN, colour: str = SCENARIO) -> None:
    """Draw bands from the widest to the narrowest, and the median on top."""
    if not bands.is_single:
        for step, tint in enumerate(tints):
            axes.fill_between(
                bands.years,
                bands.quantiles[step],
                bands.quantiles[-1 - step],
                color=tint,
                linewidth=0,
                zorder=1 + step / 10,
            )
    axes.plot(bands.years, bands.quantiles[MEDIAN], color=colour, linewidth=1.5, zorder=3)


def draw_baseline(axes: Axes, bands: Bands) -> None:
    """Draw the median of the baseline, dashed in a second hue."""
    axes.plot(bands.years, bands.median, color=BASELINE, linewidth=1.3, linestyle=BASELINE_DASHES, zorder=4)


def draw_history(axes: Axes, years: FloatArray, values: FloatArray, *, width: float = 1.5) -> None:
    """Draw observations in black, with a dot on each that stands alone between missing years."""
    axes.plot(years, values, color=INK, linewidth=width, zorder=5)
    known = np.isfinite(values)
    before = np.concatenate([[False], known[:-1]])
    after = np.concatenate([known[1:], [False]])
    alone = known & ~before & ~after
    axes.plot(years[alone], values[alone], color=INK, linestyle="none", marker="o", markersize=2 * width, zorder=5)


def draw_origin(axes: Axes, year: float, text: str = "") -> None:
    """Mark the last observed year with an upright line."""
    axes.axvline(year, color=ORIGIN, linewidth=0.8, zorder=0.9)
    if not text:
        return
    first, last = axes.get_xlim()
    share = (year - first) / (last - first)
    axes.annotate(
        text,
        (year, 1.0),
        xycoords=axes.get_xaxis_transform(),
        xytext=(0, 2),
        textcoords="offset points",
        ha="left" if share < 0.2 else "right" if share > 0.8 else "center",
        va="bottom",
        fontsize=7,
        color=ORIGIN,
    )


def draw_end_labels(axes: Axes, labels: Sequence[EndLabel], *, size: float = 7.5) -> None:
    """Write labels beside the ends of lines, moved apart where they would touch."""
    low, high = axes.get_ylim()
    height = axes.bbox.height / axes.figure.dpi
    unit = (high - low) / height
    sizes = [size * 1.2 * (label.text.count("\n") + 1) / 72 * unit for label in labels]
    places = spread([label.value for label in labels], sizes, low, high)
    for label, place in zip(labels, places, strict=True):
        axes.annotate(
            label.text,
            (1.0, place),
            xycoords=axes.get_yaxis_transform(),
            xytext=(5, 0),
            textcoords="offset points",
            ha="left",
            va="center",
            fontsize=size,
            color=label.colour,
            linespacing=1.05,
            annotation_clip=False,
        )


def set_years(axes: Axes, first: float, last: float, *, ticks: int = 6, inward: bool = False) -> None:
    """Set the limits of the years and write them without a thousands separator."""
    places = MaxNLocator(nbins=ticks, integer=True, steps=[1, 2, 5, 10]).tick_values(first, last)
    shown = [place for place in places if first <= place <= last]
    axes.set_xlim(first, last)
    axes.set_xticks(shown, [f"{place:.0f}" for place in shown])
    if not inward:
        return
    near = 0.06 * (last - first)
    for place, label in zip(shown, axes.get_xticklabels(), strict=True):
        if place < first + near:
            label.set_horizontalalignment("left")
        elif place > last - near:
            label.set_horizontalalignment("right")


def set_ends(axes: Axes, first: float, last: float) -> None:
    """Set the limits of the years and write them alone, in two digits, where there is no room for more."""
    axes.set_xlim(first, last)
    axes.set_xticks((first, last), [f"’{year % 100:02.0f}" for year in (first, last)])
    # Towards the middle, so that neighbours do not touch.
    left, right = axes.get_xticklabels()
    left.set_horizontalalignment("left")
    right.set_horizontalalignment("right")


def set_values(axes: Axes, low: float, high: float, *, ticks: int = 5, along: Literal["x", "y"] = "y") -> None:
    """Set the limits of the values; ticks carry as many digits as their step needs."""
    axis = axes.yaxis if along == "y" else axes.xaxis
    (axes.set_ylim if along == "y" else axes.set_xlim)(low, high)
    places, texts = value_labels(low, high, ticks)
    axis.set_ticks(places, texts)


def value_labels(low: float, high: float, ticks: int) -> tuple[list[float], list[str]]:
    """Round values between two limits, and how they are written."""
    found = MaxNLocator(nbins=ticks, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    step = float(np.min(np.diff(found)))
    digits = next((d for d in range(8) if abs(round(step, d) - step) < 1e-9 * step), 8)
    slack = 1e-9 * (high - low)
    places = [float(place) for place in found if low - slack <= place <= high + slack]
    return places, [number(place, digits) for place in places]


def label_room(figure: Figure, limits: Sequence[tuple[float, float]], ticks: int, *, size: float = 7.5) -> float:
    """Room that the labels of a value axis need beside it, in inches."""
    texts = [text for low, high in limits for text in value_labels(low, high, ticks)[1]]
    return max((text_width(figure, text, size) for text in texts), default=0.0) + 0.07


def limits_of(arrays: Sequence[FloatArray], *, share: float = 0.06, floor: float | None = None) -> tuple[float, float]:
    """Common limits around all values."""
    values = np.concatenate([np.ravel(array) for array in arrays])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = share * (high - low) if high > low else max(abs(high) * share, 1e-3)
    lower = low - room
    if floor is not None and low >= floor:
        lower = max(lower, floor)
    return lower, high + room


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionPaths:
    """What is drawn for one region, in the unit drawn."""

    region: str
    name: str
    bands: Bands  # of the scenario, starting from the last observation where there is one
    baseline: Bands | None  # bands of the baseline, or none
    years: FloatArray
    history: FloatArray


def panel_of(
    full: xr.DataArray,
    past: xr.DataArray | None,
    region: str,
    scenarios: tuple[str, str | None],
    quantity: Quantity,
    names: PrintedNames,
) -> RegionPaths:
    """Bands, baseline and history of one region."""
    place = position_of(full, "region", region)
    years, observed = history_of(past, region, quantity.scale)
    found = [
        bands_of(full, scenario=position_of(full, "scenario", name), region=place, scale=quantity.scale)
        for name in scenarios
        if name is not None
    ]
    return RegionPaths(
        region=region,
        name=names.region(region),
        bands=found[0],
        baseline=found[1] if len(found) > 1 else None,
        years=years,
        history=observed,
    )


def history_of(past: xr.DataArray | None, region: str, scale: float) -> tuple[FloatArray, FloatArray]:
    """Observations of one region, in the unit drawn, shape (year,)."""
    nothing = np.empty(0), np.empty(0)
    if past is None:
        return nothing
    found = np.flatnonzero(past["region"].to_numpy().astype(np.str_) == region)
    if not found.size:
        return nothing
    return past["year"].to_numpy().astype(np.float64), past.to_numpy()[found[0]] * scale


def draw_panel(axes: Axes, panel: RegionPaths, origin: float, *, width: float = 1.5) -> None:
    """Draw fan, baseline and history of one region."""
    last = last_observation(panel.years, panel.history)
    bands, baseline = panel.bands, panel.baseline
    if last is not None:
        bands = joined(bands, *last)
        baseline = joined(baseline, *last) if baseline is not None else None
    draw_fan(axes, bands)
    if baseline is not None:
        draw_baseline(axes, baseline)
    draw_history(axes, panel.years, panel.history, width=width)
    draw_origin(axes, origin)


def common_limits(panels: Sequence[RegionPaths]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Limits of years and values that hold all panels."""
    years = [panel.bands.years for panel in panels] + [panel.years for panel in panels]
    values = [panel.bands.quantiles for panel in panels] + [panel.history for panel in panels]
    values += [panel.baseline.median for panel in panels if panel.baseline is not None]
    first, last = limits_of(years, share=0.0)
    return (first, last), limits_of(values, floor=0.0)


def table_behind(
    panels: Sequence[RegionPaths], quantity: Quantity, scenario: str, baseline: str | None
) -> pd.DataFrame:
    """Long table of what the panels show."""
    behind = Behind(variable=quantity.name, unit=quantity.unit)
    for panel in panels:
        behind.add_history(panel.region, panel.name, panel.years, panel.history)
        behind.add_bands(scenario, panel.region, panel.name, panel.bands)
        if panel.baseline is not None and baseline is not None:
            behind.add_bands(baseline, panel.region, panel.name, panel.baseline)
    return behind.frame()


def last_observation(years: FloatArray, values: FloatArray) -> tuple[float, float] | None:
    """Last year that has an observation, and the observation."""
    known = np.flatnonzero(np.isfinite(values))
    return (float(years[known[-1]]), float(values[known[-1]])) if known.size else None


def is_leader(panel: RegionPaths) -> bool:
    """Whether a region leads in all that is drawn, so that its gap is zero by definition."""
    observed = panel.history[np.isfinite(panel.history)]
    return bool(np.all(panel.bands.quantiles == 0) and np.all(observed == 0))
