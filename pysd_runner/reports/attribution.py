"""Reports on an attribution, on the screen and as a folder, with the cost of the policy."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pysd_runner.core.numbers import interval, percent, written
from pysd_runner.core.types import Numbers, Texts
from pysd_runner.policy.attribution import Attribution
from pysd_runner.policy.cost import Costs
from pysd_runner.reports.document import (
    Bullets,
    Heading,
    Paragraph,
    Part,
    TextTable,
    filled,
    save_analysis,
    saved_picture,
    screen_of,
)
from pysd_runner.text import translate, translated

if TYPE_CHECKING:
    from pysd_runner.plots.figure import ReportFigure

DIGITS = 2
# Maximum number of pairs and loops on the page; the files contain all.
MOST_ROWS = 6
# Amounts of money are given in trillions.
TRILLION = 1e12


def attribution_sentences(found: Attribution, label: str, lang: str) -> list[str]:
    """Sentences on the result of an attribution."""
    total = found.total[:, -1]
    first = int(np.argmax(np.abs(np.median(found.shapley[..., -1], axis=1))))
    low, middle, high = np.quantile(total, (0.05, 0.5, 0.95))
    whole = float(found.shapley[..., -1].mean(axis=1).sum())
    part = found.shapley[first, :, -1].mean() / whole if whole else float("nan")
    lead = translate(
        "policy.attribution lead",
        lang,
        year=found.until,
        policy=label,
        outcome=found.outcome.label(lang),
        total=written(middle, DIGITS),
        unit=found.outcome.unit_in(lang),
        interval=interval(low, high, DIGITS),
        first=found.levers[first].label(lang),
        share=f"{percent(part)} %",
    )
    return [lead, translate("policy.attribution ladder", lang)]


def attribution_screen(found: Attribution, label: str, lang: str, loops: Texts) -> list[str]:
    """An attribution for the screen: sentences, then one row per lever, part and loop."""
    lines = screen_of(attribution_sentences(found, label, lang), _table(found, lang), *_further(found, lang, loops))
    return [*lines, "", *filled(_how(found, lang))]


def _how(found: Attribution, lang: str) -> str:
    """Note on the outcome, unit and draws of the table."""
    outcome, draws = found.outcome, found.total.shape[0]
    return translate("policy.unit", lang, outcome=outcome.label(lang), unit=outcome.unit_in(lang), draws=draws)


def cost_sentences(whole: Costs, more: Costs, names: Texts, lang: str) -> list[str]:
    """Sentences on the cost of the policy, and on where additional spending has the largest effect."""
    row = whole.table().iloc[0]
    money = written(float(row["money_p50"]) / TRILLION, 1)
    if row["reason"]:
        lines = [
            translate("policy.cost unknown", lang, money=money, reason=translate(f"policy.{row['reason']!s}", lang))
        ]
    else:
        lines = [
            translate("policy.cost", lang, money=money, unit_cost=written(float(row["unit_cost_p50"]) / TRILLION, 1))
        ]
    if whole.time is not None:
        lines.append(translate("policy.cost time", lang, time=written(float(row["time_p50"]) / 1e6, 1)))
    levers, regions = _gains(more, "lever."), _gains(more, "region.")
    if len(levers) and len(regions):
        best, worst, region = (str(item) for item in (levers.idxmax(), levers.idxmin(), regions.idxmax()))
        lines.append(translate("policy.next", lang, lever=names[best], worst=names[worst], region=names[region]))
    return lines


def _gains(costs: Costs, kind: str) -> "pd.Series[float]":
    """Median effect divided by median spending, by lever or by region."""
    table = costs.table()
    own = table[[str(name).startswith(kind) for name in table.index]]
    return own["effect_p50"] / own["money_p50"]


def _cost_table(more: Costs, names: Texts, lang: str) -> TextTable:
    """Table of the effect and unit cost of additional spending, by lever and class."""
    rows = []
    for name, row in more.table().iterrows():
        if str(name).startswith("region."):
            continue
        reason = str(row["reason"])
        scaled = {f"unit_cost_{part}": float(row[f"unit_cost_{part}"]) / TRILLION for part in ("p05", "p50", "p95")}
        rows.append(
            [
                names[str(name)],
                cell(row, "effect_"),
                translate(f"policy.{reason}", lang) if reason else cell(scaled, "unit_cost_"),
            ]
        )
    return TextTable(header=titles(lang, "next column", "more effect", "unit cost"), rows=rows, words=frozenset({2}))


def write_attribution(
    found: Attribution,
    label: Texts,
    folder: Path,
    lang: str,
    *,
    loops: Texts,
    money: tuple[Costs, Costs, Texts] | None,
) -> None:
    """Write the page, tables and figures of an attribution into a folder."""
    from pysd_runner.plots.policies import plot_wedges
    from pysd_runner.plots.style import figure_of, usable_language

    def wedges(lang: str) -> "ReportFigure":
        lang = usable_language(lang)
        return plot_wedges(
            found.wedges(),
            labels={lever.key: lever.label(lang) for lever in found.levers},
            unit=f"{found.outcome.label(lang)}, {found.outcome.unit_in(lang)}",
            title=translate("policy.attribution", lang, policy=label.get(lang, found.name)),
            lang=lang,
        )

    tables = {"attribution": found.table().reset_index(), "attribution_by_year": found.frame()}
    for name, table in (("split", found.split()), ("loops", found.loop_table())):
        if len(table):
            tables[name] = table.reset_index()
    own = label.get(lang, found.name)
    parts: list[Part] = [
        Bullets(attribution_sentences(found, own, lang)),
        _table(found, lang),
        Paragraph(_how(found, lang)),
        saved_picture(figure_of(wedges)(lang), folder, "wedges"),
        *_further(found, lang, loops),
    ]
    if money is not None:
        whole, more, names = money
        parts += [
            Heading(translate("policy.next title", lang)),
            Bullets(cost_sentences(whole, more, names, lang)),
            _cost_table(more, names, lang),
        ]
        tables["costs"] = pd.concat([whole.table(), more.table()]).reset_index()
    parts += [Heading(translate("policy.notes", lang)), Bullets([translated(note, lang) for note in found.notes])]
    title = translate("policy.attribution", lang, policy=own)
    save_analysis(folder, "attribution", title=title, lang=lang, parts=parts, tables=tables)


def _further(found: Attribution, lang: str, words: Texts) -> list[TextTable]:
    """Tables of the split into allocation and mix, and of loops, each if it was computed."""
    split = [[translate(f"policy.part {name}", lang), cell(row, "change_")] for name, row in found.split().iterrows()]
    loops = found.loop_table().head(MOST_ROWS)
    around = [[words.get(str(name), str(name)), cell(row, "change_")] for name, row in loops.iterrows()]
    return [
        TextTable(header=titles(lang, first, "change"), rows=rows, caption=translate(f"policy.{title}", lang))
        for title, first, rows in (("split", "part", split), ("loops", "loop column", around))
        if rows
    ]


def _table(found: Attribution, lang: str) -> TextTable:
    """Table with one row per lever, and the total."""
    labels = {lever.key: lever.label(lang) for lever in found.levers} | {"total": translate("policy.total", lang)}
    rows = []
    for name, row in found.table().iterrows():
        rows.append([labels[str(name)], *(cell(row, f"{key}_") for key in ("shapley", "alone", "left_out"))])
    return TextTable(header=titles(lang, "lever", "shapley", "alone", "left out"), rows=rows)


def titles(lang: str, *keys: str) -> list[str]:
    """Column headings of a table of a policy analysis."""
    return [translate(f"policy.{key}", lang) for key in keys]


def cell(row: "Numbers | pd.Series", key: str = "") -> str:
    """A median and its interval, from the columns whose names start with `key`."""
    low, middle, high = (float(row[f"{key}{part}"]) for part in ("p05", "p50", "p95"))
    return f"{written(middle, DIGITS)} ({interval(low, high, DIGITS)})"
