"""Effects of policies relative to no policy: labelled arrays for one year, and outcomes with exact derivatives."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np
import xarray as xr

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.types import Array, Arrays, Flags, Indices, Texts, frozen
from pysd_runner.indicators import gap_to_leader, sigma_dispersion, theil, theil_decomposition
from pysd_runner.indicators.relative import Measure, laggards, mean_log_gap, split_change
from pysd_runner.policy.study import Data, Outcome
from pysd_runner.spec.bindings import VariableNames
from pysd_runner.text import translate

# Discount rate of money, per year.
DISCOUNT = 0.03

# Effects computed from discounted spending; spending grows with national output.
PRESENT_VALUES = ("benefit_cost_present", "own_benefit_present", "present_cost", "cost_per_point")

# Effect by which policies are ranked, and the related effect that does not count losses of the leading regions.
HEADLINE, OWN = "gap_closed", "laggards_change"

# Effects by which two allocation rules are compared: gaps, inequality, the laggards' own output, and welfare.
MEASURES = (
    HEADLINE,
    "gap_closed_by_people",
    OWN,
    "theil_closed",
    "theil_between_closed",
    "sigma_closed",
    "leader_gap_closed",
    "welfare_change",
)

# Factors that convert the indicators of effects that are split; a reduction of the gap is positive.
SPLIT = {"gap_closed": 100.0, "theil_between_closed": 1000.0}


@frozen(eq=False)
class Start:
    """Regions in the last observed year, which determines the laggards and the leader."""

    output: Array
    population: Array
    classes: tuple[str, ...] = ()
    groupings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # further groups of the regions, by heading

    @property
    def behind(self) -> Flags:
        """Whether output per head is below the national mean, shape (region,)."""
        return laggards(self.output, self.population)

    @property
    def leader(self) -> int:
        """Index of the region with the highest output per head."""
        return int(np.argmax(self.output / self.population))

    def ends(self, grouping: str) -> tuple[str, str]:
        """Groups with the highest and the lowest output per head."""
        groups = sorted(set(self.groupings[grouping]))
        heads = _heads(self.output, self.population, self.groupings[grouping], groups)
        return groups[int(heads.argmax())], groups[int(heads.argmin())]

    def log_ratio(self, grouping: str, output: Array, population: Array) -> Array:
        """Log of output per head of the first of `ends` relative to the second, x100; regions are the last axis."""
        heads = _heads(output, population, self.groupings[grouping], self.ends(grouping))
        return np.asarray(100 * np.log(heads[..., 0] / heads[..., 1]))


def effects(
    output: xr.DataArray, population: xr.DataArray, money: xr.Dataset | None, baselines: Texts, start: Start
) -> xr.Dataset:
    """Compare every policy with its baseline in the last year.

    `money` has all years of the budget and of output, of the nation and of the regions behind.
    """
    policies = [name for name, other in baselines.items() if other != name]
    if not policies:
        raise InvalidInput("no policy was run, so there is nothing to compare")
    others = [baselines[name] for name in policies]
    final = [_last(values, names) for names in (policies, others) for values in (output, population)]
    after, before = (final[0], final[1]), (final[2], final[3])
    found = _closed(before, after, start)
    found["output_change"] = 100 * (after[0].sum(-1) / before[0].sum(-1) - 1)
    if money is not None:
        ordered = money.transpose("scenario", "draw", "year")
        spent, made, without, own, own_without = (
            ordered[key].sel(scenario=names).to_numpy()
            for key, names in (
                ("budget", policies),
                *((key, names) for key in ("made", "behind") for names in (policies, others)),
            )
        )
        years = money["year"].to_numpy()
        cost, gained, own_gained = (
            present_value(values, years) for values in (spent, made - without, own - own_without)
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            found["benefit_cost_present"] = gained / cost
            found["own_benefit_present"] = own_gained / cost
            found["benefit_cost_ratio"] = (made - without)[..., -1] / spent[..., -1]
            found["present_cost"] = np.broadcast_to(cost, found["output_change"].shape)
            closed = found["gap_closed"]
            found["cost_per_point"] = np.where(closed > 0, found["present_cost"] / closed, np.nan)
    coords = {"scenario": policies, "draw": output["draw"].to_numpy()}
    return xr.Dataset({name: (("scenario", "draw"), values) for name, values in found.items()}, coords=coords)


def _last(values: xr.DataArray, names: Sequence[str]) -> Array:
    return np.asarray(
        values.sel(scenario=list(names)).isel(year=-1).transpose("scenario", "draw", "region").to_numpy(), dtype=float
    )


def _closed(before: tuple[Array, Array], after: tuple[Array, Array], start: Start) -> dict[str, Array]:
    """Reductions of regional gaps between two states, whose last axis is regions."""
    found: dict[str, Array] = {}
    measures = _measures(start)
    for name, measure in measures.items():
        factor = SPLIT[name]
        gain, loss = split_change(measure, before, after, start.behind)
        # Adding 0.0 turns -0.0 into 0.0.
        found[name] = -factor * (gain + loss) + 0.0
        found[f"{name}_by_laggards"] = -factor * gain + 0.0
        found[f"{name}_by_leaders"] = -factor * loss + 0.0
    if "gap_closed" in found:
        found["gap_closed_share"] = found["gap_closed"] / measures["gap_closed"](*before)
    found["theil_closed"] = 1000 * (theil(*before, axis=-1) - theil(*after, axis=-1))
    heads = [made / people for made, people in (before, after)]
    found["sigma_closed"] = 100 * (sigma_dispersion(heads[0], axis=-1) - sigma_dispersion(heads[1], axis=-1))
    found |= _own(before, after, start)
    nation = [made.sum(-1) / people.sum(-1) for made, people in (before, after)]
    ahead = [np.stack([head.max(-1), head[..., start.leader]]) for head in heads]
    closer = 100 * (nation[1] / ahead[1] - nation[0] / ahead[0])
    found["leader_gap_closed"], found["first_leader_gap_closed"] = closer
    for name, closed in _by_class(before, after, start.classes).items():
        found[f"class_gap_closed:{name}"] = closed
    for name, groups in start.groupings.items():
        gaps, parts = zip(
            *(
                (start.log_ratio(name, *end), theil_decomposition(*end, groups, axis=-1).between)
                for end in (before, after)
            ),
            strict=True,
        )
        found[f"{name}_gap"], found[f"{name}_gap_closed"] = gaps[0], gaps[0] - gaps[1]
        found[f"theil_between_closed:{name}"] = 1000 * (parts[0] - parts[1])
    return found


def _own(before: tuple[Array, Array], after: tuple[Array, Array], start: Start) -> Arrays:
    """Changes of log output per head, x100: of lagging regions, of all people, and of the population-weighted gap."""
    logs = [np.log(made / people) for made, people in (before, after)]
    people = [before[1], after[1]]
    found = {"welfare_change": 100 * _between(logs, people)}
    if start.behind.any():
        behind = start.behind
        found[OWN] = 100 * (logs[1] - logs[0])[..., behind].mean(-1)
        nation = np.log(after[0].sum(-1) / after[1].sum(-1)) - np.log(before[0].sum(-1) / before[1].sum(-1))
        own = _between([values[..., behind] for values in logs], [values[..., behind] for values in people])
        found["gap_closed_by_people"] = 100 * (own - nation)
    return found


def _between(values: Sequence[Array], weights: Sequence[Array]) -> Array:
    """Difference of the weighted means of two states, whose last axis is averaged."""
    first, last = ((value * weight).sum(-1) / weight.sum(-1) for value, weight in zip(values, weights, strict=True))
    return np.asarray(last - first)


def _measures(start: Start) -> dict[str, Measure]:
    """Functions for the indicators of `SPLIT` that are defined for these regions."""
    measures: dict[str, Measure] = {}
    if start.behind.any():
        measures["gap_closed"] = lambda made, people: mean_log_gap(made, people, start.behind, axis=-1)
    if len(set(start.classes)) > 1:
        measures["theil_between_closed"] = lambda made, people: (
            theil_decomposition(made, people, start.classes, axis=-1).between
        )
    return measures


def _heads(output: Array, population: Array, classes: Sequence[str], names: Sequence[str]) -> Array:
    """Output per head of classes of regions, on the last axis."""
    members = [np.array([own == name for own in classes]) for name in names]
    return np.stack([output[..., own].sum(-1) / population[..., own].sum(-1) for own in members], axis=-1)


def _by_class(before: tuple[Array, Array], after: tuple[Array, Array], classes: tuple[str, ...]) -> Arrays:
    """Reduction of each class's gap to the leading class, in percentage points."""
    names = tuple(dict.fromkeys(classes))
    if len(names) < 2:
        return {}
    gaps = [gap_to_leader(_heads(*end, classes, names), axis=-1) for end in (before, after)]
    closed = 100 * (gaps[0] - gaps[1])
    return {name: closed[..., place] for place, name in enumerate(names)}


def present_value(money: Array, years: Indices) -> Array:
    """Present value in the first year of the money of all later years."""
    return np.asarray((money[..., 1:] / (1 + DISCOUNT) ** (years[1:] - years[0])).sum(axis=-1))


# Suffix of the key of an outcome that has one value per element.
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
    """Define an outcome from a model variable: the variable itself, or a weighted sum over its elements.

    Parameters
    ----------
    key
        Key of the outcome.
    variable
        Name of the model variable.
    sign
        1 if higher values are better, -1 if lower values are.
    unit, en, zh
        Unit, and labels in English and Chinese.
    weights
        Weights of the elements in C order; None for an unweighted sum.
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
    """Turn an outcome that sums over the elements of its variable into one with a value for each element."""
    return replace(outcome, key=f"{outcome.key} {EACH}", value=itemgetter(*outcome.variables), by_element=True)


def regional_outcomes(start: Start, names: VariableNames) -> tuple[dict[str, Outcome], dict[str, Outcome]]:
    """Outcomes of a regional model by key: national ones, and those with a value for each region."""
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
    found.append(_told("output_change", (names.output,), _value, _slopes, names.output, None))
    found.append(_told("leader_change", both, _head_value, _head_slopes, names, start.leader))
    watched = _told("region_change", both, _head_value, _head_slopes, names, None, by_element=True)
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
    """Outcome with labels from the text catalogue: an absolute gap if it has a unit, else a change in per cent."""
    units = {lang: translate(f"policy_outcome.{unit}", lang) if unit else "" for lang in ("en", "zh")}
    return Outcome(
        key=key,
        variables=variables,
        value=partial(value, *fixed),
        slopes=partial(slopes, *fixed),
        sign=-1.0 if unit else 1.0,
        unit=units["en"] or "%",
        unit_zh=units["zh"],
        en=translate(f"policy_outcome.{key}", "en"),
        zh=translate(f"policy_outcome.{key}", "zh"),
        is_relative=not unit,
        by_element=by_element,
    )


def _gap_value(names: VariableNames, share: Array, data: Data) -> Array:
    made, people = data[names.output], data[names.population]
    nation = np.log(made.sum(2) / people.sum(2))
    return np.asarray(100 * (nation - np.einsum("pdry,r->pdy", np.log(made / people), share)))


def _gap_slopes(names: VariableNames, share: Array, data: Data) -> Arrays:
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


def _theil_slopes(names: VariableNames, members: Array, data: Data) -> Arrays:
    made, people, share, logs = _theil_parts(names, members, data)
    total = (share * logs).sum(2, keepdims=True)
    by_output = 1000 * (logs - total) / made.sum(2, keepdims=True)
    by_people = 1000 * (1 / people.sum(2, keepdims=True) - share / people)
    return {
        names.output: np.einsum("gr,pdgy->pdry", members, by_output),
        names.population: np.einsum("gr,pdgy->pdry", members, by_people),
    }


def _head_value(names: VariableNames, place: int | None, data: Data) -> Array:
    heads = data[names.output] / data[names.population]
    return heads if place is None else np.asarray(heads[:, :, place])


def _head_slopes(names: VariableNames, place: int | None, data: Data) -> Arrays:
    made, people = data[names.output], data[names.population]
    chosen = np.where(place is None or np.arange(made.shape[2]) == place, 1.0, 0.0)[..., None]
    return {names.output: chosen / people, names.population: -chosen * made / people**2}
