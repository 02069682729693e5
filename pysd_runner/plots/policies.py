"""Figures of policies: contributions and shares of levers, trade-offs, regret, switching values, measured effects."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from pysd_runner.core.numbers import interval, percent, written
from pysd_runner.core.types import Interval, Record, Texts
from pysd_runner.plots.figure import LABEL_SIZE, Canvas, KeyEntry, ReportFigure, open_canvas
from pysd_runner.plots.marks import write_beside
from pysd_runner.plots.over_time import write_dates
from pysd_runner.plots.style import (
    BASELINE,
    INK,
    MUTED,
    ORIGIN,
    RULE,
    SCENARIO,
    drawing,
    figure_of,
    shortened,
    usable_language,
    wrapped,
)
from pysd_runner.text import translate

#: Mostly hues of Okabe and Ito, ordered so that neighbours also differ in lightness.
HUES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#F0E442", "#8A6D00", "#332288")


@figure_of
def plot_wedges(
    wedges: pd.DataFrame, *, labels: Texts, unit: str, title: str, lang: str, ax: Any = None
) -> ReportFigure:
    """Draw the contributions of levers over time as stacked areas."""
    years = wedges.index.to_numpy(dtype=float)
    order = list(wedges.iloc[-1].abs().sort_values(ascending=False, kind="stable").index)
    with drawing(ax):
        told = {"title": title, "subtitle": unit, "caption": translate("policy_figure.wedges_caption", lang)}
        canvas, axes = _stacked(wedges, order, labels, told, lang)
        axes.plot(years, wedges.sum(axis=1).to_numpy(), color=INK, linewidth=1.4)
    long = wedges.reset_index(names="year").melt(id_vars="year", var_name="lever", value_name="value")
    last, first = wedges.iloc[-1], order[0]
    sentence = translate(
        "policy_figure.wedges_sentence",
        lang,
        year=int(years[-1]),
        first=labels.get(str(first), str(first)),
        value=written(float(last[first]), 2),
        total=written(float(last.sum()), 2),
        unit=unit,
    )
    return canvas.told(long.assign(unit=unit), sentence)


def _stacked(parts: pd.DataFrame, order: Sequence[str], labels: Texts, told: Record, lang: str) -> tuple[Canvas, Axes]:
    """Draw columns over their index as areas, stacked upwards where positive and downwards where negative."""
    times = parts.index.to_numpy()
    colours = {name: HUES[place % len(HUES)] for place, name in enumerate(parts.columns)}
    key = [KeyEntry(text=labels.get(str(name), str(name)), colours=(colours[name],) * 2) for name in order]
    canvas = open_canvas(height=2.9, key=key, **told)
    axes = canvas.axes(0.5, 0.05, canvas.width - 0.6, 2.6)
    above, below = np.zeros(len(times)), np.zeros(len(times))
    for name in order:
        values = parts[name].to_numpy()
        up, down = np.maximum(values, 0), np.minimum(values, 0)
        for base, part in ((above, up), (below, down)):
            if part.any():
                axes.fill_between(times, base, base + part, color=colours[name], linewidth=0.4, edgecolor="white")
        above, below = above + up, below + down
    axes.axhline(0, color=INK, linewidth=0.6)
    axes.set_xlim(times[0], times[-1])
    write_dates(axes, lang)
    return canvas, axes


@figure_of
def plot_loops(
    relative: pd.DataFrame, *, labels: Texts, told: Texts, sentence: str, lang: str, ax: Any = None
) -> ReportFigure:
    """Draw the relative scores of loops (columns) over time as stacked areas, balancing loops below zero."""
    with drawing(ax):
        canvas, _ = _stacked(relative, list(relative.columns), labels, told, lang)
    long = relative.rename_axis("time").reset_index().melt("time", var_name="loop", value_name="relative")
    return canvas.told(long.assign(unit="Dmnl"), sentence)


# Minimum share that is labelled in its bar.
NAMED = 0.06


@figure_of
def plot_shares(shares: pd.DataFrame, *, title: str, lang: str, ax: Any = None) -> ReportFigure:
    """Draw the shares of levers in each mix as stacked bars."""
    colours = dict(zip(shares.columns, HUES, strict=False))
    with drawing(ax):
        height = 0.36 * len(shares)
        key = [KeyEntry(text=str(name), colours=(colours[name],) * 2) for name in shares.columns]
        canvas = open_canvas(
            height=height + 0.3, title=title, caption=translate("policy_figure.shares_caption", lang), key=key
        )
        axes = canvas.axes(1.1, 0.05, canvas.width - 1.2, height)
        left = np.zeros(len(shares))
        for name in shares.columns:
            values = shares[name].to_numpy()
            axes.barh(range(len(shares)), values, left=left, color=colours[name], edgecolor="white", height=0.8)
            for row, value in enumerate(values):
                if value >= NAMED:
                    axes.text(left[row] + value / 2, row, percent(value), ha="center", va="center", size=LABEL_SIZE)
            left = left + values
        axes.set_yticks(range(len(shares)), labels=[str(name) for name in shares.index])
        axes.set_ylim(len(shares) - 0.5, -0.5)
        axes.set_xlim(0, 1)
        axes.set_xticks([])
        axes.grid(visible=False)
    long = shares.rename_axis("mix").reset_index().melt(id_vars="mix", var_name="lever", value_name="share")
    parts = [
        translate(
            "policy_figure.shares_sentence", lang, group=group, lever=mix.idxmax(), share=percent(float(mix.max()))
        )
        for group, mix in shares.iterrows()
    ]
    return canvas.told(long.assign(unit="Dmnl"), translate("policy_figure.shares_between", lang).join(parts))


# Ticks of a logarithmic axis.
LOG_TICKS = tuple(digit * 10.0**power for power in range(-3, 4) for digit in (1, 2, 5))
# Markers of studies by rating; room for names and numbers, and height of a row, in inches.
RATED = {5: "s", 4: "D", 3: "o", 2: "^", 1: "^"}
_NAMES, _NUMBERS, _PITCH = 2.75, 1.5, 0.19
#: Colours of the rows of a forest plot that are not studies, from the top.
SUMMARIES = {"pool": INK, "term": BASELINE, "prior": MUTED, "posterior": HUES[4], "weighted": SCENARIO}


@figure_of
def plot_forest(
    rows: pd.DataFrame, *, title: str, basis: str, is_log: bool = False, lang: str = "en", ax: Any = None
) -> ReportFigure:
    """Draw measured effects with their pooled mean, and the effect that a model implies for the same quantity.

    Parameters
    ----------
    rows
        One row per line, from the top: columns label, kind, value, low, high (90 % interval), rating (1 to 5, zero for
        no study). The kind is ``"study"``, ``"assumed"`` (its error was assumed), ``"null"`` (published as no effect,
        without a number), or a key of `SUMMARIES`.
    title, basis
        Title; what is divided by what, for the axis.
    is_log
        Whether the axis is logarithmic; an interval that reaches below zero then ends at the axis.
    lang
        ``"en"`` or ``"zh"``.
    ax
        Axes to draw in; None for a figure.

    Returns
    -------
    ReportFigure
        The figure, whose data are the rows; or `ax`.
    """
    lang = usable_language(lang)
    height, is_study = _PITCH * len(rows), ~rows["kind"].isin(SUMMARIES).to_numpy()
    shown = rows[["value", "low", "high"]].to_numpy(dtype=float)
    numbers = [f"{written(value, 2)} ({interval(low, high, 2)})" for value, low, high in shown]
    with drawing(ax):
        caption = translate("evidence.forest_caption", lang)
        canvas = open_canvas(height=height + 0.5, title=title, caption=caption)
        axes = canvas.axes(_NAMES, 0.05, canvas.width - _NAMES - _NUMBERS, height)
        axes.set_xscale("log" if is_log else "linear")
        limits = _limits_of_forest(rows, is_log=is_log)
        axes.set_xlim(*limits)
        if is_log:
            ticks = [tick for tick in LOG_TICKS if limits[0] <= tick <= limits[1]]
            axes.set_xticks(ticks, labels=[f"{tick:g}" for tick in ticks])
            axes.minorticks_off()
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.axvline(1 if is_log else 0, color=RULE, linewidth=0.8, zorder=1)
        axes.axhline(is_study.sum() - 0.5, color=RULE, linewidth=0.8, zorder=1)
        for place, row in enumerate(rows.to_dict("records")):
            _draw_effect(axes, place, row, limits)
            write_beside(axes, numbers[place], place)
        names = [shortened(canvas.figure, text, LABEL_SIZE, _NAMES - 0.1) for text in rows["label"]]
        axes.set_yticks(range(len(rows)), labels=names, size=LABEL_SIZE, color=INK)
        axes.tick_params(axis="y", pad=7)
        axes.grid(visible=False)
        axes.set_xlabel("\n".join(wrapped(canvas.figure, basis, 8, canvas.width - _NAMES)), color=MUTED)
    told = translate("list.separator", lang).join(
        f"{label} {numbers[place]}" for place, label in enumerate(rows["label"]) if not is_study[place]
    )
    key = "evidence.forest_sentence" if told else "evidence.forest_alone"
    sentence = translate(key, lang, count=int(is_study.sum()), basis=basis, rows=told)
    return canvas.told(rows.assign(unit=basis), sentence)


def _limits_of_forest(rows: pd.DataFrame, *, is_log: bool) -> Interval:
    """Limits that hold every value and the intervals below; a logarithmic axis leaves out low ends of the model."""
    of_model = rows["kind"].isin(("prior", "posterior", "weighted"))
    ends = rows[rows["kind"].isin(SUMMARIES)]
    lows = ends["low"] if not is_log else ends.loc[~of_model, "low"]
    values = np.concatenate([rows["value"], lows, ends["high"], [1.0 if is_log else 0.0]])
    if is_log:
        values = np.log(values[values > 0])
    reach = 0.05 * np.ptp(values)
    first, last = np.array([values.min() - reach, values.max() + reach])
    return (float(np.exp(first)), float(np.exp(last))) if is_log else (float(first), float(last))


def _draw_effect(axes: Axes, place: int, row: Mapping[Any, Any], limits: Interval) -> None:
    """Draw the line of an effect, with an arrow where its interval extends beyond the axis."""
    is_summary = row["kind"] in SUMMARIES
    colour = SUMMARIES.get(row["kind"], ORIGIN if row["kind"] in ("assumed", "null") else INK)
    low, high = max(row["low"], limits[0]), min(row["high"], limits[1])
    axes.hlines(place, low, high, color=colour, linewidth=3.0 if is_summary else 1.0, zorder=2)
    for end, limit, arrow in ((row["low"], limits[0], "<"), (row["high"], limits[1], ">")):
        if (end < limit) if arrow == "<" else (end > limit):
            axes.plot(limit, place, marker=arrow, color=colour, markersize=3.5, clip_on=False, zorder=2)
    marker = "o" if is_summary else "x" if row["kind"] == "null" else RATED[int(row["rating"])]
    face = "white" if is_summary else colour
    axes.plot(row["value"], place, marker=marker, color=colour, markerfacecolor=face, markersize=4.5, zorder=3)
