"""The page of the regional model: policies on the draws of a projection, beside no policy."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from pysd_runner.core.errors import InvalidInput
from pysd_runner.engine import TimePath
from pysd_runner.explorer.packing import Numbers, input_records
from pysd_runner.explorer.page import page
from pysd_runner.regional.comparison import start_of
from pysd_runner.regional.labelling import MONEY
from pysd_runner.regional.projection import ProjectionInputs
from pysd_runner.regional.scenario_stacks import scenario_values
from pysd_runner.scenarios import Scenario, load_scenario
from pysd_runner.scenarios.load import shipped_scenarios
from pysd_runner.scenarios.policy import BUDGET_USUAL, REDISTRIBUTION_USUAL, Policy, Schedule
from pysd_runner.scenarios.scenario import BASELINE
from pysd_runner.simulation.task import prepared
from pysd_runner.text import LANGUAGES, has_text, in_both, say
from pysd_runner.text.notices import panel_title

# What the program saves, and of it what the page can draw.
SAVED = ("output", "population", "access", "skills", "application", "digital_index", "policy_budget")
DRAWN = ("output_per_head", "relative_output", "gap_to_leader", "access", "skills", "application", "digital_index")

# Policy settings that the page changes from year to year.
MOVING = ("budget", "levers")

# Effects that the page tells as the results do, where it is made from some.
EFFECTS = ("gap_closed", "output_change")

# What is not chosen and can be assumed otherwise, and how far from the middle of the draws.
ASSUMED, FARTHEST = ("COST", "ASM"), 4.0

# Years of observations drawn before the origin.
HISTORY = 15


def regional_page(
    inputs: ProjectionInputs,
    scenarios: Sequence[Scenario] = (),
    *,
    lang: str = "en",
    command: str = "",
    told: Mapping[str, object] | None = None,
) -> str:
    """Write the page of a projection."""
    if not inputs.common.inputs.has_population:
        raise InvalidInput("the page weights regions by people, and the panel has no population")
    model, (origin, until) = inputs.model, inputs.bounds
    root = load_scenario(BASELINE, model=model)
    values = _values(inputs, root)
    saved = {key: inputs.spec.outcomes[key].variable for key in SAVED}
    task = prepared(model, values, start=origin, stop=until, save_every=1, outcomes=list(saved.values()))
    program = task.for_browsers()
    numbers = Numbers()
    record = {
        "kind": "regional",
        "title": {
            item: say("explorer.title_regional", item, panel=panel_title(inputs.panel.name, item)) for item in LANGUAGES
        },
        "command": command,
        "model": {"name": model.name, "sha256": model.sha256},
        "seed": inputs.settings["seed"],
        "draws": len(inputs.common.draws),
        "forecast": inputs.baseline is not None,
        "program": dict(program.record),
        "inputs": input_records(program.inputs, numbers),
        "years": list(range(origin, until + 1)),
        "saved": list(saved),
        "outcomes": _outcomes(inputs),
        "money": float(inputs.settings["yuan_per_unit"]),
        "regions": [_region(item) for item in inputs.panel.regions],
        "groups": _groups(inputs),
        "levers": _words(inputs.spec.levers.values()),
        "classes": _words(inputs.spec.classes.values()),
        "behind": start_of(inputs.panel).behind.astype(int).tolist(),
        "history": _history(inputs),
        "assumptions": _assumptions(inputs),
        "limits": {"budget": BUDGET_USUAL, "redistribution": REDISTRIBUTION_USUAL},
        "variables": dict(model.bindings.policy),
        "root": _settings(root.policy, origin),
        "presets": _presets(inputs, scenarios),
        "told": told,
    }
    return page(record, program.module.code, numbers, lang=lang)


def _values(inputs: ProjectionInputs, root: Scenario) -> dict[str, Any]:
    """What all scenarios share, and the policy settings of no policy, over time where the page changes them."""
    common = inputs.common.values
    values = {**common, **scenario_values([root], inputs.model, inputs.panel, common, inputs.bounds)}
    for key in MOVING:
        name = inputs.model.bindings.policy[key]
        elements = inputs.model.variables[name].dims
        still = np.zeros(()) if key == "budget" else np.ones([len(inputs.model.ranges[dim]) for dim in elements])
        values[name] = TimePath(times=np.array([float(inputs.bounds[0])]), values=still[None], interpolate="step")
    neutral = {inputs.model.bindings.policy["start"]: float(inputs.bounds[0] + 1)}
    return {**values, **{name: value for name, value in neutral.items() if name not in values}}


def _outcomes(inputs: ProjectionInputs) -> list[dict[str, Any]]:
    found = []
    for key in DRAWN:
        outcome = inputs.spec.outcomes[key]
        units = {}
        if MONEY in outcome.unit:
            units = {f"unit_{lang}": _per_person(inputs.panel.currency, lang) for lang in LANGUAGES}
        found.append({"key": key, "en": outcome.en, "zh": outcome.zh, "unit": "", **units})
    return found


def _per_person(currency: str, lang: str) -> str:
    return say("explorer.per_person", lang, currency=say("report.yuan", lang) if currency == MONEY else currency)


def _region(item: Any) -> dict[str, str]:
    return {"code": item.code, "en": item.name_en or item.code, "zh": item.name_zh or item.code, "group": item.group}


def _groups(inputs: ProjectionInputs) -> dict[str, dict[str, str]]:
    """Names of the groups of regions."""
    names = sorted({item.group for item in inputs.panel.regions if item.group})
    return {name: in_both(f"class.{name}") if has_text(f"class.{name}") else {"en": name, "zh": name} for name in names}


def _words(entries: Iterable[Any]) -> list[dict[str, str]]:
    return [{"key": item.key, "element": item.element, "en": item.en, "zh": item.zh} for item in entries]


def _history(inputs: ProjectionInputs) -> dict[str, Any]:
    years = [year for year in inputs.panel.years if year > inputs.bounds[0] - HISTORY]
    seen = inputs.panel.subset(years=years)
    series = {
        name: [[None if np.isnan(value) else float(value) for value in row] for row in seen[name]]
        for name in ("output", "population")
    }
    return {"years": list(years), **series}


def _assumptions(inputs: ProjectionInputs) -> list[dict[str, Any]]:
    """Unit costs and what is assumed without an estimate: their middle over the draws, and within which bounds."""
    found = []
    for key, item in inputs.spec.parameters.items():
        if item.role not in ASSUMED or item.variable not in inputs.common.values:
            continue
        middle = float(np.median(inputs.common.parameters[key]))
        upper = min(item.upper, FARTHEST * middle) if middle > 0 else item.upper
        words = {"variable": item.variable, "en": item.en, "zh": item.zh, "unit": item.unit, "role": item.role}
        found.append({**words, "value": middle, "lower": item.lower, "upper": upper})
    return found


def _presets(inputs: ProjectionInputs, scenarios: Sequence[Scenario]) -> list[dict[str, Any]]:
    shipped = [load_scenario(name, model=inputs.model) for name in shipped_scenarios(inputs.model)]
    found: dict[str, dict[str, Any]] = {}
    for scenario in (*scenarios, *shipped):
        settings = _settings(scenario.policy, inputs.bounds[0])
        if scenario.name in found or settings is None or scenario.assumptions or not scenario.policy.spends:
            continue
        label = {lang: scenario.label.get(lang) or scenario.name for lang in ("en", "zh")}
        found[scenario.name] = {"name": scenario.name, **label, "policy": settings}
    return list(found.values())


def _settings(policy: Policy, origin: int) -> dict[str, Any] | None:
    """A policy as the page holds it; None where it holds more than the page can show."""
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
    """Share of output, first year, and the year from which nothing is spent."""
    start = float(origin + 1) if policy.start is None else policy.start
    budget = policy.budget
    if not isinstance(budget, Schedule):
        return {"budget": budget or 0.0, "start": start, "end": None}
    years = budget.years(start)
    ends = len(years) == 2 and budget.values[1] == 0 and budget.interpolate == "step"
    if len(years) > 2 or (len(years) == 2 and not ends):
        return None
    return {"budget": budget.values[0], "start": years[0], "end": years[1] if ends else None}
