"""Observed values as points, model output as lines, one panel per column and entity."""

from typing import TYPE_CHECKING

import pandas as pd

from pysd_runner.core.errors import InvalidInput
from pysd_runner.plots.figure import KeyEntry, ReportFigure, open_sheet
from pysd_runner.plots.palette import GRID, INK, SCENARIO, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_PANELS = 12
COLUMNS = 3


def plot_fitted(frame: pd.DataFrame, *, ax: "Axes | None" = None, time_unit: str = "") -> "ReportFigure | Axes":
    """Draw fitted against observed values over time."""
    if frame.empty:
        raise InvalidInput("there is no value to draw")
    grouped = frame.groupby(["indicator", "region"], sort=False)
    groups = [((str(part["indicator"].iloc[0]), str(part["region"].iloc[0])), part) for _, part in grouped]
    if ax is not None:
        _draw(ax, groups[0][1], time_unit)
        return ax
    shown = groups[:MOST_PANELS]
    columns = min(len(shown), COLUMNS)
    rows = -(-len(shown) // columns)
    height = 2.8 if len(shown) == 1 else 1.8 * rows
    left_out = f" The first {MOST_PANELS} of {len(groups)} series are drawn." if len(groups) > len(shown) else ""
    with drawing():
        sheet = open_sheet(
            width=7.2,
            height=height,
            title="Fitted and observed",
            subtitle="",
            caption=f"Lines: the model at the estimate. Points: observations.{left_out}",
            key=(
                KeyEntry(text="fitted", colours=(SCENARIO,)),
                KeyEntry(text="observed", colours=(INK,), style=(0, (1, 1))),
            ),
        )
        width = (sheet.width - 0.55 * columns) / columns
        for number, ((name, who), part) in enumerate(shown):
            row, column = divmod(number, columns)
            axes = sheet.axes(0.55 + column * (width + 0.55), 0.2 + row * height / rows, width, height / rows - 0.65)
            _draw(axes, part, time_unit)
            axes.set_title(f"{name}, {who}" if who else str(name), fontsize=7.5, loc="left", pad=2)
    sheet.figure.data = frame.copy()
    sheet.figure.sentence = _sentence(groups)
    return sheet.figure


def _draw(axes: "Axes", part: pd.DataFrame, time_unit: str) -> None:
    ordered = part.sort_values("year")
    axes.plot(ordered["year"], ordered["fitted"], color=SCENARIO, linewidth=1.4, zorder=3, label="fitted")
    axes.plot(
        ordered["year"],
        ordered["observed"],
        color=INK,
        linestyle="none",
        marker="o",
        markersize=2.2,
        zorder=4,
        label="observed",
    )
    axes.set_xlabel(time_unit, fontsize=7.5)
    axes.tick_params(labelsize=7)
    axes.yaxis.grid(visible=True, color=GRID, linewidth=0.6)


def _sentence(groups: list[tuple[tuple[str, str], pd.DataFrame]]) -> str:
    said = []
    for (name, who), part in groups[:MOST_PANELS]:
        spread = float(((part["observed"] - part["observed"].mean()) ** 2).sum())
        missed = float(((part["fitted"] - part["observed"]) ** 2).sum())
        share = f"{100 * (1 - missed / spread):.0f} % of the variation explained" if spread > 0 else "constant"
        said.append(f"{name}{f', {who}' if who else ''}: {len(part)} values, {share}")
    return f"Fitted and observed. {'; '.join(said)}."
