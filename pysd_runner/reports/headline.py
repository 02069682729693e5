"""Text of a report besides its tables: the answer in three sentences, outlook, cost, constraints and evidence."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pysd_runner.core.numbers import interval, percent, written
from pysd_runner.core.types import Array, Flags
from pysd_runner.evidence.weights import ENTRY
from pysd_runner.indicators.relative import mean_log_gap
from pysd_runner.indicators.selection import Selection
from pysd_runner.policy.effects import DISCOUNT, HEADLINE, Start
from pysd_runner.policy.objective import DEFAULT_CONSTRAINTS, ENDS
from pysd_runner.policy.ranking import LEAST_KEPT, TOLERANCE, Answer, Ranking
from pysd_runner.reports.depends import carried_clause
from pysd_runner.reports.evidence import alike, declarations_of, foreign_costs, rests
from pysd_runner.scenarios.crossing import WHO
from pysd_runner.scenarios.policy import FrozenMapping, Schedule
from pysd_runner.scenarios.vocabulary import whom
from pysd_runner.spec import ModelSpec
from pysd_runner.study.future import Future
from pysd_runner.text import translate, translated, variable_names

# Maximum number of regions named in a list; the rest are counted.
NAMED = 4
# Most policies that a sentence names one by one.
MOST_NAMED = 4
# Minimum change of the gap, in points, for which a cost per point is given.
LEAST_CLOSED = 0.05
# Effects that say what money buys: national output, and that of the regions below the mean.
WORTH = ("benefit_cost_present", "own_benefit_present")
# Minimum share of a lever in spending to be named.
LEAST_SHARE = 0.05
# Minimum share of draws in which one allocation rule must beat the other by all measures to be said to do so.
MIN_SHARE = 0.95
_LARGE = {"en": (1e12, 1e9, 1e6), "zh": (1e12, 1e8)}
# Minimum number of draws from which probabilities are reported.
MIN_DRAWS = 5
# Smallest probabilities that have a name of their own, in descending order.
ODDS = (0.95, 0.8, 0.6, 0.4, 0.2, 0.05, 0.0)


def headline_lines(projection: Future, answer: Answer | None, *, lang: str = "en") -> list[str]:
    """Findings that no table of a report shows, in at most ten sentences."""
    behind = below_mean(projection)
    lines = list(failed_checks(projection, lang))
    if answer is not None:
        lines += _by_need(projection, answer, lang)
        lines += _missed(projection, answer, lang)
    lines += [_without_policy(projection, int(behind.sum()), lang)] if behind.any() else projection.sentences(lang)
    if answer is not None:
        lines += [*_cost(projection, answer.main, lang), *_constrained(projection, answer, lang)]
    return [*lines, *(text for _ in projection.design.totals for text in rests(projection, answer, lang))]


def is_assumed(projection: Future, scenario: str) -> bool:
    """Whether a scenario has its own assumptions, so that its path without policy departs from the forecast."""
    return any(item["name"] == scenario and item["assumptions"] for item in projection.provenance["scenarios"])


def label_of(projection: Future, answer: Answer | None, name: str, lang: str) -> str:
    """Printed name of a scenario, with who gets the money of a policy."""
    cast = {item.name: item for item in projection.cast}
    for ranking in () if answer is None else filter(None, (answer.sought, answer.main)):
        cast |= ranking.scenarios
    labels = {key: str(item.label.get(lang, key)) for key, item in cast.items()}
    for data in (projection.compared, projection.data):
        if data is not None:
            texts = data[f"label_{lang}"].to_series()
            labels |= dict(zip(map(str, texts.index), map(str, texts), strict=True))
    label = labels.get(name, name)
    spends = name in cast and cast[name].policy.spends
    return with_need(label, cast[name].policy.redistribution, lang) if spends else label


def with_need(label: str, exponent: float | None, lang: str) -> str:
    """A label that ends with who gets the money, in words."""
    rules = {value: texts[lang] for value, texts in WHO.values()}
    rule = rules.get(exponent or 0.0)
    said = translate("report.whom", lang, whom=whom(exponent, lang)) if rule is None else rule
    return label if label.endswith(said) else f"{label}{said}"


def definition_label(projection: Future, key: str, lang: str) -> str:
    """Label of a definition of the observed series."""
    known = declarations_of(projection).definitions
    return getattr(known[key], lang) if key in known else key


def region_label(projection: Future, code: str, lang: str) -> str:
    """Name of a region."""
    codes = [str(item) for item in projection.data["region"].to_numpy()]
    return str(projection.data[f"name_{lang}"].to_numpy()[codes.index(code)])


def _counted(projection: Future, scenario: str, population: str = "population") -> tuple[Array, Array]:
    """Output and population of a scenario, shape (draw, region, year); population is 1 in every region if unknown."""
    data = projection.data.sel(scenario=scenario).transpose("draw", "region", "year", ...)
    heads = data["output_per_head"].to_numpy()
    people = data[population].to_numpy() if population in data else np.ones_like(heads)
    return heads * people, people


def below_mean(projection: Future) -> Flags:
    """Mask of the regions whose output per head was below the mean in the year of origin, shape (region,)."""
    behind = np.zeros(0, dtype=bool)
    for _, population in projection.design.totals:
        counted = _counted(projection, projection.scenarios[0], population)
        output, people = (values[0, :, 0] for values in counted)
        behind = Start(output=output, population=people, classes=()).behind
    return behind


def failed_checks(projection: Future, lang: str) -> Iterator[str]:
    """Sentence on the checks that the fit failed."""
    fitted = projection.provenance.get("fitted") or {}
    failed = fitted.get("provenance", {}).get("failed_checks")
    if failed:
        names = variable_names(declarations_of(projection).parameters.values(), lang)
        yield translate("report.failed checks", lang, checks=" ".join(translated(text, lang, names) for text in failed))


def _by_need(projection: Future, answer: Answer, lang: str) -> Iterator[str]:
    """Sentence on money by need against money per head, if it is better by all measures in nearly all draws."""
    found = answer.by_need
    if found is not None and found.share >= MIN_SHARE and len(projection.data["draw"]) > 1:
        yield translate(
            "report.by need",
            lang,
            measures=found.measures,
            share=percent(found.share),
            output=written(found.output, 2, signed=True),
            mixes=found.mixes,
            least=percent(found.least),
        )


def _missed(projection: Future, answer: Answer, lang: str) -> Iterator[str]:
    """Sentences on fits that miss observed national levels, so that their rankings are unreliable."""
    measured = declarations_of(projection).measurements
    for key, misses in answer.misses.items():
        for item in misses:
            yield translate(
                "report.missed",
                lang,
                definition=definition_label(projection, key, lang),
                measured=getattr(measured[item["measurement"]], lang),
                year=item["year"],
                fitted=written(item["fitted"], 2),
                observed=written(item["observed"], 2),
            )


def case_label(key: str, change: str, lang: str) -> str:
    """Label of a case of the comparison: a setting, and its value."""
    value = percent(float(change), 1) if key == "budget" else change
    return translate(f"report.case {key}", lang, value=value)


def without_policy(projection: Future) -> tuple[str, Array]:
    """Source of the path without policy, and the shortfall of regions below the mean, per cent (draw, year)."""
    reference = projection.baselines[(projection.policies or projection.scenarios)[0]]
    gaps = mean_log_gap(*_counted(projection, reference), below_mean(projection), axis=1)
    basis = "forecast" if projection.provenance.get("baseline") else "model"
    return "assumed" if is_assumed(projection, reference) else basis, 100 * -np.expm1(-gaps)


def _without_policy(projection: Future, count: int, lang: str) -> str:
    basis, shortfall = without_policy(projection)
    low, middle, high = np.quantile(shortfall[:, -1], (0.05, 0.5, 0.95))
    key = "report.without policy" if basis == "forecast" else f"report.without policy {basis}"
    return translate(
        key if len(shortfall) > 1 else "report.without policy single",
        lang,
        origin=projection.origin,
        year=int(projection.data["year"][-1]),
        count=count,
        before=written(float(shortfall[0, 0])),
        after=written(float(middle)),
        range=interval(float(low), float(high)),
        falls=percent(float((shortfall[:, -1] < shortfall[:, 0]).mean())),
    )


def range_of(row: Mapping[Any, Any], name: str, digits: int) -> str:
    """The interval of an effect, its ends rounded according to their Monte Carlo errors, if known."""
    errors = (row.get(f"{name}_p05_error", 0.0), row.get(f"{name}_p95_error", 0.0))
    return interval(row[f"{name}_p05"], row[f"{name}_p95"], digits, errors)


def _cost(projection: Future, main: Ranking, lang: str) -> Iterator[str]:
    """Sentence on what the first policy costs."""
    if "present_cost" not in main.effects:
        if "benefit_cost_ratio" in main.effects:
            yield no_present_value(declarations_of(projection), lang)
        return
    name, money = projection.policies[0], currency_of(projection, lang)
    cost, per_point = (main.effects[key].sel(scenario=name).to_numpy() for key in ("present_cost", "cost_per_point"))
    known = per_point[np.isfinite(per_point)]
    text = translate(
        "report.cost",
        lang,
        policy=str(main.scenarios[name].label.get(lang, name)),
        cost=amount(float(np.median(cost)), money, lang),
        rate=written(100 * DISCOUNT),
    )
    # If the gap hardly changes, a cost per point would be misleading.
    if abs(float(main.effects[HEADLINE].sel(scenario=name).median())) < LEAST_CLOSED:
        text += translate("report.cost none", lang)
    elif known.size < 0.95 * per_point.size:
        text += translate("report.cost unknown", lang, share=percent(1 - known.size / per_point.size))
    else:
        text += translate("report.cost per point", lang, cost=amount(float(np.median(known)), money, lang))
    yield text


def no_present_value(spec: ModelSpec, lang: str) -> str:
    """Sentence on why there is no present value: the estimated trend growth of output is at a bound."""
    trend = spec.parameters[spec.bound.parameters.trend_growth]
    return translate("report.no present value", lang, meaning=getattr(trend, lang))


def amount(value: float, money: str, lang: str) -> str:
    """Write an amount of money: 5.4 trillion yuan."""
    size, unit = large(value, money, lang)
    return f"{written(value / size, int(size > 1))}{'' if lang == 'zh' else ' '}{unit}"


def large(value: float, money: str, lang: str) -> tuple[float, str]:
    """The unit in which an amount of money is written, as a number and in words: 1e9 and "billion yuan"."""
    size = next((size for size in _LARGE[lang] if abs(value) >= size), 1.0)
    words = translate(f"report.{size:.0e}", lang).strip() if size > 1 else ""
    return size, f"{words}{'' if lang == 'zh' else ' '}{money}".strip()


def currency_of(projection: Future, lang: str) -> str:
    """Currency of a projection."""
    name = str(projection.data["policy_budget"].attrs.get("units", "")).split("/")[0]
    return translate("report.yuan", lang) if name == "Yuan" else name


def _constrained(projection: Future, answer: Answer, lang: str) -> Iterator[str]:
    """Sentences on how many policies satisfy the constraints of a search, and on the best of them."""
    main, limits = answer.main, answer.main.limits
    kept = int(limits["keeps_constraints"].sum())
    often = limits["worse_off"].mode()[0]
    told = {"region": region_label(projection, often, lang), "cases": int((limits["worse_off"] == often).sum())}
    ends = {"least": percent(limits["share_worse_off"].min()), "most": percent(limits["share_worse_off"].max())}
    text = translate("report.constrained", lang, kept=kept, count=len(limits), **told, **ends)
    if kept >= LEAST_KEPT:
        yield text + _among(projection, answer, main.select(limits["keeps_constraints"].to_numpy()), lang)
        return
    broken = {item.outcome: int((~limits[f"keeps_{item.outcome}"]).sum()) for item in DEFAULT_CONSTRAINTS}
    worst, tolerant = max(broken, key=lambda key: broken[key]), limits["keeps_with_tolerance"].to_numpy()
    text += translate("report.broken", lang, constraint=translate(f"report.kept {worst}", lang), cases=broken[worst])
    text += translate("report.tolerated", lang, tolerance=written(TOLERANCE, 1), count=int(tolerant.sum()))
    yield text + _among(projection, answer, main.select(tolerant), lang)
    if not kept:
        yield _sought(projection, answer, lang)


def _among(projection: Future, answer: Answer, found: Selection, lang: str) -> str:
    """Sentence on the best of the policies that keep the constraints."""
    if not found.members:
        return ""
    closed = span_of(answer.main, found.members, HEADLINE, lang)
    return translate(
        "report.among", lang, policies=any_of(projection, answer, found.members, lang), closed=closed["middle"]
    )


def _sought(projection: Future, answer: Answer, lang: str) -> str:
    """Sentence on the policy that a short search found within the constraints."""
    ranking = answer.sought
    if ranking is None or not ranking.limits["keeps_constraints"].any():
        return translate("report.constrained none", lang, policy=projection.policies[0])
    name, item = next(iter(ranking.scenarios.items()))
    levers, mix = declarations_of(projection).levers, item.policy.mix
    ordered = sorted(mix.items(), key=lambda item: -item[1]) if isinstance(mix, FrozenMapping) else []
    parts = [f"{getattr(levers[key], lang)} {percent(share)} %" for key, share in ordered if share >= LEAST_SHARE]
    return translate(
        "report.constrained sought",
        lang,
        whom=whom(item.policy.redistribution, lang),
        mix=translate("report.list", lang).join(parts),
        closed=written(float(ranking.effects[HEADLINE].sel(scenario=name).median()), 1),
    )


def any_of(projection: Future, answer: Answer | None, names: Sequence[str], lang: str) -> str:
    """One policy, or "any of" several, by their printed names; of many, the first few and how many more."""
    labels = [translate("brief.quoted", lang, text=label_of(projection, answer, name, lang)) for name in names]
    if len(labels) == 1:
        return labels[0]
    if len(labels) > MOST_NAMED:
        labels[MOST_NAMED - 1 :] = [translate("answer.others", lang, count=len(labels) - MOST_NAMED + 1)]
    parts = translate("answer.comma", lang).join(labels[:-1])
    return translate("answer.any", lang, first=parts, last=labels[-1])


def span_of(main: Ranking, names: Sequence[str], key: str, lang: str) -> dict[str, str]:
    """Smallest and largest mean of an effect over some policies, and the ends of their 90 % intervals, as text."""
    values = main.effects[key].sel(scenario=list(names))
    low, high = (written(float(value), 1) for value in (values.mean("draw").min(), values.mean("draw").max()))
    middle = low if low == high else translate("answer.between", lang, low=low, high=high)
    ends = values.quantile(ENDS, "draw")
    return {"middle": middle, "low": written(float(ends[0].min()), 1), "high": written(float(ends[-1].max()), 1)}


def some_of(texts: Sequence[str], lang: str) -> str:
    """The first of some strings, and the number of further ones."""
    more = translate("report.more", lang, count=len(texts) - NAMED) if len(texts) > NAMED else ""
    return translate("report.list", lang).join(texts[:NAMED]) + more


def three_sentences(projection: Future, answer: Answer | None, *, lang: str = "en") -> list[str]:
    """The outlook without policy, the recommended policy with its effect, and how certain that is.

    A sentence on failed checks of the fit comes before them; one on costs of another country, or on regions that start
    alike for want of an indicator, follows. Without regions below the mean the answer is that of the projection.
    """
    if not below_mean(projection).any():
        return list(projection.answer(lang))
    advice = [] if answer is None else [_advice(projection, answer, lang)]
    cautions = (*filter(None, [foreign_costs(projection, lang)]), *alike(projection, lang))
    failed = failed_checks(projection, lang)
    return [*failed, _outlook(projection, lang), *advice, _certainty(projection, answer, lang), *cautions]


def odds(share: float, lang: str) -> str:
    """A probability in words, such as "likely"."""
    words = translate("answer.odds", lang).split("; ")
    return next(word for word, least in zip(words, ODDS, strict=True) if share >= least)


def _outlook(projection: Future, lang: str) -> str:
    """Sentence on the path without policy."""
    basis, shortfall = without_policy(projection)
    before, after = (written(float(np.median(shortfall[:, at]))) for at in (0, -1))
    falls = odds(float((shortfall[:, -1] < shortfall[:, 0]).mean()), lang)
    return translate(
        "answer.outlook",
        lang,
        basis=translate(f"answer.basis_{basis}", lang),
        before=before,
        after=after,
        origin=projection.origin,
        year=int(projection.data["year"][-1]),
        chance=translate("answer.narrows", lang, odds=falls) if len(shortfall) >= MIN_DRAWS else "",
    )


def _advice(projection: Future, answer: Answer, lang: str) -> str:
    """Sentence on the policies that close most of the gap and on their effect, and one on what money spent so buys."""
    main, found = answer.main, answer.main.chosen
    is_many, is_sure = len(found.members) > 1, found.draws >= MIN_DRAWS
    names = found.members or (found.leading,)
    rules = {main.scenarios[name].policy for name in names}
    budget = main.scenarios[names[0]].policy.budget
    is_constant = budget is not None and not isinstance(budget, Schedule)
    closed = span_of(main, names, HEADLINE, lang)
    text = translate(
        f"answer.{('advice_any' if is_many else 'advice') if found.members else 'no_advice'}",
        lang,
        policies=any_of(projection, answer, names, lang),
        count=len(main.scenarios),
        need=translate("answer.by_need", lang) if all(item.redistribution == 1 for item in rules) else "",
        money=translate("answer.money", lang, share=percent(float(budget), 1)) if is_constant else "",  # type: ignore[arg-type]
        closed=closed["middle"],
        range=translate("answer.range", lang, **closed) if is_sure else "",
        near=_near(projection, main, lang) if is_sure and len(main.scenarios) > 1 else "",
    )
    return text + _worth(projection, main, names, lang) if found.members else text


def _worth(projection: Future, main: Ranking, names: Sequence[str], lang: str) -> str:
    """Sentence on what a unit of money spent on some policies buys; empty without present values."""
    if not set(WORTH) <= set(main.effects):
        return ""
    money, bought = currency_of(projection, lang), []
    for key in WORTH:
        rows = main.effects[key].sel(scenario=list(names)).quantile(ENDS, "draw")
        ends = {"low": float(rows[0].min()), "high": float(rows[-1].max())}
        size = {"middle": float(main.effects[key].sel(scenario=list(names)).mean()), **ends}
        told = {name: written(value, 1) for name, value in size.items()}
        is_sure = main.effects.sizes["draw"] >= MIN_DRAWS
        bought.append(translate(f"answer.bought{'' if is_sure else '_once'}", lang, money=money, **told))
    return translate("answer.worth", lang, money=money, national=bought[0], own=bought[1])


def _near(projection: Future, main: Ranking, lang: str) -> str:
    """Clause on how often those to choose are as good as the best, and the prior that carries it for a single one."""
    single = main.depends if main.depends is not None and main.chosen.members == (main.depends.policy,) else None
    return near(main.chosen, lang) + carried_clause(projection, single, "within", lang)


def near(found: Selection, lang: str) -> str:
    """Clause on how often the members of a set are as good as the best of all."""
    share = {"delta": written(found.delta, 2), "share": percent(found.least_within)} if found.members else {}
    return translate(f"answer.near{'_each' if len(found.members) > 1 else ''}", lang, **share) if share else ""


def _certainty(projection: Future, answer: Answer | None, lang: str) -> str:
    """Sentence on how certain the recommendation is, what would change it, and which evidence it rests on."""
    if answer is None:
        low, high = np.quantile(without_policy(projection)[1][:, -1], (0.05, 0.95))
        parts = [translate("answer.rests_outlook", lang, low=written(float(low)), high=written(float(high)))]
    else:
        parts = [*_sure(projection, answer, lang), rests_on(projection, lang)]
    return joined(parts, lang)


def rests_on(projection: Future, lang: str) -> str:
    """Clause on whether the size of an effect rests on data or on priors."""
    record = (projection.provenance.get("fitted") or {}).get("provenance", {})
    return translate(f"answer.rests_{'measured' if record.get(ENTRY) else 'judged'}", lang)


def joined(clauses: Sequence[str], lang: str) -> str:
    """One sentence of several clauses."""
    text = translate("report.clauses", lang).join(clauses)
    return text[:1].upper() + text[1:] + translate("answer.stop", lang)


def _sure(projection: Future, answer: Answer, lang: str) -> Iterator[str]:
    """Clauses on how certain the recommendation is, and on what would change it."""
    main = answer.main
    if main.effects.sizes["draw"] < MIN_DRAWS:
        yield translate("answer.few", lang)
        return
    if len(main.scenarios) < 2:
        name = next(iter(main.scenarios))
        works = float((main.effects[HEADLINE].sel(scenario=name) > 0).mean())
        yield translate("answer.works", lang, odds=odds(works, lang), policy=label_of(projection, answer, name, lang))
        return
    if answer.by_need is not None:
        helps = translate("answer.need_helps", lang, odds=odds(answer.by_need.share, lang))
        yield helps + carried_clause(projection, main.depends, "need", lang)
    yield from _otherwise(projection, answer, lang)
    if main.chosen.needed > main.chosen.draws:
        yield translate("answer.more_draws", lang, draws=written(float(main.chosen.needed)))


def _otherwise(projection: Future, answer: Answer, lang: str) -> Iterator[str]:
    """Clauses on the definitions of the observed series under which other policies are the best."""
    for key, item in list(answer.comparisons.items())[1:]:
        other = item.chosen.members
        if other and set(other).isdisjoint(answer.main.chosen.members):
            yield translate(
                "answer.otherwise",
                lang,
                definition=definition_label(projection, key, lang),
                policies=any_of(projection, answer, other, lang),
            )
