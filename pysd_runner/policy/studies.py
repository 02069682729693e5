"""Build a `Study` (common draws, levers and outcomes) from any model that declares levers."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from pysd_runner.checks.declarations import SwitchableLoop, load_experiments
from pysd_runner.core.errors import InvalidInput, Message, SimulationFailed
from pysd_runner.core.types import Texts, Values
from pysd_runner.model import Model
from pysd_runner.policy.cost import unit_costs
from pysd_runner.policy.effects import each, regional_outcomes, variable_outcome
from pysd_runner.policy.parts import declared_outcomes
from pysd_runner.policy.ranking import start_of
from pysd_runner.policy.study import Lever, Outcome, Study
from pysd_runner.scenarios import Scenario, load_scenario
from pysd_runner.scenarios.crossing import two_by_two
from pysd_runner.scenarios.load import holds_changes
from pysd_runner.scenarios.scenario import BASELINE
from pysd_runner.simulation.run import constant_values, located, only_draws, simulate
from pysd_runner.spec import DeclaredOutcome, ModelSpec
from pysd_runner.study.inputs import ProjectionInputs
from pysd_runner.study.values import changed_values


def study_of(inputs: ProjectionInputs, *, lang: str = "en") -> Study:
    """Build a study of a model that declares levers, and outcomes with a preferred direction unless it is regional.

    Parameters
    ----------
    inputs
        Common inputs of all scenarios, from `inputs_of`. A model without regions declares ``[levers]`` and
        ``[outcomes]`` in a ``.toml`` file with the name of the model file.
    lang
        Language of the region names, ``"en"`` or ``"zh"``.

    Returns
    -------
    Study
        For a regional model: the levers of its scenario files, and the outcomes ``gap_closed``, ``theil_closed``,
        ``theil_between_closed`` (if regions have classes), ``output_change`` and ``leader_change``, then those that the
        model declares over its regions. For any other model: an outcome with subscripts is summed over its elements;
        the first one with exactly one subscript is also watched element by element (its key followed by ``each``).
        Draws that fail without any policy are dropped and counted in the notes.

    Raises
    ------
    InvalidInput
        If no lever or direction is declared, a lever was estimated, or bounds and steps do not fit whole units of time.
    SimulationFailed
        If every draw fails without a policy.
    """
    model, design = inputs.model, inputs.design
    spec = model.declarations
    _check_whole(inputs)
    levers = {key: _lever(model, key, spec, element) for key, element in design.levers.items()}
    # Without a policy, variables that policies of scenario files set keep the value in the model file.
    alone = [lever for lever in levers.values() if lever.variable not in design.policy.values()]
    carriers = {lever.variable: constant_values(model, lever.variable) for lever in alone}
    for lever in alone:
        carriers[lever.variable][lever.position] = lever.off
    values = dict(inputs.common.values)
    for name in carriers.keys() & values.keys():
        raise InvalidInput("{name!r} was set or estimated by the fit, so it cannot be a lever", name=name)
    costs = {name: constant_values(model, name) for name in unit_costs(model).values() if name not in values}
    judged = [item for item in spec.outcomes.values() if item.better]
    watched, elements = _by_element(model, judged)
    outcomes: dict[str, Outcome] = {}
    for panel in inputs.past:
        start = start_of(panel)
        outcomes, watched = regional_outcomes(start, model.bindings.variables)
        outcomes |= declared_outcomes(spec.regional_outcomes, start)
        elements = tuple(region.name(lang) for region in panel.regions)
    outcomes |= {item.key: _outcome(item) for item in judged}
    _check_declared(model, levers, outcomes)
    study = Study(
        model=inputs.run_model,
        values={**values, **costs},
        draws=len(inputs.common.draws),
        bounds=inputs.bounds,
        step=inputs.step,
        none={**carriers, **policy_of(inputs, BASELINE)},
        levers=levers,
        outcomes=outcomes,
        watched=watched,
        regions=inputs.regions,
        elements=elements,
        notes=design.caveats,
        calendar=inputs.calendar,
    )
    return _usable(study)


def _check_whole(inputs: ProjectionInputs) -> None:
    """Raise if runs do not start, step and end at whole units of time."""
    (start, stop), step = inputs.bounds, inputs.step
    if start % 1 or stop % 1 or step > 1 or (1 / step) % 1:
        raise InvalidInput(
            "policies are compared at whole units of time; {model} runs from {start:g} to {stop:g} in steps of "
            "{step:g}",
            model=inputs.model.path.name,
            start=start,
            stop=stop,
            step=step,
        )


def policy_of(start: Study | ProjectionInputs, scenario: Scenario | Values | str) -> dict[str, Any]:
    """Values of a scenario by model variable, in the form that a study uses.

    Parameters
    ----------
    start
        The study, or the inputs to build it from.
    scenario
        A scenario, or an argument of `load_scenario`; for a model without regions also a mapping from constants to
        changes, as in `Scenario.of`.
    """
    model, bounds, step = start.model, start.bounds, start.step
    base = {**start.values, **start.none} if isinstance(start, Study) else start.common.values
    if isinstance(scenario, Mapping) and holds_changes(scenario):
        scenario = Scenario.of("policy", scenario)
    elif not isinstance(scenario, Scenario):
        scenario = load_scenario(scenario, model=model, regions=start.regions)
    times = np.arange(bounds[0], bounds[1] + step / 2, step)
    policies = scenario.values(model, start.regions, default_start=float(bounds[0] + 1), times=times)
    changed = changed_values(model, [scenario], base, start=bounds[0], stop=bounds[1], step=step)
    return {**policies, **changed}


def references(study: Study, scenario: Scenario) -> dict[str, dict[str, Any]]:
    """Policies that decompose the effect of one into allocation and mix; empty for changes of constants."""
    found = two_by_two(scenario, model=study.model) if scenario.model else ()
    return {name: policy_of(study, item) for name, item in zip(("reference", "who", "what"), found, strict=False)}


def loop_values(model: Model) -> dict[str, dict[str, float]]:
    """Values that switch off each feedback loop declared in ``checks.toml``, by loop and model variable."""
    return {loop.name: {model.find(key): float(value) for key, value in loop.values.items()} for loop in _loops(model)}


def loop_labels(model: Model, lang: str) -> Texts:
    """Labels of the loops of `loop_values`, by name."""
    return {loop.name: (loop.zh if lang == "zh" else loop.en) or loop.name for loop in _loops(model)}


def _loops(model: Model) -> list[SwitchableLoop]:
    file = model.path.parent / "checks.toml"
    if not file.is_file():
        return []
    chosen = {key for key, item in model.declarations.parameters.items() if item.role == "POL"}
    return [loop for loop in load_experiments(file).loops if not chosen & set(loop.values)]


def _check_declared(model: Model, levers: Mapping[str, Lever], outcomes: Mapping[str, Outcome]) -> None:
    """Raise if there is no lever, or no outcome with a preferred direction."""
    file = model.path.with_suffix(".toml").name
    if not levers:
        raise InvalidInput(
            '{model} declares no levers; name them in {file}: [levers."Doses[old]"]', model=model.path.name, file=file
        )
    if not outcomes:
        raise InvalidInput(
            '{file} says of no outcome which direction is better: [outcomes.Deaths] better = "lower"', file=file
        )


def _lever(model: Model, key: str, spec: ModelSpec, element: str) -> Lever:
    own = spec.levers[key]
    variable, position = located(model, element)
    if model.ir.variables[variable].kind != "constant":
        raise InvalidInput("lever {lever!r}: {variable!r} is no constant of the model", lever=key, variable=variable)
    return Lever(key=key, variable=variable, position=position or (), off=own.off, en=own.en, zh=own.zh)


def _outcome(item: DeclaredOutcome) -> Outcome:
    sign = 1.0 if item.better == "higher" else -1.0
    return variable_outcome(item.key, item.variable, sign=sign, unit=item.unit, en=item.en, zh=item.zh)


def _usable(study: Study) -> Study:
    """Drop the draws of a study that fail even without a policy."""
    names = list(dict.fromkeys(name for item in study.outcomes.values() for name in item.variables))
    run = simulate(
        study.model,
        {**study.values, **study.none},
        start=study.bounds[0],
        stop=study.bounds[1],
        save_every=study.bounds[1] - study.bounds[0],
        outcomes=names,
        throw=False,
    )
    failed = np.broadcast_to(run.failed, (1, study.draws))[0]
    if not failed.any():
        return study
    kept = np.flatnonzero(~failed)
    if not len(kept):
        raise SimulationFailed("no draw gives numbers without a policy")
    note = Message(
        "{count} of {draws} draws give no numbers without a policy; they are left out.",
        count=failed.sum(),
        draws=study.draws,
    )
    values = only_draws(study.model, study.values, kept)
    return replace(study, values=values, draws=len(kept), notes=(*study.notes, note))


def _by_element(model: Model, judged: list[DeclaredOutcome]) -> tuple[dict[str, Outcome], tuple[str, ...]]:
    """The first outcome that has exactly one subscript, by element, and its elements; empty if there is none."""
    for item in judged:
        dims = model.ir.variables[item.variable].dims
        if len(dims) == 1:
            found = each(_outcome(item))
            return {found.key: found}, tuple(model.ir.ranges[dims[0]])
    return {}, ()
