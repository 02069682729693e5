"""A model and data bound to each other: start values, draws, shocks, values of scenarios, and what they lead to."""

from typing import TYPE_CHECKING

from pysd_runner.core.lazy import lazy_exports

if TYPE_CHECKING:
    from pysd_runner.study.binding import RegionalModel as RegionalModel
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
