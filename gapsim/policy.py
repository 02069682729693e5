"""Policy analysis of any model from a script: optimal policies, and the contribution of each lever."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pysd_runner.core.errors import InvalidInput
from pysd_runner.model import Model
from pysd_runner.spec.declarations import DeclaredLever, DeclaredOutcome
from pysd_runner.study.arguments import AnyFit, AnyModel, loaded, parameters_of, subject_of

if TYPE_CHECKING:
    from pysd_runner.data import Data
    from pysd_runner.data.sources import AnySource
    from pysd_runner.policy.attribution import Attribution
    from pysd_runner.policy.objective import Constraint
    from pysd_runner.policy.optimisation import Optimum
    from pysd_runner.policy.study import Study
    from pysd_runner.scenarios import Scenario
    from pysd_runner.study.inputs import ProjectionInputs


def optimise(  # noqa: PLR0913 - a public entry point
    model: AnyModel,
    data: "Data | AnySource | None" = None,
    scenario: "Scenario | str | None" = None,
    fit: AnyFit | None = None,
    *,
    outcome: str = "",
    levers: Mapping[str, tuple[float, float]] | None = None,
    better: str = "",
    until: float | None = None,
    draws: int | None = None,
    seed: int = 0,
    subject_to: "Sequence[Constraint] | None" = None,
    starts: int = 4,
) -> "Optimum":
    """Find the best policy among those that the levers of a model allow.

    Parameters
    ----------
    model, data, fit, until, draws, seed
        As for `project`; a fit stands for its model and data here, too.
    scenario
        For regions the scenario that gives budget and first year, ``"zoned_need"`` by default; None otherwise.
    outcome
        What is improved: an outcome of the declarations or, with `better`, any variable of a model of one's own.
    levers
        For a model of one's own: lower and upper value of each constant that a policy sets, by name. One of the two is
        the value without a policy, as in the file. None for the levers that the declarations name.
    better
        ``"higher"`` or ``"lower"``: the direction in which the outcome improves.
    subject_to
        Constraints; None for those of `gapsim optimise` for regions, and for none otherwise.
    starts
        Number of searches.

    Returns
    -------
    Optimum
        The policy, its effect in the draws of the search and in those held out.

    Raises
    ------
    InvalidInput
        If no lever or direction is known, or there are fewer than four draws.
    UnknownName
        If there is no such constant or outcome.
    """
    from pysd_runner.policy.objective import Objective
    from pysd_runner.policy.optimisation import optimise as best
    from pysd_runner.policy.spaces import DEFAULT_CONSTRAINTS, space_of
    from pysd_runner.policy.studies import policy_of

    inputs, study = _study(model, data, fit, outcome, levers, better, until=until, draws=draws, seed=seed)
    root = None
    for name in filter(None, [scenario or inputs.design.search]):
        root = _scenario(inputs, name)
        study = replace(study, none=policy_of(inputs, root.baseline()))
    space, start = space_of(study, root)
    known = study.outcomes.keys() | study.watched.keys()
    rules = [item for item in DEFAULT_CONSTRAINTS if item.outcome in known] if subject_to is None else subject_to
    return best(
        study, space, objective=Objective(outcome=outcome), subject_to=rules, start=start, starts=starts, seed=seed
    )


def attribute(  # noqa: PLR0913 - a public entry point
    model: AnyModel,
    data: "Data | AnySource | None",
    scenario: "Scenario | str | Mapping[str, Any]",
    fit: AnyFit | None = None,
    *,
    outcome: str = "",
    levers: Mapping[str, tuple[float, float]] | None = None,
    better: str = "",
    until: float | None = None,
    draws: int | None = None,
    seed: int = 0,
) -> "Attribution":
    """Attribute the effect of a policy to its levers.

    Parameters
    ----------
    model, data, fit, outcome, levers, better, until, draws, seed
        As for `optimise`.
    scenario
        The policy: a scenario, its name or file, or for a model of one's own the values of its levers by name.

    Returns
    -------
    Attribution
        What each lever contributes in every draw.

    Raises
    ------
    InvalidInput
        If no lever or direction is known.
    UnknownName
        If there is no such constant, outcome or scenario.
    """
    from pysd_runner.policy.attribution import attribute as shares
    from pysd_runner.policy.studies import loop_values, policy_of, references

    inputs, study = _study(model, data, fit, outcome, levers, better, until=until, draws=draws, seed=seed)
    chosen = _scenario(inputs, scenario)
    return shares(
        study,
        policy_of(study, chosen),
        name=chosen.name,
        outcome=outcome,
        none={**study.none, **policy_of(study, chosen.baseline())},
        reference=references(study, chosen),
        loops=loop_values(inputs.model),
    )


def _study(
    model: AnyModel,
    data: "Data | AnySource | None",
    fit: AnyFit | None,
    outcome: str,
    levers: Mapping[str, tuple[float, float]] | None,
    better: str,
    **settings: Any,
) -> "tuple[ProjectionInputs, Study]":
    """The inputs of a projection, and the study of policies made from them."""
    from pysd_runner.policy.studies import study_of
    from pysd_runner.study.inputs import inputs_of

    model, data, _, fit = subject_of(model, data, {}, fit)
    known, read = loaded(model, data)
    if levers is not None or better:
        known = _declared(known, outcome, levers or {}, better)
    inputs = inputs_of(known, read, parameters_of(fit), **settings)
    return inputs, study_of(inputs)


def _declared(model: Model, outcome: str, levers: Mapping[str, tuple[float, float]], better: str) -> Model:
    """The model with the levers and the outcome that a call names, beside those of its declarations."""
    from pysd_runner.simulation.run import constant_values, located

    if model.design.lever:
        raise InvalidInput(
            "{model} has the levers and outcomes of its declarations; leave out `levers` and `better`", model=model.name
        )
    spec = model.declarations
    named = {}
    for name, (low, high) in levers.items():
        variable, position = located(model, name)
        off = float(constant_values(model, variable)[position or ()])
        if not (low < high and off in (low, high)):
            raise InvalidInput(
                "lever {lever!r} is off at its value in the file, {off:g}, which is one of its two ends; found {low:g} "
                "to {high:g}",
                lever=name,
                off=off,
                low=low,
                high=high,
            )
        named[name] = DeclaredLever(key=name, element=name, en=name, zh=name, off=off, to=high if off == low else low)
    if bool(outcome) != bool(better) or better not in ("", "higher", "lower"):
        raise InvalidInput(
            "an outcome has a direction in which it improves: give both, as in outcome='Deaths', better='lower'"
        )
    judged = {}
    if outcome:
        found = model.ir.variables[model.find(outcome)]
        judged[outcome] = DeclaredOutcome(
            key=outcome, variable=found.name, unit=found.unit, en=found.name, zh=found.name, better=better
        )
    return replace(model, spec=replace(spec, levers={**spec.levers, **named}, outcomes={**spec.outcomes, **judged}))


def _scenario(inputs: "ProjectionInputs", scenario: Any) -> "Scenario":
    """A scenario, with the regions of the data."""
    from pysd_runner.scenarios import Scenario, load_scenario
    from pysd_runner.scenarios.load import holds_changes

    if isinstance(scenario, Mapping) and holds_changes(scenario):
        return Scenario.of("policy", scenario)
    return (
        scenario
        if isinstance(scenario, Scenario)
        else load_scenario(scenario, model=inputs.model, regions=inputs.regions)
    )
