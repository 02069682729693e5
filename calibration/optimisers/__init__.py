"""Least-squares searches: functions and vectors only, no models and no panels."""

from calibration.optimisers.catalogue import OPTIMISERS, optimiser_named
from calibration.optimisers.evolution import DifferentialEvolution, EvolutionStrategy
from calibration.optimisers.least_squares import LeastSquares
from calibration.optimisers.minimize import Minimize
from calibration.optimisers.multistart import SAME_COST, Basin, MultiStart, Starts, basins
from calibration.optimisers.objective import Objective, Optimiser, Optimum, Outcome
from calibration.optimisers.reparametrised import Coordinates, Reparametrised

__all__ = [
    "OPTIMISERS",
    "SAME_COST",
    "Basin",
    "Coordinates",
    "DifferentialEvolution",
    "EvolutionStrategy",
    "LeastSquares",
    "Minimize",
    "MultiStart",
    "Objective",
    "Optimiser",
    "Optimum",
    "Outcome",
    "Reparametrised",
    "Starts",
    "basins",
    "optimiser_named",
]


def __getattr__(name: str) -> object:
    if name == "Turned":
        raise AttributeError("Turned is called Reparametrised now: from calibration.optimisers import Reparametrised")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
