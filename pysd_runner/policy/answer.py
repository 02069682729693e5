"""How policies compare, under each definition of what was measured and under other unit costs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pysd_runner.core.errors import Message
from pysd_runner.model import Model
from pysd_runner.panel import Panel
from pysd_runner.policy.effects import PRESENT_VALUES
from pysd_runner.policy.ranking import Comparison, compare, scanned, terciles
from pysd_runner.scenarios import Scenario
from pysd_runner.spec import Baseline, FittedParameters
from pysd_runner.study.draws import common_draws

# A policy that is first in at least this share of the draws, whatever is assumed, is called robust.
LEAST_SPLIT = 90
ROBUST = 0.5


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Answer:
    """Policies compared in several ways."""

    comparisons: Mapping[str, Comparison]
    approximate: Comparison | None = None
    misses: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)

    @property
    def main(self) -> Comparison:
        """The comparison under the definition of the fit."""
        return next(iter(self.comparisons.values()))

    @property
    def robust(self) -> str:
        """The policy that is first in most draws under every definition and unit cost; empty when there is none."""
        name = str(self.main.first.idxmax())
        every = [series for item in self.comparisons.values() for series in (item.first, *item.cases.values())]
        is_always = all(str(series.idxmax()) == name and float(series[name]) >= ROBUST for series in every)
        return name if is_always else ""


def answer(  # noqa: PLR0913 - a front door
    model: Model,
    panel: Panel,
    scenarios: Sequence[Scenario],
    fits: Mapping[str, FittedParameters | None],
    baseline: Baseline | None,
    *,
    bounds: tuple[int, int],
    draws: int,
    seed: int,
    yuan_per_unit: float = 1.0,
    progress: Callable[[str, int, int], None] | None = None,
) -> Answer:
    """Compare policies under each definition of what was measured."""
    settings: dict[str, Any] = {"bounds": bounds, "draws": draws, "seed": seed, "yuan_per_unit": yuan_per_unit}
    found: dict[str, Comparison] = {}
    approximate = None
    for done, (name, fitted) in enumerate(fits.items()):
        if progress is not None:
            progress(Message("policies, {name}", name=name) if name else Message("policies"), done, len(fits))
        common = common_draws(model, panel, fitted, baseline, **settings)
        made = compare(model, panel, common, scenarios, bounds)
        if fitted is not None and fitted.draws and draws > 1:
            made = replace(made, walkers=fitted.walkers(common.parameters))
        if not found:
            cases = scanned(model, panel, common, scenarios, bounds, _costs(model))
            # How far application had come, which no national series says.
            level = model.bindings.parameters.application_level
            levels = common.parameters.get(level)
            # A third of fewer draws says nothing about who is first.
            if levels is not None and len(common.draws) >= LEAST_SPLIT and np.ptp(levels) > 0:
                cases |= terciles(made, level, levels)
            made = replace(made, cases=cases)
            if fitted is not None and fitted.draws:
                rough = common_draws(model, panel, replace(fitted, draws=()), baseline, **settings)
                approximate = compare(model, panel, rough, _first(scenarios), bounds)
        if fitted is not None and fitted.bound_of(model.bindings.parameters.trend_growth):
            made = replace(made, effects=made.effects.drop_vars(PRESENT_VALUES, errors="ignore"))
        found[name] = made
    misses = {name: item.provenance.get("misses", ()) for name, item in fits.items() if item is not None}
    return Answer(comparisons=found, approximate=approximate, misses=misses)


def _first(scenarios: Sequence[Scenario]) -> list[Scenario]:
    """The first policy and its baseline."""
    policy = next(item for item in scenarios if item.baseline_name != item.name)
    return [item for item in scenarios if item.name in {policy.name, policy.baseline_name}]


def _costs(model: Model) -> dict[str, str]:
    """Variables of the unit costs by the key of their parameter."""
    declared = {} if model.spec is None else model.spec.parameters
    return {key: item.variable for key, item in declared.items() if item.role == "COST" and not item.switch}
