"""From data and a model to projections, forecasts and a brief: one import of what an analysis needs.

The functions and classes belong to `pysd_runner` and `calibration`, and are imported when they are first used.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING

from pysd_runner.engine.lazy import lazy_exports

if TYPE_CHECKING:
    from calibration.fitting.fit import fit as fit
    from calibration.fitting.problem import CalibrationProblem as CalibrationProblem
    from calibration.forecasting import backtest as backtest, forecast as forecast
    from calibration.uncertainty import sample as sample
    from pysd_runner.core import errors as errors
    from pysd_runner.data import load_data as load_data
    from pysd_runner.model import load_model as load_model
    from pysd_runner.reports.brief import brief as brief
    from pysd_runner.scenarios import Scenario as Scenario, load_scenario as load_scenario
    from pysd_runner.simulation import simulate as simulate
    from pysd_runner.study.loading import load_future as load_future
    from pysd_runner.study.loops import loops as loops
    from pysd_runner.study.projection import project as project
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)

__version__ = version("gapsim")
