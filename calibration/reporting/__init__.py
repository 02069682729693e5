"""Figures and report of a fit: parameters, fitted and observed values, paths by region, and residuals."""

from collections.abc import Iterator, Sequence

from calibration.fitting.results import Fit
from calibration.reporting.fitted import plot_parameters, plot_predictive, plot_regions, plot_residuals, plot_series
from calibration.reporting.report import report_of, write_report
from pysd_runner.plots.figure import ReportFigure

__all__ = [
    "draw_fit",
    "plot_parameters",
    "plot_predictive",
    "plot_regions",
    "plot_residuals",
    "plot_series",
    "report_of",
    "write_report",
]

# Maximum number of regions for which figures by region are drawn; the tables contain all regions.
MOST_DRAWN = 250


def draw_fit(result: Fit, *, lang: str = "en", only: Sequence[str] | None = None) -> Iterator[tuple[str, ReportFigure]]:
    """Yield the figures of a fit with their file names (without extension); `only` restricts them to some names.

    They are ``parameters`` and ``series`` and, if a series is observed by region and there are at most `MOST_DRAWN`
    regions, ``regions`` and ``residuals``.

    Parameters
    ----------
    result
        A fit.
    lang
        Language of the labels, ``"en"`` or ``"zh"``.
    only
        Names of figures; None for all.

    Yields
    ------
    tuple
        Name and figure.
    """
    plots = {"parameters": plot_parameters} if result.parameters else {}
    plots["series"] = plot_series
    if len(result.region_names) <= MOST_DRAWN and any(not item.national for item in result.series):
        plots |= {"regions": plot_regions, "residuals": plot_residuals}
    for name, plot in plots.items():
        if only is None or name in only:
            yield name, plot(result, lang=lang)
