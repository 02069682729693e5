"""What-if analysis with system dynamics models: from a model file to projections, figures and reports.

The public functions are imported when they are first used, so that importing this package is fast.
"""

from typing import TYPE_CHECKING

from pysd_runner.core.former import FORMER
from pysd_runner.engine.lazy import lazy_exports, refuse_former

if TYPE_CHECKING:
    from pysd_runner.data import check_data as check_data, load_data as load_data
    from pysd_runner.ensemble import run_ensemble as run_ensemble
    from pysd_runner.model import load_model as load_model
    from pysd_runner.reports.brief import brief as brief
    from pysd_runner.scenarios import load_scenario as load_scenario
    from pysd_runner.simulation import simulate as simulate
    from pysd_runner.simulation.sensitivities import jacobian as jacobian, prepare as prepare
    from pysd_runner.study.loading import load_future as load_future
    from pysd_runner.study.loops import loops as loops
    from pysd_runner.study.projection import project as project
    from pysd_runner.study.showing import together as together
else:
    refuse_former(FORMER)
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
