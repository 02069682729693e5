"""Indicators of regional gaps: pure functions of arrays with a region axis.

The default layout is ``(scenario, draw, region, year)``; ``axis`` says where the regions lie, -2 by default.
A missing value (NaN) in any region of a year makes the indicators of that year missing, never a silent
substitute; zero, negative or infinite values raise where they have no meaning.
"""

from typing import TYPE_CHECKING, Any

from pysd_runner.indicators.classes import class_totals
from pysd_runner.indicators.dispersion import coefficient_of_variation, sigma_dispersion
from pysd_runner.indicators.gini import gini
from pysd_runner.indicators.progress import gap_closed, halving_time, probability_of, years_to_halve
from pysd_runner.indicators.relative import (
    gap_to_leader,
    log_relative_output,
    output_share,
    population_share,
    relative_output,
)
from pysd_runner.indicators.theil import TheilParts, theil, theil_decomposition

if TYPE_CHECKING:
    from pysd_runner.indicators.labelled import INDICATORS, indicators_of

__all__ = [
    "INDICATORS",
    "TheilParts",
    "class_totals",
    "coefficient_of_variation",
    "gap_closed",
    "gap_to_leader",
    "gini",
    "halving_time",
    "indicators_of",
    "log_relative_output",
    "output_share",
    "population_share",
    "probability_of",
    "relative_output",
    "sigma_dispersion",
    "theil",
    "theil_decomposition",
    "years_to_halve",
]

_LABELLED = frozenset({"INDICATORS", "indicators_of"})


def __getattr__(name: str) -> Any:
    """Import the labelled functions, and xarray with them, only when they are asked for."""
    if name in _LABELLED:
        from pysd_runner.indicators import labelled

        return getattr(labelled, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
