"""Searches over a whole box by populations; a generation is one batch of simulations."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.optimisers.local import LeastSquares
from calibration.optimisers.objective import Budget, Minimum, SearchOutcome, SearchOver, SumOfSquares, ended, interior

Array = NDArray[np.float64]
# Share of a time budget the exploration may take; the rest is for the local search at its end.
EXPLORATION = 0.8


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

    def minimise(self, objective: SumOfSquares, start: Array) -> Minimum:
        """Search the box, the start among the first generation."""

        def explore(budget: Budget, inside: Array) -> None:
            from scipy import optimize

            search: Any = optimize.differential_evolution
            search(
                lambda table: budget.costs(np.atleast_2d(table.T)),
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
class EvolutionStrategy:
    """CMA-ES in units of each variable's scale, ended with least squares from the best point it saw.

    Attributes
    ----------
    step
        Standard deviation of the first generation, in scales.
    population
        Points in a generation; None for four times the usual ``4 + 3 log(variables)``, because a batch of simulations
        costs little more than one.
    tolerance
        Range of the costs of the last generations below which it ends.
    seed
        Decides its draws.
    evaluations
        Limit on evaluations.
    seconds
        Time budget; infinite for none.

    References
    ----------
    Hansen, N. and Ostermeier, A. (2001), Completely derandomized self-adaptation in evolution strategies, Evolutionary
    Computation 9(2).
    """

    step: float = 0.5
    population: int | None = None
    tolerance: float = 1e-4
    seed: int = 0
    evaluations: float = 50_000
    seconds: float = np.inf

    def minimise(self, objective: SumOfSquares, start: Array) -> Minimum:
        """Search from one point."""
        return explored(
            objective, start, lambda budget, inside: self._explore(objective, budget, inside),
            seconds=self.seconds, evaluations=self.evaluations,
        )  # fmt: skip

    def _explore(self, objective: SumOfSquares, budget: Budget, inside: Array) -> None:
        import cma

        scale = objective.scale
        rng = np.random.default_rng(self.seed)
        # One variable is given a silent twin: the library adapts a matrix and refuses a single number.
        twins = max(2 - len(inside), 0)
        lower, upper = ((end - inside) / scale for end in objective.box(inside))
        size = self.population or 4 * (4 + int(3 * log(len(inside) + twins)))
        strategy = cma.CMAEvolutionStrategy(
            np.zeros(len(inside) + twins),
            self.step,
            {
                "bounds": [[*lower, *[-1.0] * twins], [*upper, *[1.0] * twins]],
                "popsize": size,
                "tolfun": self.tolerance,
                "verbose": -9,
                # The library would otherwise seed the generator all of numpy shares.
                "seed": np.nan,
                "randn": lambda *shape: rng.standard_normal(shape),
            },
        )
        while not strategy.stop():
            steps = strategy.ask()
            points = inside + scale * np.array(steps)[:, : len(inside)]
            strategy.tell(steps, budget.costs(points).tolist())


def explored(
    objective: SumOfSquares,
    start: Array,
    explore: Callable[[Budget, Array], None],
    *,
    seconds: float,
    evaluations: float,
) -> Minimum:
    """Explore, then search locally from the best point seen."""
    # Explorations end when their population or temperature says so, which is far from an optimum in the sense of a
    # gradient; least squares ends there in a few steps.
    if not len(start):
        return ended(start, objective, SearchOutcome.NOTHING_TO_MOVE)
    inside = interior(start, objective)
    whole = Budget(objective, seconds=seconds)
    budget = Budget(objective, seconds=EXPLORATION * seconds, evaluations=evaluations)
    is_whole = True
    budget.cost(inside)
    try:
        explore(budget, inside)
    except SearchOver:
        is_whole = False
    if budget.best_point is None:
        return ended(inside, objective, SearchOutcome.NOT_FINITE)
    end = LeastSquares(seconds=whole.seconds_left).minimise(objective, budget.best_point)
    outcome = end.outcome
    if outcome is SearchOutcome.CONVERGED and not is_whole:
        outcome = SearchOutcome.EXPLORED_IN_PART
    return replace(end, outcome=outcome, evaluations=end.evaluations + budget.evaluations)
