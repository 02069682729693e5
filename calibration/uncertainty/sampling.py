"""Sample the posterior by MCMC, for cases in which the normal approximation may be inadequate."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.point import FittedPoint, Progress, fitted_point
from calibration.fitting.problem import Problem
from calibration.fitting.results import Fit
from calibration.uncertainty.checks import Convergence, convergence
from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.core.parallel import one_thread
from pysd_runner.core.progress import ProgressCallback, callback_of, with_progress
from pysd_runner.core.types import Array, frozen
from pysd_runner.engine.memory import check_memory
from pysd_runner.engine.validation import check_integer
from pysd_runner.export.files import Tabled
from pysd_runner.export.records import Checkpoint, Computation
from pysd_runner.spec.fitted import DENSITIES

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

SAMPLE = Computation(
    name=Message("sample"), label="sample.json", settings=Message("model, panel, fit, ensembles or seed")
)

# Entry of `FittedParameters.provenance` under which reports find the convergence diagnostics.
ENTRY = "sampling"

# Number of walkers per ensemble.
WALKERS = 32
# Number of warm-up steps, which are discarded; at most half of all steps.
WARM_UP = 200
# Steps between convergence checks and, during the warm-up, between updates of the proposal distribution.
BLOCK = 100
MOST_STEPS = 4000
# Steps of a walker between draws that are kept, after which functions of many parameters are hardly autocorrelated.
THINNED = 25
# Spread of the ensembles' starting centres, in posterior standard deviations, so that R-hat reveals lack of mixing.
STARTING_SPREAD = 1.5
_TRIES = 200
# Bytes of one number of a draw: those of its array, and of the number of Python that a fit keeps.
BYTES = 48
# Minimum and maximum step size of Crank-Nicolson proposals, drawn for every walker: short steps are accepted where the
# normal approximation is poor, long ones reduce autocorrelation.
SHORTEST, LONGEST = 0.4, 0.8

# Probabilities of the moves: Crank-Nicolson; differential evolution, which suits posteriors far from normal; and
# differential evolution with a factor of 1, which jumps between modes.
SHARES = (0.95, 0.03, 0.02)

# Weight of the warm-up variance of the walkers when it is averaged with that of the normal approximation.
TRUST = 0.7


@frozen(eq=False, repr=False)
class PosteriorSample(Tabled):
    """Draws from the posterior of the estimated parameters.

    Attributes
    ----------
    keys
        Keys of the parameters.
    chains
        Steps after the warm-up on the unconstrained scale, shape (ensemble, walker, step, parameter).
    draws
        The requested number of draws, thinned evenly from the chains (walker by walker, in order of time), in the units
        of the parameters, shape (draw, parameter).
    convergence
        Convergence diagnostics.
    acceptance
        Share of accepted steps.
    steps
        Number of steps of every walker, including the warm-up.
    seed
        Seed of the random numbers.
    shifts
        Median of each parameter less its prior median, in prior standard deviations on the unconstrained scale.
    log_likelihood
        Log density of the data, and of measured effects that the search used, at each draw, up to a constant; shape
        (draw,).
    """

    keys: tuple[str, ...]
    chains: Array
    draws: Array
    convergence: Convergence
    acceptance: float
    steps: int
    seed: int
    shifts: tuple[float, ...]
    log_likelihood: Array

    @property
    def is_trusted(self) -> bool:
        """Whether R-hat and effective sample sizes are within their limits."""
        return self.convergence.is_trusted

    def __repr__(self) -> str:
        """Size and convergence, preceded by a warning if the sample has not converged."""
        finding = self.convergence.finding()
        text = (
            f"PosteriorSample({len(self.draws)} draws of {len(self.keys)} parameters, "
            f"largest R-hat {self.convergence.worst_rhat:.3f}, smallest ESS {self.convergence.least_ess:.0f})"
        )
        return text if finding is None else f"!!! {finding.message} !!! {text}"

    def to_frame(self) -> "pd.DataFrame":
        """The draws, one row each, one column per parameter."""
        import pandas as pd

        return pd.DataFrame(self.draws, columns=list(self.keys))

    def table(self) -> "pd.DataFrame":
        """One row per parameter: mean, standard deviation, quantiles, R-hat, effective sample sizes."""
        import pandas as pd

        table = pd.DataFrame({"key": list(self.keys)})
        table["mean"], table["sd"] = self.draws.mean(axis=0), self.draws.std(axis=0, ddof=1)
        for name, level in (("q05", 0.05), ("q25", 0.25), ("median", 0.5), ("q75", 0.75), ("q95", 0.95)):
            table[name] = np.quantile(self.draws, level, axis=0)
        table["rhat"] = list(self.convergence.rhat)
        table["ess_bulk"], table["ess_tail"] = list(self.convergence.ess_bulk), list(self.convergence.ess_tail)
        return table

    def to_datatree(self, problem: Problem) -> "xr.DataTree":
        """Convert all steps after the warm-up to the format of ArviZ 1.

        Parameters
        ----------
        problem
            The problem that was sampled, which provides parameter scales, units and the observations.

        Returns
        -------
        xarray.DataTree
            Group ``posterior``: the parameters in their units, dimensions (chain, draw), one chain per walker; and,
            if a table was fitted, group ``observed_data``.

        Raises
        ------
        InvalidInput
            If the problem has other parameters.

        Examples
        --------
        >>> import arviz as az  # doctest: +SKIP
        >>> az.summary(sample(problem, fit).to_datatree(problem))  # doctest: +SKIP
        """
        import xarray as xr

        if problem.space.keys != self.keys:
            raise InvalidInput(
                "the sample is of {sample}; the problem of {problem}",
                sample=", ".join(self.keys),
                problem=", ".join(problem.space.keys),
            )
        chains = self.chains.reshape(-1, *self.chains.shape[2:])
        values = problem.space.to_values(chains.reshape(-1, len(self.keys)))
        units = {item.key: item.unit for item in problem.space.parameters}
        arrays = {
            key: (["chain", "draw"], values[key].reshape(chains.shape[:2]), {"units": units[key]}) for key in self.keys
        }
        attrs = {"inference_library": "emcee", "warm_up_left_out": self.steps - chains.shape[1], "seed": self.seed}
        coords = {"chain": np.arange(len(chains)), "draw": np.arange(chains.shape[1])}
        groups = {"posterior": xr.Dataset(arrays, coords=coords, attrs=attrs)}
        groups["observed_data"] = problem.data.to_xarray()
        return xr.DataTree.from_dict(groups)

    def attached(self, fit: Fit) -> Fit:
        """Add the draws to a fit, so that projections use them instead of the normal approximation.

        Parameters
        ----------
        fit
            The fit from which the sampling started.

        Returns
        -------
        Fit
            The fit with the draws, and with a finding if the sample has not converged.
        """
        record = {
            "draws": len(self.draws),
            "walkers": self.chains.shape[0] * self.chains.shape[1],
            "rhat": self.convergence.worst_rhat,
            "ess": self.convergence.least_ess,
            "is_trusted": self.is_trusted,
            "acceptance": self.acceptance,
            "steps": self.steps,
            "seed": self.seed,
            "shift": dict(zip(self.keys, self.shifts, strict=True)),
        }
        fitted = replace(
            fit.fitted,
            draws=tuple(tuple(row) for row in self.draws.tolist()),
            provenance={
                **fit.fitted.provenance,
                ENTRY: record,
                DENSITIES: {"likelihood": self.log_likelihood.tolist()},
            },
        )
        finding = self.convergence.finding()
        made = replace(fit, fitted=fitted)
        return made if finding is None else made.with_findings(finding)


@with_progress("Sampling the posterior")
def sample(
    problem: Problem | Fit,
    fit: Fit | None = None,
    draws: int = 2500,
    *,
    ensembles: int = 4,
    steps: int = MOST_STEPS,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    progress: ProgressCallback = None,
) -> PosteriorSample:
    """Sample the posterior with emcee: independent ensembles of walkers share each batch of simulations.

    After a warm-up, in which the proposal distribution is adapted, sampling continues until R-hat and effective sample
    sizes are within their limits and the draws can be taken `THINNED` steps of a walker apart, or until the maximum
    number of steps. The error models of the series remain those of the fit.

    Parameters
    ----------
    problem
        The calibration problem that was fitted; or its fit alone, in the session that made it.
    fit
        Its fit, from which sampling starts.
    draws
        Number of draws kept for projections.
    ensembles
        Number of independent ensembles, at least 2; R-hat is more reliable with more.
    steps
        Maximum number of steps of every walker.
    seed
        Seed of the random numbers.
    checkpoint
        Folder that stores finished steps, from which the same call resumes.
    progress
        As for `fit`; steps of every walker, and their maximum.

    Returns
    -------
    PosteriorSample
        The draws; check `PosteriorSample.is_trusted` before using them.

    Raises
    ------
    InvalidInput
        If a number is too small, no parameter was estimated, or the fit does not belong to the problem.
    """
    settings: dict[str, Any] = {
        "seed": seed,
        "checkpoint": checkpoint,
        "progress": partial(callback_of(progress), "steps"),
    }
    return sample_at(fitted_point(problem, fit), draws, ensembles=ensembles, steps=steps, **settings)


def check_draws(draws: int, parameters: int) -> None:
    """Raise if the draws of a sample would not fit into memory."""
    check_memory(
        BYTES * check_integer("draws", draws, least=1) * parameters,
        Message("this sample"),
        Message("take fewer draws ({draws})", draws=draws),
    )


@one_thread
def sample_at(
    at: FittedPoint,
    draws: int = 2500,
    *,
    ensembles: int = 4,
    steps: int = MOST_STEPS,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    progress: Progress | None = None,
) -> PosteriorSample:
    """Sample the posterior around a point; see `sample`.

    Parameters
    ----------
    at
        End point of a search.
    draws, ensembles, steps, seed, checkpoint, progress
        As for `sample`.

    Returns
    -------
    PosteriorSample
        The draws; check `PosteriorSample.is_trusted` before using them.

    Raises
    ------
    InvalidInput
        If a number is too small, or no parameter was estimated.
    """
    check_draws(draws, len(at.problem.space))
    for name, value, least in (("ensembles", ensembles, 2), ("steps", steps, 16)):
        if value < least:
            raise InvalidInput("{name} must be at least {least}; found {found}", name=name, least=least, found=value)
    if not len(at.problem.space):
        raise InvalidInput("there is nothing to sample: the fit moved no parameter")
    warm_up = min(WARM_UP, steps // 2)
    kept = Checkpoint(SAMPLE, checkpoint, "" if checkpoint is None else at.digest(ensembles, seed, warm_up))
    run = _Run(at, ensembles, seed, kept, warm_up=warm_up)
    least = min(steps, warm_up + max(1, THINNED * draws // (ensembles * WALKERS)))
    while True:
        run.advance(steps)
        if progress is not None:
            progress(run.steps, steps)
        if run.steps < least:
            continue
        found = convergence(at.problem.space.keys, run.chains())
        if found.is_trusted or run.steps >= steps:
            return _taken(at, run, found, draws, seed)


def _taken(at: FittedPoint, run: "_Run", found: Convergence, draws: int, seed: int) -> PosteriorSample:
    chains = run.chains()
    pool = chains.reshape(-1, chains.shape[-1])
    count = min(draws, len(pool))
    places = np.arange(count) * len(pool) // count
    values = at.problem.space.to_values(pool[places])
    return PosteriorSample(
        keys=at.problem.space.keys,
        chains=chains,
        draws=np.stack(list(values.values()), axis=1),
        convergence=found,
        acceptance=run.acceptance,
        steps=run.steps,
        seed=seed,
        shifts=tuple(at.problem.space.prior_residuals(np.median(pool, axis=0)).tolist()),
        log_likelihood=run.densities().ravel()[places] - at.problem.space.log_density(pool[places]),
    )


class _Run:
    """A run of the sampler, in coordinates in which the normal approximation is standard normal."""

    def __init__(self, at: FittedPoint, ensembles: int, seed: int, kept: Checkpoint, *, warm_up: int) -> None:
        import emcee

        self._kept = kept

        self._centre = at.point
        self._root = np.linalg.cholesky(at.curvature.covariance)
        self._ensembles, self._warm_up = ensembles, warm_up
        count = len(at.point)
        self._reference = ReferenceNormal(count)
        density = at.problem.log_posterior_batch

        def whitened(points: Array) -> Array:
            return density(self._reparametrised(points))

        self._sampler: Any = emcee.EnsembleSampler(
            ensembles * WALKERS, count, whitened, moves=moves(ensembles, self._reference), vectorize=True
        )
        random = np.random.RandomState(seed)
        start = _starts(whitened, random, ensembles, WALKERS, count)
        self._state: Any = emcee.State(start, random_state=random.get_state())

    @property
    def steps(self) -> int:
        return int(self._sampler.iteration)

    @property
    def is_warming_up(self) -> bool:
        return self.steps < self._warm_up

    @property
    def acceptance(self) -> float:
        return float(np.mean(self._sampler.acceptance_fraction))

    def advance(self, most: int) -> None:
        """Run a block of steps, or fewer up to the end of the warm-up or the maximum number of steps."""
        end = self._warm_up if self.is_warming_up else most
        count = min(BLOCK, end - self.steps)
        is_learning, name = self.is_warming_up, f"steps-{self.steps}-{self.steps + count}"
        known = self._kept.get(name)
        if known is None:
            self._state = self._sampler.run_mcmc(self._state, count, skip_initial_state_check=True)
            self._kept.keep(name, self._arrays(count))
        else:
            self._restore(known, count)
        if is_learning:
            latest = self._sampler.get_chain(discard=self.steps - max(count // 2, 1))
            self._reference.learn(latest.reshape(-1, latest.shape[-1]))

    def _arrays(self, count: int) -> dict[str, NDArray[Any]]:
        """Arrays of the last steps and the state of the random generator, for the checkpoint."""
        backend, (_, key, *rest) = self._sampler.backend, self._state.random_state
        chain, densities = backend.chain[-count:], backend.log_prob[-count:]
        numbers = np.array(rest, dtype=float)
        return {"chain": chain, "density": densities, "accepted": backend.accepted, "key": key, "numbers": numbers}

    def _restore(self, known: Mapping[str, NDArray[Any]], count: int) -> None:
        """Restore steps and the random state from a checkpoint."""
        backend = self._sampler.backend
        backend.grow(count, None)
        backend.chain[-count:], backend.log_prob[-count:] = known["chain"], known["density"]
        backend.iteration += count
        place, has_normal, normal = known["numbers"].tolist()
        backend.accepted = known["accepted"]
        backend.random_state = ("MT19937", known["key"], int(place), int(has_normal), normal)
        self._state = backend.get_last_sample()

    def chains(self) -> Array:
        """All steps after the warm-up, shape (ensemble, walker, step, parameter)."""
        turned = self._reparametrised(self._sampler.get_chain(discard=self._warm_up))
        return np.asarray(turned.reshape(len(turned), self._ensembles, WALKERS, -1).transpose(1, 2, 0, 3), dtype=float)

    def densities(self) -> Array:
        """Log posterior densities of `chains`, up to a constant, shape (ensemble, walker, step)."""
        found = self._sampler.get_log_prob(discard=self._warm_up)
        return np.asarray(found.reshape(len(found), self._ensembles, WALKERS).transpose(1, 2, 0), dtype=float)

    def _reparametrised(self, points: Array) -> Array:
        return np.asarray(self._centre + points @ self._root.T, dtype=float)


def _starts(
    density: Callable[[Array], Array], random: np.random.RandomState, ensembles: int, walkers: int, count: int
) -> Array:
    """Starting points of all walkers around a centre per ensemble; points of zero density are redrawn, closer to 0."""
    centres = np.repeat(STARTING_SPREAD * random.standard_normal((ensembles, count)), walkers, axis=0)
    start = centres + random.standard_normal((ensembles * walkers, count))
    for _ in range(_TRIES):
        lost = ~np.isfinite(density(start))
        if not lost.any():
            return start
        centres[lost] *= 0.8
        start[lost] = centres[lost] + random.standard_normal((int(lost.sum()), count))
    raise InvalidInput("no starts with a finite posterior were found near the estimate; is the fit at a bound?")


class ReferenceNormal:
    """The normal distribution with independent coordinates that the Crank-Nicolson proposal leaves invariant."""

    def __init__(self, count: int) -> None:
        self._centre, self._width = np.zeros(count), np.ones(count)

    def learn(self, points: Array) -> None:
        """Adapt mean and variance to positions of the walkers, shape (point, parameter); only during the warm-up."""
        self._centre = points.mean(axis=0)
        self._width = np.sqrt(TRUST * points.var(axis=0) + (1 - TRUST))

    def propose(self, points: Array, random: np.random.RandomState) -> tuple[Array, Array]:
        """Propose by preconditioned Crank-Nicolson: ``y' = sqrt(1 - b^2) y + b e`` in units of the reference.

        References
        ----------
        Cotter, S. L., Roberts, G. O., Stuart, A. M. and White, D. (2013), MCMC methods for functions: modifying old
        algorithms to make them faster, Statistical Science 28(3).
        """
        # If the posterior equals the reference, every proposal is accepted, whatever the number of parameters.
        length = random.uniform(SHORTEST, LONGEST, size=(len(points), 1))
        before = (points - self._centre) / self._width
        after = np.sqrt(1 - length**2) * before + length * random.standard_normal(points.shape)
        factors = 0.5 * ((after**2).sum(axis=1) - (before**2).sum(axis=1))
        return self._centre + self._width * after, factors


def moves(ensembles: int, reference: ReferenceNormal) -> list[tuple[Any, float]]:
    """The emcee moves of `calibration.uncertainty.sample` with their probabilities (see `SHARES`)."""
    from emcee.moves import DEMove, MHMove

    made = (MHMove(reference.propose), _apart(DEMove(), ensembles), _apart(DEMove(gamma0=1.0), ensembles))
    return list(zip(made, SHARES, strict=True))


def _apart(move: Any, ensembles: int) -> Any:
    """Restrict an emcee move to partners from the walker's own ensemble."""
    # All ensembles are one emcee ensemble, so that they share a batch of simulations. Even and odd walkers are updated
    # in turn; with an even number of walkers per ensemble, both halves contain the ensembles one after another.
    propose: Callable[..., tuple[Array, Array]] = move.get_proposal

    def get_proposal(moved: Array, others: Sequence[Array], random: np.random.RandomState) -> tuple[Array, Array]:
        partners = np.split(np.concatenate(others), ensembles)
        parts = [propose(own, [near], random) for own, near in zip(np.split(moved, ensembles), partners, strict=True)]
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    move.randomize_split = False
    move.get_proposal = get_proposal
    return move
