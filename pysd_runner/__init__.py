"""What happens if: from a model file to projections, pictures and reports.

The front doors are looked up when they are first used, so that importing this package costs next to nothing.
"""

from typing import TYPE_CHECKING

from pysd_runner.core.lazy import lazy_exports

if TYPE_CHECKING:
    from pysd_runner.doors import project as project
    from pysd_runner.ensemble import run_ensemble as run_ensemble
    from pysd_runner.model import load_model as load_model
    from pysd_runner.panel import check_panel as check_panel
    from pysd_runner.panel import load_panel as load_panel
    from pysd_runner.panel import load_table as load_table
    from pysd_runner.regional.projection import load_projection as load_projection
    from pysd_runner.regional.showing import together as together
    from pysd_runner.reports.brief import brief as brief
    from pysd_runner.scenarios import load_scenario as load_scenario
    from pysd_runner.simulation import simulate as simulate
    from pysd_runner.simulation.preparing import prepare as prepare
    from pysd_runner.simulation.sensitivities import jacobian as jacobian
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
