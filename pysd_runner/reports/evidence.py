"""How far a projection depends on data or on priors, and on which parameters a result depends."""

import re
from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr

from pysd_runner.core.numbers import interval, percent, written
from pysd_runner.core.types import Flags, Interval, Numbers, Record, frozen
from pysd_runner.data.names import CURRENCY
from pysd_runner.data.units import YUAN
from pysd_runner.evidence.ledger import meaning
from pysd_runner.policy.ranking import Answer, Ranking
from pysd_runner.reports.document import aligned, filled
from pysd_runner.spec import ModelSpec
from pysd_runner.spec.fitted import moved_words
from pysd_runner.spec.load import regional_spec
from pysd_runner.study.future import Future
from pysd_runner.study.projection import recorded_model
from pysd_runner.study.region_inputs import NO_INDICATOR
from pysd_runner.text import panel_title, translate, translated, variable_names

_CHINESE_CODE = re.compile("[1-8][0-9]{5}|.*[\u4e00-\u9fff].*")
# Minimum drift of the forecast from the model that is reported, as a log difference per year.
TOLD_DRIFT = 0.003
# A panel informs a parameter if it reduces the prior variance by more than this share.
INFORMED = 0.5
# Shares whose start values differ between regions by an indicator, each with a lever of its name.
SPREAD = ("access", "skills", "application")


def evidence_lines(projection: Future, *, lang: str = "en") -> list[str]:
    """Sentences on how many uncertain parameters the panel informs, and how many rest on priors."""
    spec = declarations_of(projection)
    drawn = [key for key, item in spec.parameters.items() if item.prior is not None and item.role != "POL"]
    fitted = projection.provenance.get("fitted")
    if fitted is None:
        lines = [
            translate("report.no data", lang, origin=projection.origin),
            translate("report.prior alone", lang, rest=len(drawn)),
        ]
    else:
        shares = _shares(fitted)
        narrowed = sum(share > INFORMED for share in shares)
        rest = len(drawn) - sum(share > LEAST_SHOWN for share in shares)
        years = {
            "first": fitted["first_year"],
            "last": fitted["last_year"],
            "panel": panel_title(fitted["panel"], lang),
        }
        lines = [
            translate("report.data", lang, all=len(shares), narrowed=narrowed, **years),
            translate("report.prior", lang, rest=rest),
        ]
    if projection.imputed:
        lines.append(translate("report.imputed", lang, count=len(projection.imputed)))
    return lines


def declarations_of(projection: Future) -> ModelSpec:
    """Declarations of the model a projection was made with that bind it to regions; empty if there are none."""
    return regional_spec(recorded_model(projection.provenance), projection.model)


def meaning_of(projection: Future, key: str, lang: str) -> str:
    """Meaning of a parameter of the model of a projection, marked if it is a unit cost without evidence."""
    return meaning(recorded_model(projection.provenance), declarations_of(projection).parameters[key], lang)


def noticed(projection: Future, lines: Sequence[str], lang: str) -> list[str]:
    """Warnings and notes on imputed values, in the language of the reader."""
    spec = declarations_of(projection)
    names = variable_names(spec.inputs.values(), lang)
    return [translated(line, lang, names) for line in lines]


_INDENT = 2
# Columns of numbers: estimate, interval, share of data, shift.
_NUMBERS = frozenset({1, 2, 3, 4})
# Standard normal quantile at the upper end of a 90 % interval.
_NINETY = 1.6448536269514722
# Minimum contraction at which a parameter whose role is not FREE is shown.
LEAST_SHOWN = 0.05
# Maximum number of best-identified parameter combinations shown.
MOST_DIRECTIONS = 4

SHAPES = {
    "both": "bounded",
    "below": "bounded below",
    "above": "bounded above",
    "flat": "flat",
    "two_modes": "two modes",
}
EVIDENCE = {
    "determined by the panel": "settled",
    "settled by the panel": "settled",  # in fits of version 0.2
    "mostly the panel": "mostly panel",
    "panel and prior": "panel and prior",
    "mostly prior": "mostly prior",
    "prior": "prior only",
}


def certainty_lines(fitted: Record, spec: ModelSpec, *, lang: str = "en") -> list[str]:
    """Table of the calibrated parameters, the best identified first, with notes."""
    verdicts: Record = fitted["provenance"].get("identifiability") or {}
    shifts = _shifts(fitted, spec)
    rows = _rows(fitted, spec, verdicts, shifts, lang)
    if not rows:
        return []
    level = f"{100 * float(verdicts.get('level', 0.9)):.0f}"
    heads = ["parameter", "estimate", "interval", "from data", "shift"]
    heads += ["profile", "moves with", "verdict"] if verdicts else []
    lines = [
        translate(
            "report.certainty",
            lang,
            panel=panel_title(fitted["panel"], lang),
            first=fitted["first_year"],
            last=fitted["last_year"],
        )
    ]
    lines += aligned(
        [[translate(f"report.column {head}", lang, level=level) for head in heads], *rows],
        words=frozenset(range(len(heads))) - _NUMBERS,
        indent=_INDENT,
    )
    notes = [translate("report.certainty note", lang), _seen(verdicts, lang)] if verdicts else []
    moved = translated(moved_words(shifts, _shares(fitted)), lang)
    notes += [moved] if moved else []
    others = len(fitted["keys"]) - len(rows)
    if others:
        notes.append(translate("report.certainty others", lang, count=others))
    sampling = fitted["provenance"].get("sampling")
    if sampling is not None:
        notes.append(
            translate("report.sampled" if sampling["is_trusted"] else "report.sampled badly", lang, **sampling)
        )
    weighting = fitted["provenance"].get("weighting")
    notes += [] if weighting is None or sampling is not None else [translate("report.weighted", lang, **weighting)]
    return lines + [line for note in notes for line in filled(note, indent=_INDENT)]


def _shifts(fitted: Record, spec: ModelSpec) -> Numbers:
    """Posterior centre less prior median of every parameter, in prior standard deviations."""
    sampled = (fitted["provenance"].get("sampling") or {}).get("shift", {})
    priors = {key: spec.parameters[key].prior for key in fitted["keys"]}
    modes = {
        key: 0.0 if prior is None else float(prior.residual(value))
        for (key, prior), value in zip(priors.items(), fitted["estimates"], strict=True)
    }
    return {**modes, **sampled}


def _rows(fitted: Record, spec: ModelSpec, verdicts: Record, shifts: Numbers, lang: str) -> list[list[str]]:
    shares = _shares(fitted)
    order = sorted(range(len(shares)), key=lambda place: -shares[place])
    judged = verdicts.get("parameters", {})
    rows = []
    for place in order:
        key, share = fitted["keys"][place], shares[place]
        if not (share > LEAST_SHOWN or spec.parameters[key].role.startswith("FREE")):
            continue
        verdict = judged.get(key)
        low, high = _interval(fitted, spec, place) if verdict is None else (verdict["low"], verdict["high"])
        estimate = fitted["estimates"][place]
        row = [key, f"{estimate:.3g}", f"{low:.3g}…{high:.3g}", f"{100 * max(share, 0.0):.0f} %"]
        row.append(f"{shifts[key]:+.2f}".replace("-", "−"))
        if verdicts:
            row += _judged(verdict, lang) if verdict is not None else ["", "", ""]
            row[-1] = (
                translate("report.verdict not judged", lang) if fitted["provenance"].get("failed_checks") else row[-1]
            )
        rows.append(row)
    return rows


def _shares(fitted: Record) -> list[float]:
    """Contraction of every parameter; zero if it is not known."""
    return [0.0 if share is None or np.isnan(share) else float(share) for share in fitted["contraction"]]


def _judged(verdict: Record, lang: str) -> list[str]:
    shape = "" if verdict["shape"] is None else translate(f"report.profile {SHAPES[verdict['shape']]}", lang)
    # Only the first, which is the strongest, is shown, for lack of room.
    partner = next((f"{key} {size:+.1f}".replace("-", "−") for key, size in verdict["partners"].items()), "")
    return [shape, partner, translate(f"report.verdict {EVIDENCE[verdict['evidence']]}", lang)]


def _interval(fitted: Record, spec: ModelSpec, place: int) -> Interval:
    prior = spec.parameters[fitted["keys"][place]].prior
    if prior is None:
        return np.nan, np.nan
    centre = float(prior.to_unbounded(fitted["estimates"][place]))
    width = _NINETY * float(np.sqrt(fitted["covariance"][place][place]))
    return float(prior.from_unbounded(centre - width)), float(prior.from_unbounded(centre + width))


def _seen(verdicts: Record, lang: str) -> str:
    """Sentence on the parameter combinations about which the data are more informative than the prior."""
    every = verdicts["directions"]
    seen = [item for item in every if item["strength"] > 1]
    shown = [
        " ".join(f"{size:+.1f} {key}" for key, size in item["weights"].items()).lstrip("+").replace("-", "−")
        for item in seen[:MOST_DIRECTIONS]
    ]
    parts = {"seen": len(seen), "count": len(every), "best": "; ".join(shown)}
    return translate("report.certainty directions" if seen else "report.certainty none seen", lang, **parts)


def foreign_costs(projection: Future, lang: str) -> str:
    """Sentence for the head of a page if judged costs in yuan are applied to another country; empty otherwise."""
    judged = any(
        item.judgement and item.role == "COST" and item.unit.startswith(YUAN)
        for item in declarations_of(projection).parameters.values()
    )
    currency = str(projection.data["output_per_head"].attrs.get("units", "")).partition("/")[0]
    converted = projection.provenance["panel"].get("yuan_per_unit")
    # Without a unit of money, codes or names as in China are taken as a sign of a Chinese panel.
    codes = map(str, projection.data["region"].to_numpy())
    is_chinese = currency == CURRENCY and all(map(_CHINESE_CODE.fullmatch, codes))
    if not judged or is_chinese or (currency == YUAN and not converted):
        return ""
    rate = converted or projection.provenance["settings"]["yuan_per_unit"]
    key = "report.foreign costs" if rate != 1 else "report.foreign costs, no rate"
    unit = translate("report.unit of money", lang) if currency in (CURRENCY, YUAN) else currency
    return translate(key, lang, currency=unit, rate=f"{rate:g}")


def rests(projection: Future, answer: Answer | None, lang: str) -> Iterator[str]:
    """Sentences on how far results rest on data, and on implausible effects."""
    if "population" not in projection.data:
        yield translate("report.equal shares", lang)
    yield from alike(projection, lang)
    fitted = projection.provenance.get("fitted")
    growth = (fitted or {}).get("provenance", {}).get("growth") or {}
    if fitted is None:
        yield translate("report.rests on priors", lang)
    elif growth:
        yield translate("report.rests", lang, explained=percent(growth["explained"]))
    else:
        yield translate("report.rests, no growth", lang)
    yield from _drift(projection, lang)
    if answer is not None:
        yield from implausible(answer.main, declarations_of(projection), lang)


def alike(projection: Future, lang: str) -> Iterator[str]:
    """Sentence on the shares that start equal in all regions because the panel has no indicator of them."""
    spec = declarations_of(projection)
    starts = {name: spec.inputs[getattr(spec.bound.inputs, name)].variable for name in SPREAD if name in spec.levers}
    unseen = [text.partition(":")[0] for text in projection.imputed if NO_INDICATOR in text]
    names = [getattr(spec.levers[name], lang).lower() for name, variable in starts.items() if variable in unseen]
    if names:
        yield translate("report.alike", lang, names=translate("list.separator", lang).join(names))


def _drift(projection: Future, lang: str) -> Iterator[str]:
    """Sentence on the drift of the forecast from the model, if it is large."""
    baseline = projection.provenance.get("baseline") or {}
    systematic: dict[str, float] = baseline.get("systematic_shock", {})
    if not systematic:
        return
    slowed = min(systematic, key=lambda code: systematic[code])
    if -systematic[slowed] < TOLD_DRIFT:
        return
    codes = [str(code) for code in projection.data["region"].to_numpy()]
    names = projection.data[f"name_{lang}"].to_numpy()
    size = float(np.sqrt(np.mean(np.square(list(systematic.values())))))
    yield translate(
        "report.drift",
        lang,
        region=str(names[codes.index(slowed)]),
        points=written(-100 * systematic[slowed], 1),
        typical=written(100 * size, 1),
    )


def implausible(comparison: Ranking, spec: ModelSpec, lang: str) -> Iterator[str]:
    """Sentence on how many median effects lie outside the declared plausible range, and the furthest of them."""
    parts = []
    for key, item in spec.plausible.items():
        if key not in comparison.effects:
            continue
        medians = comparison.effects[key].median("draw").to_series()
        beyond = (medians - medians.clip(item.lower, item.upper)).abs()
        told = {"count": int((beyond > 0).sum()), "all": len(medians), "effect": getattr(item, lang)}
        text = translate("report.implausible effect", lang, range=interval(item.lower, item.upper, 1), **told)
        if told["count"]:
            worst = str(beyond.idxmax())
            label = str(comparison.scenarios[worst].label.get(lang, worst))
            text += translate("report.implausible worst", lang, policy=label, value=written(float(medians[worst]), 1))
        parts.append(text)
    if parts:
        yield translate("report.implausible", lang, parts=translate("report.clauses", lang).join(parts))


# Minimum number of draws: with fewer, each third has too few to compare.
LEAST_DRAWS = 60
# Maximum number of causes reported, and probability of finding any by chance (Bonferroni).
MOST_CAUSES, CHANCE = 3, 0.05


@frozen
class Cause:
    """A parameter on which a result depends, and how often the result holds in its lowest and highest third."""

    parameter: str
    low: float
    high: float


def causes(parameters: xr.DataArray, holds: Flags) -> list[Cause]:
    """Parameters between whose lowest and highest thirds the frequency of a result differs significantly."""
    from scipy.stats import norm

    values = parameters.transpose("parameter", "draw").to_numpy()
    varied = np.flatnonzero(np.ptp(values, axis=1) > 0)
    if holds.size < LEAST_DRAWS or not varied.size or holds.all() or not holds.any():
        return []
    limit = float(norm.isf(CHANCE / 2 / varied.size))
    found = []
    for place in varied:
        low, high = np.quantile(values[place], (1 / 3, 2 / 3))
        below, above = holds[values[place] <= low], holds[values[place] >= high]
        pooled = np.concatenate([below, above]).mean()
        error = np.sqrt(pooled * (1 - pooled) * (1 / below.size + 1 / above.size))
        gap = float(above.mean() - below.mean())
        if abs(gap) > limit * error:
            name = str(parameters["parameter"].to_numpy()[place])
            found.append(Cause(parameter=name, low=float(below.mean()), high=float(above.mean())))
    return sorted(found, key=lambda item: -abs(item.high - item.low))[:MOST_CAUSES]
