"""A projection on one screen: the answer in a few sentences, then the policies beside each other."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from pysd_runner.core.numbers import percent, written
from pysd_runner.policy.effects import HEADLINE
from pysd_runner.policy.ranking import FACTORS, SCANNED, Answer, Ranking
from pysd_runner.reports.document import aligned, filled, screen_of
from pysd_runner.reports.headline import case_label, definition_label, headline_lines, label_of, range_of
from pysd_runner.study.future import Future
from pysd_runner.text import say

# Policies shown on the screen; the folder has them all.
MOST_ROWS = 12


def overview(projection: Future, answer: Answer | None, *, lang: str = "en") -> list[str]:
    """Say what a projection found, for the screen."""
    texts = headline_lines(projection, answer, lang=lang)
    if answer is None:
        return screen_of(texts)
    header, rows = policy_table(projection, answer, lang, is_short=True)
    if len(rows) > MOST_ROWS:
        rows = [
            *rows[:MOST_ROWS],
            [say("report.more policies", lang, count=len(rows) - MOST_ROWS), *[""] * (len(header) - 1)],
        ]
    return [*screen_of(texts, (header, rows)), "", *filled(how_made(projection, answer, lang))]


def how_made(projection: Future, answer: Answer, lang: str) -> str:
    """What the numbers of the table are, and how precise the ends of the first policy's interval."""
    main, name = answer.main, projection.policies[0]
    draws = main.effects.sizes["draw"]
    if draws == 1:
        return say("report.how single", lang)
    row = main.table().loc[name].to_dict()
    errors = {key: written(row[f"{HEADLINE}_{end}_error"], 2) for key, end in (("low", "p05"), ("high", "p95"))}
    return say("report.how", lang, draws=draws) + say(
        "report.precision",
        lang,
        policy=label_of(projection, answer, name, lang),
        size=written(row[f"{HEADLINE}_ess_tail"]),
        **errors,
    )


def event_table(projection: Future, shares: pd.DataFrame, lang: str) -> tuple[list[str], list[list[str]]]:
    """How likely events are under each scenario."""
    header = [say("report.event", lang), *(label_of(projection, None, str(name), lang) for name in shares)]
    rows = [
        [str(event), *("–" if np.isnan(share) else f"{percent(share)} %" for share in row)]
        for event, row in shares.iterrows()
    ]
    return header, rows


def event_lines(projection: Future, shares: pd.DataFrame, lang: str) -> list[str]:
    """How likely events are under each scenario, for the screen: a block an event."""
    header, rows = event_table(projection, shares, lang)
    lines = ["", *filled(say("report.events", lang))]
    for event, *cells in rows:
        lines += ["", event, *aligned([list(pair) for pair in zip(header[1:], cells, strict=True)])]
    return lines


def policy_table(
    projection: Future, answer: Answer, lang: str, *, is_short: bool = False
) -> tuple[list[str], list[list[str]]]:
    """Effects of all policies, those that close most first."""
    main = answer.main
    table = main.table()
    order = table.sort_values(f"{HEADLINE}_p50", ascending=False, kind="stable").index
    columns: list[tuple[str, str, int]] = [(HEADLINE, say("report.closed", lang), 1)]
    if not is_short:
        columns += [
            (f"{HEADLINE}_by_laggards", say("report.by laggards", lang), 1),
            (f"{HEADLINE}_by_leaders", say("report.by leaders", lang), 1),
            ("theil_between_closed", say("report.theil between", lang), 1),
            ("leader_gap_closed", say("report.leader gap", lang), 1),
            ("first_leader_gap_closed", say("report.first leader gap", lang, origin=projection.origin), 1),
        ]
    columns.append(("output_change", say("report.output", lang), 1))
    columns = [column for column in columns if f"{column[0]}_p50" in table]
    header = [say("report.policy", lang), *(title for _, title, _ in columns), *_first_titles(projection, answer, lang)]
    rows = []
    for name in order:
        row = table.loc[name]
        cells = [label_of(projection, answer, str(name), lang)]
        cells += [_cell(row, key, digits, lang) for key, _, digits in columns]
        cells += [f"{percent(float(item.first.get(name, np.nan)))} %" for item in answer.comparisons.values()]
        rows.append(cells)
    return header, rows


def case_table(projection: Future, answer: Answer, lang: str) -> tuple[list[str], list[list[str]]]:
    """Who is first in most draws, by what is assumed."""
    header = [say(f"report.{key}", lang) for key in ("assumed", "best", "second")]
    cases = {}
    for key, item in answer.comparisons.items():
        cases[definition_label(projection, key, lang) if key else say("report.case main", lang)] = item.first
    scan = say("report.case scan", lang, draws=min(SCANNED, answer.main.effects.sizes["draw"]))
    for (key, change), series in answer.main.cases.items():
        title = case_label(projection, key, change, lang)
        cases[f"{title} ({scan})" if change in FACTORS else title] = series
    rows = []
    for title, series in cases.items():
        best = [
            f"{label_of(projection, answer, str(name), lang)}, {percent(float(share))} %"
            for name, share in series.head(2).items()
        ]
        rows.append([title, *best, *[""] * (2 - len(best))])
    return header, rows


def split_table(main: Ranking, name: str, lang: str) -> tuple[list[str], list[list[str]]]:
    """Who, what and interaction of a policy's effect; no rows where its two by two was not run."""
    try:
        parts = main.split(name)
    except KeyError:
        return [], []
    rows = [
        [say(f"report.part {key}", lang), _cell(row, "change", 2, lang)] for key, row in parts.to_dict("index").items()
    ]
    return ["", say("report.closed beyond", lang)], rows


def _first_titles(projection: Future, answer: Answer, lang: str) -> list[str]:
    return [
        say("report.first in under", lang, definition=definition_label(projection, key, lang))
        if key
        else say("report.first in", lang)
        for key in answer.comparisons
    ]


def _cell(row: Mapping[Any, Any], name: str, digits: int, lang: str) -> str:
    """A median, with its interval where there is one."""
    middle = row[f"{name}_p50"]
    if np.isnan(middle) or row[f"{name}_p05"] == row[f"{name}_p95"]:
        return written(middle, digits)
    return say("report.cell", lang, middle=written(middle, digits), range=range_of(row, name, digits))
