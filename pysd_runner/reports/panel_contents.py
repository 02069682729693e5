"""What a panel holds, as plain data and as lines of text."""

from typing import Any

import numpy as np

from pysd_runner.panel import Panel
from pysd_runner.panel.problems import SHOWN


def panel_facts(panel: Panel) -> dict[str, Any]:
    """What a panel holds, as plain data."""
    return {
        "name": panel.name,
        "regions": [{"code": item.code, "name_en": item.name_en, "name_zh": item.name_zh} for item in panel.regions],
        "years": [panel.years[0], panel.years[-1]],
        "currency": panel.currency,
        "price_basis": panel.price_basis,
        "variables": {name: _variable_facts(panel, name) for name in panel.variables},
        "national": {name: [min(series), max(series)] for name, series in panel.national.items() if series},
        "sha256": panel.sha256,
    }


def panel_lines(panel: Panel) -> list[str]:
    """What a panel holds, for people."""
    facts = panel_facts(panel)
    basis = f", {panel.price_basis}" if panel.price_basis else ""
    rows = [(name, *_variable_words(variable)) for name, variable in facts["variables"].items()]
    rows += [(name, f"{first}-{last}", "national") for name, (first, last) in facts["national"].items()]
    width = max(len(name) for name, *_ in rows)
    lines = [f"{len(panel.regions)} regions, {panel.years[0]}-{panel.years[-1]}{basis}"]
    return lines + [f"  {name:<{width}}  {years:<9}  {words}" for name, years, words in rows]


def _variable_facts(panel: Panel, name: str) -> dict[str, Any]:
    years = panel.years_with(name)
    first, last = (panel.years.index(years[0]), panel.years.index(years[-1])) if years else (0, -1)
    return {
        "unit": panel.units[name],
        "years": [years[0], years[-1]] if years else [],
        "missing": int(np.isnan(panel[name][:, first : last + 1]).sum()),
        "without_last_year": [
            region.code
            for region, value in zip(panel.regions, panel[name][:, last], strict=True)
            if years and np.isnan(value)
        ],
        "derived": bool((panel.flags.of(name) == "derived").any()),
    }


def _variable_words(facts: dict[str, Any]) -> tuple[str, str]:
    years = "{}-{}".format(*facts["years"]) if facts["years"] else "empty"
    notes = [facts["unit"]]
    notes += [f"{facts['missing']} missing"] if facts["missing"] else []
    if late := facts["without_last_year"]:
        rest = f" and {len(late) - SHOWN} more" if len(late) > SHOWN else ""
        notes.append(f"none in {facts['years'][-1]} for {', '.join(late[:SHOWN])}{rest}")
    notes += ["derived"] if facts["derived"] else []
    return years, ", ".join(notes)
