"""The first lines of a report: where regions are going, which choice matters, what it costs, who loses, how sure."""

from collections.abc import Iterator

import numpy as np
import xarray as xr

from pysd_runner.indicators.laggards import mean_log_gap
from pysd_runner.numbers import interval, percent, written
from pysd_runner.policy.answer import Answer
from pysd_runner.policy.comparison import Comparison
from pysd_runner.policy.effects import HEADLINE, Start
from pysd_runner.projection import Projection
from pysd_runner.reports.evidence import declarations_of
from pysd_runner.reports.phrases import say
from pysd_runner.reports.plausible import implausible

# Regions named one by one; of more only the number is told.
NAMED = 4
# Log points a year above which the forecast's departure from the model is told.
TOLD_DRIFT = 0.003

_LARGE = {"en": ((1e12, " trillion"), (1e9, " billion"), (1e6, " million")), "zh": ((1e12, "万亿"), (1e8, "亿"))}


def headline_lines(projection: Projection, answer: Answer | None, *, lang: str = "en") -> list[str]:
    """Say what a projection found, in at most ten sentences that can be read aloud.

    Parameters
    ----------
    projection
        What was projected; the first policy is the one that is told.
    answer
        How policies compare; None when there was none, or nothing to compare.
    lang
        ``"en"`` or ``"zh"``.

    Returns
    -------
    list of str
        Sentences.
    """
    start = _start(projection)
    lines = list(_verdict(projection, answer, lang)) if answer is not None else []
    if start is not None and start.behind.any():
        lines.append(_without_policy(projection, start, lang))
    if answer is not None:
        lines += _of_policy(projection, answer, lang)
    return [*lines, *_rests(projection, answer, lang)]


def label_of(projection: Projection, answer: Answer | None, name: str, lang: str) -> str:
    """Printed name of a scenario."""
    if answer is not None and name in answer.main.scenarios:
        return str(answer.main.scenarios[name].label.get(lang, name))
    texts = projection.data[f"label_{lang}"].to_numpy()
    return dict(zip(projection.scenarios, map(str, texts), strict=True)).get(name, name)


def definition_label(projection: Projection, key: str, lang: str) -> str:
    """What counts as what was measured, in words."""
    known = declarations_of(projection).definitions
    return getattr(known[key], lang) if key in known else key


def _start(projection: Projection) -> Start | None:
    """The origin as it was observed; None without population."""
    if "population" not in projection.data or "output" not in projection.data:
        return None
    first = projection.data[["output", "population"]].isel(scenario=0, draw=0, year=0)
    groups = tuple(map(str, projection.data["group"].to_numpy()))
    return Start(
        output=first["output"].to_numpy(),
        population=first["population"].to_numpy(),
        classes=groups if all(groups) else (),
    )


def _verdict(projection: Projection, answer: Answer, lang: str) -> Iterator[str]:
    """Whether a policy is best whatever is assumed."""
    if len(answer.main.scenarios) < 2:
        return
    if answer.robust:
        least = min(
            float(series[answer.robust])
            for item in answer.comparisons.values()
            for series in (item.first, *item.cases.values())
        )
        yield say("robust", lang, policy=label_of(projection, answer, answer.robust, lang), share=percent(least))
        return
    parts = []
    for key, item in answer.comparisons.items():
        name = str(item.first.idxmax())
        parts.append(
            say(
                "first under" if key else "first",
                lang,
                policy=label_of(projection, answer, name, lang),
                share=percent(float(item.first[name])),
                definition=definition_label(projection, key, lang),
            )
        )
    yield say("not robust", lang, parts=say("list", lang).join(parts))


def _without_policy(projection: Projection, start: Start, lang: str) -> str:
    reference = next(iter(projection.baselines.values()))
    data = projection.data[["output", "population"]].sel(scenario=reference).transpose("draw", "region", "year")
    gaps = mean_log_gap(data["output"].to_numpy(), data["population"].to_numpy(), start.behind, axis=1)
    shortfall = 100 * -np.expm1(-gaps)
    low, middle, high = np.quantile(shortfall[:, -1], (0.05, 0.5, 0.95))
    key = "without policy" if projection.provenance.get("baseline") else "without policy, model"
    return say(
        key if len(shortfall) > 1 else "without policy, single",
        lang,
        origin=projection.origin,
        year=int(projection.data["year"][-1]),
        count=int(start.behind.sum()),
        before=written(float(shortfall[0, 0])),
        after=written(float(middle)),
        range=interval(float(low), float(high)),
        falls=percent(float((gaps[:, -1] < gaps[:, 0]).mean())),
    )


def _of_policy(projection: Projection, answer: Answer, lang: str) -> Iterator[str]:
    """What the first policy does, what of it is who and what, what it costs, who loses."""
    main, name = answer.main, projection.policies[0]
    label = label_of(projection, answer, name, lang)
    closed = main.effects[HEADLINE].sel(scenario=name)
    yield say(
        "closes",
        lang,
        policy=label,
        year=main.year,
        closed=_middle(closed),
        range=_range(closed),
        share=_middle(main.effects["gap_closed_share"].sel(scenario=name), 0),
        others=_others(projection, answer, name, lang),
    )
    yield from _who_and_what(main, name, lang)
    yield from _cost(projection, main, name, lang)
    yield from _losers(projection, name, label, lang)


def _middle(values: xr.DataArray, digits: int = 1) -> str:
    return written(float(np.median(values.to_numpy())), digits)


def _range(values: xr.DataArray, digits: int = 1) -> str:
    low, high = np.quantile(values.to_numpy(), (0.05, 0.95))
    return interval(float(low), float(high), digits)


def _others(projection: Projection, answer: Answer, name: str, lang: str) -> str:
    """The same number under other definitions, and with the normal approximation."""
    parts = [
        say(
            "closes under",
            lang,
            definition=definition_label(projection, key, lang),
            closed=_middle(item.effects[HEADLINE].sel(scenario=name)),
        )
        for key, item in list(answer.comparisons.items())[1:]
        if name in item.scenarios
    ]
    if answer.approximate is not None:
        rough = answer.approximate.effects[HEADLINE].sel(scenario=name)
        parts.append(say("closes normal", lang, closed=_middle(rough)))
    return say("others", lang, parts=say("list", lang).join(parts)) if parts else ""


def _who_and_what(main: Comparison, name: str, lang: str) -> Iterator[str]:
    try:
        parts = main.split(name)
    except KeyError:
        return
    found = {
        key: f"{written(row['change_p50'], 1)} ({interval(row['change_p05'], row['change_p95'], 1)})"
        for key, row in parts.to_dict("index").items()
    }
    yield say("who and what", lang, who=found["who"], what=found["what"])


def _cost(projection: Projection, main: Comparison, name: str, lang: str) -> Iterator[str]:
    if "present_cost" not in main.effects:
        return
    money = _money_of(projection)
    cost, per_point = (main.effects[key].sel(scenario=name).to_numpy() for key in ("present_cost", "cost_per_point"))
    known = per_point[np.isfinite(per_point)]
    text = say("cost", lang, cost=amount(float(np.median(cost)), money, lang))
    if known.size < 0.95 * per_point.size:
        text += say("cost unknown", lang, share=percent(1 - known.size / per_point.size))
    else:
        text += say("cost per point", lang, cost=amount(float(np.median(known)), money, lang))
    yield text


def amount(value: float, money: str, lang: str) -> str:
    """Write an amount of money: 5.4 trillion yuan.

    Parameters
    ----------
    value
        The amount.
    money
        Name of the money.
    lang
        ``"en"`` or ``"zh"``.
    """
    for size, word in _LARGE[lang]:
        if abs(value) >= size:
            return f"{written(value / size, 1)}{word}{money if lang == 'zh' else f' {money}'}"
    return f"{written(value)}{money if lang == 'zh' else f' {money}'}"


def _money_of(projection: Projection) -> str:
    return str(projection.data["policy_budget"].attrs.get("units", "")).split("/")[0]


def _losers(projection: Projection, name: str, label: str, lang: str) -> Iterator[str]:
    """Regions that most draws leave below their path without policy."""
    heads = projection.data["output_per_head"].isel(year=-1).transpose("scenario", "draw", "region")
    below = heads.sel(scenario=name).to_numpy() < heads.sel(scenario=projection.baselines[name]).to_numpy()
    shares = below.mean(axis=0)
    names = projection.data[f"name_{lang}"].to_numpy()
    losing = [str(names[place]) for place in np.argsort(-shares, kind="stable") if shares[place] > 0.5]
    listed = say("list", lang).join(losing[:NAMED])
    listed += say("more", lang, count=len(losing) - NAMED) if len(losing) > NAMED else ""
    key = "losers" if losing else "no losers"
    yield say(key, lang, policy=label, count=len(losing), all=len(shares), names=listed)


def _rests(projection: Projection, answer: Answer | None, lang: str) -> Iterator[str]:
    """What the numbers rest on, and where they leave what is plausible."""
    fitted = projection.provenance.get("fitted")
    growth = (fitted or {}).get("provenance", {}).get("growth") or {}
    if fitted is None:
        yield say("rests on priors", lang)
    elif growth:
        yield say("rests", lang, explained=percent(growth["explained"]))
    else:
        yield say("rests, no growth", lang)
    yield from _drift(projection, lang)
    if answer is not None:
        yield from implausible(answer.main, declarations_of(projection), lang)


def _drift(projection: Projection, lang: str) -> Iterator[str]:
    """How the forecast departs from the model, where that is much."""
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
    yield say(
        "drift",
        lang,
        region=str(names[codes.index(slowed)]),
        points=written(-100 * systematic[slowed], 1),
        typical=written(100 * size, 1),
    )
