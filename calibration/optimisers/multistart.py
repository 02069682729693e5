"""Every search by its name, from several points so that a local optimum is noticed, and along a ridge."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, is_dataclass, replace
from functools import partial
from time import monotonic, time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.optimisers.objective import Minimum, Optimiser, SumOfSquares
from calibration.optimisers.searches import DifferentialEvolution, EvolutionStrategy, LeastSquares, Minimize
from pysd_runner.core.errors import InvalidInput, UnknownName, suggest
from pysd_runner.core.parallel import open_pool

Array = NDArray[np.float64]
Keep = Callable[[int, Minimum], None]

# Two ends are the same optimum when their costs differ by less than this: a likelihood ratio of one percent.
SAME_COST = 0.01
# Two ends of the same cost are one optimum when no variable differs by more scales than this. With prior standard
# deviations as scales every direction has a curvature of at least one, so that searches of equal cost within
# `SAME_COST` may be 0.14 apart on the slope of one optimum; converged ones are much closer.
SAME_PLACE = 0.1


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Starts:
    """Where searches from several points ended.

    Attributes
    ----------
    optima
        One for each start, in the order of the starts.
    """

    optima: tuple[Minimum, ...]

    @property
    def best(self) -> Minimum:
        """The lowest cost among those that converged, or among all when none did; the first of equals."""
        converged = [item for item in self.optima if item.outcome.is_success]
        return min(converged or self.optima, key=lambda item: item.cost)

    @property
    def elsewhere(self) -> tuple[Minimum, ...]:
        """Converged ends whose cost is higher than the best by more than `SAME_COST`: local optima."""
        limit = self.best.cost + SAME_COST
        return tuple(item for item in self.optima if item.outcome.is_success and item.cost > limit)

    @property
    def failed(self) -> tuple[Minimum, ...]:
        """Ends that did not converge."""
        return tuple(item for item in self.optima if not item.outcome.is_success)


@dataclass(frozen=True, slots=True)
class MultiStart:
    """Runs any search from several points.

    Attributes
    ----------
    optimiser
        The search; a seed it has is raised by the number of the start.
    executor
        Runs the starts, see `pysd_runner.core.parallel.open_pool`; None for one after the other. Ends do not depend on
        it unless a time budget cuts them.
    deadline
        Reading of `time.monotonic` when the time budget of all starts ends; infinite for none.
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
        """Search from every point.

        Parameters
        ----------
        objective
            What to minimise.
        points
            Starts, each of shape (variable,).
        finished
            Ends that are known from before, by number of the start.
        keep
            Given the number and the end of each start as it finishes.
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
        """Ends as they come."""
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
    """Search with an objective of its own, so that threads share no memory; the end is a time all machines know."""
    number, point = start
    return _search(optimiser, objective.apart(), point, number, monotonic() + end - time())


@dataclass(frozen=True, kw_only=True, slots=True)
class Basin:
    """Searches that ended at one optimum.

    Attributes
    ----------
    members
        Numbers of the starts.
    optimum
        The lowest of their ends.
    """

    members: tuple[int, ...]
    optimum: Minimum


def basins(optima: Sequence[Minimum], scale: Array) -> tuple[Basin, ...]:
    """Sort the ends that converged into optima.

    Ends are linked if their costs differ by less than `SAME_COST` and no variable by more than `SAME_PLACE` scales;
    linked ones, also through others, are one optimum.

    Parameters
    ----------
    optima
        One for each start.
    scale
        Typical size of each variable, shape (variable,).

    Returns
    -------
    tuple of Basin
        The lowest first.
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
        Old to new variables and back, shape (..., variable).
    slopes
        Derivatives of the old variables with respect to the new ones at a new point of shape (variable,); entry
        ``[i, j]`` is that of old variable ``i`` along new variable ``j``.
    """

    forward: Callable[[Array], Array]
    backward: Callable[[Array], Array]
    slopes: Callable[[Array], Array]


@dataclass(frozen=True, slots=True)
class Reparametrised:
    """Any search, carried out in other coordinates and told in the old ones.

    A trust region, a simplex or a population moves along its axes and loses time on a narrow curved ridge. Bounds of
    old variables that are turned become an edge beyond which residuals are not finite, from which searches step back.

    Attributes
    ----------
    optimiser
        The search.
    coordinates
        The change of variables.
    """

    optimiser: Optimiser
    coordinates: Coordinates

    def minimise(self, objective: SumOfSquares, start: Array) -> Minimum:
        """Search from one point of the old variables."""
        if not len(start):
            return self.optimiser.minimise(objective, start)
        turned = turned_objective(objective, self.coordinates, start)
        inside = np.clip(start, objective.lower, objective.upper)
        end = self.optimiser.minimise(turned, self.coordinates.forward(inside))
        point = np.clip(self.coordinates.backward(end.point), objective.lower, objective.upper)
        return replace(end, point=point)


def turned_objective(objective: SumOfSquares, coordinates: Coordinates, start: Array) -> SumOfSquares:
    """The same objective in other coordinates."""
    centre = start if objective.centre is None else objective.centre
    middle = coordinates.forward(centre)
    across = np.linalg.inv(coordinates.slopes(middle))
    is_same = np.array([_is_unit(row, place) for place, row in enumerate(across)])

    def known(new: Array) -> tuple[Array, NDArray[np.bool_]]:
        """Old variables, and whether they lie within their bounds."""
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
    """Whether a new variable is the old one of the same place."""
    return bool(row[place] == 1 and np.count_nonzero(row) == 1)


OPTIMISERS: Mapping[str, Callable[[], Optimiser]] = {
    "least_squares": LeastSquares,
    "minimize": Minimize,
    "differential_evolution": DifferentialEvolution,
    "cma": EvolutionStrategy,
}


def optimiser_named(name: str) -> Optimiser:
    """Give the search with a name, with its usual settings.

    Parameters
    ----------
    name
        One of `OPTIMISERS`; ``-`` may stand for ``_``.

    Returns
    -------
    Optimiser
        The search.

    Raises
    ------
    UnknownName
        If there is no such search.

    Examples
    --------
    >>> type(optimiser_named("differential-evolution")).__name__
    'DifferentialEvolution'
    """
    plain = name.replace("-", "_").casefold()
    if plain not in OPTIMISERS:
        raise UnknownName(
            f"there is no optimiser {name!r}.{suggest(plain, OPTIMISERS)} Known are {', '.join(OPTIMISERS)}."
        )
    return OPTIMISERS[plain]()


def prepared(optimiser: Optimiser, *, number: int, seconds: float) -> Optimiser:
    """Give the search as it is run from one of several starts."""
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
