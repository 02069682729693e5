"""Fitted beside observed: a scatter plot a series, paths by region, and what the fit leaves by region and year."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from calibration.fitting.estimates import SeriesFit
from calibration.fitting.results import FitResult
from calibration.observation import BEND
from calibration.reporting.facts import cells_of, region_name, series_name, window
from pysd_runner.core.errors import InvalidInput, UnknownName, suggest
from pysd_runner.plots.dots import MOST_CHARTS, MOST_NAMED, largest
from pysd_runner.plots.fan import set_ends
from pysd_runner.plots.figure import LABEL_SIZE, PAGE_WIDTH, KeyEntry, ReportFigure, Sheet, open_sheet
from pysd_runner.plots.palette import BASELINE, GRID, INK, RULE, SCENARIO, drawing
from pysd_runner.plots.sentences import joined_sentences
from pysd_runner.plots.typography import shortened, usable_language, wrapped
from pysd_runner.text import say

_COLUMNS, _SPACE, _EDGE = 3, 0.46, 0.5
# More dots than these make a file of megabytes unless they are drawn as pixels.
_MOST_VECTORS = 2000


def plot_series(result: FitResult, *, lang: str = "en") -> ReportFigure:
    """Draw fitted against observed values, one panel a series, with the line of a perfect fit."""
    lang = usable_language(lang)
    if not result.series:
        raise InvalidInput("the fit has no series to draw")
    frame = result.to_frame()
    frame = frame[frame["used"].astype(bool)]
    columns = min(_COLUMNS, len(result.series))
    room = PAGE_WIDTH - 0.28
    wide = (room - _EDGE - _SPACE * (columns - 1)) / columns
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
            left, top = _EDGE + column * (wide + _SPACE), row * pitch
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
    lines = wrapped(sheet.figure, series_name(item, lang), LABEL_SIZE, wide + _SPACE / 2)[:2]
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


_GAP, _NAME, _TALL, _LEFT, _BELOW = 0.1, 0.18, 0.62, 0.42, 0.3
_MOST_COLUMNS = 7
# Of more regions than can be drawn, so many: as many rows as columns.
_SHOWN = _MOST_COLUMNS**2


def plot_regions(result: FitResult, series: str = "", *, lang: str = "en") -> ReportFigure:
    """Draw fitted and observed paths of every region in a series, all on the same axes.

    The series is called ``"measurement:indicator"``; an empty name takes the first that is observed by region. Yearly
    changes are added up from the first year on. Of more than fifty regions those that part most are drawn.
    """
    lang = usable_language(lang)
    chosen = _chosen(result, series)
    table = _paths(result, chosen)
    away = table.assign(gap=(table["fitted"] - table["observed"]).abs()).groupby("region")["gap"].max()
    known = [code for code in result.region_names if code in away.index]
    codes = known
    if len(known) > MOST_CHARTS:
        codes = [known[place] for place in largest(away[known].fillna(0.0).to_numpy(), _SHOWN)]
        table = table[table["region"].isin(codes)].reset_index(drop=True)
    caption = [say("fit_figure.regions_caption", lang)]
    if len(codes) < len(known):
        caption.insert(0, say("fit_figure.regions_some", lang, shown=len(codes), all=len(known)))
    columns = min(_MOST_COLUMNS, max(1, math.ceil(math.sqrt(1.3 * len(codes)))))
    rows = math.ceil(len(codes) / columns)
    name = series_name(chosen, lang)
    subtitle = "regions_subtitle_changes" if chosen.increments else "regions_subtitle_levels"
    with drawing():
        sheet = open_sheet(
            width=PAGE_WIDTH,
            height=rows * (_NAME + _TALL + _GAP) + _BELOW,
            title=say("fit_figure.regions", lang, series=name),
            subtitle=say(f"fit_figure.{subtitle}", lang, **window(result, lang)),
            caption=joined_sentences(caption, lang),
            key=(
                KeyEntry(text=say("fit_figure.observed", lang), colours=(INK,)),
                KeyEntry(text=say("fit_figure.fitted", lang), colours=(SCENARIO,), style=_DASHES),
            ),
        )
        _draw_paths(sheet, result, table, codes, columns, lang)
    figure = sheet.figure
    figure.data = table.assign(series=chosen.label, unit="log points relative to the mean of the regions")
    worst = region_name(result, str(away.idxmax()), lang)
    figure.sentence = say("fit_figure.sentence_regions", lang, series=name, count=len(known), worst=worst)
    return figure


_DASHES = (0, (3.5, 1.4))


def _chosen(result: FitResult, label: str) -> SeriesFit:
    regional = {item.label: item for item in result.series if not item.national}
    if not regional:
        raise InvalidInput("the fit has no series that is observed by region")
    if not label:
        return next(iter(regional.values()))
    if label not in regional:
        raise UnknownName(
            "the fit has no series {name!r} by region.{suggestion}", name=label, suggestion=suggest(label, regional)
        )
    return regional[label]


def _paths(result: FitResult, series: SeriesFit) -> pd.DataFrame:
    """Columns region, year, observed, fitted; changes are added up, and start from zero in the first year."""
    frame = result.to_frame()
    frame = frame[(frame["measurement"] == series.measurement) & (frame["indicator"] == series.indicator)]
    frame = frame[["region", "year", "observed", "fitted"]]
    if not series.increments:
        return frame.reset_index(drop=True)
    first = result.fitted.first_year
    start = pd.DataFrame(
        {"region": list(dict.fromkeys(frame["region"])), "year": first, "observed": 0.0, "fitted": 0.0}
    )
    whole = pd.concat([start, frame], ignore_index=True).sort_values(["region", "year"], kind="stable")
    sums = whole.groupby("region", sort=False)[["observed", "fitted"]].cumsum()
    return whole.assign(observed=sums["observed"], fitted=sums["fitted"]).reset_index(drop=True)


def _draw_paths(
    sheet: Sheet, result: FitResult, table: pd.DataFrame, codes: list[str], columns: int, lang: str
) -> None:
    wide = (sheet.width - _LEFT - _GAP * (columns - 1)) / columns
    limits = _limits(table)
    years = (result.fitted.first_year, result.fitted.last_year)
    for place, code in enumerate(codes):
        row, column = divmod(place, columns)
        left, top = _LEFT + column * (wide + _GAP), row * (_NAME + _TALL + _GAP)
        name = shortened(sheet.figure, region_name(result, code, lang), LABEL_SIZE, wide)
        sheet.text(left, top + 0.02, name, size=LABEL_SIZE, color=INK)
        axes = sheet.axes(left, top + _NAME, wide, _TALL)
        part = table[table["region"] == code]
        axes.plot(part["year"], part["observed"], color=INK, linewidth=1.1)
        axes.plot(part["year"], part["fitted"], color=SCENARIO, linewidth=1.3, linestyle=_DASHES)
        is_lowest = place + columns >= len(codes)
        _set_axes(axes, years, limits, is_left=column == 0, is_lowest=is_lowest)


def _limits(table: pd.DataFrame) -> tuple[float, float]:
    values = table[["observed", "fitted"]].to_numpy(dtype=float)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    edge = 0.06 * (high - low) or 0.05
    return low - edge, high + edge


def _set_axes(
    axes: Axes, years: tuple[int, int], limits: tuple[float, float], *, is_left: bool, is_lowest: bool
) -> None:
    set_ends(axes, *years)
    axes.set_xlim(years[0] - 0.3, years[1] + 0.3)
    axes.set_ylim(*limits)
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.tick_params(labelleft=is_left, labelbottom=is_lowest)


_PITCH, _WIDE, _BETWEEN, _HEAD, _FOOT = 0.145, 1.05, 0.12, 0.36, 0.26
_SMALL = 6.4


def plot_residuals(result: FitResult, *, lang: str = "en") -> ReportFigure:
    """Draw standardised innovations by region and year, one block a series that is observed by region.

    Blue is below and orange above what was observed. More than sixty regions are drawn in rows too narrow for their
    names.
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
        _draw_blocks(sheet, result, blocks, lang)
    figure = sheet.figure
    columns = ["region", "year", "measurement", "indicator", "residual", "standardised"]
    figure.data = frame[columns].assign(unit="residual in the terms of the series, standardised in standard deviations")
    figure.sentence = say("fit_figure.sentence_residuals", lang, count=len(blocks), cells=len(frame), **counts)
    return figure


def _draw_blocks(sheet: Sheet, result: FitResult, blocks: Sequence[SeriesFit], lang: str) -> None:
    codes = list(result.region_names)
    years = list(range(result.fitted.first_year + 1, result.fitted.last_year + 1))
    names = _WIDE if len(codes) <= MOST_NAMED else 0.0
    for place, code in enumerate(codes if names else ()):
        text = shortened(sheet.figure, region_name(result, code, lang), _SMALL, names - 0.08)
        middle = _HEAD + (place + 0.5) * _PITCH
        sheet.text(names - 0.08, middle, text, size=_SMALL, color=INK, ha="right", va="center")
    wide = (sheet.width - names - _BETWEEN * (len(blocks) - 1)) / len(blocks)
    for number, item in enumerate(blocks):
        left = names + number * (wide + _BETWEEN)
        lines = wrapped(sheet.figure, series_name(item, lang), LABEL_SIZE, wide)[:2]
        lines = [shortened(sheet.figure, line, LABEL_SIZE, wide) for line in lines]
        sheet.text(left, _HEAD - 0.06, "\n".join(lines), size=LABEL_SIZE, color=INK, va="bottom", linespacing=1.1)
        axes = sheet.axes(left, _HEAD, wide, _rows_height(result))
        _draw_cells(axes, cells_of(result, item).standardised, years)


def _rows_height(result: FitResult) -> float:
    """Height of all rows, at most that of a page."""
    return min(len(result.region_names), MOST_NAMED) * _PITCH


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
