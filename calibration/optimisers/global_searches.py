"""Searches over a whole box, by scipy; each ends with least squares from the best point it saw."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.optimisers.exploring import explored
from calibration.optimisers.objective import Objective, Optimum
from calibration.optimisers.watch import Watch
from pysd_runner.core.errors import InvalidInput

Array = NDArray[np.float64]

# The simplices of shgo are counted in 2^variables corners of the box.
MOST_SHGO = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class DifferentialEvolution:
    """Differential evolution; a generation is one batch of simulations.

    Attributes
    ----------
    population
        Points in a generation, as a multiple of the number of variables.
    generations
        Limit on generations.
    tolerance
        Spread of the costs of a generation, relative to their mean, below which it ends.
    seed
        Decides its draws.
    evaluations
        Limit on evaluations.
    seconds
        Time budget; infinite for none.

    References
    ----------
    Storn, R. and Price, K. (1997), Differential evolution, Journal of Global Optimization 11(4).
    """

    population: int = 10
    generations: int = 300
    tolerance: float = 1e-4
    seed: int = 0
    evaluations: float = np.inf
    seconds: float = np.inf

    def minimise(self, objective: Objective, start: Array) -> Optimum:
        """Search the box, the start among the first generation."""

        def explore(watch: Watch, inside: Array) -> None:
            from scipy import optimize

            search: Any = optimize.differential_evolution
            search(
                lambda table: watch.costs(np.atleast_2d(table.T)),
                optimize.Bounds(*objective.box(inside)),
                x0=inside,
                popsize=self.population,
                maxiter=self.generations,
                tol=self.tolerance,
                seed=np.random.default_rng(self.seed),
                polish=False,
                updating="deferred",
                vectorized=True,
            )

        return explored(objective, start, explore, seconds=self.seconds, evaluations=self.evaluations)


@dataclass(frozen=True, kw_only=True, slots=True)
class DualAnnealing:
    """Generalised simulated annealing with local searches along exact gradients.

    Attributes
    ----------
    evaluations
        Limit on evaluations.
    seed
        Decides its draws.
    seconds
        Time budget; infinite for none.

    References
    ----------
    Xiang, Y. et al. (1997), Generalized simulated annealing algorithm and its application to the Thomson model, Physics
    Letters A 233(3).
    """

    evaluations: float = 5_000
    seed: int = 0
    seconds: float = np.inf

    def minimise(self, objective: Objective, start: Array) -> Optimum:
        """Search the box from one point."""

        def explore(watch: Watch, inside: Array) -> None:
            from scipy import optimize

            search: Any = optimize.dual_annealing
            box = optimize.Bounds(*objective.box(inside))
            search(
                watch.cost,
                box,
                x0=inside,
                maxfun=int(min(self.evaluations, 10**9)),
                seed=np.random.default_rng(self.seed),
                minimizer_kwargs={"method": "L-BFGS-B", "jac": _gradient_of(watch), "bounds": box},
            )

        return explored(objective, start, explore, seconds=self.seconds, evaluations=self.evaluations)


@dataclass(frozen=True, kw_only=True, slots=True)
class BasinHopping:
    """Random hops, each followed by a local search along the exact gradient.

    Attributes
    ----------
    hops
        How many hops.
    size
        Largest hop of each variable, in scales.
    temperature
        Rise of the cost that is accepted with probability 1/e.
    seed
        Decides its draws.
    evaluations
        Limit on evaluations.
    seconds
        Time budget; infinite for none.

    References
    ----------
    Wales, D. J. and Doye, J. P. K. (1997), Global optimization by basin-hopping, Journal of Physical Chemistry A
    101(28).
    """

    hops: int = 20
    size: float = 1.0
    temperature: float = 1.0
    seed: int = 0
    evaluations: float = np.inf
    seconds: float = np.inf

    def minimise(self, objective: Objective, start: Array) -> Optimum:
        """Search from one point."""

        def explore(watch: Watch, inside: Array) -> None:
            from scipy import optimize

            search: Any = optimize.basinhopping
            scale = objective.scale
            lower, upper = ((end - inside) / scale for end in objective.box(inside))
            rng = np.random.default_rng(self.seed)

            def cost(step: Array) -> tuple[float, Array]:
                value, gradient = watch.cost_and_gradient(inside + scale * step)
                return value, gradient * scale

            def hop(step: Array) -> Array:
                return np.clip(step + rng.uniform(-self.size, self.size, len(step)), lower, upper)

            search(
                cost,
                np.zeros(len(inside)),
                niter=self.hops,
                T=self.temperature,
                take_step=hop,
                minimizer_kwargs={"method": "L-BFGS-B", "jac": True, "bounds": optimize.Bounds(lower, upper)},
                seed=rng,
            )

        return explored(objective, start, explore, seconds=self.seconds, evaluations=self.evaluations)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shgo:
    """Simplicial homology: local searches from every cell of a division of the box; the start is not used.

    Attributes
    ----------
    points
        Points of the first division.
    evaluations
        Limit on evaluations.
    seconds
        Time budget; infinite for none.

    Raises
    ------
    InvalidInput
        On a search over more than `MOST_SHGO` variables, whose division would not fit into memory.

    References
    ----------
    Endres, S. C., Sandrock, C. and Focke, W. W. (2018), A simplicial homology algorithm for Lipschitz optimisation,
    Journal of Global Optimization 72(2).
    """

    points: int = 64
    evaluations: float = 20_000
    seconds: float = np.inf

    def minimise(self, objective: Objective, start: Array) -> Optimum:
        """Search the box."""
        if len(start) > MOST_SHGO:
            raise InvalidInput(
                f"shgo divides the box of all variables into simplices and takes at most {MOST_SHGO} variables; found "
                f"{len(start)}. Free fewer parameters, or choose differential_evolution"
            )

        def explore(watch: Watch, inside: Array) -> None:
            from scipy import optimize

            search: Any = optimize.shgo
            scale = objective.scale
            lower, upper = ((end - inside) / scale for end in objective.box(inside))
            search(
                lambda step: watch.cost(inside + scale * step),
                list(zip(lower.tolist(), upper.tolist(), strict=True)),
                n=self.points,
                sampling_method="simplicial",
                minimizer_kwargs={"method": "L-BFGS-B"},
                options={"jac": lambda step: scale * watch.cost_and_gradient(inside + scale * step)[1]},
            )

        return explored(objective, start, explore, seconds=self.seconds, evaluations=self.evaluations)


def _gradient_of(watch: Watch) -> Callable[[Array], Array]:
    return lambda point: watch.cost_and_gradient(point)[1]
