"""Pictures of gaps between regions: pure functions of labelled arrays that return their figure.

Arrays carry the dimensions (scenario, draw, region, year); `label_array` puts labels on a plain one. No
function shows anything or touches pyplot. What a figure shows is attached to it and written beside it by
`save_figure`. Importing this package does not import matplotlib; the first picture does.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pysd_runner.plots.arrays import label_array
    from pysd_runner.plots.differences import plot_differences
    from pysd_runner.plots.dispersion import plot_dispersion
    from pysd_runner.plots.figure import ReportFigure
    from pysd_runner.plots.fonts import MissingFont
    from pysd_runner.plots.gaps import plot_gaps
    from pysd_runner.plots.save import save_figure
    from pysd_runner.plots.sentences import UNCERTAINTIES, figure_sentence
    from pysd_runner.plots.tiles import plot_tiles

__all__ = [
    "UNCERTAINTIES",
    "MissingFont",
    "ReportFigure",
    "figure_sentence",
    "label_array",
    "plot_differences",
    "plot_dispersion",
    "plot_gaps",
    "plot_tiles",
    "save_figure",
]

_HOMES = {
    "UNCERTAINTIES": "sentences",
    "MissingFont": "fonts",
    "ReportFigure": "figure",
    "figure_sentence": "sentences",
    "label_array": "arrays",
    "plot_differences": "differences",
    "plot_dispersion": "dispersion",
    "plot_gaps": "gaps",
    "plot_tiles": "tiles",
    "save_figure": "save",
}


def __getattr__(name: str) -> Any:
    """Import a function, and matplotlib with it, only when it is asked for."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Names that can be imported."""
    return sorted(__all__)
