"""The study of the regional model: its levers, and gaps and output as outcomes with their derivatives."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.checks.declarations import SwitchableLoop, load_experiments
from pysd_runner.model import Model
from pysd_runner.policy.effects import Start
from pysd_runner.policy.futures import Factor, Futures, Mechanism, futures_of
from pysd_runner.policy.ranking import start_of
from pysd_runner.policy.study import Data, Lever, Outcome, Study
from pysd_runner.scenarios import Scenario, load_scenario
from pysd_runner.scenarios.crossing import two_by_two
from pysd_runner.scenarios.vocabulary import load_vocabulary
from pysd_runner.spec.bindings import VariableNames
from pysd_runner.study.inputs import ProjectionInputs
from pysd_runner.study.region_inputs import time_step
from pysd_runner.text import say

Array = NDArray[np.float64]


def regional_study(inputs: ProjectionInputs, *, lang: str = "en") -> Study:
    """A study of a regional model.

    Parameters
    ----------
    inputs
        What every scenario starts from.
    lang
        Language of the names of regions, ``"en"`` or ``"zh"``.

    Returns
    -------
    Study
        Levers are those of the scenario files; outcomes are ``gap_closed``, ``theil_closed``, ``theil_between_closed``
        (where regions have classes), ``output_change`` and ``leader_change``.
    """
    model, panel = inputs.model, inputs.panel
    bound = model.bindings
    elements, active = list(model.ranges[bound.ranges.lever]), bound.policy["levers"]
    levers = {
        key: Lever(key=key, variable=active, position=(elements.index(word.element),), en=word.en, zh=word.zh)
        for key, word in load_vocabulary(model).levers.items()
    }
    return Study(
        model=model,
        values=inputs.common.values,
        draws=len(inputs.common.draws),
        bounds=inputs.bounds,
        step=time_step(model),
        none=policy_values(inputs, load_scenario("baseline", model=model)),
        levers=levers,
        outcomes=regional_outcomes(start_of(panel), bound.variables),
        watched={"region_change": _regions(bound.variables)},
        elements=tuple(region.name_zh if lang == "zh" else region.name_en for region in panel.regions),
        notes=(
            "Effects of digital policy on output rest on priors from the literature passed through the structure; "
            "unit costs of the levers are judgement.",
        ),
    )


def policy_values(inputs: ProjectionInputs, scenario: Scenario) -> dict[str, Any]:
    """Values by variable of a scenario, as a study takes them.

    Parameters
    ----------
    inputs
        What every scenario starts from.
    scenario
        The scenario.
    """
    origin, until = inputs.bounds
    step = time_step(inputs.model)
    times = np.arange(origin, until + step / 2, step)
    return dict(scenario.values(inputs.model, inputs.panel.regions, default_start=float(origin + 1), times=times))


def regional_outcomes(start: Start, names: VariableNames) -> dict[str, Outcome]:
    """Outcomes of a regional model."""
    found = []
    if start.behind.any():
        found.append(_gap(start.behind, names))
    found.append(_theil("theil_closed", np.eye(len(start.output)), names))
    groups = list(dict.fromkeys(start.classes))
    if len(groups) > 1:
        members = np.array([[float(own == name) for own in start.classes] for name in groups])
        found.append(_theil("theil_between_closed", members, names))
    found.append(_national(names))
    found.append(_region("leader_change", start.leader, names))
    return {item.key: item for item in found}


# Functions of outcomes stand at the top of the module, so that a study can be sent to another process.
def _gap(behind: NDArray[np.bool_], names: VariableNames) -> Outcome:
    """Mean log distance of the regions below the mean, log points x100; see `mean_log_gap`."""
    share = behind / behind.sum()
    return Outcome(
        key="gap_closed",
        variables=(names.output, names.population),
        value=partial(_gap_value, names, share),
        slopes=partial(_gap_slopes, names, share),
        sign=-1.0,
        unit=say("policy_outcome.points", "en"),
        unit_zh=say("policy_outcome.points", "zh"),
        en=say("policy_outcome.gap_closed", "en"),
        zh=say("policy_outcome.gap_closed", "zh"),
    )


def _gap_value(names: VariableNames, share: Array, data: Data) -> Array:
    made, people = data[names.output], data[names.population]
    nation = np.log(made.sum(2) / people.sum(2))
    return np.asarray(100 * (nation - np.einsum("pdry,r->pdy", np.log(made / people), share)))


def _gap_slopes(names: VariableNames, share: Array, data: Data) -> dict[str, Array]:
    made, people = data[names.output], data[names.population]
    own = share[:, None]
    return {
        names.output: 100 * (1 / made.sum(2, keepdims=True) - own / made),
        names.population: 100 * (own / people - 1 / people.sum(2, keepdims=True)),
    }


def _theil(key: str, members: Array, names: VariableNames) -> Outcome:
    """Theil index of groups of regions, x1000; members of shape (group, region)."""
    return Outcome(
        key=key,
        variables=(names.output, names.population),
        value=partial(_theil_value, names, members),
        slopes=partial(_theil_slopes, names, members),
        sign=-1.0,
        unit=say("policy_outcome.index", "en"),
        unit_zh=say("policy_outcome.index", "zh"),
        en=say(f"policy_outcome.{key}", "en"),
        zh=say(f"policy_outcome.{key}", "zh"),
    )


def _theil_parts(names: VariableNames, members: Array, data: Data) -> tuple[Array, Array, Array, Array]:
    made, people = (np.einsum("gr,pdry->pdgy", members, data[name]) for name in (names.output, names.population))
    share = made / made.sum(2, keepdims=True)
    logs = np.log(share / (people / people.sum(2, keepdims=True)))
    return made, people, share, logs


def _theil_value(names: VariableNames, members: Array, data: Data) -> Array:
    _, _, share, logs = _theil_parts(names, members, data)
    return np.asarray(1000 * (share * logs).sum(2))


def _theil_slopes(names: VariableNames, members: Array, data: Data) -> dict[str, Array]:
    made, people, share, logs = _theil_parts(names, members, data)
    total = (share * logs).sum(2, keepdims=True)
    by_output = 1000 * (logs - total) / made.sum(2, keepdims=True)
    by_people = 1000 * (1 / people.sum(2, keepdims=True) - share / people)
    return {
        names.output: np.einsum("gr,pdgy->pdry", members, by_output),
        names.population: np.einsum("gr,pdgy->pdry", members, by_people),
    }


def _national(names: VariableNames) -> Outcome:
    """Output of the nation."""
    return Outcome(
        key="output_change",
        variables=(names.output,),
        value=partial(_national_value, names),
        slopes=partial(_national_slopes, names),
        unit="%",
        en=say("policy_outcome.output_change", "en"),
        zh=say("policy_outcome.output_change", "zh"),
        is_relative=True,
    )


def _national_value(names: VariableNames, data: Data) -> Array:
    return np.asarray(data[names.output].sum(2))


def _national_slopes(names: VariableNames, data: Data) -> dict[str, Array]:
    return {names.output: np.ones_like(data[names.output])}


def _region(key: str, place: int, names: VariableNames) -> Outcome:
    """Output per head of one region."""
    return Outcome(
        key=key,
        variables=(names.output, names.population),
        value=partial(_region_value, names, place),
        slopes=partial(_region_slopes, names, place),
        unit="%",
        en=say(f"policy_outcome.{key}", "en"),
        zh=say(f"policy_outcome.{key}", "zh"),
        is_relative=True,
    )


def _region_value(names: VariableNames, place: int, data: Data) -> Array:
    return np.asarray(data[names.output][:, :, place] / data[names.population][:, :, place])


def _region_slopes(names: VariableNames, place: int, data: Data) -> dict[str, Array]:
    made, people = data[names.output], data[names.population]
    chosen = np.where(np.arange(made.shape[2]) == place, 1.0, 0.0)[:, None]
    return {names.output: chosen / people, names.population: -chosen * made / people**2}


def _regions(names: VariableNames) -> Outcome:
    """Output per head of every region."""
    return Outcome(
        key="region_change",
        variables=(names.output, names.population),
        value=partial(_regions_value, names),
        slopes=partial(_regions_slopes, names),
        unit="%",
        en=say("policy_outcome.region_change", "en"),
        zh=say("policy_outcome.region_change", "zh"),
        is_relative=True,
        by_element=True,
    )


def _regions_value(names: VariableNames, data: Data) -> Array:
    return data[names.output] / data[names.population]


def _regions_slopes(names: VariableNames, data: Data) -> dict[str, Array]:
    made, people = data[names.output], data[names.population]
    return {names.output: 1 / people, names.population: -made / people**2}


def references(inputs: ProjectionInputs, scenario: Scenario) -> dict[str, dict[str, Any]]:
    """Policies that split the effect of a scenario into who gets the money and what it buys."""
    found = two_by_two(scenario, model=inputs.model)
    return {name: policy_values(inputs, item) for name, item in zip(("reference", "who", "what"), found, strict=False)}


def loop_values(model: Model) -> dict[str, dict[str, float]]:
    """Values that switch each feedback loop of a model off, by its name; the declarations say which."""
    return {loop.name: {model.find(key): float(value) for key, value in loop.values.items()} for loop in _loops(model)}


def loop_labels(model: Model, lang: str) -> dict[str, str]:
    """The same loops in words, by name."""
    return {loop.name: (loop.zh if lang == "zh" else loop.en) or loop.name for loop in _loops(model)}


def _loops(model: Model) -> list[SwitchableLoop]:
    file = model.path.parent / "checks.toml"
    if not file.is_file():
        return []
    chosen = set() if model.spec is None else {key for key, item in model.spec.parameters.items() if item.role == "POL"}
    return [loop for loop in load_experiments(file).loops if not chosen & set(loop.values)]


def regional_futures(studies: Mapping[str, Study], *, seed: int = 0) -> Futures:
    """Futures of a regional model: draws, unit costs, definitions of a skill, assumptions about policy.

    Parameters
    ----------
    studies
        By definition of what was measured.
    seed
        Decides costs and assumptions.
    """
    model = next(iter(studies.values())).model
    declared = {} if model.spec is None else model.spec.parameters
    costs = {
        key: (Factor(key=key, unit=item.unit, en=item.en, zh=item.zh), item.variable)
        for key, item in declared.items()
        if item.role == "COST" and not item.switch
    }
    # Assumptions that are off unless they are switched on; a future has each of them or not.
    optional = {item.switch for item in declared.values() if item.switch in declared}
    optional = {key for key in optional if declared[key].role == "ASM"}
    mechanisms = [
        Mechanism(
            factor=Factor(key=key, kind="switch", en=declared[key].en, zh=declared[key].zh),
            off={declared[key].variable: 0.0},
            on={declared[key].variable: 1.0} if key in optional else {},
        )
        for key in (*model.bindings.parameters.doubted, *sorted(optional))
    ]
    definition = Factor(
        key="definition", en=say("policy_outcome.definition", "en"), zh=say("policy_outcome.definition", "zh")
    )
    return futures_of(studies, costs, mechanisms, definition=definition if len(studies) > 1 else None, seed=seed)
