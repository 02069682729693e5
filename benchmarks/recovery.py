"""Are parameters recovered from panels simulated with known ones? python -m benchmarks.recovery --help."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.coverage import LEVELS, judge, table
from benchmarks.machine import machine, versions
from benchmarks.simulated import simulated_panel
from calibration.fit import fit
from calibration.optimisers import LeastSquares, Objective
from calibration.problem import CalibrationProblem
from calibration.uncertainty import FittedPoint, fitted_point, point_at, sample_at, weighted_draws
from calibration.uncertainty.convergence import LARGEST_RHAT, SMALLEST_ESS
from pysd_runner.model import Model, load_model
from pysd_runner.panel import Panel, load_panel

Array = NDArray[np.float64]

MODEL, PANEL = "regional_digital", "china"
FIRST = 2014
# Linear algebra of this size is slower on several threads, and the processes share the cores already.
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")

# Weighted draws worth fewer than this do not describe a posterior; the sampler takes over.
FEWEST = 200.0
# So many times as many draws are weighted before that.
MORE = 8
# Draws of the sampler that ranks are counted in.
RANKED = 999


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What is simulated and how it is fitted.

    Attributes
    ----------
    regions, years
        Size of the panels: every so-manieth province in 2014, and years after it.
    errors
        ``"estimated"``: the fit finds the errors of the series, as it does for a user; ``"known"``: it is given those
        the panel was made with. Two indicators of one share keep the distance they were observed with in the first
        year, of which the fit is not told in either case.
    draws
        Weighted draws of each posterior; 0 always takes the sampler.
    steps
        Steps of the sampler at most, where the weighted draws are worth fewer than `FEWEST`.
    seed
        Decides truths, errors and draws.
    """

    regions: int = 8
    years: int = 12
    errors: str = "estimated"
    draws: int = 2000
    steps: int = 400
    seed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Recovered:
    """One panel: where the truth lies in the posterior.

    Attributes
    ----------
    number
        Of the panel.
    keys
        Parameters.
    truth, estimate
        In their units.
    normal, sampled
        Probability below the truth by the normal approximation, and by draws of the posterior.
    rhat, ess
        Largest R-hat of the sampler, 1 where weighted draws did; effective sample size of what was used.
    is_walked
        Whether the sampler was needed.
    problem
        Why the panel could not be used; empty if it could.
    seconds
        Time taken.
    """

    number: int
    keys: tuple[str, ...] = ()
    truth: tuple[float, ...] = ()
    estimate: tuple[float, ...] = ()
    normal: tuple[float, ...] = ()
    sampled: tuple[float, ...] = ()
    is_walked: bool = False
    rhat: float = 1.0
    ess: float = 0.0
    problem: str = ""
    seconds: float = 0.0


@cache
def template(regions: int, years: int) -> tuple[Model, Panel, tuple[str, ...]]:
    """Model, observed start, and the parameters such a panel moves.

    Parameters
    ----------
    regions, years
        Size of the panels.

    Returns
    -------
    tuple
        The parameters are those a calibration would choose for a panel at the declared values.
    """
    whole = load_panel(PANEL)
    codes = whole.codes[:: max(len(whole.codes) // regions, 1)][:regions]
    start = whole.subset(regions=codes, years=range(whole.years[0], FIRST + 1))
    national = {name: {FIRST: series[FIRST]} for name, series in whole.national.items() if FIRST in series}
    start = Panel(
        name="start",
        regions=start.regions,
        years=start.years,
        values={name: array.copy() for name, array in start.values.items()},
        units=start.units,
        national=national,
        currency=start.currency,
        price_basis=start.price_basis,
    )
    model = load_model(MODEL, regions=len(codes))
    central = simulated_panel(model, start, years, {}, np.random.default_rng(0))
    return model, start, CalibrationProblem(model, central, first_year=FIRST).space.keys


def recover(number: int, setting: Setting) -> Recovered:
    """Draw a truth from the prior, simulate a panel, fit it, and see where the truth lies.

    Parameters
    ----------
    number
        Of the panel; with the seed it decides everything.
    setting
        What is simulated and how it is fitted.

    Returns
    -------
    Recovered
        One that could not be used says why.
    """
    began = perf_counter()
    model, start, keys = template(setting.regions, setting.years)
    rng = np.random.default_rng([setting.seed, number])
    assert model.spec is not None  # noqa: S101
    priors = [model.spec.parameters[key].prior for key in keys]
    truth = {key: float(prior.sample(rng, 1)[0]) for key, prior in zip(keys, priors, strict=True) if prior is not None}
    try:
        panel = simulated_panel(model, start, setting.years, truth, rng)
        problem = CalibrationProblem(model, panel, first_year=FIRST, free=keys)
        at = _estimated(problem, setting.seed) if setting.errors == "estimated" else _searched(problem, truth)
        found = _ranked(at, truth, setting, number)
    except Exception as error:  # noqa: BLE001 - a panel that fails is a result and is counted
        return Recovered(number=number, problem=f"{type(error).__name__}: {error}", seconds=perf_counter() - began)
    return Recovered(number=number, keys=keys, seconds=perf_counter() - began, **found)


def _estimated(problem: CalibrationProblem, seed: int) -> FittedPoint:
    """As a user fits: the errors are estimated on the way."""
    return fitted_point(problem, fit(problem, starts=1, seed=seed))


def _searched(problem: CalibrationProblem, truth: dict[str, float]) -> FittedPoint:
    """With the errors the panel was made with; the better of the searches from the centre and from the truth."""
    space = problem.space
    lower, upper = space.bounds
    objective = Objective(linearised=problem.linearised, lower=lower, upper=upper, scale=space.scale)
    ends = [LeastSquares().minimise(objective, point) for point in (space.centre, space.to_vector(truth))]
    return point_at(problem, min(ends, key=lambda end: end.cost).point)


def _ranked(at: FittedPoint, truth: dict[str, float], setting: Setting, number: int) -> dict[str, Any]:
    from scipy.special import ndtr

    space = at.problem.space
    true = space.to_vector(truth)
    values = space.to_values(at.point)
    found: dict[str, Any] = {
        "truth": tuple(truth.values()),
        "estimate": tuple(float(values[key]) for key in space.keys),
        "normal": tuple(ndtr((true - at.point) / at.spread).tolist()),
    }
    for count in (setting.draws, MORE * setting.draws) if setting.draws else ():
        weighted = weighted_draws(at, count, seed=number)
        if weighted.effective >= FEWEST:
            return found | {"sampled": tuple(weighted.below(true).tolist()), "ess": weighted.effective}
    sample = sample_at(at, RANKED, steps=setting.steps, seed=number)
    below = (sample.draws < np.array(tuple(truth.values()))).sum(axis=0)
    return found | {
        "sampled": tuple(((below + 0.5) / (RANKED + 1)).tolist()),
        "is_walked": True,
        "rhat": sample.convergence.worst_rhat,
        "ess": sample.convergence.least_ess,
    }


def recovered(setting: Setting, panels: int, *, kept: Path | None = None, processes: int = 1) -> list[Recovered]:
    """Recover parameters from many panels.

    Parameters
    ----------
    setting
        What is simulated and how it is fitted.
    panels
        How many.
    kept
        File with a line for each finished panel; those of the same setting that are there already are not made again.
    processes
        Panels fitted at a time.

    Returns
    -------
    list of Recovered
        In the order of their numbers.
    """
    done = {} if kept is None else _read(kept, setting)
    waiting = [number for number in range(panels) if number not in done]
    for item in _made(waiting, setting, processes):
        done[item.number] = item
        if kept is not None:
            with kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"setting": asdict(setting), "panel": asdict(item)}) + "\n")
    return [done[number] for number in sorted(done) if number < panels]


def _made(numbers: Sequence[int], setting: Setting, processes: int) -> Iterator[Recovered]:
    if processes == 1 or len(numbers) < 2:
        yield from (recover(number, setting) for number in numbers)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_alone) as pool:
        yield from pool.map(recover, numbers, [setting] * len(numbers))


def _alone() -> None:
    """Let this process simulate on one thread: the others have the other cores."""
    os.cpu_count = lambda: 1


def _read(kept: Path, setting: Setting) -> dict[int, Recovered]:
    if not kept.is_file():
        return {}
    lines = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]
    found = [line["panel"] for line in lines if line["setting"] == asdict(setting)]
    lists = ("keys", "truth", "estimate", "normal", "sampled")
    return {item["number"]: Recovered(**{**item, **{name: tuple(item[name]) for name in lists}}) for item in found}


def report(setting: Setting, panels: Sequence[Recovered]) -> tuple[list[str], dict[str, Any]]:
    """Tables of all methods, as text and as plain data.

    Parameters
    ----------
    setting
        What was simulated.
    panels
        What was found.

    Returns
    -------
    lines : list of str
        For people.
    record : dict
        For programs.
    """
    good = [item for item in panels if not item.problem]
    lines = [
        f"{len(panels)} panels of {setting.regions} regions and {setting.years} years after {FIRST}, truths from the "
        f"prior, errors {setting.errors}; {len(panels) - len(good)} could not be used; "
        f"{sum(item.seconds for item in panels):.0f} s of work"
    ]
    lines += [f"  panel {item.number}: {item.problem}" for item in panels if item.problem]
    record: dict[str, Any] = {"setting": asdict(setting), "panels": [asdict(item) for item in panels], "methods": {}}
    for method, title in (("normal", "normal approximation"), ("sampled", "draws of the posterior")):
        ranks = np.array([getattr(item, method) for item in good if getattr(item, method)])
        if not len(ranks):
            continue
        found = judge(good[0].keys, ranks)
        lines += ["", f"{title}: share of truths within the central 50, 80 and 95 % interval", *table(found)]
        record["methods"][method] = {
            "holds": found.holds,
            "rows": [
                {
                    "key": row.key,
                    "panels": row.panels,
                    "covered": [row.covered[level] for level in LEVELS],
                    "binomial_p": [row.binomial[level] for level in LEVELS],
                    "uniform_p": row.uniform,
                }
                for row in found.rows
            ],
            "wrong_coverage": list(found.wrong_coverage),
            "wrong_ranks": list(found.wrong_ranks),
            "outside": list(found.outside),
        }
    walked = [item for item in good if item.is_walked]
    trusted = sum(item.rhat < LARGEST_RHAT and item.ess >= SMALLEST_ESS for item in walked)
    lines += [
        "",
        f"posteriors by weighted draws in {len(good) - len(walked)} panels, by the sampler in {len(walked)}, of which "
        f"{trusted} converged; all are counted",
    ]
    record |= {"walked": len(walked), "trusted": trusted}
    return lines, record


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recovery", description=__doc__)
    parser.add_argument("--panels", type=int, default=400, help="panels to simulate (400)")
    parser.add_argument("--regions", type=int, default=Setting().regions, help="regions of each (8)")
    parser.add_argument("--years", type=int, default=Setting().years, help="years of each (12)")
    parser.add_argument("--errors", choices=("estimated", "known"), default="estimated", help="errors of the series")
    parser.add_argument("--draws", type=int, default=Setting().draws, help="weighted draws; 0 always takes the sampler")
    parser.add_argument("--steps", type=int, default=Setting().steps, help="steps of the sampler at most")
    parser.add_argument("--seed", type=int, default=0, help="decides everything (0)")
    parser.add_argument("--processes", type=int, default=2, help="panels fitted at a time (2)")
    parser.add_argument("--keep", type=Path, default=None, help="file of finished panels; an interrupted run goes on")
    parser.add_argument("--json", type=Path, default=None, help="file for every number")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its tables.

    Parameters
    ----------
    given
        Arguments; None takes those of the command line.

    Returns
    -------
    int
        Exit code: 1 if a method fails one of its tests.
    """
    options = arguments(given)
    for name in THREADS:
        os.environ.setdefault(name, "1")
    setting = Setting(
        regions=options.regions,
        years=options.years,
        errors=options.errors,
        draws=options.draws,
        steps=options.steps,
        seed=options.seed,
    )
    began = perf_counter()
    panels = recovered(setting, options.panels, kept=options.keep, processes=options.processes)
    lines, record = report(setting, panels)
    print("\n".join(lines))
    if options.json is not None:
        record |= {"machine": machine(), "versions": versions(), "seconds": perf_counter() - began}
        options.json.write_text(json.dumps(record, indent=1), encoding="utf-8")
    return int(not all(item["holds"] for item in record["methods"].values()))


if __name__ == "__main__":
    sys.exit(main())
