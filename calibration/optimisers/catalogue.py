"""Every search by its name, as it is run from one of several starts, and in other coordinates along a ridge."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.optimisers.evolution import DifferentialEvolution, EvolutionStrategy
from calibration.optimisers.local import LeastSquares, Minimize
from calibration.optimisers.objective import Minimum, Optimiser, SumOfSquares
from pysd_runner.core.errors import UnknownName, suggest

Array = NDArray[np.float64]


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
        if objective.residual_batch is None:
            residuals = np.stack([objective.linearised(point)[0] for point in old])
        else:
            residuals = objective.residual_batch(old)
        return np.where(inside[:, None], residuals, np.nan)

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
