"""What may be chosen of the regional model: mixes by class or period, who gets the money, money over time."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput
from pysd_runner.engine import TimePath
from pysd_runner.policy.effects import DISCOUNT
from pysd_runner.policy.objective import Constraint
from pysd_runner.policy.regions import policy_values, regional_study
from pysd_runner.policy.space import Knob, Space
from pysd_runner.scenarios import Scenario
from pysd_runner.scenarios.policy import BUDGET_LIMIT, FrozenMapping, Schedule
from pysd_runner.scenarios.vocabulary import load_vocabulary
from pysd_runner.study.inputs import ProjectionInputs
from pysd_runner.text import say

Array = NDArray[np.float64]

# Decimals with which a policy that was found is written.
DIGITS = 6
# Group of the numbers that say how much is spent when, and how much more than on average that may be.
MONEY, MOST_MONEY = "money", 3.0


def class_space(inputs: ProjectionInputs, scenario: Scenario, *, who: bool = True) -> tuple[Space, Array]:
    """Shares of the levers in each class, and who gets the money.

    Parameters
    ----------
    inputs
        Model and regions.
    scenario
        Budget, start and everything that is not chosen.
    who
        Whether the exponent of need is chosen as well, between money that follows output and need.

    Returns
    -------
    space : Space
        What may be chosen.
    start : ndarray
        The scenario in it, shape (number,).
    """
    values = policy_values(inputs, scenario)
    vocabulary = load_vocabulary(inputs.model)
    bound, ranges = inputs.model.bindings, inputs.model.ranges
    names = bound.policy
    knobs, start = [], []
    mixes = np.asarray(values[names["class_mixes"]], dtype=float)
    share = float(values.get(names["differentiation"], 0.0))
    uniform = values[names["mix"]]
    if isinstance(uniform, TimePath):
        uniform = uniform.at(inputs.bounds[1])
    for group in vocabulary.classes.values():
        column = list(ranges[bound.ranges.policy_class]).index(group.element)
        for lever in vocabulary.levers.values():
            row = list(ranges[bound.ranges.lever]).index(lever.element)
            knobs.append(
                Knob(
                    key=f"{group.key}.{lever.key}",
                    variable=names["class_mixes"],
                    position=(row, column),
                    group=group.key,
                    en=f"{lever.en}, {group.en}",
                    zh=f"{group.zh}：{lever.zh}",
                )
            )
            start.append((1 - share) * float(uniform[row]) + share * float(mixes[row, column]))
    if who:
        knobs.append(_who(names["redistribution"]))
        start.append(float(values.get(names["redistribution"], 0.0)))
    base = {**values, names["differentiation"]: 1.0}
    return Space(knobs=tuple(knobs), base=base, sums=dict.fromkeys(vocabulary.classes, 1.0)), np.array(start)


def uniform_space(
    inputs: ProjectionInputs,
    scenario: Scenario,
    *,
    who: bool = True,
    periods: Sequence[float] = (),
    budget: bool = False,
) -> tuple[Space, Array]:
    """Shares of the levers in one mix for all, which may change from period to period, and who gets the money.

    Parameters
    ----------
    inputs
        Model and regions.
    scenario
        Budget, start and everything that is not chosen.
    who
        Whether the exponent of need is chosen as well.
    periods
        First years of the periods; empty for one mix.
    budget
        Whether the money of each period is chosen as well, at the present value of the scenario's; output without
        policy decides what a share of it is worth.

    Returns
    -------
    space : Space
        What may be chosen.
    start : ndarray
        The scenario in it, shape (number,); of class mixes their mean.
    """
    values = policy_values(inputs, scenario)
    vocabulary = load_vocabulary(inputs.model)
    names = inputs.model.bindings.policy
    elements = list(inputs.model.ranges[inputs.model.bindings.ranges.lever])
    uniform = values[names["mix"]]
    share = float(values.get(names["differentiation"], 0.0))
    mean = np.asarray(values[names["class_mixes"]], dtype=float).mean(axis=1)
    knobs, start, sums = [], [], {}
    for first in periods or (None,):
        group = "mix" if first is None else f"{first:g}"
        sums[group] = 1.0
        mix = uniform.at(first or inputs.bounds[1]) if isinstance(uniform, TimePath) else np.asarray(uniform)
        mix = (1 - share) * mix + share * mean
        for lever in vocabulary.levers.values():
            row = elements.index(lever.element)
            knobs.append(
                Knob(
                    key=lever.key if first is None else f"{group}.{lever.key}",
                    variable=names["mix"],
                    position=(row,),
                    start=first,
                    group=group,
                    en=lever.en
                    if first is None
                    else say("policy_outcome.lever_from", "en", lever=lever.en, group=group),
                    zh=lever.zh
                    if first is None
                    else say("policy_outcome.lever_from", "zh", lever=lever.zh, group=group),
                )
            )
            start.append(float(mix[row]))
    if who:
        knobs.append(_who(names["redistribution"]))
        start.append(float(values.get(names["redistribution"], 0.0)))
    if budget:
        share = values[names["budget"]]
        if isinstance(share, TimePath) or not periods:
            raise InvalidInput("money over time needs periods and a scenario whose budget does not change")
        worth = _worth(inputs, periods)
        sums[MONEY] = float(share) * float(worth.sum())
        for first, weight in zip(periods, worth, strict=True):
            knobs.append(
                Knob(
                    key=f"{MONEY}.{first:g}",
                    variable=names["budget"],
                    upper=min(MOST_MONEY * float(share), BUDGET_LIMIT),
                    start=first,
                    group=MONEY,
                    weight=float(weight),
                    en=say("policy_outcome.spent_from", "en", first=f"{first:g}"),
                    zh=say("policy_outcome.spent_from", "zh", first=f"{first:g}"),
                )
            )
            start.append(float(share))
    return Space(knobs=tuple(knobs), base={**values, names["differentiation"]: 0.0}, sums=sums), np.array(start)


def _worth(inputs: ProjectionInputs, periods: Sequence[float]) -> Array:
    """Present value of output without policy in each period, as parts of the whole."""
    study = regional_study(inputs)
    name = inputs.model.bindings.variables.output
    output = study.simulated([study.none], [name])[name][0].sum(axis=1).mean(axis=0)
    years = study.years
    present = output / (1 + DISCOUNT) ** (years - years[0])
    ends = [*periods[1:], years[-1] + 1]
    parts = [present[(years >= first) & (years < end)].sum() for first, end in zip(periods, ends, strict=True)]
    return np.asarray(np.array(parts) / present[years >= periods[0]].sum())


def _who(variable: str) -> Knob:
    return Knob(
        key="redistribution",
        variable=variable,
        lower=-1.0,
        upper=2.0,
        en=say("policy_outcome.who", "en"),
        zh=say("policy_outcome.who", "zh"),
    )


DEFAULT_CONSTRAINTS = (
    Constraint(outcome="output_change", share_of_draws=0.9),
    Constraint(outcome="region_change", share_of_draws=0.5),
    Constraint(outcome="leader_change"),
)


def chosen_scenario(
    scenario: Scenario, space: Space, point: Array, *, name: str, labels: Mapping[str, str]
) -> Scenario:
    """The scenario that a point of a space is.

    Parameters
    ----------
    scenario
        The one the space was made from.
    space
        What was chosen.
    point
        The numbers.
    name
        Name of the new scenario.
    labels
        In English and Chinese.

    Returns
    -------
    Scenario
        Its numbers have six decimals, before the shares are scaled to sum to one.
    """
    mixes: dict[str, dict[str, float]] = {}
    others: dict[str, float] = {}
    money: dict[float, float] = {}
    for knob, value in zip(space.knobs, point, strict=True):
        if knob.group == MONEY and knob.start is not None:
            money[knob.start] = round(float(value), DIGITS)
        elif knob.group:
            mixes.setdefault(knob.group, {})[knob.key.removeprefix(f"{knob.group}.")] = round(float(value), DIGITS)
        else:
            others[knob.key] = round(float(value), DIGITS)
    shares = {
        group: FrozenMapping((lever, share / sum(mix.values())) for lever, share in mix.items())
        for group, mix in mixes.items()
    }
    if money:
        spending = Schedule(times=tuple(money), values=tuple(money.values()))
        scenario = replace(scenario, policy=replace(scenario.policy, budget=spending))
    policy = replace(scenario.policy, redistribution=others.get("redistribution", scenario.policy.redistribution))
    # Shares of a class have its name; those of one mix for all have none but "mix", or the year they start in.
    if any(knob.group not in ("", "mix") and knob.start is None for knob in space.knobs):
        policy = replace(policy, differentiation=1.0, class_mixes=FrozenMapping(shares))
    elif set(shares) == {"mix"}:
        policy = replace(policy, differentiation=0.0, mix=shares["mix"])
    else:
        years = sorted(shares, key=float)
        path = Schedule(times=tuple(map(float, years)), values=tuple(shares[year] for year in years))
        policy = replace(policy, differentiation=0.0, mix=path)
    note = FrozenMapping({"en": "", "zh": ""})
    return replace(scenario, name=name, label=FrozenMapping(labels), note=note, policy=policy, compare_with=())
