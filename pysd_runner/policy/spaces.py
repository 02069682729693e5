"""What may be chosen: every lever of any model; of regions mixes by class or period, who gets the money, and when."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput
from pysd_runner.engine import TimePath
from pysd_runner.policy.effects import DISCOUNT
from pysd_runner.policy.objective import Constraint
from pysd_runner.policy.space import MONEY, Knob, Space
from pysd_runner.policy.studies import declared, policy_of, study_of
from pysd_runner.policy.study import Study
from pysd_runner.scenarios import Scenario
from pysd_runner.scenarios.policy import BUDGET_LIMIT
from pysd_runner.scenarios.vocabulary import load_vocabulary
from pysd_runner.spec import PolicyClass
from pysd_runner.study.inputs import ProjectionInputs
from pysd_runner.text import say

Array = NDArray[np.float64]

# How much more than on average may be spent in a period.
MOST_MONEY = 3.0
# Group of the numbers that share the declared budget of a model without regions.
BUDGET = "budget"

DEFAULT_CONSTRAINTS = (
    Constraint(outcome="output_change", share_of_draws=0.9),
    Constraint(outcome="region_change", share_of_draws=0.5),
    Constraint(outcome="leader_change"),
)


def space_of(
    study: Study | ProjectionInputs,
    scenario: Scenario | None = None,
    *,
    by: Literal["class", "lever"] = "class",
    who: bool = True,
    periods: Sequence[float] = (),
    budget: bool = False,
) -> tuple[Space, Array | None]:
    """What a search may choose.

    Parameters
    ----------
    study
        The study, or what it is made from.
    scenario
        Of regions: budget, start and everything that is not chosen. None for any other model, of which every lever is
        chosen between off and its upper end, the declared budget spent: ``sum(cost x (lever - off)) = total``.
    by
        ``"class"``: shares of the levers in each class; ``"lever"``: in one mix for all.
    who
        Whether the exponent of need is chosen as well, between money that follows output and need.
    periods
        First years of the periods, in each of which the one mix is another; empty for one.
    budget
        Whether the money of each period is chosen as well, at the present value of the scenario's; output without
        policy decides what a share of it is worth.

    Returns
    -------
    space : Space
        What may be chosen.
    start : ndarray
        The scenario in it, shape (number,); of class mixes their mean where there is one for all. None where there is
        no scenario.

    Raises
    ------
    InvalidInput
        If a lever has neither an upper end nor a budget, or all of them together cannot spend it.
    """
    study = study_of(study) if isinstance(study, ProjectionInputs) else study
    if scenario is None:
        return _of_levers(study), None
    values = policy_of(study, scenario)
    names = study.model.bindings.policy
    knobs, start, sums = _mixes(study, values, by, periods or (None,))
    if who:
        en, zh = (say("policy_outcome.who", lang) for lang in ("en", "zh"))
        knobs.append(Knob(key="redistribution", variable=names["redistribution"], lower=-1.0, upper=2.0, en=en, zh=zh))
        start.append(float(values.get(names["redistribution"], 0.0)))
    if budget:
        spent = _by_money(study, values, periods)
        knobs, start, sums = knobs + spent[0], start + spent[1], sums | spent[2]
    base = {**values, names["differentiation"]: 1.0 if by == "class" else 0.0}
    return Space(knobs=tuple(knobs), base=base, sums=sums, root=scenario), np.array(start)


# Numbers, where they are in the scenario, and what each group adds up to.
Choice = tuple[list[Knob], list[float], dict[str, float]]


def _mixes(study: Study, values: Mapping[str, Any], by: str, periods: Sequence[float | None]) -> Choice:
    """Shares of the levers in each class, or in the one mix of each period."""
    vocabulary, bound = load_vocabulary(study.model), study.model.bindings
    rows, columns = (list(study.model.ranges[name]) for name in (bound.ranges.lever, bound.ranges.policy_class))
    mixes = np.asarray(values[bound.policy["class_mixes"]], dtype=float)
    share = float(values.get(bound.policy["differentiation"], 0.0))
    parts: list[tuple[str, tuple[int, ...], float | None, Array]] = [
        (key, (columns.index(item.element),), None, mixes[:, columns.index(item.element)])
        for key, item in vocabulary.classes.items()
    ]
    if by != "class":
        parts = [("mix" if first is None else f"{first:g}", (), first, mixes.mean(axis=1)) for first in periods]
    knobs: list[Knob] = []
    start: list[float] = []
    for group, column, first, own in parts:
        uniform = values[bound.policy["mix"]]
        mix = uniform.at(first or study.bounds[1]) if isinstance(uniform, TimePath) else np.asarray(uniform)
        mix = (1 - share) * mix + share * own
        for lever in vocabulary.levers.values():
            row = rows.index(lever.element)
            knobs.append(
                Knob(
                    key=lever.key if group == "mix" else f"{group}.{lever.key}",
                    variable=bound.policy["class_mixes" if column else "mix"],
                    position=(row, *column),
                    start=first,
                    group=group,
                    en=_label(lever, vocabulary.classes.get(group), first, "en"),
                    zh=_label(lever, vocabulary.classes.get(group), first, "zh"),
                )
            )
            start.append(float(mix[row]))
    return knobs, start, dict.fromkeys((group for group, *_ in parts), 1.0)


def _label(lever: PolicyClass, group: PolicyClass | None, first: float | None, lang: str) -> str:
    """A lever in a class, from the first year of a period on, or by itself."""
    if group is not None:
        return f"{lever.en}, {group.en}" if lang == "en" else f"{group.zh}：{lever.zh}"
    if first is None:
        return lever.label(lang)
    return say("policy_outcome.lever_from", lang, lever=lever.label(lang), group=f"{first:g}")


def _by_money(study: Study, values: Mapping[str, Any], periods: Sequence[float]) -> Choice:
    """How much is spent in each period."""
    names = study.model.bindings.policy
    knobs, start = [], []
    share = values[names["budget"]]
    if isinstance(share, TimePath) or not periods:
        raise InvalidInput("money over time needs periods and a scenario whose budget does not change")
    worth = _worth(study, periods)
    sums = {MONEY: float(share) * float(worth.sum())}
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
    return knobs, start, sums


def _worth(study: Study, periods: Sequence[float]) -> Array:
    """Present value of output without policy in each period, as parts of the whole."""
    name = study.model.bindings.variables.output
    output = study.simulated([study.none], [name])[name][0].sum(axis=1).mean(axis=0)
    years = study.years
    present = output / (1 + DISCOUNT) ** (years - years[0])
    ends = [*periods[1:], years[-1] + 1]
    parts = [present[(years >= first) & (years < end)].sum() for first, end in zip(periods, ends, strict=True)]
    return np.asarray(np.array(parts) / present[years >= periods[0]].sum())


def _of_levers(study: Study) -> Space:
    """Every lever of a model without regions between off and its upper end, the budget spent."""
    spec = declared(study.model)
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
