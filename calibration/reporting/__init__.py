"""Pictures and the report of a fit: parameters, fitted against observed values, paths by region, what is left."""

from collections.abc import Iterator, Sequence

from calibration.fitting.results import FitResult
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

# A small chart for each of more regions than this is a picture nobody can read; the tables hold them all.
MOST_DRAWN = 250


def draw_fit(
    result: FitResult, *, lang: str = "en", only: Sequence[str] | None = None
) -> Iterator[tuple[str, ReportFigure]]:
    """Draw the figures of a fit, each with the name of its files without ending; ``only`` names those wanted.

    They are ``parameters``, ``series``, and where a series is observed by region and there are few enough regions to
    draw ``regions`` and ``residuals``.
    """
    plots = {"parameters": plot_parameters} if result.parameters else {}
    plots["series"] = plot_series
    if len(result.region_names) <= MOST_DRAWN and any(not item.national for item in result.series):
        plots |= {"regions": plot_regions, "residuals": plot_residuals}
    for name, plot in plots.items():
        if only is None or name in only:
            yield name, plot(result, lang=lang)
