"""Evaluation statistics of system dynamics, for any arrays and any model.

Statistics of a pair take two arrays of the same shape with time on the last axis; tests of a model take a
callable that runs it, in whatever software. Error = simulated - observed.

The distribution called ``sdeval`` on PyPI measures generated images and is not related to this package.
"""

from typing import TYPE_CHECKING

from pysd_runner.engine.lazy import lazy_exports

if TYPE_CHECKING:
    from calibration.sdeval.fit import PointFit as PointFit, Run as Run, Simulate as Simulate, point_fit as point_fit
    from calibration.sdeval.residuals import (
        HypothesisTest as HypothesisTest,
        autocorrelation as autocorrelation,
        autocorrelation_band as autocorrelation_band,
        breusch_pagan as breusch_pagan,
        cross_dependence as cross_dependence,
        ljung_box as ljung_box,
    )
    from calibration.sdeval.robustness import (
        Integrate as Integrate,
        KnockOut as KnockOut,
        behavioural_sensitivity as behavioural_sensitivity,
        integration_error as integration_error,
        knock_out as knock_out,
        mode_differs as mode_differs,
        turning_points as turning_points,
    )
    from calibration.sdeval.sensitivity import Batch as Batch, Sensitivity as Sensitivity, morris as morris
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
