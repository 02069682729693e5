"""Dots with intervals, a row each: policies beside each other, and regions where small charts would be too many."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from pysd_runner.plots.bands import MEDIAN, FloatArray
from pysd_runner.plots.fan import limits_of, set_values
from pysd_runner.plots.figure import LABEL_SIZE, Sheet
from pysd_runner.plots.palette import FAN, GRID, INK, RULE, SCENARIO
from pysd_runner.plots.typography import shortened, spread, text_width

#: Regions that are drawn each by itself; of more, dots are drawn.
MOST_CHARTS = 50
#: Rows that all have their name beside them.
MOST_NAMED = 60
# Regions named among more rows, those that change most.
_NAMED = 12
_HEIGHT = 8.0
_ROW, _THIN, _THICK, _DOT = 0.205, 1.4, 4.5, 4.5
_NAMES = 1.7


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Row:
    """What one row shows, in the unit drawn."""

    region: str
    name: str
    quantiles: FloatArray  # levels as `LEVELS`, shape (level,)
    other: float  # what its median is compared with; NaN where there is nothing
    change: float  # how far the median moves; of many rows those with most are named


def draw_intervals(
    axes: Axes, quantiles: FloatArray, places: FloatArray, *, is_single: bool, pitch: float = _ROW
) -> None:
    """Draw a thin line for 90 %, a thick one for 60 % and a dot for the median of each row; quantiles (level, row)."""
    # Marks of rows that lie closer than in a ranking shrink with them, and the thick line would hide the dots.
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
    """Height of so many rows and of the numbers below them, in inches."""
    return min(_HEIGHT, count * _ROW) + 0.3


def largest(changes: FloatArray, count: int, first: Collection[int] = ()) -> list[int]:
    """Positions of the largest changes in their order, those of ``first`` in any case.

    >>> largest(np.array([3.0, 1.0, 4.0, 2.0]), 2, [1])
    [1, 2]
    """
    places = sorted(range(len(changes)), key=lambda place: (place not in first, -changes[place]))
    return sorted(places[: max(count, len(first))])


def named_rows(rows: Sequence[Row], told: str | None) -> list[Row]:
    """Rows whose name is written: all, or the one that is told of and those that change most."""
    if len(rows) <= MOST_NAMED:
        return list(rows)
    first = [place for place, row in enumerate(rows) if row.region == told]
    return [rows[place] for place in largest(np.array([row.change for row in rows]), _NAMED, first)]


def draw_rows(sheet: Sheet, rows: Sequence[Row], named: Sequence[Row], colour: str, *, is_single: bool) -> None:
    """Draw a row a region from the top, and in another colour what its median is compared with."""
    pitch = (sheet.height - 0.3) / len(rows)
    are_all = len(named) == len(rows)
    size = min(LABEL_SIZE, 0.85 * 72 * pitch) if are_all else LABEL_SIZE
    texts = {row.region: shortened(sheet.figure, row.name, size, _NAMES) for row in named}
    room = max(text_width(sheet.figure, text, size) for text in texts.values()) + (0.12 if are_all else 0.3)
    axes = sheet.axes(room if are_all else 0.05, 0, sheet.width - room - 0.1, len(rows) * pitch)
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


def _draw_marks(
    axes: Axes, rows: Sequence[Row], places: FloatArray, colour: str, pitch: float, *, is_single: bool
) -> None:
    """Draw all rows on axes that hold them."""
    quantiles = np.stack([row.quantiles for row in rows], axis=1)
    others = np.array([row.other for row in rows])
    axes.yaxis.grid(visible=False)
    axes.xaxis.grid(visible=True, color=GRID, linewidth=0.6)
    shown = [quantiles[MEDIAN] if is_single else quantiles[[0, -1]], others]
    # What is never negative is not drawn below zero.
    set_values(axes, *limits_of(shown, floor=0.0), ticks=6, along="x")
    axes.set_ylim(-0.5, len(rows) - 0.5)
    draw_intervals(axes, quantiles, places, is_single=is_single, pitch=pitch)
    high = max(0.75 * 72 * pitch, 2.5)
    axes.plot(others, places, color=colour, marker="|", markersize=high, linestyle="none", clip_on=False, zorder=5)


def _write_names(axes: Axes, names: Sequence[tuple[float, Row, str]]) -> None:
    """Write names on the right, moved apart where they would touch, each joined to its row."""
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
