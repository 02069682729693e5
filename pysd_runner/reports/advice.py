"""One page for an official: what to do, what would change it, who loses, what to measure next."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from pysd_runner.core.numbers import percent, written
from pysd_runner.export import save_csv
from pysd_runner.policy.advice import Advice
from pysd_runner.policy.discovery import Side
from pysd_runner.policy.futures import Factor
from pysd_runner.reports.document import (
    Bullets,
    Heading,
    Paragraph,
    Part,
    ReportDocument,
    TextTable,
    save_document,
    saved_picture,
    screen_of,
)
from pysd_runner.text import say

DIGITS = 2
# Policies, switching values and factors that are shown; the files have them all.
MOST_ROWS = 10
# A value of information is told from chance when it is so many standard errors.
ERRORS = 2


def advice_sentences(found: Advice, labels: Mapping[str, str], lang: str) -> list[str]:
    """Say what is advised."""
    table = found.table()
    leading, rival = found.leading, found.second
    beaten = found.beaten(leading)
    common = {
        "policy": labels.get(leading, leading),
        "rival": labels.get(rival, rival),
        "futures": len(found.futures),
        "beaten": _share(float(beaten.max())),
        "first": _share(float(table["share_first"][leading])),
        "value": written(float(table["mean"][leading]), DIGITS),
        "unit": found.outcome.unit_in(lang),
    }
    lines = [say("policy.advice recommended" if found.recommended else "policy.advice none", lang, **common)]
    least = found.least_regret
    lines.append(
        say(
            "policy.advice regret",
            lang,
            policy=labels.get(least, least),
            value=written(float(table["largest_regret"][least]), DIGITS),
            unit=found.outcome.unit_in(lang),
        )
    )
    lines += _losing(found, labels, lang)
    lines.append(_measure(found, lang))
    return lines


def change_sentences(found: Advice, labels: Mapping[str, str], lang: str) -> list[str]:
    """Say what would change the advice."""
    lines = [
        say(
            "policy.advice switch",
            lang,
            factor=item.factor.label(lang),
            level=_number(item.level),
            factor_unit=item.factor.unit.replace("Dmnl", "").strip(),
            below=labels.get(item.below, item.below),
            above=labels.get(item.above, item.above),
        )
        for item in found.switches[:MOST_ROWS]
    ]
    if not lines:
        lines.append(say("policy.advice no switch", lang))
    rival = labels.get(found.second, found.second)
    share = _share(float(found.beaten(found.leading).max()))
    if found.box is not None and found.box.sides:
        parts = say("policy.and", lang).join(_side(found, side, lang) for side in found.box.sides)
        lines.append(
            say("policy.advice box", lang, rival=rival, density=_share(found.box.density), parts=parts, share=share)
        )
    else:
        lines.append(say("policy.advice no box", lang, rival=rival, share=share))
    return lines


def advice_screen(found: Advice, labels: Mapping[str, str], lang: str) -> list[str]:
    """Advice for the screen."""
    texts = (*advice_sentences(found, labels, lang), *change_sentences(found, labels, lang))
    return screen_of(texts, _table(found, labels, lang))


def write_advice(found: Advice, names: Mapping[str, Mapping[str, str]], folder: Path, lang: str) -> None:
    """Write the page, tables and figures into a folder."""
    from pysd_runner.plots.policies import plot_regret, plot_switches
    from pysd_runner.plots.style import usable_language

    drawn = usable_language(lang)
    labels, pictured = ({name: item.get(key, name) for name, item in names.items()} for key in (lang, drawn))
    folder.mkdir(parents=True, exist_ok=True)
    table = found.table()
    save_csv(table.reset_index(), folder / "policies.csv")
    save_csv(found.worths().reset_index(), folder / "information.csv")
    save_csv(found.losers(found.leading).reset_index(), folder / "losers.csv")
    levels = pd.DataFrame(found.futures.levels, columns=[factor.key for factor in found.futures.factors])
    effects = pd.DataFrame(found.effects.T, columns=list(found.names))
    save_csv(levels.join(effects), folder / "futures.csv")
    switches = pd.DataFrame(
        [
            {"cost": item.factor.key, "level": item.level, "below": item.below, "above": item.above}
            for item in found.switches
        ],
        columns=["cost", "level", "below", "above"],
    )
    save_csv(switches, folder / "switches.csv")
    shown = list(table.index[:MOST_ROWS])
    rows = np.array([found.regret[found.names.index(name)] for name in shown])
    regret = plot_regret(
        rows,
        labels=[pictured.get(name, name) for name in shown],
        unit=found.outcome.unit_in(drawn),
        title=say("policy.regret figure", drawn),
        lang=drawn,
    )
    pictures = [saved_picture(regret, folder, "regret")]
    if found.switches:
        figure = plot_switches(
            [
                (
                    item.factor.label(drawn),
                    item.factor.unit,
                    item.level,
                    float(np.median(found.futures.column(item.factor.key))),
                    pictured.get(item.below, item.below),
                    pictured.get(item.above, item.above),
                )
                for item in found.switches
            ],
            title=say("policy.switch figure", drawn),
            lang=drawn,
        )
        pictures.append(saved_picture(figure, folder, "switches"))
    header, cells = _table(found, labels, lang)
    parts: list[Part] = [
        Bullets(advice_sentences(found, labels, lang)),
        Heading(say("policy.what changes", lang)),
        Bullets(change_sentences(found, labels, lang)),
        Heading(say("policy.compared", lang)),
        TextTable(header=header, rows=cells),
        *_worth_part(found, lang),
        *pictures,
        Heading(say("policy.notes", lang)),
        Bullets([say("policy.futures note", lang), say("policy.rolling note", lang), *found.notes]),
    ]
    title = _title(found, lang)
    save_document(ReportDocument(title=title, lang=lang, parts=parts), folder, "advice")


def _title(found: Advice, lang: str) -> str:
    year = round(found.futures.studies[0].bounds[1])
    return say("policy.advice", lang, outcome=found.outcome.label(lang), year=year)


def _losing(found: Advice, labels: Mapping[str, str], lang: str) -> list[str]:
    """Who loses under the leading policy, and what happens to the nation."""
    lines = []
    losers = found.losers(found.leading)
    if len(losers):
        lines.append(
            say(
                "policy.advice losers",
                lang,
                policy=labels.get(found.leading, found.leading),
                region=losers.index[0],
                share=_share(float(losers["share_worse"].iloc[0])),
            )
        )
    if "output_change" in found.others:
        values = found.others["output_change"][found.names.index(found.leading)]
        lines.append(
            say(
                "policy.advice output",
                lang,
                share=_share(float((values > 0).mean())),
                median=written(float(np.median(values)), DIGITS),
            )
        )
    return lines


def _measure(found: Advice, lang: str) -> str:
    """What to measure next, if anything."""
    worths = found.worths()
    assert found.perfect is not None  # noqa: S101
    key = str(worths.index[0])
    value, error = float(worths["value"].iloc[0]), float(worths["error"].iloc[0])
    is_told = value > ERRORS * error
    if value == 0:
        everything = written(found.perfect.value, DIGITS + 1)
        return say("policy.advice nothing pays", lang, all=everything, unit=found.outcome.unit_in(lang))
    return say(
        "policy.advice measure" if is_told else "policy.advice nothing to measure",
        lang,
        factor=_factor(found, key).label(lang),
        value=written(value, DIGITS + 1),
        error=written(error, DIGITS + 1),
        all=written(found.perfect.value, DIGITS + 1),
        unit=found.outcome.unit_in(lang),
    )


def _worth_part(found: Advice, lang: str) -> list[Part]:
    rows = [
        [_factor(found, str(key)).label(lang), f"{written(float(row['value']), 3)} ± {written(float(row['error']), 3)}"]
        for key, row in found.worths().head(MOST_ROWS).iterrows()
    ]
    return [
        Heading(say("policy.worth", lang)),
        TextTable(header=[say("policy.factor", lang), say("policy.worth column", lang)], rows=rows),
        Paragraph(found.outcome.unit_in(lang)),
    ]


def _factor(found: Advice, key: str) -> Factor:
    return next(factor for factor in found.futures.factors if factor.key == key)


def _table(found: Advice, labels: Mapping[str, str], lang: str) -> tuple[list[str], list[list[str]]]:
    header = [
        say("policy.policy", lang),
        say("policy.mean effect", lang),
        say("policy.first in", lang),
        say("policy.mean rank", lang),
        say("policy.mean regret", lang),
        say("policy.largest regret", lang),
    ]
    rows = [
        [
            labels.get(str(name), str(name)),
            written(float(row["mean"]), DIGITS),
            _share(float(row["share_first"])),
            written(float(row["mean_rank"]), 1),
            written(float(row["mean_regret"]), DIGITS),
            written(float(row["largest_regret"]), DIGITS),
        ]
        for name, row in found.table().head(MOST_ROWS).iterrows()
    ]
    return header, rows


def _side(found: Advice, side: Side, lang: str) -> str:
    """One side of a box in words."""
    factor = found.futures.factors[side.factor]
    label = factor.label(lang)
    if factor.kind == "switch":
        return say("policy.is on" if side.low > 0.5 else "policy.is off", lang, factor=label)
    if factor.kind == "choice":
        place = round(side.low) if np.isfinite(side.low) else round(side.high)
        return say("policy.is choice", lang, factor=label, value=factor.choices[place])
    if np.isfinite(side.low) and np.isfinite(side.high):
        return say("policy.between", lang, factor=label, low=_number(side.low), high=_number(side.high))
    if np.isfinite(side.low):
        return say("policy.at least", lang, factor=label, value=_number(side.low))
    return say("policy.at most", lang, factor=label, value=_number(side.high))


def _number(value: float) -> str:
    """Three significant digits."""
    if value == 0:
        return "0"
    digits = max(0, 2 - int(np.floor(np.log10(abs(value)))))
    return written(round(value, 2 - int(np.floor(np.log10(abs(value))))), digits)


def _share(value: float) -> str:
    return f"{percent(value)} %"
