"""What a policy changes in one year against no policy, draw by draw: gaps, output, cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput
from pysd_runner.indicators import gap_to_leader, theil, theil_decomposition
from pysd_runner.indicators.relative import Measure, laggards, mean_log_gap, split_change

Array = NDArray[np.float64]

# Yearly rate at which money of later years counts less.
DISCOUNT = 0.03

# Effects that discount money, which grows with national output.
PRESENT_VALUES = ("present_cost", "cost_per_point")

# By which policies are ranked.
HEADLINE = "gap_closed"

# Key, unit, and factor from the indicator's own unit; closed is positive.
SPLIT = {
    "gap_closed": ("log points x100", 100.0),
    "theil_between_closed": ("index x1000", 1000.0),
}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Start:
    """The last observed year, from which it is known who is behind and who leads."""

    output: Array
    population: Array
    classes: tuple[str, ...] = ()

    @property
    def behind(self) -> NDArray[np.bool_]:
        """Regions below the mean of the nation, shape (region,)."""
        return laggards(self.output, self.population)

    @property
    def leader(self) -> int:
        """Position of the region with the highest output per head."""
        return int(np.argmax(self.output / self.population))


def effects(
    output: xr.DataArray,
    population: xr.DataArray,
    budget: xr.DataArray | None,
    baselines: Mapping[str, str],
    start: Start,
) -> xr.Dataset:
    """Compare every policy with its baseline in the last year."""
    policies = [name for name, other in baselines.items() if other != name]
    if not policies:
        raise InvalidInput("no policy was run, so there is nothing to compare")
    others = [baselines[name] for name in policies]
    final = [_last(values, names) for names in (policies, others) for values in (output, population)]
    after, before = (final[0], final[1]), (final[2], final[3])
    found = _closed(before, after, start)
    found["output_change"] = 100 * (after[0].sum(-1) / before[0].sum(-1) - 1)
    if budget is not None:
        money = budget.sel(scenario=policies)
        cost = _present(money)
        yearly = money.isel(year=-1).transpose("scenario", "draw").to_numpy()
        with np.errstate(divide="ignore", invalid="ignore"):
            found["benefit_cost_ratio"] = (after[0].sum(-1) - before[0].sum(-1)) / yearly
        found["present_cost"] = np.broadcast_to(cost, found["output_change"].shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            closed = found["gap_closed"]
            found["cost_per_point"] = np.where(closed > 0, found["present_cost"] / closed, np.nan)
    coords = {"scenario": policies, "draw": output["draw"].to_numpy()}
    return xr.Dataset({name: (("scenario", "draw"), values) for name, values in found.items()}, coords=coords)


def _last(values: xr.DataArray, names: Sequence[str]) -> Array:
    return np.asarray(
        values.sel(scenario=list(names)).isel(year=-1).transpose("scenario", "draw", "region").to_numpy(), dtype=float
    )


def _closed(before: tuple[Array, Array], after: tuple[Array, Array], start: Start) -> dict[str, Array]:
    """Gaps that are closed, regions last."""
    found: dict[str, Array] = {}
    measures = _measures(start)
    for name, measure in measures.items():
        factor = SPLIT[name][1]
        gain, loss = split_change(measure, before, after, start.behind)
        # Adding zero makes no minus of a zero.
        found[name] = -factor * (gain + loss) + 0.0
        found[f"{name}_by_laggards"] = -factor * gain + 0.0
        found[f"{name}_by_leaders"] = -factor * loss + 0.0
    if "gap_closed" in found:
        found["gap_closed_share"] = found["gap_closed"] / measures["gap_closed"](*before)
    found["theil_closed"] = 1000 * (theil(*before, axis=-1) - theil(*after, axis=-1))
    heads = [made / people for made, people in (before, after)]
    nation = [made.sum(-1) / people.sum(-1) for made, people in (before, after)]
    ahead = [nations / head.max(-1) for nations, head in zip(nation, heads, strict=True)]
    first = [nations / head[..., start.leader] for nations, head in zip(nation, heads, strict=True)]
    found["leader_gap_closed"] = 100 * (ahead[1] - ahead[0])
    found["first_leader_gap_closed"] = 100 * (first[1] - first[0])
    for name, closed in _by_class(before, after, start.classes).items():
        found[f"class_gap_closed:{name}"] = closed
    return found


def _measures(start: Start) -> dict[str, Measure]:
    """Headline indicators that can be computed for these regions."""
    measures: dict[str, Measure] = {}
    if start.behind.any():
        measures["gap_closed"] = lambda made, people: mean_log_gap(made, people, start.behind, axis=-1)
    if len(set(start.classes)) > 1:
        measures["theil_between_closed"] = lambda made, people: (
            theil_decomposition(made, people, start.classes, axis=-1).between
        )
    return measures


def _by_class(before: tuple[Array, Array], after: tuple[Array, Array], classes: tuple[str, ...]) -> dict[str, Array]:
    """Gap of each class to the leading one that is closed, percentage points."""
    names = tuple(dict.fromkeys(classes))
    if len(names) < 2:
        return {}
    members = [np.array([own == name for own in classes]) for name in names]
    gaps = []
    for made, people in (before, after):
        heads = np.stack([made[..., own].sum(-1) / people[..., own].sum(-1) for own in members], axis=-1)
        gaps.append(gap_to_leader(heads, axis=-1))
    closed = 100 * (gaps[0] - gaps[1])
    return {name: closed[..., place] for place, name in enumerate(names)}


def _present(budget: xr.DataArray) -> Array:
    """Present value at the origin of the money of the years after it, shape (scenario, draw)."""
    money = budget.transpose("scenario", "draw", "year").to_numpy()[..., 1:]
    years = budget["year"].to_numpy()
    return np.asarray((money / (1 + DISCOUNT) ** (years[1:] - years[0])).sum(-1))
