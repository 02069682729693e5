"""Evaluation statistics of system dynamics, for any arrays and any model.

What takes a pair takes two aligned arrays of any shape with an axis of time, plain or labelled; what needs a model
takes a callable that runs it. Nothing here knows how a model is written. Error = simulated - observed.

The distribution called ``sdeval`` on PyPI measures generated images and has nothing to do with this package.
"""

from calibration.sdeval.cycles import autocorrelation_errors, compare_autocorrelations, lagged_correlation, period
from calibration.sdeval.fit import PointFit, fit_table, point_fit
from calibration.sdeval.local import behavioural_sensitivity, numerical_sensitivity
from calibration.sdeval.modes import mode_differs, turning_points
from calibration.sdeval.numerics import (
    Conservation,
    FirstNan,
    Integrate,
    IntegrationError,
    Negative,
    conservation,
    first_nan,
    integration_error,
    non_negativity,
)
from calibration.sdeval.patterns import (
    BehaviourPatterns,
    PatternLimits,
    PatternStep,
    behaviour_patterns,
    discrepancy,
    patterns_table,
)
from calibration.sdeval.ranking import RankingSensitivity, ranking_along, ranking_sensitivity
from calibration.sdeval.reporting import ReportTables, Requirement, report_tables, requirements
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
from calibration.sdeval.runs import Run, Simulate
from calibration.sdeval.sensitivity import Batch, Sensitivity, morris, sobol
from calibration.sdeval.structure import (
    CheckOutcome,
    Constraint,
    ExtremeCondition,
    Loop,
    RealityCheck,
    checks_table,
    extreme_conditions,
    knock_out,
    reality_checks,
)
from calibration.sdeval.theil import Theil, theil
from calibration.sdeval.trends import FittedTrend, fit_trend, trend_difference

__all__ = [
    "Batch",
    "BehaviourPatterns",
    "CheckOutcome",
    "Conservation",
    "Constraint",
    "ExtremeCondition",
    "FirstNan",
    "FittedTrend",
    "HypothesisTest",
    "Integrate",
    "IntegrationError",
    "Loop",
    "Negative",
    "PatternLimits",
    "PatternStep",
    "PointFit",
    "RankingSensitivity",
    "RealityCheck",
    "ReportTables",
    "Requirement",
    "ResidualTests",
    "Run",
    "Sensitivity",
    "Simulate",
    "Theil",
    "autocorrelation",
    "autocorrelation_band",
    "autocorrelation_errors",
    "behaviour_patterns",
    "behavioural_sensitivity",
    "breusch_pagan",
    "checks_table",
    "compare_autocorrelations",
    "conservation",
    "cross_correlation",
    "cross_dependence",
    "discrepancy",
    "durbin_watson",
    "extreme_conditions",
    "first_nan",
    "fit_table",
    "fit_trend",
    "integration_error",
    "knock_out",
    "lagged_correlation",
    "ljung_box",
    "mode_differs",
    "morris",
    "non_negativity",
    "numerical_sensitivity",
    "patterns_table",
    "period",
    "point_fit",
    "ranking_along",
    "ranking_sensitivity",
    "reality_checks",
    "report_tables",
    "requirements",
    "residual_tests",
    "sobol",
    "theil",
    "trend_difference",
    "turning_points",
    "white",
]
