"""What policies are judged by: variables of any model, and gaps and output of regions, with their derivatives."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.policy.effects import Start
from pysd_runner.policy.study import Data, Outcome
from pysd_runner.spec.bindings import VariableNames
from pysd_runner.text import say

Array = NDArray[np.float64]
# What is added to the key of an outcome by element.
EACH = "each"


def variable_outcome(
    key: str,
    variable: str,
    *,
    sign: float = 1.0,
    unit: str = "",
    en: str = "",
    zh: str = "",
    weights: Sequence[float] | None = None,
) -> Outcome:
    """A variable of any model as an outcome: itself, or a weighted sum over its elements.

    Parameters
    ----------
    key
        Name.
    variable
        The variable.
    sign
        1 where more is better, -1 where less is.
    unit, en, zh
        Unit and labels.
    weights
        Of its elements in C order; None adds them up.
    """
    factors = None if weights is None else np.asarray(weights, dtype=float)
    return Outcome(
        key=key,
        variables=(variable,),
        value=partial(_value, variable, factors),
        slopes=partial(_slopes, variable, factors),
        sign=sign,
        unit=unit,
        en=en,
        zh=zh,
    )


def _weighing(weights: Array | None, values: Array) -> Array:
    shape = values.shape[2:-1]
    return np.asarray(np.ones(shape) if weights is None else weights.reshape(shape))[..., None]


def _value(variable: str, weights: Array | None, data: Data) -> Array:
    values = data[variable]
    return np.asarray((values * _weighing(weights, values)).sum(axis=tuple(range(2, values.ndim - 1))))


def _slopes(variable: str, weights: Array | None, data: Data) -> Data:
    values = data[variable]
    return {variable: np.broadcast_to(_weighing(weights, values), values.shape)}


def each(outcome: Outcome) -> Outcome:
    """An outcome with a number for each element of its variable."""
    (name,) = outcome.variables
    return replace(
        outcome,
        key=f"{outcome.key} {EACH}",
        value=partial(_itself, name),
        slopes=partial(_ones, name),
        by_element=True,
    )


def _itself(name: str, data: Data) -> Array:
    return data[name]


def _ones(name: str, data: Data) -> Data:
    return {name: np.ones_like(data[name])}


def regional_outcomes(start: Start, names: VariableNames) -> tuple[dict[str, Outcome], dict[str, Outcome]]:
    """Outcomes of a regional model by key, and those with a number for each region."""
    both = (names.output, names.population)
    found = []
    if start.behind.any():
        # Mean log distance of the regions below the mean, log points x100; see `mean_log_gap`.
        share = start.behind / start.behind.sum()
        found.append(_told("gap_closed", both, _gap_value, _gap_slopes, names, share, unit="points"))
    every = np.eye(len(start.output))
    found.append(_told("theil_closed", both, _theil_value, _theil_slopes, names, every, unit="index"))
    groups = list(dict.fromkeys(start.classes))
    if len(groups) > 1:
        members = np.array([[float(own == name) for own in start.classes] for name in groups])
        found.append(_told("theil_between_closed", both, _theil_value, _theil_slopes, names, members, unit="index"))
    found.append(_told("output_change", (names.output,), _national_value, _national_slopes, names))
    found.append(_told("leader_change", both, _region_value, _region_slopes, names, start.leader))
    watched = _told("region_change", both, _regions_value, _regions_slopes, names, by_element=True)
    return {item.key: item for item in found}, {watched.key: watched}


def _told(
    key: str,
    variables: tuple[str, ...],
    value: Callable[..., Array],
    slopes: Callable[..., Data],
    *fixed: Any,
    unit: str = "",
    by_element: bool = False,
) -> Outcome:
    """An outcome in the words of the catalogue: with a unit a gap that closes, without one a change in per cent."""
    units = {lang: say(f"policy_outcome.{unit}", lang) if unit else "" for lang in ("en", "zh")}
    return Outcome(
        key=key,
        variables=variables,
        value=partial(value, *fixed),
        slopes=partial(slopes, *fixed),
        sign=-1.0 if unit else 1.0,
        unit=units["en"] or "%",
        unit_zh=units["zh"],
        en=say(f"policy_outcome.{key}", "en"),
        zh=say(f"policy_outcome.{key}", "zh"),
        is_relative=not unit,
        by_element=by_element,
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


def _national_value(names: VariableNames, data: Data) -> Array:
    return np.asarray(data[names.output].sum(2))


def _national_slopes(names: VariableNames, data: Data) -> dict[str, Array]:
    return {names.output: np.ones_like(data[names.output])}


def _region_value(names: VariableNames, place: int, data: Data) -> Array:
    return np.asarray(data[names.output][:, :, place] / data[names.population][:, :, place])


def _region_slopes(names: VariableNames, place: int, data: Data) -> dict[str, Array]:
    made, people = data[names.output], data[names.population]
    chosen = np.where(np.arange(made.shape[2]) == place, 1.0, 0.0)[:, None]
    return {names.output: chosen / people, names.population: -chosen * made / people**2}


def _regions_value(names: VariableNames, data: Data) -> Array:
    return data[names.output] / data[names.population]


def _regions_slopes(names: VariableNames, data: Data) -> dict[str, Array]:
    made, people = data[names.output], data[names.population]
    return {names.output: 1 / people, names.population: -made / people**2}
