"""Which policy: effects of policies on the same draws, what they are made of, the best one, and how sure that is."""

from typing import TYPE_CHECKING

from pysd_runner.core.lazy import lazy_exports

if TYPE_CHECKING:
    from pysd_runner.policy.advice import Advice as Advice
    from pysd_runner.policy.advice import advise as advise
    from pysd_runner.policy.attribution import Attribution as Attribution
    from pysd_runner.policy.attribution import attribute as attribute
    from pysd_runner.policy.cost import Costs as Costs
    from pysd_runner.policy.cost import cost_curves as cost_curves
    from pysd_runner.policy.cost import costs as costs
    from pysd_runner.policy.frontier import Front as Front
    from pysd_runner.policy.frontier import front as front
    from pysd_runner.policy.futures import Factor as Factor
    from pysd_runner.policy.futures import Futures as Futures
    from pysd_runner.policy.futures import Mechanism as Mechanism
    from pysd_runner.policy.futures import futures_of as futures_of
    from pysd_runner.policy.objective import Constraint as Constraint
    from pysd_runner.policy.objective import Objective as Objective
    from pysd_runner.policy.optimisation import Optimum as Optimum
    from pysd_runner.policy.optimisation import optimise as optimise
    from pysd_runner.policy.outcomes import variable_outcome as variable_outcome
    from pysd_runner.policy.regions import policy_values as policy_values
    from pysd_runner.policy.regions import regional_futures as regional_futures
    from pysd_runner.policy.regions import regional_study as regional_study
    from pysd_runner.policy.space import Knob as Knob
    from pysd_runner.policy.space import Space as Space
    from pysd_runner.policy.spaces import chosen_scenario as chosen_scenario
    from pysd_runner.policy.spaces import class_space as class_space
    from pysd_runner.policy.spaces import uniform_space as uniform_space
    from pysd_runner.policy.studies import lever_space as lever_space
    from pysd_runner.policy.studies import model_futures as model_futures
    from pysd_runner.policy.studies import model_study as model_study
    from pysd_runner.policy.studies import policy_of as policy_of
    from pysd_runner.policy.studies import space_scenario as space_scenario
    from pysd_runner.policy.study import Lever as Lever
    from pysd_runner.policy.study import Outcome as Outcome
    from pysd_runner.policy.study import Study as Study
    from pysd_runner.policy.study import effects_of as effects_of
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
