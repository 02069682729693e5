"""What was published against what the model gives: sentences, a table, and a page."""

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from pysd_runner.core.numbers import spoken
from pysd_runner.reports.document import Bullets, Heading, Paragraph, Part, Picture, ReportDocument, TextTable, to_html
from pysd_runner.study.redone import COARSE, TOLERANCE, CheckedPayoff, CheckedRun, Redone
from pysd_runner.text import translate, translated

# Maximum number of names that a sentence lists.
MOST_NAMES = 5
# Maximum number of series that are drawn for a run.
MOST_DRAWN = 20
# Digits of a hash.
HASH = 12
# Digits of payoffs.
_DIGITS = 9


def redone_sentences(redone: Redone, lang: str) -> Iterator[str]:
    """Whether everything is met; the payoff; and what differs first in each run."""
    yield translate("redone.equal" if redone.is_equal else "redone.different", lang, model=redone.model)
    if redone.payoff is not None:
        yield _payoff_sentence(redone.payoff, lang)
    for run in redone.runs:
        yield from _of_run(run, lang)


def _name(run: CheckedRun, lang: str) -> str:
    return run.name or translate("redone.base", lang)


def _of_run(run: CheckedRun, lang: str) -> Iterator[str]:
    if run.failure:
        yield translate("redone.failed", lang, run=_name(run, lang), reason=translated(run.failure, lang))
    if run.differing:
        first = run.differing[0]
        yield translate(
            "redone.first",
            lang,
            run=_name(run, lang),
            name=first.name,
            time=f"{first.times[first.first]:g}",
            ours=spoken(first.ours[first.first], lang),
            published=spoken(first.published[first.first], lang),
        )
    if run.unknown:
        listed = ", ".join(run.unknown[:MOST_NAMES]) + (", ..." if run.unknown[MOST_NAMES:] else "")
        yield translate("redone.unknown", lang, run=_name(run, lang), count=len(run.unknown), names=listed)


def _payoff_sentence(payoff: CheckedPayoff, lang: str) -> str:
    computed = f"{payoff.computed:.{_DIGITS}g}"
    if payoff.published is None:
        return translate("redone.payoff_alone", lang, computed=computed)
    published = f"{payoff.published:.{_DIGITS}g}"
    text = translate("redone.payoff", lang, computed=computed, published=published)
    if payoff.step == payoff.time:
        return text
    if not payoff.is_equal:
        step, time = (f"{value:.{_DIGITS}g}" for value in (payoff.step, payoff.time))
        return text + translate("redone.neither", lang, step=step, time=time)
    return text + translate("redone.step" if payoff.times == "step" else "redone.time", lang)


def redone_table(redone: Redone, lang: str) -> TextTable:
    """A row for each run: series equal of all, those of data, and the largest difference."""
    header = [translate(f"redone.head {name}", lang) for name in ("run", "equal", "data", "largest")]
    return TextTable(header=header, rows=[_row(run, lang) for run in redone.runs])


def _row(run: CheckedRun, lang: str) -> list[str]:
    if run.failure:
        return [_name(run, lang), "-", "-", "-"]
    of = [
        translate("redone.of", lang, equal=equal, count=count)
        for equal, count in ((run.equal, run.count), (run.data_equal, run.data_count))
    ]
    return [_name(run, lang), *of, f"{run.largest:.1e}"]


def redone_page(redone: Redone, lang: str) -> str:
    """The page "published against redone" as one HTML file: sentences, a table, and what differs, drawn."""
    parts: list[Part] = [Bullets(list(redone_sentences(redone, lang))), redone_table(redone, lang)]
    for run in redone.runs:
        parts += _differing(run, redone.time_unit, lang)
    parts.append(Paragraph(_stamp(redone, lang)))
    title = translate("redone.title", lang, model=redone.model)
    return to_html(ReportDocument(title=title, lang=lang, parts=parts), Path())


def _stamp(redone: Redone, lang: str) -> str:
    """How the page was made."""
    return translate(
        "redone.stamp",
        lang,
        version=version("gapsim"),
        file=redone.file,
        hash=redone.sha256[:HASH],
        tolerance=f"{TOLERANCE:g}",
        coarse=f"{COARSE:g}",
    )


def _differing(run: CheckedRun, time_unit: str, lang: str) -> Iterator[Part]:
    """A table and a picture of the series of a run that differ, the first ones in order of dependence."""
    from pysd_runner.plots.over_time import plot_redone

    shown = run.differing[:MOST_DRAWN]
    if not shown:
        return
    yield Heading(translate("redone.heading", lang, run=_name(run, lang), count=len(run.differing), shown=len(shown)))
    header = [translate(f"redone.head {name}", lang) for name in ("series", "from", "ours", "published", "largest")]
    yield TextTable(
        header=header,
        rows=[
            [
                item.name,
                f"{item.times[item.first]:g}",
                spoken(item.ours[item.first], lang),
                spoken(item.published[item.first], lang),
                f"{item.largest:.1e}",
            ]
            for item in shown
        ],
        words=frozenset({0}),
    )
    drawn = pd.concat(
        pd.DataFrame({"series": item.name, "time": item.times, "ours": item.ours, "published": item.published})
        for item in shown
    )
    figure = plot_redone(drawn, time_unit=time_unit, lang=lang)
    yield Picture("", figure.sentence, figure)
