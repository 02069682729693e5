"""Forecasts of relative output per head, or of any table with a model: forecasters, scores, and the back-test.

A forecaster uses only data up to its origin. Error = forecast - observed.
"""

from calibration.forecasting.backtest import backtest
from calibration.forecasting.combination import Combination
from calibration.forecasting.empirical_intervals import EmpiricalIntervals
from calibration.forecasting.forecast import forecast
from calibration.forecasting.forecaster import Forecast, Forecaster, Origin, PointMethod, origin_at
from calibration.forecasting.models import FilteredModel, baselines, models, models_named
from calibration.forecasting.outlook import Outlook
from calibration.forecasting.scored import Backtest
from calibration.forecasting.target import Target, target_of

__all__ = [
    "Backtest",
    "Combination",
    "EmpiricalIntervals",
    "FilteredModel",
    "Forecast",
    "Forecaster",
    "Origin",
    "Outlook",
    "PointMethod",
    "Target",
    "backtest",
    "baselines",
    "forecast",
    "models",
    "models_named",
    "origin_at",
    "target_of",
]
