"""Figures of the scoreboard: skill by horizon with its interval, and coverage of the final forecast."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from calibration.forecasting import Backtest
from calibration.forecasting.models import FILTERED, FINAL
from calibration.forecasting.scores import LEVELS, percent
from pysd_runner.plots import ReportFigure, save_figure
from pysd_runner.plots.figure import Canvas, KeyEntry, open_canvas
from pysd_runner.plots.style import CLASSES, FAN, INK, MUTED, RULE, drawing

COMPARED = (FINAL, FILTERED, "mean_of_good")
_LEFT, _HIGH, _BETWEEN, _ABOVE = 0.42, 1.9, 0.35, 0.26
# Between marks of one horizon, years.
_APART = 0.14


def save_all(results: Mapping[str, Backtest], folder: Path) -> None:
    """Write the figures as PNG, SVG, CSV and text.

    Parameters
    ----------
    results
        By title of the panel.
    folder
        Where to.
    """
    figures = {"forecast_skill": skill_figure, "forecast_coverage": coverage_figure}
    for name, draw in figures.items():
        save_figure(draw(results), folder, name)


def skill_figure(results: Mapping[str, Backtest]) -> ReportFigure:
    """Ratio of RMSE to persistence by horizon; the band is the 90 % block-bootstrap interval of the final forecast.

    Parameters
    ----------
    results
        By title of the panel.
    """
    rows = pd.concat([result.table().assign(panel=title) for title, result in results.items()])
    columns = ["panel", "model", "horizon", "rmse_ratio_to_persistence", "rmse_ratio_low", "rmse_ratio_high"]
    shown = rows[rows["model"].isin(COMPARED)][columns].astype({columns[-2]: float, columns[-1]: float})
    key = [KeyEntry(text=name, colours=(CLASSES[at][0],), style=CLASSES[at][1]) for at, name in enumerate(COMPARED)]
    key.append(KeyEntry(text=f"90 % interval of {FINAL}", colours=(FAN[0], FAN[0])))
    low = min(0.98 * float(shown["rmse_ratio_low"].min()), 0.95)
    high = max(1.02 * float(shown.loc[shown["model"] == FINAL, "rmse_ratio_high"].max()), 1.06)
    with drawing():
        canvas = _sheet("Skill by horizon", "RMSE relative to persistence; below 1 is better", key)
        for axes, title in zip(_row(canvas, results), results, strict=True):
            part = shown[shown["panel"] == title].set_index("model")
            own = part.loc[[FINAL]]
            axes.fill_between(own["horizon"], own["rmse_ratio_low"], own["rmse_ratio_high"], color=FAN[0], linewidth=0)
            for place, name in enumerate(COMPARED):
                colour, style = CLASSES[place]
                line = part.loc[[name]]
                axes.plot(line["horizon"], line["rmse_ratio_to_persistence"], color=colour, linestyle=style, lw=1.4)
            axes.axhline(1, color=INK, linewidth=0.8)
            axes.set(ylim=(low, high), xlabel="years ahead", xticks=sorted(own["horizon"]))
    first = next(iter(results))
    ratios = shown[(shown["panel"] == first) & (shown["model"] == FINAL)]["rmse_ratio_to_persistence"]
    return _finished(
        canvas.figure, shown.assign(unit="Dmnl"), f"{first}: the ratio of {FINAL} to persistence is {_range(ratios)}."
    )


def coverage_figure(results: Mapping[str, Backtest]) -> ReportFigure:
    """Coverage of the intervals of the final forecast by horizon, with 90 % block-bootstrap intervals.

    Parameters
    ----------
    results
        By title of the panel.
    """
    tables = []
    key = [
        KeyEntry(text=f"intervals of {percent(level)} %", colours=(CLASSES[at][0],)) for at, level in enumerate(LEVELS)
    ]
    with drawing():
        canvas = _sheet(
            f"How often intervals of {FINAL} held what came",
            "Share by years ahead, with its 90 % interval; lines: nominal",
            key,
        )
        for axes, (title, result) in zip(_row(canvas, results), results.items(), strict=True):
            rows = result.table()
            rows = rows[rows["model"] == FINAL]
            for place, level in enumerate(LEVELS):
                name = f"coverage_{percent(level)}"
                found = rows[["horizon", name, f"{name}_low", f"{name}_high"]].astype(float)
                found.columns = pd.Index(["horizon", "coverage", "low", "high"])
                _draw_level(axes, found, level, place)
                tables.append(found.assign(panel=title, level=level, unit="Dmnl"))
            axes.set(ylim=(0.3, 1.02), xlabel="years ahead", xticks=sorted(rows["horizon"]), yticks=LEVELS)
    shown = pd.concat(tables)
    half = shown[shown["level"] == 0.5]["coverage"]
    return _finished(canvas.figure, shown, f"Intervals of 50 % held {_range(half)} of realisations.")


def _draw_level(axes: Axes, found: pd.DataFrame, level: float, place: int) -> None:
    axes.axhline(level, color=RULE, linewidth=0.8)
    spread = np.stack([found["coverage"] - found["low"], found["high"] - found["coverage"]])
    # Beside each other, so that one interval does not hide the next.
    beside = found["horizon"] + _APART * (place - (len(LEVELS) - 1) / 2)
    axes.errorbar(beside, found["coverage"], yerr=spread, fmt="o", ms=3, lw=1, color=CLASSES[place][0])


def _sheet(title: str, subtitle: str, key: list[KeyEntry] | None = None) -> Canvas:
    return open_canvas(
        height=_ABOVE + _HIGH + 0.45,
        title=title,
        subtitle=subtitle,
        caption="Drawn by python -m benchmarks.scoreboard: rolling origins, everything estimated again at each.",
        key=key or (),
    )


def _row(canvas: Canvas, results: Mapping[str, Backtest]) -> list[Axes]:
    """Axes beside each other, a panel in each."""
    wide = (canvas.width - _LEFT) / len(results) - _BETWEEN
    found = []
    for place, title in enumerate(results):
        left = _LEFT + place * (wide + _BETWEEN)
        canvas.text(left, 0, title, size=8.5, color=MUTED)
        found.append(canvas.axes(left, _ABOVE, wide, _HIGH))
    return found


def _finished(figure: ReportFigure, data: pd.DataFrame, sentence: str) -> ReportFigure:
    figure.data, figure.sentence = data.reset_index(drop=True), sentence
    return figure


def _range(values: pd.Series) -> str:
    return f"{values.min():.2f} to {values.max():.2f}"
