"""Intervals before and after the panel was seen, side by side: of each parameter, of each statistic of a series."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from calibration.fitting.estimates import ParameterEstimate
from calibration.fitting.results import FitResult
from calibration.reporting.facts import series_name, settled_and_weak, window
from calibration.uncertainty import PredictiveCheck
from pysd_runner.core.errors import InvalidInput
from pysd_runner.plots.figure import LABEL_SIZE, PAGE_WIDTH, KeyEntry, ReportFigure, Sheet, open_sheet
from pysd_runner.plots.palette import FAN, INK, MUTED, RULE, SCENARIO, drawing
from pysd_runner.plots.typography import shortened, usable_language
from pysd_runner.text import said, say

# Height of a row, and room for names on the left and words on the right, in inches.
_ROW, _NAMES, _WORDS = 0.21, 2.35, 1.45
_LONG_NAMES, _NO_WORDS = 2.6, 0.15
# Ratios beyond these limits are cut: to the prior median of a parameter, and to an observed statistic.
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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """One row, in multiples of what is called 1."""

    name: str
    prior: Sequence[float]  # its ends
    posterior: Sequence[float]  # low, middle, high
    words: str = ""


def plot_parameters(result: FitResult, *, lang: str = "en") -> ReportFigure:
    """Draw the intervals of the parameters that tables show, prior and posterior, relative to prior medians."""
    lang = usable_language(lang)
    if not result.parameters:
        raise InvalidInput("the fit has no parameters to draw")
    shown = result.shown or result.parameters
    figure = _drawn(result, "parameters", [_parameter_row(item, lang) for item in shown], (_NAMES, _WORDS), lang)
    figure.data = pd.DataFrame([{name: getattr(item, name) for name in _TABLE} for item in shown], columns=list(_TABLE))
    settled, weak = settled_and_weak(shown)
    figure.sentence = say("fit_figure.sentence_parameters", lang, count=len(shown), settled=settled, prior=weak)
    return figure


def plot_predictive(result: FitResult, checks: Sequence[PredictiveCheck], *, lang: str = "en") -> ReportFigure:
    """Draw predictive checks, prior and posterior, relative to what was observed."""
    lang = usable_language(lang)
    if not checks:
        raise InvalidInput("there are no predictive checks to draw")
    series = {item.label: series_name(item, lang) for item in result.series}
    rows = [_check_row(item, series[item.label], lang) for item in checks]
    figure = _drawn(result, "predictive", rows, (_LONG_NAMES, _NO_WORDS), lang)
    figure.data = _check_table(checks)
    inside = sum(item.posterior[0] <= item.observed <= item.posterior[2] for item in checks)
    figure.sentence = say("fit_figure.sentence_predictive", lang, count=len(checks), inside=inside)
    return figure


def _parameter_row(item: ParameterEstimate, lang: str) -> _Row:
    values = np.array([item.low, item.estimate, item.high, item.prior_low, item.prior_high]) / item.prior_median
    low, middle, high, prior_low, prior_high = np.clip(values, *_OF_PRIOR)
    return _Row(
        name=f"{item.key}: {item.name if lang == 'en' else item.zh}",
        prior=(prior_low, prior_high),
        posterior=(low, middle, high),
        words=said(item.words, lang),
    )


def _check_row(item: PredictiveCheck, series: str, lang: str) -> _Row:
    prior, posterior = (np.clip(np.array(x) / item.observed, *_OF_OBSERVED) for x in (item.prior, item.posterior))
    name = f"{series}: {say(f'fit_figure.{item.statistic}', lang)}"
    return _Row(name=name, prior=prior[[0, 2]].tolist(), posterior=posterior.tolist())


def _drawn(result: FitResult, key: str, rows: Sequence[_Row], beside: tuple[float, float], lang: str) -> ReportFigure:
    """A figure of rows with so much room on their left and right."""
    with drawing():
        sheet = open_sheet(
            width=PAGE_WIDTH,
            height=len(rows) * _ROW + 0.36,
            title=say(f"fit_figure.{key}", lang),
            subtitle=say(f"fit_figure.{key}_subtitle", lang, **window(result, lang)),
            caption=say(f"fit_figure.{key}_caption", lang),
            key=(
                KeyEntry(text=say("fit_figure.prior", lang), colours=(FAN[1], FAN[1])),
                KeyEntry(text=say("fit_figure.posterior", lang), colours=(SCENARIO,)),
            ),
        )
        _draw_rows(sheet, rows, *beside)
    return sheet.figure


def _draw_rows(sheet: Sheet, rows: Sequence[_Row], left: float, right: float) -> None:
    axes = sheet.axes(left, 0, sheet.width - left - right, len(rows) * _ROW)
    axes.set_xscale("log")
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks([])
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
        top = (place + 0.5) * _ROW
        text = shortened(sheet.figure, row.name, LABEL_SIZE, left - 0.1)
        sheet.text(left - 0.1, top, text, size=LABEL_SIZE, color=INK, ha="right", va="center")
        if row.words:
            sheet.text(sheet.width - right + 0.1, top, row.words, size=LABEL_SIZE, color=MUTED, va="center")


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
