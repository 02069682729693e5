"""Numbers of a brief, and the sentences with its recommendation and the reasons."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from pysd_runner.core.errors import InvalidInput, Message, UnknownName
from pysd_runner.core.numbers import percent, written
from pysd_runner.core.types import Array, Flags, Texts, frozen
from pysd_runner.data import Entity
from pysd_runner.indicators.selection import Selection, select
from pysd_runner.policy.ranking import DIGIT, REGION_DIGIT, select_at
from pysd_runner.reports.evidence import CHANCE, LEAST_DRAWS, Cause, alike, causes, declarations_of, foreign_costs
from pysd_runner.reports.headline import (
    MIN_DRAWS,
    amount,
    any_of,
    below_mean,
    currency_of,
    failed_checks,
    is_assumed,
    joined,
    label_of,
    near,
    odds,
    rests_on,
)
from pysd_runner.reports.panels import Area, find_place
from pysd_runner.scenarios.vocabulary import whom
from pysd_runner.study.future import Future
from pysd_runner.text import LANGUAGES, has_text, translate

if TYPE_CHECKING:
    from pysd_runner.plots import ReportFigure

# Years shown in the table, as far as they are projected; the last year is always shown.
YEARS = (2030, 2035, 2040)
# Minimum fall, in per cent, that counts as a loss.
LEAST_CHANGE = 0.05
ENDS = (0.05, 0.5, 0.95)
# Number of causes and of levers named in the answer.
_NAMED = 2
# Largest relative difference of amounts that are called the same; the least effect, told with one digit.
_SAME, _TOLD = 0.05, 0.1
# Share of draws p such that below p or above 1 - p it is clear whether a mix helps.
_CLEAR = 0.05
# Width of the chart on paper, and on the screen of a telephone, in inches.
WIDE, NARROW = 7.2, 4.4


@frozen
class Estimate:
    """A median and, where there are several draws, its 90 % interval."""

    middle: float
    low: float | None = None
    high: float | None = None


def told(values: Array) -> Estimate:
    """Median and interval of draws, as text."""
    low, middle, high = np.quantile(values, ENDS)
    return (
        Estimate(middle=float(middle))
        if values.size < 2
        else Estimate(middle=float(middle), low=float(low), high=float(high))
    )


@frozen
class Paths:
    """Paths over time of the quantity that a brief describes."""

    measure: str
    levels: xr.DataArray
    changed: xr.DataArray
    history: xr.DataArray | None
    mixes: tuple[str, ...]
    baselines: dict[str, str]
    ground: str

    @property
    def draws(self) -> int:
        """Number of draws."""
        return int(self.levels.sizes["draw"])

    @property
    def better(self) -> int:
        """1 if higher is better, −1 if lower is better."""
        return 1 if self.measure == "relative" else -1

    @property
    def years(self) -> tuple[int, ...]:
        """Years of the table."""
        known = [int(year) for year in self.levels["year"].to_numpy()[1:]]
        return tuple(sorted({*(year for year in YEARS if year in known), known[-1]}))

    def level(self, scenario: str, year: int) -> Estimate:
        """Level in a year, in per cent."""
        return told(100 * _at(self.levels, scenario, year))

    def changes(self, mix: str, year: int) -> Array:
        """Improvement under a mix, paired by draw, in percentage points; for the nation in log points x100."""
        after, before = (_at(self.changed, name, year) for name in (mix, self.baselines[mix]))
        return self.better * (1 if self.measure == "laggards" else 100) * (after - before)


def _at(values: xr.DataArray, scenario: str, year: int) -> Array:
    return np.asarray(values.sel(scenario=scenario, year=year).to_numpy(), dtype=np.float64)


def paths_of(projection: Future, place: Area, mixes: Sequence[str]) -> Paths:
    """Paths of a region, class or the nation under the compared scenarios."""
    data, history = projection.data, projection.history
    if not data.sizes["draw"]:
        raise InvalidInput("the results hold no draw; run the scenarios again")
    measure, values, past = _measured(data, history, place)
    baselines = {name: projection.baselines[name] for name in mixes}
    ground = next(iter(baselines.values()), projection.scenarios[0])
    attrs = {"units": "Dmnl", "includes": str(values.attrs.get("includes", "parameters"))}
    attrs |= {
        f"long_name_{lang}": translate(f"brief.measure_{place.kind}", lang, name=place.names[lang])
        for lang in LANGUAGES
    }
    levels = values.transpose("scenario", "draw", "year").assign_attrs(attrs).rename(f"brief_{measure}")
    return Paths(
        measure=measure,
        levels=levels,
        changed=_bare(data["laggard_gap"]).transpose(*levels.dims) if measure == "laggards" else levels,
        history=past,
        mixes=tuple(mixes),
        baselines=baselines,
        ground=ground,
    )


def chart_of(
    projection: Future, place: Area, mixes: Sequence[str], *, lang: str, width: float = WIDE
) -> "ReportFigure":
    """Draw what all mixes change over time for a region, class or the nation."""
    from pysd_runner.plots.mixes import plot_mixes

    paths = paths_of(projection, place, mixes)
    return plot_mixes(
        paths.levels,
        paths.history,
        baselines=paths.baselines,
        origin=projection.origin,
        titles={
            **{name: translate(f"brief.chart_{paths.measure}", name, name=place.names[name]) for name in LANGUAGES},
            "code": translate(f"brief.chart_{paths.measure}", "en", name=place.code),
        },
        changed=paths.changed,
        lang=lang,
        width=width,
    )


def check_scenarios(projection: Future, names: Sequence[str]) -> None:
    """Raise if a projection does not contain one of the scenarios."""
    known = projection.scenarios
    for name in names:
        if name not in known:
            raise UnknownName(
                "the results hold no scenario {name!r}; they hold {known}.{suggestion}", name=name, among=known
            )


def place_of(projection: Future, name: str, lang: str = "") -> Area:
    """The region, class or nation of a name; without a name the nation, or the model where there are no regions."""
    if not name and "region" not in projection.data.coords:
        return Area(kind="model", code="", names=dict.fromkeys(LANGUAGES, projection.model))
    return find_place(name or "nation", regions_of(projection), lang)


def regions_of(projection: Future) -> list[Entity]:
    """The regions of a projection; raise if it has none."""
    if "region" not in projection.data.coords:
        raise InvalidInput(
            "the results of {model} have no regions: no region can be named, and no brief be made of them; "
            "their summary says what they show",
            model=projection.model,
        )
    columns = [projection.data[name].to_numpy() for name in ("region", "name_en", "name_zh", "group")]
    return [
        Entity(code=str(code), name_en=str(english), name_zh=str(chinese), group=str(group))
        for code, english, chinese, group in zip(*columns, strict=True)
    ]


def _measured(data: xr.Dataset, history: xr.Dataset, place: Area) -> tuple[str, xr.DataArray, xr.DataArray | None]:
    if place.kind == "region":
        name = "relative_output" if "relative_output" in data else "gap_to_leader"
        past = _bare(history[name].sel(region=place.code)) if name in history else None
        return ("relative" if name == "relative_output" else "leader"), _bare(data[name].sel(region=place.code)), past
    needed = "class_relative_output" if place.kind == "class" else "laggard_gap"
    if needed not in data:
        raise InvalidInput(
            "the results cannot tell of {name}: that needs the population of every region{more}",
            name=place.names["en"],
            more=Message(", and one below the mean") if place.kind == "nation" else "",
        )
    if place.kind == "nation":
        past = _shares_below(_bare(history[needed])) if needed in history else None
        return "laggards", _shares_below(_bare(data[needed])), past
    own = {"class": place.code}
    past = _bare(history[needed].sel(own)) if needed in history else None
    return "relative", _bare(data[needed].sel(own)), past


def _shares_below(gaps: xr.DataArray) -> xr.DataArray:
    """Convert gaps in log points x100 to relative shortfalls."""
    return gaps.copy(data=-np.expm1(-gaps.to_numpy() / 100))


def _bare(values: xr.DataArray) -> xr.DataArray:
    kept = {"scenario", "draw", "year", "label_en", "label_zh"}
    return values.drop_vars([name for name in values.coords if name not in kept])


def members(projection: Future, place: Area) -> Flags:
    """Mask of the regions in a class, of one region or of all, shape (region,)."""
    codes, groups = (projection.data[name].to_numpy() for name in ("region", "group"))
    if place.kind == "nation":
        return np.ones(len(codes), dtype=np.bool_)
    return np.asarray(codes == place.code if place.kind == "region" else groups == place.code)


def money_by_lever(projection: Future, place: Area, mixes: Sequence[str]) -> xr.DataArray | None:
    """Spending in the first year after the last observed one; dimensions (scenario, lever, measure: total, a head)."""
    data = projection.data
    if "lever_budget" not in data or "population" not in data or not mixes:
        return None
    inside = np.flatnonzero(members(projection, place))
    first = data[["lever_budget", "population"]].sel(scenario=list(mixes)).isel(region=inside, year=1).sum("region")
    heads = first["lever_budget"] / first["population"].mean("draw")
    both = xr.concat([first["lever_budget"], heads], "measure", coords="minimal", compat="override")
    return both.transpose("scenario", "lever", "measure")


@frozen
class Around:
    """Effect of a mix on output per head in the last year, in per cent of the path without policy."""

    own: Estimate
    rank: int
    regions: Array


def around(projection: Future, place: Area, mix: str) -> Around:
    """Effect of a mix on output per head in the described area and in every region."""
    every = np.eye(projection.data.sizes["region"], dtype=np.bool_)
    medians = np.array([np.median(head_changes(projection, inside, mix)) for inside in every])
    inside = members(projection, place)
    rank = 1 + int((medians > medians[inside].max()).sum()) if place.kind == "region" else 0
    return Around(own=told(head_changes(projection, inside, mix)), rank=rank, regions=medians)


def head_changes(projection: Future, inside: Flags, mix: str) -> Array:
    """Change of mean output per head of some regions by a mix in the last year, by draw, in per cent."""
    data = projection.data.isel(year=-1, region=np.flatnonzero(inside))
    people = data["population"] if "population" in data else xr.ones_like(data["output_per_head"])
    means = (data["output_per_head"] * people).sum("region") / people.sum("region")
    after, before = (means.sel(scenario=name).to_numpy() for name in (mix, projection.baselines[mix]))
    return np.asarray(100 * (after / before - 1))


def standing(projection: Future, place: Area, less: Array) -> tuple[str, Array, float] | None:
    """The observed series most correlated with a difference between two mixes, if it explains that of the region.

    Given the difference, shape (region,), returns the name of the series, its last values, shape (region,), and the
    rank correlation.
    """
    from scipy.stats import spearmanr

    data = projection.history.sel(region=projection.data["region"])
    known = [str(name) for name in data if data[name].dims == ("region", "year") and has_text(f"series.{name}")]
    (at,) = np.flatnonzero(members(projection, place))
    found = []
    for name in known:
        last = pd.DataFrame(data[name].to_numpy().T).ffill().iloc[-1].to_numpy()
        rho, chance = spearmanr(last, less, nan_policy="omit")
        # Bonferroni correction over the series; with few regions, none is significant.
        if name != "population" and chance < CHANCE / len(known) and rho * (last[at] - np.nanmedian(last)) < 0:
            found.append((name, last, float(rho)))
    return max(found, key=lambda item: abs(item[2]), default=None)


def compared_at(projection: Future, place: Area, paths: Paths, mixes: Sequence[str] = ()) -> Selection:
    """How good the mixes are for a place: of `mixes`, or else all that were ranked; without these, those of `paths`."""
    ranked = projection.compared
    if ranked is not None and paths.measure != "leader" and set(mixes) <= set(ranked["scenario"].to_numpy()):
        return select_at(ranked, place.code if place.kind != "nation" else "", projection.delta, mixes)
    last, names = int(projection.data["year"][-1]), list(paths.mixes)
    effects = np.stack([paths.changes(mix, last) for mix in names], axis=1)
    inside = below_mean(projection) if place.kind == "nation" else members(projection, place)
    own = np.stack([head_changes(projection, inside, mix) for mix in names], axis=1)
    return select(
        names, effects, own=own, delta=projection.delta, digit=DIGIT if place.kind == "nation" else REGION_DIGIT
    )


class Sentences:
    """The sentences of a brief with its recommendation and the reasons."""

    def __init__(self, projection: Future, place: Area, paths: Paths, lang: str, mixes: Sequence[str] = ()) -> None:
        self.projection, self.place, self.paths, self.lang = projection, place, paths, lang
        self.name = place.names[lang]
        self.last = int(projection.data["year"][-1])
        self.changes = {mix: paths.changes(mix, self.last) for mix in paths.mixes}
        self.order = sorted(self.changes, key=lambda mix: -float(self.changes[mix].mean()))
        self.rated = compared_at(projection, place, paths, mixes) if self.order else None
        self.money = money_by_lever(projection, place, self.order)
        self.nation = find_place("nation", regions_of(projection))

    def say(self, key: str, **values: object) -> str:
        """Text of a key in the language of the page."""
        return translate(key, self.lang, **values)

    def label(self, scenario: str) -> str:
        """Printed name of a scenario."""
        return label_of(self.projection, None, scenario, self.lang)

    def answer(self) -> Iterator[str]:
        """The outlook without policy, the recommendation and how certain it is, with a caution if needed."""
        if self.place.kind == "nation" and "answer" in self.projection.provenance:
            yield from self.projection.provenance["answer"][self.lang]
            return
        yield from failed_checks(self.projection, self.lang)
        yield self.going()
        if self.order:
            yield self.advice()
            yield self.doubt()
        yield from filter(None, [foreign_costs(self.projection, self.lang)])
        yield from alike(self.projection, self.lang)

    def going(self) -> str:
        """Sentence on the outlook without policy."""
        paths = self.paths
        start, end = (100 * paths.levels.sel(scenario=paths.ground).isel(year=at).to_numpy() for at in (0, -1))
        basis = "forecast" if self.projection.provenance.get("baseline") else "model"
        improved = odds(float((paths.better * (end - start) > 0).mean()), self.lang)
        return self.say(
            f"brief.going_{paths.measure}",
            basis=self.say(f"answer.basis_{'assumed' if is_assumed(self.projection, paths.ground) else basis}"),
            name=self.name,
            origin=self.projection.origin,
            year=self.last,
            before=written(float(np.median(start))),
            after=written(float(np.median(end))),
            chance=self.say(f"brief.chance_{paths.measure}", odds=improved) if paths.draws >= MIN_DRAWS else "",
        )

    @property
    def found(self) -> Selection:
        """How good the mixes are here, where there are some."""
        assert self.rated is not None  # noqa: S101
        return self.rated

    def advice(self) -> str:
        """Sentence on the mixes to choose here, with their spending and effect."""
        rows = self.found.table.loc[list(self.found.members or (self.found.leading,)), "mean"]
        # What is chosen raises output; what changes it where nothing helps may lower it.
        ends = (rows.abs() if self.found.members else rows).agg(["min", "max"])
        low, high = (written(size, 1 if abs(size) >= _TOLD else 2) for size in ends)
        name, count = self.say("brief.these") if self.paths.measure == "laggards" else self.name, len(self.found.table)
        many = "one" if count == 1 else "any" if len(rows) > 1 else "two" if count == 2 else "many"
        words = {
            "name": name,
            "policy": self.label(self.found.leading),
            "money": self.first_year(self.found.leading),
            "count": count,
        }
        words["policies"] = any_of(self.projection, None, list(rows.index), self.lang)
        worse = "worst" if not self.found.members else "best"
        return self.say(
            f"brief.{worse}_{self.paths.measure}",
            **words,
            most=self.say(f"brief.most_{many}", **words),
            size=low if low == high else self.say("answer.between", low=low, high=high),
        )

    def first_year(self, mix: str) -> str:
        """Clause on the spending of a mix in its first year: how much, for whom and for what."""
        if self.money is None or mix not in self.order or not float(self.money.sel(scenario=mix).sum()):
            return ""
        total = self.money.sel(scenario=mix).isel(measure=0)
        order = [str(lever) for lever in total["lever"].to_numpy()[np.argsort(-total.to_numpy(), kind="stable")]]
        names = [self.levers[lever] for lever in order[:_NAMED] if total.sel(lever=lever) > 0]
        told = self.say("brief.and").join(name.lower() if name.isalpha() and name.istitle() else name for name in names)
        policy = next(item for item in self.projection.provenance["scenarios"] if item["name"] == mix)["policy"]
        money = amount(float(total.sum()), currency_of(self.projection, self.lang), self.lang)
        return self.say(
            "brief.first_year", money=money, whom=whom(policy.get("redistribution"), self.lang), levers=told
        )

    @property
    def levers(self) -> Texts:
        """Printed names of the levers."""
        return {item.element: getattr(item, self.lang) for item in declarations_of(self.projection).levers.values()}

    def doubt(self) -> str:
        """Sentence on how certain the recommendation is, and on what would change it."""
        if self.paths.draws < MIN_DRAWS:
            return joined([self.say("answer.few"), rests_on(self.projection, self.lang)], self.lang)
        members = list(self.found.members or (self.found.leading,))
        helps = odds(float(self.found.table.loc[members, "positive"].min()), self.lang)
        is_near = near(self.found, self.lang) if len(self.found.table) > 1 else ""
        clauses = [self.say("brief.doubt", odds=helps) + is_near, *self.turns(), rests_on(self.projection, self.lang)]
        return joined(clauses, self.lang)

    def turns(self) -> Iterator[str]:
        """Clause on the parameters on which the recommendation depends."""
        spec, what = declarations_of(self.projection).parameters, self.doubtful[0]
        what = self.say(f"{what}_what")
        keys = [item.parameter for item in self.causes[:_NAMED]]
        named = [self.say("brief.quoted", text=getattr(spec[key], self.lang)) for key in keys]
        if named:
            yield self.say("brief.doubt_turns", what=what, causes=self.say("brief.and").join(named))
        elif self.paths.draws < LEAST_DRAWS:
            yield self.say("brief.doubt_few")

    @property
    def doubtful(self) -> tuple[str, Flags]:
        """The uncertain result, by draw: whether the best mix helps or, if that is clear, whether none does more."""
        effects = self.found.effects
        own = effects[:, list(self.found.table.index).index(self.found.leading)]
        helps, lost = own > 0, effects.max(axis=1) - own
        if len(self.found.table) > 1 and not _CLEAR < helps.mean() < 1 - _CLEAR:
            return "brief.first", lost <= self.found.delta
        return "brief.helps", helps

    @property
    def causes(self) -> list[Cause]:
        """The parameters on which the uncertain result depends; empty if they are not known."""
        parameters = self.projection.parameters
        return [] if parameters is None else causes(parameters, self.doubtful[1])

    @cached_property
    def national(self) -> Selection:
        """How good the mixes are for the nation."""
        paths = paths_of(self.projection, self.nation, self.order)
        return compared_at(self.projection, self.nation, paths, list(self.found.table.index))

    def recommended(self) -> Iterator[str]:
        """Sentences on why another mix is to be chosen in the nation."""
        if self.paths.measure != "relative" or "laggard_gap" not in self.projection.data:
            return
        national, here = self.national.members, self.found.members
        if national and here and set(national).isdisjoint(here):
            pair = [next((mix for mix in names if mix in self.order), "") for names in (national, here)]
            yield from self.reasons(*pair) if all(pair) else ()
        elif len(self.found.table) > 1 and here:
            yield self.say("brief.reason_same")

    def reasons(self, national: str, best: str) -> Iterator[str]:
        """Why the mix that is best in the nation is not best here."""
        pair = (national, best)
        here, all_ = ([around(self.projection, place, mix) for mix in pair] for place in (self.place, self.nation))
        words = {"nation": self.label(national), "best": self.label(best), "name": self.name}
        effects = {
            f"{key}_{which}": written(item.own.middle, 1, signed=True)
            for key, items in (("own", here), ("mean", all_))
            for which, item in zip(("nation", "best"), items, strict=True)
        }
        yield self.say("brief.reason", **words, **effects, money=self.heads(pair, words))
        less = here[0].regions - here[1].regions
        found = standing(self.projection, self.place, less) if self.place.kind == "region" else None
        if found is not None:
            name, last, correlation = found
            own = float(last[members(self.projection, self.place)][0])
            is_share = self.projection.history[name].attrs.get("units") == "Dmnl"
            value, typical = (
                self.say("brief.share", value=percent(each, 1)) if is_share else written(each, 1)
                for each in (own, float(np.nanmedian(last)))
            )
            yield self.say(
                "brief.reason_standing" if correlation < 0 else "brief.reason_standing_low",
                **words,
                series=self.say(f"series.{name}"),
                value=value,
                typical=typical,
                rank=1 + int((last > own).sum()),
                count=len(last),
                correlation=written(correlation, 2),
            )

    def heads(self, pair: tuple[str, str], words: dict[str, str]) -> str:
        """Whether a difference between two mixes can be due to more or less spending per head."""
        every = money_by_lever(self.projection, self.nation, pair)
        if self.money is None or every is None:
            return ""
        first, second = (float(self.money.sel(scenario=mix).isel(measure=1).sum()) for mix in pair)
        mean = float(every.sel(scenario=pair[0]).isel(measure=1).sum())
        told = {"first": written(first), "second": written(second), "share": percent(first / mean)}
        key = "same" if abs(first - second) <= _SAME * second else "other"
        return self.say(f"brief.money_{key}", **words, **told, money=currency_of(self.projection, self.lang))
