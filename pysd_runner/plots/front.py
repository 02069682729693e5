"""Policies between two aims: what more of the one costs of the other."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pysd_runner.core.numbers import written
from pysd_runner.plots.figure import PAGE_WIDTH, ReportFigure, open_sheet
from pysd_runner.plots.fonts import usable_language
from pysd_runner.plots.palette import INK, MUTED, SCENARIO, drawing

_TEXTS = {
    "en": (
        "From {a0} to {a1} {unit_a} of {a}, {b} goes from {b0} to {b1} {unit_b}.",
        "Every point is a policy that is best at the one aim for what it leaves of the other; means over draws that "
        "its search never saw. No policy lies to the upper right of the line, as far as the search can tell.",
    ),
    "zh": (
        "{a}从 {a0} 到 {a1} {unit_a}时，{b}从 {b0} 到 {b1} {unit_b}。",
        "每个点是给定一个目标时另一目标最优的政策；为搜索未用过的抽样的均值。就搜索所知，连线右上方没有政策。",
    ),
}


def plot_front(
    values: NDArray[np.float64],
    *,
    labels: tuple[str, str],
    units: tuple[str, str],
    title: str,
    lang: str = "en",
) -> ReportFigure:
    """Draw a front of policies.

    Parameters
    ----------
    values
        Both effects of every policy in order, shape (policy, 2).
    labels, units
        Of the two effects.
    title
        Title of the figure.
    lang
        ``"en"`` or ``"zh"``.

    Returns
    -------
    ReportFigure
        With its data and a sentence.
    """
    lang = usable_language(lang)
    sentence, caption = _TEXTS[lang]
    with drawing():
        sheet = open_sheet(width=PAGE_WIDTH, height=3.2, title=title, subtitle="", caption=caption)
        axes = sheet.axes(0.6, 0.05, sheet.width - 0.8, 2.65)
        axes.plot(values[:, 0], values[:, 1], color=SCENARIO, linewidth=1.2, marker="o", markersize=5)
        axes.axhline(0, color=MUTED, linewidth=0.5)
        axes.set_xlabel(f"{labels[0]}, {units[0]}")
        axes.set_ylabel(f"{labels[1]}, {units[1]}", color=INK)
    figure = sheet.figure
    figure.data = pd.DataFrame({"policy": np.arange(len(values)), labels[0]: values[:, 0], labels[1]: values[:, 1]})
    figure.sentence = sentence.format(
        a=labels[0],
        b=labels[1],
        a0=written(float(values[0, 0]), 2),
        a1=written(float(values[-1, 0]), 2),
        b0=written(float(values[0, 1]), 2),
        b1=written(float(values[-1, 1]), 2),
        unit_a=units[0],
        unit_b=units[1],
    )
    return figure
