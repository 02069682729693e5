"""The data behind a picture, as drawn: a long table with a unit in each row."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pysd_runner.plots.bands import LEVELS, Bands, FloatArray

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
