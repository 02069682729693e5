"""What-if analysis with system dynamics models: from a model file to projections, figures and reports.

The public functions are imported when they are first used, so that importing this package is fast.
"""

from typing import TYPE_CHECKING

from pysd_runner.engine.lazy import lazy_exports, let_old_names_work

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
    let_old_names_work(
        {
            "pysd_runner.general.diagram": "pysd_runner.study.equations",
            "pysd_runner.general.future": ("pysd_runner.study.future", "pysd_runner.study.loading"),
            "pysd_runner.general.scenario_runs": "pysd_runner.study.projection",
            "pysd_runner.panel": "pysd_runner.data",
            "pysd_runner.regional": ("pysd_runner.policy", "pysd_runner.study"),
            "pysd_runner.regional.policies": "pysd_runner.policy",
            "pysd_runner.regional.policy_spaces": ("pysd_runner.policy.spaces", "pysd_runner.policy"),
            "pysd_runner.regional.projection": ("pysd_runner.study.projection", "pysd_runner.study.inputs"),
        }
    )
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        __file__,
        {
            "general.scenario_runs.project_any": "pysd_runner.study.project",
            "regional.projection.projection_inputs": "pysd_runner.study.inputs_of",
            "check_panel": ("pysd_runner.data.load.check_panel", "check_data"),
            "load_panel": ("pysd_runner.data.load.load_panel", "load_data; data.array(name) is what panel[name] was"),
            "load_projection": "pysd_runner.study.loading.load_future",
            "load_table": ("pysd_runner.data.load.load_table", "load_data; its `columns` are `roles`"),
        },
    )
