"""One panel: the futures of one region, its baseline and its history."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from pysd_runner.plots.arrays import position_of
from pysd_runner.plots.bands import Bands, FloatArray, bands_of, joined
from pysd_runner.plots.fan import draw_baseline, draw_fan, draw_history, draw_origin, limits_of
from pysd_runner.plots.figure_data import Behind
from pysd_runner.plots.naming import Names
from pysd_runner.plots.quantities import Quantity


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """What is drawn for one region, in the unit drawn."""

    region: str
    name: str
    bands: Bands  # of the scenario, starting from the last observation where there is one
    baseline: Bands | None  # bands of the baseline, or none
    years: FloatArray
    history: FloatArray


def panel_of(
    full: xr.DataArray,
    past: xr.DataArray | None,
    region: str,
    scenarios: tuple[str, str | None],
    quantity: Quantity,
    names: Names,
) -> Panel:
    """Bands, baseline and history of one region."""
    place = position_of(full, "region", region)
    years, observed = history_of(past, region, quantity.scale)
    found = [
        bands_of(full, scenario=position_of(full, "scenario", name), region=place, scale=quantity.scale)
        for name in scenarios
        if name is not None
    ]
    return Panel(
        region=region,
        name=names.region(region),
        bands=found[0],
        baseline=found[1] if len(found) > 1 else None,
        years=years,
        history=observed,
    )


def history_of(past: xr.DataArray | None, region: str, scale: float) -> tuple[FloatArray, FloatArray]:
    """Observations of one region, in the unit drawn, shape (year,)."""
    nothing = np.empty(0), np.empty(0)
    if past is None:
        return nothing
    found = np.flatnonzero(past["region"].to_numpy().astype(np.str_) == region)
    if not found.size:
        return nothing
    return past["year"].to_numpy().astype(np.float64), past.to_numpy()[found[0]] * scale


def draw_panel(axes: Axes, panel: Panel, origin: float, *, width: float = 1.5) -> None:
    """Draw fan, baseline and history of one region."""
    last = last_observation(panel.years, panel.history)
    bands, baseline = panel.bands, panel.baseline
    if last is not None:
        bands = joined(bands, *last)
        baseline = joined(baseline, *last) if baseline is not None else None
    draw_fan(axes, bands)
    if baseline is not None:
        draw_baseline(axes, baseline)
    draw_history(axes, panel.years, panel.history, width=width)
    draw_origin(axes, origin)


def common_limits(panels: Sequence[Panel]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Limits of years and values that hold all panels."""
    years = [panel.bands.years for panel in panels] + [panel.years for panel in panels]
    values = [panel.bands.quantiles for panel in panels] + [panel.history for panel in panels]
    values += [panel.baseline.median for panel in panels if panel.baseline is not None]
    first, last = limits_of(years, share=0.0)
    return (first, last), limits_of(values, floor=0.0)


def table_behind(panels: Sequence[Panel], quantity: Quantity, scenario: str, baseline: str | None) -> pd.DataFrame:
    """Long table of what the panels show."""
    behind = Behind(variable=quantity.name, unit=quantity.unit)
    for panel in panels:
        behind.add_history(panel.region, panel.name, panel.years, panel.history)
        behind.add_bands(scenario, panel.region, panel.name, panel.bands)
        if panel.baseline is not None and baseline is not None:
            behind.add_bands(baseline, panel.region, panel.name, panel.baseline)
    return behind.frame()


def last_observation(years: FloatArray, values: FloatArray) -> tuple[float, float] | None:
    """Last year that has an observation, and the observation."""
    known = np.flatnonzero(np.isfinite(values))
    return (float(years[known[-1]]), float(values[known[-1]])) if known.size else None


def is_leader(panel: Panel) -> bool:
    """Whether a region leads in all that is drawn, so that its gap is zero by definition."""
    observed = panel.history[np.isfinite(panel.history)]
    return bool(np.all(panel.bands.quantiles == 0) and np.all(observed == 0))
