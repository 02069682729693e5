"""What policy mixes consist of: money by lever, one panel of bars a mix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.numbers import written
from pysd_runner.plots.figure import LABEL_SIZE, PAGE_WIDTH, ReportFigure, Sheet, open_sheet
from pysd_runner.plots.fonts import can_draw
from pysd_runner.plots.mixes import MOST_MIXES, STYLES
from pysd_runner.plots.palette import INK, MUTED, drawing
from pysd_runner.plots.typography import balanced, shortened, text_width
from pysd_runner.text import say

_ROW, _LINE, _GAP = 0.17, 0.14, 0.12
_MOST_NAMED = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Money:
    """Money by lever of each mix, for one region, class or nation, in the words of one language."""

    spent: pd.DataFrame
    totals: Mapping[str, str]
    title: str
    unit: str
    lang: str


def plot_money(told: Money, drawn: Money) -> ReportFigure:
    """Draw the money by lever of each mix."""
    rows = drawn.spent.drop_duplicates("scenario")
    levers = list(dict.fromkeys(drawn.spent["lever"]))
    if len(rows) > MOST_MIXES:
        raise InvalidInput(f"one figure shows {MOST_MIXES} policy mixes at most; {len(rows)} were asked for")
    heads = drawn.spent["head"].to_numpy().reshape(len(rows), len(levers))
    mixes = [_drawable(str(name), str(key)) for name, key in zip(rows["mix"], rows["scenario"], strict=True)]
    totals = [_drawable(drawn.totals[str(key)], "") for key in rows["scenario"]]
    shown = [_drawable(str(name), str(number)) for number, name in enumerate(levers, start=1)]
    with drawing():
        sheet = open_sheet(
            width=PAGE_WIDTH,
            height=3 * _LINE + 0.05 + _ROW * len(levers) + 0.05,
            title=_drawable(drawn.title, say("brief.money_plain", drawn.lang)),
            subtitle=_drawable(drawn.unit, ""),
            caption=say("brief.money_caption", drawn.lang),
        )
        _draw_panels(sheet, heads, mixes, totals, shown)
    figure = sheet.figure
    figure.data = told.spent.reset_index(drop=True)
    figure.sentence = _sentence(heads, told)
    return figure


def _drawable(text: str, other: str) -> str:
    """A text, or another where this machine cannot draw it."""
    return text if can_draw(text) else other


def _draw_panels(
    sheet: Sheet, heads: np.ndarray, mixes: Sequence[str], totals: Sequence[str], levers: Sequence[str]
) -> None:
    left = max(text_width(sheet.figure, name, LABEL_SIZE) for name in levers) + 0.1
    room = (sheet.width - left) / len(mixes)
    largest = max(float(np.abs(heads).max()), 1e-12)
    numbers = [[written(value, _digits(largest)) for value in row] for row in heads]
    label = max(text_width(sheet.figure, text, LABEL_SIZE) for row in numbers for text in row) + 0.06
    wide = room - _GAP
    for place, (mix, total) in enumerate(zip(mixes, totals, strict=True)):
        start, colour = left + place * room, STYLES[place][0]
        above = [(line, colour) for line in balanced(sheet.figure, mix, LABEL_SIZE, wide)[:2]] + [(total, MUTED)]
        # The last line stands just above the bars, however many there are.
        for row, (line, ink) in enumerate(above, start=3 - len(above)):
            sheet.text(start, row * _LINE, shortened(sheet.figure, line, LABEL_SIZE, wide), size=LABEL_SIZE, color=ink)
        axes = sheet.axes(start, 3 * _LINE + 0.05, wide, _ROW * len(levers))
        axes.barh(range(len(levers)), heads[place], color=colour, height=0.7)
        axes.set_ylim(len(levers) - 0.5, -0.5)
        axes.set_xlim(0, largest * wide / max(wide - label, 0.2))
        axes.set_xticks([])
        axes.set_yticks(range(len(levers)), labels=levers if place == 0 else [""] * len(levers))
        axes.tick_params(axis="y", labelcolor=INK, length=0, labelsize=LABEL_SIZE)
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)
        for row, value in enumerate(heads[place]):
            axes.annotate(
                numbers[place][row],
                (float(value), row),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                size=LABEL_SIZE,
                color=INK,
            )


def _digits(largest: float) -> int:
    return 0 if largest >= 100 else 1 if largest >= 1 else 3


def _sentence(heads: np.ndarray, told: Money) -> str:
    rows, levers, lang = told.spent.drop_duplicates("scenario"), list(dict.fromkeys(told.spent["lever"])), told.lang
    digits = _digits(float(np.abs(heads).max()))
    parts = []
    for key, mix, row in zip(rows["scenario"], rows["mix"], heads, strict=True):
        order = np.argsort(-row, kind="stable")[:_MOST_NAMED]
        most = say("list.separator", lang).join(
            say("brief.of_lever", lang, lever=levers[place], money=written(float(row[place]), digits))
            for place in order
            if row[place] > 0
        )
        parts.append(say("brief.money_of", lang, policy=mix, total=told.totals[str(key)], most=most))
    return say(
        "brief.money_sentence", lang, title=told.title, unit=told.unit, parts=say("report.clauses", lang).join(parts)
    )
