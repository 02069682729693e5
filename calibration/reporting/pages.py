"""Reports of an evaluation and of a forecast of regions: Markdown, HTML, tables and figures."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from calibration.evaluation.judgement import Evaluation, Judgement, Phrase, Section, Verdict, judgement_rows
from calibration.forecasting import Outlook
from calibration.forecasting.words import paragraph
from calibration.reporting.facts import region_name
from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.export import save_csv
from pysd_runner.plots.figure import save_figure
from pysd_runner.plots.marks import largest
from pysd_runner.reports.document import (
    FEW_REGIONS,
    MOST_REGIONS,
    Bullets,
    Heading,
    Paragraph,
    Part,
    Picture,
    ReportDocument,
    TextTable,
    save_document,
)
from pysd_runner.text import LANGUAGES, translate

NAME, TESTS, TABLES = "evaluation", "tests.csv", "tables"


def write_evaluation(evaluation: Evaluation, folder: str | Path, *, lang: str = "en") -> Path:
    """Write the report and data of an evaluation to a folder, and return the path of the Markdown report."""
    folder = Path(folder)
    document = report(evaluation, lang=lang)
    for name, table in _tables(evaluation):
        save_csv(table, folder / TABLES / f"{name}.csv")
    save_csv(evaluation.to_frame(lang=lang), folder / TESTS)
    return save_document(document, folder, NAME)[0]


def counts(evaluation: Evaluation) -> dict[str, int]:
    """Numbers of tests that passed, failed and were not carried out."""
    return {verdict.name.lower(): evaluation.count(verdict) for verdict in Verdict}


def summary_line(evaluation: Evaluation, *, lang: str = "en") -> str:
    """Numbers of tests in one line: passed n, failed n, not tested n."""
    return Phrase("summary", counts(evaluation)).text(lang)


def report(evaluation: Evaluation, *, lang: str = "en") -> ReportDocument:
    """Build the report of an evaluation."""
    if lang not in LANGUAGES:
        raise InvalidInput(
            "no reports in language {language!r}; expected one of {known}", language=lang, known=", ".join(LANGUAGES)
        )
    parts: list[Part] = [
        Paragraph(summary_line(evaluation, lang=lang)),
        Paragraph(_what(evaluation, lang)),
        Paragraph(_say("how", lang)),
        Heading(_say("heading.overview", lang)),
        _overview(evaluation, lang),
        *_listed(evaluation, Verdict.FAILED, "nothing_failed", lang),
        *_listed(evaluation, Verdict.NOT_TESTED, "all_tested", lang),
        *(part for section in evaluation.sections for part in _section(evaluation, section, lang)),
        Heading(_say("heading.made", lang)),
        Bullets(_made(evaluation, lang)),
    ]
    return ReportDocument(title=Phrase("title", {"title": evaluation.title}).text(lang), lang=lang, parts=parts)


def _say(key: str, lang: str) -> str:
    return Phrase(key).text(lang)


def _what(evaluation: Evaluation, lang: str) -> str:
    made = evaluation.provenance
    if made["fit"] is None:
        return _say("what_alone", lang)
    parts = {
        "fit": Message(made["fit"]["status"]),
        "panel": made["panel"]["name"],
        "first": f"{made['fit']['first_year']:g}",
        "last": f"{made['fit']['last_year']:g}",
        "start": f"{made['run']['start']:g}",
        "until": f"{made['run']['stop']:g}",
    }
    return Phrase("what", parts).text(lang)


def _overview(evaluation: Evaluation, lang: str) -> TextTable:
    heads = [_say("column.section", lang), *(_say(str(verdict), lang) for verdict in Verdict)]
    rows = [
        [_say(f"heading.{section.key}", lang), *(str(section.count(verdict)) for verdict in Verdict)]
        for section in evaluation.sections
    ]
    return TextTable(header=heads, rows=rows)


def _listed(evaluation: Evaluation, verdict: Verdict, none: str, lang: str) -> Iterator[Part]:
    found = [item for item in evaluation.judgements if item.verdict is verdict]
    yield Heading(_say(f"heading.{verdict}", lang))
    yield _judgements(evaluation, found, lang, before="section") if found else Paragraph(_say(none, lang))


def _judgements(evaluation: Evaluation, items: Sequence[Judgement], lang: str, *, before: str = "") -> TextTable:
    """Table of tests with their verdicts or, if `before` is given, with the section of each test as first column."""
    names = ["section", "title", "subject", "value", "bound", "note"]
    if not before:
        names = ["title", "subject", "verdict", "value", "bound", "note"]
    said = {
        "section": lambda row: _say(f"heading.{row['section']}", lang),
        "subject": lambda row: evaluation.named(row["subject"], lang),
        "verdict": lambda row: _say(row["verdict"], lang),
    }
    rows = [
        [said[name](row) if name in said else number_text(row[name]) for name in names]
        for row in judgement_rows(items, lang=lang)
    ]
    words = frozenset(place for place, name in enumerate(names) if name not in ("value", "bound"))
    return TextTable(header=[_say(f"column.{name}", lang) for name in names], rows=rows, words=words)


def _section(evaluation: Evaluation, section: Section, lang: str) -> Iterator[Part]:
    criteria = dict.fromkeys(item.test for item in section.judgements)
    yield Heading(_say(f"heading.{section.key}", lang))
    yield Bullets([f"{_say(f'test.{test}', lang)}: {_say(f'criterion.{test}', lang)}" for test in criteria])
    yield _judgements(evaluation, section.judgements, lang)
    if section.tables:
        yield Bullets([f"`{TABLES}/{name}.csv`: {_say(f'table.{name}', lang)}" for name in section.tables])


def number_text(value: Any) -> str:
    """Format a value for a table: a float with four significant digits, a dash for None and NaN.

    >>> number_text(0.0123456), number_text(None), number_text(12)
    ('0.01235', '–', '12')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _made(evaluation: Evaluation, lang: str) -> list[str]:
    lines = []
    for name, value in evaluation.provenance.items():
        text = ", ".join(f"{key} {inner}" for key, inner in value.items()) if isinstance(value, dict) else f"{value}"
        lines.append(Phrase(f"made.{name}", {"text": text}).text(lang))
    return lines


def _tables(evaluation: Evaluation) -> Iterator[tuple[str, pd.DataFrame]]:
    for section in evaluation.sections:
        yield from section.tables.items()


def write_outlook(outlook: Outlook, folder: Path, *, lang: str = "en") -> None:
    """Write the figure, and a report with a summary and a table, as Markdown and HTML."""
    figure = outlook.plot(lang=lang)
    figure.sentence = paragraph(outlook, lang)
    save_figure(figure, folder, "forecast")
    picture = Picture("forecast.png", figure.caption, key=figure.explained())
    heading, frame = last_year(outlook, lang)
    table = TextTable(
        header=[translate("report.region", lang), *map(str, frame.columns)],
        rows=[[str(name), *(f"{value:.0f}" for value in row)] for name, *row in frame.itertuples(name=None)],
        caption=heading,
    )
    title = translate("forecast.figure.title", lang, until=int(outlook.paths["year"][-1]))
    parts: list[Part] = [Paragraph(paragraph(outlook, lang)), picture, table]
    save_document(ReportDocument(title=title, lang=lang, parts=parts), folder, "forecast")


def last_year(outlook: Outlook, lang: str) -> tuple[str, pd.DataFrame]:
    """Heading and table of the forecast for the last year, by region; if many, those with the largest change."""
    table = outlook.table()
    final = table[table["year"] == table["year"].max()].set_index("region")
    final.index = pd.Index([region_name(outlook.names, str(code), lang) for code in final.index])
    # The year of the last observation is shown if it differs from the forecast origin for any region.
    dated = ["last_year"] if (final["last_year"] != outlook.origin).any() else []
    told = {name: translate(f"forecast.table.{name}", lang) for name in ("last", *dated)}
    quantiles = ["q05", "q20", "q50", "q80", "q95"]
    told |= {name: translate("forecast.table.quantile", lang, level=name[1:]) for name in quantiles}
    heading = translate("forecast.table.heading", lang, origin=outlook.origin, until=int(final["year"].iloc[0]))
    if len(final) > MOST_REGIONS:
        heading += translate("forecast.table.some", lang, shown=FEW_REGIONS, all=len(final))
        moves = np.log(final["q50"] / final["last"]).abs().fillna(0.0)
        final = final.iloc[largest(moves.to_numpy(), FEW_REGIONS)]
    return heading, final[["last", *dated, *quantiles]].rename(columns=told)
