"""Several files read as one panel: their observations one below the other."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pysd_runner.panel.layout import Layout
from pysd_runner.panel.observations import Cells, Keys, Observations
from pysd_runner.panel.tables import IndexArray, stacked


def joined(parts: Sequence[tuple[str, Layout, Observations]]) -> tuple[Layout, Observations]:
    """Observations of several files as those of one long file."""
    roles = {role: meaning for _, layout, _ in reversed(parts) for role, meaning in layout.roles.items()}
    years = next((layout.roles["region"] for _, layout, _ in parts if "region" in layout.roles), None)
    if "year" not in roles and years is not None:
        # Where each year has a column of its own, nothing heads the years.
        roles["year"] = replace(years, name="year", heading="year")
    keys: list[Keys] = []
    cells: dict[str, list[Cells]] = {}
    count = 0
    for name, _, observations in parts:
        for found in observations.cells:
            keys.append(_of_cells(observations.keys, found))
            take = np.arange(count, count + len(found.take))
            count += len(take)
            columns = np.array([f"{name}: {heading}" for heading in found.columns], dtype=object)
            cells.setdefault(found.variable, []).append(replace(found, take=take, columns=columns, unit_row=None))
    observations = Observations(keys=_one_below_the_other(keys), cells=tuple(map(_merged, cells.values())))
    return Layout(shape="long", roles=roles), observations


def _of_cells(keys: Keys, cells: Cells) -> Keys:
    """A key for each cell, with the year of the cell."""
    take = cells.take
    return Keys(
        rows=keys.rows[take],
        regions=keys.regions[take],
        names=keys.names[take],
        groups=keys.groups[take],
        years=cells.years,
    )


def _one_below_the_other(keys: Sequence[Keys]) -> Keys:
    rows: IndexArray = np.concatenate([item.rows for item in keys]) if keys else np.empty(0, dtype=np.int64)
    return Keys(
        rows=rows,
        regions=stacked([item.regions for item in keys]),
        names=stacked([item.names for item in keys]),
        groups=stacked([item.groups for item in keys]),
        years=stacked([item.years for item in keys]),
    )


def _merged(parts: Sequence[Cells]) -> Cells:
    """One variable that stands in several files."""
    first = parts[0]
    return replace(
        first,
        columns=stacked([item.columns for item in parts]),
        take=np.concatenate([item.take for item in parts]),
        years=stacked([item.years for item in parts]),
        entries=stacked([item.entries for item in parts]),
        units=stacked([item.units for item in parts]),
        flags=stacked([item.flags for item in parts]),
    )
