"""The answer in three sentences: what happens without policy, what to do about it, and how sure that is."""

from collections.abc import Iterator, Sequence

import numpy as np

from pysd_runner.core.numbers import percent, written
from pysd_runner.evidence.weights import ENTRY
from pysd_runner.policy.effects import HEADLINE
from pysd_runner.policy.ranking import ROBUST, Answer, first_shares
from pysd_runner.reports.evidence import alike, foreign_costs
from pysd_runner.reports.headline import (
    below_mean,
    case_label,
    definition_label,
    failed_checks,
    label_of,
    without_policy,
)
from pysd_runner.scenarios.policy import Schedule
from pysd_runner.study.future import Future
from pysd_runner.text import say

# Minimum number of draws from which probabilities are told.
FEW = 5
# Smallest probabilities that have a name of their own, in descending order.
ODDS = (0.95, 0.8, 0.6, 0.4, 0.2, 0.05, 0.0)
# Settings of a policy: only assumptions that are not chosen are named as what would change the answer.
_CHOSEN = ("budget", "redistribution", "until")


def three_sentences(projection: Future, answer: Answer | None, *, lang: str = "en") -> list[str]:
    """What happens without policy, what to do for whom and what it does, how sure that is and what would change it.

    A sentence on failed checks of the fit comes before them; one on costs of another country, or on regions that start
    alike for want of an indicator, follows.
    """
    if not below_mean(projection).any():
        return []
    advice = [] if answer is None else [_advice(projection, answer, lang)]
    cautions = (*filter(None, [foreign_costs(projection, lang)]), *alike(projection, lang))
    failed = failed_checks(projection, lang)
    return [*failed, _outlook(projection, lang), *advice, _certainty(projection, answer, lang), *cautions]


def odds(share: float, lang: str) -> str:
    """A probability in words, such as "likely"."""
    words = say("answer.odds", lang).split("; ")
    return next(word for word, least in zip(words, ODDS, strict=True) if share >= least)


def _outlook(projection: Future, lang: str) -> str:
    """Sentence on the path without policy."""
    basis, shortfall = without_policy(projection)
    before, after = (written(float(np.median(shortfall[:, at]))) for at in (0, -1))
    falls = odds(float((shortfall[:, -1] < shortfall[:, 0]).mean()), lang)
    return say(
        "answer.outlook",
        lang,
        basis=say(f"answer.basis_{basis}", lang),
        before=before,
        after=after,
        origin=projection.origin,
        year=int(projection.data["year"][-1]),
        chance=say("answer.narrows", lang, odds=falls) if len(shortfall) >= FEW else "",
    )


def recommended(answer: Answer) -> str:
    """The policy that is robustly first, or else first most often."""
    return answer.robust or str(answer.main.first.idxmax())


def _advice(projection: Future, answer: Answer, lang: str) -> str:
    """Sentence on the policy that closes most, for whom, and what it does."""
    name, main = recommended(answer), answer.main
    policy = main.scenarios[name].policy
    closed = main.effects[HEADLINE].sel(scenario=name).to_numpy()
    low, middle, high = map(float, np.quantile(closed, (0.05, 0.5, 0.95)))
    is_constant = policy.budget is not None and not isinstance(policy.budget, Schedule)
    return say(
        "answer.advice" if middle > 0 else "answer.no_advice",
        lang,
        policy=label_of(projection, answer, name, lang),
        need=say("answer.by_need", lang) if policy.redistribution else "",
        money=say("answer.money", lang, share=percent(float(policy.budget), 1)) if is_constant else "",  # type: ignore[arg-type]
        closed=written(middle, 1),
        range=say("answer.range", lang, low=written(low, 1), high=written(high, 1)) if closed.size >= FEW else "",
        others=say("answer.levels_down", lang) if float(main.levels_down[name]) > ROBUST else "",
    )


def _certainty(projection: Future, answer: Answer | None, lang: str) -> str:
    """Sentence on what is certain, what is open, what would change it, and what it rests on."""
    if answer is None:
        low, high = np.quantile(without_policy(projection)[1][:, -1], (0.05, 0.95))
        parts = [say("answer.rests_outlook", lang, low=written(float(low)), high=written(float(high)))]
    else:
        parts = [*_sure(projection, answer, lang), rests_on(projection, lang)]
    return joined(parts, lang)


def rests_on(projection: Future, lang: str) -> str:
    """Clause on what the size of an effect rests on."""
    record = (projection.provenance.get("fitted") or {}).get("provenance", {})
    return say(f"answer.rests_{'measured' if record.get(ENTRY) else 'judged'}", lang)


def joined(clauses: Sequence[str], lang: str) -> str:
    """One sentence of several clauses."""
    text = say("report.clauses", lang).join(clauses)
    return text[:1].upper() + text[1:] + say("answer.stop", lang)


def _sure(projection: Future, answer: Answer, lang: str) -> Iterator[str]:
    """Clauses on how sure the recommendation is, and on what would change it."""
    main, name = answer.main, recommended(answer)
    if main.effects.sizes["draw"] < FEW:
        yield say("answer.few", lang)
        return
    if len(main.scenarios) < 2:
        works = float((main.effects[HEADLINE].sel(scenario=name) > 0).mean())
        yield say("answer.works", lang, odds=odds(works, lang), policy=label_of(projection, answer, name, lang))
        return
    if answer.by_need is not None and main.scenarios[name].policy.redistribution:
        yield say("answer.need_helps", lang, odds=odds(answer.by_need.share, lang))
    best = odds(float(main.first[name]), lang)
    yield say("answer.best", lang, odds=best, policy=label_of(projection, answer, name, lang)) + _otherwise(
        projection, answer, name, lang
    )


def _otherwise(projection: Future, answer: Answer, name: str, lang: str) -> str:
    """Clause on the assumption under which another policy is first most clearly."""
    cases = {
        say("answer.if_skills", lang, definition=definition_label(projection, key, lang)): item.first
        for key, item in list(answer.comparisons.items())[1:]
    }
    cases |= {
        say("answer.if", lang, case=case_label(projection, key, change, lang)): first_shares(values)
        for (key, change), values in answer.main.cases.items()
        if key not in _CHOSEN
    }
    other = {case: shares for case, shares in cases.items() if shares.idxmax() != name}
    if not other:
        return "" if float(answer.main.first[name]) >= ROBUST else say("answer.open", lang)
    case = max(other, key=lambda case: float(other[case].max()))
    best = label_of(projection, answer, str(other[case].idxmax()), lang)
    return say("answer.otherwise", lang, case=case, policy=best)
