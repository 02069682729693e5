"""Uncertainty of a fit: profile posteriors, MCMC samples of the posterior and identifiability of parameters."""

from typing import TYPE_CHECKING

from pysd_runner.engine.lazy import lazy_exports

if TYPE_CHECKING:
    from calibration.fitting.point import FittedPoint as FittedPoint
    from calibration.fitting.point import fitted_point as fitted_point
    from calibration.fitting.point import point_at as point_at
    from calibration.uncertainty.checks import Convergence as Convergence
    from calibration.uncertainty.checks import PredictiveCheck as PredictiveCheck
    from calibration.uncertainty.checks import convergence as convergence
    from calibration.uncertainty.checks import predictive_checks as predictive_checks
    from calibration.uncertainty.profiles import Profile as Profile
    from calibration.uncertainty.profiles import ProfileShape as ProfileShape
    from calibration.uncertainty.profiles import half_quantile as half_quantile
    from calibration.uncertainty.profiles import profile as profile
    from calibration.uncertainty.sampling import PosteriorSample as PosteriorSample
    from calibration.uncertainty.sampling import sample as sample
    from calibration.uncertainty.sampling import sample_at as sample_at
    from calibration.uncertainty.verdict import Identifiability as Identifiability
    from calibration.uncertainty.verdict import ParameterVerdict as ParameterVerdict
    from calibration.uncertainty.verdict import PosteriorDirection as PosteriorDirection
    from calibration.uncertainty.verdict import directions as directions
    from calibration.uncertainty.verdict import identify as identify
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        __file__,
        {
            "Direction": "calibration.uncertainty.verdict.PosteriorDirection",
            "Shape": "calibration.uncertainty.profiles.ProfileShape",
            "Verdict": "calibration.uncertainty.verdict.ParameterVerdict",
        },
    )
