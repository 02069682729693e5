"""Sensitivity figures: tornado diagrams, pair plots of draws, and profiles."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysd_runner.core.errors import InvalidInput
from pysd_runner.plots.figure import ReportFigure
from pysd_runner.plots.over_time import COLOURS
from pysd_runner.plots.style import GRID, INK, SCENARIO

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_BARS = 15
MOST_PAIRS = 8


def plot_tornado(
    ranges: Mapping[str, tuple[float, float]],
    centre: float,
    *,
    ax: "Axes | None" = None,
    unit: str = "",
    unsupported: Collection[str] = (),
) -> "Axes":
    """Tornado diagram: bars of an outcome as each parameter varies, the longest on top; marks those unsupported."""
    if not ranges:
        raise InvalidInput("a tornado needs at least one parameter")
    chosen = sorted(ranges, key=lambda name: abs(ranges[name][1] - ranges[name][0]))[-MOST_BARS:]
    axes = _axes(ax, (5.4, 0.6 + 0.24 * len(chosen)))
    for place, name in enumerate(chosen):
        low, high = ranges[name]
        axes.barh(place, low - centre, left=centre, color=COLOURS[0], height=0.62)
        axes.barh(place, high - centre, left=centre, color=COLOURS[1], height=0.62)
    axes.axvline(centre, color=INK, linewidth=0.8)
    labels = [f"{name} (no evidence)" if name in unsupported else name for name in chosen]
    axes.set_yticks(range(len(chosen)), labels, fontsize=7)
    axes.set_xlabel(f"{unit} (blue: low end of the parameter, orange: high end)".strip(), fontsize=7.5)
    axes.tick_params(axis="x", labelsize=7)
    axes.xaxis.grid(visible=True, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    return axes


def plot_pairs(draws: pd.DataFrame) -> ReportFigure:
    """Pair plot: scatter plots of the draws of parameters, with histograms on the diagonal."""
    count = draws.shape[1]
    if draws.empty or not 1 <= count <= MOST_PAIRS:
        raise InvalidInput(
            "pairs of 1 to {most} parameters can be drawn; found {count} and {draws} draws",
            most=MOST_PAIRS,
            count=count,
            draws=len(draws),
        )
    figure = ReportFigure(figsize=(1.5 * count + 0.6, 1.5 * count + 0.4), dpi=160)
    names = list(draws.columns)
    for row, up in enumerate(names):
        for column, across in enumerate(names[: row + 1]):
            axes = figure.add_subplot(count, count, row * count + column + 1)
            if row == column:
                axes.hist(draws[up], bins=30, color=SCENARIO)
                axes.set_yticks([])
            else:
                axes.plot(draws[across], draws[up], ".", markersize=1, color=SCENARIO, alpha=0.4)
            axes.tick_params(labelsize=6)
            if row == count - 1:
                axes.set_xlabel(across, fontsize=7)
            if column == 0 and row:
                axes.set_ylabel(up, fontsize=7)
    figure.tight_layout()
    figure.data = draws.copy()
    strongest = draws.corr().where(~np.eye(count, dtype=bool)).abs().max().max() if count > 1 else 0.0
    figure.sentence = f"{len(draws)} draws of {', '.join(map(str, names))}; strongest correlation {strongest:.2f}."
    return figure


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
