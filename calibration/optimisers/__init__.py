"""Optimisers for nonlinear least squares, which know functions and vectors but neither models nor panels."""

from typing import TYPE_CHECKING

from pysd_runner.engine.lazy import lazy_exports

if TYPE_CHECKING:
    from calibration.optimisers.multistart import (
        OPTIMISERS as OPTIMISERS,
        SAME_COST as SAME_COST,
        Basin as Basin,
        Coordinates as Coordinates,
        MultiStart as MultiStart,
        Reparametrised as Reparametrised,
        Starts as Starts,
        basins as basins,
        optimiser_named as optimiser_named,
    )
    from calibration.optimisers.newton import QuasiNewton as QuasiNewton
    from calibration.optimisers.objective import (
        Minimum as Minimum,
        Optimiser as Optimiser,
        SearchOutcome as SearchOutcome,
        SumOfSquares as SumOfSquares,
    )
    from calibration.optimisers.searches import EvolutionStrategy as EvolutionStrategy, LeastSquares as LeastSquares
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
