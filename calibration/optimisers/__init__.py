"""Optimisers for nonlinear least squares, which know functions and vectors but neither models nor panels."""

from typing import TYPE_CHECKING

from pysd_runner.engine.lazy import lazy_exports

if TYPE_CHECKING:
    from calibration.optimisers.multistart import OPTIMISERS as OPTIMISERS
    from calibration.optimisers.multistart import SAME_COST as SAME_COST
    from calibration.optimisers.multistart import Basin as Basin
    from calibration.optimisers.multistart import Coordinates as Coordinates
    from calibration.optimisers.multistart import MultiStart as MultiStart
    from calibration.optimisers.multistart import Reparametrised as Reparametrised
    from calibration.optimisers.multistart import Starts as Starts
    from calibration.optimisers.multistart import basins as basins
    from calibration.optimisers.multistart import optimiser_named as optimiser_named
    from calibration.optimisers.objective import Minimum as Minimum
    from calibration.optimisers.objective import Optimiser as Optimiser
    from calibration.optimisers.objective import SearchOutcome as SearchOutcome
    from calibration.optimisers.objective import SumOfSquares as SumOfSquares
    from calibration.optimisers.searches import EvolutionStrategy as EvolutionStrategy
    from calibration.optimisers.searches import LeastSquares as LeastSquares
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        __file__,
        {
            "Objective": "calibration.optimisers.objective.SumOfSquares",
            "Optimum": "calibration.optimisers.objective.Minimum",
            "Outcome": "calibration.optimisers.objective.SearchOutcome",
            "Turned": "calibration.optimisers.multistart.Reparametrised",
        },
    )
