"""Sensitivity figures: tornado diagrams and profiles."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from pysd_runner.core.errors import InvalidInput
from pysd_runner.plots.figure import ReportFigure
from pysd_runner.plots.over_time import COLOURS
from pysd_runner.plots.style import GRID, INK, SCENARIO

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_BARS = 15


def plot_tornado(
    ranges: Mapping[str, tuple[float, float]],
    centre: float,
    *,
    ax: "Axes | None" = None,
    unit: str = "",
) -> "Axes":
    """Tornado diagram: bars of an outcome as each parameter varies, the longest on top."""
    if not ranges:
        raise InvalidInput("a tornado needs at least one parameter")
    chosen = sorted(ranges, key=lambda name: abs(ranges[name][1] - ranges[name][0]))[-MOST_BARS:]
    axes = _axes(ax, (5.4, 0.6 + 0.24 * len(chosen)))
    for place, name in enumerate(chosen):
        low, high = ranges[name]
        axes.barh(place, low - centre, left=centre, color=COLOURS[0], height=0.62)
        axes.barh(place, high - centre, left=centre, color=COLOURS[1], height=0.62)
    axes.axvline(centre, color=INK, linewidth=0.8)
    axes.set_yticks(range(len(chosen)), chosen, fontsize=7)
    axes.set_xlabel(f"{unit} (blue: low end of the parameter, orange: high end)".strip(), fontsize=7.5)
    axes.tick_params(axis="x", labelsize=7)
    axes.xaxis.grid(visible=True, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    return axes


def plot_profile(curves: pd.DataFrame, *, level: float = 0.9) -> ReportFigure:
    """Profiles of minus the log posterior, the other parameters re-estimated, and the threshold of the interval."""
    from scipy.special import ndtri

    keys = list(dict.fromkeys(curves["key"]))
    columns = min(len(keys), 3)
    rows = -(-len(keys) // columns)
    figure = ReportFigure(figsize=(2.3 * columns, 1.9 * rows), dpi=160)
    limit = 0.5 * float(ndtri(0.5 + 0.5 * level)) ** 2
    for place, key in enumerate(keys):
        axes = figure.add_subplot(rows, columns, place + 1)
        part = curves[curves["key"] == key]
        axes.plot(part["value"], part["rise"], color=SCENARIO, linewidth=1.4)
        axes.plot(part["value"], part["data_rise"], color=COLOURS[1], linewidth=1.0, linestyle="--")
        axes.axhline(limit, color=INK, linewidth=0.6)
        axes.set_ylim(0, 3 * limit)
        axes.set_title(key, fontsize=7.5, loc="left")
        axes.tick_params(labelsize=6)
    figure.tight_layout()
    figure.data = curves.copy()
    figure.sentence = (
        f"Rise of minus the log posterior (solid) and of the data alone (dashed) along {', '.join(keys)}; below the "
        f"line lies the {100 * level:.0f} % interval."
    )
    return figure


def _axes(ax: Any, size: tuple[float, float]) -> "Axes":
    if ax is not None:
        return ax  # type: ignore[no-any-return]
    figure = ReportFigure(figsize=size, dpi=160)
    return figure.add_axes((0.3, 0.2, 0.66, 0.75))
