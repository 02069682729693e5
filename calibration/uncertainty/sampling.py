"""Draws from the posterior itself, where the normal approximation may not do."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from calibration.problem import CalibrationProblem
from calibration.results import FitResult
from calibration.uncertainty.convergence import Convergence, convergence
from calibration.uncertainty.moves import moves
from calibration.uncertainty.point import FittedPoint, Progress, fitted_point
from pysd_runner.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

# Entry of `FittedParameters.provenance` under which reports find how well the sample mixed.
ENTRY = "sampling"

FEWEST_WALKERS = 32
# Steps between two looks at convergence. The first half of all steps is left out each time.
BLOCK = 100
MOST_STEPS = 3000
# Ensembles start this many posterior standard deviations apart, so that R-hat can notice one that stays where it was.
APART = 1.5
_TRIES = 200


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class PosteriorSample:
    """Draws from the posterior of the moved parameters.

    Attributes
    ----------
    keys
        Parameters.
    chains
        On the unbounded scale, without the first half of all steps, shape (ensemble, walker, step, parameter).
    draws
        The draws asked for, evenly taken from the chains, in the units of the parameters, shape (draw, parameter).
    convergence
        Whether they can be trusted.
    acceptance
        Share of accepted steps.
    steps
        Steps of every walker, those that are left out included.
    seed
        What decided them.
    """

    keys: tuple[str, ...]
    chains: Array
    draws: Array
    convergence: Convergence
    acceptance: float
    steps: int
    seed: int

    @property
    def is_trusted(self) -> bool:
        """Whether R-hat and effective sample sizes keep their limits."""
        return self.convergence.is_trusted

    def __repr__(self) -> str:
        """Size and convergence; a sample that may not be trusted says so first."""
        finding = self.convergence.finding()
        text = (
            f"PosteriorSample({len(self.draws)} draws of {len(self.keys)} parameters, "
            f"largest R-hat {self.convergence.worst_rhat:.3f}, smallest ESS {self.convergence.least_ess:.0f})"
        )
        return text if finding is None else f"!!! {finding.message} !!! {text}"

    def table(self) -> "pd.DataFrame":
        """One row a parameter: mean, standard deviation, quantiles, R-hat, effective sample sizes."""
        import pandas as pd

        table = pd.DataFrame({"key": list(self.keys)})
        table["mean"], table["sd"] = self.draws.mean(axis=0), self.draws.std(axis=0, ddof=1)
        for name, level in (("q05", 0.05), ("q25", 0.25), ("median", 0.5), ("q75", 0.75), ("q95", 0.95)):
            table[name] = np.quantile(self.draws, level, axis=0)
        table["rhat"] = list(self.convergence.rhat)
        table["ess_bulk"], table["ess_tail"] = list(self.convergence.ess_bulk), list(self.convergence.ess_tail)
        return table

    def attached(self, problem: CalibrationProblem, fit: FitResult) -> FitResult:
        """Put the draws into a fit: projections then use them in place of the normal approximation.

        Parameters
        ----------
        problem
            What was fitted.
        fit
            What the draws were made of.

        Returns
        -------
        FitResult
            With draws of all its parameters, the held ones from their priors, and with the warning among its findings
            if the draws may not be trusted.
        """
        rng = np.random.default_rng([self.seed, len(self.draws)])
        held = problem.held.to_values(problem.held.sample(rng, len(self.draws)))
        columns = {**held, **dict(zip(self.keys, self.draws.T, strict=True))}
        rows = np.stack([columns[key] for key in fit.fitted.keys], axis=1)
        record = {
            "draws": len(self.draws),
            "rhat": self.convergence.worst_rhat,
            "ess": self.convergence.least_ess,
            "is_trusted": self.is_trusted,
            "acceptance": self.acceptance,
            "steps": self.steps,
            "seed": self.seed,
        }
        fitted = replace(
            fit.fitted,
            draws=tuple(tuple(row) for row in rows.tolist()),
            provenance={**fit.fitted.provenance, ENTRY: record},
        )
        finding = self.convergence.finding()
        findings = fit.findings if finding is None else (finding, *fit.findings)
        return replace(fit, fitted=fitted, findings=findings)


def sample(
    problem: CalibrationProblem,
    fit: FitResult,
    draws: int = 1000,
    *,
    ensembles: int = 4,
    steps: int = MOST_STEPS,
    seed: int = 0,
    progress: Progress | None = None,
) -> PosteriorSample:
    """Sample the posterior with emcee, several independent ensembles stepping together on one batch of simulations.

    Sampling goes on until R-hat and effective sample sizes keep their limits, or the steps are used up. The errors of
    the series stay those of the fit.

    Parameters
    ----------
    problem
        What was fitted.
    fit
        What was found.
    draws
        Draws that are kept for projections.
    ensembles
        Independent ensembles, at least 2; more make R-hat surer.
    steps
        At most so many for every walker.
    seed
        Decides every draw; the same seed gives the same numbers.
    progress
        Called with steps finished and steps at most.

    Returns
    -------
    PosteriorSample
        Look at `PosteriorSample.is_trusted`.

    Raises
    ------
    InvalidInput
        If a number is too small, nothing was moved, or the fit does not belong to the problem.
    """
    return sample_at(fitted_point(problem, fit), draws, ensembles=ensembles, steps=steps, seed=seed, progress=progress)


def sample_at(
    at: FittedPoint,
    draws: int = 1000,
    *,
    ensembles: int = 4,
    steps: int = MOST_STEPS,
    seed: int = 0,
    progress: Progress | None = None,
) -> PosteriorSample:
    """Sample the posterior around a point; see `sample`.

    Parameters
    ----------
    at
        Where a search ended.
    draws, ensembles, steps, seed, progress
        As for `sample`.

    Returns
    -------
    PosteriorSample
        Look at `PosteriorSample.is_trusted`.

    Raises
    ------
    InvalidInput
        If a number is too small, or nothing was moved.
    """
    for name, value, least in (("draws", draws, 1), ("ensembles", ensembles, 2), ("steps", steps, 16)):
        if value < least:
            raise InvalidInput(f"{name} must be at least {least}; found {value}")
    if not len(at.problem.space):
        raise InvalidInput("there is nothing to sample: the fit moved no parameter")
    run = _Run(at, ensembles, seed)
    while True:
        run.advance(min(BLOCK, steps - run.steps))
        if progress is not None:
            progress(run.steps, steps)
        found = convergence(at.problem.space.keys, run.chains())
        if found.is_trusted or run.steps >= steps:
            return _taken(at, run, found, draws, seed)


def _taken(at: FittedPoint, run: "_Run", found: Convergence, draws: int, seed: int) -> PosteriorSample:
    chains = run.chains()
    pool = chains.transpose(2, 0, 1, 3).reshape(-1, chains.shape[-1])
    # Evenly over time; the order is shuffled, so that the first few draws of a projection come from everywhere.
    places = np.linspace(0, len(pool) - 1, min(draws, len(pool))).round().astype(int)
    kept = pool[np.random.default_rng(seed).permutation(places)]
    values = at.problem.space.to_values(kept)
    return PosteriorSample(
        keys=at.problem.space.keys,
        chains=chains,
        draws=np.stack(list(values.values()), axis=1),
        convergence=found,
        acceptance=run.acceptance,
        steps=run.steps,
        seed=seed,
    )


class _Run:
    """Walkers of all ensembles, in coordinates where the normal approximation is standard normal."""

    def __init__(self, at: FittedPoint, ensembles: int, seed: int) -> None:
        import emcee

        self._centre = at.point
        self._root = np.linalg.cholesky(at.curvature.covariance)
        self._ensembles = ensembles
        count = len(at.point)
        # Differential evolution needs more walkers than twice the parameters, and two equal halves of each ensemble.
        self._walkers = max(FEWEST_WALKERS, 2 * (count + 2))
        density = at.problem.log_posterior_batch

        def whitened(points: Array) -> Array:
            return density(self._turned(points))

        self._sampler: Any = emcee.EnsembleSampler(
            ensembles * self._walkers, count, whitened, moves=moves(ensembles), vectorize=True
        )
        random = np.random.RandomState(seed)
        start = _starts(whitened, random, ensembles, self._walkers, count)
        self._state: Any = emcee.State(start, random_state=random.get_state())

    @property
    def steps(self) -> int:
        return int(self._sampler.iteration)

    @property
    def acceptance(self) -> float:
        return float(np.mean(self._sampler.acceptance_fraction))

    def advance(self, steps: int) -> None:
        self._state = self._sampler.run_mcmc(self._state, steps, skip_initial_state_check=True)

    def chains(self) -> Array:
        """The later half of all steps, shape (ensemble, walker, step, parameter)."""
        points = self._sampler.get_chain(discard=self.steps // 2)
        turned = self._turned(points)
        return np.asarray(
            turned.reshape(len(turned), self._ensembles, self._walkers, -1).transpose(1, 2, 0, 3), dtype=float
        )

    def _turned(self, points: Array) -> Array:
        return np.asarray(self._centre + points @ self._root.T, dtype=float)


def _starts(
    density: Callable[[Array], Array], random: np.random.RandomState, ensembles: int, walkers: int, count: int
) -> Array:
    """Starts of all walkers, each ensemble around another place; those of no density are drawn again, nearer by."""
    centres = np.repeat(APART * random.standard_normal((ensembles, count)), walkers, axis=0)
    start = centres + random.standard_normal((ensembles * walkers, count))
    for _ in range(_TRIES):
        lost = ~np.isfinite(density(start))
        if not lost.any():
            return start
        centres[lost] *= 0.8
        start[lost] = centres[lost] + random.standard_normal((int(lost.sum()), count))
    raise InvalidInput("no starts with a finite posterior were found near the estimate; is the fit at a bound?")
