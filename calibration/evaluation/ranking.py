"""Whether the ranking of the shipped policies holds when parameters are drawn."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from calibration.evaluation.judgement import Judgement, Section, Verdict
from calibration.evaluation.phrases import Phrase
from calibration.evaluation.subject import Subject
from calibration.sdeval import RankingSensitivity, ranking_sensitivity
from pysd_runner.scenarios import load_scenario, shipped_scenarios, with_comparisons
from pysd_runner.simulation import simulate
from pysd_runner.study.draws import parameter_draws
from pysd_runner.study.values import scenario_values

Array = NDArray[np.float64]

KEY = "ranking"

# Shares of draws in which the best policy, or the order of two of them, may be another one.
BEST_FLIPS, PAIR_FLIPS = 0.1, 0.25

# How many parameters are looked at for flips.
MOST = 12


def ranking_tests(subject: Subject, draws: int, *, seed: int = 0) -> Section:
    """Rank the shipped policies by the national gap they close in the last year, draw by draw."""
    if subject.calibrated is None or subject.model.spec is None or subject.base.failed.any():
        reason = Phrase("no_scenarios" if subject.calibrated is None else "base_fails")
        judgement = Judgement(section=KEY, test="best_policy", subject="", verdict=Verdict.NOT_TESTED, note=reason)
        return Section(key=KEY, judgements=(judgement,))
    rng = np.random.default_rng(seed)
    parameters = parameter_draws(subject.model.spec, subject.calibrated.result.fitted, draws, rng)
    scores = policy_scores(subject, parameters)
    found = ranking_sensitivity(scores, weighty(parameters, scores))
    tables = {
        "ranking": _order_table(scores, found),
        "ranking_flips": found.flips,
        "ranking_parameters": found.along,
    }
    return Section(key=KEY, judgements=tuple(_judged(found)), tables=tables)


def weighty(parameters: Mapping[str, Array], scores: Mapping[str, Array], most: int = MOST) -> dict[str, Array]:
    """Parameters that go most with how policies differ."""
    table = np.stack(list(scores.values()))
    complete = np.isfinite(table).all(axis=0)
    apart = (table - table.mean(axis=0))[:, complete]
    varied = {name: values for name, values in parameters.items() if np.ptp(values[complete]) > 0}
    ranks = np.stack([_ranks(values[complete]) for values in varied.values()])
    others = np.stack([_ranks(row) for row in apart if np.ptp(row) > 0])
    size = np.abs(np.corrcoef(ranks, others)[: len(ranks), len(ranks) :]).max(axis=1)
    names = np.array(list(varied))[np.argsort(-size, kind="stable")][:most]
    return {str(name): parameters[name] for name in names}


def _ranks(values: Array) -> Array:
    return np.argsort(np.argsort(values)).astype(float)


def policy_scores(subject: Subject, parameters: Mapping[str, Array]) -> dict[str, Array]:
    """National gap to the leading region that each shipped policy closes in the last year, against its own baseline."""
    calibrated = subject.calibrated
    if calibrated is None:
        return {}
    model = subject.model
    cast = with_comparisons([load_scenario(name, model=model) for name in shipped_scenarios(model)], model=model)
    values = calibrated.values(parameters)
    start, stop = (round(subject.clock[name]) for name in ("start", "stop"))
    values |= scenario_values(cast, model, calibrated.panel, values, (start, stop))
    names = model.bindings.variables
    read = [names.national_output_per_head, names.leader_output_per_head]
    run = simulate(model, values, start=start, stop=stop, save_every=stop - start, outcomes=read, throw=False)
    nation, leader = (run[name][..., -1] for name in read)
    gap = 100 * (1 - nation / leader)
    gap = np.where(run.failed, np.nan, gap)
    place = {item.name: number for number, item in enumerate(cast)}
    return {
        item.name: gap[place[item.baseline_name]] - gap[place[item.name]]
        for item in cast
        if item.baseline_name != item.name
    }


def _judged(found: RankingSensitivity) -> list[Judgement]:
    pairs = found.flips
    worst = pairs.sort_values("share", ascending=False, kind="stable").iloc[0]
    unsure = int((pairs["share"] > PAIR_FLIPS).sum())
    return [
        Judgement(
            section=KEY,
            test="best_policy",
            subject=str(found.order[0]),
            verdict=Verdict.of(found.best_flips <= BEST_FLIPS),
            value=float(found.best_flips),
            bound=BEST_FLIPS,
            note=Phrase("best_flips", {"used": found.used, "failed": found.failed, "kendall": f"{found.kendall:.2f}"}),
        ),
        Judgement(
            section=KEY,
            test="policy_order",
            subject=f"{worst['better']}, {worst['worse']}",
            verdict=Verdict.of(unsure == 0),
            value=float(worst["share"]),
            bound=PAIR_FLIPS,
            note=Phrase("pairs_flip", {"unsure": unsure, "all": len(pairs)}),
        ),
    ]


def _order_table(scores: Mapping[str, Array], found: RankingSensitivity) -> pd.DataFrame:
    rows = [
        {
            "rank": place,
            "policy": name,
            "mean": float(np.nanmean(scores[name])),
            "p05": float(np.nanquantile(scores[name], 0.05)),
            "p95": float(np.nanquantile(scores[name], 0.95)),
            "probability_best": float(found.probability_best[name]),
        }
        for place, name in enumerate(found.order, start=1)
    ]
    return pd.DataFrame(rows)
