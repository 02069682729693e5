"""Convergence diagnostics of posterior samples, and prior and posterior predictive checks."""

from collections.abc import Callable

import numpy as np

from calibration.fitting.point import FittedPoint, fitted_point
from calibration.fitting.problem import Problem
from calibration.fitting.results import Fit
from calibration.observation import Noise, Series
from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.core.findings import Finding
from pysd_runner.core.types import Array, Arrays, frozen

# Maximum R-hat and minimum effective sample size recommended by Vehtari et al. (2021).
LARGEST_RHAT = 1.01
SMALLEST_ESS = 400.0


@frozen
class Convergence:
    """Convergence diagnostics of each parameter.

    Attributes
    ----------
    keys
        Keys of the parameters.
    rhat
        Rank-normalised split R-hat between the ensembles, the larger of bulk and folded; 1 at convergence.
    ess_bulk, ess_tail
        Effective sample sizes of the bulk and of the 5 % and 95 % quantiles.
    """

    keys: tuple[str, ...]
    rhat: tuple[float, ...]
    ess_bulk: tuple[float, ...]
    ess_tail: tuple[float, ...]

    @property
    def worst_rhat(self) -> float:
        """Largest R-hat; 1 if there are no parameters."""
        return max(self.rhat, default=1.0)

    @property
    def least_ess(self) -> float:
        """Smallest effective sample size, of bulk or tail; infinite if there are no parameters."""
        return min((*self.ess_bulk, *self.ess_tail), default=np.inf)

    @property
    def is_trusted(self) -> bool:
        """Whether every parameter is within the limits `LARGEST_RHAT` and `SMALLEST_ESS`."""
        return self.worst_rhat < LARGEST_RHAT and self.least_ess >= SMALLEST_ESS

    def finding(self) -> Finding | None:
        """Finding that the sample has not converged; None if it has."""
        if self.is_trusted:
            return None
        worst = [
            key
            for key, rhat, bulk, tail in zip(self.keys, self.rhat, self.ess_bulk, self.ess_tail, strict=True)
            if not (rhat < LARGEST_RHAT and min(bulk, tail) >= SMALLEST_ESS)
        ]
        return Finding(
            "not-mixed",
            Message(
                "THE POSTERIOR SAMPLE HAS NOT CONVERGED for {keys}: largest R-hat {rhat:.3f} (limit {most}), smallest "
                "effective sample size {ess:.0f} (limit {least:.0f}); do not use its draws, sample with more steps.",
                keys=", ".join(worst),
                rhat=self.worst_rhat,
                most=LARGEST_RHAT,
                ess=self.least_ess,
                least=SMALLEST_ESS,
            ),
            "error",
        )


def convergence(keys: tuple[str, ...], chains: Array) -> Convergence:
    """Compute convergence diagnostics of chains.

    R-hat treats each ensemble, with the steps of all its walkers in order of time, as a chain, because ensembles are
    independent while their walkers are not; chains are split into halves. Effective sample sizes treat every walker as
    a chain, so that the autocorrelation of walkers is fully taken into account.

    Parameters
    ----------
    keys
        Keys of the parameters.
    chains
        Steps of the walkers, shape (ensemble, walker, step, parameter).

    Returns
    -------
    Convergence
        Diagnostics of each parameter.

    Raises
    ------
    InvalidInput
        If there are fewer than two ensembles or eight steps.

    References
    ----------
    Vehtari, A., Gelman, A., Simpson, D., Carpenter, B. and Bürkner, P.-C. (2021), Rank-normalization, folding, and
    localization: an improved R-hat for assessing convergence of MCMC, Bayesian Analysis 16(2).
    """
    from importlib import import_module

    # Imported by name because the package has no type annotations.
    array_stats = import_module("arviz_stats.base").array_stats
    ensembles, walkers, steps, count = chains.shape
    if ensembles < 2 or steps < 8:
        raise InvalidInput(
            "convergence needs at least two ensembles and eight steps; found {ensembles} ensembles of {steps} steps",
            ensembles=ensembles,
            steps=steps,
        )
    found: dict[str, list[float]] = {"rhat": [], "bulk": [], "tail": []}
    for place in range(count):
        part = chains[..., place]
        in_time = part.transpose(0, 2, 1).reshape(ensembles, steps * walkers)
        alone = part.reshape(ensembles * walkers, steps)
        found["rhat"].append(float(array_stats.rhat(in_time, chain_axis=0, draw_axis=1, method="rank")))
        found["bulk"].append(float(array_stats.ess(alone, chain_axis=0, draw_axis=1, method="bulk")))
        found["tail"].append(float(array_stats.ess(alone, chain_axis=0, draw_axis=1, method="tail", prob=(0.05, 0.95))))
    return Convergence(
        keys=keys, rhat=tuple(found["rhat"]), ess_bulk=tuple(found["bulk"]), ess_tail=tuple(found["tail"])
    )


@frozen
class PredictiveCheck:
    """A statistic of a series, observed and in panels simulated from the prior and the posterior.

    Attributes
    ----------
    label
        Label of the series.
    statistic
        ``"spread"``: standard deviation over all cells; ``"movement"``: root mean square of the changes from year to
        year.
    observed
        Value for the observed panel, on the scale of the series.
    prior, posterior
        5th, 50th and 95th percentile over panels simulated with draws from the prior and from the posterior.
    below
        Share of posterior panels with a smaller value than observed; values near 0 or 1 indicate misfit.
    """

    label: str
    statistic: str
    observed: float
    prior: tuple[float, float, float]
    posterior: tuple[float, float, float]
    below: float


def predictive_checks(problem: Problem, fit: Fit, *, draws: int = 200, seed: int = 0) -> tuple[PredictiveCheck, ...]:
    """Simulate panels with draws from the prior and from the posterior, and compare them with the observed panel.

    Both use the error models of the fit. The posterior is that of `calibration.uncertainty.sample` if the fit contains
    draws, otherwise the normal approximation.

    Parameters
    ----------
    problem
        The calibration problem that was fitted.
    fit
        Its fit.
    draws
        Number of panels from the prior, and from the posterior.
    seed
        Seed of the draws and errors.

    Returns
    -------
    tuple of PredictiveCheck
        Two checks for each series with more than one residual.

    Raises
    ------
    InvalidInput
        If there are no draws, the fit does not belong to the problem, or no draw can be simulated.
    """
    if draws < 1:
        raise InvalidInput("draws must be at least 1; found {found}", found=draws)
    at = fitted_point(problem, fit)
    rng = np.random.default_rng(seed)
    before = _made(at, at.problem.space.sample(rng, draws), rng)
    after = _made(at, _posterior(at, fit, draws, rng), rng)
    return tuple(
        _check(item, name, statistic, before[item.label], after[item.label])
        for item in at.problem.series
        if item.used.sum() > 1
        for name, statistic in _STATISTICS.items()
    )


def _posterior(at: FittedPoint, fit: Fit, draws: int, rng: np.random.Generator) -> Array:
    found = fit.fitted.sample(rng, draws, spec=at.problem.spec)
    space = at.problem.space
    return np.stack(
        [prior.to_unbounded(found[key]) for key, prior in zip(space.keys, space.priors, strict=True)], axis=1
    )


def _made(at: FittedPoint, z: Array, rng: np.random.Generator) -> Arrays:
    """Simulate observations for given parameters, shape (draw, region, year), by label of the series."""
    series = at.problem.series
    predicted = at.problem.fitted_batch(z)
    whole = [np.isfinite(found[:, item.seen]).all(axis=1) for item, found in zip(series, predicted, strict=True)]
    is_known = np.all(whole, axis=0)
    if not is_known.any():
        raise InvalidInput("no draw can be simulated on this panel, so there is nothing to compare with it")
    return {
        item.label: values[is_known] + _errors(item, at.problem.noise[item.label], int(is_known.sum()), rng)
        for item, values in zip(series, predicted, strict=True)
    }


def _errors(series: Series, noise: Noise, draws: int, rng: np.random.Generator) -> Array:
    """Draw autocorrelated errors; the error of the first year is zero, as in the fit."""
    shape = series.values.shape
    sds = noise.cell_sds(np.arange(shape[0]))[:, None]
    shocks = sds * rng.standard_normal((draws, *shape))
    shocks[..., 0] = 0.0
    for year in range(1, shape[1]):
        shocks[..., year] += noise.persistence * shocks[..., year - 1]
    if series.relative:
        counts = np.maximum(series.seen.sum(axis=0), 1)
        shocks = shocks - np.where(series.seen, shocks, 0.0).sum(axis=1, keepdims=True) / counts
    return np.where(series.seen, shocks, np.nan)


def _spread(values: Array) -> Array:
    """Standard deviation over regions and years."""
    return np.asarray(np.nanstd(values, axis=(-2, -1)))


def _movement(values: Array) -> Array:
    """Root mean square of changes from year to year; of the values themselves if no two adjacent years are known."""
    changes = np.diff(values, axis=-1)
    squares = changes**2 if np.isfinite(changes).any() else values**2
    return np.asarray(np.sqrt(np.nanmean(squares, axis=(-2, -1))))


_STATISTICS: dict[str, Callable[[Array], Array]] = {"spread": _spread, "movement": _movement}


def _check(
    series: Series, name: str, statistic: Callable[[Array], Array], before: Array, after: Array
) -> PredictiveCheck:
    observed = float(statistic(np.where(series.used, series.values, np.nan)))
    made = [statistic(np.where(series.used, values, np.nan)) for values in (before, after)]
    prior, posterior = (np.quantile(values, (0.05, 0.5, 0.95)).tolist() for values in made)
    return PredictiveCheck(
        label=series.label,
        statistic=name,
        observed=observed,
        prior=(prior[0], prior[1], prior[2]),
        posterior=(posterior[0], posterior[1], posterior[2]),
        below=float((made[1] < observed).mean()),
    )
