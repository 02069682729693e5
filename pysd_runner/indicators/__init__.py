"""Indicators of regional gaps: pure functions of arrays with a region axis.

The default layout is ``(scenario, draw, region, year)``; ``axis`` is the axis of the regions, -2 by default.
A missing value (NaN) in any region of a year makes the indicators of that year NaN; zero, negative or
infinite values raise an error where an indicator is not defined for them.
"""

from typing import TYPE_CHECKING

from pysd_runner.engine.lazy import lazy_exports
from pysd_runner.indicators.inequality import (
    TheilParts as TheilParts,
    class_totals as class_totals,
    coefficient_of_variation as coefficient_of_variation,
    gini as gini,
    sigma_dispersion as sigma_dispersion,
    theil as theil,
    theil_decomposition as theil_decomposition,
)
from pysd_runner.indicators.relative import (
    gap_to_leader as gap_to_leader,
    log_relative_output as log_relative_output,
    output_share as output_share,
    population_share as population_share,
    relative_output as relative_output,
)

if TYPE_CHECKING:
    from pysd_runner.indicators.labelled import INDICATORS as INDICATORS, indicators_of as indicators_of
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
