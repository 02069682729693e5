"""Evaluation statistics of system dynamics, for any arrays and any model.

Statistics of a pair take two aligned arrays of any shape with a time axis, plain or labelled; tests of a model take a
callable that runs it, in whatever software. Error = simulated - observed.

The distribution called ``sdeval`` on PyPI measures generated images and is not related to this package.
"""

from typing import TYPE_CHECKING

from pysd_runner.engine.lazy import lazy_exports

if TYPE_CHECKING:
    from calibration.sdeval.components import FittedTrend as FittedTrend
    from calibration.sdeval.components import autocorrelation_errors as autocorrelation_errors
    from calibration.sdeval.components import compare_autocorrelations as compare_autocorrelations
    from calibration.sdeval.components import fit_trend as fit_trend
    from calibration.sdeval.components import lagged_correlation as lagged_correlation
    from calibration.sdeval.components import period as period
    from calibration.sdeval.components import trend_difference as trend_difference
    from calibration.sdeval.fit import PointFit as PointFit
    from calibration.sdeval.fit import fit_table as fit_table
    from calibration.sdeval.fit import point_fit as point_fit
    from calibration.sdeval.numerics import Conservation as Conservation
    from calibration.sdeval.numerics import FirstNan as FirstNan
    from calibration.sdeval.numerics import Integrate as Integrate
    from calibration.sdeval.numerics import IntegrationError as IntegrationError
    from calibration.sdeval.numerics import Negative as Negative
    from calibration.sdeval.numerics import conservation as conservation
    from calibration.sdeval.numerics import first_nan as first_nan
    from calibration.sdeval.numerics import integration_error as integration_error
    from calibration.sdeval.numerics import non_negativity as non_negativity
    from calibration.sdeval.pairs import Run as Run
    from calibration.sdeval.pairs import Simulate as Simulate
    from calibration.sdeval.patterns import BehaviourPatterns as BehaviourPatterns
    from calibration.sdeval.patterns import PatternLimits as PatternLimits
    from calibration.sdeval.patterns import PatternStep as PatternStep
    from calibration.sdeval.patterns import behaviour_patterns as behaviour_patterns
    from calibration.sdeval.patterns import discrepancy as discrepancy
    from calibration.sdeval.patterns import patterns_table as patterns_table
    from calibration.sdeval.reporting import ReportTables as ReportTables
    from calibration.sdeval.reporting import Requirement as Requirement
    from calibration.sdeval.reporting import report_tables as report_tables
    from calibration.sdeval.reporting import requirements as requirements
    from calibration.sdeval.residuals import HypothesisTest as HypothesisTest
    from calibration.sdeval.residuals import ResidualTests as ResidualTests
    from calibration.sdeval.residuals import autocorrelation as autocorrelation
    from calibration.sdeval.residuals import autocorrelation_band as autocorrelation_band
    from calibration.sdeval.residuals import breusch_pagan as breusch_pagan
    from calibration.sdeval.residuals import cross_correlation as cross_correlation
    from calibration.sdeval.residuals import cross_dependence as cross_dependence
    from calibration.sdeval.residuals import durbin_watson as durbin_watson
    from calibration.sdeval.residuals import ljung_box as ljung_box
    from calibration.sdeval.residuals import residual_tests as residual_tests
    from calibration.sdeval.residuals import white as white
    from calibration.sdeval.robustness import RankingSensitivity as RankingSensitivity
    from calibration.sdeval.robustness import behavioural_sensitivity as behavioural_sensitivity
    from calibration.sdeval.robustness import mode_differs as mode_differs
    from calibration.sdeval.robustness import numerical_sensitivity as numerical_sensitivity
    from calibration.sdeval.robustness import ranking_along as ranking_along
    from calibration.sdeval.robustness import ranking_sensitivity as ranking_sensitivity
    from calibration.sdeval.robustness import turning_points as turning_points
    from calibration.sdeval.sensitivity import Batch as Batch
    from calibration.sdeval.sensitivity import Sensitivity as Sensitivity
    from calibration.sdeval.sensitivity import morris as morris
    from calibration.sdeval.sensitivity import sobol as sobol
    from calibration.sdeval.structure import CheckOutcome as CheckOutcome
    from calibration.sdeval.structure import Constraint as Constraint
    from calibration.sdeval.structure import ExtremeCondition as ExtremeCondition
    from calibration.sdeval.structure import KnockOut as KnockOut
    from calibration.sdeval.structure import RealityCheck as RealityCheck
    from calibration.sdeval.structure import checks_table as checks_table
    from calibration.sdeval.structure import extreme_conditions as extreme_conditions
    from calibration.sdeval.structure import knock_out as knock_out
    from calibration.sdeval.structure import reality_checks as reality_checks
else:
    renamed = {
        "Loop": "calibration.sdeval.structure.KnockOut",
        "Theil": "calibration.sdeval.fit.PointFit",
        "theil": "calibration.sdeval.fit.point_fit",
    }
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__, renamed)
