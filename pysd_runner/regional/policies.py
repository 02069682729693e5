"""The study of the shipped regional model: its levers, and gaps and output as outcomes with their derivatives."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.checks.experiments import Loop, load_experiments
from pysd_runner.model import Model
from pysd_runner.policy.effects import Start
from pysd_runner.policy.futures import Factor, Futures, Mechanism, futures_of
from pysd_runner.policy.study import Data, Lever, Outcome, Study
from pysd_runner.regional.comparison import start_of
from pysd_runner.regional.inputs import time_step
from pysd_runner.regional.projection import ProjectionInputs
from pysd_runner.scenarios import Scenario, load_scenario
from pysd_runner.scenarios.assumptions import POLICY_VARIABLES
from pysd_runner.scenarios.crossing import two_by_two
from pysd_runner.scenarios.vocabulary import load_vocabulary
from pysd_runner.text import say

Array = NDArray[np.float64]

OUTPUT, PEOPLE = "Output", "Population"
# Assumptions about policy that have no estimate; a future has each of them or not.
DOUBTED = ("h_hom", "q_f", "crowd")
ACTIVE = POLICY_VARIABLES["levers"]


def regional_study(inputs: ProjectionInputs, *, lang: str = "en") -> Study:
    """A study of the shipped model.

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
    elements = list(model.ranges["Lever"])
    levers = {
        key: Lever(key=key, variable=ACTIVE, position=(elements.index(word.element),), en=word.en, zh=word.zh)
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
        outcomes=regional_outcomes(start_of(panel)),
        watched={"region_change": _regions()},
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


def regional_outcomes(start: Start) -> dict[str, Outcome]:
    """Outcomes of the shipped model.

    Parameters
    ----------
    start
        The last observed year, from which it is known who is behind and who leads.
    """
    found = []
    if start.behind.any():
        found.append(_gap(start.behind))
    found.append(_theil("theil_closed", np.eye(len(start.output))))
    names = list(dict.fromkeys(start.classes))
    if len(names) > 1:
        members = np.array([[float(own == name) for own in start.classes] for name in names])
        found.append(_theil("theil_between_closed", members))
    found.append(_national())
    found.append(_region("leader_change", start.leader))
    return {item.key: item for item in found}


def _gap(behind: NDArray[np.bool_]) -> Outcome:
    """Mean log distance of the regions below the mean, log points x100; see `mean_log_gap`."""
    share = behind / behind.sum()

    def value(data: Data) -> Array:
        made, people = data[OUTPUT], data[PEOPLE]
        nation = np.log(made.sum(2) / people.sum(2))
        return np.asarray(100 * (nation - np.einsum("pdry,r->pdy", np.log(made / people), share)))

    def slopes(data: Data) -> dict[str, Array]:
        made, people = data[OUTPUT], data[PEOPLE]
        own = share[:, None]
        return {
            OUTPUT: 100 * (1 / made.sum(2, keepdims=True) - own / made),
            PEOPLE: 100 * (own / people - 1 / people.sum(2, keepdims=True)),
        }

    return Outcome(
        key="gap_closed",
        variables=(OUTPUT, PEOPLE),
        value=value,
        slopes=slopes,
        sign=-1.0,
        unit=say("policy_outcome.points", "en"),
        unit_zh=say("policy_outcome.points", "zh"),
        en=say("policy_outcome.gap_closed", "en"),
        zh=say("policy_outcome.gap_closed", "zh"),
    )


def _theil(key: str, members: Array) -> Outcome:
    """Theil index of groups of regions, x1000; members of shape (group, region)."""

    def grouped(values: Array) -> Array:
        return np.asarray(np.einsum("gr,pdry->pdgy", members, values))

    def parts(data: Data) -> tuple[Array, Array, Array, Array]:
        made, people = grouped(data[OUTPUT]), grouped(data[PEOPLE])
        share = made / made.sum(2, keepdims=True)
        logs = np.log(share / (people / people.sum(2, keepdims=True)))
        return made, people, share, logs

    def value(data: Data) -> Array:
        _, _, share, logs = parts(data)
        return np.asarray(1000 * (share * logs).sum(2))

    def slopes(data: Data) -> dict[str, Array]:
        made, people, share, logs = parts(data)
        total = (share * logs).sum(2, keepdims=True)
        by_output = 1000 * (logs - total) / made.sum(2, keepdims=True)
        by_people = 1000 * (1 / people.sum(2, keepdims=True) - share / people)
        return {
            OUTPUT: np.einsum("gr,pdgy->pdry", members, by_output),
            PEOPLE: np.einsum("gr,pdgy->pdry", members, by_people),
        }

    return Outcome(
        key=key,
        variables=(OUTPUT, PEOPLE),
        value=value,
        slopes=slopes,
        sign=-1.0,
        unit=say("policy_outcome.index", "en"),
        unit_zh=say("policy_outcome.index", "zh"),
        en=say(f"policy_outcome.{key}", "en"),
        zh=say(f"policy_outcome.{key}", "zh"),
    )


def _national() -> Outcome:
    """Output of the nation."""
    return Outcome(
        key="output_change",
        variables=(OUTPUT,),
        value=lambda data: data[OUTPUT].sum(2),
        slopes=lambda data: {OUTPUT: np.ones_like(data[OUTPUT])},
        unit="%",
        en=say("policy_outcome.output_change", "en"),
        zh=say("policy_outcome.output_change", "zh"),
        is_relative=True,
    )


def _region(key: str, place: int) -> Outcome:
    def value(data: Data) -> Array:
        return np.asarray(data[OUTPUT][:, :, place] / data[PEOPLE][:, :, place])

    def slopes(data: Data) -> dict[str, Array]:
        made, people = data[OUTPUT], data[PEOPLE]
        chosen = np.where(np.arange(made.shape[2]) == place, 1.0, 0.0)[:, None]
        return {OUTPUT: chosen / people, PEOPLE: -chosen * made / people**2}

    return Outcome(
        key=key,
        variables=(OUTPUT, PEOPLE),
        value=value,
        slopes=slopes,
        unit="%",
        en=say(f"policy_outcome.{key}", "en"),
        zh=say(f"policy_outcome.{key}", "zh"),
        is_relative=True,
    )


def _regions() -> Outcome:
    """Output per head of every region."""

    def slopes(data: Data) -> dict[str, Array]:
        made, people = data[OUTPUT], data[PEOPLE]
        return {OUTPUT: 1 / people, PEOPLE: -made / people**2}

    return Outcome(
        key="region_change",
        variables=(OUTPUT, PEOPLE),
        value=lambda data: data[OUTPUT] / data[PEOPLE],
        slopes=slopes,
        unit="%",
        en=say("policy_outcome.region_change", "en"),
        zh=say("policy_outcome.region_change", "zh"),
        is_relative=True,
        by_element=True,
    )


def references(inputs: ProjectionInputs, scenario: Scenario) -> dict[str, dict[str, Any]]:
    """Policies that split the effect of a scenario into who gets the money and what it buys.

    Parameters
    ----------
    inputs
        What every scenario starts from.
    scenario
        A policy that spends.
    """
    found = two_by_two(scenario, model=inputs.model)
    return {name: policy_values(inputs, item) for name, item in zip(("reference", "who", "what"), found, strict=False)}


def loop_values(model: Model) -> dict[str, dict[str, float]]:
    """Values that switch each feedback loop of a model off, by its name; the declarations say which.

    Loops that a choice of policy switches off are left out.

    Parameters
    ----------
    model
        With a ``checks.toml`` beside its file.
    """
    return {loop.name: {model.find(key): float(value) for key, value in loop.values.items()} for loop in _loops(model)}


def loop_labels(model: Model, lang: str) -> dict[str, str]:
    """The same loops in words, by name.

    Parameters
    ----------
    model
        The model.
    lang
        ``"en"`` or ``"zh"``.
    """
    return {loop.name: (loop.zh if lang == "zh" else loop.en) or loop.name for loop in _loops(model)}


def _loops(model: Model) -> list[Loop]:
    file = model.path.parent / "checks.toml"
    if not file.is_file():
        return []
    chosen = set() if model.spec is None else {key for key, item in model.spec.parameters.items() if item.role == "POL"}
    return [loop for loop in load_experiments(file).loops if not chosen & set(loop.values)]


def regional_futures(studies: Mapping[str, Study], *, seed: int = 0) -> Futures:
    """Futures of the shipped model: draws, unit costs, definitions of a skill, assumptions about policy.

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
        if item.role == "COST"
    }
    mechanisms = [
        Mechanism(
            factor=Factor(key=key, kind="switch", en=declared[key].en, zh=declared[key].zh),
            off={declared[key].variable: 0.0},
        )
        for key in DOUBTED
        if key in declared
    ]
    definition = Factor(
        key="definition", en=say("policy_outcome.definition", "en"), zh=say("policy_outcome.definition", "zh")
    )
    return futures_of(studies, costs, mechanisms, definition=definition if len(studies) > 1 else None, seed=seed)
