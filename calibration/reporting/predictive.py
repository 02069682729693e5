"""Panels made with the prior and with the posterior beside the observed one, statistic by statistic."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from calibration.fitting.results import FitResult
from calibration.reporting.wording import series_name, window
from calibration.uncertainty import PredictiveCheck
from pysd_runner.core.errors import InvalidInput
from pysd_runner.plots.figure import LABEL_SIZE, PAGE_WIDTH, KeyEntry, ReportFigure, Sheet, open_sheet
from pysd_runner.plots.palette import FAN, INK, RULE, SCENARIO, drawing
from pysd_runner.plots.typography import shortened, usable_language
from pysd_runner.text import say

_ROW, _NAMES = 0.21, 2.6
# Ratios beyond these limits are cut.
_LEAST, _MOST = 0.1, 10.0


def plot_predictive(result: FitResult, checks: Sequence[PredictiveCheck], *, lang: str = "en") -> ReportFigure:
    """Draw predictive checks, prior and posterior, relative to what was observed.

    Parameters
    ----------
    result
        What `calibration.fit` found.
    checks
        What `calibration.uncertainty.predictive_checks` gave for it.
    lang
        ``"en"`` or ``"zh"``.

    Returns
    -------
    ReportFigure
        One row a statistic of a series.

    Raises
    ------
    InvalidInput
        If there is no such language, or nothing to draw.
    """
    lang = usable_language(lang)
    if not checks:
        raise InvalidInput("there are no predictive checks to draw")
    with drawing():
        sheet = open_sheet(
            width=PAGE_WIDTH,
            height=len(checks) * _ROW + 0.36,
            title=say("fit_figure.predictive", lang),
            subtitle=say("fit_figure.predictive_subtitle", lang, **window(result, lang)),
            caption=say("fit_figure.predictive_caption", lang),
            key=(
                KeyEntry(text=say("fit_figure.prior", lang), colours=(FAN[1], FAN[1])),
                KeyEntry(text=say("fit_figure.posterior", lang), colours=(SCENARIO,)),
            ),
        )
        _draw_rows(sheet, result, checks, lang)
    figure = sheet.figure
    figure.data = _table(checks)
    inside = sum(item.posterior[0] <= item.observed <= item.posterior[2] for item in checks)
    figure.sentence = say("fit_figure.sentence_predictive", lang, count=len(checks), inside=inside)
    return figure


def _draw_rows(sheet: Sheet, result: FitResult, checks: Sequence[PredictiveCheck], lang: str) -> None:
    axes = sheet.axes(_NAMES, 0, sheet.width - _NAMES - 0.15, len(checks) * _ROW)
    axes.set_xscale("log")
    axes.set_ylim(len(checks) - 0.5, -0.5)
    axes.set_yticks([])
    axes.axvline(1, color=RULE, linewidth=0.8, zorder=0.5)
    series = {item.label: item for item in result.series}
    shown = []
    for place, item in enumerate(checks):
        prior, posterior = (np.clip(np.array(x) / item.observed, _LEAST, _MOST) for x in (item.prior, item.posterior))
        shown += [*prior, *posterior]
        axes.plot(prior[[0, 2]], [place, place], color=FAN[1], linewidth=6, solid_capstyle="butt", zorder=1)
        axes.plot(posterior[[0, 2]], [place, place], color=SCENARIO, linewidth=1.5, solid_capstyle="butt", zorder=2)
        axes.plot([posterior[1]], [place], color=SCENARIO, marker="o", markersize=4, zorder=3)
        name = f"{series_name(series[item.label], lang)}: {say(f'fit_figure.{item.statistic}', lang)}"
        text = shortened(sheet.figure, name, LABEL_SIZE, _NAMES - 0.1)
        sheet.text(_NAMES - 0.1, (place + 0.5) * _ROW, text, size=LABEL_SIZE, color=INK, ha="right", va="center")
    axes.set_xlim(min(*shown, 1.0) / 1.15, max(*shown, 1.0) * 1.15)
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0), numticks=9))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _table(checks: Sequence[PredictiveCheck]) -> pd.DataFrame:
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
