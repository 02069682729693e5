"""Forecasts of public series with models of one to three constants: coverage by thirds of the horizon, and CRPS.

``python -m benchmarks.own_series`` scores every origin at all horizons up to a third of the series, and prints how many
realisations 90 % intervals held in each third of these horizons, and the mean CRPS over origins and horizons beside
that of the best member in hindsight. Rules of the mixture were chosen on `KNOWN` alone. `UNSEEN`, the series and their
models, were written down before any of them was run.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import statsmodels.api as sm

from calibration import Problem
from calibration.forecasting.backtest import check_backtest, realised
from calibration.forecasting.combination import member_forecast
from calibration.forecasting.forecaster import Memory, origin_at
from calibration.forecasting.models import FINAL, BacktestPlan
from calibration.forecasting.scores import crps
from pysd_runner import load_data, load_model

ADJUSTMENT = "Normal = {0} ~~|\nAdjustment Time = 2 ~~|\nLevel = INTEG((Normal - Level) / Adjustment Time, {1}) ~~|\n"
EXPONENTIAL = "Growth Rate = {0} ~~|\nLevel = INTEG(Growth Rate * Level, Initial Level) ~~|\nInitial Level = {1} ~~|\n"
LOGISTIC = (
    "Growth Rate = {0} ~~|\nCapacity = {1} ~~|\nLevel = INTEG(Growth Rate * Level * (1 - Level / Capacity), {2}) ~~|\n"
)
BASS = (
    "Innovation = {0} ~~|\nImitation = 0.4 ~~|\nCapacity = {1} ~~|\n"
    "Level = INTEG((Innovation + Imitation * Level / Capacity) * (Capacity - Level), {2}) ~~|\n"
)
SIR = (
    "beta = 2 ~~|\ngamma = 0.5 ~~|\nInfection = beta * Susceptible * Level / 763 ~~|\n"
    "Susceptible = INTEG(-Infection, 760) ~~|\nLevel = INTEG(Infection - gamma * Level, 3) ~~|\n"
)
CO2 = (
    "Growth Rate = 0.02 ~~|\nExcess = INTEG(Growth Rate * Excess, Initial Excess) ~~|\nInitial Excess = 35 ~~|\n"
    "Level = 280 + Excess ~~|\n"
)
CLOCK = "INITIAL TIME = {first} ~~|\nFINAL TIME = {last} ~~|\nTIME STEP = {step} ~~|\nSAVEPER = TIME STEP ~~|\n"
REVERTING, GROWING = ("Normal", "Adjustment Time"), ("Growth Rate", "Initial Level")
SATURATING, DIFFUSING = ("Growth Rate", "Capacity"), ("Innovation", "Imitation", "Capacity")

# The air conditioners of `tests/cli/test_published_models.py`, cumulative, thousands; boys in bed, British Medical
# Journal (1978) 1, 587; United States census, millions (the series `uspop` of R).
CONDITIONERS = np.cumsum([96, 195, 238, 380, 1045, 1230, 1267, 1828, 1586, 1673, 1800, 1580, 1500])
IN_BED = (3, 8, 26, 76, 225, 298, 258, 233, 189, 128, 68, 29, 14, 4)
CENSUS = [3.93, 5.31, 7.24, 9.64, 12.9, 17.1, 23.2, 31.4, 39.8, 50.2]
CENSUS += [62.9, 76.0, 92.0, 105.7, 122.8, 131.7, 151.3, 179.3, 203.2]
# International Telecommunication Union, as published by Gapminder: subscriptions of fixed broadband and of mobile
# telephones per 100 people, users of the internet in per cent of people.
BROADBAND_KOREA = [0.03027, 0.59759, 8.27513, 16.6187, 21.9993, 23.5267, 24.9941, 25.4761, 29.2516, 30.5325]
BROADBAND_KOREA += [32.0018, 33.676, 35.2563, 36.3533, 36.8, 37.4218, 37.9883, 39.276]
MOBILE_JAPAN = [0.70184, 1.11071, 1.37615, 1.70811, 3.46179, 9.33729, 21.40087, 30.35349, 37.45404, 44.91768]
MOBILE_JAPAN += [52.5746, 58.7923, 63.6299, 67.8735, 71.5671, 75.4292, 77.9907, 83.8012]
INTERNET_GERMANY = [0.126, 0.25, 0.435, 0.464, 0.923, 1.84, 3.05, 6.71, 9.88, 20.8, 30.2163, 31.6509, 48.82, 55.9]
INTERNET_GERMANY += [64.73, 68.71, 72.16, 75.16, 78.0, 79.0, 82.0, 81.27, 82.35, 84.17, 86.1937, 87.5898, 84.1652]
INTERNET_GERMANY += [84.3942, 87.0371, 88.1345, 89.8129, 91.4306, 91.6298, 92.4764, 93.5]


@dataclass(frozen=True, slots=True)
class Case:
    """A series at evenly spaced times and the model it is forecast with."""

    values: Callable[[], Any]
    first: int
    equations: str
    free: tuple[str, ...]
    spacing: int = 1
    step: float = 0.25


def macro(column: str) -> Any:
    """Yearly means of a quarterly series of the United States, full years alone (`statsmodels` `macrodata`)."""
    table = sm.datasets.macrodata.load_pandas().data
    return table[table["year"] < 2009].groupby("year")[column].mean().to_numpy()


def longley(column: str) -> Any:
    """A series of the United States, 1947-1962 (`statsmodels` `longley`), in thousands of its unit."""
    return sm.datasets.longley.load_pandas().data[column].to_numpy() / 1000


def elnino() -> Any:
    """Yearly means of the temperature of the sea, 1950-2010 (`statsmodels` `elnino`)."""
    return sm.datasets.elnino.load_pandas().data.drop(columns="YEAR").mean(axis=1).to_numpy()


def co2() -> Any:
    """Yearly means at Mauna Loa from 1959 (`statsmodels` `co2`)."""
    weekly = sm.datasets.co2.load_pandas().data["co2"]
    return weekly.groupby(weekly.index.year).mean().loc[1959:].to_numpy()


KNOWN = {
    "Nile": Case(lambda: sm.datasets.nile.load_pandas().data["volume"], 1871, ADJUSTMENT.format(1000, 1120), REVERTING),
    "CO2": Case(co2, 1959, CO2, ("Growth Rate", "Initial Excess")),
    "census": Case(lambda: CENSUS, 1790, LOGISTIC.format(0.03, 200, 3.93), SATURATING, spacing=10, step=1),
    "school influenza": Case(lambda: IN_BED, 1, SIR, ("beta", "gamma"), step=0.125),
    "air conditioners": Case(lambda: CONDITIONERS, 1949, BASS.format(0.02, 20000, 96), DIFFUSING),
}
UNSEEN = {
    "sea temperature": Case(elnino, 1950, ADJUSTMENT.format(23, 23), REVERTING),
    "unemployment": Case(lambda: macro("unemp"), 1959, ADJUSTMENT.format(6, 5.5), REVERTING),
    "population": Case(lambda: macro("pop"), 1959, EXPONENTIAL.format(0.01, 177), GROWING),
    "real output": Case(lambda: macro("realgdp"), 1959, EXPONENTIAL.format(0.03, 2800), GROWING),
    "copper consumption": Case(
        lambda: sm.datasets.copper.load_pandas().data["WORLDCONSUMPTION"],
        1951,
        EXPONENTIAL.format(0.04, 3200),
        GROWING,
    ),
    "internet in Germany": Case(lambda: INTERNET_GERMANY, 1990, BASS.format(0.005, 90, 0.126), DIFFUSING),
    "employment": Case(lambda: longley("TOTEMP"), 1947, EXPONENTIAL.format(0.01, 60), GROWING),
    "output": Case(lambda: longley("GNP"), 1947, EXPONENTIAL.format(0.05, 235), GROWING),
    "broadband in Korea": Case(lambda: BROADBAND_KOREA, 1998, BASS.format(0.1, 40, 0.03027), DIFFUSING),
    "mobiles in Japan": Case(lambda: MOBILE_JAPAN, 1990, LOGISTIC.format(0.4, 90, 0.7), SATURATING),
}


def problem_of(case: Case, folder: Path) -> Problem:
    """The series and its model."""
    values = np.asarray(case.values(), dtype=float)
    times = case.first + case.spacing * np.arange(len(values))
    clock = CLOCK.format(first=case.first, last=times[-1] + case.spacing * len(values), step=case.step)
    path = folder / "series.mdl"
    path.write_text("{UTF-8}\n" + case.equations + clock, encoding="utf-8")
    return Problem(load_model(path), load_data({"time": times, "Level": values}), free=list(case.free))


def scored(case: Case) -> dict[str, Any]:
    """Coverage by thirds of the horizon, with counts, and scores of the mixture beside its best member."""
    with tempfile.TemporaryDirectory() as folder:
        problem = problem_of(case, Path(folder))
        points = len(problem.data.times)
        plan, _ = check_backtest(problem, horizons=range(1, points // 3 + 1))
        return told(plan, points // 3) | {"points": points}


def told(plan: BacktestPlan, longest: int) -> dict[str, Any]:
    """Scores of a planned back-test."""
    memory, losses = Memory(), dict.fromkeys(plan.models, 0.0)
    held, scored, score = np.zeros(3, dtype=int), np.zeros(3, dtype=int), 0.0
    for time in plan.origins:
        origin, ahead = origin_at(plan.target, time, memory=memory), plan.ahead(time)
        observed = realised(plan, time)
        for name, model in plan.models.items():
            found = member_forecast(model, origin, horizon=ahead, draws=plan.draws, seed=plan.seed)
            losses[name] += float(np.nansum(crps(found.draws, observed)))
        # The mixture is the last.
        lower, upper = np.quantile(found.draws, (0.05, 0.95), axis=0)
        outside = np.maximum(0.0, np.maximum(lower - observed, observed - upper))
        score += float(np.nansum(np.where(np.isfinite(observed), upper - lower + 20 * outside, np.nan)))
        for step in range(ahead):
            known = np.isfinite(observed[:, step])
            third = 3 * step // longest
            held[third] += int((known & (outside[:, step] == 0)).sum())
            scored[third] += int(known.sum())
    count, own = int(scored.sum()), losses.pop(FINAL)
    best = min(losses, key=losses.__getitem__)
    return {
        "origins": len(plan.origins),
        "held": held.tolist(),
        "scored": scored.tolist(),
        "crps": own / count,
        "interval_score": score / count,
        "ratio": own / losses[best],
        "best": best,
    }


def main() -> None:
    """Score and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.own_series", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=(*KNOWN, *UNSEEN), default=(*KNOWN, *UNSEEN), metavar="SERIES")
    parser.add_argument("--json", type=Path, default=None, help="file for the numbers")
    asked = parser.parse_args()
    found = {}
    for name in asked.only:
        found[name] = item = scored((KNOWN | UNSEEN)[name])
        pairs = zip(item["held"], item["scored"], strict=True)
        thirds = " ".join(f"{held / count:.2f} ({count})" if count else "-" for held, count in pairs)
        whole = sum(item["held"]) / sum(item["scored"])
        print(
            f"{name:20} {item['points']:3} points, {item['origins']:2} origins; held {whole:.2f}, by thirds {thirds}; "
            f"CRPS {item['crps']:.4g}, {item['ratio']:.2f} of {item['best']}; interval score "
            f"{item['interval_score']:.4g}",
            flush=True,
        )
    held, count = (np.array([item[key] for item in found.values()]).sum(axis=0) for key in ("held", "scored"))
    mean = np.exp(np.mean([np.log(item["ratio"]) for item in found.values()]))
    share = np.round(held / np.maximum(count, 1), 3)
    print(f"pooled: held {share.tolist()} of {count.tolist()}; CRPS {mean:.3f} of the best member")
    if asked.json is not None:
        asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
