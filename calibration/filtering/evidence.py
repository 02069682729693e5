"""What the filter sees: the target and the digital series up to the origin, on consecutive years."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.observation import Series, build_series
from pysd_runner.core.errors import InvalidInput
from pysd_runner.model import Model
from pysd_runner.panel import Panel, Region
from pysd_runner.regional.binding import shipped_model

Array = NDArray[np.float64]

OUTPUT, POPULATION = "output_per_head", "population"
# Level and growth of output where a panel has only relative output; they cancel in the target.
LEVEL, GROWTH = 10.0, 0.03
HIGHEST_GROWTH = 0.15


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Evidence:
    """Observations up to the origin.

    Attributes
    ----------
    values
        Log relative output, shape (region, year), NaN where missing.
    years
        Consecutive; the last one is the origin.
    groups
        Class of each region, empty for none.
    national
        Mean log output per head over the regions, shape (year,).
    panel
        The same regions and years, output per head without holes, so that the model can be started in any year.
    model
        The model, with as many regions.
    """

    values: Array
    years: tuple[int, ...]
    groups: tuple[str, ...]
    national: Array
    panel: Panel
    model: Model

    def series(self, first_year: int) -> tuple[Series, ...]:
        """Observations of levels besides output, from a first year to the origin."""
        assert self.model.spec is not None  # noqa: S101
        found = build_series(self.model.spec, self.panel, first_year=first_year, last_year=self.years[-1]).series
        return tuple(item for item in found if not item.increments)

    @property
    def last(self) -> Array:
        """Level that each region was last seen at, shape (region,)."""
        return _without_holes(self.values)[:, -1]

    @property
    def growth(self) -> float:
        """Mean yearly growth of output per head of the last years, between 0 and 15 per cent."""
        last = self.national[-6:]
        slope = (last[-1] - last[0]) / max(len(last) - 1, 1)
        return float(np.clip(slope, 0.0, HIGHEST_GROWTH))


def evidence_of(
    values: Array,
    years: Sequence[int],
    regions: Sequence[str],
    groups: Sequence[str],
    panel: Panel | None,
    model: Model | None = None,
) -> Evidence:
    """Collect what was known at the last year; anything later in the panel is cut off.

    Parameters
    ----------
    values
        Log relative output, shape (region, year); every region is seen at least once.
    years
        Consecutive.
    regions
        Codes, in the order of the panel.
    groups
        Class of each region; empty where none is known.
    panel
        Other series; None when relative output is all there is.
    model
        A regional model with any number of regions; None for the shipped one.

    Returns
    -------
    Evidence
        Shapes (region, year).

    Raises
    ------
    InvalidInput
        If a region has no observation.
    """
    silent = [code for code, row in zip(regions, values, strict=True) if not np.isfinite(row).any()]
    if silent:
        raise InvalidInput(
            f"nothing was ever observed of {', '.join(silent[:5])}; leave such regions out of the filter"
        )
    chosen = tuple(years)
    whole = _places(regions, groups) if panel is None else _on_years(panel.subset(regions=regions), chosen)
    national = _national(values, whole)
    output = np.exp(_without_holes(values) + national)
    filled = {**whole.values, OUTPUT: output}
    return Evidence(
        values=values,
        years=chosen,
        groups=tuple(groups) if groups else tuple("" for _ in regions),
        national=national,
        model=(shipped_model() if model is None else model).with_regions(len(values)),
        panel=replace(whole, years=chosen, values=filled, units={OUTPUT: "currency/(Year*Person)", **whole.units}),
    )


def _places(regions: Sequence[str], groups: Sequence[str]) -> Panel:
    """A panel of nothing but regions."""
    known = groups or [""] * len(regions)
    places = tuple(
        Region(code=code, name_en=code, name_zh="", group=group) for code, group in zip(regions, known, strict=True)
    )
    return Panel(name="target", regions=places, years=(), values={}, units={})


def _on_years(panel: Panel, years: tuple[int, ...]) -> Panel:
    """The panel on given years, NaN where it has none; national series without anything later."""
    columns = {year: column for column, year in enumerate(panel.years)}
    values = {}
    for name, array in panel.values.items():
        values[name] = np.full((len(array), len(years)), np.nan)
        for place, year in enumerate(years):
            if year in columns:
                values[name][:, place] = array[:, columns[year]]
    national = {
        name: {year: value for year, value in series.items() if year <= years[-1]}
        for name, series in panel.national.items()
    }
    return Panel(
        name=panel.name,
        regions=panel.regions,
        years=years,
        values=values,
        units=panel.units,
        national=national,
        currency=panel.currency,
    )


def _national(values: Array, panel: Panel) -> Array:
    """Log output per head less relative output, the same for every region seen; holes are bridged."""
    count = values.shape[1]
    if OUTPUT not in panel:
        return np.asarray(LEVEL + GROWTH * np.arange(count), dtype=float)
    output = panel[OUTPUT]
    logs = np.log(np.where(output > 0, output, np.nan))
    both = np.isfinite(logs) & np.isfinite(values)
    found = np.where(both, logs - values, 0.0).sum(axis=0) / np.maximum(both.sum(axis=0), 1)
    known = np.flatnonzero(both.any(axis=0))
    result: Array = np.interp(np.arange(count), known, found[known]).astype(np.float64)
    return result


def _without_holes(values: Array) -> Array:
    """Carry levels forward over holes, and the first one back."""
    seen = np.isfinite(values)
    places = np.maximum.accumulate(np.where(seen, np.arange(values.shape[1]), -1), axis=1)
    places = np.where(places < 0, np.argmax(seen, axis=1)[:, None], places)
    result: Array = np.take_along_axis(values, places, axis=1)
    return result
