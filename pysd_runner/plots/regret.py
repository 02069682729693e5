"""Regret of policies over futures as a heat map, and the levels of costs at which another policy becomes best."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from numpy.typing import NDArray

from pysd_runner.core.numbers import written
from pysd_runner.plots.figure import LABEL_SIZE, PAGE_WIDTH, ReportFigure, open_sheet
from pysd_runner.plots.fonts import usable_language
from pysd_runner.plots.palette import BASELINE, INK, MUTED, SCENARIO, drawing
from pysd_runner.plots.typography import shortened
from pysd_runner.text import say

# Columns of the heat map: futures are averaged in so many groups of equal size.
COLUMNS = 60
_SHADES = ("#FFFFFF", "#A9CCE5", "#005B94")


def plot_regret(
    regret: NDArray[np.float64], *, labels: Sequence[str], unit: str, title: str, lang: str = "en"
) -> ReportFigure:
    """Draw the regret of policies as a heat map."""
    lang = usable_language(lang)
    ordered = regret[:, np.argsort(regret[0], kind="stable")]
    groups = np.array_split(np.arange(ordered.shape[1]), min(COLUMNS, ordered.shape[1]))
    means = np.stack([ordered[:, group].mean(axis=1) for group in groups], axis=1)
    with drawing():
        height = 0.3 * len(labels)
        sheet = open_sheet(
            width=PAGE_WIDTH,
            height=height + 0.55,
            title=title,
            subtitle=unit,
            caption=say("policy_figure.regret_caption", lang),
        )
        axes = sheet.axes(2.3, 0.05, sheet.width - 2.9, height)
        shades = LinearSegmentedColormap.from_list("regret", _SHADES)
        image = axes.imshow(means, aspect="auto", cmap=shades, vmin=0, interpolation="nearest")
        names = [shortened(sheet.figure, label, LABEL_SIZE, 2.15) for label in labels]
        axes.set_yticks(range(len(labels)), labels=names)
        axes.set_xticks([])
        axes.set_xlabel(say("policy_figure.regret_futures", lang))
        axes.grid(visible=False)
        sheet.figure.colorbar(image, ax=axes, fraction=0.03, pad=0.02)
    figure = sheet.figure
    frame = pd.DataFrame(means, index=pd.Index(labels, name="policy"))
    figure.data = frame.reset_index().melt(id_vars="policy", var_name="group", value_name="regret").assign(unit=unit)
    best = int(regret.mean(axis=1).argmin())
    figure.sentence = say(
        "policy_figure.regret_sentence",
        lang,
        first=labels[best],
        value=written(float(regret[best].mean()), 2),
        most=written(float(regret[best].max()), 2),
        unit=unit,
    )
    return figure


def plot_switches(
    switches: Sequence[tuple[str, str, float, float, str, str]], *, title: str, lang: str = "en"
) -> ReportFigure:
    """Draw switching values of costs."""
    lang = usable_language(lang)
    with drawing():
        height = 0.42 * len(switches)
        sheet = open_sheet(
            width=PAGE_WIDTH,
            height=height + 0.5,
            title=title,
            subtitle="",
            caption=say("policy_figure.switch_caption", lang),
        )
        axes = sheet.axes(2.6, 0.05, sheet.width - 2.8, height)
        axes.set_xscale("log", base=2)
        axes.set_xlim(0.48, 2.1)
        axes.set_ylim(len(switches) - 0.5, -0.5)
        names = []
        for row, (label, _, level, median, below, above) in enumerate(switches):
            ratio = level / median
            axes.plot([0.5, ratio], [row, row], color=SCENARIO, linewidth=3, solid_capstyle="butt")
            axes.plot([ratio, 2.0], [row, row], color=BASELINE, linewidth=3, solid_capstyle="butt")
            axes.plot([ratio], [row], marker="|", markersize=12, color=INK)
            room = 0.5 * (sheet.width - 2.9)
            axes.text(0.5, row - 0.18, shortened(sheet.figure, below, 6.5, room), size=6.5, color=SCENARIO, ha="left")
            axes.text(2.0, row - 0.18, shortened(sheet.figure, above, 6.5, room), size=6.5, color=BASELINE, ha="right")
            names.append(shortened(sheet.figure, label, LABEL_SIZE, 2.4))
        axes.set_yticks(range(len(switches)), labels=names)
        axes.set_xticks([0.5, 1.0, 2.0], labels=["0.5", "1", "2"])
        axes.minorticks_off()
        axes.set_xlabel(say("policy_figure.regret_multiple", lang), color=MUTED)
    figure = sheet.figure
    columns = ["cost", "unit", "level", "median", "below", "above"]
    figure.data = pd.DataFrame([list(item) for item in switches], columns=columns)
    label, unit, level, _, below, above = switches[0]
    shown = f"{level:.3g} {unit}".strip()
    figure.sentence = say("policy_figure.switch_sentence", lang, factor=label, level=shown, below=below, above=above)
    return figure
