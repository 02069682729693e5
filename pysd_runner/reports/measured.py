"""The page on measured effects: terms, forest plots, implied effects and their persistence, costs, ledger."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pysd_runner.core.numbers import MINUS, interval, percent, three_digits, written
from pysd_runner.evidence.findings import AFTER, Findings, Persistence
from pysd_runner.evidence.ledger import LOGARITHMIC, QUANTITIES, VARIANTS, Ledger, unsupported_costs
from pysd_runner.plots.figure import ReportFigure
from pysd_runner.plots.policies import plot_forest
from pysd_runner.plots.style import figure_of, usable_language
from pysd_runner.reports.document import (
    Folded,
    Heading,
    Paragraph,
    Part,
    ReportDocument,
    TextTable,
    save_document,
    saved_picture,
)
from pysd_runner.scenarios.vocabulary import load_vocabulary
from pysd_runner.spec.evidence import Z90, EvidenceTerm
from pysd_runner.text import name_in, translate, translated

NAME = "evidence"
# Fewest years after the programme of a long follow-up, and least rating of a comparison with others.
LONG, RATED = 7, 3
# First years in which a gain is looked for, counted from the start: a programme may take a year.
FIRST_YEARS = (2, 4)
_DIGITS = 2


def write_evidence(found: Findings, ledger: Ledger, folder: str | Path, *, lang: str = "en") -> tuple[Path, Path]:
    """Write the page on measured effects, with its figures, as Markdown and as one HTML page.

    Parameters
    ----------
    found
        What the model implies for its evidence terms.
    ledger
        Measured effects and unit costs.
    folder
        Target folder; figures are written into its subfolder ``figures``.
    lang
        ``"en"`` or ``"zh"``.

    Returns
    -------
    tuple of Path
        ``evidence.md`` and ``evidence.html``.
    """
    page = _Page(found, ledger, Path(folder), lang)
    title = page.say("title", model=found.model.name)
    return save_document(ReportDocument(title=title, lang=lang, parts=list(page.parts())), page.folder, NAME)


class _Page:
    """The parts of the page in one language."""

    def __init__(self, found: Findings, ledger: Ledger, folder: Path, lang: str) -> None:
        self.found, self.ledger, self.folder, self.lang = found, ledger, folder, lang
        self.terms = list(found.terms.values())

    def say(self, key: str, **values: object) -> str:
        """A text of the page; a key with a dot is one of another page."""
        return translate(key if "." in key else f"evidence.{key}", self.lang, **values)

    def parts(self) -> Iterator[Part]:
        """All parts, in reading order."""
        used = sum(item.is_used for item in self.terms)
        yield Paragraph(self.say("lead", rows=len(self.ledger.effects), used=used, terms=len(self.terms)))
        yield Paragraph(self._fit())
        yield from self._implied()
        yield from self._terms()
        yield Heading(self.say("forests"))
        for quantity in QUANTITIES:
            yield from self._forest(quantity)
        yield from self._tests()
        for lasting in self.found.lasting:
            yield from self._lasting(lasting)
            yield from self._follow_ups(lasting.term.lever)
        yield from self._costs()
        yield from self._ledger()

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]], *words: int, caption: str = "") -> TextTable:
        """A table whose header is given by keys of texts."""
        return TextTable(header=[self.say(key) for key in header], rows=rows, words=frozenset(words), caption=caption)

    def _fit(self) -> str:
        """Source of the draws: priors, or a fit with or without the terms, and why they were not used."""
        if "posterior" not in self.found.stages:
            return self.say("searched" if "weighted" in self.found.stages else "prior_alone")
        if self.found.refusal:
            return translated(self.found.refusal, self.lang)
        count = len(self.found.stages["posterior"].implied[self.terms[0].key])
        return self.say("weighed", count=count, effective=f"{self.found.effective:.0f}")

    def _name(self, item: EvidenceTerm) -> str:
        return (item.en if self.lang == "en" else item.zh) or item.key

    def _basis(self, item: EvidenceTerm) -> str:
        return self.say(f"basis_{item.pool if item.pool in QUANTITIES else item.measure}")

    def _pool(self, item: EvidenceTerm) -> str:
        variant = self.say(f"variant {item.variant}") if item.variant in VARIANTS else item.variant
        return ", ".join(part for part in (item.pool, variant) if part)

    def _stages(self) -> list[str]:
        return [name for name in ("prior", "posterior", "weighted") if name in self.found.stages]

    def _implied(self) -> Iterator[Part]:
        stages = self._stages()
        rows = []
        for item in self.terms:
            implied = [_band(*self.found.stages[name].interval(item.key)) for name in stages]
            measured = _band(item.centre, item.low, item.high)
            pooled = _band(*item.pooled) if item.pooled else "–"
            rows.append([self._name(item), measured, pooled, *implied, written(self.found.conflict(item.key), 2)])
        yield Heading(self.say("implied"))
        yield self.table(["term", "measured", "pooled", *stages, "conflict"], rows)
        yield Paragraph(self.say("pooled_note"))
        yield Paragraph(self.say("conflict_note"))

    def _terms(self) -> Iterator[Part]:
        rows = [
            [
                self._name(item),
                self._basis(item),
                self._experiment(item),
                " … ".join(dict.fromkeys(f"{year:g}" for year in item.after)),
                f"`{item.family}`",
                self._pool(item),
                ", ".join(self._row(name) for name in item.rows),
                ", ".join(item.direct) or "–",
                self.say("policy.yes") if item.is_used else "",
            ]
            for item in self.terms
        ]
        yield Heading(self.say("terms"))
        header = ["term", "basis", "experiment", "years", "family", "pool", "rows", "direct", "use"]
        yield self.table(header, rows, *range(9))
        yield Paragraph(self.say("direct_note"))

    def _row(self, name: str) -> str:
        effects = self.ledger.effects
        is_null = (effects.loc[effects["id"] == name, "pool"] == "zero").any()
        return f"{name} ({self.say('none')})" if is_null else name

    def _experiment(self, item: EvidenceTerm) -> str:
        if item.raises is not None:
            raised = item.raises
            return self.say("more_of", share=percent(raised.by), of=raised.of, variable=raised.variable)
        content = item.scenario
        return f"`{content if isinstance(content, str) else json.dumps(content.get('policy', content))}`"

    def _forest(self, quantity: str) -> Iterator[Part]:
        """Every value of a quantity, the pooled mean, and the effect implied for the term in use."""
        values = self.ledger.values
        values = values[
            (values["quantity"] == quantity) & values["pool"].isin(["yes", "zero"]) & (values["used_as"] == "")
        ]
        if values.empty:
            return
        is_log = quantity in LOGARITHMIC
        nulls = values[is_log & (values["pool"] == "zero")]
        figure = figure_of(self._forest_figure)(quantity, values.drop(nulls.index), self.lang)
        yield saved_picture(figure, self.folder, f"{NAME}_{quantity}")
        if len(nulls):
            yield Paragraph(self.say("nulls", names=", ".join(nulls["id"] + " " + nulls["study"])))

    def _forest_figure(self, quantity: str, values: pd.DataFrame, lang: str) -> ReportFigure:
        is_log, lang = quantity in LOGARITHMIC, usable_language(lang)
        rows = _study_rows(self.ledger, values, is_log=is_log)
        item = next((item for item in self.terms if item.pool == quantity and item.is_used), None)
        variant = "all" if item is None else item.variant
        pooled = self.ledger.pool(quantity, variant)
        if pooled is not None:
            label = translate(
                "evidence.forest_pool", lang, count=pooled.count, variant=translate(f"evidence.variant {variant}", lang)
            )
            rows.append(_row(label, "pool", pooled.mean, pooled.predictive_low, pooled.predictive_high))
        if item is not None:
            rows.append(_row(translate("evidence.term", lang), "term", item.centre, item.low, item.high))
            for stage in self._stages():
                rows.append(
                    _row(translate(f"evidence.{stage}", lang), stage, *self.found.stages[stage].interval(item.key))
                )
        shares, basis = values["lever"].value_counts(normalize=True), translate(f"evidence.basis_{quantity}", lang)
        title = f"{self._lever(str(shares.idxmax()) if shares.max() > 0.5 else '')} ({quantity})"
        return plot_forest(pd.DataFrame(rows), title=title, basis=basis, is_log=is_log, lang=lang)

    def _tests(self) -> Iterator[Part]:
        """Predictions of the model beside the measured effects, those made blind first."""
        if self.ledger.tests is None:
            return
        rows = [
            [
                row[self.lang],
                self.say("policy.yes") if row["kind"] == "blind" else "",
                f"{_band(row['median'], row['low'], row['high'])} {row['unit']}",
                f"{_number(row['estimate'])} ({_number(row['error'])})",
                written(row["width"], 1),
                f"{written(row['power'], 2)}; {written(row['power_twice'], 2)}",
                *(
                    self.say("list_inside" if f"{row[key]}" == "True" else "outside")
                    for key in ("inside", "inside_with_error")
                ),
            ]
            for row in self.ledger.tests.to_dict("records")
        ]
        yield Heading(self.say("tests"))
        yield Paragraph(self.say("tests_note"))
        header = ["test", "blind", "predicted", "estimate", "width", "power", "list_inside", "inside_with_error"]
        yield self.table(header, rows, 0, 1, 6, 7)

    def _lasting(self, lasting: Persistence) -> Iterator[Part]:
        low, high = np.nanquantile(lasting.late_to_early[()], (0.05, 0.95))
        couplings = [f"`{key}` ({self._meaning(key)})" for key in lasting.term.couplings]
        yield Heading(self.say("lasting"))
        yield Paragraph(
            self.say("lasting_lead", interval=interval(low, high, 1), couplings=self.say("list.and").join(couplings))
        )
        left = np.nanmedian(lasting.left, axis=0)
        rows = [[self.say("lasting_left"), *(percent(share) for share in left), ""]]
        for names, gains in lasting.gains.items():
            label = self.say("lasting_zero", keys=" = ".join(names)) if names else self.say("lasting_gain")
            last = written(float(np.nanmedian(lasting.late_to_early[names])), 1)
            rows.append([label, *(written(gain, _DIGITS) for gain in np.nanmedian(gains, axis=0)), last])
        header = [self.say("after"), *(str(year) for year in AFTER), self.say("lasting_ratio")]
        yield TextTable(header=header, rows=rows, caption=self.say("lasting_table"))

    def _follow_ups(self, lever: str) -> Iterator[Part]:
        """Effects of a lever by years since the programme, from trials with a long follow-up."""
        effects = self.ledger.effects.assign(horizon=pd.to_numeric(self.ledger.effects["horizon"], errors="coerce"))
        shown = _followed(effects[(effects["lever"] == lever) & (effects["rating"] >= RATED)])
        if shown.empty:
            return
        rows = [
            [
                f"{row['id']} {_dated(row)}, {row['programme']}, {row['units']}",
                f"{row['horizon']:g}",
                self.say("none") if np.isnan(row["size"]) else f"{_number(row['size'])} {self._unit(row['unit'])}",
                _number(row["error"]),
                "" if np.isnan(row["ratio"]) else written(row["ratio"], 1),
            ]
            for row in shown.to_dict("records")
        ]
        yield Paragraph(self.say("lasting_trials"))
        yield self.table(["study", "after", "effect", "error", "over_early"], rows, 2, caption=self.say("follow_ups"))

    def _costs(self) -> Iterator[Part]:
        """Unit costs by parameter and unit."""
        costs = self.ledger.costs[self.ledger.costs["yuan_2024"] > 0]
        rows = []
        for (parameter, unit), own in costs.groupby(["parameter", "unit"], sort=False):
            mark = self.say("policy.yes") if (own["is_model_unit"] == "yes").any() else ""
            china = own.loc[own["country"] == "China", "yuan_2024"]
            rows.append(
                [f"`{parameter}`", self._unit(str(unit)), mark, f"{len(own)}", _range(china), _range(own["yuan_2024"])]
            )
        yield Heading(self.say("explorer.costs"))
        yield Paragraph(self.say("costs_note"))
        missing = sorted(unsupported_costs(self.found.model.source))
        if missing:
            names = self.say("report.clauses").join(f"`{key}` ({self._meaning(key)})" for key in missing)
            yield Paragraph(self.say("costs_missing", names=names))
        yield self.table(
            ["cost", "fit_report.unit", "list_in_model_unit", "sources", "range_china", "range"], rows, 1, 2
        )

    def _ledger(self) -> Iterator[Part]:
        effects = self.ledger.effects
        cells = {
            "rows": effects["id"],
            "study": effects.apply(_dated, axis=1),
            "list_lever": effects["lever"].map(self._lever),
            "quantity": effects["quantity"],
            "evaluation.column.value": effects["value"].map(_number),
            "error": effects["se"].map(_number),
        }
        yield Heading(self.say("ledger"))
        yield Paragraph(self.say("ledger_note"))
        caption, rows = self.say("ledger_table", count=len(effects)), list(zip(*cells.values(), strict=True))
        yield Folded(caption, [self.table(list(cells), rows, 1, 2, 3)])

    def _meaning(self, key: str) -> str:
        spec = self.found.model.declarations
        return str(getattr(spec.parameters[key], self.lang))

    def _unit(self, name: str) -> str:
        return name_in(self.lang, "evidence.unit", name)

    def _lever(self, key: str) -> str:
        lever = load_vocabulary(self.found.model).levers.get(key)
        return self.say("mixed") if lever is None else str(getattr(lever, self.lang))


def _followed(effects: pd.DataFrame) -> pd.DataFrame:
    """Effects of trials with a long follow-up, by year; late ones with their ratio to the gain of the first years."""
    effects = effects.assign(currency=effects["unit"].str.split().str[0])
    people = ["trial", "units", "currency"]
    is_known = (effects["horizon"] >= FIRST_YEARS[0]) & effects["error"].notna()
    early = effects[is_known & (effects["horizon"] <= FIRST_YEARS[1])].groupby(people)[["size", "error"]].mean()
    found = early.loc[early["size"] > Z90 * early["error"], "size"].rename("early")
    shown = effects[is_known | (effects["horizon"] >= LONG)].merge(found, how="left", on=people)
    shown = shown.assign(ratio=(shown["size"] / shown["early"]).where(shown["horizon"] >= LONG))
    kept = shown.groupby(["trial", "units"])["horizon"].transform("max") >= LONG
    return shown[kept].sort_values([*people, "horizon"], kind="stable")


def _study_rows(ledger: Ledger, values: pd.DataFrame, *, is_log: bool) -> list[dict[str, object]]:
    """Rows of a forest plot for the values of a quantity, the best rated first."""
    effects = ledger.effects.set_index("id")
    typical = values["se"].median()
    rows = []
    for row in values.sort_values(["rating", "value"], ascending=[False, True], kind="stable").to_dict("records"):
        study = effects.loc[row["id"]]
        kind = "null" if row["pool"] == "zero" else "study" if row["is_measured"] else "assumed"
        reach = Z90 * (typical if np.isnan(row["se"]) else row["se"])
        centre = np.log(row["value"]) if is_log else row["value"]
        ends = [centre - reach, centre + reach]
        low, high = np.exp(ends) if is_log else ends
        label = f"{row['id']} {row['study']} {study['year']}, {study['programme']}"
        rows.append(_row(label, kind, row["value"], low, high, row["rating"]))
    return rows


def _dated(row: Mapping[Any, Any] | pd.Series) -> str:
    return f"{row['study']} ({row['year']})" if row["year"] else str(row["study"])


def _row(label: str, kind: str, value: float, low: float, high: float, rating: float = 0) -> dict[str, object]:
    return {"label": label, "kind": kind, "value": value, "low": low, "high": high, "rating": rating}


def _band(middle: float, low: float, high: float) -> str:
    return f"{written(middle, _DIGITS)} ({interval(low, high, _DIGITS)})"


def _number(value: float) -> str:
    return "" if np.isnan(value) else three_digits(value).replace("-", MINUS)


def _range(amounts: pd.Series) -> str:
    if amounts.empty:
        return "–"
    return " … ".join(dict.fromkeys(three_digits(float(end)) for end in (amounts.min(), amounts.max())))
