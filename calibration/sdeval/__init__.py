"""Evaluation statistics of system dynamics, for any arrays and any model.

Statistics of a pair take two arrays of the same shape with time on the last axis; tests of a model take a
callable that runs it, in whatever software. Error = simulated - observed.

The distribution called ``sdeval`` on PyPI measures generated images and is not related to this package.
"""

from typing import TYPE_CHECKING

from pysd_runner.engine.lazy import lazy_exports

if TYPE_CHECKING:
    from calibration.sdeval.fit import PointFit as PointFit
    from calibration.sdeval.fit import Run as Run
    from calibration.sdeval.fit import Simulate as Simulate
    from calibration.sdeval.fit import point_fit as point_fit
    from calibration.sdeval.patterns import BehaviourPatterns as BehaviourPatterns
    from calibration.sdeval.patterns import PatternStep as PatternStep
    from calibration.sdeval.patterns import behaviour_patterns as behaviour_patterns
    from calibration.sdeval.residuals import HypothesisTest as HypothesisTest
    from calibration.sdeval.residuals import autocorrelation as autocorrelation
    from calibration.sdeval.residuals import autocorrelation_band as autocorrelation_band
    from calibration.sdeval.residuals import breusch_pagan as breusch_pagan
    from calibration.sdeval.residuals import cross_dependence as cross_dependence
    from calibration.sdeval.residuals import ljung_box as ljung_box
    from calibration.sdeval.robustness import Integrate as Integrate
    from calibration.sdeval.robustness import KnockOut as KnockOut
    from calibration.sdeval.robustness import behavioural_sensitivity as behavioural_sensitivity
    from calibration.sdeval.robustness import integration_error as integration_error
    from calibration.sdeval.robustness import knock_out as knock_out
    from calibration.sdeval.robustness import mode_differs as mode_differs
    from calibration.sdeval.robustness import turning_points as turning_points
    from calibration.sdeval.sensitivity import Batch as Batch
    from calibration.sdeval.sensitivity import RankingSensitivity as RankingSensitivity
    from calibration.sdeval.sensitivity import Sensitivity as Sensitivity
    from calibration.sdeval.sensitivity import morris as morris
    from calibration.sdeval.sensitivity import ranking_sensitivity as ranking_sensitivity
else:
    renamed = {
        "Loop": "calibration.sdeval.robustness.KnockOut",
        "Theil": "calibration.sdeval.fit.PointFit",
        "theil": "calibration.sdeval.fit.point_fit",
    }
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__, renamed)
