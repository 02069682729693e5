"""Reports on recommended policies, on the screen and as a folder: advice among compared policies, and an optimum."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from pysd_runner.core.numbers import interval, percent, written
from pysd_runner.policy.advice import Advice
from pysd_runner.policy.futures import Factor, Side
from pysd_runner.policy.optimisation import Optimum
from pysd_runner.reports.attribution import DIGITS, cell, titles
from pysd_runner.reports.document import (
    Bullets,
    Heading,
    Paragraph,
    Part,
    TextTable,
    save_analysis,
    saved_picture,
    screen_of,
    titled,
)
from pysd_runner.text import say

# Maximum number of policies, switching values and factors shown; the files contain all.
MOST_ROWS = 10
# A value of information is reported if it exceeds this multiple of its standard error.
ERRORS = 2
# Maximum number of losing regions in a table, and of binding constraints named.
MOST_LOSERS, MOST_NAMED = 8, 5


def advice_sentences(found: Advice, labels: Mapping[str, str], lang: str) -> list[str]:
    """Sentences on the recommended policy."""
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
    """Sentences on what would change the recommendation."""
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
    """Advice for the screen: sentences and a table of policies."""
    texts = (*advice_sentences(found, labels, lang), *change_sentences(found, labels, lang))
    return screen_of(texts, _table(found, labels, lang))


def write_advice(found: Advice, names: Mapping[str, Mapping[str, str]], folder: Path, lang: str) -> None:
    """Write the page, tables and figures of the advice into a folder."""
    from pysd_runner.plots.policies import plot_regret, plot_switches
    from pysd_runner.plots.style import usable_language

    drawn = usable_language(lang)
    labels, pictured = ({name: item.get(key, name) for name, item in names.items()} for key in (lang, drawn))
    table = found.table()
    levels = pd.DataFrame(found.futures.levels, columns=[factor.key for factor in found.futures.factors])
    switches = [(item.factor.key, item.level, item.below, item.above) for item in found.switches]
    tables = {
        "policies": table.reset_index(),
        "information": found.worths().reset_index(),
        "losers": found.losers(found.leading).reset_index(),
        "futures": levels.join(pd.DataFrame(found.effects.T, columns=list(found.names))),
        "switches": pd.DataFrame(switches, columns=["cost", "level", "below", "above"]),
    }
    shown = list(table.index[:MOST_ROWS])
    regret = plot_regret(
        np.array([found.regret[found.names.index(name)] for name in shown]),
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
    parts: list[Part] = [
        Bullets(advice_sentences(found, labels, lang)),
        Heading(say("policy.what changes", lang)),
        Bullets(change_sentences(found, labels, lang)),
        Heading(say("policy.compared", lang)),
        _table(found, labels, lang),
        Heading(say("policy.worth", lang)),
        _worth_table(found, lang),
        Paragraph(found.outcome.unit_in(lang)),
        *pictures,
        Heading(say("policy.notes", lang)),
        Bullets([say("policy.futures note", lang), say("policy.rolling note", lang), *found.notes]),
    ]
    year = round(found.futures.studies[0].bounds[1])
    title = say("policy.advice", lang, outcome=found.outcome.label(lang), year=year)
    save_analysis(folder, "advice", title=title, lang=lang, parts=parts, tables=tables)


def _losing(found: Advice, labels: Mapping[str, str], lang: str) -> list[str]:
    """Sentences on the main loser under the leading policy, and on national output."""
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
    """Sentence on the factor most worth measuring, if any."""
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


def _worth_table(found: Advice, lang: str) -> TextTable:
    rows = [
        [_factor(found, str(key)).label(lang), f"{written(float(row['value']), 3)} ± {written(float(row['error']), 3)}"]
        for key, row in found.worths().head(MOST_ROWS).iterrows()
    ]
    return TextTable(header=titles(lang, "factor", "worth column"), rows=rows)


def _factor(found: Advice, key: str) -> Factor:
    return next(factor for factor in found.futures.factors if factor.key == key)


def _table(found: Advice, labels: Mapping[str, str], lang: str) -> TextTable:
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
    header = titles(lang, "policy", "mean effect", "first in", "mean rank", "mean regret", "largest regret")
    return TextTable(header=header, rows=rows)


def _side(found: Advice, side: Side, lang: str) -> str:
    """Bounds of one factor in the box of futures that favour the rival, in words."""
    factor = found.futures.factors[side.factor]
    label, has_low = factor.label(lang), bool(np.isfinite(side.low))
    if factor.kind == "switch":
        return say("policy.is on" if side.low > 0.5 else "policy.is off", lang, factor=label)
    if factor.kind == "choice":
        return say(
            "policy.is choice", lang, factor=label, value=factor.choices[round(side.low if has_low else side.high)]
        )
    if has_low and np.isfinite(side.high):
        return say("policy.between", lang, factor=label, low=_number(side.low), high=_number(side.high))
    key, value = ("at least", side.low) if has_low else ("at most", side.high)
    return say(f"policy.{key}", lang, factor=label, value=_number(value))


def _number(value: float) -> str:
    """Format a number with three significant digits."""
    if value == 0:
        return "0"
    digits = 2 - int(np.floor(np.log10(abs(value))))
    return written(round(value, digits), max(0, digits))


def _share(value: float, digits: int = 0) -> str:
    return f"{percent(value, digits)} %"


def optimum_sentences(found: Optimum, labels: Mapping[str, str], lang: str) -> list[str]:
    """Sentences on the result of an optimisation."""
    draws = next(iter(found.effects.values())).shape[0]
    lines = [
        say(
            "policy.optimum lead",
            lang,
            outcome=found.outcome.label(lang),
            statistic=say(f"policy.statistic {found.objective.statistic}", lang),
            value=written(found.out_of_sample, DIGITS),
            inside=written(found.in_sample, DIGITS),
            unit="" if found.objective.statistic == "satisfied" else found.outcome.unit_in(lang),
            draws=draws,
        )
    ]
    lines += _compared(found, labels, lang)
    names = _names(found, lang)
    if found.relaxed:
        parts = [f"{names.get(name, name)} {written(value, DIGITS)}" for name, value in found.relaxed.items()]
        lines.append(say("policy.optimum relaxed", lang, parts="; ".join(parts)))
    held = [names.get(name, name) for name in found.binding if ">=" not in name and "<=" not in name]
    if held:
        lines.append(say("policy.optimum binding", lang, parts=", ".join(held[:MOST_NAMED])))
    lines += [
        say(
            "policy.optimum bound",
            lang,
            name=knob.label(lang),
            value=written(float(found.point[found.space.knobs.index(knob)]), DIGITS),
            slope=written(slope, DIGITS, signed=True),
        )
        for knob, slope in found.on_bounds.items()
    ]
    losers = found.losers()
    if len(losers):
        row = losers.iloc[0]
        lines.append(
            say(
                "policy.optimum losers",
                lang,
                region=losers.index[0],
                share=_share(float(row["share_worse"])),
                median=written(float(row["median"]), DIGITS),
            )
        )
    if found.ranges:
        lines.append(say("policy.optimum flat", lang, loss=_share(found.rounding, 1)))
    values = [item.value for item in found.starts]
    apart = (max(values) - min(values)) / max(abs(max(values)), 1e-12)
    lines.append(
        say(
            "policy.optimum conditions",
            lang,
            count=len(values),
            apart=_share(apart, 1),
            residual=_share(found.residual, 1),
        )
    )
    return lines


def _compared(found: Optimum, labels: Mapping[str, str], lang: str) -> list[str]:
    """Sentence that compares the optimum with the best other policy."""
    if not found.rivals:
        return []
    best = found.best_rival
    if not best:
        best = max(found.rivals, key=lambda name: found.rivals[name])
        key = "optimum alone"
    else:
        key = "optimum beats" if found.beats_rivals else "optimum beaten"
    value = written(found.rivals[best], DIGITS)
    return [say(f"policy.{key}", lang, rival=labels.get(best, best), value=value)]


def _names(found: Optimum, lang: str) -> dict[str, str]:
    """Constraints in words: national output and the leader by their labels, regions by name."""
    return {
        **{f"region_change: {name}": name for name in found.elements},
        "output_change": say("policy_outcome.output_change", lang),
        "leader_change": say("policy_outcome.the_leader", lang),
    }


def optimum_screen(found: Optimum, labels: Mapping[str, str], lang: str) -> list[str]:
    """An optimum for the screen: sentences, the policy and its effects."""
    return screen_of(optimum_sentences(found, labels, lang), _policy_table(found, lang), _effect_table(found, lang))


def write_optimum(found: Optimum, labels: Mapping[str, str], folder: Path, lang: str) -> None:
    """Write the page, tables and figures of an optimum into a folder."""
    from pysd_runner.plots.policies import plot_shares
    from pysd_runner.plots.style import usable_language

    drawn = usable_language(lang)
    rivals = [(name, value, name not in found.breaking) for name, value in found.rivals.items()]
    tables = {
        "policy": found.table().reset_index(),
        "effects": found.effect_table().reset_index(),
        "losers": found.losers().reset_index(),
        "compared": pd.DataFrame(rivals, columns=["policy", "objective", "keeps"]),
    }
    parts: list[Part] = [
        Bullets(optimum_sentences(found, labels, lang)),
        _policy_table(found, lang),
        Heading(say("policy.effects", lang)),
        _effect_table(found, lang),
    ]
    shares = _shares(found, drawn)
    if len(shares):
        figure = plot_shares(shares, title=say("policy.shares figure", drawn), lang=drawn)
        parts.append(saved_picture(figure, folder, "policy"))
    parts += [*_others(found, labels, lang), Heading(say("policy.notes", lang)), Bullets(found.notes)]
    title = say("policy.optimum", lang, outcome=found.outcome.label(lang))
    save_analysis(folder, "optimum", title=title, lang=lang, parts=parts, tables=tables)


def _others(found: Optimum, labels: Mapping[str, str], lang: str) -> list[Part]:
    """Tables of losing regions, and of the objective under other policies."""
    losers = [
        [str(name), _share(float(row["share_worse"])), written(float(row["median"]), DIGITS)]
        for name, row in found.losers().head(MOST_LOSERS).iterrows()
    ]
    rivals = [
        [
            labels.get(name, name),
            written(found.rivals[name], DIGITS),
            say("policy.no" if name in found.breaking else "policy.yes", lang),
        ]
        for name in sorted(found.rivals, key=lambda name: -found.rivals[name])
    ]
    compared = TextTable(header=titles(lang, "policy", "objective", "keeps"), rows=rivals, words=frozenset({2}))
    return [
        *titled(
            say("policy.who loses", lang),
            TextTable(header=titles(lang, "region", "worse in", "median change"), rows=losers),
        ),
        *titled(say("policy.compared", lang), compared),
    ]


def _policy_table(found: Optimum, lang: str) -> TextTable:
    rows = []
    for knob, value in zip(found.space.knobs, found.point, strict=True):
        low, high = found.ranges.get(knob.key, (np.nan, np.nan))
        if knob.group and knob.weight == 1:
            cells = [_share(float(value)), f"{percent(low)} … {percent(high)} %"]
        else:
            digits = DIGITS if knob.upper > 1 or knob.lower < 0 else DIGITS + 2
            cells = [written(float(value), digits), interval(low, high, digits)]
        rows.append([knob.label(lang), cells[0], cells[1] if found.ranges else "–"])
    return TextTable(header=titles(lang, "chosen", "value", "range"), rows=rows)


def _effect_table(found: Optimum, lang: str) -> TextTable:
    rows = []
    for key, row in found.effect_table().iterrows():
        item = found.outcomes.get(str(key))
        label = str(key) if item is None else f"{item.label(lang)}, {item.unit_in(lang)}"
        rows.append([label, cell(row), _share(float(row["share_positive"]))])
    return TextTable(header=titles(lang, "outcome", "effect", "better in"), rows=rows)


def _shares(found: Optimum, lang: str) -> pd.DataFrame:
    """Shares of the levers, one row per group; empty if the groups are not mixes."""
    rows: dict[str, dict[str, float]] = {}
    for knob, value in zip(found.space.knobs, found.point, strict=True):
        if knob.group and knob.weight == 1 and found.space.sums[knob.group] == 1:
            lever = knob.key.removeprefix(f"{knob.group}.")
            rows.setdefault(knob.group, {})[found.levers.get(lever, {}).get(lang, lever)] = float(value)
    return pd.DataFrame.from_dict(rows, orient="index")
