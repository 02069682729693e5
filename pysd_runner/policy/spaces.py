"""Build search spaces: all levers of any model; for regional models also mixes, allocation rule and spending path."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.types import Array, Values
from pysd_runner.data import Data
from pysd_runner.engine import TimePath
from pysd_runner.model import Model
from pysd_runner.policy.effects import DISCOUNT, HEADLINE
from pysd_runner.policy.objective import DEFAULT_CONSTRAINTS as DEFAULT_CONSTRAINTS, Objective
from pysd_runner.policy.optimisation import optimise
from pysd_runner.policy.space import MONEY, DecisionVariable, Space
from pysd_runner.policy.studies import policy_of, study_of
from pysd_runner.policy.study import Study
from pysd_runner.scenarios import Scenario
from pysd_runner.scenarios.policy import BUDGET_LIMIT, REDISTRIBUTION_USUAL
from pysd_runner.scenarios.vocabulary import load_vocabulary
from pysd_runner.spec import FittedParameters, PolicyClass
from pysd_runner.study.inputs import ProjectionInputs, inputs_of
from pysd_runner.text import in_both, translate

# Maximum budget share of a period, as a multiple of the scenario's share.
MOST_MONEY = 3.0
# Draws of a short search, and share of them in which no region may lose, strict enough to hold in half of all draws.
SHORT, SAFE = 64, 0.6
# Group of the decision variables that share the declared budget of a model without regions.
BUDGET = "budget"


def space_of(
    study: Study | ProjectionInputs,
    scenario: Scenario | None = None,
    *,
    by: Literal["class", "lever"] = "class",
    who: bool = True,
    periods: Sequence[float] = (),
    budget: bool = False,
) -> tuple[Space, Array | None]:
    """Build the search space of a study.

    Parameters
    ----------
    study
        The study, or the inputs to build it from.
    scenario
        For a regional model: budget, start and all settings that are not decision variables. None for any other model:
        each lever ranges from off to full on, and ``sum(cost x |lever - off|)`` equals a declared budget.
    by
        ``"class"``: a mix of levers for each class of regions; ``"lever"``: one mix for all regions.
    who
        Whether the exponent of need is a decision variable too (-1 money follows output, 0 per head, 1 need, and at
        most 2, where a region at half the mean gets four times the mean money per head).
    periods
        First years of the periods, each with a mix of its own; empty for a single period.
    budget
        Whether the budget share of each period is a decision variable too, with the present value of all spending fixed
        at that of the scenario; the value of a share is computed from output without policy.

    Returns
    -------
    space : Space
        Decision variables and their bounds.
    start : ndarray
        The scenario as a point of the space, shape (decision,); one mix for all starts at the mean of its class mixes.
        None without a scenario.

    Raises
    ------
    InvalidInput
        If a lever has neither a value when full on nor a budget, or all levers full on cost less than the budget.
    """
    study = study_of(study) if isinstance(study, ProjectionInputs) else study
    if scenario is None:
        return _of_levers(study), None
    values = policy_of(study, scenario)
    names = study.model.bindings.policy
    decisions, start, sums = _mixes(study, values, by, periods or (None,))
    if who:
        en, zh = (translate("policy_outcome.who", lang) for lang in ("en", "zh"))
        # The range that scenario files use. The bound is a judgement: higher values would close more of the gaps in the
        # model, which limits transfers to the poorest regions only by the share of the money that they can use.
        low, high = REDISTRIBUTION_USUAL
        decisions.append(
            DecisionVariable(
                key="redistribution", variable=names["redistribution"], lower=low, upper=high, en=en, zh=zh
            )
        )
        start.append(float(values.get(names["redistribution"], 0.0)))
    if budget:
        spent = _by_money(study, values, periods)
        decisions, start, sums = decisions + spent[0], start + spent[1], sums | spent[2]
    base = {**values, names["differentiation"]: 1.0 if by == "class" else 0.0}
    return Space(decisions=tuple(decisions), base=base, sums=sums, root=scenario), np.array(start)


def within_constraints(
    model: Model, panel: Data, fitted: FittedParameters | None, scenario: Scenario, *, draws: int, **settings: Any
) -> Scenario:
    """Search briefly for one mix for all regions that closes most of the gap and keeps the default constraints."""
    inputs = inputs_of(model, panel, fitted, draws=min(SHORT, draws), **settings)
    study = replace(study_of(inputs), none=policy_of(inputs, scenario.baseline()))
    space, start = space_of(study, scenario, by="lever")
    safe = [
        replace(item, share_of_draws=SAFE) if item.outcome in study.watched else item for item in DEFAULT_CONSTRAINTS
    ]
    found = optimise(
        study, space, objective=Objective(HEADLINE), subject_to=safe, start=start, starts=1, describe=False
    )
    label = in_both("scenario.within_constraints")
    return space.scenario(study, found.point, name="within_constraints", label=label)


# Decision variables, their values in the scenario, and the weighted sum of each group.
Choice = tuple[list[DecisionVariable], list[float], dict[str, float]]


def _mixes(study: Study, values: Values, by: str, periods: Sequence[float | None]) -> Choice:
    """Decision variables for the shares of levers: a mix for each class, or one for each period."""
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
    decisions: list[DecisionVariable] = []
    start: list[float] = []
    for group, column, first, own in parts:
        uniform = values[bound.policy["mix"]]
        mix = uniform.at(first or study.bounds[1]) if isinstance(uniform, TimePath) else np.asarray(uniform)
        mix = (1 - share) * mix + share * own
        for lever in vocabulary.levers.values():
            row = rows.index(lever.element)
            decisions.append(
                DecisionVariable(
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
    return decisions, start, dict.fromkeys((group for group, *_ in parts), 1.0)


def _label(lever: PolicyClass, group: PolicyClass | None, first: float | None, lang: str) -> str:
    """Label of a lever in a class, in a period that starts in `first`, or by itself."""
    if group is not None:
        return f"{lever.en}, {group.en}" if lang == "en" else f"{group.zh}：{lever.zh}"
    if first is None:
        return lever.label(lang)
    return translate("policy_outcome.lever_from", lang, lever=lever.label(lang), group=f"{first:g}")


def _by_money(study: Study, values: Values, periods: Sequence[float]) -> Choice:
    """Decision variables for the budget share of each period."""
    names = study.model.bindings.policy
    decisions, start = [], []
    share = values[names["budget"]]
    if isinstance(share, TimePath) or not periods:
        raise InvalidInput("money over time needs periods and a scenario whose budget does not change")
    worth = _worth(study, periods)
    sums = {MONEY: float(share) * float(worth.sum())}
    for first, weight in zip(periods, worth, strict=True):
        decisions.append(
            DecisionVariable(
                key=f"{MONEY}.{first:g}",
                variable=names["budget"],
                upper=min(MOST_MONEY * float(share), BUDGET_LIMIT),
                start=first,
                group=MONEY,
                weight=float(weight),
                en=translate("policy_outcome.spent_from", "en", first=f"{first:g}"),
                zh=translate("policy_outcome.spent_from", "zh", first=f"{first:g}"),
            )
        )
        start.append(float(share))
    return decisions, start, sums


def _worth(study: Study, periods: Sequence[float]) -> Array:
    """Share of each period in the present value of output without policy, from the first period on."""
    name = study.model.bindings.variables.output
    output = study.simulated([study.none], [name])[name][0].sum(axis=1).mean(axis=0)
    years = study.years
    present = output / (1 + DISCOUNT) ** (years - years[0])
    ends = [*periods[1:], years[-1] + 1]
    parts = [present[(years >= first) & (years < end)].sum() for first, end in zip(periods, ends, strict=True)]
    return np.asarray(np.array(parts) / present[years >= periods[0]].sum())


def _of_levers(study: Study) -> Space:
    """Search space of a model without regions: every lever from off to full on, with the whole budget spent."""
    spec = study.model.declarations
    total = spec.budget
    decisions = []
    for lever in study.levers.values():
        own = spec.levers[lever.key]
        sign = 1.0 if own.to is None or own.to > own.off else -1.0
        ends = [] if own.to is None else [abs(own.to - own.off)]
        ends += [] if total is None else [total / own.cost]
        if not ends:
            raise InvalidInput(
                "lever {lever!r} has no end; declare levers.{key}.to, limits in the model file, or a [budget]",
                lever=lever.key,
                key=lever.key,
            )
        low, high = sorted((own.off, own.off + sign * min(ends)))
        group = "" if total is None else BUDGET
        decisions.append(
            DecisionVariable(
                key=lever.key,
                variable=lever.variable,
                position=lever.position,
                lower=low,
                upper=high,
                group=group,
                weight=sign * own.cost,
                en=lever.en,
                zh=lever.zh,
            )
        )
    if total is None:
        return Space(decisions=tuple(decisions), base={}, sums={})
    spent = sum(abs(decision.weight) * (decision.upper - decision.lower) for decision in decisions)
    if spent < total * (1 - 1e-9):
        raise InvalidInput(
            "all levers full on cost {spent:g}, less than the budget of {total:g}", spent=spent, total=total
        )
    off = sum(decision.weight * decision.off for decision in decisions)
    return Space(decisions=tuple(decisions), base={}, sums={BUDGET: total + off})
