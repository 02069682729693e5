"""Outcomes of policies that a model declares over its regions, with exact derivatives, and the parts of its aim."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import xarray as xr

from pysd_runner.core.types import Array, Arrays, Flags
from pysd_runner.policy.effects import Start
from pysd_runner.policy.study import Data, Outcome
from pysd_runner.spec.aims import Aim, RegionalOutcome


def declared_outcomes(declared: Mapping[str, RegionalOutcome], start: Start) -> dict[str, Outcome]:
    """Outcomes by key; without regions below the mean there is no shortfall."""
    people = start.population / start.population.sum()
    weights = {"sum": np.ones_like(people), "mean": people}
    if start.behind.any():
        weights["shortfall"] = people - start.behind / start.behind.sum()
    return {
        key: Outcome(
            key=key,
            variables=item.variables,
            value=partial(_value, item, weights[item.weights]),
            slopes=partial(_slopes, item, weights[item.weights]),
            sign=item.sign,
            unit=item.unit,
            unit_zh=item.unit_zh,
            en=item.en,
            zh=item.zh,
        )
        for key, item in declared.items()
        if item.weights in weights
    }


def _sums(item: RegionalOutcome, weights: Array, data: Data) -> tuple[Array, Array]:
    """Numerator and denominator, shape (policy, draw, year)."""
    over = item.factor * (weights @ np.sum([data[name] for name in item.of], axis=0))
    return over, weights @ data[item.per] if item.per else np.ones_like(over)


def _value(item: RegionalOutcome, weights: Array, data: Data) -> Array:
    over, under = _sums(item, weights, data)
    return over / under


def _slopes(item: RegionalOutcome, weights: Array, data: Data) -> Arrays:
    over, under = (part[:, :, None] for part in _sums(item, weights, data))
    share = weights[:, None] / under
    found = dict.fromkeys(item.of, item.factor * share)
    return found | ({item.per: -share * over / under} if item.per else {})


def all_parts_improve(aims: Mapping[str, Aim], effects: xr.Dataset) -> Flags:
    """Whether every outcome of every part improves; raises KeyError if one is not among the effects."""
    return np.asarray(np.logical_and.reduce([effects[key] > 0 for aim in aims.values() for key in aim.outcomes]))
