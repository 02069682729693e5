"""Every search by its name, for the command line and for files."""

from collections.abc import Callable, Mapping
from dataclasses import is_dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from calibration.optimisers.evolution import DifferentialEvolution, EvolutionStrategy
from calibration.optimisers.local import LeastSquares, Minimize
from calibration.optimisers.objective import Optimiser
from pysd_runner.core.errors import UnknownName, suggest

OPTIMISERS: Mapping[str, Callable[[], Optimiser]] = {
    "least_squares": LeastSquares,
    "minimize": Minimize,
    "differential_evolution": DifferentialEvolution,
    "cma": EvolutionStrategy,
}


@runtime_checkable
class Prepares(Protocol):
    """A search that prepares another one inside it by itself."""

    def prepared(self, *, number: int, seconds: float) -> Optimiser:
        """The search with the seed and the budget of one start."""


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


def prepared(optimiser: Optimiser, *, number: int = 0, seconds: float = np.inf) -> Optimiser:
    """Give the search as it is run from one of several starts."""
    if isinstance(optimiser, Prepares):
        return optimiser.prepared(number=number, seconds=seconds)
    if not is_dataclass(optimiser) or isinstance(optimiser, type):
        return optimiser
    changes: dict[str, Any] = {}
    if hasattr(optimiser, "seed"):
        changes["seed"] = optimiser.seed + number
    if hasattr(optimiser, "seconds"):
        changes["seconds"] = min(optimiser.seconds, seconds)
    return replace(optimiser, **changes)
