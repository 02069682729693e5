"""A panel as plain data that a run keeps, so that it replays without the file it was read from."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pysd_runner.core.errors import InvalidPanel
from pysd_runner.panel import Flags, Panel, Region

SCHEMA = 1


def panel_to_dict(panel: Panel) -> dict[str, Any]:
    """Panel as plain data that JSON keeps exactly."""
    return {
        "schema": SCHEMA,
        "name": panel.name,
        "currency": panel.currency,
        "price_basis": panel.price_basis,
        "years": list(panel.years),
        "regions": [
            {
                "code": item.code,
                "name_en": item.name_en,
                "name_zh": item.name_zh,
                "group": item.group,
                "row": item.row,
                "column": item.column,
            }
            for item in panel.regions
        ],
        "units": {name: panel.units[name] for name in panel.values},
        "values": {name: _with_gaps(array) for name, array in panel.values.items()},
        "national": {name: {str(year): value for year, value in item.items()} for name, item in panel.national.items()},
        "flags": {name: array.tolist() for name, array in panel.flags.marks().items()},
    }


def _with_gaps(array: Any) -> list[list[float | None]]:
    return [[None if np.isnan(value) else float(value) for value in row] for row in array]


def panel_from_dict(stored: Mapping[str, Any]) -> Panel:
    """Panel from what `panel_to_dict` gave."""
    if stored.get("schema") != SCHEMA:
        raise InvalidPanel(f"a stored panel has schema {SCHEMA}; found {stored.get('schema')!r}")
    try:
        return _panel(stored)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidPanel(f"the stored panel is damaged: {error!r}; use the run that wrote it") from error


def _panel(stored: Mapping[str, Any]) -> Panel:
    regions = tuple(Region(**item) for item in stored["regions"])
    years = tuple(int(year) for year in stored["years"])
    marks = {name: np.array(rows, dtype=object) for name, rows in stored["flags"].items()}
    return Panel(
        name=stored["name"],
        regions=regions,
        years=years,
        values={name: np.array(rows, dtype=float) for name, rows in stored["values"].items()},
        units=dict(stored["units"]),
        national={
            name: {int(year): value for year, value in item.items()} for name, item in stored["national"].items()
        },
        flags=Flags((item.code for item in regions), years, marks),
        currency=stored["currency"],
        price_basis=stored["price_basis"],
    )
