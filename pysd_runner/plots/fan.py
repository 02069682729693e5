"""Fan charts: medians with the intervals of their draws, in one panel or as small multiples."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from pysd_runner.core.types import Array, Interval, frozen
from pysd_runner.plots.bands import Bands, RegionPaths
from pysd_runner.plots.figure import LABEL_SIZE, ROOM, Canvas, ReportFigure
from pysd_runner.plots.marks import draw_origin, limits_of, set_values, set_years
from pysd_runner.plots.style import (
    BASELINE,
    BASELINE_DASHES,
    FAN,
    INK,
    SCENARIO,
    LineStyle,
    balanced,
    heading_style,
    shortened,
)

_LINE = 0.13


@frozen(eq=False)
class Trace:
    """The median of draws over time, with intervals around it."""

    bands: Bands
    colour: str = SCENARIO
    style: LineStyle = "-"
    width: float = 1.5
    tints: Sequence[Any] = ()  # colours of intervals, the widest first
    name: str = ""
    past: tuple[Array, Array] | None = None  # years and values of observations drawn in the same colour


def shaded(colour: str, share: float, count: int = 3) -> tuple[Any, ...]:
    """Transparent tints for intervals that overlap."""
    return ((*to_rgb(colour), share),) * count


def fan(bands: Bands) -> Trace:
    """Median with intervals of 90 %, 60 % and 30 %."""
    return Trace(bands=bands, tints=FAN)


def reference(bands: Bands, tints: Sequence[Any] = ()) -> Trace:
    """Median of the baseline, dashed in a second hue."""
    return Trace(bands=bands, colour=BASELINE, style=BASELINE_DASHES, width=1.3, tints=tints)


def draw_lines(axes: Axes, lines: Sequence[Trace]) -> None:
    """Draw intervals from the widest to the narrowest, and the medians on top, in the order of the lines."""
    for place, line in enumerate(lines):
        bands = line.bands
        drawn: dict[str, Any] = {"color": line.colour, "linestyle": line.style, "linewidth": line.width, "zorder": 3}
        for step, tint in enumerate(() if bands.is_single else line.tints):
            low, high = bands.quantiles[step], bands.quantiles[-1 - step]
            axes.fill_between(bands.years, low, high, color=tint, linewidth=0, zorder=1 + (place + step) / 10)
        if line.past is not None:
            axes.plot(*line.past, **drawn)
        axes.plot(bands.years, bands.median, label=line.name, **drawn)


def draw_history(axes: Axes, years: Array, values: Array, *, width: float = 1.5) -> None:
    """Draw observations in black, with a dot on each that lies between missing years."""
    axes.plot(years, values, color=INK, linewidth=width, zorder=5)
    known = np.isfinite(values)
    around = np.pad(known, 1)
    alone = known & ~around[:-2] & ~around[2:]
    axes.plot(years[alone], values[alone], color=INK, linestyle="none", marker="o", markersize=2 * width, zorder=5)


def draw_panel(axes: Axes, panel: RegionPaths, origin: float, *, width: float = 1.5) -> None:
    """Draw fan, baseline and history of one region."""
    ground = [] if panel.baseline is None else [reference(panel.opened(panel.baseline))]
    draw_lines(axes, [fan(panel.opened(panel.bands)), *ground])
    draw_history(axes, panel.years, panel.history, width=width)
    draw_origin(axes, origin)


def common_limits(panels: Sequence[RegionPaths]) -> tuple[Interval, Interval]:
    """Common limits of years and of values for all panels."""
    years = [panel.bands.years for panel in panels] + [panel.years for panel in panels]
    values = [panel.bands.quantiles for panel in panels] + [panel.history for panel in panels]
    values += [panel.baseline.median for panel in panels if panel.baseline is not None]
    return limits_of(years, share=0.0), limits_of(values, floor=0.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Multiples:
    """Small charts of one size, row by row, each below its name; sizes in inches."""

    names: Sequence[str]
    columns: int
    high: float
    left: float  # room for the labels of values
    gap: float
    right: float = 0.0
    below: float = 0.0  # room for the labels of times below each row
    is_named: bool = False  # whether a single chart has its name above it too
    extra: float = 0.0  # room between the charts of the first row and their names
    limits: tuple[Interval, Interval] | None = None  # of years and values, where all charts share them

    @property
    def wide(self) -> float:
        """Width of a chart."""
        return (ROOM - self.left - self.right - self.gap * (self.columns - 1)) / self.columns

    @cached_property
    def headings(self) -> list[str]:
        """Names in at most two lines; none for a single chart, which the title names."""
        return [self._heading(name) for name in self.names] if self.names[1:] or self.is_named else [""]

    @property
    def above(self) -> float:
        """Room above each row."""
        lines = max(text.count("\n") + 1 if text else 0 for text in self.headings)
        return 0.12 + self.extra + _LINE * lines

    @property
    def height(self) -> float:
        """Height of all rows, without the labels of years."""
        return math.ceil(len(self.names) / self.columns) * self.pitch

    @property
    def pitch(self) -> float:
        """Height of a row."""
        return self.above + self.high + self.below

    def _heading(self, name: str) -> str:
        figure, style = ReportFigure(dpi=200), heading_style(name)
        first, *others = balanced(figure, name, LABEL_SIZE, self.wide, style)
        rest = [shortened(figure, " ".join(others), LABEL_SIZE, self.wide, style)] if others else []
        return "\n".join([first, *rest])

    def axes(self, canvas: Canvas, *, unit: str = "", across: str = "", ticks: Interval = (3, 5)) -> Iterator[Axes]:
        """Axes, row by row; those with common limits are labelled on the left and at the bottom only."""
        for place, (name, heading) in enumerate(zip(self.names, self.headings, strict=True)):
            row, column = divmod(place, self.columns)
            left, top = self.left + column * (self.wide + self.gap), row * self.pitch + self.above
            axes = canvas.axes(left, top, self.wide, self.high, name, unit)
            if heading:
                pad = 4 if row else 4 + 72 * self.extra
                axes.set_title(heading, loc="left", size=LABEL_SIZE, pad=pad, **heading_style(name))
            if self.limits is not None:
                years, values = self.limits
                set_years(axes, *years, ticks=int(ticks[0]), inward=self.columns > 1)
                set_values(axes, *values, ticks=int(ticks[1]))
                is_low = place + self.columns >= len(self.names)
                axes.tick_params(labelleft=column == 0, labelbottom=is_low)
                axes.set_xlabel(across if is_low else "")
            yield axes
