"""An optimised policy in words, on one screen and as a folder."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from pysd_runner.core.numbers import interval, percent, written
from pysd_runner.export import save_csv
from pysd_runner.policy.optimisation import Front, Optimum
from pysd_runner.reports.document import (
    Bullets,
    Heading,
    Part,
    ReportDocument,
    TextTable,
    save_document,
    saved_picture,
    screen_of,
)
from pysd_runner.text import say

DIGITS = 2
# Regions that lose most, and constraints, that are named.
MOST_ROWS, MOST_NAMED = 8, 5


def optimum_sentences(found: Optimum, labels: Mapping[str, str], lang: str) -> list[str]:
    """Say what an optimisation found."""
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
    losers = found.losers()
    if len(losers):
        row = losers.iloc[0]
        lines.append(
            say(
                "policy.optimum losers",
                lang,
                region=losers.index[0],
                share=f"{percent(float(row['share_worse']))} %",
                median=written(float(row["median"]), DIGITS),
            )
        )
    if found.ranges:
        lines.append(say("policy.optimum flat", lang, loss=f"{percent(found.rounding, 1)} %"))
    values = [item.value for item in found.starts]
    apart = (max(values) - min(values)) / max(abs(max(values)), 1e-12)
    lines.append(
        say(
            "policy.optimum conditions",
            lang,
            count=len(values),
            apart=f"{percent(apart, 1)} %",
            residual=f"{percent(found.residual, 1)} %",
        )
    )
    return lines


def _compared(found: Optimum, labels: Mapping[str, str], lang: str) -> list[str]:
    """How it does against the others, also where it does worse."""
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
    names = {f"region_change: {name}": name for name in found.elements}
    return (
        names
        | {"output_change": say("policy_outcome.output_change", lang)}
        | {"leader_change": say("policy_outcome.the_leader", lang)}
    )


def optimum_screen(found: Optimum, labels: Mapping[str, str], lang: str) -> list[str]:
    """An optimum for the screen: sentences, the policy, effects."""
    return screen_of(optimum_sentences(found, labels, lang), _policy_table(found, lang), _effect_table(found, lang))


def write_optimum(
    found: Optimum, labels: Mapping[str, str], folder: Path, lang: str, *, between: Front | None = None
) -> None:
    """Write tables, figures and a page into a folder."""
    from pysd_runner.plots.style import usable_language

    drawn = usable_language(lang)
    folder.mkdir(parents=True, exist_ok=True)
    save_csv(found.table().reset_index(), folder / "policy.csv")
    save_csv(found.effect_table().reset_index(), folder / "effects.csv")
    save_csv(found.losers().reset_index(), folder / "losers.csv")
    rivals = pd.DataFrame(
        [
            {"policy": name, "objective": value, "keeps": name not in found.breaking}
            for name, value in found.rivals.items()
        ],
        columns=["policy", "objective", "keeps"],
    )
    save_csv(rivals, folder / "compared.csv")
    parts: list[Part] = [Bullets(optimum_sentences(found, labels, lang))]
    header, rows = _policy_table(found, lang)
    parts.append(TextTable(header=header, rows=rows))
    header, rows = _effect_table(found, lang)
    parts += [Heading(say("policy.effects", lang)), TextTable(header=header, rows=rows)]
    shares = _shares(found, drawn)
    if len(shares):
        from pysd_runner.plots.policies import plot_shares

        figure = plot_shares(shares, title=say("policy.shares figure", drawn), lang=drawn)
        parts.append(saved_picture(figure, folder, "policy"))
    if between is not None:
        from pysd_runner.plots.policies import plot_front

        save_csv(between.table(), folder / "front.csv")
        figure = plot_front(
            between.values,
            labels=(between.first.label(drawn), between.second.label(drawn)),
            units=(between.first.unit_in(drawn), between.second.unit_in(drawn)),
            title=say("policy.front", drawn, first=between.first.label(drawn), second=between.second.label(drawn)),
            lang=drawn,
        )
        parts.append(saved_picture(figure, folder, "front"))
    parts += _others(found, labels, lang)
    parts += [Heading(say("policy.notes", lang)), Bullets(found.notes)]
    title = say("policy.optimum", lang, outcome=found.outcome.label(lang))
    save_document(ReportDocument(title=title, lang=lang, parts=parts), folder, "optimum")


def _others(found: Optimum, labels: Mapping[str, str], lang: str) -> list[Part]:
    """Who loses, and how other policies do."""
    parts: list[Part] = []
    losers = found.losers()
    if len(losers):
        rows = [
            [str(name), f"{percent(float(row['share_worse']))} %", written(float(row["median"]), DIGITS)]
            for name, row in losers.head(MOST_ROWS).iterrows()
        ]
        header = [say("policy.region", lang), say("policy.worse in", lang), say("policy.median change", lang)]
        parts += [Heading(say("policy.who loses", lang)), TextTable(header=header, rows=rows)]
    if found.rivals:
        order = sorted(found.rivals, key=lambda name: -found.rivals[name])
        rows = [
            [
                labels.get(name, name),
                written(found.rivals[name], DIGITS),
                say("policy.no" if name in found.breaking else "policy.yes", lang),
            ]
            for name in order
        ]
        header = [say("policy.policy", lang), say("policy.objective", lang), say("policy.keeps", lang)]
        parts += [Heading(say("policy.compared", lang)), TextTable(header=header, rows=rows, words=frozenset({2}))]
    return parts


def _policy_table(found: Optimum, lang: str) -> tuple[list[str], list[list[str]]]:
    rows = []
    for knob, value in zip(found.space.knobs, found.point, strict=True):
        low, high = found.ranges.get(knob.key, (np.nan, np.nan))
        if knob.group and knob.weight == 1:
            cells = [f"{percent(float(value))} %", f"{percent(low)} … {percent(high)} %" if found.ranges else "–"]
        else:
            digits = DIGITS if knob.upper > 1 or knob.lower < 0 else DIGITS + 2
            cells = [written(float(value), digits), interval(low, high, digits) if found.ranges else "–"]
        rows.append([knob.label(lang), *cells])
    return [say("policy.chosen", lang), say("policy.value", lang), say("policy.range", lang)], rows


def _effect_table(found: Optimum, lang: str) -> tuple[list[str], list[list[str]]]:
    rows = []
    for key, row in found.effect_table().iterrows():
        low, middle, high = (float(row[part]) for part in ("p05", "p50", "p95"))
        rows.append(
            [
                _label(found, str(key), lang),
                f"{written(middle, DIGITS)} ({interval(low, high, DIGITS)})",
                f"{percent(float(row['share_positive']))} %",
            ]
        )
    return [say("policy.outcome", lang), say("policy.effect", lang), say("policy.better in", lang)], rows


def _shares(found: Optimum, lang: str) -> pd.DataFrame:
    """Shares of the levers in every group, a row a group; empty where groups are no mixes."""
    rows: dict[str, dict[str, float]] = {}
    for knob, value in zip(found.space.knobs, found.point, strict=True):
        if knob.group and knob.weight == 1 and found.space.sums[knob.group] == 1:
            lever = knob.key.removeprefix(f"{knob.group}.")
            rows.setdefault(knob.group, {})[found.levers.get(lever, {}).get(lang, lever)] = float(value)
    return pd.DataFrame.from_dict(rows, orient="index")


def _label(found: Optimum, key: str, lang: str) -> str:
    item = found.outcomes.get(key)
    return key if item is None else f"{item.label(lang)}, {item.unit_in(lang)}"
