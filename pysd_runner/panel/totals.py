"""Rows that are no region among the others, but all of them together."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pysd_runner.panel.assembly import Axes, Grid
from pysd_runner.panel.names import key
from pysd_runner.panel.problems import Problem

# Named in full: "total" is no region anywhere, "central" is one in many countries.
_NAMES = frozenset(
    map(
        key,
        (
            *("total", "grand total", "national total", "sum", "all", "all regions", "all states", "all provinces"),
            *("nation", "national", "country", "whole country", "average", "mean", "national average"),
            *("全国", "全国合计", "全国总计", "全国平均", "合计", "总计", "平均", "全部"),
        ),
    )
)
_SUMMED = ("output", "population")
LEAST_REGIONS, LEAST_YEARS, CLOSE = 4, 3, 0.01


def totals(grids: Mapping[str, Grid], axes: Axes, heading: str) -> list[Problem]:
    """Doubt regions that are called like a total, or whose output and population are the sums of all others."""
    if len(axes.regions) == 1:
        return []
    summed = [_is_sum(grids[name].values) for name in _SUMMED if name in grids]
    by_number = np.all(summed, axis=0) if summed else np.zeros(len(axes.regions), dtype=bool)
    groups = Counter(region.group for region in axes.regions)
    problems = []
    for place, region in enumerate(axes.regions):
        # A class of many that is called "country" is no total.
        own = {key(region.code), key(region.name_en)} | ({key(region.group)} if groups[region.group] == 1 else set())
        called = not own.isdisjoint(_NAMES)
        if called or by_number[place]:
            why = "it is called like that" if called else f"it is the sum of the others within {CLOSE:.0%}"
            rows = np.concatenate([grid.rows[place] for grid in grids.values()])
            problems.append(
                Problem(
                    rule="total",
                    message=f"{region.code} seems to be all regions together ({why}), and counts as one of them; "
                    f'`drop: {{"{heading}": ["{region.code}"]}}` in a mapping file leaves it out',
                    row=int(rows[rows > 0].min()) if (rows > 0).any() else None,
                    column=heading,
                    found=region.code,
                    expected="a region",
                    severity="warning",
                )
            )
    return problems


def _is_sum(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which regions are the sum of all others wherever all are known, shape (region,)."""
    known = np.isfinite(values).all(axis=0)
    if len(values) < LEAST_REGIONS or known.sum() < LEAST_YEARS:
        return np.zeros(len(values), dtype=bool)
    others = values[:, known].sum(axis=0) - values[:, known]
    return np.asarray((np.abs(values[:, known] - others) <= CLOSE * others).all(axis=1))
