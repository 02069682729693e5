"""Rank policies on common draws, under each definition of the observed series and under other unit costs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from pysd_runner.core.errors import Message
from pysd_runner.data import Data
from pysd_runner.export.files import Tabled
from pysd_runner.model import Model
from pysd_runner.policy.cost import Switching, switching_values, unit_costs
from pysd_runner.policy.effects import HEADLINE, PRESENT_VALUES, Start, effects
from pysd_runner.policy.study import band, who_and_what
from pysd_runner.scenarios import Policy, Scenario
from pysd_runner.scenarios.crossing import REFERENCE
from pysd_runner.simulation import simulate
from pysd_runner.simulation.run import only_draws
from pysd_runner.spec import Baseline, FittedParameters
from pysd_runner.study.draws import CommonDraws, common_draws
from pysd_runner.study.values import scenario_values

Array = NDArray[np.float64]
# A parameter, and how it was varied.
Case = tuple[str, str]

# Minimum number of draws for rankings by tercile, and share of draws in which a robust policy must rank first.
LEAST_SPLIT = 90
ROBUST = 0.5
# Scenarios simulated at a time: more need more memory and are no faster.
BATCH = 8
# Maximum number of draws with which the ranking is repeated under other unit costs.
SCANNED = 32
# Factors by which unit costs are multiplied, by name.
FACTORS = {"half": 0.5, "twice": 2.0}
# Maximum number of draws in which switching values of unit costs are sought.
SWITCHED = 64
# Probabilities at the ends of the 90 % interval.
ENDS = (0.05, 0.95)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ranking(Tabled):
    """Effects of policies in the last year, on common draws."""

    effects: xr.Dataset
    scenarios: Mapping[str, Scenario]
    year: int
    cases: Mapping[Case, pd.Series] = field(default_factory=dict)
    walkers: NDArray[np.intp] | None = None
    switching: tuple[Switching, ...] = ()

    def table(self) -> pd.DataFrame:
        """Median and 90 % interval of each effect, and share of draws ranked first; one row per policy."""
        rows = {}
        for name in self.scenarios:
            row: dict[str, float] = {}
            for key, values in self.effects.sel(scenario=name).data_vars.items():
                row |= _quantiles(str(key), values.to_numpy())
            row |= self._precision(HEADLINE, self.effects[HEADLINE].sel(scenario=name).to_numpy())
            row["share_first"] = float(self.first.get(name, np.nan))
            rows[name] = row
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("scenario")

    @property
    def first(self) -> pd.Series:
        """Share of draws in which each policy closes the gap most, in descending order."""
        return first_shares(self.effects[HEADLINE])

    def split(self, name: str, effect: str = HEADLINE) -> pd.DataFrame:
        """Decompose a policy's effect relative to the reference mix per head into who, what and interaction."""
        policy, reference = self.scenarios[name], self._reference(name)
        who = replace(reference.policy, redistribution=policy.policy.redistribution)
        what = replace(policy.policy, redistribution=reference.policy.redistribution)
        wanted = (reference.policy, who, what, policy.policy)
        values = [self.effects[effect].sel(scenario=self._with(item, policy)).to_numpy() for item in wanted]
        parts = who_and_what(*values)
        rows = [_quantiles("change", part) | self._precision("change", part) for part in parts.values()]
        return pd.DataFrame(rows, index=pd.Index(parts, name="part"))

    def _precision(self, name: str, values: Array) -> dict[str, float]:
        """Tail effective sample size of the draws, and Monte Carlo errors of both ends of the 90 % interval."""
        size = tail_effective_size(values, np.arange(values.size) if self.walkers is None else self.walkers)
        errors = {f"{name}_p{100 * level:02.0f}_error": quantile_error(values, level, size) for level in ENDS}
        return {f"{name}_ess_tail": size, **errors}

    def is_reference(self, name: str) -> bool:
        """Whether a policy is itself the reference mix of `split`."""
        return self._reference(name).policy == self.scenarios[name].policy

    def _reference(self, name: str) -> Scenario:
        own = f"{REFERENCE}_for_{name}"
        return self.scenarios[own if own in self.scenarios else REFERENCE]

    def _with(self, policy: Policy, like: Scenario) -> str:
        """Name of the scenario that has a given policy and the assumptions of `like`."""
        for name, item in self.scenarios.items():
            if item.policy == policy and item.assumptions == like.assumptions:
                return name
        raise KeyError(f"the two by two of {like.name!r} was not run")


def compare(
    model: Model, panel: Data, common: CommonDraws, scenarios: Sequence[Scenario], bounds: tuple[int, int]
) -> Ranking:
    """Run policies and their baselines, and compute the effects from output, population and money."""
    ends, money = [], []
    for place in range(0, len(scenarios), BATCH):
        made = _simulated(model, panel, common, scenarios[place : place + BATCH], bounds)
        # Effects need the last year only: all years of many scenarios and draws would not fit into memory.
        ends.append(made[["output", "population"]].isel(year=[-1]))
        money.append(made["budget"])
    data = xr.concat(ends, dim="scenario")
    names = {item.name: item.baseline_name for item in scenarios}
    # Money per head cannot be added up without population data.
    budget = xr.concat(money, dim="scenario") if "population" in panel else None
    found = effects(data["output"], data["population"], budget, names, start_of(panel))
    policies = {item.name: item for item in scenarios if item.baseline_name != item.name}
    return Ranking(effects=found, scenarios=policies, year=bounds[1])


def scanned(
    model: Model,
    panel: Data,
    common: CommonDraws,
    scenarios: Sequence[Scenario],
    bounds: tuple[int, int],
    costs: Mapping[str, str],
) -> dict[Case, pd.Series]:
    """Repeat the ranking with each unit cost halved and doubled, on a few draws."""
    few = _few(model, common, SCANNED)
    found = {}
    for key, variable in costs.items():
        for name, factor in FACTORS.items():
            values = {**few.values, variable: factor * np.asarray(few.values[variable])}
            there = compare(model, panel, replace(few, values=values), scenarios, bounds)
            found[key, name] = there.first
    return found


def _few(model: Model, common: CommonDraws, most: int) -> CommonDraws:
    """The first of some draws."""
    kept = np.arange(min(most, len(common.draws)))
    return replace(common, values=only_draws(model, common.values, kept), draws=tuple(common.draws[: len(kept)]))


def _switching(
    model: Model, panel: Data, common: CommonDraws, scenarios: Sequence[Scenario], main: Ranking
) -> tuple[Switching, ...]:
    """Switching values of the unit costs without evidence, on a few draws."""
    if len(main.scenarios) < 2 or len(common.draws) < 2:
        return ()
    # Who gets the money does not hang on unit costs: of policies that differ in nothing else, the best is kept.
    best: dict[Any, str] = {}
    for name in main.effects[HEADLINE].median("draw").to_series().sort_values(kind="stable").index:
        item = main.scenarios[str(name)]
        best[replace(item.policy, redistribution=None), item.assumptions] = item.name
    cast = [item for item in scenarios if item.name in best.values() or item.name == item.baseline_name]
    few, bounds = _few(model, common, SWITCHED), (common.inputs.year, main.year)

    def first(values: Mapping[str, Any]) -> str:
        return str(compare(model, panel, replace(few, values=values), cast, bounds).first.idxmax())

    return switching_values(model, few.values, first)


def first_shares(values: xr.DataArray) -> pd.Series:
    """Share of draws in which each scenario has the largest value, in descending order; ties count for each."""
    best = values.max("scenario")
    shares = (values == best).mean("draw").to_series()
    return shares.sort_values(ascending=False, kind="stable")


def tail_effective_size(values: Array, walkers: NDArray[np.intp]) -> float:
    """Effective sample size for the ends of the 90 % interval, allowing for correlation of draws of one walker."""
    sizes, batches = [float(values.size)], np.unique(walkers).size
    for level in ENDS:
        below = values <= np.quantile(values, level)
        sums = np.bincount(walkers, weights=below - below.mean())
        if batches > 1 and sums.any():
            share = below.mean()
            sizes.append(float(share * (1 - share) * values.size**2 * (batches - 1) / batches / (sums**2).sum()))
    return min(sizes)


def quantile_error(values: Array, level: float, size: float) -> float:
    """Standard error of a quantile, from order statistics for `size` effective draws; see Vehtari et al. (2021)."""
    from scipy.special import betaincinv, ndtr

    low, high = np.quantile(values, betaincinv(size * level + 1, size * (1 - level) + 1, ndtr((-1.0, 1.0))))
    return float(high - low) / 2


def start_of(panel: Data) -> Start:
    """Output, population and classes of the regions in the last observed year of a panel."""
    groups = tuple(region.group for region in panel.regions)
    people = panel.array("population")[:, -1] if "population" in panel else np.ones(len(groups))
    return Start(
        output=panel.array("output_per_head")[:, -1] * people, population=people, classes=groups if all(groups) else ()
    )


def _simulated(
    model: Model, panel: Data, common: CommonDraws, scenarios: Sequence[Scenario], bounds: tuple[int, int]
) -> xr.Dataset:
    names = model.bindings.variables
    read = {"output": names.output, "population": names.population, "budget": names.policy_money}
    run = simulate(
        model,
        {**common.values, **scenario_values(scenarios, model, panel, common.values, bounds)},
        start=bounds[0],
        stop=bounds[1],
        save_every=1,
        outcomes=list(read.values()),
    )
    lead = (len(scenarios), len(common.draws))
    coords = {
        "scenario": [item.name for item in scenarios],
        "draw": list(common.draws),
        "year": np.round(run.years).astype(int),
    }
    dims: dict[str, tuple[str, ...]] = dict.fromkeys(read, ("scenario", "draw", "region", "year"))
    dims["budget"] = ("scenario", "draw", "year")
    rates = {"population": 1.0}  # the other series are money, converted to the currency of the panel
    arrays = {
        name: (
            dims[name],
            np.broadcast_to(run[variable] / rates.get(name, common.yuan_per_unit), (*lead, *run[variable].shape[2:])),
        )
        for name, variable in read.items()
    }
    return xr.Dataset(arrays, coords=coords)


def _quantiles(name: str, values: Array) -> dict[str, float]:
    """Median and 90 % interval of the finite values; NaN if there are none."""
    return band(name, values[np.isfinite(values)])


def terciles(comparison: Ranking, key: str, values: Array) -> dict[Case, pd.Series]:
    """Repeat the ranking in the draws of the lower and of the upper tercile of a parameter."""
    low, high = np.quantile(values, (1 / 3, 2 / 3))
    measured = comparison.effects[HEADLINE]
    return {
        (key, word): first_shares(measured.isel(draw=np.flatnonzero(chosen)))
        for word, chosen in (("low", values <= low), ("high", values >= high))
    }


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Answer:
    """Rankings of policies under several definitions of the observed series."""

    comparisons: Mapping[str, Ranking]
    approximate: Ranking | None = None
    before: Ranking | None = None  # some policies, before the fit was weighed by measured effects
    misses: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)

    @property
    def main(self) -> Ranking:
        """The ranking under the first definition."""
        return next(iter(self.comparisons.values()))

    @property
    def robust(self) -> str:
        """The policy that ranks first in at least half of the draws in every case; empty if there is none."""
        name = str(self.main.first.idxmax())
        every = [series for item in self.comparisons.values() for series in (item.first, *item.cases.values())]
        is_always = all(str(series.idxmax()) == name and float(series[name]) >= ROBUST for series in every)
        return name if is_always else ""


def answer(  # noqa: PLR0913 - public entry point
    model: Model,
    panel: Data,
    scenarios: Sequence[Scenario],
    fits: Mapping[str, FittedParameters | None],
    baseline: Baseline | None,
    *,
    bounds: tuple[int, int],
    draws: int,
    seed: int,
    before: FittedParameters | None = None,
    few: Sequence[Scenario] = (),
    yuan_per_unit: float = 1.0,
    progress: Callable[[str, int, int], None] | None = None,
) -> Answer:
    """Rank policies under each definition of the observed series, with the fit to each of them in `fits`.

    `few` policies are ranked with the fit `before` it was weighed by measured effects as well, if there is one.
    """
    settings: dict[str, Any] = {"bounds": bounds, "draws": draws, "seed": seed, "yuan_per_unit": yuan_per_unit}
    found: dict[str, Ranking] = {}
    approximate = None
    for done, (name, fitted) in enumerate(fits.items()):
        if progress is not None:
            progress(Message("policies, {name}", name=name) if name else Message("policies"), done, len(fits))
        common = common_draws(model, panel, fitted, baseline, **settings)
        made = compare(model, panel, common, scenarios, bounds)
        if fitted is not None and fitted.draws and draws > 1:
            made = replace(made, walkers=fitted.walkers(common.parameters))
        if not found:
            cases = scanned(model, panel, common, scenarios, bounds, unit_costs(model))
            # The initial level of application, which no national series observes.
            level = model.bindings.parameters.application_level
            levels = common.parameters.get(level)
            # With fewer draws, a third of them is too small a sample for a ranking.
            if levels is not None and len(common.draws) >= LEAST_SPLIT and np.ptp(levels) > 0:
                cases |= terciles(made, level, levels)
            made = replace(made, cases=cases, switching=_switching(model, panel, common, scenarios, made))
            if fitted is not None and fitted.draws:
                rough = common_draws(model, panel, replace(fitted, draws=()), baseline, **settings)
                approximate = compare(model, panel, rough, _first(scenarios), bounds)
        if fitted is not None and fitted.bound_of(model.bindings.parameters.trend_growth):
            made = replace(made, effects=made.effects.drop_vars(PRESENT_VALUES, errors="ignore"))
        found[name] = made
    misses = {name: item.provenance.get("misses", ()) for name, item in fits.items() if item is not None}
    unweighed = None
    if before is not None:
        unweighed = compare(model, panel, common_draws(model, panel, before, baseline, **settings), few, bounds)
    return Answer(comparisons=found, approximate=approximate, before=unweighed, misses=misses)


def _first(scenarios: Sequence[Scenario]) -> list[Scenario]:
    """Select the first policy and its baseline."""
    policy = next(item for item in scenarios if item.baseline_name != item.name)
    return [item for item in scenarios if item.name in {policy.name, policy.baseline_name}]
