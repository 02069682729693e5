"""What fits, how sure, how good: from a panel to parameters, forecasts and scores.

The front doors are looked up when they are first used, so that importing this package costs next to nothing.
"""

from typing import TYPE_CHECKING

from pysd_runner.core.lazy import lazy_exports

if TYPE_CHECKING:
    from calibration.fitting.fit import fit as fit
    from calibration.fitting.problem import CalibrationProblem as CalibrationProblem
    from calibration.fitting.results import FitResult as FitResult
    from calibration.forecasting import Backtest as Backtest
    from calibration.forecasting import backtest as backtest
    from calibration.forecasting import forecast as forecast
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
