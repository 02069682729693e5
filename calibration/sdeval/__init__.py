"""Evaluation statistics of system dynamics, for any arrays and any model.

What takes a pair takes two aligned arrays of any shape with an axis of time, plain or labelled; what needs a model
takes a callable that runs it. Nothing here knows how a model is written. Error = simulated - observed.

The distribution called ``sdeval`` on PyPI measures generated images and has nothing to do with this package.
"""

from calibration.sdeval.fit import PointFit, fit_table, point_fit
from calibration.sdeval.patterns import (
    BehaviourPatterns,
    PatternLimits,
    PatternStep,
    behaviour_patterns,
    discrepancy,
    patterns_table,
)
from calibration.sdeval.residuals import (
    HypothesisTest,
    ResidualTests,
    autocorrelation,
    autocorrelation_band,
    breusch_pagan,
    cross_correlation,
    cross_dependence,
    durbin_watson,
    ljung_box,
    residual_tests,
    white,
)
from calibration.sdeval.theil import Theil, theil

__all__ = [
    "BehaviourPatterns",
    "HypothesisTest",
    "PatternLimits",
    "PatternStep",
    "PointFit",
    "ResidualTests",
    "Theil",
    "autocorrelation",
    "autocorrelation_band",
    "behaviour_patterns",
    "breusch_pagan",
    "cross_correlation",
    "cross_dependence",
    "discrepancy",
    "durbin_watson",
    "fit_table",
    "ljung_box",
    "patterns_table",
    "point_fit",
    "residual_tests",
    "theil",
    "white",
]
