"""Multi-start optimisation, which detects local optima; change of variables for ridges; optimisers by name."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, is_dataclass, replace
from functools import partial
from time import monotonic, time
from typing import Any

import numpy as np

from calibration.optimisers.newton import QuasiNewton
from calibration.optimisers.objective import Minimum, Optimiser, SumOfSquares
from calibration.optimisers.searches import EvolutionStrategy, LeastSquares
from pysd_runner.core.errors import InvalidInput, UnknownName, suggest
from pysd_runner.core.parallel import open_pool
from pysd_runner.core.types import Array, Flags, frozen

Keep = Callable[[int, Minimum], None]

# Tolerance of costs: end points that differ by less can be the same optimum (likelihood ratio within one percent).
SAME_COST = 0.01
# Tolerance of positions, in units of each variable's scale, for end points of the same cost to be the same optimum.
# With prior standard deviations as scales the curvature is at least one in every direction, so that points within
# `SAME_COST` of one optimum may be up to 0.14 away from it; converged searches are much closer.
SAME_PLACE = 0.1


@frozen(eq=False)
class Starts:
    """End points of searches from several starting points.

    Attributes
    ----------
    optima
        End of the search from each starting point, in their order.
    """

    optima: tuple[Minimum, ...]

    @property
    def best(self) -> Minimum:
        """The end with the lowest cost among converged searches, or among all if none converged; first if tied."""
        converged = [item for item in self.optima if item.outcome.is_success]
        return min(converged or self.optima, key=lambda item: item.cost)

    @property
    def elsewhere(self) -> tuple[Minimum, ...]:
        """Local optima: converged ends whose cost exceeds the lowest by more than `SAME_COST`."""
        limit = self.best.cost + SAME_COST
        return tuple(item for item in self.optima if item.outcome.is_success and item.cost > limit)

    @property
    def failed(self) -> tuple[Minimum, ...]:
        """Ends of the searches that did not converge."""
        return tuple(item for item in self.optima if not item.outcome.is_success)


@dataclass(frozen=True, slots=True)
class MultiStart:
    """Run an optimiser from several starting points.

    Attributes
    ----------
    optimiser
        The optimiser; its seed, if any, is increased by the index of the starting point.
    executor
        Runs the searches in parallel, see `pysd_runner.core.parallel.open_pool`; None runs them in sequence. Results do
        not depend on it unless the time budget is exceeded.
    deadline
        Value of `time.monotonic` at which the time budget of all searches ends; infinite for none.
    """

    optimiser: Optimiser
    executor: str | Executor | None = None
    deadline: float = np.inf

    def minimise(
        self,
        objective: SumOfSquares,
        points: Sequence[Array],
        *,
        finished: Mapping[int, Minimum] | None = None,
        keep: Keep | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Starts:
        """Search from every starting point.

        Parameters
        ----------
        objective
            The objective to minimise.
        points
            Starting points, each of shape (variable,).
        finished
            Results of earlier searches, by index of the starting point; these are not repeated.
        keep
            Called with the index and the result of each search as it finishes.
        progress
            Called with the number of searches finished.

        Returns
        -------
        Starts
            One result for each starting point.

        Raises
        ------
        InvalidInput
            If there is no starting point.
        """
        if not points:
            raise InvalidInput("a search needs at least one start")
        ends = {number: end for number, end in (finished or {}).items() if number < len(points)}
        waiting = [number for number in range(len(points)) if number not in ends]
        for number, end in self._ends(objective, points, waiting):
            ends[number] = end
            if keep is not None:
                keep(number, end)
            if progress is not None:
                progress(len(ends))
        return Starts(optima=tuple(ends[number] for number in range(len(points))))

    def _ends(
        self, objective: SumOfSquares, points: Sequence[Array], waiting: Sequence[int]
    ) -> Iterator[tuple[int, Minimum]]:
        """Yield results as searches finish."""
        if self.executor is None:
            for number in waiting:
                yield number, _search(self.optimiser, objective, points[number], number, self.deadline)
            return
        work = partial(_search_apart, self.optimiser, objective, time() + self.deadline - monotonic())
        with open_pool(self.executor, items=len(waiting)) as pool:
            for place, end in pool.finished(work, [(number, points[number]) for number in waiting]):
                yield waiting[place], end


def _search(optimiser: Optimiser, objective: SumOfSquares, point: Array, number: int, deadline: float) -> Minimum:
    left = max(deadline - monotonic(), 0.0)
    return prepared(optimiser, number=number, seconds=left).minimise(objective, point)


def _search_apart(optimiser: Optimiser, objective: SumOfSquares, end: float, start: tuple[int, Array]) -> Minimum:
    """Search with a copy of the objective, so that threads share no memory; `end` is wall time, known to all hosts."""
    number, point = start
    return _search(optimiser, objective.apart(), point, number, monotonic() + end - time())


@frozen
class Basin:
    """Searches that ended at the same optimum.

    Attributes
    ----------
    members
        Indices of their starting points.
    optimum
        The end with the lowest cost.
    """

    members: tuple[int, ...]
    optimum: Minimum


def basins(optima: Sequence[Minimum], scale: Array) -> tuple[Basin, ...]:
    """Cluster the ends of converged searches into distinct optima (single linkage).

    Two ends are linked if their costs differ by less than `SAME_COST` and no variable by more than `SAME_PLACE` scales;
    ends that are linked directly or through others are the same optimum.

    Parameters
    ----------
    optima
        Ends of the searches, one for each starting point.
    scale
        Typical size of each variable, shape (variable,).

    Returns
    -------
    tuple of Basin
        Distinct optima, in ascending order of cost.
    """
    waiting = sorted((k for k, end in enumerate(optima) if end.outcome.is_success), key=lambda k: optima[k].cost)
    found = []
    while waiting:
        members = [waiting.pop(0)]
        for member in members:
            linked = [k for k in waiting if _are_one(optima[member], optima[k], scale)]
            members += linked
            waiting = [k for k in waiting if k not in linked]
        lowest = min(members, key=lambda k: (optima[k].cost, k))
        found.append(Basin(members=tuple(sorted(members)), optimum=optima[lowest]))
    return tuple(sorted(found, key=lambda basin: basin.optimum.cost))


def _are_one(first: Minimum, second: Minimum, scale: Array) -> bool:
    apart = np.abs(first.point - second.point) / scale
    return abs(first.cost - second.cost) < SAME_COST and bool((apart <= SAME_PLACE).all())


@dataclass(frozen=True, slots=True)
class Coordinates:
    """A smooth, invertible change of variables.

    Attributes
    ----------
    forward, backward
        Functions from old to new variables and back, shape (..., variable).
    slopes
        Function from the new variables, shape (variable,), to the Jacobian of the old ones; entry ``[i, j]`` is the
        derivative of old variable ``i`` with respect to new variable ``j``.
    """

    forward: Callable[[Array], Array]
    backward: Callable[[Array], Array]
    slopes: Callable[[Array], Array]


@dataclass(frozen=True, slots=True)
class Reparametrised:
    """An optimiser that works in other coordinates and returns its result in the original ones.

    A trust region, a simplex or a population is slow along a narrow curved ridge that is not parallel to the axes.
    Bounds on variables that are transformed are enforced by residuals that are not finite beyond them.

    Attributes
    ----------
    optimiser
        The optimiser.
    coordinates
        The change of variables.
    """

    optimiser: Optimiser
    coordinates: Coordinates

    def minimise(self, objective: SumOfSquares, start: Array) -> Minimum:
        """Search from one point in the original variables."""
        if not len(start):
            return self.optimiser.minimise(objective, start)
        turned = turned_objective(objective, self.coordinates, start)
        inside = np.clip(start, objective.lower, objective.upper)
        end = self.optimiser.minimise(turned, self.coordinates.forward(inside))
        point = np.clip(self.coordinates.backward(end.point), objective.lower, objective.upper)
        return replace(end, point=point)


def turned_objective(objective: SumOfSquares, coordinates: Coordinates, start: Array) -> SumOfSquares:
    """Express an objective in other coordinates."""
    centre = start if objective.centre is None else objective.centre
    middle = coordinates.forward(centre)
    across = np.linalg.inv(coordinates.slopes(middle))
    is_same = np.array([_is_unit(row, place) for place, row in enumerate(across)])

    def known(new: Array) -> tuple[Array, Flags]:
        """Original variables, clipped to their bounds, and whether they were within them."""
        old = coordinates.backward(new)
        slack = 1e-9 * objective.scale
        inside = np.asarray(((old >= objective.lower - slack) & (old <= objective.upper + slack)).all(axis=-1))
        return np.clip(old, objective.lower, objective.upper), inside

    def linearised(new: Array) -> tuple[Array, Array]:
        old, inside = known(new)
        residuals, jacobian = objective.linearised(old)
        if not inside:
            return np.full_like(residuals, np.nan), np.full_like(jacobian, np.nan)
        return residuals, jacobian @ coordinates.slopes(new)

    def residual_batch(new: Array) -> Array:
        old, inside = known(new)
        return np.where(inside[:, None], objective.residuals(old), np.nan)

    return SumOfSquares(
        linearised=linearised,
        lower=np.where(is_same, objective.lower, -np.inf),
        upper=np.where(is_same, objective.upper, np.inf),
        scale=np.sqrt((across * objective.scale) ** 2 @ np.ones(len(middle))),
        residual_batch=residual_batch,
        centre=None if objective.centre is None else middle,
    )


def _is_unit(row: Array, place: int) -> bool:
    """Whether a row is a unit vector: the new variable equals the original one of the same index."""
    return bool(row[place] == 1 and np.count_nonzero(row) == 1)


OPTIMISERS: Mapping[str, Callable[[], Optimiser]] = {
    "least_squares": LeastSquares,
    "cma": EvolutionStrategy,
    "quasi_newton": QuasiNewton,
}


def optimiser_named(name: str) -> Optimiser:
    """Return an optimiser by name, with default settings.

    Parameters
    ----------
    name
        One of `OPTIMISERS`; ``-`` may be used for ``_``.

    Returns
    -------
    Optimiser
        The optimiser.

    Raises
    ------
    UnknownName
        If there is no such optimiser.

    Examples
    --------
    >>> type(optimiser_named("least-squares")).__name__
    'LeastSquares'
    """
    plain = name.replace("-", "_").casefold()
    if plain not in OPTIMISERS:
        raise UnknownName(
            "there is no optimiser {name!r}.{suggestion} Known are {names}.",
            name=name,
            suggestion=suggest(plain, OPTIMISERS),
            names=", ".join(OPTIMISERS),
        )
    return OPTIMISERS[plain]()


def prepared(optimiser: Optimiser, *, number: int, seconds: float) -> Optimiser:
    """Return the optimiser with the seed and the time limit for one of several starting points."""
    if isinstance(optimiser, Reparametrised):
        return replace(optimiser, optimiser=prepared(optimiser.optimiser, number=number, seconds=seconds))
    if not is_dataclass(optimiser) or isinstance(optimiser, type):
        return optimiser
    changes: dict[str, Any] = {}
    if hasattr(optimiser, "seed"):
        changes["seed"] = optimiser.seed + number
    if hasattr(optimiser, "seconds"):
        changes["seconds"] = min(optimiser.seconds, seconds)
    return replace(optimiser, **changes)
