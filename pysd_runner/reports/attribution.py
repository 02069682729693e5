"""An attribution in words, on one screen and as a folder."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from pysd_runner.core.numbers import interval, percent, written
from pysd_runner.export import save_csv
from pysd_runner.policy.attribution import Attribution
from pysd_runner.policy.cost import Costs, curve_table
from pysd_runner.reports.document import (
    Bullets,
    Heading,
    Paragraph,
    Part,
    ReportDocument,
    TextTable,
    filled,
    save_document,
    saved_picture,
    screen_of,
)
from pysd_runner.text import say

DIGITS = 2
# Pairs and loops on the page; the files have them all.
MOST_ROWS = 6
# Money is written in trillions.
TRILLION = 1e12


def attribution_sentences(
    found: Attribution, label: str, lang: str, *, loops: Mapping[str, str] | None = None
) -> list[str]:
    """Say what an attribution found."""
    unit, total = found.outcome.unit_in(lang), found.total[:, -1]
    shares = np.median(found.shapley[..., -1], axis=1)
    first = int(np.argmax(np.abs(shares)))
    low, middle, high = np.quantile(total, (0.05, 0.5, 0.95))
    whole = float(found.shapley[..., -1].mean(axis=1).sum())
    part = found.shapley[first, :, -1].mean() / whole if whole else float("nan")
    lines = [
        say(
            "policy.attribution lead",
            lang,
            year=int(found.years[-1]),
            policy=label,
            outcome=found.outcome.label(lang),
            total=written(middle, DIGITS),
            unit=unit,
            interval=interval(low, high, DIGITS),
            first=found.levers[first].label(lang),
            share=f"{percent(part)} %",
        ),
        say(
            "policy.attribution ladder",
            lang,
            alone=written(float(np.median(found.alone[..., -1].sum(axis=0))), DIGITS),
            left=written(float(np.median(found.left_out[..., -1].sum(axis=0))), DIGITS),
            unit=unit,
        ),
    ]
    if found.errors is not None:
        lines.append(say("policy.attribution sampled", lang))
    pairs = found.pairs()
    if len(pairs):
        one, two = pairs.index[0]
        value = float(pairs["synergy_p50"].iloc[0])
        labels = {lever.key: lever.label(lang) for lever in found.levers}
        verb = say("policy.support" if value > 0 else "policy.replace", lang)
        lines.append(
            say("policy.synergy", lang, one=labels[one], two=labels[two], verb=verb, value=_signed(value), unit=unit)
        )
    if found.parts:
        middles = {name: _signed(float(np.median(values))) for name, values in found.parts.items()}
        lines.append(say("policy.who", lang, unit=unit, **middles))
    table = found.loop_table()
    if len(table):
        best = str(table["change_p50"].idxmax())
        value = float(table["change_p50"][best])
        lines.append(
            say("policy.loop", lang, loop=(loops or {}).get(best, best), value=written(value, DIGITS), unit=unit)
        )
    return lines


def attribution_screen(
    found: Attribution, label: str, lang: str, *, loops: Mapping[str, str] | None = None
) -> list[str]:
    """An attribution for the screen: sentences, then one row a lever."""
    lines = screen_of(attribution_sentences(found, label, lang, loops=loops), _table(found, lang))
    return [*lines, "", *filled(_how(found, lang))]


def _how(found: Attribution, lang: str) -> str:
    """What the numbers of the table are."""
    outcome, draws = found.outcome, found.total.shape[0]
    return say("policy.unit", lang, outcome=outcome.label(lang), unit=outcome.unit_in(lang), draws=draws)


def cost_sentences(whole: Costs, more: Costs, names: Mapping[str, str], lang: str) -> list[str]:
    """Say what the policy costs and where the next money does most."""
    row = whole.table().iloc[0]
    money = written(float(row["money_p50"]) / TRILLION, 1)
    if row["reason"]:
        lines = [say("policy.cost unknown", lang, money=money, reason=say(f"policy.{row['reason']!s}", lang))]
    else:
        lines = [say("policy.cost", lang, money=money, unit_cost=written(float(row["unit_cost_p50"]) / TRILLION, 1))]
    table = more.table()
    gains = table["effect_p50"] / table["money_p50"]
    levers = gains[[name for name in gains.index if str(name).startswith("lever.")]]
    regions = gains[[name for name in gains.index if str(name).startswith("region.")]]
    if len(levers) and len(regions):
        best, worst, region = (str(item) for item in (levers.idxmax(), levers.idxmin(), regions.idxmax()))
        lines.append(say("policy.next", lang, lever=names[best], worst=names[worst], region=names[region]))
    return lines


def curve_sentences(curves: Mapping[float, Costs], names: Mapping[str, str], lang: str) -> list[str]:
    """Say for which lever the next money does most at small and at large budgets, and how much less it buys there."""
    if len(curves) < 2:
        return []
    gains = {}
    for budget, item in curves.items():
        table = item.table()
        levers = table[[str(name).startswith("lever.") for name in table.index]]
        gains[budget] = levers["effect_p50"] / levers["money_p50"]
    low, high = min(gains), max(gains)
    first, last = str(gains[low].idxmax()), str(gains[high].idxmax())
    if not gains[low][first] > 0:
        return []
    ratio = percent(float(gains[high][last] / gains[low][first]))
    ends = {"low": f"{100 * low:g}", "high": f"{100 * high:g}"}
    return [say("policy.curve", lang, first=names[first], last=names[last], ratio=ratio, **ends)]


def cost_parts(whole: Costs, more: Costs, names: Mapping[str, str], lang: str) -> list[Part]:
    """The same with a table: levers, classes, and regions in which the next money does most and least."""
    table = more.table()
    rows = []
    for name, row in table.iterrows():
        if str(name).startswith("region."):
            continue
        reason = str(row["reason"])
        scaled = {f"unit_cost_{part}": float(row[f"unit_cost_{part}"]) / TRILLION for part in ("p05", "p50", "p95")}
        unit = say(f"policy.{reason}", lang) if reason else _cell(pd.Series(scaled), "unit_cost")
        rows.append([names[str(name)], _cell(row, "effect"), unit])
    header = [say("policy.next column", lang), say("policy.more effect", lang), say("policy.unit cost", lang)]
    return [
        Heading(say("policy.next title", lang)),
        Bullets(cost_sentences(whole, more, names, lang)),
        TextTable(header=header, rows=rows, words=frozenset({2})),
    ]


def write_attribution(
    found: Attribution,
    label: Mapping[str, str],
    folder: Path,
    lang: str,
    *,
    loops: Mapping[str, str] | None = None,
    money: tuple[Costs, Costs, Mapping[str, str]] | None = None,
    curves: Mapping[float, Costs] | None = None,
) -> None:
    """Write tables, figures and a page into a folder."""
    from pysd_runner.plots.policies import plot_wedges
    from pysd_runner.plots.style import usable_language

    folder.mkdir(parents=True, exist_ok=True)
    save_csv(found.table().reset_index(), folder / "attribution.csv")
    save_csv(found.frame(), folder / "attribution_by_year.csv")
    for name, table in (("synergy", found.pairs()), ("split", found.split()), ("loops", found.loop_table())):
        if len(table):
            save_csv(table.reset_index(), folder / f"{name}.csv")
    drawn, own = usable_language(lang), label.get(lang, found.name)
    figure = plot_wedges(
        found.wedges(),
        labels={lever.key: lever.label(drawn) for lever in found.levers},
        unit=f"{found.outcome.label(drawn)}, {found.outcome.unit_in(drawn)}",
        title=say("policy.attribution", drawn, policy=label.get(drawn, found.name)),
        lang=drawn,
    )
    header, rows = _table(found, lang)
    parts: list[Part] = [
        Bullets(attribution_sentences(found, own, lang, loops=loops)),
        TextTable(header=header, rows=rows),
        Paragraph(_how(found, lang)),
        saved_picture(figure, folder, "wedges"),
        *_sections(found, lang, loops or {}),
        *([] if money is None else cost_parts(*money, lang)),
        *([Bullets(curve_sentences(curves, money[2], lang))] if money is not None and curves else []),
        Heading(say("policy.notes", lang)),
        Bullets(found.notes),
    ]
    if money is not None:
        both = pd.concat([item.table() for item in money[:2]])
        save_csv(both.reset_index(), folder / "costs.csv")
    if curves:
        save_csv(curve_table(curves).reset_index(), folder / "cost_curves.csv")
    page = ReportDocument(title=say("policy.attribution", lang, policy=own), lang=lang, parts=parts)
    save_document(page, folder, "attribution")


def _sections(found: Attribution, lang: str, words: Mapping[str, str]) -> list[Part]:
    """Pairs, who and what, and loops, each where it was computed."""
    labels = {lever.key: lever.label(lang) for lever in found.levers}
    parts: list[Part] = []
    pairs = found.pairs()
    if len(pairs):
        rows = [
            [f"{labels[one]} + {labels[two]}", _cell(row, "synergy")]
            for (one, two), (_, row) in zip(pairs.index, pairs.head(MOST_ROWS).iterrows(), strict=False)
        ]
        parts += [
            Heading(say("policy.synergies", lang)),
            TextTable(header=[say("policy.pair", lang), say("policy.synergy column", lang)], rows=rows),
        ]
    if found.parts:
        rows = [[say(f"policy.part {name}", lang), _cell(row, "change")] for name, row in found.split().iterrows()]
        parts += [
            Heading(say("policy.split", lang)),
            TextTable(header=[say("policy.part", lang), say("policy.change", lang)], rows=rows),
        ]
    loops = found.loop_table()
    if len(loops):
        rows = [
            [words.get(str(name), str(name)), _cell(row, "change")] for name, row in loops.head(MOST_ROWS).iterrows()
        ]
        parts += [
            Heading(say("policy.loops", lang)),
            TextTable(header=[say("policy.loop column", lang), say("policy.change", lang)], rows=rows),
        ]
    return parts


def _table(found: Attribution, lang: str) -> tuple[list[str], list[list[str]]]:
    """One row a lever, and the total."""
    table = found.table()
    columns = [("shapley", "shapley"), ("alone", "alone"), ("left_out", "left out")]
    header = [say("policy.lever", lang), *(say(f"policy.{title}", lang) for _, title in columns)]
    if found.errors is not None:
        header.append(say("policy.error", lang))
    labels = {lever.key: lever.label(lang) for lever in found.levers} | {"total": say("policy.total", lang)}
    rows = []
    for name, row in table.iterrows():
        cells = [labels[str(name)], *(_cell(row, key) for key, _ in columns)]
        if found.errors is not None:
            cells.append(written(float(row["error"]), DIGITS + 1))
        rows.append(cells)
    return header, rows


def _cell(row: pd.Series, key: str) -> str:
    low, middle, high = (float(row[f"{key}_{part}"]) for part in ("p05", "p50", "p95"))
    return f"{written(middle, DIGITS)} ({interval(low, high, DIGITS)})"


def _signed(value: float) -> str:
    return written(value, DIGITS, signed=True)
