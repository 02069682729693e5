"""How often intervals hold the truth where any model is fitted to a table: SIR by counts, logistic growth, digi31.

``python -m benchmarks.own_models --panels 2000 --digi31 digi31.mdl`` draws tables from known parameters, fits each, and
counts. Per parameter a binomial test asks whether 90 % intervals hold the truth in 90 of 100 tables, with Holm's
correction. Without its file digi31 is left out. Interrupted, it tells what was finished.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from calibration.fitting.fit import fit
from calibration.fitting.problem import Problem
from pysd_runner import load_data, load_model, simulate
from pysd_runner.model import Model
from pysd_runner.spec import ErrorModel, LogNormal, Observation

SIR = """{UTF-8}
Population = 10000 ~ person ~|
Initial Infected = 10 ~ person ~|
Contact Rate = 8 ~ 1/day ~|
Infectivity = 0.1 ~ Dmnl ~|
Duration = 4 ~ day ~|
Infection = Contact Rate * Infectivity * Susceptible * Infected / Population ~ person/day ~|
Susceptible = INTEG(-Infection, Population - Initial Infected) ~ person ~|
Infected = INTEG(Infection - Infected / Duration, Initial Infected) ~ person ~|
INITIAL TIME = 0 ~ day ~|
FINAL TIME = 40 ~ day ~|
TIME STEP = 0.25 ~ day ~|
SAVEPER = 1 ~ day ~|
"""
LOGISTIC = """{UTF-8}
Growth Rate = 0.3 ~ 1/year ~|
Capacity = 100 ~ t ~|
Initial Stock = 5 ~ t ~|
Stock = INTEG(Growth Rate * Stock * (1 - Stock / Capacity), Initial Stock) ~ t ~|
INITIAL TIME = 0 ~ year ~|
FINAL TIME = 30 ~ year ~|
TIME STEP = 0.25 ~ year ~|
SAVEPER = 1 ~ year ~|
"""
# Normal scores of the ends of 90 and 50 % intervals.
NINETY, FIFTY = 1.6448536, 0.6744898


@dataclass(frozen=True, slots=True)
class Case:
    """A model, what is estimated and what is seen."""

    name: str
    text: str
    priors: dict[str, LogNormal]
    outcome: str
    kind: str
    errors: ErrorModel
    sd: float


CASES = {
    "sir": Case(
        "sir",
        SIR,
        {"Contact Rate": LogNormal(8, 0.2), "Duration": LogNormal(4, 0.2), "Initial Infected": LogNormal(10, 0.5)},
        "Infection",
        "flow",
        ErrorModel(family="negative_binomial", memory="independent"),
        0.2,
    ),
    "logistic": Case(
        "logistic",
        LOGISTIC,
        {"Growth Rate": LogNormal(0.3, 0.3), "Capacity": LogNormal(100, 0.3), "Initial Stock": LogNormal(5, 0.5)},
        "Stock",
        "level",
        ErrorModel(family="normal", memory="independent"),
        0.1,
    ),
    # A yearly table of 31 regions; the file is given on the command line.
    "digi31": Case(
        "digi31",
        "",
        {
            "innovation rate": LogNormal(0.18, 0.3),
            "tech elasticity": LogNormal(0.45, 0.2),
            "obsolescence": LogNormal(0.06, 0.3),
        },
        "Technology",
        "level",
        ErrorModel(family="normal", memory="independent"),
        0.05,
    ),
}


def model_of(case: Case, given: Path | None = None) -> Model:
    """The model of a case, from a file."""
    if given is not None:
        return load_model(given)
    folder = Path(tempfile.mkdtemp())
    path = folder / f"{case.name}.mdl"
    path.write_text(case.text, encoding="utf-8")
    return load_model(path)


def tables(case: Case, model: Model, numbers: range) -> Iterator[tuple[dict[str, float], dict[str, np.ndarray]]]:
    """Truths drawn from the priors, and what is seen under them."""
    for number in numbers:
        rng = np.random.default_rng([17, number])
        truth = {name: float(prior.sample(rng, 1)[0]) for name, prior in case.priors.items()}
        run = simulate(model, truth, outcomes=[case.outcome], save_every=0.25 if case.kind == "flow" else None)
        path = run[case.outcome][0, 0]
        if case.kind == "flow":
            mean = path[:-1].reshape(-1, 4).sum(axis=1) * 0.25
            seen = rng.poisson(mean * rng.gamma(case.sd**-2, case.sd**2, mean.shape)).astype(float)
            times = np.arange(1.0, len(seen) + 1)
        else:
            seen = path * np.exp(case.sd * rng.standard_normal(path.shape))
            times = run.years
        dims = run.dims[case.outcome]
        headings = [f"seen[{element}]" for element in run.ranges[dims[0]]] if dims else ["seen"]
        yield truth, {"time": times, **dict(zip(headings, np.atleast_2d(seen), strict=True))}


def covered(name: str, given: Path | None, numbers: range) -> list[list[tuple[bool, bool]]]:
    """Whether 90 and 50 % intervals hold the truth, by table and parameter."""
    case = CASES[name]
    model = model_of(case, given)
    scale = "level" if case.kind == "flow" else "log"
    found = []
    for truth, content in tables(case, model, numbers):
        observation = Observation(column="seen", outcome=case.outcome, kind=case.kind, errors=case.errors, scale=scale)
        problem = Problem(
            model,
            load_data(content, time="time"),
            free=list(case.priors),
            priors=case.priors,
            observations=[observation],
        )
        result = fit(problem, starts=1)
        covariance = np.array(result.fitted.covariance)
        row = []
        for place, (key, prior) in enumerate(case.priors.items()):
            centre = float(prior.to_unbounded(result.parameter(key).estimate))
            away = abs(float(prior.to_unbounded(truth[key])) - centre) / np.sqrt(covariance[place, place])
            row.append((bool(away <= NINETY), bool(away <= FIFTY)))
        found.append(row)
    return found


def _worked(task: Callable[[range], Any], parts: Sequence[range], workers: int) -> Iterator[Any]:
    """Results of parts in their order, one after another or on several processes."""
    if workers == 1:
        yield from map(task, parts)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(task, parts)


def main() -> None:
    """Count, test and print."""
    from scipy.stats import binomtest

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--panels", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="number of the first table, which decides all of it")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--case", choices=[*CASES, "all"], default="all")
    parser.add_argument("--digi31", type=Path, help="model file of digi31")
    options = parser.parse_args()
    report = {}
    for name in CASES if options.case == "all" else [options.case]:
        given = options.digi31 if name == "digi31" else None
        if name == "digi31" and (given is None or not given.is_file()):
            print("digi31: left out, its file was not given (--digi31)", file=sys.stderr)
            continue
        began = time.process_time()
        end = options.first + options.panels
        parts = [range(start, min(start + 25, end)) for start in range(options.first, end, 25)]
        rows: list[list[tuple[bool, bool]]] = []
        try:
            for found in _worked(partial(covered, name, given), parts, options.workers):
                rows += found
                print(f"\r{name}: {len(rows)} of {options.panels}", end="", file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            print("\ninterrupted: what was finished is told", file=sys.stderr)
        if not rows:
            continue
        held = np.array(rows)
        keys = list(CASES[name].priors)
        tests = [binomtest(int(held[:, place, 0].sum()), len(held), 0.9).pvalue for place in range(len(keys))]
        order = np.argsort(tests)
        holm = np.maximum.accumulate([(len(tests) - rank) * tests[place] for rank, place in enumerate(order)])
        corrected = {keys[place]: min(float(value), 1.0) for place, value in zip(order, holm, strict=True)}
        report[name] = {
            "tables": len(held),
            "covered_90": float(held[:, :, 0].mean()),
            "covered_50": float(held[:, :, 1].mean()),
            "by_parameter_90": {key: float(held[:, place, 0].mean()) for place, key in enumerate(keys)},
            "holm": corrected,
            "processor_seconds_a_fit": (time.process_time() - began) / len(held),
        }
        print(json.dumps({name: report[name]}, indent=1), flush=True)


if __name__ == "__main__":
    main()
