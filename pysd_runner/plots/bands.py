"""Bands of futures, quantiles over draws year by year, and the long table of what a picture shows of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput

#: The median, and the edges of the 30 %, 60 % and 90 % intervals.
LEVELS = (0.05, 0.20, 0.35, 0.50, 0.65, 0.80, 0.95)
MEDIAN = LEVELS.index(0.50)

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bands:
    """Quantiles of draws over time."""

    years: FloatArray
    quantiles: FloatArray  # shape (level, year); levels as `LEVELS`, in the unit drawn
    draws: int  # how many draws were given
    failed: int  # how many of them had a missing value and were left out

    @property
    def median(self) -> FloatArray:
        """Median by year, shape (year,)."""
        return np.asarray(self.quantiles[MEDIAN])

    @property
    def low(self) -> FloatArray:
        """Lower edge of the widest band, shape (year,)."""
        return np.asarray(self.quantiles[0])

    @property
    def high(self) -> FloatArray:
        """Upper edge of the widest band, shape (year,)."""
        return np.asarray(self.quantiles[-1])

    @property
    def is_single(self) -> bool:
        """Whether there is only one draw, so that there is a line and no band."""
        return self.draws - self.failed == 1


def bands_of(values: xr.DataArray, *, scenario: int, region: int, scale: float = 1.0) -> Bands:
    """Bands of one scenario and region."""
    draws = np.asarray(values.to_numpy()[scenario, :, region, :], dtype=np.float64)
    return _bands(draws * scale, values)


def difference_bands(values: xr.DataArray, *, scenario: int, baseline: int, region: int, scale: float = 1.0) -> Bands:
    """Bands of a scenario less the baseline, draw by draw."""
    array = values.to_numpy()
    return _bands((array[scenario, :, region, :] - array[baseline, :, region, :]) * scale, values)


def joined(bands: Bands, year: float, value: float) -> Bands:
    """Let bands start from the last observation, so that the fan opens where history ends."""
    if not year < bands.years[0] or not np.isfinite(value):
        return bands
    start = np.full((len(LEVELS), 1), value)
    return Bands(
        years=np.concatenate([[year], bands.years]),
        quantiles=np.concatenate([start, bands.quantiles], axis=1),
        draws=bands.draws,
        failed=bands.failed,
    )


def _bands(draws: FloatArray, values: xr.DataArray) -> Bands:
    """Quantiles over the first axis, failed draws left out and counted."""
    usable = np.isfinite(draws).all(axis=1)
    if not usable.any():
        raise InvalidInput(
            "{values}: none of the {count} draws has a number in every year",
            values=values.name or "values",
            count=len(draws),
        )
    return Bands(
        years=values["year"].to_numpy().astype(np.float64),
        quantiles=np.quantile(draws[usable], LEVELS, axis=0),
        draws=len(draws),
        failed=int((~usable).sum()),
    )


COLUMNS = ("scenario", "region", "region_name", "year", "variable", "unit", "series", "quantile", "value")


@dataclass(kw_only=True, slots=True)
class Behind:
    """Collects what is drawn."""

    variable: str
    unit: str
    parts: list[tuple[dict[str, str], dict[str, FloatArray]]] = field(default_factory=list)

    def add_history(
        self,
        region: str,
        name: str,
        years: FloatArray,
        values: FloatArray,
        *,
        variable: str = "",
        unit: str = "",
    ) -> None:
        """Add what was observed."""
        known = np.isfinite(values)
        self._add(
            {"scenario": "", "region": region, "region_name": name, "series": "history"},
            years[known],
            values[known],
            np.full(int(known.sum()), np.nan),
            variable or self.variable,
            unit or self.unit,
        )

    def add_bands(
        self, scenario: str, region: str, name: str, bands: Bands, *, variable: str = "", unit: str = ""
    ) -> None:
        """Add quantiles of futures."""
        levels = np.asarray(LEVELS) if not bands.is_single else np.asarray([0.5])
        rows = bands.quantiles if not bands.is_single else bands.quantiles[3:4]
        self._add(
            {"scenario": scenario, "region": region, "region_name": name, "series": "projection"},
            np.repeat(bands.years, len(levels)),
            rows.T.ravel(),
            np.tile(levels, len(bands.years)),
            variable or self.variable,
            unit or self.unit,
        )

    def frame(self) -> pd.DataFrame:
        """Everything added so far."""
        if not self.parts:
            return pd.DataFrame(columns=list(COLUMNS))
        # One table of all parts: a table each would take longer than drawing them.
        sizes = [len(numbers["value"]) for _, numbers in self.parts]
        labels = pd.DataFrame([labels for labels, _ in self.parts])
        numbers = {name: np.concatenate([own[name] for _, own in self.parts]) for name in ("year", "quantile", "value")}
        rows = np.repeat(np.arange(len(self.parts)), sizes)
        return labels.iloc[rows].reset_index(drop=True).assign(**numbers)[list(COLUMNS)]

    def _add(
        self,
        labels: dict[str, str],
        years: FloatArray,
        values: FloatArray,
        quantiles: FloatArray,
        variable: str,
        unit: str,
    ) -> None:
        """Append rows."""
        if len(years) == 0:
            return
        when = years.astype(int) if _are_whole(years) else years
        self.parts.append(
            ({**labels, "variable": variable, "unit": unit}, {"year": when, "quantile": quantiles, "value": values})
        )


def _are_whole(years: Sequence[float] | FloatArray) -> bool:
    """Whether all years are whole numbers."""
    array = np.asarray(years, dtype=np.float64)
    return bool((array == np.round(array)).all())
