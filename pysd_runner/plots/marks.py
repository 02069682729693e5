"""Plot elements: fans, observations, labels at the ends of lines, ticks, and rows of dots with intervals."""

from collections.abc import Collection, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pysd_runner.core.numbers import written
from pysd_runner.core.types import Array, Interval, frozen
from pysd_runner.plots.bands import MEDIAN
from pysd_runner.plots.figure import LABEL_SIZE, Canvas
from pysd_runner.plots.style import (
    FAN,
    GRID,
    INK,
    ORIGIN,
    RULE,
    SCENARIO,
    balanced,
    shortened,
    spread,
    text_width,
)


def draw_origin(axes: Axes, year: float, text: str = "") -> None:
    """Mark the last observed year with a vertical line."""
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


def draw_end_labels(
    figure: Figure, axes: Axes, labels: Sequence[tuple[float, str, str]], *, room: float, size: float = LABEL_SIZE
) -> None:
    """Write labels (position, text, colour) at the ends of lines, moved apart where they would overlap."""
    low, high = axes.get_ylim()
    texts = ["\n".join(balanced(figure, text, size, room)) for _, text, _ in labels]
    unit = (high - low) / (axes.bbox.height / axes.figure.dpi)
    sizes = [size * 1.2 * (text.count("\n") + 1) / 72 * unit for text in texts]
    places = spread([value for value, _, _ in labels], sizes, low, high)
    for text, (_, _, colour), place in zip(texts, labels, places, strict=True):
        write_beside(axes, text, place, size=size, color=colour)


def write_beside(axes: Axes, text: str, place: float, *, size: float = LABEL_SIZE, color: str = INK) -> None:
    """Write text to the right of axes, at a value of the vertical axis."""
    axes.annotate(
        text,
        (1.0, place),
        xycoords=axes.get_yaxis_transform(),
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        fontsize=size,
        color=color,
        linespacing=1.05,
        annotation_clip=False,
    )


def set_years(axes: Axes, first: float, last: float, *, ticks: int = 6, inward: bool = False) -> None:
    """Set the limits and ticks of the year axis, without a thousands separator."""
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
    """Set the limits of the year axis and label only these, in two digits, where there is no room for more."""
    axes.set_xlim(first, last)
    axes.set_xticks((first, last), [f"’{year % 100:02.0f}" for year in (first, last)])
    # Aligned inwards, so that labels of neighbouring tiles do not touch.
    left, right = axes.get_xticklabels()
    left.set_horizontalalignment("left")
    right.set_horizontalalignment("right")


def set_values(axes: Axes, low: float, high: float, *, ticks: int = 5, along: Literal["x", "y"] = "y") -> None:
    """Set the limits of the value axis; tick labels have as many digits as their step needs."""
    axis = axes.yaxis if along == "y" else axes.xaxis
    (axes.set_ylim if along == "y" else axes.set_xlim)(low, high)
    places, texts = value_labels(low, high, ticks)
    axis.set_ticks(places, texts)


def value_labels(low: float, high: float, ticks: int) -> tuple[list[float], list[str]]:
    """Positions of round tick values between two limits, and their labels."""
    found = MaxNLocator(nbins=ticks, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    step = float(np.min(np.diff(found)))
    digits = next((d for d in range(8) if abs(round(step, d) - step) < 1e-9 * step), 8)
    slack = 1e-9 * (high - low)
    places = [float(place) for place in found if low - slack <= place <= high + slack]
    return places, [written(place, digits) for place in places]


def label_room(figure: Figure, limits: Sequence[Interval], ticks: int, *, size: float = 7.5) -> float:
    """Width of the tick labels of a vertical value axis, in inches."""
    texts = [text for low, high in limits for text in value_labels(low, high, ticks)[1]]
    return max((text_width(figure, text, size) for text in texts), default=0.0) + 0.07


def limits_of(arrays: Sequence[Array], *, share: float = 0.06, floor: float | None = None) -> Interval:
    """Axis limits that contain all values, with a margin."""
    values = np.concatenate([np.ravel(array) for array in arrays])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = share * (high - low) if high > low else max(abs(high) * share, 1e-3)
    lower = low - room
    if floor is not None and low >= floor:
        lower = max(lower, floor)
    return lower, high + room


#: Maximum number of regions drawn as charts; more are drawn as dots.
MOST_CHARTS = 50
#: Maximum number of rows that are all named.
MOST_NAMED = 60
# Number of rows named if there are more: those that change most.
_NAMED = 12
_HEIGHT = 8.0
_ROW, _THIN, _THICK, _DOT = 0.205, 1.4, 4.5, 4.5
_NAMES = 1.7


@frozen(eq=False)
class Row:
    """Values of one row, in the plotted unit."""

    region: str
    name: str
    quantiles: Array  # levels as `LEVELS`, shape (level,)
    other: float  # value its median is compared with; NaN if there is none
    change: float  # change of the median; of many rows those with the largest change are named


def draw_intervals(axes: Axes, quantiles: Array, places: Array, *, is_single: bool, pitch: float = _ROW) -> None:
    """Draw a thin line for 90 %, a thick one for 60 % and a dot for the median of each row; quantiles (level, row)."""
    # Marks shrink where rows are closer than in a ranking; the thick line, which would hide the dots, is left out.
    share = min(1.0, pitch / _ROW)
    if not is_single:
        lines = [(0, -1, _THIN), (1, -2, _THICK)] if share == 1 else [(0, -1, max(_THIN * share, 0.35))]
        for low, high, width in lines:
            axes.hlines(places, quantiles[low], quantiles[high], color=FAN[2], linewidth=width, zorder=3)
    size = max(_DOT * share, 1.6)
    axes.plot(
        quantiles[MEDIAN],
        places,
        color=SCENARIO,
        marker="o",
        markersize=size,
        linestyle="none",
        clip_on=False,
        zorder=4,
    )


def room_for(count: int) -> float:
    """Height of `count` rows and of the tick labels below them, in inches."""
    return min(_HEIGHT, count * _ROW) + 0.3


def largest(changes: Array, count: int, first: Collection[int] = ()) -> list[int]:
    """Positions of the ``count`` largest changes in ascending order, always including those in ``first``.

    >>> largest(np.array([3.0, 1.0, 4.0, 2.0]), 2, [1])
    [1, 2]
    """
    places = sorted(range(len(changes)), key=lambda place: (place not in first, -changes[place]))
    return sorted(places[: max(count, len(first))])


def named_rows(rows: Sequence[Row], told: str | None) -> list[Row]:
    """Rows to name: all, or region `told` and those that change most."""
    if len(rows) <= MOST_NAMED:
        return list(rows)
    first = [place for place, row in enumerate(rows) if row.region == told]
    return [rows[place] for place in largest(np.array([row.change for row in rows]), _NAMED, first)]


def draw_rows(canvas: Canvas, rows: Sequence[Row], named: Sequence[Row], colour: str, *, is_single: bool) -> None:
    """Draw one row per region from the top, and in another colour the value its median is compared with."""
    pitch = (canvas.height - 0.3) / len(rows)
    are_all = len(named) == len(rows)
    size = min(LABEL_SIZE, 0.85 * 72 * pitch) if are_all else LABEL_SIZE
    texts = {row.region: shortened(canvas.figure, row.name, size, _NAMES) for row in named}
    room = max(text_width(canvas.figure, text, size) for text in texts.values()) + (0.12 if are_all else 0.3)
    axes = canvas.axes(room if are_all else 0.05, 0, canvas.width - room - 0.1, len(rows) * pitch)
    places = np.arange(len(rows), dtype=np.float64)[::-1]
    _draw_marks(axes, rows, places, colour, pitch, is_single=is_single)
    if are_all:
        axes.set_yticks(places, [texts[row.region] for row in rows])
        axes.tick_params(axis="y", labelcolor=INK, labelsize=size, pad=4)
    else:
        axes.set_yticks([])
        _write_names(
            axes, [(place, row, texts[row.region]) for place, row in zip(places, rows, strict=True) if row in named]
        )


def _draw_marks(axes: Axes, rows: Sequence[Row], places: Array, colour: str, pitch: float, *, is_single: bool) -> None:
    """Draw all rows, and set limits that contain them."""
    quantiles = np.stack([row.quantiles for row in rows], axis=1)
    others = np.array([row.other for row in rows])
    axes.yaxis.grid(visible=False)
    axes.xaxis.grid(visible=True, color=GRID, linewidth=0.6)
    shown = [quantiles[MEDIAN] if is_single else quantiles[[0, -1]], others]
    # The axis does not extend below zero unless a value does.
    set_values(axes, *limits_of(shown, floor=0.0), ticks=6, along="x")
    axes.set_ylim(-0.5, len(rows) - 0.5)
    draw_intervals(axes, quantiles, places, is_single=is_single, pitch=pitch)
    high = max(0.75 * 72 * pitch, 2.5)
    axes.plot(others, places, color=colour, marker="|", markersize=high, linestyle="none", clip_on=False, zorder=5)


def _write_names(axes: Axes, names: Sequence[tuple[float, Row, str]]) -> None:
    """Write names on the right, moved apart where they would overlap, each connected to its row."""
    low, high = axes.get_ylim()
    line = LABEL_SIZE * 1.2 / 72 * (high - low) * axes.figure.dpi / axes.bbox.height
    heights = spread([place for place, _, _ in names], [line] * len(names), low, high)
    joint = {"arrowstyle": "-", "color": RULE, "linewidth": 0.6, "shrinkA": 1, "shrinkB": 0, "relpos": (0, 0.5)}
    for (place, row, text), height in zip(names, heights, strict=True):
        start = np.fmax(row.quantiles[-1], row.other)
        axes.hlines(place, start, axes.get_xlim()[1], color=RULE, linewidth=0.6, zorder=1)
        axes.annotate(
            text,
            (1.0, place),
            xycoords=axes.get_yaxis_transform(),
            xytext=(1.03, height),
            textcoords=axes.get_yaxis_transform(),
            va="center",
            fontsize=LABEL_SIZE,
            color=INK,
            arrowprops=joint,
            annotation_clip=False,
        )
