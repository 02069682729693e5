"""A fan: bands of futures around their median, behind what was observed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pysd_runner.plots.bands import MEDIAN, Bands, FloatArray
from pysd_runner.plots.palette import BASELINE, BASELINE_DASHES, FAN, INK, ORIGIN, SCENARIO
from pysd_runner.plots.quantities import number
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
