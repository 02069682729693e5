"""Variables that follow from others, added where a panel lacks them and marked as derived."""

from collections.abc import Mapping

import numpy as np

from pysd_runner.panel.panel import FloatArray
from pysd_runner.panel.variables import VARIABLES


def _per(numerator: str, denominator: str, scale: float, values: Mapping[str, FloatArray]) -> FloatArray | None:
    if numerator not in values or denominator not in values:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = scale * values[numerator] / values[denominator]
    return np.where(np.isfinite(ratio), ratio, np.nan)


def derived(values: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Variables that can be computed and are not there."""
    # output per head = output / population; output = output per head x population; users and ports per 100 = 100 x
    # users or ports / population; share of information services = their employment / urban employment.
    made: dict[str, FloatArray | None] = {
        "output_per_head": _per("output", "population", 1.0, values),
        "output": values["output_per_head"] * values["population"]
        if {"output_per_head", "population"} <= set(values)
        else None,
        "mobile_internet_per_100": _per("mobile_internet_users", "population", 100.0, values),
        "broadband_ports_per_100": _per("broadband_ports", "population", 100.0, values),
        "ict_employment_share": _per("ict_employment", "urban_unit_employment", 1.0, values),
    }
    return {name: array for name, array in made.items() if array is not None and name not in values}


def derived_unit(name: str) -> str:
    """Canonical unit of a derived variable, with ``currency`` as a placeholder."""
    return VARIABLES[name].unit
