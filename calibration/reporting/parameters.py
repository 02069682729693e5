"""What the panel says about each parameter: prior and posterior intervals side by side."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from calibration.fitting.estimates import EVIDENCE, ParameterEstimate
from calibration.fitting.results import FitResult
from calibration.reporting.wording import say_evidence, window
from pysd_runner.core.errors import InvalidInput
from pysd_runner.plots.figure import LABEL_SIZE, PAGE_WIDTH, KeyEntry, ReportFigure, Sheet, open_sheet
from pysd_runner.plots.palette import FAN, INK, MUTED, RULE, SCENARIO, drawing
from pysd_runner.plots.typography import shortened, usable_language
from pysd_runner.text import say

_ROW, _NAMES, _WORDS = 0.21, 2.35, 1.45
# Ratios to the prior median beyond these limits are cut.
_LEAST, _MOST = 0.02, 50.0


def plot_parameters(result: FitResult, *, lang: str = "en") -> ReportFigure:
    """Draw the intervals of the parameters that tables show, before and after the panel was seen.

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
    rows = result.shown or result.parameters
    with drawing():
        sheet = open_sheet(
            width=PAGE_WIDTH,
            height=len(rows) * _ROW + 0.36,
            title=say("fit_figure.parameters", lang),
            subtitle=say("fit_figure.parameters_subtitle", lang, **window(result, lang)),
            caption=say("fit_figure.parameters_caption", lang),
            key=(
                KeyEntry(text=say("fit_figure.prior", lang), colours=(FAN[1], FAN[1])),
                KeyEntry(text=say("fit_figure.posterior", lang), colours=(SCENARIO,)),
            ),
        )
        _draw_rows(sheet, rows, lang)
    figure = sheet.figure
    figure.data = _parameter_table(rows)
    settled = sum(item.contraction >= EVIDENCE[1][0] for item in rows)
    weak = sum(item.contraction < EVIDENCE[2][0] for item in rows)
    figure.sentence = say("fit_figure.sentence_parameters", lang, count=len(rows), settled=settled, prior=weak)
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
        words = say_evidence(item.words, lang)
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
