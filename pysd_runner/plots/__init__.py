"""Figures of gaps between regions: pure functions of labelled arrays that return a figure.

Arrays are xarray.DataArrays with the dimensions (scenario, draw, region, year). No function displays a figure or uses
pyplot. The plotted data are attached to the figure and written next to it by `save_figure`. Importing this package does
not import matplotlib; the first plot does.
"""

from typing import TYPE_CHECKING

from pysd_runner.engine.lazy import lazy_exports

if TYPE_CHECKING:
    from pysd_runner.plots.differences import plot_differences as plot_differences
    from pysd_runner.plots.figure import (
        UNCERTAINTIES as UNCERTAINTIES,
        ReportFigure as ReportFigure,
        figure_sentence as figure_sentence,
        save_figure as save_figure,
    )
    from pysd_runner.plots.gaps import plot_dispersion as plot_dispersion, plot_gaps as plot_gaps
    from pysd_runner.plots.style import MissingFont as MissingFont
    from pysd_runner.plots.tiles import plot_tiles as plot_tiles
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
