"""Rank policies on common draws, under each definition of the observed series and under other assumptions."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pysd_runner.core.errors import Message
from pysd_runner.core.progress import ProgressCallback, callback_of
from pysd_runner.core.types import Array, Arrays, Flags, Indices, Texts, Values, frozen
from pysd_runner.data import Data
from pysd_runner.export.files import Tabled
from pysd_runner.indicators.selection import Selection, select
from pysd_runner.model import Model
from pysd_runner.policy.dependence import Dependence, dependence
from pysd_runner.policy.effects import (
    HEADLINE,
    MEASURES,
    OWN,
    PRESENT_VALUES,
    Start,
    effects,
    regional_outcomes,
)
from pysd_runner.policy.learning import WAIT, Learning, learned
from pysd_runner.policy.objective import (
    DEFAULT_CONSTRAINTS,
    ENDS,
    Constraint,
    margins_of,
    quantile_error,
    share_error,
    tail_effective_size,
    walkers_of,
)
from pysd_runner.policy.ordering import CHANGE, Order, best_order
from pysd_runner.policy.parts import all_parts_improve, declared_outcomes
from pysd_runner.policy.study import Outcome, band, who_and_what
from pysd_runner.scenarios import Policy, Scenario
from pysd_runner.scenarios.crossing import REFERENCE, WHO, distinct
from pysd_runner.simulation import simulate
from pysd_runner.spec import Baseline, FittedParameters
from pysd_runner.study.draws import CommonDraws, common_draws, shock_law
from pysd_runner.study.region_inputs import time_step
from pysd_runner.study.values import scenario_values

# A setting, and how it was varied.
Case = tuple[str, str]

# Minimum number of draws that are split to compare orders in time.
LEAST_SPLIT = 90
# Values of the last digit with which effects are printed: of the nation, and of a region.
DIGIT, REGION_DIGIT = 0.1, 0.01
# Unit in which effects by draw are kept, and the largest number of it that 16 bits hold.
HUNDREDTH, LARGEST = 0.01, 32767
# Minimum number of policies that keep the constraints to choose among them; loss of output per head of a region, in
# per cent, that is tolerated where fewer do.
LEAST_KEPT, TOLERANCE = 3, 0.5
# Scenarios simulated at a time: more need more memory and are no faster.
BATCH = 8
# Maximum number of draws with which the ranking is repeated under other assumptions, and minimum share of draws in
# which a policy is first in the main one to be run again: with all policies the others were first in 3 % at most.
SCANNED, LEAST_FIRST = 300, 0.002
# Money as a share of output, exponents of need, and last years under which the ranking is repeated.
BUDGETS, EXPONENTS, YEARS = (0.001, 0.003, 0.01), (0.0, 0.5, 1.0, 2.0), (2030, 2035)
# Last digit with which effects on the gap are printed.
DIGIT = 0.1


@frozen(eq=False)
class Allocation:
    """Effect of allocating money by need rather than per head, with the mean mix unless noted otherwise."""

    share: float  # share of draws in which it is better by all measures
    better: Flags  # whether it is, shape (draw,)
    measures: int  # number of measures
    output: float  # median difference of national output, per cent
    mixes: int  # number of mixes that were run both ways
    least: float  # smallest share of draws, over these mixes, in which it closes more of the gap


@frozen(eq=False)
class Ranking(Tabled):
    """Effects of policies in the last year, on common draws."""

    effects: xr.Dataset
    scenarios: Mapping[str, Scenario]
    year: int
    limits: pd.DataFrame
    regional: xr.Dataset  # changes by policy, draw and region or class
    start: Start  # the regions in the last observed year
    delta: float | None = None  # difference of mean effects within which policies are as good; None for the default
    cases: Mapping[Case, xr.DataArray] = field(default_factory=dict)
    depends: Dependence | None = None
    learning: Learning | None = None
    order: Order | None = None

    def table(self) -> pd.DataFrame:
        """Mean, median and 90 % interval of each effect, and how good a policy is; one row per policy."""
        rows = {}
        for name in self.scenarios:
            row: dict[str, float] = {}
            for key, values in self.effects.sel(scenario=name).data_vars.items():
                row |= _quantiles(str(key), values.to_numpy())
            row |= self._precision(HEADLINE, self.effects[HEADLINE].sel(scenario=name).to_numpy())
            row["share_first"] = float(self.first.get(name, np.nan))
            rows[name] = row
        found = pd.DataFrame.from_dict(rows, orient="index").rename_axis("scenario")
        rated = self.chosen.table[["within", "loss", "is_member"]].assign(levels_down=self.levels_down)
        return found.join(rated).join(self.limits)

    def regions(self) -> pd.DataFrame:
        """How good each policy is for each region and class; a row for each, with the columns of `Selection`.

        Effects are changes of output per head relative to the national mean, in points of it, and own output is that
        of the region, per cent. The run without policy is not compared.
        """
        places = self.regional["region"].to_numpy()
        rated = {str(place): select_at(self.compared, str(place), self.delta).table for place in places}
        return pd.concat(rated, names=["region"])

    @property
    def compared(self) -> xr.Dataset:
        """Effects of the last year by draw, in hundredths as integers: in the nation, and in each region and class."""
        nation = self.effects[[HEADLINE, OWN]].drop_vars("walker", errors="ignore")
        whole = xr.merge([nation, self.regional], compat="override", join="exact")
        return (whole / HUNDREDTH).round().clip(-LARGEST, LARGEST).astype(np.int16)

    def select(self, allowed: Flags | bool = True, effect: str = HEADLINE) -> Selection:
        """The policies that do as much as any for an effect, of those allowed that do not level down.

        `delta` holds for the gap; for other effects it is a tenth of the largest mean. A policy without a finite
        effect, such as output per money where it costs nothing, is not allowed.
        """
        values, own = (self.effects[key].transpose("draw", "scenario").to_numpy() for key in (effect, OWN))
        finite = np.isfinite(values).all(axis=0)
        return select(
            list(self.scenarios),
            np.where(finite, values, 0.0),
            own=own,
            walkers=walkers_of(self.effects),
            allowed=finite & allowed,
            delta=self.delta if effect == HEADLINE else None,
            digit=DIGIT,
        )

    @property
    def chosen(self) -> Selection:
        """The policies that close the gap as much as any."""
        return self.select()

    @property
    def first(self) -> pd.Series:
        """Share of draws in which each policy closes the gap most, in descending order."""
        return first_shares(self.effects[HEADLINE])

    @property
    def levels_down(self) -> pd.Series:
        """Whether own output per head of the regions below the mean falls at the median under a policy."""
        return self.chosen.table["own"] < 0

    def by_need(self) -> "Allocation | None":
        """Compare money by need with money per head for mixes that were run both ways; None without the mean mix."""
        policies = {(item.policy, item.assumptions): name for name, item in self.scenarios.items()}
        (most, _), (least, _) = WHO["by_need"], WHO["per_head"]
        twins = {
            name: policies.get((replace(item.policy, redistribution=most), item.assumptions))
            for name, item in self.scenarios.items()
            if item.policy.redistribution == least
        }
        pairs = {name: self._gains(need, name) for name, need in twins.items() if need is not None}
        if REFERENCE not in pairs:
            return None
        gains = pairs[REFERENCE]
        better = np.all([gains[key] > 0 for key in MEASURES if key in gains], axis=0)
        return Allocation(
            share=float(better.mean()),
            better=better,
            measures=sum(key in gains for key in MEASURES),
            output=float(gains["output_change"].median()),
            mixes=len(pairs),
            least=min(float((item[HEADLINE] > 0).mean()) for item in pairs.values()),
        )

    def _gains(self, name: str, other: str) -> xr.Dataset:
        one, two = (self.effects.sel(scenario=item, drop=True) for item in (name, other))
        return one - two

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
        size = tail_effective_size(values, walkers_of(self.effects))
        errors = {f"{name}_p{100 * level:02.0f}_error": quantile_error(values, level, size) for level in ENDS}
        return {f"{name}_ess_tail": size, **errors}

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
    model: Model,
    panel: Data,
    common: CommonDraws,
    scenarios: Sequence[Scenario],
    bounds: tuple[int, int],
    *,
    is_whole: bool = True,
) -> Ranking:
    """Run policies and their baselines, and compute the effects from output, population and money.

    If it `is_whole`, also those on outcomes that the model declares over its regions.
    """
    spec, start = model.declarations, start_of(panel)
    declared = declared_outcomes(spec.regional_outcomes, start) if is_whole else {}
    size = BATCH // 4 if declared else BATCH
    ends, money = [], []
    for place in range(0, len(scenarios), size):
        made = _simulated(model, panel, common, scenarios[place : place + size], bounds, declared=declared)
        # Effects need the last year only: all years of many scenarios and draws would not fit into memory.
        ends.append(made[["output", "population", *declared]].isel(year=[-1]))
        behind = made["output"].isel(region=np.flatnonzero(start.behind))
        totals = {"budget": made["budget"], "made": made["output"].sum("region"), "behind": behind.sum("region")}
        money.append(xr.Dataset(totals))
    data = xr.concat(ends, dim="scenario")
    names = {item.name: item.baseline_name for item in scenarios}
    # Money per head cannot be added up without population data.
    spent = xr.concat(money, dim="scenario") if "population" in panel else None
    found = effects(data["output"], data["population"], spent, names, start)
    policies = {item.name: item for item in scenarios if item.baseline_name != item.name}
    others = [names[name] for name in policies]
    for key, item in declared.items():
        own, other = (data[key].sel(scenario=rows).to_numpy() for rows in (list(policies), others))
        found[key] = (("scenario", "draw"), item.effect(own, other))
    limits = _limits(data, names, policies, model, panel)
    if declared:
        limits["share_all_parts"] = all_parts_improve(spec.aims, found).mean(axis=1)
    return Ranking(
        effects=found,
        scenarios=policies,
        year=bounds[1],
        limits=limits,
        start=start,
        regional=_by_entity(data, {name: names[name] for name in policies}, panel),
    )


def _by_entity(data: xr.Dataset, baselines: Texts, panel: Data) -> xr.Dataset:
    """Changes by policies in the last year in each region and each class, dimensions (scenario, draw, place).

    Output per head relative to the national mean, in points of that mean, and itself, in per cent.
    """
    groups = [item.group for item in panel.regions]
    classes = [name for name in dict.fromkeys(groups) if name]
    ordered = data.isel(year=-1, drop=True).transpose("scenario", "draw", "region")
    members = np.array([[float(own == name) for name in classes] for own in groups]).reshape(len(groups), -1)
    output, people = (
        np.concatenate([values.to_numpy(), values.to_numpy() @ members], axis=-1)
        for values in (ordered["output"], ordered["population"])
    )
    heads = output / people
    nation = ordered["output"].sum("region") / ordered["population"].sum("region")
    levels = xr.Dataset(
        {
            "own": (("scenario", "draw", "region"), heads),
            "relative": (("scenario", "draw", "region"), heads / nation.to_numpy()[..., None]),
        },
        coords={"scenario": ordered["scenario"], "draw": ordered["draw"], "region": [*panel.codes, *classes]},
    )
    after, before = (levels.sel(scenario=names) for names in (list(baselines), list(baselines.values())))
    return xr.Dataset(
        {
            "relative_change": 100 * (after["relative"] - before["relative"].to_numpy()),
            "own_change": 100 * (after["own"] / before["own"].to_numpy() - 1),
        }
    )


def _limits(data: xr.Dataset, baselines: Texts, policies: Collection[str], model: Model, panel: Data) -> pd.DataFrame:
    """Whether policies satisfy the default constraints of a search, and the region that is most often worse off."""
    names = model.bindings.variables
    ordered = data.transpose("scenario", "draw", "region", "year")
    before, after = (
        {names.output: part["output"].to_numpy(), names.population: part["population"].to_numpy()}
        for part in (ordered.sel(scenario=[baselines[name] for name in policies]), ordered.sel(scenario=list(policies)))
    )
    scalar, watched = regional_outcomes(start_of(panel), names)
    judged = [(scalar | watched)[item.outcome] for item in DEFAULT_CONSTRAINTS]
    changed = {item.key: item.effect(item.value(after), item.value(before))[..., -1] for item in judged}
    tolerance = {"region_change": -TOLERANCE, "leader_change": -TOLERANCE}
    tolerant = [replace(item, at_least=tolerance.get(item.outcome, 0.0)) for item in DEFAULT_CONSTRAINTS]
    rows = []
    for place in range(len(policies)):
        own = {key: values[place] for key, values in changed.items()}
        worse = (own["region_change"] < 0).mean(axis=0)
        row: dict[str, Any] = {f"keeps_{item.outcome}": _is_kept([item], own) for item in DEFAULT_CONSTRAINTS}
        row |= {"keeps_constraints": all(row.values()), "keeps_with_tolerance": _is_kept(tolerant, own)}
        rows.append(row | {"worse_off": panel.codes[int(worse.argmax())], "share_worse_off": float(worse.max())})
    return pd.DataFrame(rows, index=pd.Index(list(policies), name="scenario"))


def _is_kept(constraints: Sequence[Constraint], effects: Arrays) -> bool:
    return bool(margins_of(constraints, effects).min() >= 0)


def select_at(compared: xr.Dataset, place: str, delta: float | None, names: Sequence[str] = ()) -> Selection:
    """The policies that are as good as any for a region or class, or for the nation if `place` is empty.

    Parameters
    ----------
    compared
        As `Ranking.compared` returns it.
    place
        Code of a region or a class.
    delta
        As for `select`.
    names
        Policies that are compared; empty for all.
    """
    keys = ("relative_change", "own_change") if place else (HEADLINE, OWN)
    found = compared[list(keys)].sel({"region": place} if place else {})
    found = found.sel(scenario=list(names)) if names else found
    effects, own = (HUNDREDTH * found[key].transpose("draw", "scenario").to_numpy().astype(float) for key in keys)
    shared: dict[str, Any] = {"walkers": walkers_of(compared), "delta": delta}
    every = [str(name) for name in found["scenario"].to_numpy()]
    return select(every, effects, own=own, digit=REGION_DIGIT if place else DIGIT, **shared)


def scanned(
    model: Model, panel: Data, common: CommonDraws, scenarios: Sequence[Scenario], main: Ranking
) -> dict[Case, xr.DataArray]:
    """Gap closed under other budgets, exponents of need and last years, on a few draws, by case."""
    few = _few(model, common, SCANNED)
    ahead = {name for name, share in main.first.items() if share >= LEAST_FIRST}
    cast = tuple(item for item in scenarios if item.name in ahead or item.name == item.baseline_name)
    start, until = common.inputs.year, main.year
    walkers = walkers_of(main.effects)[: len(few.draws)]

    def closed(draws: CommonDraws, policies: Sequence[Scenario], year: int) -> xr.DataArray:
        if (draws, policies, year) == (few, cast, until):
            return main.effects[HEADLINE]
        found = compare(model, panel, draws, policies, (start, year), is_whole=False).effects[HEADLINE]
        return found.assign_coords(walker=("draw", walkers))

    found: dict[Case, xr.DataArray] = {}
    for setting, levels in (("budget", BUDGETS), ("redistribution", EXPONENTS)):
        for level in levels:
            found[setting, f"{level:g}"] = closed(few, _varied(cast, **{setting: level}), until)
    for year in (*YEARS, until):
        if start < year <= until:
            # In earlier years other policies may rank first, and short runs are cheap.
            found["until", str(year)] = closed(few, cast if year == until else scenarios, year)
    return found


def _few(model: Model, common: CommonDraws, most: int) -> CommonDraws:
    """The first of some draws."""
    return common.only(model, np.arange(min(most, len(common.draws))))


def _depends(model: Model, common: CommonDraws, main: Ranking, fitted: FittedParameters | None) -> Dependence | None:
    """What the effect on the gap depends on, from the draws of the ranking."""
    closed, own = (main.effects[key].transpose("draw", "scenario") for key in (HEADLINE, OWN))
    allocation, is_drawn = main.by_need(), fitted is not None and bool(fitted.draws)
    return dependence(
        [str(name) for name in closed["scenario"].to_numpy()],
        closed.to_numpy(),
        common.parameters,
        {key: item.prior for key, item in model.declarations.parameters.items() if item.prior is not None},
        own=own.to_numpy(),
        need=None if allocation is None else allocation.better,
        densities=fitted.densities(common.parameters) if fitted is not None else None,
        rows=np.column_stack([common.parameters[key] for key in fitted.keys]) if fitted and is_drawn else None,
        walkers=walkers_of(main.effects),
        digit=DIGIT,
        delta=main.delta,
    )


def _further(model: Model, panel: Data, common: CommonDraws, made: Ranking, bounds: tuple[int, int]) -> Ranking:
    """Add whether to learn first, and whether the order of mixes matters."""

    def closed(policies: Sequence[Scenario], kept: Indices) -> xr.DataArray:
        draws, cast = common.only(model, kept), [policies[0].baseline(), *policies]
        return (
            compare(model, panel, draws, cast, bounds, is_whole=False).effects[HEADLINE].transpose("scenario", "draw")
        )

    start, policies = start_of(panel), made.scenarios
    names = model.bindings.variables
    paths = partial(_simulated, model, panel, common, skills=names.skills, heads=names.output_per_head)
    return replace(
        made,
        learning=learned(model.declarations, common, policies, made.effects, closed, paths, start, shock_law(panel).sd),
        order=best_order(policies, made.effects[HEADLINE], closed, made.delta),
    )


def _varied(scenarios: Sequence[Scenario], **settings: Any) -> tuple[Scenario, ...]:
    """Change a setting of all policies that spend money, and drop duplicates."""
    return distinct(
        [
            replace(item, policy=replace(item.policy, **settings)) if item.name != item.baseline_name else item
            for item in scenarios
        ]
    )


def first_shares(values: xr.DataArray) -> pd.Series:
    """Share of draws in which each scenario has the largest value, in descending order; ties count for each."""
    ordered = values.transpose("scenario", "draw").to_numpy()
    shares = pd.Series((ordered == np.fmax.reduce(ordered)).mean(axis=1), values.indexes["scenario"])
    return shares.sort_values(ascending=False, kind="stable")


def first_error(values: xr.DataArray, name: str) -> float:
    """Standard error of the share of draws in which a scenario has the largest value."""
    return share_error((values.sel(scenario=name) == values.max("scenario")).to_numpy(), walkers_of(values))


def start_of(panel: Data) -> Start:
    """Output, population and classes of the regions in the last observed year of a panel."""
    groups = tuple(region.group for region in panel.regions)
    people = panel.array("population")[:, -1] if "population" in panel else np.ones(len(groups))
    named = [dict(region.groupings) for region in panel.regions]
    columns = {name: tuple(item.get(name, "") for item in named) for name in named[0]}
    return Start(
        output=panel.array("output_per_head")[:, -1] * people,
        population=people,
        classes=groups if all(groups) else (),
        groupings={name: own for name, own in columns.items() if len(set(own)) > 1},
    )


def _simulated(
    model: Model,
    panel: Data,
    common: CommonDraws,
    scenarios: Sequence[Scenario],
    bounds: tuple[int, int],
    *,
    declared: Mapping[str, Outcome] = MappingProxyType({}),
    **more: str,
) -> xr.Dataset:
    """Output, population and money, and declared outcomes in the last year."""
    names = model.bindings.variables
    read = {"output": names.output, "population": names.population, "budget": names.policy_money, **more}
    needed = (name for item in declared.values() for name in item.variables)
    changed = scenario_values(scenarios, model, panel.regions, common.values, bounds, step=time_step(model))
    run = simulate(
        model,
        {**common.values, **changed},
        start=bounds[0],
        stop=bounds[1],
        save_every=1,
        outcomes=list(dict.fromkeys([*read.values(), *needed])),
    )
    lead = (len(scenarios), len(common.draws))
    coords = {
        "scenario": [item.name for item in scenarios],
        "draw": list(common.draws),
        "year": np.round(run.years).astype(int),
    }
    dims: dict[str, tuple[str, ...]] = dict.fromkeys(read, ("scenario", "draw", "region", "year"))
    dims["budget"] = ("scenario", "draw", "year")
    # The other series are money, converted to the currency of the panel.
    rates = dict.fromkeys(("population", *more), 1.0)
    arrays = {
        name: (
            dims[name],
            np.broadcast_to(run[variable] / rates.get(name, common.yuan_per_unit), (*lead, *run[variable].shape[2:])),
        )
        for name, variable in read.items()
    }
    last = {name: values[..., -1:] for name, values in run.data.items()}
    for key, item in declared.items():
        arrays[key] = (("scenario", "draw"), np.broadcast_to(item.value(last)[..., 0], lead))
    return xr.Dataset(arrays, coords=coords)


def _quantiles(name: str, values: Array) -> dict[str, float]:
    """Mean, median and 90 % interval of the finite values; NaN if there are none."""
    usable = values[np.isfinite(values)]
    return {f"{name}_mean": float(usable.mean()) if usable.size else np.nan, **band(name, usable)}


@frozen(eq=False)
class Answer:
    """Rankings of policies under several definitions of the observed series."""

    comparisons: Mapping[str, Ranking]
    sought: Ranking | None = None  # policy found by a search if none of those compared satisfies the constraints
    before: Ranking | None = None  # before the fit was reweighted by measured effects, on a few draws
    misses: Mapping[str, Sequence[Values]] = field(default_factory=dict)

    @property
    def main(self) -> Ranking:
        """The ranking under the first definition."""
        return next(iter(self.comparisons.values()))

    @property
    def by_need(self) -> Allocation | None:
        """Money by need against money per head, under the definition in which it does worst."""
        found = [item.by_need() for item in self.comparisons.values()]
        return min((item for item in found if item is not None), key=lambda item: item.share, default=None)


def answer(  # noqa: PLR0913 - public entry point
    model: Model,
    panel: Data,
    scenarios: Sequence[Scenario],
    fits: Mapping[str, FittedParameters | None],
    baseline: Baseline | None,
    *,
    bounds: tuple[int, int],
    delta: float | None = None,
    before: FittedParameters | None = None,
    seek: Callable[[], Scenario] | None = None,
    progress: ProgressCallback = None,
    **settings: Any,
) -> Answer:
    """Rank policies under each definition of the observed series, with the fit to each of them in `fits`.

    Policies whose mean effects differ by `delta` are as good; see `select`. Where no policy keeps the constraints of a
    search, `seek` finds another. With the fit `before` it was weighed by
    measured effects, if there is one, they are ranked on a few draws as well. `settings` are those of `common_draws`.
    """
    settings = {**settings, "bounds": bounds}
    found: dict[str, Ranking] = {}
    sought = None
    for done, (name, fitted) in enumerate(fits.items()):
        callback_of(progress)(Message("policies, {name}", name=name) if name else Message("policies"), done, len(fits))
        common = common_draws(model, panel, fitted, baseline, **settings)
        made = replace(compare(model, panel, common, scenarios, bounds), delta=delta)
        is_single = len(common.draws) < 2
        if fitted is not None and fitted.draws and not is_single:
            walkers = fitted.walkers(common.parameters)
            made = replace(
                made,
                effects=made.effects.assign_coords(walker=("draw", walkers)),
                regional=made.regional.assign_coords(walker=("draw", walkers)),
            )
        if not found and not is_single:
            cases = scanned(model, panel, common, scenarios, made)
            made = replace(made, cases=cases, depends=_depends(model, common, made, fitted))
            if seek is not None and not made.limits["keeps_constraints"].any():
                more = seek()
                sought = compare(model, panel, common, [more.baseline(), more], bounds)
        if fitted is not None and fitted.bound_of(model.bindings.parameters.trend_growth):
            made = replace(made, effects=made.effects.drop_vars(PRESENT_VALUES, errors="ignore"))
        is_long = bounds[1] > bounds[0] + 1 + max(WAIT, CHANGE)
        if not found and is_long and len(common.draws) >= LEAST_SPLIT and len(made.scenarios) > 1:
            made = _further(model, panel, common, made, bounds)
        found[name] = made
    misses = {name: item.provenance.get("misses", ()) for name, item in fits.items() if item is not None}
    unweighed = None
    if before is not None:
        few = {**settings, "draws": min(SCANNED, settings.get("draws", SCANNED))}
        drawn = common_draws(model, panel, before, baseline, **few)
        unweighed = compare(model, panel, drawn, scenarios, bounds, is_whole=False)
    return Answer(comparisons=found, sought=sought, before=unweighed, misses=misses)
