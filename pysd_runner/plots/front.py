"""Policies between two aims: what more of the one costs of the other."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pysd_runner.core.numbers import written
from pysd_runner.plots.figure import PAGE_WIDTH, ReportFigure, open_sheet
from pysd_runner.plots.fonts import usable_language
from pysd_runner.plots.palette import INK, MUTED, SCENARIO, drawing
from pysd_runner.text import say


def plot_front(
    values: NDArray[np.float64],
    *,
    labels: tuple[str, str],
    units: tuple[str, str],
    title: str,
    lang: str = "en",
) -> ReportFigure:
    """Draw a front of policies."""
    lang = usable_language(lang)
    with drawing():
        sheet = open_sheet(
            width=PAGE_WIDTH, height=3.2, title=title, subtitle="", caption=say("policy_figure.front_caption", lang)
        )
        axes = sheet.axes(0.6, 0.05, sheet.width - 0.8, 2.65)
        axes.plot(values[:, 0], values[:, 1], color=SCENARIO, linewidth=1.2, marker="o", markersize=5)
        axes.axhline(0, color=MUTED, linewidth=0.5)
        axes.set_xlabel(f"{labels[0]}, {units[0]}")
        axes.set_ylabel(f"{labels[1]}, {units[1]}", color=INK)
    figure = sheet.figure
    figure.data = pd.DataFrame({"policy": np.arange(len(values)), labels[0]: values[:, 0], labels[1]: values[:, 1]})
    figure.sentence = say(
        "policy_figure.front_sentence",
        lang,
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
