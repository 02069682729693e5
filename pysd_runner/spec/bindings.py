"""Bindings of a regional model: the names of its output, population, shocks, shares and other quantities."""

from dataclasses import fields
from typing import Any

from pysd_runner.core.errors import Message, suggest
from pysd_runner.core.types import frozen
from pysd_runner.spec.reader import Fail

# Settings of a policy in scenario files, each of which must be bound to a variable.
POLICY_SETTINGS = (
    "start",
    "budget",
    "mix",
    "differentiation",
    "class_mixes",
    "levers",
    "redistribution",
    "rural_broadband",
    "basic_training",
    "rolling_evaluation",
    "targets.regions",
    "targets.classes",
    "targets.pilots",
)


@frozen
class RangeNames:
    """Names of the subscript ranges in the model file."""

    region: str
    lever: str
    policy_class: str


# Names of the ranges if no declarations name them.
USUAL_RANGES = RangeNames(region="Region", lever="Lever", policy_class="Class")


@frozen
class VariableNames:
    """Names of the variables in the model file."""

    output: str
    output_per_head: str
    population: str
    access: str
    skills: str
    application: str
    shared_data: str
    governance: str
    platform: str
    infrastructure: str
    initial_infrastructure: str
    infrastructure_investment: str  # private, as a share of output
    capital: str
    investment: str  # as a share of output
    shock: str  # exogenous growth
    partner_weights: str
    national_access: str
    national_skills: str
    national_output_per_head: str
    leader_output_per_head: str
    policy_money: str
    region_money_share: str
    spent_money_share: str
    evaluation_noise: str  # errors of the reported evaluations of pilots, in standard deviations
    trainee_time: str = ""  # years of people's time spent in training in a year; not public money


@frozen
class InputKeys:
    """Keys of the initial values of each region."""

    population: str
    output_per_head: str
    access: str
    skills: str
    application: str
    shared_data: str
    governance: str
    platform: str
    schooling: str
    capital_output_ratio: str
    investment: str
    natural_growth: str
    terrain_cost: str
    reference_shift: str
    structural_deviation: str
    momentum: str


@frozen
class ParameterKeys:
    """Keys of the parameters."""

    access_ceiling: str
    affordable_income: str
    reference_infrastructure: str
    reference_growth: str
    application_level: str
    trend_growth: str
    catch_up: str
    gap_persistence: str
    catch_up_curvature: str
    catch_up_asymmetry: str
    momentum_decay: str
    shock_size: str
    # Unused; accepted because files of earlier versions contain it.
    couplings: tuple[str, ...] = ()
    # Policy assumptions without an estimate, each of which may hold or not in a future.
    doubted: tuple[str, ...] = ()


@frozen
class Bindings:
    """Bindings of a regional model, read from ``[bindings]`` of its ``model.toml``."""

    ranges: RangeNames
    variables: VariableNames
    inputs: InputKeys
    parameters: ParameterKeys
    policy: dict[str, str]

    def named(self) -> tuple[str, ...]:
        """Names of all bound variables."""
        return tuple(filter(None, (*_values(self.variables), *self.policy.values())))


def check_bindings(found: Bindings, fail: Fail) -> None:
    """Check that all required policy settings are bound, and that no unknown key is."""
    for setting in POLICY_SETTINGS:
        # Models made before basic courses need not have them.
        if not found.policy.get(setting) and setting != "basic_training":
            fail(f"policy.{setting}", Message("is missing"))
    for setting in found.policy:
        if setting not in POLICY_SETTINGS:
            known = ", ".join(POLICY_SETTINGS)
            fail(
                f"policy.{setting}",
                Message(
                    "unknown key; known: {known}.{suggestion}",
                    known=known,
                    suggestion=suggest(setting, POLICY_SETTINGS),
                ),
            )


def bound_keys(names: InputKeys | ParameterKeys) -> tuple[tuple[str, str], ...]:
    """Pairs of a field of the bindings and a key bound to it."""
    pairs: list[tuple[str, str]] = []
    for item in fields(names):
        value = getattr(names, item.name)
        pairs += [(item.name, key) for key in ((value,) if isinstance(value, str) else value)]
    return tuple(pairs)


def _values(names: Any) -> tuple[str, ...]:
    return tuple(getattr(names, item.name) for item in fields(names))
