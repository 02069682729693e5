"""What policies change about a forecast: the effect the simulation model gives them, added to the predictive draws.

A projection answers what a policy does, a forecast where regions are going without a new one. Their sum is where they
are going with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from calibration.forecasting.events import Chance, chances, futures_of, is_same
from calibration.forecasting.outlook import Outlook, levels
from pysd_runner.errors import InvalidInput, apart
from pysd_runner.projection import Projection
from pysd_runner.scenarios.scenario import BASELINE

Array = NDArray[np.float64]

OUTPUT = "output_per_head"
DIMS = ("scenario", "draw", "region", "year")
# Sets the random pairing apart from other uses of the seed.
PAIRING = 3
# With fewer draws the interval of an effect says little about what is not known of it.
FEW_DRAWS = 50
# Log points by which a run and a forecast may differ about the last year that was observed; files round.
SAME = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PolicyOutlook:
    """A forecast with one policy.

    Attributes
    ----------
    scenario
        Name of the policy.
    labels
        English and Chinese name.
    baseline
        Those of what the policy is read against.
    same_world
        Whether that is the world as it is, which is forecast, and not one with other assumptions.
    draws
        As `Outlook.draws`, with the policy; draw for draw the same futures otherwise.
    without
        Dispersion (standard deviation of logs) of the last year without the policy, shape (draw,).
    dispersion
        The same with it.
    before
        Dispersion at the origin.
    chances
        Probabilities of the events of the forecast.
    names
        English and Chinese names of regions by code.
    """

    scenario: str
    labels: tuple[str, str]
    baseline: tuple[str, str]
    same_world: bool
    draws: xr.DataArray
    without: Array
    dispersion: Array
    before: float
    chances: tuple[Chance, ...]
    names: Mapping[str, tuple[str, str]]

    @property
    def change(self) -> tuple[float, float, float]:
        """Change of dispersion in the last year as a part of it: 5 % quantile, median, 95 % quantile over draws."""
        low, middle, high = np.quantile(self.dispersion / self.without - 1, (0.05, 0.5, 0.95))
        return float(low), float(middle), float(high)

    @property
    def falls(self) -> tuple[float, float]:
        """Probability that dispersion is below that of the origin in the last year, without the policy and with it."""
        return float((self.without < self.before).mean()), float((self.dispersion < self.before).mean())

    def table(self) -> pd.DataFrame:
        """As `Outlook.table`, with the policy."""
        return levels(self.draws, self.names)


def under_policies(outlook: Outlook, projection: Projection) -> tuple[PolicyOutlook, ...]:
    r"""Add what policies do, as a projection has it, to a forecast.

    :math:`r^{\text{policy}}_{it} = r_{it} + \Delta_{it} - \bar\Delta_t` with :math:`\Delta` the log of output per head
    under the policy less that under its baseline, draw by draw of the projection; each goes with draws of the forecast
    at random, because nothing ties what a policy does to errors of a forecast.

    Parameters
    ----------
    outlook
        Where regions are going.
    projection
        What `pysd_runner.project` found for the same regions, from the same year on.

    Returns
    -------
    tuple of PolicyOutlook
        In the order of the scenarios; baselines are left out.

    Raises
    ------
    InvalidInput
        If the projection is one of other regions, data or years, or holds no policy.
    """
    effects = _effects(outlook, projection)
    count = outlook.draws.sizes["draw"]
    rng = np.random.default_rng((outlook.seed, PAIRING))
    runs = rng.permutation(effects.sizes["draw"])
    paired = runs[rng.permutation(np.arange(count) % len(runs))]
    plain = outlook.draws.to_numpy()
    years = tuple(int(year) for year in outlook.draws["year"].to_numpy())
    futures = futures_of(outlook.names, outlook.groups, outlook.history.to_numpy(), plain, years)
    without, before = np.nanstd(plain[:, :, -1], axis=1), float(np.nanstd(futures.last))
    labels = _labels(projection)
    found = []
    for name in projection.policies:
        draws = plain + effects.sel(scenario=name).to_numpy()[paired]
        found.append(
            PolicyOutlook(
                scenario=name,
                labels=labels[name],
                baseline=labels[projection.baselines[name]],
                same_world=projection.baselines[name] == BASELINE,
                draws=outlook.draws.copy(data=draws),
                without=without,
                dispersion=np.nanstd(draws[:, :, -1], axis=1),
                before=before,
                chances=chances([item.event for item in outlook.chances], replace(futures, draws=draws)),
                names=outlook.names,
            )
        )
    return tuple(found)


def policy_table(outlook: Outlook, policies: Sequence[PolicyOutlook]) -> pd.DataFrame:
    """One row a policy and event: its probability with and without the policy.

    Parameters
    ----------
    outlook
        The forecast.
    policies
        What `under_policies` found for it.

    Returns
    -------
    pandas.DataFrame
        Columns scenario, event, year, probability, without_policy. That dispersion falls below that of the origin is
        there whether it was asked for or not, and once.
    """
    last = int(outlook.draws["year"].to_numpy()[-1])
    first = f"dispersion falls by {last}"
    rows = []
    for policy in policies:
        without, falls = policy.falls
        if not any(is_same(item.event, first) for item in policy.chances):
            rows.append((policy.scenario, first, last, falls, without))
        for plain, item in zip(outlook.chances, policy.chances, strict=True):
            rows.append((policy.scenario, item.event, item.year, item.probability, plain.probability))
    return pd.DataFrame(rows, columns=["scenario", "event", "year", "probability", "without_policy"])


def check_projection(projection: Projection, regions: Mapping[str, float], origin: int, until: int) -> None:
    """Refuse a projection that does not belong to a forecast, before anything long begins.

    Parameters
    ----------
    projection
        The projection.
    regions
        Log relative output at the origin by code of the region, NaN where it was not observed.
    origin, until
        Last year that was observed, and last year of the forecast.

    Raises
    ------
    InvalidInput
        If it is one of other regions, data or years, or holds no policy.
    """
    _check_form(projection)
    known = {str(code) for code in projection.data["region"].to_numpy()}
    if known != set(regions):
        raise InvalidInput(
            f"the run has {len(known)} regions, and {len(regions)} are forecast; {apart(known, regions)}; run and "
            "forecast the same panel"
        )
    if projection.origin != origin:
        raise InvalidInput(
            f"the run starts from {projection.origin} and the forecast from {origin}; a run starts from the last year "
            "in which every region has output: leave later years, or regions that lack them, out of the panel for both"
        )
    last = int(projection.data["year"].to_numpy()[-1])
    if last < until:
        raise InvalidInput(f"the run ends in {last} and the forecast in {until}; give --until {last} or run longer")
    start = _log(projection.data[OUTPUT].sel(year=origin).isel(scenario=0, draw=0))
    relative = start - start.mean("region")
    differences = {code: abs(float(relative.sel(region=code)) - value) for code, value in regions.items()}
    worst = max(differences, key=lambda code: np.nan_to_num(differences[code]))
    if differences[worst] > SAME:
        raise InvalidInput(
            f"the run starts from other data: relative output of {worst} in {origin} differs by "
            f"{differences[worst]:.3g} log points; run and forecast the same panel"
        )


def _check_form(projection: Projection) -> None:
    """Refuse what is no whole projection with a policy."""
    again = "run `gapsim run` again"
    data = projection.data.get(OUTPUT)
    if data is None or set(data.dims) != set(DIMS) or not set(DIMS) <= set(data.coords):
        raise InvalidInput(f"the run holds no {OUTPUT!r} by {', '.join(DIMS)}; give the folder of `gapsim run`")
    if not projection.policies:
        raise InvalidInput("the run holds no policy, only baselines; run a scenario with a policy, see `gapsim list`")
    years = data["year"].to_numpy()
    if not data.sizes["draw"] or not np.array_equal(years, projection.origin + np.arange(len(years))):
        raise InvalidInput(f"the run is damaged: expected draws, and every year from {projection.origin} on; {again}")
    codes = data["region"].to_numpy()
    if len(set(codes)) < len(codes):
        raise InvalidInput(f"the run is damaged: a region stands in it twice; {again}")
    values = data.transpose(*DIMS).to_numpy()
    wrong = np.argwhere(~(np.isfinite(values) & (values > 0)))
    if len(wrong):
        scenario, draw, region, year = wrong[0]
        raise InvalidInput(
            f"the run is damaged: {OUTPUT} of {codes[region]} in {years[year]}, scenario "
            f"{projection.scenarios[scenario]!r}, draw {draw}, is {values[tuple(wrong[0])]}; {again}"
        )


def _effects(outlook: Outlook, projection: Projection) -> xr.DataArray:
    """Effects of policies on log relative output, dims (scenario, draw, region, year), ordered as the forecast."""
    codes = [str(code) for code in outlook.draws["region"].to_numpy()]
    last = outlook.history.isel(year=-1).to_numpy()
    years = outlook.draws["year"].to_numpy()
    check_projection(projection, dict(zip(codes, last, strict=True)), outlook.origin, int(years[-1]))
    chosen = projection.data[OUTPUT].sel(region=codes, year=years)
    baselines = [projection.baselines[name] for name in projection.policies]
    moved = _log(chosen.sel(scenario=list(projection.policies))) - _log(chosen.sel(scenario=baselines)).to_numpy()
    return (moved - moved.mean("region")).transpose(*DIMS)


def _log(values: xr.DataArray) -> xr.DataArray:
    return values.copy(data=np.log(values.to_numpy()))


def _labels(projection: Projection) -> dict[str, tuple[str, str]]:
    data = projection.data
    names = projection.scenarios
    if "label_en" not in data.coords or "label_zh" not in data.coords:
        return {name: (name, name) for name in names}
    english, chinese = data["label_en"].to_numpy(), data["label_zh"].to_numpy()
    return {name: (str(en), str(zh)) for name, en, zh in zip(names, english, chinese, strict=True)}
