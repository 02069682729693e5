"""Whether a sample of the posterior can be trusted: R-hat and effective sample sizes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.diagnostics import Finding
from pysd_runner.core.errors import InvalidInput, Message

Array = NDArray[np.float64]

# Limits of Vehtari et al. (2021).
LARGEST_RHAT = 1.01
SMALLEST_ESS = 400.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Convergence:
    """How well each parameter has mixed.

    Attributes
    ----------
    keys
        Parameters.
    rhat
        Rank-normalised split R-hat between the ensembles, the larger of bulk and folded; 1 is perfect.
    ess_bulk, ess_tail
        Effective sample sizes of the bulk and of the 5 % and 95 % quantiles.
    """

    keys: tuple[str, ...]
    rhat: tuple[float, ...]
    ess_bulk: tuple[float, ...]
    ess_tail: tuple[float, ...]

    @property
    def worst_rhat(self) -> float:
        """Largest R-hat; 1 without parameters."""
        return max(self.rhat, default=1.0)

    @property
    def least_ess(self) -> float:
        """Smallest effective sample size, of bulk or tail; infinite without parameters."""
        return min((*self.ess_bulk, *self.ess_tail), default=np.inf)

    @property
    def is_trusted(self) -> bool:
        """Whether every parameter keeps the limits `LARGEST_RHAT` and `SMALLEST_ESS`."""
        return self.worst_rhat < LARGEST_RHAT and self.least_ess >= SMALLEST_ESS

    def finding(self) -> Finding | None:
        """The warning of a sample that may not be trusted; None if it may."""
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
    """Measure how well chains have mixed.

    R-hat compares the ensembles, which are independent, each with all its walkers in the order of time, and their
    earlier with their later half. Effective sample sizes take every walker as a chain, so that the memory of walkers
    counts in full.

    Parameters
    ----------
    keys
        Parameters.
    chains
        Shape (ensemble, walker, step, parameter).

    Returns
    -------
    Convergence
        One value a parameter.

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

    # Not typed; by name, so that its lack of annotations stays here.
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
