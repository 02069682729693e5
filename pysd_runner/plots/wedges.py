"""What each lever adds to the effect of a policy, year by year, stacked on each other."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pysd_runner.core.numbers import written
from pysd_runner.plots.figure import PAGE_WIDTH, KeyEntry, ReportFigure, open_sheet
from pysd_runner.plots.fonts import usable_language
from pysd_runner.plots.palette import INK, drawing
from pysd_runner.text import say

#: Hues of Okabe and Ito in an order in which neighbours differ in lightness too.
HUES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#F0E442", "#8A6D00", "#332288")


def plot_wedges(
    wedges: pd.DataFrame, *, labels: Mapping[str, str], unit: str, title: str, lang: str = "en"
) -> ReportFigure:
    """Draw contributions over time as stacked areas."""
    lang = usable_language(lang)
    years = wedges.index.to_numpy(dtype=float)
    order = list(wedges.iloc[-1].abs().sort_values(ascending=False, kind="stable").index)
    colours = {name: HUES[place % len(HUES)] for place, name in enumerate(wedges.columns)}
    with drawing():
        sheet = open_sheet(
            width=PAGE_WIDTH,
            height=2.9,
            title=title,
            subtitle=unit,
            caption=say("policy_figure.wedges_caption", lang),
            key=[KeyEntry(text=labels.get(str(name), str(name)), colours=(colours[name],) * 2) for name in order],
        )
        axes = sheet.axes(0.5, 0.05, sheet.width - 0.6, 2.6)
        above, below = np.zeros(len(years)), np.zeros(len(years))
        for name in order:
            values = wedges[name].to_numpy()
            up, down = np.maximum(values, 0), np.minimum(values, 0)
            for base, part in ((above, up), (below, down)):
                if part.any():
                    axes.fill_between(years, base, base + part, color=colours[name], linewidth=0.4, edgecolor="white")
            above, below = above + up, below + down
        axes.plot(years, wedges.sum(axis=1).to_numpy(), color=INK, linewidth=1.4)
        axes.axhline(0, color=INK, linewidth=0.6)
        axes.set_xlim(years[0], years[-1])
    figure = sheet.figure
    long = wedges.reset_index(names="year").melt(id_vars="year", var_name="lever", value_name="value")
    figure.data = long.assign(unit=unit)
    last, first = wedges.iloc[-1], order[0]
    figure.sentence = say(
        "policy_figure.wedges_sentence",
        lang,
        year=int(years[-1]),
        first=labels.get(str(first), str(first)),
        value=written(float(last[first]), 2),
        total=written(float(last.sum()), 2),
        unit=unit,
    )
    return figure
