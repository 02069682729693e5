"""From data and a model to projections, forecasts and a brief: all names that an analysis needs, in one import.

The functions and classes belong to `pysd_runner` and `calibration`, and are imported when they are first used.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING

from pysd_runner.engine.lazy import lazy_exports

if TYPE_CHECKING:
    from calibration.fitting.problem import Problem as Problem
    from calibration.fitting.results import Fit as Fit, load_fit as load_fit
    from calibration.forecasting import Backtest as Backtest, backtest as backtest, forecast as forecast
    from calibration.forecasting.outlook import Outlook as Outlook
    from calibration.uncertainty import profile as profile, sample as sample
    from gapsim import errors as errors
    from gapsim.fitting import fit as fit
    from gapsim.model import Model as Model, load_model as load_model
    from gapsim.policy import attribute as attribute, optimise as optimise
    from gapsim.projection import project as project
    from gapsim.reports import compare as compare, evaluate as evaluate, explore as explore, update as update
    from pysd_runner import plots as plots
    from pysd_runner.data import Data as Data, check_data as check_data, load_data as load_data
    from pysd_runner.data.load import list_data as list_data
    from pysd_runner.ensemble.designs import Design as Design
    from pysd_runner.evidence import weigh as weigh
    from pysd_runner.policy.attribution import Attribution as Attribution
    from pysd_runner.policy.optimisation import Optimum as Optimum
    from pysd_runner.reports.brief import brief as brief
    from pysd_runner.scenarios import Scenario as Scenario, load_scenario as load_scenario
    from pysd_runner.scenarios.load import list_scenarios as list_scenarios
    from pysd_runner.simulation import Run as Run, simulate as simulate
    from pysd_runner.spec import Observation as Observation, Prior as Prior
    from pysd_runner.study.future import Future as Future
    from pysd_runner.study.loading import load_future as load_future
    from pysd_runner.study.loops import loops as loops
else:
    _exported, __dir__, __all__ = lazy_exports(__name__, __file__)

    def __getattr__(name: str) -> object:
        from inspect import isfunction

        from gapsim.calls import constructed, offered

        found = _exported(name)
        if name in ("Problem", "Scenario", "Observation", "Design"):
            return constructed(found)
        return offered(found) if isfunction(found) else found


__version__ = version("gapsim")
