"""Plain lines by name."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pysd_runner.plots.figure import ReportFigure
from pysd_runner.plots.over_time import COLOURS
from pysd_runner.plots.palette import GRID

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]


def plot_lines(
    lines: Mapping[str, tuple[Array, Array]], *, ax: "Axes | None" = None, across: str = "", up: str = ""
) -> "Axes":
    """Draw lines with a key."""
    axes = ReportFigure(figsize=(5.4, 3.2), dpi=160).add_subplot() if ax is None else ax
    for place, (name, (x, y)) in enumerate(lines.items()):
        axes.plot(x, y, color=COLOURS[place % len(COLOURS)], linewidth=1.4, marker="o", markersize=2.5, label=name)
    axes.set_xlabel(across, fontsize=7.5)
    axes.set_ylabel(up, fontsize=7.5)
    axes.tick_params(labelsize=7)
    axes.yaxis.grid(visible=True, color=GRID, linewidth=0.6)
    axes.legend(fontsize=7, frameon=False)
    return axes
