"""Data of the figures: quantile bands of projections by region, with observations."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.types import Array, frozen
from pysd_runner.export.layout import in_layout
from pysd_runner.plots.arrays import PrintedNames, Quantity, history_in_layout, origin_of, position_of, quantity_of
from pysd_runner.text import translate

#: The median, and the edges of the 30 %, 60 % and 90 % intervals.
LEVELS = (0.05, 0.20, 0.35, 0.50, 0.65, 0.80, 0.95)
MEDIAN = LEVELS.index(0.50)


@frozen
class Bands:
    """Quantiles of draws over time."""

    years: Array
    quantiles: Array  # shape (level, year); levels as `LEVELS`, in the plotted unit
    draws: int  # number of draws given
    failed: int  # number of draws with a missing value, which were left out

    @property
    def median(self) -> Array:
        """Median by year, shape (year,)."""
        return np.asarray(self.quantiles[MEDIAN])

    @property
    def low(self) -> Array:
        """Lower edge of the widest band, shape (year,)."""
        return np.asarray(self.quantiles[0])

    @property
    def high(self) -> Array:
        """Upper edge of the widest band, shape (year,)."""
        return np.asarray(self.quantiles[-1])

    @property
    def is_single(self) -> bool:
        """Whether there is only one draw, so that there is a line and no band."""
        return self.draws - self.failed == 1


def bands_of(
    values: xr.DataArray, *, scenario: int, region: int, scale: float = 1.0, baseline: int | None = None
) -> Bands:
    """Bands of one scenario and region or, if a baseline is given, of its difference from that, paired by draw."""
    array = values.to_numpy()[:, :, region, :]
    draws = np.asarray(array[scenario] if baseline is None else array[scenario] - array[baseline], dtype=np.float64)
    return bands_of_draws(draws * scale, values["year"].to_numpy().astype(np.float64), str(values.name or "values"))


def joined(bands: Bands, year: float, value: float) -> Bands:
    """Let bands start from the last observation, so that the fan opens where history ends."""
    if not year < bands.years[0] or not np.isfinite(value):
        return bands
    start = np.full((len(LEVELS), 1), value)
    years = np.concatenate([[year], bands.years])
    return replace(bands, years=years, quantiles=np.concatenate([start, bands.quantiles], axis=1))


def bands_of_draws(draws: Array, years: Array, name: str) -> Bands:
    """Quantiles over the first axis, draws with a missing value left out and counted."""
    usable = np.isfinite(draws).all(axis=1)
    if not usable.any():
        raise InvalidInput("{name}: none of the {count} draws has a number at every time", name=name, count=len(draws))
    return Bands(
        years=years,
        quantiles=np.quantile(draws[usable], LEVELS, axis=0),
        draws=len(draws),
        failed=int((~usable).sum()),
    )


@frozen
class RegionPaths:
    """Bands, baseline and observations of one region, in the plotted unit."""

    region: str
    name: str
    bands: Bands
    baseline: Bands | None  # bands of the baseline, or None
    years: Array
    history: Array

    @property
    def is_leader(self) -> bool:
        """Whether the region is the leader throughout, so that its gap is zero by definition."""
        observed = self.history[np.isfinite(self.history)]
        return bool(np.all(self.bands.quantiles == 0) and np.all(observed == 0))

    def opened(self, bands: Bands) -> Bands:
        """Bands that start from the last observation, where there is one."""
        known = np.flatnonzero(np.isfinite(self.history))
        return joined(bands, float(self.years[known[-1]]), float(self.history[known[-1]])) if known.size else bands


@frozen
class View:
    """One scenario of an array and its baseline, labelled in one language."""

    full: xr.DataArray  # with the dimensions of `in_layout`
    past: xr.DataArray | None
    quantity: Quantity
    names: PrintedNames
    scenario: str
    baseline: str | None
    origin: int

    @property
    def codes(self) -> list[str]:
        """Codes of all regions."""
        return [str(code) for code in self.full["region"].to_numpy()]

    @property
    def label(self) -> str:
        """Printed name of the scenario."""
        return self.names.scenario(self.scenario)

    @property
    def other(self) -> str:
        """Printed name of the baseline; empty for none."""
        return self.names.scenario(self.baseline) if self.baseline else ""

    @property
    def subtitle(self) -> str:
        """Subtitle that names the scenario and its baseline."""
        key = "title.against" if self.baseline else "title.alone"
        return translate(key, self.names.lang, scenario=self.label, baseline=self.other)

    def paths(self, region: str) -> RegionPaths:
        """Bands, baseline and history of one region."""
        place, scale = position_of(self.full, "region", region), self.quantity.scale
        years, observed = np.empty(0), np.empty(0)
        if self.past is not None:
            found = np.flatnonzero(self.past["region"].to_numpy().astype(np.str_) == region)
            if found.size:
                years = self.past["year"].to_numpy().astype(np.float64)
                observed = self.past.to_numpy()[found[0]] * scale
        bands = {
            name: bands_of(self.full, scenario=position_of(self.full, "scenario", name), region=place, scale=scale)
            for name in (self.scenario, self.baseline)
            if name is not None
        }
        return RegionPaths(
            region=region,
            name=self.names.region(region),
            bands=bands[self.scenario],
            baseline=None if self.baseline is None else bands[self.baseline],
            years=years,
            history=observed,
        )

    def rows(self, panels: Iterable[RegionPaths]) -> "list[Rows]":
        """Rows of the figure's data table for some panels."""
        found: list[Rows] = []
        for panel in panels:
            labels = {
                "region": panel.region,
                "region_name": panel.name,
                "variable": self.quantity.name,
                "unit": self.quantity.unit,
            }
            known = np.isfinite(panel.history)
            nothing = np.full(int(known.sum()), np.nan)
            seen = {"scenario": "", "series": "history", **labels}
            found.append((seen, panel.years[known], nothing, panel.history[known]))
            for name, bands in ((self.scenario, panel.bands), (self.baseline, panel.baseline)):
                if name is not None and bands is not None:
                    found.append(rows_of(bands, scenario=name, **labels))
        return found


def chosen_scenarios(full: xr.DataArray, scenario: str | None, baseline: str | None) -> tuple[str, str | None]:
    """Scenario to show, and the baseline to compare it with."""
    known = [str(name) for name in full["scenario"].to_numpy()]
    if scenario is not None:
        position_of(full, "scenario", scenario)
    chosen = scenario or next((name for name in known if name != baseline), known[0])
    reference = baseline if baseline in known and baseline != chosen else None
    return chosen, reference


def view_of(
    values: xr.DataArray,
    history: xr.DataArray | None,
    *,
    origin: int | None,
    scenario: str | None,
    baseline: str | None,
    lang: str,
    what: str = "values",
) -> View:
    """Scenario, baseline and history of an array to plot."""
    full, past = in_layout(values, what=what), history_in_layout(history)
    start = origin_of(full, past, origin)
    chosen, reference = chosen_scenarios(full, scenario, baseline)
    return View(
        full=full,
        past=past,
        quantity=quantity_of(values, lang),
        names=PrintedNames(values=full, lang=lang),
        scenario=chosen,
        baseline=reference,
        origin=start,
    )


COLUMNS = ("scenario", "region", "region_name", "year", "variable", "unit", "series", "quantile", "value")

#: Labels, and the years, quantiles and values of some rows of a table.
Rows = tuple[dict[str, str], Array, Array, Array]


def rows_of(bands: Bands, **labels: str) -> Rows:
    """Quantiles of projections as rows of a table."""
    levels, rows = ((0.5,), bands.quantiles[3:4]) if bands.is_single else (LEVELS, bands.quantiles)
    years = np.repeat(bands.years, len(levels))
    return {"series": "projection", **labels}, years, np.tile(levels, len(bands.years)), rows.T.ravel()


def table_of(parts: Iterable[Rows]) -> pd.DataFrame:
    """Long table of the data in a figure."""
    # One table is built from all parts: building one per part would take longer than plotting.
    labels, *numbers = zip(*parts, strict=True)
    years, quantiles, values = (np.concatenate(own) for own in numbers)
    rows = np.repeat(np.arange(len(labels)), [len(own) for own in numbers[0]])
    when = years.astype(int) if (years == np.round(years)).all() else years
    found = pd.DataFrame(labels).iloc[rows].reset_index(drop=True)
    return found.assign(year=when, quantile=quantiles, value=values)[list(COLUMNS)]
