"""Front doors of forecasts that take a panel of regions, or any table with a model."""

from typing import TYPE_CHECKING, Any, overload

from calibration.forecasting import Backtest
from calibration.forecasting import backtest as backtest_regions
from calibration.forecasting import forecast as forecast_regions
from calibration.forecasting.own import TableBacktest, TableOutlook, backtest_table, forecast_table
from pysd_runner.core.errors import InvalidInput
from pysd_runner.panel import Panel, Table

if TYPE_CHECKING:
    from calibration.forecasting import Outlook


@overload
def forecast(data: Panel, **settings: Any) -> "Outlook": ...


@overload
def forecast(data: Table, **settings: Any) -> TableOutlook: ...


def forecast(data: Panel | Table, **settings: Any) -> "Outlook | TableOutlook":
    """Forecast relative output per head of regions, or what any table observes.

    Parameters
    ----------
    data
        A panel, for which `calibration.forecasting.forecast` says what else there is; or a table, which goes with
        ``model=load_model(...)`` (`calibration.forecasting.own.forecast_table`).
    **settings
        ``until``, ``draws``, ``seed`` and the others of these.
    """
    if isinstance(data, Table):
        return forecast_table(data, **settings)
    return forecast_regions(data, **settings)


@overload
def backtest(data: Panel, **settings: Any) -> Backtest: ...


@overload
def backtest(data: Table, **settings: Any) -> TableBacktest: ...


def backtest(data: Panel | Table, **settings: Any) -> Backtest | TableBacktest:
    """Forecast from past origins and score: regions of a panel, or any table with a model.

    Parameters
    ----------
    data
        A panel (`calibration.forecasting.backtest`), or a table with ``model=load_model(...)``
        (`calibration.forecasting.own.backtest_table`).
    **settings
        As there.
    """
    if isinstance(data, Table):
        return backtest_table(data, **settings)
    if "models" in settings:
        raise InvalidInput("models of a back-test are called forecasters now: backtest(panel, forecasters=[...])")
    return backtest_regions(data, **settings)
