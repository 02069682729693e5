"""Section of a summary on whether the order of mixes in time matters."""

from collections.abc import Iterator

from pysd_runner.core.numbers import written
from pysd_runner.core.types import Interval
from pysd_runner.policy.ordering import CHANGE, KEPT, SCREENED
from pysd_runner.policy.ranking import Answer
from pysd_runner.reports.document import Heading, Paragraph, Part
from pysd_runner.reports.headline import label_of
from pysd_runner.study.future import Future
from pysd_runner.text import translate


def order_parts(projection: Future, answer: Answer, lang: str) -> Iterator[Part]:
    """Section on the best schedule, and on how it was looked for; none with too few draws."""
    found = answer.main.order
    if found is None:
        return
    yield Heading(translate("ordering.title", lang))
    names = {key: label_of(projection, answer, getattr(found, key), lang) for key in ("first", "second", "constant")}
    text = translate(
        "ordering.matters" if found.matters else "ordering.no_matter",
        lang,
        **names,
        years=CHANGE,
        gain=with_spread(found.gain),
        delta=written(found.delta, 2),
    )
    how = translate("ordering.how", lang, pairs=found.pairs, screened=SCREENED, kept=KEPT, half=found.half)
    yield Paragraph(text + how)


def with_spread(gain: Interval) -> str:
    """A mean with its standard error."""
    return " ± ".join(written(item, 2) for item in gain)
