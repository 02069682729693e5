"""Fitted against observed values, one scatter plot a series."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from calibration.fitting.estimates import SeriesFit
from calibration.fitting.results import FitResult
from calibration.reporting.wording import series_name, window
from pysd_runner.core.errors import InvalidInput
from pysd_runner.plots.figure import LABEL_SIZE, PAGE_WIDTH, ReportFigure, Sheet, open_sheet
from pysd_runner.plots.palette import INK, RULE, SCENARIO, drawing
from pysd_runner.plots.typography import usable_language, wrapped
from pysd_runner.text import say

_COLUMNS, _GAP, _LEFT = 3, 0.46, 0.5
# More dots than these make a file of megabytes unless they are drawn as pixels.
_MOST_VECTORS = 2000


def plot_series(result: FitResult, *, lang: str = "en") -> ReportFigure:
    """Draw fitted against observed values, one panel a series.

    Parameters
    ----------
    result
        What `calibration.fit` found.
    lang
        ``"en"`` or ``"zh"``.

    Returns
    -------
    ReportFigure
        Scatter plots with the line of a perfect fit.

    Raises
    ------
    InvalidInput
        If there is no such language, or the fit has no series.
    """
    lang = usable_language(lang)
    if not result.series:
        raise InvalidInput("the fit has no series to draw")
    frame = result.to_frame()
    frame = frame[frame["used"].astype(bool)]
    columns = min(_COLUMNS, len(result.series))
    room = PAGE_WIDTH - 0.28
    wide = (room - _LEFT - _GAP * (columns - 1)) / columns
    above, below = 0.36, 0.42
    pitch = above + wide + below
    count = -(-len(result.series) // columns)
    with drawing():
        sheet = open_sheet(
            width=PAGE_WIDTH,
            height=count * pitch,
            title=say("fit_figure.series", lang),
            subtitle=say("fit_figure.series_subtitle", lang, **window(result, lang)),
            caption=say("fit_figure.series_caption", lang),
        )
        for number, item in enumerate(result.series):
            row, column = divmod(number, columns)
            left, top = _LEFT + column * (wide + _GAP), row * pitch
            part = frame[(frame["measurement"] == item.measurement) & (frame["indicator"] == item.indicator)]
            _draw_name(sheet, item, left, top, wide, lang)
            axes = sheet.axes(left, top + above, wide, wide)
            _draw_scatter(axes, part)
            axes.set_xlabel(say("fit_figure.observed", lang))
            if column == 0:
                axes.set_ylabel(say("fit_figure.fitted", lang))
    figure = sheet.figure
    figure.data = frame.drop(columns="used").assign(unit="as in the fit: log points, or a national level")
    figure.sentence = say("fit_figure.sentence_series", lang, count=len(result.series))
    return figure


def _draw_name(sheet: Sheet, item: SeriesFit, left: float, top: float, wide: float, lang: str) -> None:
    """Write the indicator above its panel, and what measures it below."""
    lines = wrapped(sheet.figure, series_name(item, lang), LABEL_SIZE, wide + _GAP / 2)[:2]
    sheet.text(left, top + 0.30 - 0.13 * (len(lines) - 1), "\n".join(lines), size=LABEL_SIZE, color=INK, va="center")


def _draw_scatter(axes: Axes, part: pd.DataFrame) -> None:
    observed, fitted = (part[name].to_numpy(dtype=float) for name in ("observed", "fitted"))
    low = float(min(observed.min(), fitted.min()))
    high = float(max(observed.max(), fitted.max()))
    edge = 0.05 * (high - low) or 0.05
    axes.plot([low - edge, high + edge], [low - edge, high + edge], color=RULE, linewidth=0.9, zorder=1)
    dots = axes.plot(observed, fitted, color=SCENARIO, linestyle="none", marker="o", markersize=2, alpha=0.55, zorder=2)
    dots[0].set_rasterized(len(observed) > _MOST_VECTORS)
    axes.set_xlim(low - edge, high + edge)
    axes.set_ylim(low - edge, high + edge)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4))
