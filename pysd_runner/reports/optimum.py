"""Report on an optimal policy, on the screen and as a folder."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pysd_runner.core.numbers import interval, percent, written
from pysd_runner.core.types import Texts
from pysd_runner.indicators.selection import TENTH
from pysd_runner.policy.optimisation import Optimum
from pysd_runner.reports.attribution import DIGITS, cell, titles
from pysd_runner.reports.document import Bullets, Heading, Part, TextTable, save_analysis, saved_picture, screen_of
from pysd_runner.scenarios.vocabulary import exponent_said
from pysd_runner.text import name_in, translate, translated

if TYPE_CHECKING:
    from pysd_runner.plots.figure import ReportFigure

# Maximum number of losing regions in a table, and of binding constraints named.
MOST_LOSERS, MOST_NAMED = 8, 5


def _share(value: float, digits: int = 0) -> str:
    return f"{percent(value, digits)} %"


def optimum_sentences(found: Optimum, labels: Texts, lang: str) -> list[str]:
    """Sentences on the result of an optimisation."""
    draws = next(iter(found.effects.values())).shape[0]
    lines = [
        translate(
            "policy.optimum lead",
            lang,
            outcome=found.outcome.label(lang),
            statistic=translate(f"policy.statistic {found.objective.statistic}", lang),
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
        lines.append(translate("policy.optimum relaxed", lang, parts="; ".join(parts)))
    held = [names.get(name, name) for name in found.binding if ">=" not in name and "<=" not in name]
    if held:
        lines.append(translate("policy.optimum binding", lang, parts=", ".join(held[:MOST_NAMED])))
    lines += [
        translate(
            "policy.optimum bound",
            lang,
            name=decision.label(lang),
            value=written(float(found.point[found.space.decisions.index(decision)]), DIGITS),
            slope=written(slope, DIGITS, signed=True),
        )
        for decision, slope in found.on_bounds.items()
    ]
    if found.ranges:
        said = "flat" if found.space.has_shares else "loose"
        lines.append(translate(f"policy.optimum {said}", lang, loss=_share(found.rounding, 1)))
    values = [item.value for item in found.starts]
    apart = (max(values) - min(values)) / max(abs(max(values)), 1e-12)
    lines.append(
        translate(
            "policy.optimum conditions",
            lang,
            count=len(values),
            apart=_share(apart, 1),
            residual=_share(found.residual, 1),
        )
    )
    return lines


def _compared(found: Optimum, labels: Texts, lang: str) -> list[str]:
    """Sentence that compares the optimum with the best other policy."""
    if not found.rivals:
        return []
    delta = TENTH * abs(found.out_of_sample)
    kept = [name for name in found.rivals if name not in found.breaking]
    near = [name for name in kept if abs(found.rivals[name] - found.out_of_sample) <= delta]
    if near:
        told = translate("answer.comma", lang).join(
            translate("brief.quoted", lang, text=labels.get(name, name)) for name in near
        )
        return [translate("policy.optimum near", lang, rivals=told, delta=written(delta, DIGITS))]
    best = found.best_rival
    if not best:
        best = max(found.rivals, key=lambda name: found.rivals[name])
        key = "optimum alone"
    else:
        key = "optimum beats" if found.beats_rivals else "optimum beaten"
    value = written(found.rivals[best], DIGITS)
    return [translate(f"policy.{key}", lang, rival=labels.get(best, best), value=value)]


def _names(found: Optimum, lang: str) -> Texts:
    """Constraints in words: national output and the leader by their labels, regions by name."""
    return {
        **{f"region_change: {name}": name for name in found.elements},
        "output_change": translate("policy_outcome.output_change", lang),
        "leader_change": translate("policy_outcome.the_leader", lang),
    }


def optimum_screen(found: Optimum, labels: Texts, lang: str) -> list[str]:
    """An optimum for the screen: sentences, the policy, its effects, who loses, and other policies."""
    tables = (_policy_table(found, lang), _effect_table(found, lang), *_others(found, labels, lang))
    return screen_of(optimum_sentences(found, labels, lang), *tables)


def write_optimum(found: Optimum, labels: Texts, folder: Path, lang: str) -> None:
    """Write the page, tables and figures of an optimum into a folder."""
    from pysd_runner.plots.policies import plot_shares
    from pysd_runner.plots.style import figure_of, usable_language

    def shares(lang: str) -> "ReportFigure":
        lang = usable_language(lang)
        return plot_shares(_shares(found, lang), title=translate("policy.shares figure", lang), lang=lang)

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
        Heading(translate("policy.effects", lang)),
        _effect_table(found, lang),
    ]
    if len(_shares(found, lang)):
        parts.append(saved_picture(figure_of(shares)(lang), folder, "policy"))
    notes = Bullets([translated(note, lang) for note in found.notes])
    parts += [*_others(found, labels, lang), Heading(translate("policy.notes", lang)), notes]
    title = translate("policy.optimum", lang, outcome=found.outcome.label(lang))
    save_analysis(folder, "optimum", title=title, lang=lang, parts=parts, tables=tables)


def _others(found: Optimum, labels: Texts, lang: str) -> list[TextTable]:
    """Tables of losing regions, and of the objective under other policies."""
    losers = [
        [str(name), _share(float(row["share_worse"])), written(float(row["median"]), DIGITS)]
        for name, row in found.losers().head(MOST_LOSERS).iterrows()
    ]
    rivals = [
        [
            labels.get(name, name),
            written(found.rivals[name], DIGITS),
            translate("policy.no" if name in found.breaking else "policy.yes", lang),
        ]
        for name in sorted(found.rivals, key=lambda name: -found.rivals[name])
    ]
    watched = next((found.outcomes[key] for key, values in found.effects.items() if values.ndim == 2), found.outcome)
    change = f"{translate('policy.median', lang)}, {watched.unit_in(lang)}"
    return [
        TextTable(header=header, rows=rows, caption=translate(f"policy.{title}", lang), words=frozenset(words))
        for title, header, rows, words in (
            ("who loses", [watched.label(lang), *titles(lang, "worse in"), change], losers, ()),
            ("compared", titles(lang, "policy", "objective", "keeps"), rivals, (2,)),
        )
        if rows
    ]


def _policy_table(found: Optimum, lang: str) -> TextTable:
    rows = []
    for decision, value in zip(found.space.decisions, found.point, strict=True):
        low, high = found.ranges.get(decision.key, (np.nan, np.nan))
        if found.space.is_share(decision):
            cells = [_share(float(value)), f"{percent(low)} … {percent(high)} %"]
        else:
            digits = DIGITS if decision.upper > 1 or decision.lower < 0 else DIGITS + 2
            cells = [written(float(value), digits), interval(low, high, digits)]
        if decision.key == "redistribution":
            cells[0] = exponent_said(float(value), lang)
        rows.append([decision.label(lang), cells[0], cells[1] if found.ranges else "–"])
    value = "value" if found.space.has_shares else "level"
    return TextTable(header=titles(lang, "chosen", value, "range"), rows=rows)


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
    for decision, value in zip(found.space.decisions, found.point, strict=True):
        if found.space.is_share(decision):
            lever = decision.key.removeprefix(f"{decision.group}.")
            own = found.labels.get(decision.group, {}).get(lang) or name_in(lang, "policy_outcome", decision.group)
            rows.setdefault(own, {})[found.labels.get(lever, {}).get(lang, lever)] = float(value)
    return pd.DataFrame.from_dict(rows, orient="index")
