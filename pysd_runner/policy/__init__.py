"""Policy analysis: effects on common draws, their attribution to levers, and optimal policies."""

from typing import TYPE_CHECKING

from pysd_runner.engine.lazy import lazy_exports

if TYPE_CHECKING:
    from pysd_runner.policy.attribution import Attribution as Attribution, attribute as attribute
    from pysd_runner.policy.cost import Costs as Costs, costs as costs
    from pysd_runner.policy.effects import variable_outcome as variable_outcome
    from pysd_runner.policy.objective import Constraint as Constraint, Objective as Objective
    from pysd_runner.policy.optimisation import Optimum as Optimum, optimise as optimise
    from pysd_runner.policy.space import DecisionVariable as DecisionVariable, Space as Space
    from pysd_runner.policy.spaces import space_of as space_of
    from pysd_runner.policy.studies import policy_of as policy_of, study_of as study_of
    from pysd_runner.policy.study import Lever as Lever, Outcome as Outcome, Study as Study, effects_of as effects_of
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
