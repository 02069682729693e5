"""Fitted and observed paths of every region, small multiples of one series."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from calibration.fitting.estimates import SeriesFit
from calibration.fitting.results import FitResult
from calibration.reporting.wording import series_name, window
from pysd_runner.core.errors import InvalidInput, UnknownName, suggest
from pysd_runner.plots.dots import MOST_CHARTS, largest
from pysd_runner.plots.fan import set_ends
from pysd_runner.plots.figure import LABEL_SIZE, PAGE_WIDTH, KeyEntry, ReportFigure, Sheet, open_sheet
from pysd_runner.plots.palette import INK, SCENARIO, drawing
from pysd_runner.plots.sentences import joined_sentences
from pysd_runner.plots.typography import shortened, usable_language
from pysd_runner.text import say

_GAP, _NAME, _TALL, _LEFT, _BELOW = 0.1, 0.18, 0.62, 0.42, 0.3
_MOST_COLUMNS = 7
# Of more regions than can be drawn, so many: as many rows as columns.
_SHOWN = _MOST_COLUMNS**2


def plot_regions(result: FitResult, series: str = "", *, lang: str = "en") -> ReportFigure:
    """Draw fitted and observed paths of every region, all on the same axes.

    Yearly changes are added up from the first year on. Of more than fifty regions those that part most are drawn.

    Parameters
    ----------
    result
        What `calibration.fit` found.
    series
        Label of the series, ``"measurement:indicator"``; empty for the first that is observed by region.
    lang
        ``"en"`` or ``"zh"``.

    Returns
    -------
    ReportFigure
        One small chart a region.

    Raises
    ------
    UnknownName
        If the fit has no such series.
    InvalidInput
        If there is no such language, or no series is observed by region.
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
        _draw(sheet, result, table, codes, columns, lang)
    figure = sheet.figure
    figure.data = table.assign(series=chosen.label, unit="log points relative to the mean of the regions")
    worst = result.region_names[str(away.idxmax())]
    figure.sentence = say(
        "fit_figure.sentence_regions", lang, series=name, count=len(known), worst=worst[0] if lang == "en" else worst[1]
    )
    return figure


_DASHES = (0, (3.5, 1.4))


def _chosen(result: FitResult, label: str) -> SeriesFit:
    regional = {item.label: item for item in result.series if not item.national}
    if not regional:
        raise InvalidInput("the fit has no series that is observed by region")
    if not label:
        return next(iter(regional.values()))
    if label not in regional:
        raise UnknownName(f"the fit has no series {label!r} by region.{suggest(label, regional)}")
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


def _draw(sheet: Sheet, result: FitResult, table: pd.DataFrame, codes: list[str], columns: int, lang: str) -> None:
    wide = (sheet.width - _LEFT - _GAP * (columns - 1)) / columns
    limits = _limits(table)
    years = (result.fitted.first_year, result.fitted.last_year)
    for place, code in enumerate(codes):
        row, column = divmod(place, columns)
        left, top = _LEFT + column * (wide + _GAP), row * (_NAME + _TALL + _GAP)
        names = result.region_names[code]
        name = shortened(sheet.figure, names[0] if lang == "en" else names[1], LABEL_SIZE, wide)
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
