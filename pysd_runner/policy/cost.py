"""Present-value cost of policies, and average and marginal cost per unit of the outcome."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.types import Array, Arrays, Texts, Values, frozen
from pysd_runner.data import Entity
from pysd_runner.engine import TimePath
from pysd_runner.export.files import Tabled
from pysd_runner.model import Model
from pysd_runner.policy.effects import present_value
from pysd_runner.policy.study import Data, Outcome, Study, band
from pysd_runner.scenarios.vocabulary import load_vocabulary
from pysd_runner.simulation.run import located

# Increase in spending, as a share of output, with which marginal effects are computed.
MORE = 0.001
# Minimum share of draws with a positive effect for which a unit cost is given.
MIN_POSITIVE_SHARE = 0.95


@frozen(eq=False)
class Costs(Tabled):
    """Cost and effects of policies, or of additional spending on a policy.

    Attributes
    ----------
    names
        Names of the policies.
    outcome
        Outcome in which effects are measured.
    money
        Present value of the cost at the origin, shape (policy, draw), in the currency of the model.
    effects
        Effects on the outcome, shape (policy, draw); positive is better.
    time
        Years that people spend in training, shape (policy, draw), which are no public money; None if unknown.
    """

    names: tuple[str, ...]
    outcome: Outcome
    money: Array
    effects: Array
    time: Array | None = None

    def unit_cost(self, place: int) -> Array | None:
        """Cost per unit of effect, shape (draw,); None if nothing is spent or the effect is not reliably positive.

        Parameters
        ----------
        place
            Index of the policy.
        """
        effects, money = self.effects[place], self.money[place]
        if (effects > 0).mean() < MIN_POSITIVE_SHARE or (money <= 0).any():
            return None
        with np.errstate(divide="ignore"):
            return np.where(effects > 0, money / np.where(effects > 0, effects, 1.0), np.inf)

    def table(self) -> pd.DataFrame:
        """Median and 90 % interval of cost, effect and unit cost, or why it is missing; one row per policy."""
        rows = []
        for place, name in enumerate(self.names):
            row: dict[str, float | str] = {"name": name}
            unit = self.unit_cost(place)
            # Some unit costs are infinite, so quantiles must not be interpolated.
            for key, values in (("money", self.money[place]), ("effect", self.effects[place]), ("unit_cost", unit)):
                row |= band(key, np.empty(0) if values is None else values, "inverted_cdf")
            row |= {} if self.time is None else band("time", self.time[place])
            row["share_positive"] = float((self.effects[place] > 0).mean())
            row["reason"] = self._reason(place) if unit is None else ""
            rows.append(row)
        return pd.DataFrame(rows).set_index("name")

    def _reason(self, place: int) -> str:
        effects, money = self.effects[place], self.money[place]
        if (money <= 0).any():
            return "no money is spent"
        if (effects > 0).mean() <= 1 - MIN_POSITIVE_SHARE:
            return "the effect is negative"
        return "the effect changes sign between draws"


def costs(
    study: Study,
    policies: Mapping[str, Values],
    money: Callable[[Data], Array],
    variables: tuple[str, ...],
    *,
    outcome: str = "",
    against: Values | None = None,
    progress: Callable[[int], None] | None = None,
) -> Costs:
    """Compute cost and effects of policies relative to another policy, or to no policy.

    Parameters
    ----------
    study
        Model and draws.
    policies
        Policies by name: values by model variable.
    money
        Function from data by variable to the money of each year, shape (policy, draw, year).
    variables
        Model variables from which the money is computed.
    outcome
        Key of the outcome; empty for the first one.
    against
        Reference policy; None for no policy.
    progress
        Called with the number of runs finished since the last call.

    Returns
    -------
    Costs
        Differences from `against`, draw by draw.
    """
    bought = study.outcome(outcome)

    time = "" if study.model.spec is None else study.model.bindings.variables.trainee_time

    def measure(data: Data) -> Arrays:
        found = {"value": bought.value(data)[..., -1], "money": present_value(money(data), study.years)}
        return found | ({"time": data[time][..., 1:].sum(axis=(2, 3))} if time else {})

    root = study.none if against is None else against
    names = list(dict.fromkeys(filter(None, (*bought.variables, *variables, time))))
    found = study.run([root, *policies.values()], measure, names, progress=progress)
    return Costs(
        names=tuple(policies),
        outcome=bought,
        money=found["money"][1:] - found["money"][:1],
        effects=bought.effect(found["value"][1:], found["value"][:1]),
        time=found["time"][1:] - found["time"][:1] if time else None,
    )


def unit_costs(model: Model) -> Texts:
    """Variables declared as unit costs, by parameter key, or by variable name if they have elements."""
    found: dict[str, str] = {}
    for key, item in model.declarations.parameters.items():
        if item.role == "COST" and not item.switch:
            variable, position = located(model, key)
            found.setdefault(variable, key if position is None else variable)
    return {key: variable for variable, key in found.items()}


def money_variables(model: Model) -> tuple[str, str]:
    """Variables from which `spent_money` is computed: money spent as a share of output, and output."""
    return model.bindings.variables.spent_money_share, model.bindings.variables.output


def spent_money(model: Model) -> Callable[[Data], Array]:
    """Function from the data of a run to the money spent in each year, shape (policy, draw, year)."""
    share, output = money_variables(model)
    return lambda data: np.asarray(data[share] * data[output].sum(axis=2))


def marginal_budgets(study: Study, policy: Values, *, more: float = MORE) -> dict[str, dict[str, Any]]:
    """Variants of a policy with slightly more spending on one lever, class or region, by name."""
    bound = study.model.bindings
    names = bound.policy
    for key in ("budget", "mix"):
        if isinstance(policy.get(names[key]), TimePath):
            raise InvalidInput("policy.{key} changes over time; more money needs one that does not", key=key)
    budget = float(policy[names["budget"]])
    whole = budget + more
    found: dict[str, dict[str, Any]] = {}
    elements = list(study.model.ranges[bound.ranges.lever])
    for word in load_vocabulary(study.model).levers.values():
        extra = np.zeros(len(elements))
        extra[elements.index(word.element)] = more
        mixes = np.asarray(policy[names["class_mixes"]], dtype=float)
        found[f"lever.{word.key}"] = {
            **policy,
            names["budget"]: whole,
            names["mix"]: (budget * np.asarray(policy[names["mix"]]) + extra) / whole,
            names["class_mixes"]: (budget * mixes + extra[:, None]) / whole,
        }
    read = (bound.variables.region_money_share, bound.variables.output)
    first = study.simulated([policy], read)
    shares, made = (first[name][0, :, :, 1].mean(axis=0) for name in read)
    target = np.asarray(policy.get(names["targets.regions"], np.ones(len(shares))), dtype=float)
    for name, own in _groups(study.regions).items():
        wanted = own * np.where(own.sum() > 1, shares, 1.0)
        if not (wanted.sum() > 0 and (shares[own > 0] > 0).all()):
            continue
        # The increase is a share of the members' own output: small regions could not absorb a share of national output.
        added = more * float(own @ made) / float(made.sum())
        goal = (budget * shares + added * wanted / wanted.sum()) / (budget + added)
        ratio = np.divide(goal, shares, out=np.zeros_like(goal), where=shares > 0)
        found[name] = {**policy, names["budget"]: budget + added, names["targets.regions"]: target * ratio}
    return found


def _groups(regions: Sequence[Entity]) -> Arrays:
    """Indicator vectors (1 for members) of each class of regions and of each single region, by name."""
    names = [name for name in dict.fromkeys(region.group for region in regions) if name]
    found = {f"class.{name}": np.array([float(region.group == name) for region in regions]) for name in names}
    return found | {f"region.{region.code}": np.eye(len(regions))[place] for place, region in enumerate(regions)}
