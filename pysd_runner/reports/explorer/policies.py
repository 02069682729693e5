"""Explorer page of a projection: simulates policies on its draws, and compares them with no policy."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.types import Record, Values
from pysd_runner.engine import TimePath
from pysd_runner.evidence.ledger import meaning
from pysd_runner.policy.ranking import start_of
from pysd_runner.reports.explorer.page import DIMENSIONLESS, Explored
from pysd_runner.scenarios import Scenario, load_scenario
from pysd_runner.scenarios.load import shipped_scenarios
from pysd_runner.scenarios.policy import BUDGET_USUAL, REDISTRIBUTION_USUAL, Policy, Schedule
from pysd_runner.scenarios.scenario import BASELINE
from pysd_runner.simulation.task import prepared
from pysd_runner.spec.design import MONEY
from pysd_runner.study.inputs import ProjectionInputs
from pysd_runner.study.values import scenario_values
from pysd_runner.text import LANGUAGES, name_in, panel_title, translate

# Outcomes that the program saves, and outcomes that the page can plot.
SAVED = ("output", "population", "access", "skills", "application", "digital_index", "policy_budget")
DRAWN = ("output_per_head", "relative_output", "gap_to_leader", "access", "skills", "application", "digital_index")

PERCENT = ("relative_output", "gap_to_leader", "access", "skills", "application")

# Policy settings that the page varies over time.
MOVING = ("budget", "levers")

# Effects whose values the page takes from the results folder, if the page was made from one.
EFFECTS = ("gap_closed", "output_change")

# Groups of parameters that can be changed, by role, and largest multiple of the median of the draws.
ASSUMED, FARTHEST = {"COST": "costs", "ASM": "assumptions"}, 4.0

# Number of years of observations drawn before the origin.
HISTORY = 15


def policies_explored(
    inputs: ProjectionInputs, scenarios: Sequence[Scenario] = (), *, told: Mapping[str, object] | None = None
) -> Explored:
    """Contents of the page of a projection: levers by class, regions, and assumptions that can be changed."""
    if not inputs.common.inputs.has_population:
        raise InvalidInput("the page weights regions by people, and the panel has no population")
    model, (origin, until) = inputs.model, inputs.years
    root = load_scenario(BASELINE, model=model)
    saved = {key: inputs.spec.outcomes[key].variable for key in SAVED}
    task = prepared(model, _values(inputs, root), start=origin, stop=until, save_every=1, outcomes=list(saved.values()))
    return Explored(
        model=model,
        task=task,
        title={
            item: translate("explorer.title_regional", item, panel=panel_title(inputs.panel.name, item))
            for item in LANGUAGES
        },
        seed=inputs.settings["seed"],
        draws=len(inputs.common.draws),
        times=list(range(origin, until + 1)),
        origin=origin,
        saved=list(saved),
        outcomes=_outcomes(inputs),
        constants=[
            {"title": title, "note": f"{title}_note", "folded": True, "entries": list(_assumptions(inputs, role))}
            for role, title in ASSUMED.items()
        ],
        sections={
            "forecast": inputs.baseline is not None,
            "policy": {
                "levers": _words(inputs.spec.levers.values()),
                "classes": _words(inputs.spec.classes.values()),
                "variables": dict(model.bindings.policy),
                "limits": {"budget": BUDGET_USUAL, "redistribution": REDISTRIBUTION_USUAL},
                "root": _settings(root.policy, origin),
                "presets": _presets(inputs, scenarios),
                "told": told,
            },
            "regions": {
                "places": [
                    {
                        "code": item.code,
                        "en": item.name_en or item.code,
                        "zh": item.name_zh or item.code,
                        "group": item.group,
                    }
                    for item in inputs.panel.regions
                ],
                "groups": _groups(inputs),
                "behind": start_of(inputs.panel).behind.astype(int).tolist(),
                "money": float(inputs.settings["yuan_per_unit"]),
                "history": _history(inputs),
            },
        },
    )


def _values(inputs: ProjectionInputs, root: Scenario) -> Values:
    """Inputs shared by all scenarios and settings of the no-policy run, as time paths where the page varies them."""
    common = inputs.common.values
    values = {**common, **scenario_values([root], inputs.model, inputs.regions, common, inputs.years, step=inputs.step)}
    for key in MOVING:
        name = inputs.model.bindings.policy[key]
        elements = inputs.model.variables[name].dims
        still = np.zeros(()) if key == "budget" else np.ones([len(inputs.model.ranges[dim]) for dim in elements])
        values[name] = TimePath(times=np.array([float(inputs.years[0])]), values=still[None], interpolate="step")
    neutral = {inputs.model.bindings.policy["start"]: float(inputs.years[0] + 1)}
    return {**values, **{name: value for name, value in neutral.items() if name not in values}}


def _outcomes(inputs: ProjectionInputs) -> list[dict[str, Any]]:
    found = []
    for key in DRAWN:
        outcome = inputs.spec.outcomes[key]
        units = {}
        if MONEY in outcome.unit:
            units = {f"unit_{lang}": _per_person(inputs.panel.currency, lang) for lang in LANGUAGES}
        shown = {"key": key, "en": outcome.en, "zh": outcome.zh, "percent": key in PERCENT, "unit": "", **units}
        found.append(shown)
    return found


def _per_person(currency: str, lang: str) -> str:
    return translate(
        "explorer.per_person", lang, currency=translate("report.yuan", lang) if currency == MONEY else currency
    )


def _groups(inputs: ProjectionInputs) -> dict[str, dict[str, str]]:
    """Names of the groups of regions."""
    names = sorted({item.group for item in inputs.panel.regions if item.group})
    return {name: {lang: name_in(lang, "class", name) for lang in LANGUAGES} for name in names}


def _words(entries: Iterable[Any]) -> list[dict[str, str]]:
    return [{"key": item.key, "element": item.element, "en": item.en, "zh": item.zh} for item in entries]


def _history(inputs: ProjectionInputs) -> Record:
    years = [year for year in inputs.panel.years if year > inputs.years[0] - HISTORY]
    seen = inputs.panel.subset(times=years)
    series = {
        name: [[None if np.isnan(value) else float(value) for value in row] for row in seen[name]]
        for name in ("output", "population")
    }
    return {"years": list(years), **series}


def _assumptions(inputs: ProjectionInputs, role: str) -> Iterator[dict[str, Any]]:
    """Sliders for the parameters of a role: the median of the draws, and the bounds."""
    for key, item in inputs.spec.parameters.items():
        if item.role != role or item.variable not in inputs.common.values:
            continue
        middle = float(np.median(inputs.common.parameters[key]))
        yield {
            "name": item.variable,
            "variable": item.variable,
            "cell": None,
            "relative": False,
            **{lang: meaning(inputs.model.source, item, lang) for lang in LANGUAGES},
            "drawn": True,
            "unit": "" if item.unit == DIMENSIONLESS else item.unit,
            "value": middle,
            "lower": item.lower,
            "upper": min(item.upper, FARTHEST * middle) if middle > 0 else item.upper,
        }


def _presets(inputs: ProjectionInputs, scenarios: Sequence[Scenario]) -> list[dict[str, Any]]:
    shipped = [load_scenario(name, model=inputs.model) for name in shipped_scenarios(inputs.model)]
    found: dict[str, dict[str, Any]] = {}
    for scenario in (*scenarios, *shipped):
        settings = _settings(scenario.policy, inputs.years[0])
        if scenario.name in found or settings is None or scenario.assumptions or not scenario.policy.spends:
            continue
        label = {lang: scenario.label.get(lang) or scenario.name for lang in ("en", "zh")}
        found[scenario.name] = {"name": scenario.name, **label, "policy": settings}
    return list(found.values())


def _settings(policy: Policy, origin: int) -> dict[str, Any] | None:
    """Settings of a policy in the form the page uses; None if the page cannot represent it."""
    budget = _budget(policy, origin)
    schedules = (policy.mix, *policy.levers.values())
    if budget is None or policy.regions is not None or any(isinstance(item, Schedule) for item in schedules):
        return None
    if (policy.differentiation or 0.0) not in (0.0, 1.0):
        return None
    return {
        **budget,
        "uniform": not policy.differentiation,
        "mix": dict(policy.mix or {}),  # type: ignore[arg-type]
        "mixes": {name: dict(mix) for name, mix in policy.class_mixes.items()},
        "off": [name for name, on in policy.levers.items() if not on],
        "redistribution": policy.redistribution or 0.0,
        "evaluated": bool(policy.rolling_evaluation),
        "classes": None if policy.classes is None else list(policy.classes),
        "groups": None if policy.groups is None else list(policy.groups),
    }


def _budget(policy: Policy, origin: int) -> dict[str, Any] | None:
    """Budget as a share of output, first year, and year from which nothing is spent; None if it has more steps."""
    start = float(origin + 1) if policy.start is None else policy.start
    budget = policy.budget
    if not isinstance(budget, Schedule):
        return {"budget": budget or 0.0, "start": start, "end": None}
    years = budget.years(start)
    ends = len(years) == 2 and budget.values[1] == 0 and budget.interpolate == "step"
    if len(years) > 2 or (len(years) == 2 and not ends):
        return None
    return {"budget": budget.values[0], "start": years[0], "end": years[1] if ends else None}
