"""A panel bound to the regional model: start values, draws, shocks, scenarios, projection, labels, its policies."""

from typing import TYPE_CHECKING

from pysd_runner.core.lazy import lazy_exports

if TYPE_CHECKING:
    from pysd_runner.regional.binding import RegionalModel as RegionalModel
    from pysd_runner.regional.policies import policy_values as policy_values
    from pysd_runner.regional.policies import regional_futures as regional_futures
    from pysd_runner.regional.policies import regional_study as regional_study
    from pysd_runner.regional.policy_spaces import chosen_scenario as chosen_scenario
    from pysd_runner.regional.policy_spaces import class_space as class_space
    from pysd_runner.regional.policy_spaces import uniform_space as uniform_space
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
