"""The same search from several points, so that a local optimum is noticed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.optimisers.objective import Objective, Optimiser, Optimum
from pysd_runner.errors import InvalidInput

Array = NDArray[np.float64]

# Two ends are the same optimum when their costs differ by less than this: a likelihood ratio of one percent.
SAME_COST = 0.01


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Starts:
    """Where searches from several points ended.

    Attributes
    ----------
    optima
        One for each start, in the order of the starts.
    """

    optima: tuple[Optimum, ...]

    @property
    def best(self) -> Optimum:
        """The lowest cost among those that converged, or among all when none did; the first of equals."""
        converged = [item for item in self.optima if item.outcome.is_success]
        return min(converged or self.optima, key=lambda item: item.cost)

    @property
    def elsewhere(self) -> tuple[Optimum, ...]:
        """Converged ends whose cost is higher than the best by more than `SAME_COST`: local optima."""
        limit = self.best.cost + SAME_COST
        return tuple(item for item in self.optima if item.outcome.is_success and item.cost > limit)

    @property
    def failed(self) -> tuple[Optimum, ...]:
        """Ends that did not converge."""
        return tuple(item for item in self.optima if not item.outcome.is_success)


@dataclass(frozen=True, slots=True)
class MultiStart:
    """Runs any search from several points.

    Attributes
    ----------
    optimiser
        The search.
    """

    optimiser: Optimiser

    def minimise(
        self, objective: Objective, points: Sequence[Array], *, progress: Callable[[int], None] | None = None
    ) -> Starts:
        """Search from every point.

        Parameters
        ----------
        objective
            What to minimise.
        points
            Starts, each of shape (variable,).
        progress
            Called with the number of starts finished.

        Returns
        -------
        Starts
            One end for each start.

        Raises
        ------
        InvalidInput
            If there is no start.
        """
        if not points:
            raise InvalidInput("a search needs at least one start")
        optima = []
        for count, point in enumerate(points, start=1):
            optima.append(self.optimiser.minimise(objective, point))
            if progress is not None:
                progress(count)
        return Starts(optima=tuple(optima))
