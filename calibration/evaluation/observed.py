"""What was observed and what the fit says of it, as labelled arrays over regions and years."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from calibration.evaluation.subject import Calibrated
from calibration.fitting.estimates import SeriesFit
from calibration.fitting.panel_tying import PanelValues
from calibration.fitting.results import FitResult
from calibration.fitting.tying import ModelRuns
from pysd_runner.indicators import gap_to_leader, sigma_dispersion, theil
from pysd_runner.study.binding import RegionalModel

Array = NDArray[np.float64]

NATION = "nation"


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedSeries:
    """Observed and simulated values of one series."""

    name: str
    unit: str
    observed: xr.DataArray
    simulated: xr.DataArray
    standardised: xr.DataArray | None = None
    is_relative: bool = False
    is_increment: bool = False  # whether yearly changes are compared

    @property
    def paths(self) -> tuple[xr.DataArray, xr.DataArray]:
        """Observed and simulated paths in levels: ratios to the mean of the regions, or the values as they are."""
        # Changes are summed from the first year they are there for, where the ratio is one.
        return _path(self, self.observed), _path(self, self.simulated)


def _path(pair: ComparedSeries, values: xr.DataArray) -> xr.DataArray:
    if not pair.is_relative:
        return values
    # A sum past a gap would hide it: from the first missing change on there is no path.
    logs = values.cumsum("year", skipna=False) if pair.is_increment else values
    return xr.DataArray(np.exp(logs))


def fitted_pairs(result: FitResult) -> Iterator[ComparedSeries]:
    """Series of a fit in its own terms, without the first year, which the model meets by construction."""
    frame = result.to_frame()
    frame = frame[frame["used"]]
    for item in result.series:
        mine = frame[(frame["measurement"] == item.measurement) & (frame["indicator"] == item.indicator)]
        yield ComparedSeries(
            name=item.label,
            unit=_unit(item),
            observed=_array(mine, "observed", result),
            simulated=_array(mine, "fitted", result),
            standardised=_array(mine, "standardised", result),
            is_relative=item.relative,
            is_increment=item.increments,
        )


def _unit(item: SeriesFit) -> str:
    if item.national:
        return "national level"
    return "log points a year" if item.increments else "log points"


def _array(frame: pd.DataFrame, column: str, result: FitResult) -> xr.DataArray:
    table = frame.pivot_table(index="region", columns="year", values=column, dropna=False)
    table.index = pd.Index([code or NATION for code in table.index])
    wanted = [code for code in (*result.fitted.regions, NATION) if code in table.index]
    coords = {"region": wanted, "year": [int(year) for year in table.columns]}
    return xr.DataArray(table.loc[wanted].to_numpy(dtype=float), dims=("region", "year"), coords=coords)


def level_pairs(calibrated: Calibrated) -> Iterator[ComparedSeries]:
    """Output per head and population in their own units, simulated over the window of the fit at its estimates."""
    fitted, panel = calibrated.result.fitted, calibrated.panel
    tied = RegionalModel(model=calibrated.model, panel=panel, yuan_per_unit=calibrated.yuan_per_unit)
    names = calibrated.model.bindings.variables
    # Variables of the model that a panel observes in the same unit, by the panel's name.
    levels = {"output_per_head": names.output_per_head, "population": names.population}
    first, last = fitted.first_year, fitted.last_year
    runs = ModelRuns(PanelValues(tied, first), outcomes=list(levels.values()), start=first, stop=last, save_every=1)
    found = runs.batch(calibrated.estimates, 1)
    years = list(range(fitted.first_year, fitted.last_year + 1))
    money = {"output_per_head": calibrated.yuan_per_unit}
    for name, variable in levels.items():
        if name not in panel:
            continue
        columns = [panel.years.index(year) for year in years]
        coords = {"region": list(panel.codes), "year": years}
        observed = xr.DataArray(panel[name][:, columns], dims=("region", "year"), coords=coords)
        simulated = xr.DataArray(found[variable][0] / money.get(name, 1.0), dims=("region", "year"), coords=coords)
        later = slice(fitted.first_year + 1, None)
        yield ComparedSeries(
            name=name,
            unit=panel.units[name],
            observed=observed.sel(year=later),
            simulated=simulated.sel(year=later),
        )


def gap_pairs(levels: Mapping[str, ComparedSeries]) -> Iterator[ComparedSeries]:
    """Measures of the gaps between regions, from observed and simulated output per head."""
    if "output_per_head" not in levels:
        return
    heads = levels["output_per_head"]
    yield _national(heads, "mean gap to leader", "Dmnl", lambda y: gap_to_leader(y).mean(axis=0))
    yield _national(heads, "sigma dispersion", "log points", sigma_dispersion)
    if "population" not in levels:
        return
    both = _Weighted(heads, levels["population"])
    yield both.pair("Theil index", "Dmnl", lambda y, p: theil(y * p, p))
    yield both.pair("output per head of the nation", heads.unit, lambda y, p: (y * p).sum(axis=0) / p.sum(axis=0))


def _national(pair: ComparedSeries, name: str, unit: str, measure: Callable[[Array], Array]) -> ComparedSeries:
    observed, simulated = (_series(item, measure(item.to_numpy())) for item in (pair.observed, pair.simulated))
    return ComparedSeries(name=name, unit=unit, observed=observed, simulated=simulated)


def _series(like: xr.DataArray, values: Array) -> xr.DataArray:
    coords = {"region": [NATION], "year": like["year"].to_numpy()}
    return xr.DataArray(np.asarray(values)[None, :], dims=("region", "year"), coords=coords)


@dataclass(frozen=True, slots=True)
class _Weighted:
    """Output per head and the people it is weighted with."""

    heads: ComparedSeries
    people: ComparedSeries

    def pair(self, name: str, unit: str, measure: Callable[[Array, Array], Array]) -> ComparedSeries:
        """A national measure of both."""
        observed, simulated = (
            _series(head, measure(head.to_numpy(), people.to_numpy()))
            for head, people in (
                (self.heads.observed, self.people.observed),
                (self.heads.simulated, self.people.simulated),
            )
        )
        return ComparedSeries(name=name, unit=unit, observed=observed, simulated=simulated)
