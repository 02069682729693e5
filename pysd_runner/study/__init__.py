"""Projections of a model with data: initial values, parameter draws, shocks, scenario values and results."""

from typing import TYPE_CHECKING

from pysd_runner.engine.lazy import lazy_exports

if TYPE_CHECKING:
    from pysd_runner.study.binding import RegionalModel as RegionalModel
    from pysd_runner.study.future import Future as Future
    from pysd_runner.study.inputs import ProjectionInputs as ProjectionInputs, inputs_of as inputs_of
    from pysd_runner.study.loading import load_future as load_future
    from pysd_runner.study.projection import project as project
    from pysd_runner.study.showing import together as together
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
