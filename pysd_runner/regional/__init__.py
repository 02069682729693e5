"""A panel bound to the regional model: start values, draws, shocks, scenarios, projection, labels, its policies."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pysd_runner.regional.binding import RegionalModel
    from pysd_runner.regional.policies import policy_values, regional_futures, regional_study
    from pysd_runner.regional.policy_spaces import chosen_scenario, class_space, uniform_space

_HOMES = {
    "RegionalModel": "binding",
    "chosen_scenario": "policy_spaces",
    "class_space": "policy_spaces",
    "policy_values": "policies",
    "regional_futures": "policies",
    "regional_study": "policies",
    "uniform_space": "policy_spaces",
}

__all__ = [
    "RegionalModel",
    "chosen_scenario",
    "class_space",
    "policy_values",
    "regional_futures",
    "regional_study",
    "uniform_space",
]


def __getattr__(name: str) -> Any:
    """Import a name, and what it needs with it, only when it is asked for."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Names that can be imported."""
    return sorted(__all__)
