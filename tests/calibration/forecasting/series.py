"""Panels whose law is known."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pysd_runner.data import Data, Entity

Array = NDArray[np.float64]


def panel_of(logs: Array, first: int = 1990, *, groups: tuple[str, ...] = ()) -> Data:
    """A panel of output per head from logs, shape (region, year)."""
    regions = tuple(
        Entity(
            code=f"R{place:02d}",
            name_en=f"R{place:02d}",
            name_zh="",
            group=groups[place % len(groups)] if groups else "",
            row=place // 10,
            column=place % 10,
        )
        for place in range(len(logs))
    )
    return Data.by_region(
        name="made",
        regions=regions,
        years=tuple(range(first, first + logs.shape[1])),
        values={"output_per_head": np.exp(logs)},
        units={"output_per_head": "currency/(Year*Person)"},
    )


def write_panel(path: Path, panel: Data) -> Path:
    """A file of regions, years and output per head, without what was not seen."""
    heads = panel.array("output_per_head")
    rows = [
        f"{code},{year},{heads[row, column]}"
        for row, code in enumerate(panel.codes)
        for column, year in enumerate(panel.years)
        if np.isfinite(heads[row, column])
    ]
    path.write_text("region,year,output_per_head\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def walk(regions: int, years: int, *, seed: int = 0, size: float = 0.02) -> Array:
    """Random walks around a common trend, shape (region, year)."""
    rng = np.random.default_rng(seed)
    start = rng.normal(0, 0.4, regions)[:, None]
    return 10 + start + 0.05 * np.arange(years) + np.cumsum(rng.normal(0, size, (regions, years)), axis=1)


def autoregressive(
    regions: int, years: int, *, level: float, change: float, seed: int = 0, size: float = 0.01
) -> Array:
    """Error correction with known coefficients, shape (region, year)."""
    rng = np.random.default_rng(seed)
    values = np.empty((regions, years))
    values[:, 0] = rng.normal(0, 0.4, regions)
    values[:, 1] = values[:, 0] + rng.normal(0, size, regions)
    for year in range(2, years):
        last = values[:, year - 1] - values[:, year - 2]
        values[:, year] = values[:, year - 1] * (1 + level) + change * last + rng.normal(0, size, regions)
    return values
