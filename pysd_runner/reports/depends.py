"""What the answer depends on, for readers: a clause in a sentence, and a section with a table of the first sources."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from pysd_runner.core.numbers import percent, three_digits
from pysd_runner.core.types import Array, Record
from pysd_runner.policy.dependence import STATEMENTS, Dependence, dependence
from pysd_runner.policy.ranking import Answer
from pysd_runner.policy.sensitivity import LEAST_KNOWN
from pysd_runner.reports.document import Bullets, Heading, Paragraph, Part, TextTable
from pysd_runner.reports.evidence import declarations_of, meaning_of
from pysd_runner.spec import FittedParameters
from pysd_runner.spec.own import parameter_of
from pysd_runner.study.future import Future
from pysd_runner.study.inputs import spec_of
from pysd_runner.study.showing import SHARED, quantity_in
from pysd_runner.text import translate

# Number of priors shown; a file has all.
MOST_SHOWN = 6


def dependence_of(projection: Future, answer: Answer | None, fitted: FittedParameters | None) -> Dependence | None:
    """What statements on the policies of a projection depend on; None if too little was drawn to say it."""
    if answer is not None:
        return answer.main.depends
    name, parameters = projection.leading, _drawn(projection, fitted)
    if not (parameters and projection.policies and projection[name].ndim == len((*SHARED, projection.axis))):
        return None
    moved = projection.difference(name).isel({projection.axis: -1}).transpose("draw", "scenario")
    names, effects = [str(item) for item in moved["scenario"].to_numpy()], moved.to_numpy()
    if not np.isfinite(effects).all():
        return None
    better = projection.better.get(name, "")
    if not better:
        # Without a declared direction no policy is better than another: the one that changes most is spoken of.
        most = int(np.abs(effects.mean(axis=0)).argmax())
        names, effects = [names[most]], effects[:, [most]] * np.sign(effects[:, most].mean())
    sampled = fitted is not None and bool(fitted.draws) and set(fitted.keys) <= parameters.keys()
    return dependence(
        names,
        -effects if better == "lower" else effects,
        parameters,
        {key: item.prior for key, item in _declared(projection).items() if item.prior is not None},
        densities=fitted.densities(parameters) if fitted is not None and sampled else None,
        rows=np.column_stack([parameters[key] for key in fitted.keys]) if fitted is not None and sampled else None,
    )


def _drawn(projection: Future, fitted: FittedParameters | None) -> dict[str, Array]:
    """Draws of the parameters of a projection, shape (draw,): those that it keeps, or else those of its fit again."""
    kept = projection.parameters
    if kept is not None:
        return {str(key): kept.sel(parameter=key).to_numpy() for key in kept["parameter"].to_numpy()}
    if fitted is None or "declarations" not in fitted.provenance:
        return {}
    seed, draws = (int(projection.provenance["settings"][key]) for key in ("seed", "draws"))
    found = fitted.sample(np.random.default_rng(seed), draws, spec=spec_of(fitted))
    return {key: values[projection.data["draw"].to_numpy()] for key, values in found.items()}


def _declared(projection: Future) -> dict[str, Any]:
    """Declarations of the parameters of a projection by key: those of its fit, else those of its model."""
    fitted = projection.provenance.get("fitted") or {}
    records = fitted.get("provenance", {}).get("declarations")
    if records is None:
        return dict(declarations_of(projection).parameters)
    return {record["key"]: parameter_of(record) for record in records}


def carried_clause(projection: Future, found: Dependence | None, statement: str, lang: str) -> str:
    """Clause on the prior that carries a statement into another word; empty if none does."""
    key = "" if found is None else found.carrying(statement)
    if found is None or not key:
        return ""
    share, row = found.shares[statement], found.sources.loc[key].to_dict()
    ends = {end: float(row[f"{statement}_{end}"]) for end in ("low", "high")}
    end = max(ends, key=lambda name: -1.0 if np.isnan(ends[name]) else abs(ends[name] - share))
    return translate(
        f"report.depends {end}", lang, share=percent(ends[end]), meaning=_label(projection, key, "prior", lang)
    )


def dependence_parts(projection: Future, found: Dependence, policy: str, lang: str) -> Iterator[Part]:
    """Section on what the answer depends on: the statements on a policy, and the priors that explain most of them."""
    unit = _unit(projection, lang)
    numbers = {key: three_digits(getattr(found, key), digits=2) + unit for key in ("delta", "number")}
    yield Heading(translate("report.depends", lang))
    yield Bullets(
        [
            translate(f"report.depends {name}", lang, policy=policy, share=percent(found.shares[name]), **numbers)
            + carried_clause(projection, found, name, lang)
            for name in found.shares
        ]
    )
    if not found.sources.filter(like="_share").isna().all(axis=None):
        yield _table(projection, found, lang)
    noted = translate("report.depends note", lang)
    if found.value > 0:
        error = three_digits(found.value_error, digits=2)
        noted += translate("report.depends worth", lang, value=three_digits(found.value, digits=2) + unit, error=error)
    yield Paragraph(noted)


def _table(projection: Future, found: Dependence, lang: str) -> TextTable:
    """The priors with the largest shares, then the data and the measured effects."""
    named = [name for name in STATEMENTS if name in found.shares]
    priors = found.sources[found.sources["kind"] == "prior"]
    largest = priors[[f"{name}_share" for name in named]].max(axis=1).nlargest(MOST_SHOWN)
    others = found.sources[found.sources["kind"] != "prior"].index
    rows = []
    for key in (*largest.index, *others):
        row = found.sources.loc[key].to_dict()
        cells = [_ends(row, name, lang) for name in named]
        rows.append(
            [
                _label(projection, str(key), str(row["kind"]), lang),
                *cells,
                " … ".join(str(len(str(row[f"members_{end}"]).split()) or "–") for end in ("low", "high")),
                _worth(row, lang),
            ]
        )
    chance = np.nanmax(priors[[f"{name}_chance" for name in named]].to_numpy())
    return TextTable(
        header=[
            translate("report.depends source", lang),
            *(translate(f"report.depends head {name}", lang) for name in named),
            translate("report.depends members", lang, count=len(found.members)),
            translate("report.depends value", lang),
        ],
        rows=rows,
        caption=translate("report.depends caption", lang, chance=percent(float(chance), 1)),
    )


def _ends(row: Record, name: str, lang: str) -> str:
    """Probability at both ends and the share explained."""
    ends = [float(row[f"{name}_{end}"]) for end in ("low", "high")]
    known = translate("report.depends unknown", lang) if np.isnan(ends).all() else " … ".join(map(percent, ends))
    share = float(row[f"{name}_share"])
    return known if np.isnan(share) else translate("report.depends cell", lang, ends=known, share=percent(share))


def _worth(row: Record, lang: str) -> str:
    """What knowing a parameter is worth, with its standard error."""
    gain, error = float(row["value"]), float(row["value_error"])
    if np.isnan(gain):
        return "–" if row["kind"] != "prior" else translate("report.depends few", lang, least=LEAST_KNOWN)
    if gain <= 0:
        return translate("report.depends none", lang)
    return f"{three_digits(gain, digits=2)} ± {three_digits(error, digits=2)}"


def _label(projection: Future, key: str, kind: str, lang: str) -> str:
    """What a source is called."""
    if kind == "likelihood":
        return translate("report.depends data", lang)
    spec = declarations_of(projection)
    if kind == "prior" and key in spec.parameters:
        return meaning_of(projection, key, lang)
    known = spec.evidence if kind == "evidence" else _declared(projection)
    return str(getattr(known[key], lang)) or key if key in known else key


def _unit(projection: Future, lang: str) -> str:
    """Unit of the effects, with the space before it."""
    for _ in projection.design.totals:  # changes of sums are in per cent
        return "%" if lang == "zh" else " %"
    unit = quantity_in(projection, projection.leading, lang).short_unit
    return "" if unit.casefold() in ("", "dmnl", projection.leading.casefold()) else f" {unit}"
