"""Which policy: effects of policies on the same draws, what they are made of, the best one, and how sure that is."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pysd_runner.policy.advice import Advice, advise
    from pysd_runner.policy.attribution import Attribution, attribute
    from pysd_runner.policy.cost import Costs, cost_curves, costs
    from pysd_runner.policy.frontier import Front, front
    from pysd_runner.policy.futures import Factor, Futures, Mechanism, futures_of
    from pysd_runner.policy.general import lever_space, model_futures, model_study, policy_of, space_scenario
    from pysd_runner.policy.objective import Constraint, Objective
    from pysd_runner.policy.optimisation import Optimum, optimise
    from pysd_runner.policy.outcomes import variable_outcome
    from pysd_runner.policy.space import Knob, Space
    from pysd_runner.policy.study import Lever, Outcome, Study, effects_of

_HOMES = {
    "Advice": "advice",
    "Attribution": "attribution",
    "Constraint": "objective",
    "Costs": "cost",
    "Factor": "futures",
    "Front": "frontier",
    "Futures": "futures",
    "Knob": "space",
    "Lever": "study",
    "Mechanism": "futures",
    "Objective": "objective",
    "Optimum": "optimisation",
    "Outcome": "study",
    "Space": "space",
    "Study": "study",
    "advise": "advice",
    "attribute": "attribution",
    "cost_curves": "cost",
    "costs": "cost",
    "effects_of": "study",
    "front": "frontier",
    "futures_of": "futures",
    "lever_space": "general",
    "model_futures": "general",
    "model_study": "general",
    "optimise": "optimisation",
    "policy_of": "general",
    "space_scenario": "general",
    "variable_outcome": "outcomes",
}

# What is imported from `pysd_runner.regional` now; said for one release.
MOVED = (
    "chosen_scenario",
    "class_space",
    "policy_values",
    "regional_futures",
    "regional_study",
    "uniform_space",
)

__all__ = [
    "Advice",
    "Attribution",
    "Constraint",
    "Costs",
    "Factor",
    "Front",
    "Futures",
    "Knob",
    "Lever",
    "Mechanism",
    "Objective",
    "Optimum",
    "Outcome",
    "Space",
    "Study",
    "advise",
    "attribute",
    "cost_curves",
    "costs",
    "effects_of",
    "front",
    "futures_of",
    "lever_space",
    "model_futures",
    "model_study",
    "optimise",
    "policy_of",
    "space_scenario",
    "variable_outcome",
]


def __getattr__(name: str) -> Any:
    """Import a name, and what it needs with it, only when it is asked for."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    if name in MOVED:
        raise ImportError(f"{name} knows regions: from pysd_runner.regional import {name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Names that can be imported."""
    return sorted(__all__)
