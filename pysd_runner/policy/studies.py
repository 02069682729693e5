"""The study of a model of one's own: levers, budget and outcomes as its declarations name them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput, SimulationFailed
from pysd_runner.engine import TimePath
from pysd_runner.model import Model
from pysd_runner.policy.futures import Factor, Futures, futures_of
from pysd_runner.policy.outcomes import variable_outcome
from pysd_runner.policy.space import Knob, Space
from pysd_runner.policy.study import Data, Lever, Outcome, Study
from pysd_runner.scenarios import Scenario
from pysd_runner.scenarios.load import load_changes
from pysd_runner.simulation.elements import constant_values, element_name, located, only_draws
from pysd_runner.simulation.run import simulate
from pysd_runner.spec import DeclaredOutcome, FittedParameters, ModelSpec
from pysd_runner.study.inputs import DRAWS, inputs_of
from pysd_runner.study.values import changed_values

Array = NDArray[np.float64]

# Group of the numbers that share the budget, and what is added to the key of an outcome by element.
BUDGET, EACH = "budget", "each"


def model_study(
    model: Model,
    fitted: FittedParameters | None = None,
    *,
    until: float | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Study:
    """A study of any model whose declarations name levers and say which direction of an outcome is better.

    Parameters
    ----------
    model
        With ``[levers]`` and ``[outcomes]`` in the ``.toml`` beside its file.
    fitted
        What a calibration found; None takes the values of the file, one draw.
    until
        Last moment, by which policies are judged; None takes the file's.
    draws, seed
        Number of draws of the posterior, and what decides them.

    Returns
    -------
    Study
        An outcome with subscripts is the sum over its elements; the first one with one subscript is also watched
        element by element, under its key with ``each``. Draws that fail without any policy are left out and counted in
        the notes.

    Raises
    ------
    InvalidInput
        If no lever or no direction is declared, a lever was estimated, or the run is no whole number of units of time.
    SimulationFailed
        If no draw gives numbers.
    """
    spec = _declared(model)
    inputs = inputs_of(model, None, fitted, until=until, draws=draws, seed=seed)
    values, (start, stop), step = dict(inputs.common.values), inputs.bounds, inputs.step
    if any(moment % 1 for moment in inputs.bounds) or step > 1 or (1 / step) % 1:
        raise InvalidInput(
            "policies are compared at whole units of time; {model} runs from {start:g} to {stop:g} in steps of "
            "{step:g}",
            model=model.path.name,
            start=start,
            stop=stop,
            step=step,
        )
    levers = {key: _lever(model, key, spec) for key in spec.levers}
    carriers = {lever.variable: constant_values(model, lever.variable) for lever in levers.values()}
    for name in carriers:
        if name in values:
            raise InvalidInput("{name!r} was set or estimated by the fit, so it cannot be a lever", name=name)
    for lever in levers.values():
        carriers[lever.variable][lever.position] = lever.off
    costs = {name: constant_values(model, name) for name in _costs(model) if name not in values}
    judged = [item for item in spec.outcomes.values() if item.better]
    study = Study(
        model=inputs.run_model,
        values={**values, **costs},
        draws=inputs.settings["draws"],
        bounds=inputs.bounds,
        step=step,
        none=carriers,
        levers=levers,
        outcomes={item.key: _outcome(item) for item in judged},
    )
    return _watching(_usable(study), judged)


def policy_of(study: Study, changes: Scenario | Mapping[str, Any] | str) -> dict[str, Any]:
    """Values by variable of a scenario, as a study takes them.

    Parameters
    ----------
    study
        What `model_study` made.
    changes
        A scenario, a file of one, or changes by the name of a constant as in `Scenario.of`.
    """
    scenario = changes if isinstance(changes, Scenario) else None
    if scenario is None:
        scenario = load_changes(changes) if isinstance(changes, str) else Scenario.of("policy", changes)  # type: ignore[arg-type]
    start, stop = study.bounds
    base = {**study.values, **study.none}
    return dict(changed_values(study.model, [scenario], base, start=start, stop=stop, step=study.step))


def lever_space(study: Study) -> Space:
    """What a search may choose: every lever between off and its upper end, the budget spent.

    Parameters
    ----------
    study
        What `model_study` made.

    Returns
    -------
    Space
        Where a budget is declared, ``sum(cost x (lever - off)) = total``.

    Raises
    ------
    InvalidInput
        If a lever has neither an upper end nor a budget, or all of them together cannot spend it.
    """
    spec = _declared(study.model)
    total = spec.budget
    knobs = []
    for lever in study.levers.values():
        own = spec.levers[lever.key]
        most = own.upper if total is None else min(own.upper or np.inf, own.off + total / own.cost)
        if most is None:
            raise InvalidInput(
                "lever {lever!r} has no upper end; declare levers.{lever_2}.upper, limits in the model file, or a "
                "[budget]",
                lever=lever.key,
                lever_2=lever.key,
            )
        group = "" if total is None else BUDGET
        knobs.append(
            Knob(
                key=lever.key,
                variable=lever.variable,
                position=lever.position,
                lower=own.off,
                upper=float(most),
                group=group,
                weight=own.cost,
                en=lever.en,
                zh=lever.zh,
            )
        )
    if total is None:
        return Space(knobs=tuple(knobs), base={}, sums={})
    spent = sum(knob.weight * (knob.upper - knob.lower) for knob in knobs)
    if spent < total * (1 - 1e-9):
        raise InvalidInput(
            "all levers at their upper ends cost {spent:g}, less than the budget of {total:g}", spent=spent, total=total
        )
    off = sum(knob.weight * knob.lower for knob in knobs)
    return Space(knobs=tuple(knobs), base={}, sums={BUDGET: total + off})


def space_scenario(study: Study, space: Space, point: Iterable[float], *, name: str, label: str = "") -> Scenario:
    """The scenario that a point of a space is, for `project` and ``gapsim run``.

    Parameters
    ----------
    study, space
        What was searched.
    point
        The numbers, shape (number,).
    name, label
        Of the scenario.
    """
    changes = {
        element_name(study.model.ir, knob.variable, knob.position): _rounded(float(value), knob.upper - knob.lower)
        for knob, value in zip(space.knobs, point, strict=True)
    }
    return Scenario.of(name, changes, label=label)


def model_futures(study: Study, *, seed: int = 0) -> Futures:
    """Futures of a model of one's own: draws, each with unit costs between half and twice what they are.

    Parameters
    ----------
    study
        What `model_study` made.
    seed
        Decides the costs.

    Returns
    -------
    Futures
        Factors are the constants that are declared with ``role = "COST"``, and every number that differs between draws.
    """
    costs = {name: (Factor(key=name, unit=study.model.ir.variables[name].unit), name) for name in _costs(study.model)}
    found = futures_of({"": study}, costs, seed=seed)
    names, columns = [], []
    for name, value in study.values.items():
        if isinstance(value, TimePath) or name in costs:
            continue
        array = np.asarray(value, dtype=float)
        dims = len(study.model.ir.variables[name].dims)
        if array.ndim != dims + 2 or array.shape[1] != study.draws:
            continue
        for place in np.ndindex(array.shape[2:]):
            column = array[(0, slice(None), *place)]
            if np.ptp(column) > 0:
                names.append(Factor(key=element_name(study.model.ir, name, place or None)))
                columns.append(column)
    if not columns:
        return found
    return replace(found, factors=(*found.factors, *names), levels=np.column_stack([found.levels, *columns]))


def _rounded(value: float, width: float) -> float:
    """A number to a millionth of the width of its bounds."""
    return round(value, 6 - int(np.floor(np.log10(width)))) + 0.0


def _declared(model: Model) -> ModelSpec:
    """Declarations with levers and a direction."""
    spec = model.spec
    file = model.path.with_suffix(".toml").name
    if spec is None or not spec.levers:
        raise InvalidInput(
            '{model} declares no levers; name them in {file}: [levers."Doses[old]"]', model=model.path.name, file=file
        )
    if not any(item.better for item in spec.outcomes.values()):
        raise InvalidInput(
            '{file} says of no outcome which direction is better: [outcomes.Deaths] better = "lower"', file=file
        )
    return spec


def _lever(model: Model, key: str, spec: ModelSpec) -> Lever:
    own = spec.levers[key]
    variable, position = located(model, own.element)
    if model.ir.variables[variable].kind != "constant":
        raise InvalidInput("lever {lever!r}: {variable!r} is no constant of the model", lever=key, variable=variable)
    return Lever(key=key, variable=variable, position=position or (), off=own.off, en=own.en, zh=own.zh)


def _outcome(item: DeclaredOutcome) -> Outcome:
    sign = 1.0 if item.better == "higher" else -1.0
    return variable_outcome(item.key, item.variable, sign=sign, unit=item.unit, en=item.en, zh=item.zh)


def _costs(model: Model) -> list[str]:
    """Constants that are declared as unit costs."""
    spec = model.spec
    declared = {} if spec is None else spec.parameters
    return list(dict.fromkeys(located(model, key)[0] for key, item in declared.items() if item.role == "COST"))


def _usable(study: Study) -> Study:
    """The same without draws that fail even without a policy."""
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
    note = f"{failed.sum()} of {study.draws} draws give no numbers without a policy; they are left out."
    values = only_draws(study.model, study.values, kept)
    return replace(study, values=values, draws=len(kept), notes=(note,))


def _watching(study: Study, judged: list[DeclaredOutcome]) -> Study:
    """The same with the first outcome that has one subscript watched element by element."""
    ir = study.model.ir
    for item in judged:
        dims = ir.variables[item.variable].dims
        if len(dims) == 1:
            return replace(study, watched={f"{item.key} {EACH}": _each(item)}, elements=tuple(ir.ranges[dims[0]]))
    return study


def _each(item: DeclaredOutcome) -> Outcome:
    """An outcome with a number for each element."""
    name = item.variable
    return replace(
        _outcome(item),
        key=f"{item.key} {EACH}",
        value=partial(_itself, name),
        slopes=partial(_ones, name),
        by_element=True,
    )


def _itself(name: str, data: Data) -> Array:
    return data[name]


def _ones(name: str, data: Data) -> Data:
    return {name: np.ones_like(data[name])}
