"""Shares of the levers in several mixes, one bar a class or a period: the timeline of a path of policy."""

import numpy as np
import pandas as pd

from pysd_runner.core.numbers import percent
from pysd_runner.plots.figure import LABEL_SIZE, PAGE_WIDTH, KeyEntry, ReportFigure, open_sheet
from pysd_runner.plots.fonts import usable_language
from pysd_runner.plots.palette import drawing
from pysd_runner.plots.wedges import HUES
from pysd_runner.text import say

# Shares below this are not named.
NAMED = 0.06


def plot_shares(shares: pd.DataFrame, *, title: str, lang: str = "en") -> ReportFigure:
    """Draw mixes as stacked bars."""
    lang = usable_language(lang)
    colours = dict(zip(shares.columns, HUES, strict=False))
    with drawing():
        height = 0.36 * len(shares)
        key = [KeyEntry(text=str(name), colours=(colours[name],) * 2) for name in shares.columns]
        sheet = open_sheet(
            width=PAGE_WIDTH,
            height=height + 0.3,
            title=title,
            subtitle="",
            caption=say("policy_figure.shares_caption", lang),
            key=key,
        )
        axes = sheet.axes(1.1, 0.05, sheet.width - 1.2, height)
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
    figure = sheet.figure
    long = shares.rename_axis("mix").reset_index().melt(id_vars="mix", var_name="lever", value_name="share")
    figure.data = long.assign(unit="Dmnl")
    parts = []
    for group, mix in zip(shares.index, shares.to_numpy(), strict=True):
        place = int(mix.argmax())
        parts.append(
            say(
                "policy_figure.shares_sentence",
                lang,
                group=group,
                lever=shares.columns[place],
                share=percent(float(mix[place])),
            )
        )
    figure.sentence = say("policy_figure.shares_between", lang).join(parts)
    return figure
