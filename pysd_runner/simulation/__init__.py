"""Simulate a model: check its input, run it, compute derivatives, and label the results."""

from typing import TYPE_CHECKING

from pysd_runner.engine.lazy import lazy_exports

if TYPE_CHECKING:
    from pysd_runner.simulation.run import Run as Run, simulate as simulate
    from pysd_runner.simulation.sensitivities import (
        PreparedModel as PreparedModel,
        jacobian as jacobian,
        prepare as prepare,
    )
    from pysd_runner.simulation.task import RunSettings as RunSettings
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
