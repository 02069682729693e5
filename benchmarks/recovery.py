"""Are parameters recovered from panels simulated with known ones? python -m benchmarks.recovery --help."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.coverage import LEVELS, POOLED, Coverage, coverage, outside, rejected, table
from benchmarks.headline import effect_lines, effect_ranks
from benchmarks.machine import machine, versions
from benchmarks.simulated import DISTURBANCES, simulated_panel
from calibration.fitting.fit import fit
from calibration.fitting.problem import Problem
from calibration.fitting.space import ParameterSpace, chosen
from calibration.uncertainty import fitted_point, sample_at
from pysd_runner.core.parallel import open_pool
from pysd_runner.data import Data, load_data
from pysd_runner.model import Model, load_model

Array = NDArray[np.float64]

MODEL, PANEL = "regional_digital", "china"
FIRST = 2014

# Parameters that the first version estimated, the others held. They are what a panel is asked for.
ASKED = ("q_a", "g_D", "lam_S", "lam_U", "q_u", "th_U", "c0", "c1", "lam_I", "pi", "tau_m", "lambda_s", "lambda_u")
# Those whose 95 % intervals were far too narrow while the others were held, and how often they must hold at least.
ONCE_NARROW, LEAST = ("q_a", "g_D"), 0.88
# The same for momentum where a census finds another population, regions share shocks, or are unlike.
OF_MEMORY = {"census": ("tau_m",), "common": ("tau_m",), "heteroskedastic": ("tau_m",)}

# Draws of the sampler that ranks are counted in.
RANKED = 999


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What is simulated and how it is fitted.

    Attributes
    ----------
    regions, years
        Size of the panels: every so-manieth province in 2014, and years after it.
    truth
        ``"prior"``: all parameters are drawn from their priors; ``"declared"``: those of `ASKED` are, the others are as
        declared, near the middle of their priors. Intervals then hold more truths than they say; only too few count.
    disturb
        What is wrong with the panels, see `benchmarks.simulated`.
    estimate
        ``"all"`` parameters, or ``"asked"``: those of `ASKED`, the others held as declared, as the first version did.
    sampler
        Whether the posterior is sampled too.
    effects
        Whether effects of a policy are ranked too, without measured effects and with some drawn from the truth.
    seed
        Decides truths, errors and draws.
    """

    regions: int = 10
    years: int = 12
    truth: str = "prior"
    disturb: str = "none"
    estimate: str = "all"
    sampler: bool = False
    effects: bool = False
    seed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Recovered:
    """One panel: where the truth lies in the posterior.

    Attributes
    ----------
    number
        Of the panel.
    keys
        Parameters whose truth was drawn and that were estimated.
    truth, estimate
        In their units.
    normal, sampled
        Probability below the truth by the normal approximation, and by draws of the posterior.
    failed
        Diagnostics of the fit that failed.
    rhat, ess
        Largest R-hat and smallest effective sample size of the draws.
    problem
        Why the panel could not be used; empty if it could.
    seconds
        Processor time of the fit, and of the sampler.
    effects
        Probability below the true effects, see `benchmarks.headline`.
    """

    number: int
    keys: tuple[str, ...] = ()
    truth: tuple[float, ...] = ()
    estimate: tuple[float, ...] = ()
    normal: tuple[float, ...] = ()
    sampled: tuple[float, ...] = ()
    failed: tuple[str, ...] = ()
    rhat: float = 1.0
    ess: float = 0.0
    problem: str = ""
    seconds: tuple[float, float] = (0.0, 0.0)
    effects: dict[str, float] = field(default_factory=dict)


@cache
def template(regions: int, years: int) -> tuple[Model, Data, ParameterSpace, dict[str, tuple[int, ...]]]:
    """What all panels of a size have in common.

    Parameters
    ----------
    regions, years
        Size of the panels.

    Returns
    -------
    tuple
        Model, observed years to the start, the parameters a calibration estimates, and the years of national surveys.
    """
    whole = load_data(PANEL, panel=True)
    codes = whole.codes[:: max(len(whole.codes) // regions, 1)][:regions]
    start = whole.subset(entities=codes, times=range(whole.years[0], FIRST + 1))
    model = load_model(MODEL, regions=len(codes))
    assert model.spec is not None  # noqa: S101
    surveys = {}
    for item in model.spec.measurements.values():
        if item.errors.known:
            surveys[item.national] = tuple(year for year in whole.national[item.national] if year <= FIRST + years)
    start = Data.by_region(
        name="start",
        regions=start.regions,
        years=start.years,
        values={name: array.copy() for name, array in start.values.items()},
        units=start.units,
        national={name: {FIRST: series[FIRST]} for name, series in whole.national.items() if FIRST in series},
        currency=start.currency,
        price_basis=start.price_basis,
    )
    space = ParameterSpace.of(chosen(model.spec, free=None, fixed=()))
    return model, start, space, {name: observed for name, observed in surveys.items() if observed}


def recover(number: int, setting: Setting) -> Recovered:
    """Draw a truth, simulate a panel, fit it, and see where the truth lies.

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
    model, start, space, surveys = template(setting.regions, setting.years)
    rng = np.random.default_rng([setting.seed, number])
    drawn = {key: float(prior.sample(rng, 1)[0]) for key, prior in zip(space.keys, space.priors, strict=True)}
    keys = tuple(key for key in space.keys if setting.truth == "prior" or key in ASKED)
    truth = {key: drawn[key] for key in keys}
    try:
        panel = simulated_panel(model, start, setting.years, truth, rng, disturbance=setting.disturb, surveys=surveys)
        free = ASKED if setting.estimate == "asked" else None
        problem = Problem(model, panel, start=FIRST, free=free)
        ranked = {key: value for key, value in truth.items() if key in problem.space.keys}
        found = _found(problem, ranked, setting, number)
        at, chains = found.pop("at"), found.pop("chains", None)
        if setting.effects:
            found["effects"] = effect_ranks(model, start, panel, at, truth, rng, seed=number, sampled=chains)
    except Exception as error:  # noqa: BLE001 - a panel that fails is a result and is counted
        return Recovered(number=number, problem=f"{type(error).__name__}: {error}")
    return Recovered(number=number, keys=tuple(ranked), truth=tuple(ranked.values()), **found)


def _found(problem: Problem, truth: dict[str, float], setting: Setting, number: int) -> dict[str, Any]:
    from scipy.special import ndtr

    began = process_time()
    result = fit(problem, starts=1, seed=setting.seed)
    fitted = process_time()
    at = fitted_point(problem, result)
    space = at.problem.space
    places = [space.keys.index(key) for key in truth]
    true = np.array([float(space.priors[place].to_unbounded(truth[space.keys[place]])) for place in places])
    sampled: dict[str, Any] = {}
    if setting.sampler:
        sample = sample_at(at, RANKED, seed=number)
        chains = sample.chains.reshape(-1, len(space))
        below = (sample.draws[:, places] < np.array(tuple(truth.values()))).sum(axis=0)
        sampled = {
            "chains": chains[np.arange(RANKED) * len(chains) // RANKED],
            "sampled": tuple(((below + 0.5) / (len(sample.draws) + 1)).tolist()),
            "rhat": sample.convergence.worst_rhat,
            "ess": sample.convergence.least_ess,
        }
    return sampled | {
        "at": at,
        "estimate": tuple(result.parameter(key).estimate for key in truth),
        "normal": tuple(ndtr((true - at.point[places]) / at.spread[places]).tolist()),
        "failed": tuple(item.rule for item in result.check()),
        "seconds": (fitted - began, process_time() - fitted),
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
    for item in _made([number for number in range(panels) if number not in done], setting, processes):
        done[item.number] = item
        if kept is not None:
            with kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"setting": asdict(setting), "panel": asdict(item)}) + "\n")
    return [done[number] for number in sorted(done) if number < panels]


def _made(numbers: Sequence[int], setting: Setting, processes: int) -> Iterator[Recovered]:
    with open_pool("processes" if processes > 1 else None, processes, items=len(numbers)) as pool:
        for _, item in pool.finished(partial(recover, setting=setting), numbers):
            yield item


def _read(kept: Path, setting: Setting) -> dict[int, Recovered]:
    if not kept.is_file():
        return {}
    lines = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]
    found = [line["panel"] for line in lines if line["setting"] == asdict(setting)]
    return {item["number"]: Recovered(**_tuples(item)) for item in found}


def _tuples(item: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in item.items()}


def report(setting: Setting, panels: Sequence[Recovered]) -> tuple[list[str], dict[str, Any]]:
    """Tables of both methods, as text and as plain data.

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
        For programs; ``holds`` of a method says whether it keeps every limit.
    """
    good = [item for item in panels if not item.problem]
    told = "drawn from the priors" if setting.truth == "prior" else f"{len(ASKED)} drawn, the others as declared"
    failed = [item for item in good if item.failed]
    lines = [
        f"{len(panels)} panels of {setting.regions} regions and {setting.years} years after {FIRST}; truths {told}; "
        f"estimated: {setting.estimate}; disturbance: {setting.disturb}; {len(panels) - len(good)} could not be used; "
        f"{len(failed)} fits fail a check"
    ]
    lines += [f"  panel {item.number}: {item.problem}" for item in panels if item.problem]
    record: dict[str, Any] = {"setting": asdict(setting), "panels": [asdict(item) for item in panels], "methods": {}}
    for method, title in (("normal", "normal approximation"), ("sampled", "draws of the posterior")):
        used = [item for item in good if getattr(item, method)]
        if used:
            ranks = np.array([getattr(item, method) for item in used])
            told_of, record["methods"][method] = _judged(setting, used[0].keys, ranks)
            lines += ["", f"{title}: percent of truths within the central 50, 80 and 95 % interval", *told_of]
    if setting.effects:
        lines += ["", *effect_lines([item.effects for item in good])]
    if good:
        middle = np.median([item.seconds for item in good], axis=0)
        lines += ["", f"processor time in the median: fit {middle[0]:.2f} s"]
    if setting.sampler and good:
        lines[-1] += f", sampler {middle[1]:.1f} s"
        worst = np.median([item.rhat for item in good]), np.median([item.ess for item in good])
        lines += [f"largest R-hat {worst[0]:.3f} and smallest effective sample size {worst[1]:.0f} in the median panel"]
    return lines, record


def _judged(setting: Setting, keys: Sequence[str], ranks: Array) -> tuple[list[str], dict[str, Any]]:
    rows = [coverage(key, ranks[:, place]) for place, key in enumerate(keys)]
    asked = coverage(f"the {len(ASKED)}", ranks[:, [keys.index(key) for key in ASKED]])
    everything = coverage(f"all {len(keys)}", ranks)
    together = [asked] if len(keys) == len(ASKED) else [asked, everything]
    by_name = {row.name: row for row in rows}
    is_two_sided = setting.truth == "prior"
    wrong = [(name, at) for name, at in rejected(rows) if is_two_sided or by_name[name].covered[at] < at]
    named = [row for row in rows if row.name in ASKED or any(row.name == name for name, _ in wrong)]
    limits = _limits(setting, asked, by_name)
    lines = [*table([*named, *together], wrong), *limits]
    tested = f"{len(rows) * len(LEVELS)} binomial tests with Holm's correction: "
    lines.append(tested + ("all pass" if not wrong else ", ".join(f"{name} at {level:.0%}" for name, level in wrong)))
    record = {
        "rows": [
            {
                "name": row.name,
                "panels": row.panels,
                **{part: [getattr(row, part).get(level) for level in LEVELS] for part in _PARTS},
            }
            for row in [*rows, *together]
        ],
        "rejected": wrong,
        "holds": not wrong and not any("MISSED" in line for line in limits),
    }
    return lines, record


_PARTS = ("covered", "errors", "binomial")


def _limits(setting: Setting, asked: Coverage, rows: dict[str, Coverage]) -> list[str]:
    """One line for each limit that this setting has to keep."""
    lines = []
    if setting.disturb == "none" and setting.truth == "prior":
        bounds = ", ".join(f"{100 * low:.0f}-{100 * high:.0f}" for low, high in POOLED.values())
        lines.append(f"{asked.name} pooled, within {bounds} %: {'MISSED' if outside(asked) else 'kept'}")
    elif setting.disturb == "none":
        bounds = ", ".join(f"{100 * low:.0f}" for low, _ in POOLED.values())
        missed = any(asked.covered[level] < low for level, (low, _) in POOLED.items())
        lines.append(f"{asked.name} pooled, at least {bounds} %: {'MISSED' if missed else 'kept'}")
    narrow = {"none": ONCE_NARROW, **OF_MEMORY}.get(setting.disturb, ())
    for key in narrow:
        found = rows[key].covered[LEVELS[-1]]
        lines.append(f"{key} at 95 %, at least {LEAST:.0%}: {'kept' if found >= LEAST else 'MISSED'}")
    return lines


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    usual = Setting()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recovery", description=__doc__)
    parser.add_argument("--panels", type=int, default=200, help="panels to simulate (200)")
    parser.add_argument("--regions", type=int, default=usual.regions, help=f"regions of each ({usual.regions})")
    parser.add_argument("--years", type=int, default=usual.years, help=f"years of each ({usual.years})")
    parser.add_argument("--truth", choices=("prior", "declared"), default=usual.truth, help="where truths come from")
    parser.add_argument("--disturb", choices=DISTURBANCES, default=usual.disturb, help="what is wrong with the panels")
    parser.add_argument(
        "--estimate", choices=("all", "asked"), default=usual.estimate, help="all parameters, or thirteen"
    )
    parser.add_argument("--sampler", action="store_true", help="sample every posterior too")
    parser.add_argument("--effects", action="store_true", help="rank effects of a policy too, with measured effects")
    parser.add_argument("--seed", type=int, default=usual.seed, help="decides everything (0)")
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
        Exit code: 1 if a method misses one of its limits.
    """
    options = arguments(given)
    setting = Setting(
        regions=options.regions,
        years=options.years,
        truth=options.truth,
        disturb=options.disturb,
        estimate=options.estimate,
        sampler=options.sampler,
        effects=options.effects,
        seed=options.seed,
    )
    panels = recovered(setting, options.panels, kept=options.keep, processes=options.processes)
    lines, record = report(setting, panels)
    print("\n".join(lines))
    if options.json is not None:
        record |= {"machine": machine(), "versions": versions()}
        options.json.write_text(json.dumps(record, indent=1), encoding="utf-8")
    return int(not all(item["holds"] for item in record["methods"].values()))


if __name__ == "__main__":
    sys.exit(main())
