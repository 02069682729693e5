"""Calibrate models to panel data: parameter estimates with their uncertainty, forecasts and forecast skill.

The public functions and classes are imported on first use, so that importing this package is fast.
"""

from typing import TYPE_CHECKING

from pysd_runner.engine.lazy import lazy_exports

if TYPE_CHECKING:
    from calibration.fitting.fit import fit as fit
    from calibration.fitting.problem import Problem as Problem
    from calibration.fitting.results import Fit as Fit
    from calibration.forecasting import Backtest as Backtest, backtest as backtest, forecast as forecast
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
