"""Policies of a regional model with more money: for one lever, one class or one region."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput
from pysd_runner.engine import TimePath
from pysd_runner.model import Model
from pysd_runner.policy.cost import MORE
from pysd_runner.policy.study import Data, Study
from pysd_runner.scenarios.vocabulary import load_vocabulary
from pysd_runner.study.inputs import ProjectionInputs

Array = NDArray[np.float64]


def money_variables(model: Model) -> tuple[str, str]:
    """Variables from which the yearly money of a policy is computed."""
    return model.bindings.variables.spent_money_share, model.bindings.variables.output


def spent_money(model: Model) -> Callable[[Data], Array]:
    """Money that is spent in a year, shape (policy, draw, year), from data of a run."""
    share, output = money_variables(model)
    return lambda data: np.asarray(data[share] * data[output].sum(axis=2))


def more_money(
    study: Study, inputs: ProjectionInputs, policy: Mapping[str, Any], *, more: float = MORE
) -> dict[str, dict[str, Any]]:
    """A policy with a little more money for each lever, each class and each region."""
    bound = inputs.model.bindings
    names = bound.policy
    budget = policy[names["budget"]]
    for key in ("budget", "mix"):
        if isinstance(policy.get(names[key]), TimePath):
            raise InvalidInput("policy.{key} changes over time; cost curves need one that does not", key=key)
    whole = float(budget) + more
    found: dict[str, dict[str, Any]] = {}
    elements = list(inputs.model.ranges[bound.ranges.lever])
    for word in load_vocabulary(inputs.model).levers.values():
        extra = np.zeros(len(elements))
        extra[elements.index(word.element)] = more
        mixes = np.asarray(policy[names["class_mixes"]], dtype=float)
        found[f"lever.{word.key}"] = {
            **policy,
            names["budget"]: whole,
            names["mix"]: (float(budget) * np.asarray(policy[names["mix"]]) + extra) / whole,
            names["class_mixes"]: (float(budget) * mixes + extra[:, None]) / whole,
        }
    read = (bound.variables.region_money_share, bound.variables.output)
    first = study.simulated([policy], read)
    shares, made = (first[name][0, :, :, 1].mean(axis=0) for name in read)
    target = np.asarray(policy.get(names["targets.regions"], np.ones(len(shares))), dtype=float)
    for name, own in _groups(inputs).items():
        wanted = own * np.where(own.sum() > 1, shares, 1.0)
        if not (wanted.sum() > 0 and (shares[own > 0] > 0).all()):
            continue
        # As a share of its own output, so that no small region gets what it could never spend.
        added = more * float(own @ made) / float(made.sum())
        goal = (float(budget) * shares + added * wanted / wanted.sum()) / (float(budget) + added)
        ratio = np.divide(goal, shares, out=np.zeros_like(goal), where=shares > 0)
        found[name] = {**policy, names["budget"]: float(budget) + added, names["targets.regions"]: target * ratio}
    return found


def _groups(inputs: ProjectionInputs) -> dict[str, Array]:
    """Regions of each class of the panel, and each region, as a 1 for each member."""
    regions = inputs.panel.regions
    names = [name for name in dict.fromkeys(region.group for region in regions) if name]
    found = {f"class.{name}": np.array([float(region.group == name) for region in regions]) for name in names}
    return found | {f"region.{region.code}": np.eye(len(regions))[place] for place, region in enumerate(regions)}
