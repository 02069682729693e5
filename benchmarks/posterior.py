"""What one posterior of all parameters says of the shipped panel: python -m benchmarks.posterior --help."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import process_time
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.recovery import ASKED, MODEL, PANEL
from calibration.fitting.fit import fit
from calibration.fitting.problem import Problem
from calibration.fitting.results import Fit
from calibration.uncertainty import fitted_point, sample_at
from pysd_runner.data import Data, load_data
from pysd_runner.model import Model, load_model
from pysd_runner.study.draws import parameter_draws

Array = NDArray[np.float64]
Result = TypeVar("Result")

ANCHOR, DEFINITIONS = "skill_level", ("digital_skill_intermediate", "digital_skill_basic")
SKILLS, ACCESS, SURVEYED = "National Skill Share", "National Access Share", 2023
# Shares of the first year in the first version, which no panel could move.
FORMER_SHARES: Mapping[str, float] = {"h_s": 0.45, "h_u": 0.6}
# A draw is far from history when its error is more than so many times that of the fit.
FAR = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitted:
    """A calibration, and what it took.

    Attributes
    ----------
    name
        What was estimated.
    problem, result
        What was fitted and found.
    seconds
        Processor time of the fit.
    """

    name: str
    problem: Problem
    result: Fit
    seconds: float

    @property
    def others(self) -> float:
        """Log likelihood of all series but the anchor, at the estimate and with the errors found there."""
        at = fitted_point(self.problem, self.result)
        whole = float(at.problem.log_likelihood_batch(at.point[None])[0])
        return whole - sum(
            float(-0.5 * (raw[item.used] ** 2).sum() / item.declared_sd**2)
            - int(item.used.sum()) * float(np.log(item.declared_sd * np.sqrt(2 * np.pi)))
            for item, raw in zip(at.problem.series, at.problem.raw_residuals(at.point), strict=True)
            if item.measurement == ANCHOR
        )

    def level(self, variable: str, year: int) -> float:
        """A national share at the estimate."""
        at = fitted_point(self.problem, self.result)
        return float(levels(at.problem, at.point[None], variable)[0, year - at.problem.first_year])


def levels(problem: Problem, z: Array, variable: str) -> Array:
    """Simulate a national variable for many vectors of parameters, shape (draw, year)."""
    return problem.runs.copied(outcomes=[variable]).batch(problem.parameters_at(z), len(z))[variable]


def misses(problem: Problem, z: Array) -> tuple[Array, Array]:
    """How far vectors of parameters are from history, shape (draw,) each.

    Parameters
    ----------
    problem
        With the errors of the fit.
    z
        On the unconstrained scale, shape (draw, parameter).

    Returns
    -------
    all_series, access_level : ndarray
        Root mean square of fitted less observed: over all cells, each in standard deviations of its error; and of
        national access alone. Infinite where the simulation fails.
    """
    squares, cells, access = np.zeros(len(z)), 0, np.zeros(len(z))
    for item, found in zip(problem.series, problem.fitted_batch(z), strict=True):
        apart = (found - item.values)[:, item.used]
        squares += ((apart / problem.noise[item.label].total_sd) ** 2).sum(axis=1)
        cells += apart.shape[1]
        if item.measurement == "access_level":
            access = np.sqrt((apart**2).mean(axis=1))
    return tuple(np.where(np.isfinite(found), found, np.inf) for found in (np.sqrt(squares / cells), access))  # type: ignore[return-value]


def far_from_history(whole: Problem, fitted: Fitted, draws: int, seed: int) -> tuple[float, float]:
    """Share of a projection's draws that are farther from history than `FAR` times the fit.

    Parameters
    ----------
    whole
        The problem with all parameters.
    fitted
        What projections draw from; parameters that it lacks are drawn from their priors.
    draws
        How many.
    seed
        Decides them.

    Returns
    -------
    all_series, access_level : float
        By both measures of `misses`.
    """
    at = fitted_point(fitted.problem, fitted.result)
    problem = whole.with_noise(
        {item.label: at.problem.noise.get(item.label, whole.noise[item.label]) for item in whole.series}
    )
    drawn = parameter_draws(problem.spec, fitted.result.fitted, draws, np.random.default_rng(seed))
    space = problem.space
    z = np.stack([prior.to_unbounded(drawn[key]) for key, prior in zip(space.keys, space.priors, strict=True)], axis=1)
    central = {key: item.value for key, item in problem.spec.parameters.items()} | fitted.result.fitted.as_values()
    centre = space.to_vector({key: float(value) for key, value in central.items()})
    ours = misses(problem, centre[None])
    return tuple(float((found > FAR * own[0]).mean()) for found, own in zip(misses(problem, z), ours, strict=True))  # type: ignore[return-value]


def fits(model: Model, panel: Data, starts: int) -> list[Fitted]:
    """Calibrate with everything estimated, by both definitions of a skill, and as the first version did.

    Parameters
    ----------
    model, panel
        What is fitted.
    starts
        Searches of each.

    Returns
    -------
    list of Fitted
        The first version last: thirteen parameters, the shares of the first year held, no anchor.
    """
    bare = panel.with_national({name: item for name, item in panel.national.items() if name not in DEFINITIONS})
    problems = {name: Problem(model, panel, observations={ANCHOR: {"national": name}}) for name in DEFINITIONS}
    problems["first version"] = Problem(model, bare, free=ASKED, values=FORMER_SHARES)
    made = []
    for name, problem in problems.items():
        problem.jacobian(problem.space.centre)
        result, seconds = timed(lambda problem=problem: fit(problem, starts=starts, seed=0))  # type: ignore[misc]
        made.append(Fitted(name=name, problem=problem, result=result, seconds=seconds))
    return made


def timed(function: Callable[[], Result]) -> tuple[Result, float]:
    """What a function gives, and the processor time it took."""
    began = process_time()
    found = function()
    return found, process_time() - began


def report(panel: Data, *, starts: int, draws: int, sampler: bool) -> list[str]:
    """Everything this benchmark prints.

    Parameters
    ----------
    panel
        Observations.
    starts
        Searches of each fit.
    draws
        Of a projection, and of the sampler.
    sampler
        Whether the posterior is sampled too.

    Returns
    -------
    list of str
        Lines.
    """
    model = load_model(MODEL, regions=len(panel.regions))
    made = fits(model, panel, starts)
    former = made[-1]
    lines = [
        f"panel {panel.name}, {former.problem.first_year}-{former.problem.last_year}",
        f"{'':<30}{'parameters':>11}{'skills ' + str(SURVEYED):>13}{'others':>10}{'difference':>12}{'fit, s':>9}",
    ]
    lines += [
        f"{item.name:<30}{len(item.problem.space):>11}{item.level(SKILLS, SURVEYED):>13.3f}{item.others:>10.1f}"
        f"{item.others - former.others:>+12.1f}{item.seconds:>9.2f}"
        for item in made
    ]
    lines += [
        "skills: national share of people; others: log likelihood of all series but the survey of skills",
        f"processor time of a fit of all parameters over that of thirteen: {made[0].seconds / former.seconds:.2f}",
        "",
        f"draws of a projection farther from history than {FAR:g} times the fit, {draws} draws:",
    ]
    whole = made[0].problem
    for title, item in (("the thirteen, others from their priors", former), ("all parameters together", made[0])):
        far, access = far_from_history(whole, item, draws, 0)
        lines.append(f"  {title}: {far:.1%} by all series, {access:.1%} by national access")
    if sampler:
        lines += _sampled(made[0], draws)
    return lines


def _sampled(fitted: Fitted, draws: int) -> list[str]:
    at = fitted_point(fitted.problem, fitted.result)
    found, seconds = timed(lambda: sample_at(at, draws))
    lines = [
        "",
        f"sampler: largest R-hat {found.convergence.worst_rhat:.4f}, smallest effective sample size "
        f"{found.convergence.least_ess:.0f}, {found.steps} steps, acceptance {found.acceptance:.2f}, {seconds:.1f} s",
    ]
    scores = at.problem.space
    z = np.stack([prior.to_unbounded(found.draws[:, place]) for place, prior in enumerate(scores.priors)], axis=1)
    apart = (z.mean(axis=0) - at.point) / at.spread
    order = np.argsort(-np.abs(apart))[:5]
    shown = ", ".join(f"{scores.keys[place]} {apart[place]:+.2f}" for place in order)
    sampled = replace(fitted, result=found.attached(fitted.result))
    far, access = far_from_history(fitted.problem, sampled, draws, 0)
    return [
        *lines,
        f"  means farthest from the normal approximation, in its standard deviations: {shown}",
        f"  draws farther from history than {FAR:g} times the fit: {far:.1%} by all series, {access:.1%} by access",
    ]


def main(given: Sequence[str] | None = None) -> int:
    """Run the benchmark and print what it finds.

    Parameters
    ----------
    given
        Arguments; None takes those of the command line.

    Returns
    -------
    int
        0.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.posterior", description=__doc__)
    parser.add_argument("--panel", default=PANEL, help="shipped panel or file (china)")
    parser.add_argument("--starts", type=int, default=2, help="searches of each fit (2)")
    parser.add_argument("--draws", type=int, default=1000, help="draws of a projection (1000)")
    parser.add_argument("--sampler", action="store_true", help="sample the posterior too")
    options = parser.parse_args(given)
    lines = report(
        load_data(options.panel, panel=True), starts=options.starts, draws=options.draws, sampler=options.sampler
    )
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
