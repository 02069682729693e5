"""Search spaces: decision variables, their bounds, and the policy at a point."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.types import Array, Interval, Numbers, Texts, Values, frozen
from pysd_runner.engine import TimePath
from pysd_runner.policy.study import Named, Study
from pysd_runner.scenarios import Scenario
from pysd_runner.scenarios.policy import FrozenMapping, Schedule
from pysd_runner.simulation.run import element_name

# Decimal places of the numbers in a scenario made from a point.
DIGITS = 6
# Group of the decision variables for the budget share of each period.
MONEY = "money"


@frozen
class DecisionVariable(Named):
    """One decision variable of a search.

    Attributes
    ----------
    key
        Name in tables.
    variable
        Constant of the model that holds its value.
    position
        Index of its element in that variable; empty for a variable without dimensions.
    lower, upper
        Bounds.
    start
        First year in which it applies, until the next start year of its variable; None for the whole run.
    group
        Variables of one group have a fixed sum, weighted by `weight`; empty for no group.
    weight
        Weight in that sum; negative where a policy lowers the variable.
    en, zh
        Labels.
    """

    variable: str
    position: tuple[int, ...] = ()
    lower: float = 0.0
    upper: float = 1.0
    start: float | None = None
    group: str = ""
    weight: float = 1.0

    @property
    def off(self) -> float:
        """The bound at which it takes nothing from its group: the lower one, with a negative weight the upper one."""
        return self.lower if self.weight > 0 else self.upper


@frozen(eq=False)
class Space:
    """Policies that a search may choose from; values of the model are linear in the decision variables.

    Attributes
    ----------
    decisions
        Decision variables.
    base
        Values of all other settings, by model variable.
    sums
        Fixed weighted sum of the variables of each group.
    root
        For a regional model, the scenario from which all other settings are taken.
    """

    decisions: tuple[DecisionVariable, ...]
    base: Values
    sums: Numbers
    root: Scenario | None = None

    def __post_init__(self) -> None:
        if not self.decisions:
            raise InvalidInput("there is nothing to choose")
        for decision in self.decisions:
            if not decision.lower < decision.upper:
                raise InvalidInput(
                    "{name!r} has nothing between {low:g} and {high:g}",
                    name=decision.key,
                    low=decision.lower,
                    high=decision.upper,
                )
        missing = {decision.group for decision in self.decisions if decision.group} - set(self.sums)
        if missing:
            raise InvalidInput("no sum for {groups}", groups=", ".join(sorted(missing)))

    def __len__(self) -> int:
        return len(self.decisions)

    @property
    def bounds(self) -> list[Interval]:
        """Lower and upper bound of each decision variable."""
        return [(decision.lower, decision.upper) for decision in self.decisions]

    @property
    def lower(self) -> Array:
        """Lower bound of each decision variable, shape (decision,)."""
        return np.array([decision.lower for decision in self.decisions])

    @property
    def widths(self) -> Array:
        """Width of the bounds of each decision variable, shape (decision,)."""
        return np.array([decision.upper - decision.lower for decision in self.decisions])

    @property
    def has_shares(self) -> bool:
        """Whether some decision variables are shares of a mix."""
        return any(map(self.is_share, self.decisions))

    def is_share(self, decision: DecisionVariable) -> bool:
        """Whether a decision variable is a share of a mix: those of its group sum to 1."""
        return self.sums.get(decision.group) == 1

    def equalities(self) -> tuple[Array, Array]:
        """Matrix and right-hand side of the sums of groups, shapes (group, decision) and (group,)."""
        matrix = np.array(
            [[decision.weight if decision.group == name else 0.0 for decision in self.decisions] for name in self.sums]
        ).reshape(len(self.sums), len(self.decisions))
        return matrix, np.array(list(self.sums.values()), dtype=float)

    def policy(self, study: Study, point: Iterable[float]) -> Values:
        """Convert a point to a policy: values by model variable.

        Parameters
        ----------
        study
            Study of the model.
        point
            Values of the decision variables, shape (decision,).
        """
        return {**self.base, **self._values(study, np.asarray(list(point), dtype=float), lambda own: own)}

    def slopes(self, study: Study) -> dict[str, Array | TimePath]:
        """Constant derivatives of the values with respect to each decision variable, in the form `Gradients` takes.

        Parameters
        ----------
        study
            Study of the model.
        """
        return self._values(study, np.eye(len(self)), lambda own: np.zeros((*own.shape, len(self))))

    def _values(
        self, study: Study, numbers: Iterable[Any], empty: Callable[[Array], Array]
    ) -> dict[str, Array | TimePath]:
        """Fill the values of each variable with `numbers`, one per decision; a `TimePath` where they start in years."""
        found: dict[str, Array | TimePath] = {}
        for name, (own, starts) in self._carriers(study).items():
            values = np.stack([empty(own)] * max(1, len(starts)))
            for decision, number in zip(self.decisions, numbers, strict=True):
                if decision.variable == name:
                    period = slice(None) if decision.start is None else starts.index(decision.start)
                    values[period, *decision.position] = number
            found[name] = TimePath(times=np.array(starts), values=values, interpolate="step") if starts else values[0]
        return found

    def projected(self, point: Array) -> Array:
        """Project a point onto the bounds and the sums of groups, by alternating projections."""
        matrix, totals = self.equalities()
        lower, upper = np.array(self.bounds).T
        found = np.clip(point, lower, upper)
        for _ in range(200):
            if not len(matrix) or (np.abs(matrix @ found - totals) <= 1e-13 * np.maximum(np.abs(totals), 1)).all():
                break
            found = found + matrix.T @ ((totals - matrix @ found) / (matrix**2).sum(axis=1))
            found = np.clip(found, lower, upper)
        return found

    def middle(self) -> Array:
        """Midpoint: equal changes from off within each group, and the middle of the bounds of the other variables."""
        lower, upper = np.array(self.bounds).T
        found = (lower + upper) / 2
        for name in self.sums:
            own, off, weights, room = self.shared(name)
            found[own] = off + np.sign(weights) * room / np.abs(weights).sum()
        return self.projected(found)

    def random(self, rng: np.random.Generator) -> Array:
        """Draw a random point: shares of each group uniform on the simplex, other variables uniform within bounds."""
        lower, upper = np.array(self.bounds).T
        found = rng.uniform(lower, upper)
        for name in self.sums:
            own, off, weights, room = self.shared(name)
            found[own] = off + rng.dirichlet(np.ones(len(own))) * room / weights
        return self.projected(found)

    def shared(self, group: str, but: int = -1) -> tuple[list[int], Array, Array, float]:
        """Places of the variables of a group, `but` one, their values when off and weights, and what they share out."""
        own = [place for place, item in enumerate(self.decisions) if item.group == group and place != but]
        off, weights = (
            np.array([(self.decisions[place].off, self.decisions[place].weight) for place in own]).reshape(-1, 2).T
        )
        return own, off, weights, self.sums[group] - float(weights @ off)

    def scenario(self, study: Study | None, point: Iterable[float], *, name: str, label: str | Texts = "") -> Scenario:
        """Convert a point to a scenario, for `project` and ``gapsim run``.

        Parameters
        ----------
        study
            Study of the model; None if the space has a `root`.
        point
            Values of the decision variables, shape (decision,).
        name
            Name of the scenario.
        label
            Label of the scenario, or a mapping with labels in English and Chinese.

        Returns
        -------
        Scenario
            Numbers are rounded to six decimal places, before shares are normalised to sum to one; for a model without
            regions, to a millionth of the width of their bounds.
        """
        labels = {"en": label or name, "zh": label or name} if isinstance(label, str) else dict(label)
        if self.root is None:
            assert study is not None  # noqa: S101
            return self._of_changes(study, point, name, labels)
        return self._of_policy(self.root, point, name, labels)

    def _of_changes(self, study: Study, point: Iterable[float], name: str, labels: Texts) -> Scenario:
        changes = {
            element_name(study.model.ir, decision.variable, decision.position): _rounded(
                float(value), decision.upper - decision.lower
            )
            for decision, value in zip(self.decisions, point, strict=True)
        }
        return Scenario.of(name, changes, label=labels)

    def _of_policy(self, scenario: Scenario, point: Iterable[float], name: str, labels: Texts) -> Scenario:
        mixes: dict[str, dict[str, float]] = {}
        changes: dict[str, Any] = {}  # settings of the policy
        money: dict[float, float] = {}
        for decision, value in zip(self.decisions, point, strict=True):
            number = round(float(value), DIGITS)
            if decision.group == MONEY and decision.start is not None:
                money[decision.start] = number
            elif decision.group:
                mixes.setdefault(decision.group, {})[decision.key.removeprefix(f"{decision.group}.")] = number
            else:
                changes[decision.key] = number
        shares = {
            group: FrozenMapping((lever, share / sum(mix.values())) for lever, share in mix.items())
            for group, mix in mixes.items()
        }
        if money:
            changes["budget"] = Schedule(times=tuple(money), values=tuple(money.values()))
        # A group is a class of regions, or, with one mix for all, "mix" or the first year of a period.
        if any(decision.group not in ("", "mix") and decision.start is None for decision in self.decisions):
            changes |= {"differentiation": 1.0, "class_mixes": FrozenMapping(shares)}
        elif set(shares) == {"mix"}:
            changes |= {"differentiation": 0.0, "mix": shares["mix"]}
        else:
            years = sorted(shares, key=float)
            path = Schedule(times=tuple(map(float, years)), values=tuple(shares[year] for year in years))
            changes |= {"differentiation": 0.0, "mix": path}
        policy = replace(scenario.policy, **changes)
        note = FrozenMapping({"en": "", "zh": ""})
        return replace(scenario, name=name, label=FrozenMapping(labels), note=note, policy=policy, compare_with=())

    def _carriers(self, study: Study) -> dict[str, tuple[Array, list[float]]]:
        """Base values of the model variables that the decision variables set, and the start years of their periods."""
        found = {}
        for name in dict.fromkeys(decision.variable for decision in self.decisions):
            starts = sorted(
                {
                    decision.start
                    for decision in self.decisions
                    if decision.variable == name and decision.start is not None
                }
            )
            value = study.own(name, self.base.get(name))
            own = value.at(study.bounds[1])[0, 0] if isinstance(value, TimePath) else value[0, 0]
            if isinstance(value, TimePath) and not starts:
                raise InvalidInput("{name!r} changes over time; give its numbers years in which they start", name=name)
            found[name] = (np.array(own, dtype=float), starts)
        return found


def rounded(space: Space, point: Array, step: float) -> Array:
    """Round the shares of each group to multiples of a step, keeping their sum (largest remainder method)."""
    found = np.array(point, dtype=float)
    for name, total in space.sums.items():
        own = [place for place, decision in enumerate(space.decisions) if decision.group == name]
        if any(space.decisions[place].weight != 1 for place in own):
            continue
        parts = found[own] / step
        whole = np.floor(parts + 1e-9)
        left = round(total / step - whole.sum())
        for place in np.argsort(whole - parts, kind="stable")[: max(0, left)]:
            whole[place] += 1
        found[own] = whole * step
    return found


def _rounded(value: float, width: float) -> float:
    """Round a number to a millionth of the width of its bounds."""
    return round(value, 6 - int(np.floor(np.log10(width)))) + 0.0
