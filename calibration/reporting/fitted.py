"""Figures of a fit: fitted and observed values, residuals by region and year, and intervals of the parameters."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from calibration.fitting.estimates import ParameterEstimate, SeriesFit
from calibration.fitting.results import Fit, cells_of
from calibration.observation import HUBER_K
from calibration.reporting.facts import region_name, series_name, settled_and_weak, window
from calibration.uncertainty import PredictiveCheck
from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.core.types import Array, Interval, frozen
from pysd_runner.plots.figure import (
    LABEL_SIZE,
    PAGE_WIDTH,
    Canvas,
    KeyEntry,
    ReportFigure,
    joined_sentences,
    open_canvas,
)
from pysd_runner.plots.marks import MOST_CHARTS, MOST_NAMED, largest, set_ends
from pysd_runner.plots.style import (
    BASELINE,
    FAN,
    GRID,
    INK,
    MUTED,
    RULE,
    SCENARIO,
    drawing,
    figure_of,
    shortened,
    usable_language,
    wrapped,
)
from pysd_runner.text import translate, translated

_COLUMNS, _SPACE, _EDGE = 3, 0.46, 0.5
# Maximum number of dots drawn as vector graphics; more are rasterised to keep files small.
_MOST_VECTORS = 2000


@figure_of
def plot_series(result: Fit, *, ax: Any = None, lang: str = "en") -> ReportFigure:
    """Draw fitted against observed values, one chart per series, with the identity line.

    Parameters
    ----------
    result
        A fit.
    ax
        Axes to draw into; None for a figure of its own.
    lang
        Language of the labels, ``"en"`` or ``"zh"``.

    Returns
    -------
    ReportFigure
        The figure with its data and its sentence.

    Raises
    ------
    InvalidInput
        If the fit has no series.
    """
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
    with drawing(ax):
        canvas = _opened(result, "series", count * pitch, lang)
        for number, item in enumerate(result.series):
            row, column = divmod(number, columns)
            left, top = _EDGE + column * (wide + _SPACE), row * pitch
            part = frame[(frame["measurement"] == item.measurement) & (frame["indicator"] == item.indicator)]
            _draw_name(canvas, item, left, top, wide, lang)
            axes = canvas.axes(left, top + above, wide, wide, series_name(item, lang))
            _draw_scatter(axes, part)
            axes.set_xlabel(translate("fit_figure.observed", lang))
            if column == 0:
                axes.set_ylabel(translate("fit_figure.fitted", lang))
    data = frame.drop(columns="used").assign(unit="as in the fit: log points, or a national level")
    return canvas.told(data, translate("fit_figure.sentence_series", lang, count=len(result.series)))


def _opened(
    result: Fit,
    name: str,
    height: float,
    lang: str,
    *,
    caption: Sequence[str] = (),
    key: tuple[KeyEntry, ...] = (),
    subtitle: str = "",
    **values: object,
) -> Canvas:
    """Open an empty figure of a fit, with the title, subtitle and caption of its name."""
    return open_canvas(
        height=height,
        title=translate(f"fit_figure.{name}", lang, **values),
        subtitle=translate(f"fit_figure.{subtitle or f'{name}_subtitle'}", lang, **window(result, lang)),
        caption=joined_sentences(caption, lang) if caption else translate(f"fit_figure.{name}_caption", lang),
        key=key,
    )


def _draw_name(canvas: Canvas, item: SeriesFit, left: float, top: float, wide: float, lang: str) -> None:
    """Write the name of the series above its chart."""
    lines = wrapped(canvas.figure, series_name(item, lang), LABEL_SIZE, wide + _SPACE / 2)[:2]
    canvas.text(left, top + 0.30 - 0.13 * (len(lines) - 1), "\n".join(lines), size=LABEL_SIZE, color=INK, va="center")


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
# Number of regions drawn if there are too many for one figure: as many rows of charts as columns.
_REGIONS_DRAWN = _MOST_COLUMNS**2


@figure_of
def plot_regions(result: Fit, series: str = "", *, ax: Any = None, lang: str = "en") -> ReportFigure:
    """Draw fitted and observed paths of every region in a series, all with the same axis limits.

    The series is named as ``"measurement:indicator"``; an empty name selects the first one observed by region. Yearly
    changes are accumulated from the first year. Of more than fifty regions, those with the worst fit are drawn.

    Parameters
    ----------
    result
        A fit.
    series
        Name of the series.
    ax
        Axes to draw into; None for a figure of its own.
    lang
        Language of the labels, ``"en"`` or ``"zh"``.

    Returns
    -------
    ReportFigure
        The figure with its data and its sentence.

    Raises
    ------
    InvalidInput
        If the fit has no series that is observed by region.
    UnknownName
        If none of them has the name.
    """
    lang = usable_language(lang)
    chosen = _chosen(result, series)
    table = _paths(result, chosen)
    away = table.assign(gap=(table["fitted"] - table["observed"]).abs()).groupby("region")["gap"].max()
    known = [code for code in result.region_names if code in away.index]
    codes = known
    if len(known) > MOST_CHARTS:
        codes = [known[place] for place in largest(away[known].fillna(0.0).to_numpy(), _REGIONS_DRAWN)]
        table = table[table["region"].isin(codes)].reset_index(drop=True)
    caption = [translate("fit_figure.regions_caption", lang)]
    if len(codes) < len(known):
        caption.insert(0, translate("fit_figure.regions_some", lang, shown=len(codes), all=len(known)))
    columns = min(_MOST_COLUMNS, max(1, math.ceil(math.sqrt(1.3 * len(codes)))))
    rows = math.ceil(len(codes) / columns)
    name = series_name(chosen, lang)
    subtitle = "regions_subtitle_changes" if chosen.increments else "regions_subtitle_levels"
    with drawing(ax):
        key = (
            KeyEntry(text=translate("fit_figure.observed", lang), colours=(INK,)),
            KeyEntry(text=translate("fit_figure.fitted", lang), colours=(SCENARIO,), style=_DASHES),
        )
        height = rows * (_NAME + _TALL + _GAP) + _BELOW
        canvas = _opened(result, "regions", height, lang, caption=caption, key=key, subtitle=subtitle, series=name)
        _draw_paths(canvas, result, table, codes, columns, lang)
    data = table.assign(series=chosen.label, unit="log points relative to the mean of the regions")
    worst = region_name(result.region_names, str(away.idxmax()), lang)
    return canvas.told(data, translate("fit_figure.sentence_regions", lang, series=name, count=len(known), worst=worst))


_DASHES = (0, (3.5, 1.4))


def _chosen(result: Fit, label: str) -> SeriesFit:
    regional = {item.label: item for item in result.series if not item.national}
    if not regional:
        raise InvalidInput("the fit has no series that is observed by region")
    if not label:
        return next(iter(regional.values()))
    if label not in regional:
        raise UnknownName("the fit has no series {name!r} by region.{suggestion}", name=label, among=regional)
    return regional[label]


def _paths(result: Fit, series: SeriesFit) -> pd.DataFrame:
    """Table with columns region, year, observed, fitted; changes are accumulated from zero in the first year."""
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


def _draw_paths(canvas: Canvas, result: Fit, table: pd.DataFrame, codes: list[str], columns: int, lang: str) -> None:
    wide = (canvas.width - _LEFT - _GAP * (columns - 1)) / columns
    limits = _limits(table)
    years = (result.fitted.first_year, result.fitted.last_year)
    for place, code in enumerate(codes):
        row, column = divmod(place, columns)
        left, top = _LEFT + column * (wide + _GAP), row * (_NAME + _TALL + _GAP)
        name = shortened(canvas.figure, region_name(result.region_names, code, lang), LABEL_SIZE, wide)
        canvas.text(left, top + 0.02, name, size=LABEL_SIZE, color=INK)
        axes = canvas.axes(left, top + _NAME, wide, _TALL, name)
        part = table[table["region"] == code]
        axes.plot(part["year"], part["observed"], color=INK, linewidth=1.1)
        axes.plot(part["year"], part["fitted"], color=SCENARIO, linewidth=1.3, linestyle=_DASHES)
        is_lowest = place + columns >= len(codes)
        _set_axes(axes, years, limits, is_left=column == 0, is_lowest=is_lowest)


def _limits(table: pd.DataFrame) -> Interval:
    values = table[["observed", "fitted"]].to_numpy(dtype=float)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    edge = 0.06 * (high - low) or 0.05
    return low - edge, high + edge


def _set_axes(axes: Axes, years: tuple[int, int], limits: Interval, *, is_left: bool, is_lowest: bool) -> None:
    set_ends(axes, *years)
    axes.set_xlim(years[0] - 0.3, years[1] + 0.3)
    axes.set_ylim(*limits)
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.tick_params(labelleft=is_left, labelbottom=is_lowest)


_PITCH, _WIDE, _BETWEEN, _HEAD, _FOOT = 0.145, 1.05, 0.12, 0.36, 0.26
_SMALL_SIZE = 6.4


@figure_of
def plot_residuals(result: Fit, *, ax: Any = None, lang: str = "en") -> ReportFigure:
    """Draw standardised innovations by region and year, one heat map per series observed by region.

    Fitted values are below the observations in blue cells and above them in orange cells. With more than sixty regions,
    rows are too narrow for names.

    Parameters
    ----------
    result
        A fit.
    ax
        Axes to draw into; None for a figure of its own.
    lang
        Language of the labels, ``"en"`` or ``"zh"``.

    Returns
    -------
    ReportFigure
        The figure with its data and its sentence.

    Raises
    ------
    InvalidInput
        If the fit has no series that is observed by region.
    """
    lang = usable_language(lang)
    blocks = [item for item in result.series if not item.national]
    if not blocks:
        raise InvalidInput("the fit has no series that is observed by region")
    frame = result.to_frame()
    frame = frame[frame["used"].astype(bool) & (frame["region"] != "")]
    wild = int((frame["standardised"].abs() > HUBER_K).sum())
    counts = {"bend": f"{HUBER_K:g}", "wild": wild}
    caption = [translate("fit_figure.residuals_caption", lang, count=len(frame), **counts)]
    if len(result.region_names) > MOST_NAMED:
        caption.append(translate("fit_figure.residuals_unnamed", lang, count=len(result.region_names)))
    with drawing(ax):
        key = (
            KeyEntry(text=translate("fit_figure.below", lang), colours=(SCENARIO, SCENARIO)),
            KeyEntry(text=translate("fit_figure.above", lang), colours=(BASELINE, BASELINE)),
        )
        height = _HEAD + _rows_height(result) + _FOOT
        canvas = _opened(result, "residuals", height, lang, caption=caption, key=key)
        _draw_blocks(canvas, result, blocks, lang)
    columns = ["region", "year", "measurement", "indicator", "residual", "standardised"]
    data = frame[columns].assign(unit="residual in the terms of the series, standardised in standard deviations")
    return canvas.told(
        data, translate("fit_figure.sentence_residuals", lang, count=len(blocks), cells=len(frame), **counts)
    )


def _draw_blocks(canvas: Canvas, result: Fit, blocks: Sequence[SeriesFit], lang: str) -> None:
    codes = list(result.region_names)
    years = list(range(result.fitted.first_year + 1, result.fitted.last_year + 1))
    names = _WIDE if len(codes) <= MOST_NAMED else 0.0
    told = [region_name(result.region_names, code, lang) for code in codes if names]
    wide = (canvas.width - names - _BETWEEN * (len(blocks) - 1)) / len(blocks)
    for number, item in enumerate(blocks):
        left = names + number * (wide + _BETWEEN)
        lines = wrapped(canvas.figure, series_name(item, lang), LABEL_SIZE, wide)[:2]
        lines = [shortened(canvas.figure, line, LABEL_SIZE, wide) for line in lines]
        canvas.text(left, _HEAD - 0.06, "\n".join(lines), size=LABEL_SIZE, color=INK, va="bottom", linespacing=1.1)
        axes = canvas.axes(left, _HEAD, wide, _rows_height(result), "\n".join(lines))
        _draw_cells(axes, cells_of(result, item)["standardised"].to_numpy(), years)
        if told and number == 0:
            shown = [shortened(canvas.figure, text, _SMALL_SIZE, names - 0.08) for text in told]
            axes.set_yticks(np.arange(len(told)) + 0.5, shown, size=_SMALL_SIZE, color=INK)


def _rows_height(result: Fit) -> float:
    """Height of all rows in inches, limited to that of a page."""
    return min(len(result.region_names), MOST_NAMED) * _PITCH


def _draw_cells(axes: Axes, matrix: Array, years: Sequence[int]) -> None:
    colours = LinearSegmentedColormap.from_list("residuals", [SCENARIO, "#FFFFFF", BASELINE])
    # White lines between narrow rows would cover them, and vector graphics would make the file too large.
    are_many = len(matrix) > MOST_NAMED
    edges = {"rasterized": True} if are_many else {"edgecolors": "white", "linewidth": 0.4}
    axes.pcolormesh(matrix, cmap=colours, vmin=-HUBER_K, vmax=HUBER_K, **edges)
    axes.set_facecolor(GRID)
    axes.set_ylim(len(matrix), 0)
    axes.set_yticks([])
    ends = (years[0], years[-1]) if len(years) > 1 else (years[0],)
    axes.set_xticks([years.index(year) + 0.5 for year in ends], [f"’{year % 100:02d}" for year in ends])
    axes.yaxis.grid(visible=False)
    for side in ("left", "right", "top", "bottom"):
        axes.spines[side].set_visible(True)
        axes.spines[side].set_color(RULE)


# Height of a row, and widths of the names on the left and the words on the right, in inches.
_ROW, _NAMES, _WORDS = 0.21, 2.35, 1.45
_LONG_NAMES, _NO_WORDS = 2.6, 0.15
# Limits to which ratios are clipped: to the prior median of a parameter, and to an observed statistic.
_OF_PRIOR, _OF_OBSERVED = (0.02, 50.0), (0.1, 10.0)
_TABLE = (
    "key",
    "name",
    "unit",
    "estimate",
    "low",
    "high",
    "prior_median",
    "prior_low",
    "prior_high",
    "contraction",
    "words",
)


@frozen
class _Row:
    """A row of intervals, relative to a reference value (1)."""

    name: str
    prior: Sequence[float]  # limits of the interval
    posterior: Sequence[float]  # lower limit, centre and upper limit
    words: str = ""


@figure_of
def plot_parameters(result: Fit, *, ax: Any = None, lang: str = "en") -> ReportFigure:
    """Draw prior and posterior intervals of the parameters that tables show, relative to the prior medians.

    Parameters
    ----------
    result
        A fit.
    ax
        Axes to draw into; None for a figure of its own.
    lang
        Language of the labels, ``"en"`` or ``"zh"``.

    Returns
    -------
    ReportFigure
        The figure with its data and its sentence.

    Raises
    ------
    InvalidInput
        If the fit has no parameters.
    """
    lang = usable_language(lang)
    if not result.parameters:
        raise InvalidInput("the fit has no parameters to draw")
    shown = result.shown or result.parameters
    rows = [_parameter_row(item, lang) for item in shown]
    canvas = _drawn(result, "parameters", rows, (_NAMES, _WORDS), ax, lang)
    data = pd.DataFrame([{name: getattr(item, name) for name in _TABLE} for item in shown], columns=list(_TABLE))
    settled, weak = settled_and_weak(shown)
    return canvas.told(
        data, translate("fit_figure.sentence_parameters", lang, count=len(shown), settled=settled, prior=weak)
    )


@figure_of
def plot_predictive(
    result: Fit, checks: Sequence[PredictiveCheck], *, ax: Any = None, lang: str = "en"
) -> ReportFigure:
    """Draw prior and posterior predictive checks, relative to the observed statistics.

    Parameters
    ----------
    result
        A fit.
    checks
        Predictive checks of the fit.
    ax
        Axes to draw into; None for a figure of its own.
    lang
        Language of the labels, ``"en"`` or ``"zh"``.

    Returns
    -------
    ReportFigure
        The figure with its data and its sentence.

    Raises
    ------
    InvalidInput
        If there are no checks.
    """
    lang = usable_language(lang)
    if not checks:
        raise InvalidInput("there are no predictive checks to draw")
    series = {item.label: series_name(item, lang) for item in result.series}
    rows = [_check_row(item, series[item.label], lang) for item in checks]
    canvas = _drawn(result, "predictive", rows, (_LONG_NAMES, _NO_WORDS), ax, lang)
    inside = sum(item.posterior[0] <= item.observed <= item.posterior[2] for item in checks)
    sentence = translate("fit_figure.sentence_predictive", lang, count=len(checks), inside=inside)
    return canvas.told(_check_table(checks), sentence)


def _parameter_row(item: ParameterEstimate, lang: str) -> _Row:
    values = np.array([item.low, item.estimate, item.high, item.prior_low, item.prior_high]) / item.prior_median
    low, middle, high, prior_low, prior_high = np.clip(values, *_OF_PRIOR)
    return _Row(
        name=f"{item.key}: {item.name if lang == 'en' else item.zh}",
        prior=(prior_low, prior_high),
        posterior=(low, middle, high),
        words=translated(item.words, lang),
    )


def _check_row(item: PredictiveCheck, series: str, lang: str) -> _Row:
    prior, posterior = (np.clip(np.array(x) / item.observed, *_OF_OBSERVED) for x in (item.prior, item.posterior))
    name = f"{series}: {translate(f'fit_figure.{item.statistic}', lang)}"
    return _Row(name=name, prior=prior[[0, 2]].tolist(), posterior=posterior.tolist())


def _drawn(result: Fit, key: str, rows: Sequence[_Row], beside: Interval, ax: Any, lang: str) -> Canvas:
    """Draw a figure of rows of intervals; `beside` is the space in inches on their left and right."""
    with drawing(ax):
        entries = (
            KeyEntry(text=translate("fit_figure.prior", lang), colours=(FAN[1], FAN[1])),
            KeyEntry(text=translate("fit_figure.posterior", lang), colours=(SCENARIO,)),
        )
        canvas = _opened(result, key, len(rows) * _ROW + 0.36, lang, key=entries)
        _draw_rows(canvas, rows, *beside)
    return canvas


def _draw_rows(canvas: Canvas, rows: Sequence[_Row], left: float, right: float) -> None:
    axes = canvas.axes(left, 0, canvas.width - left - right, len(rows) * _ROW)
    axes.set_xscale("log")
    axes.set_ylim(len(rows) - 0.5, -0.5)
    names = [shortened(canvas.figure, row.name, LABEL_SIZE, left - 0.1) for row in rows]
    axes.set_yticks(range(len(rows)), names, size=LABEL_SIZE, color=INK)
    axes.axvline(1, color=RULE, linewidth=0.8, zorder=0.5)
    values = [float(value) for row in rows for value in (*row.prior, *row.posterior)]
    axes.set_xlim(min(*values, 1.0) / 1.15, max(*values, 1.0) * 1.15)
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0), numticks=9))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    for place, row in enumerate(rows):
        low, middle, high = row.posterior
        axes.plot(row.prior, [place, place], color=FAN[1], linewidth=6, solid_capstyle="butt", zorder=1)
        axes.plot([low, high], [place, place], color=SCENARIO, linewidth=1.5, solid_capstyle="butt", zorder=2)
        axes.plot([middle], [place], color=SCENARIO, marker="o", markersize=4, zorder=3)
        axes.annotate(
            row.words,
            (1.0, place),
            xycoords=axes.get_yaxis_transform(),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            size=LABEL_SIZE,
            color=MUTED,
        )


def _check_table(checks: Sequence[PredictiveCheck]) -> pd.DataFrame:
    rows = [
        {
            "series": item.label,
            "statistic": item.statistic,
            "unit": "terms of the series",
            "observed": item.observed,
            **{f"prior_{name}": value for name, value in zip(("p05", "p50", "p95"), item.prior, strict=True)},
            **{f"posterior_{name}": value for name, value in zip(("p05", "p50", "p95"), item.posterior, strict=True)},
            "below": item.below,
        }
        for item in checks
    ]
    return pd.DataFrame(rows)
