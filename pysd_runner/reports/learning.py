"""Section of a summary on whether to learn first: what knowing is worth, what waiting costs, what a pilot sees."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from pysd_runner.core.numbers import percent, written
from pysd_runner.core.types import Interval
from pysd_runner.policy.effects import HEADLINE
from pysd_runner.policy.learning import DESIGN, GROUPS, SPREAD, SURVEYED, TREND, WAIT, YEARS
from pysd_runner.policy.ranking import Answer
from pysd_runner.reports.document import Bullets, Heading, Paragraph, Part, TextTable
from pysd_runner.reports.headline import label_of
from pysd_runner.reports.ordering import with_spread
from pysd_runner.study.future import Future
from pysd_runner.text import translate


def learning_parts(projection: Future, answer: Answer, lang: str) -> Iterator[Part]:
    """Section on whether to learn first; none with too few draws."""
    found = answer.main.learning
    if found is None:
        return
    yield Heading(translate("learning.title", lang))
    worth: dict[Any, Any] = found.worth.to_dict("index")
    rows = [
        [
            translate(f"learning.aim {aim}", lang),
            label_of(projection, answer, row["best"], lang),
            written(row["mean"], 2),
            *(gain_text(row[key], lang) for key in ("everything", *GROUPS)),
        ]
        for aim, row in worth.items()
    ]
    header = [translate(f"learning.{key}", lang) for key in ("aim", "best", "mean", "everything", *GROUPS)]
    yield TextTable(header=header, rows=rows, words=frozenset({1}))
    yield Paragraph(translate("learning.how", lang))
    best = worth[HEADLINE]
    told = {
        "policy": rows[0][1],
        "mean": rows[0][2],
        "all": with_spread(best["everything"]),
        "until": answer.main.year,
    }
    if np.isfinite(found.waiting[0]):
        is_dear = found.waiting[0] - 2 * found.waiting[1] > best["everything"][0]
        text = translate("learning.waiting", lang, years=WAIT, cost=with_spread(found.waiting), **told)
        yield Paragraph(text + translate("learning.begin" if is_dear else "learning.may_wait", lang, **told))
    lines = []
    for size, row in found.pilots.to_dict("index").items():
        numbers = {str(key): written(100 * value, 1) for key, value in row.items() if key != "taught"}
        lines.append(
            translate("learning.pilot_line", lang, regions=size, **numbers, taught=gain_text(row["taught"], lang))
        )
    if lines:
        settings = {"people": f"{SURVEYED:,}", "design": DESIGN, "trend": TREND, "spread": percent(SPREAD)}
        yield Paragraph(translate("learning.pilot", lang, **told, years=YEARS, **settings))
        yield Bullets(lines)


def gain_text(gain: Interval, lang: str) -> str:
    """A gain with its standard error; in words if none was seen, a dash if there are too few draws to tell."""
    return with_spread(gain) if gain[0] > 0 else translate("learning.none", lang) if gain[0] <= 0 else written(np.nan)
