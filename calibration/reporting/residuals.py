"""What the fit leaves, as a map of regions and years for every series."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from numpy.typing import NDArray

from calibration.fitting.estimates import SeriesFit
from calibration.fitting.results import FitResult
from calibration.observation import BEND
from calibration.reporting.wording import series_name, window
from pysd_runner.core.errors import InvalidInput
from pysd_runner.plots.dots import MOST_NAMED
from pysd_runner.plots.figure import LABEL_SIZE, PAGE_WIDTH, KeyEntry, ReportFigure, Sheet, open_sheet
from pysd_runner.plots.palette import BASELINE, GRID, INK, RULE, SCENARIO, drawing
from pysd_runner.plots.sentences import joined_sentences
from pysd_runner.plots.typography import shortened, usable_language, wrapped
from pysd_runner.text import say

_ROW, _NAMES, _GAP, _HEAD, _FOOT = 0.145, 1.05, 0.12, 0.36, 0.26
_SMALL = 6.4


def plot_residuals(result: FitResult, *, lang: str = "en") -> ReportFigure:
    """Draw standardised innovations by region and year, one block a series that is observed by region.

    More than sixty regions are drawn in rows too narrow for their names.

    Parameters
    ----------
    result
        What `calibration.fit` found.
    lang
        ``"en"`` or ``"zh"``.

    Returns
    -------
    ReportFigure
        Blocks of coloured cells, blue below and orange above what was observed.

    Raises
    ------
    InvalidInput
        If there is no such language, or no series is observed by region.
    """
    lang = usable_language(lang)
    blocks = [item for item in result.series if not item.national]
    if not blocks:
        raise InvalidInput("the fit has no series that is observed by region")
    frame = result.to_frame()
    frame = frame[frame["used"].astype(bool) & (frame["region"] != "")]
    wild = int((frame["standardised"].abs() > BEND).sum())
    counts = {"bend": f"{BEND:g}", "wild": wild}
    caption = [say("fit_figure.residuals_caption", lang, count=len(frame), **counts)]
    if len(result.region_names) > MOST_NAMED:
        caption.append(say("fit_figure.residuals_unnamed", lang, count=len(result.region_names)))
    with drawing():
        sheet = open_sheet(
            width=PAGE_WIDTH,
            height=_HEAD + _rows_height(result) + _FOOT,
            title=say("fit_figure.residuals", lang),
            subtitle=say("fit_figure.residuals_subtitle", lang, **window(result, lang)),
            caption=joined_sentences(caption, lang),
            key=(
                KeyEntry(text=say("fit_figure.below", lang), colours=(SCENARIO, SCENARIO)),
                KeyEntry(text=say("fit_figure.above", lang), colours=(BASELINE, BASELINE)),
            ),
        )
        _draw(sheet, result, frame, blocks, lang)
    figure = sheet.figure
    columns = ["region", "year", "measurement", "indicator", "residual", "standardised"]
    figure.data = frame[columns].assign(unit="residual in the terms of the series, standardised in standard deviations")
    figure.sentence = say("fit_figure.sentence_residuals", lang, count=len(blocks), cells=len(frame), **counts)
    return figure


def _draw(sheet: Sheet, result: FitResult, frame: pd.DataFrame, blocks: Sequence[SeriesFit], lang: str) -> None:
    codes = list(result.region_names)
    years = list(range(result.fitted.first_year + 1, result.fitted.last_year + 1))
    names = _NAMES if len(codes) <= MOST_NAMED else 0.0
    for place, code in enumerate(codes if names else ()):
        name = result.region_names[code][0 if lang == "en" else 1]
        text = shortened(sheet.figure, name, _SMALL, names - 0.08)
        middle = _HEAD + (place + 0.5) * _ROW
        sheet.text(names - 0.08, middle, text, size=_SMALL, color=INK, ha="right", va="center")
    wide = (sheet.width - names - _GAP * (len(blocks) - 1)) / len(blocks)
    for number, item in enumerate(blocks):
        left = names + number * (wide + _GAP)
        lines = wrapped(sheet.figure, series_name(item, lang), LABEL_SIZE, wide)[:2]
        lines = [shortened(sheet.figure, line, LABEL_SIZE, wide) for line in lines]
        sheet.text(left, _HEAD - 0.06, "\n".join(lines), size=LABEL_SIZE, color=INK, va="bottom", linespacing=1.1)
        axes = sheet.axes(left, _HEAD, wide, _rows_height(result))
        part = frame[(frame["measurement"] == item.measurement) & (frame["indicator"] == item.indicator)]
        _draw_cells(axes, _matrix(part, codes, years), years)


def _rows_height(result: FitResult) -> float:
    """Height of all rows, at most that of a page."""
    return min(len(result.region_names), MOST_NAMED) * _ROW


def _matrix(part: pd.DataFrame, codes: Sequence[str], years: Sequence[int]) -> NDArray[np.float64]:
    matrix = np.full((len(codes), len(years)), np.nan)
    row_of = {code: row for row, code in enumerate(codes)}
    rows = [row_of[code] for code in part["region"]]
    columns = [years.index(year) for year in part["year"]]
    matrix[rows, columns] = part["standardised"].to_numpy(dtype=float)
    return matrix


def _draw_cells(axes: Axes, matrix: NDArray[np.float64], years: Sequence[int]) -> None:
    colours = LinearSegmentedColormap.from_list("residuals", [SCENARIO, "#FFFFFF", BASELINE])
    # Lines between rows too narrow for a name would cover them, and as vectors they would fill megabytes.
    are_many = len(matrix) > MOST_NAMED
    edges = {"rasterized": True} if are_many else {"edgecolors": "white", "linewidth": 0.4}
    axes.pcolormesh(matrix, cmap=colours, vmin=-BEND, vmax=BEND, **edges)
    axes.set_facecolor(GRID)
    axes.set_ylim(len(matrix), 0)
    axes.set_yticks([])
    ends = (years[0], years[-1]) if len(years) > 1 else (years[0],)
    axes.set_xticks([years.index(year) + 0.5 for year in ends], [f"’{year % 100:02d}" for year in ends])
    axes.yaxis.grid(visible=False)
    for side in ("left", "right", "top", "bottom"):
        axes.spines[side].set_visible(True)
        axes.spines[side].set_color(RULE)
