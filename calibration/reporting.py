"""Pictures of a fit: what the panel says about each parameter, and how the fitted values meet the observed ones."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from calibration.estimates import EVIDENCE, HELD, PRIOR_ONLY, ParameterEstimate, SeriesFit
from calibration.results import FitResult
from pysd_runner.errors import InvalidInput
from pysd_runner.plots.figure import LABEL_SIZE, PAGE_WIDTH, KeyEntry, ReportFigure, Sheet, open_sheet
from pysd_runner.plots.fonts import usable_language
from pysd_runner.plots.palette import FAN, INK, MUTED, RULE, SCENARIO, drawing
from pysd_runner.plots.typography import shortened, wrapped

_ROW, _NAMES, _WORDS = 0.21, 2.35, 1.45
_COLUMNS, _GAP, _LEFT = 3, 0.46, 0.5
# Ratios to the prior median beyond these limits are cut.
_LEAST, _MOST = 0.02, 50.0

_WORDING = {
    "en": {
        "parameters": "What the panel says about each parameter",
        "parameters_subtitle": "Estimate over prior median, logarithmic; {panel}, {first} to {last}",
        "parameters_caption": "Thick, light: where the prior puts 90 of 100 values. Thin, dark: where they lie after "
        "the panel was seen. The words say how much of the prior variance the panel took away.",
        "prior": "prior, 90 of 100",
        "posterior": "estimate, 90 of 100",
        "series": "Fitted against observed",
        "series_subtitle": "Each dot a region and year, {panel}, {first} to {last}; the line is a perfect fit",
        "series_caption": "Log points relative to the mean of the regions of the year, yearly changes of them for "
        "output, or national levels. These values were used in the fit: this is no test of a forecast.",
        "observed": "observed",
        "fitted": "fitted",
        "sentence_parameters": "Of {count} parameters the panel settles or mostly determines {settled}; {prior} rest "
        "mostly on their prior.",
        "sentence_series": "Fitted against observed values of {count} series.",
    },
    "zh": {
        "parameters": "面板对各参数的信息",
        "parameters_subtitle": "估计值与先验中位数之比（对数刻度）；{panel}，{first} 至 {last} 年",
        "parameters_caption": "浅色粗线：先验 90% 所在范围；深色细线：看到面板之后的范围。"
        "文字说明面板使先验方差减少了多少。",
        "prior": "先验，90%",
        "posterior": "估计，90%",
        "series": "拟合值与观测值",
        "series_subtitle": "每点为一个地区一年，{panel}，{first} 至 {last} 年；直线为完全拟合",
        "series_caption": "相对于当年各地区均值的对数点，产出为其年变化，或为全国水平。"
        "这些值用于拟合，不是对预测的检验。",
        "observed": "观测",
        "fitted": "拟合",
        "sentence_parameters": "{count} 个参数中，面板确定或主要决定了 {settled} 个；{prior} 个主要取决于先验。",
        "sentence_series": "{count} 个序列的拟合值与观测值。",
    },
}
_EVIDENCE_ZH = {
    "settled by the panel": "由面板确定",
    "mostly the panel": "主要来自面板",
    "panel and prior": "面板与先验",
    "mostly prior": "主要来自先验",
    PRIOR_ONLY: "先验",
    HELD: "固定于先验",
}


def draw_fit(result: FitResult, *, lang: str = "en") -> Iterator[tuple[str, ReportFigure]]:
    """Draw the figures of a fit.

    Parameters
    ----------
    result
        What `calibration.fit` found.
    lang
        ``"en"`` or ``"zh"``.

    Yields
    ------
    tuple
        Name of the files without ending, and the figure.

    Raises
    ------
    InvalidInput
        If there is no such language.
    """
    yield "parameters", plot_parameters(result, lang=lang)
    yield "series", plot_series(result, lang=lang)


def plot_parameters(result: FitResult, *, lang: str = "en") -> ReportFigure:
    """Draw the interval of every parameter before and after the panel was seen.

    Parameters
    ----------
    result
        What `calibration.fit` found.
    lang
        ``"en"`` or ``"zh"``.

    Returns
    -------
    ReportFigure
        One row a parameter, each relative to the median of its prior.

    Raises
    ------
    InvalidInput
        If there is no such language, or nothing was estimated.
    """
    lang = usable_language(lang)
    if not result.parameters:
        raise InvalidInput("the fit has no parameters to draw")
    rows = result.parameters
    with drawing():
        sheet = open_sheet(
            width=PAGE_WIDTH,
            height=len(rows) * _ROW + 0.36,
            title=_say("parameters", lang),
            subtitle=_say("parameters_subtitle", lang, **_window(result)),
            caption=_say("parameters_caption", lang),
            key=(
                KeyEntry(text=_say("prior", lang), colours=(FAN[1], FAN[1])),
                KeyEntry(text=_say("posterior", lang), colours=(SCENARIO,)),
            ),
        )
        _draw_rows(sheet, rows, lang)
    figure = sheet.figure
    figure.data = _parameter_table(rows)
    settled = sum(item.contraction >= EVIDENCE[1][0] for item in rows)
    weak = sum(item.contraction < EVIDENCE[2][0] for item in rows)
    figure.sentence = _say("sentence_parameters", lang, count=len(rows), settled=settled, prior=weak)
    return figure


def _draw_rows(sheet: Sheet, rows: Sequence[ParameterEstimate], lang: str) -> None:
    axes = sheet.axes(_NAMES, 0, sheet.width - _NAMES - _WORDS, len(rows) * _ROW)
    axes.set_xscale("log")
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks([])
    axes.axvline(1, color=RULE, linewidth=0.8, zorder=0.5)
    shown = [_ratios(item) for item in rows]
    axes.set_xlim(_limits(shown))
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0), numticks=9))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    for place, (item, (low, middle, high, prior_low, prior_high)) in enumerate(zip(rows, shown, strict=True)):
        axes.plot([prior_low, prior_high], [place, place], color=FAN[1], linewidth=6, solid_capstyle="butt", zorder=1)
        axes.plot([low, high], [place, place], color=SCENARIO, linewidth=1.5, solid_capstyle="butt", zorder=2)
        axes.plot([middle], [place], color=SCENARIO, marker="o", markersize=4, zorder=3)
        top = (place + 0.5) * _ROW
        name = item.name if lang == "en" else item.zh
        text = shortened(sheet.figure, f"{item.key}: {name}", LABEL_SIZE, _NAMES - 0.1)
        sheet.text(_NAMES - 0.1, top, text, size=LABEL_SIZE, color=INK, ha="right", va="center")
        words = item.words if lang == "en" else _EVIDENCE_ZH.get(item.words, item.words)
        sheet.text(sheet.width - _WORDS + 0.1, top, words, size=LABEL_SIZE, color=MUTED, va="center")


def _ratios(item: ParameterEstimate) -> tuple[float, ...]:
    """Estimate and intervals over the prior median, cut to what can be drawn on a logarithmic axis."""
    values = np.array([item.low, item.estimate, item.high, item.prior_low, item.prior_high]) / item.prior_median
    return tuple(float(value) for value in np.clip(values, _LEAST, _MOST))


def _limits(shown: Sequence[tuple[float, ...]]) -> tuple[float, float]:
    values = [value for row in shown for value in row]
    return min(values) / 1.15, max(values) * 1.15


def _parameter_table(rows: Sequence[ParameterEstimate]) -> pd.DataFrame:
    names = (
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
    return pd.DataFrame([{name: getattr(item, name) for name in names} for item in rows], columns=list(names))


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
            title=_say("series", lang),
            subtitle=_say("series_subtitle", lang, **_window(result)),
            caption=_say("series_caption", lang),
        )
        for number, item in enumerate(result.series):
            row, column = divmod(number, columns)
            left, top = _LEFT + column * (wide + _GAP), row * pitch
            part = frame[(frame["measurement"] == item.measurement) & (frame["indicator"] == item.indicator)]
            _draw_name(sheet, item, left, top, wide, lang)
            axes = sheet.axes(left, top + above, wide, wide)
            _draw_scatter(axes, part)
            axes.set_xlabel(_say("observed", lang))
            if column == 0:
                axes.set_ylabel(_say("fitted", lang))
    figure = sheet.figure
    figure.data = frame.drop(columns="used").assign(unit="as in the fit: log points, or a national level")
    figure.sentence = _say("sentence_series", lang, count=len(result.series))
    return figure


def _draw_name(sheet: Sheet, item: SeriesFit, left: float, top: float, wide: float, lang: str) -> None:
    """Write the indicator above its panel, and what measures it below."""
    name = item.indicator.replace("_", " ")
    lines = wrapped(sheet.figure, name if lang == "en" else item.zh, LABEL_SIZE, wide + _GAP / 2)[:2]
    sheet.text(left, top + 0.30 - 0.13 * (len(lines) - 1), "\n".join(lines), size=LABEL_SIZE, color=INK, va="center")


def _draw_scatter(axes: Axes, part: pd.DataFrame) -> None:
    observed, fitted = (part[name].to_numpy(dtype=float) for name in ("observed", "fitted"))
    low = float(min(observed.min(), fitted.min()))
    high = float(max(observed.max(), fitted.max()))
    edge = 0.05 * (high - low) or 0.05
    axes.plot([low - edge, high + edge], [low - edge, high + edge], color=RULE, linewidth=0.9, zorder=1)
    axes.plot(observed, fitted, color=SCENARIO, linestyle="none", marker="o", markersize=2, alpha=0.55, zorder=2)
    axes.set_xlim(low - edge, high + edge)
    axes.set_ylim(low - edge, high + edge)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4))


def _window(result: FitResult) -> dict[str, object]:
    return {"panel": result.fitted.panel, "first": result.fitted.first_year, "last": result.fitted.last_year}


def _say(key: str, lang: str, **parts: object) -> str:
    return _WORDING[lang][key].format(**parts)
