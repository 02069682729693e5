"""Numbers of a brief: levels over time, effects of policy mixes, gains and losses, and influential parameters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput, Message, UnknownName, suggest
from pysd_runner.data import Entity
from pysd_runner.reports.evidence import declarations_of
from pysd_runner.reports.headline import amount, currency_of, label_of
from pysd_runner.reports.panels import Area
from pysd_runner.study.future import Future
from pysd_runner.text import LANGUAGES, say

if TYPE_CHECKING:
    from pysd_runner.plots import ReportFigure
    from pysd_runner.plots.mixes import Money

Array = NDArray[np.float64]

# Years shown in the table, as far as they are projected; the last year is always shown.
YEARS = (2030, 2035, 2040)
# Minimum fall, in per cent, that counts as a loss.
LEAST_CHANGE = 0.05
ENDS = (0.05, 0.5, 0.95)


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A median and, where there are several draws, its 90 % interval."""

    middle: float
    low: float | None = None
    high: float | None = None


def told(values: Array) -> Told:
    """Median and interval of draws."""
    low, middle, high = np.quantile(values, ENDS)
    return (
        Told(middle=float(middle)) if values.size < 2 else Told(middle=float(middle), low=float(low), high=float(high))
    )


@dataclass(frozen=True, kw_only=True, slots=True)
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

    def level(self, scenario: str, year: int) -> Told:
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
        f"long_name_{lang}": say(f"brief.measure_{place.kind}", lang, name=place.names[lang]) for lang in LANGUAGES
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


def chart_of(projection: Future, place: Area, mixes: Sequence[str], *, lang: str) -> "ReportFigure":
    """Draw all mixes over time for a region, class or the nation, with the effect of each below."""
    from pysd_runner.plots.mixes import plot_mixes

    paths = paths_of(projection, place, mixes)
    return plot_mixes(
        paths.levels,
        paths.history,
        baselines=paths.baselines,
        origin=projection.origin,
        titles={
            **{name: say(f"brief.chart_{paths.measure}", name, name=place.names[name]) for name in LANGUAGES},
            "code": say(f"brief.chart_{paths.measure}", "en", name=place.code),
        },
        changed=paths.changed,
        lang=lang,
    )


def bars_of(projection: Future, place: Area, mixes: Sequence[str], *, lang: str) -> "ReportFigure | None":
    """Draw spending by lever under each mix; None if the results lack the data."""
    from pysd_runner.plots.mixes import plot_money
    from pysd_runner.plots.style import can_draw, usable_language

    found = money_by_lever(projection, place, mixes)
    if found is None:
        return None
    drawn = usable_language(lang)
    name = place.names[drawn] if can_draw(place.names[drawn]) else place.code
    return plot_money(
        _money(projection, found, place.names[lang], lang),
        _money(projection, found, name, drawn),
    )


def _money(projection: Future, found: xr.DataArray, name: str, lang: str) -> "Money":
    """Spending by lever and mix, labelled in one language."""
    import pandas as pd

    from pysd_runner.plots.mixes import Money

    levers = {item.element: getattr(item, lang) for item in declarations_of(projection).levers.values()}
    currency, mixes = currency_of(projection, lang), [str(mix) for mix in found["scenario"].to_numpy()]
    rows = [
        {
            "scenario": mix,
            "mix": label_of(projection, None, mix, lang),
            "lever": levers.get(str(lever), str(lever)),
            "total": total,
            "head": head,
        }
        for mix, values in zip(mixes, found.to_numpy(), strict=True)
        for lever, (total, head) in zip(found["lever"].to_numpy(), values.tolist(), strict=True)
    ]
    sums = found.isel(measure=0).sum("lever").to_numpy()
    first, last = projection.origin + 1, int(projection.data["year"][-1])
    return Money(
        spent=pd.DataFrame(rows),
        totals={mix: amount(float(total), currency, lang) for mix, total in zip(mixes, sums, strict=True)},
        title=say("brief.money", lang, name=name),
        unit=say("brief.per_head", lang, money=currency, first=first, last=last),
        lang=lang,
    )


def check_scenarios(projection: Future, names: Sequence[str]) -> None:
    """Raise if a projection does not contain one of the scenarios."""
    known = projection.scenarios
    for name in names:
        if name not in known:
            raise UnknownName(
                "the results hold no scenario {name!r}; they hold {known}.{suggestion}",
                name=name,
                known=", ".join(known),
                suggestion=suggest(name, known),
            )


def regions_of(projection: Future) -> list[Entity]:
    """The regions of a projection."""
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


def members(projection: Future, place: Area) -> NDArray[np.bool_]:
    """Mask of the regions in a class, of one region or of all, shape (region,)."""
    codes, groups = (projection.data[name].to_numpy() for name in ("region", "group"))
    if place.kind == "nation":
        return np.ones(len(codes), dtype=np.bool_)
    return np.asarray(codes == place.code if place.kind == "region" else groups == place.code)


def money_by_lever(projection: Future, place: Area, mixes: Sequence[str]) -> xr.DataArray | None:
    """Annual spending, total and per head, mean over draws and years; dimensions (scenario, lever, measure)."""
    data = projection.data
    if "lever_budget" not in data or "population" not in data or not mixes:
        return None
    inside = np.flatnonzero(members(projection, place))
    spent = data["lever_budget"].sel(scenario=list(mixes)).isel(region=inside, year=slice(1, None))
    people = data["population"].sel(scenario=list(mixes)).isel(region=inside, year=slice(1, None))
    total = spent.sum("region")
    heads = total / people.sum("region").mean("draw")
    both = xr.concat([total.mean("year"), heads.mean("year")], "measure", coords="minimal", compat="override")
    return both.transpose("scenario", "lever", "measure")


@dataclass(frozen=True, kw_only=True, slots=True)
class Around:
    """Effect of a mix on output per head in the last year, in per cent of the path without policy."""

    own: Told
    rank: int
    regions: Array


def around(projection: Future, place: Area, mix: str) -> Around:
    """Effect of a mix on output per head in the described area and in every region."""
    data = projection.data.isel(year=-1)
    pair = [mix, projection.baselines[mix]]
    heads = data["output_per_head"].sel(scenario=pair).transpose("scenario", "draw", "region").to_numpy()
    change = 100 * (heads[0] / heads[1] - 1)
    medians = np.median(change, axis=0)
    inside = members(projection, place)
    if place.kind == "region":
        (position,) = np.flatnonzero(inside)
        rank = 1 + int((medians > medians[position]).sum())
        return Around(own=told(change[:, position]), rank=rank, regions=medians)
    people = data["population"].sel(scenario=pair).transpose("scenario", "draw", "region").to_numpy()
    mean = (heads * people)[..., inside].sum(axis=-1) / people[..., inside].sum(axis=-1)
    return Around(own=told(100 * (mean[0] / mean[1] - 1)), rank=0, regions=medians)


# Minimum number of draws: with fewer, each third has too few to compare.
LEAST_DRAWS = 60
# Maximum number of causes reported, and probability of finding any by chance (Bonferroni).
MOST_CAUSES, CHANCE = 3, 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """A parameter on which a result depends, and how often the result holds in its lowest and highest third."""

    parameter: str
    low: float
    high: float


def causes(parameters: xr.DataArray, holds: NDArray[np.bool_]) -> list[Cause]:
    """Parameters between whose lowest and highest thirds the frequency of a result differs significantly."""
    from scipy.stats import norm

    values = parameters.transpose("parameter", "draw").to_numpy()
    varied = np.flatnonzero(np.ptp(values, axis=1) > 0)
    if holds.size < LEAST_DRAWS or not varied.size or holds.all() or not holds.any():
        return []
    limit = float(norm.isf(CHANCE / 2 / varied.size))
    found = []
    for place in varied:
        low, high = np.quantile(values[place], (1 / 3, 2 / 3))
        below, above = holds[values[place] <= low], holds[values[place] >= high]
        pooled = np.concatenate([below, above]).mean()
        error = np.sqrt(pooled * (1 - pooled) * (1 / below.size + 1 / above.size))
        gap = float(above.mean() - below.mean())
        if abs(gap) > limit * error:
            name = str(parameters["parameter"].to_numpy()[place])
            found.append(Cause(parameter=name, low=float(below.mean()), high=float(above.mean())))
    return sorted(found, key=lambda item: -abs(item.high - item.low))[:MOST_CAUSES]
