"""Uncertainty of a fit: profile posteriors, MCMC samples of the posterior and identifiability of parameters."""

from typing import TYPE_CHECKING

from pysd_runner.engine.lazy import lazy_exports

if TYPE_CHECKING:
    from calibration.fitting.point import FittedPoint as FittedPoint, fitted_point as fitted_point, point_at as point_at
    from calibration.uncertainty.checks import (
        Convergence as Convergence,
        PredictiveCheck as PredictiveCheck,
        convergence as convergence,
        predictive_checks as predictive_checks,
    )
    from calibration.uncertainty.importance import (
        WeightedDraws as WeightedDraws,
        truncated as truncated,
        weighted_at as weighted_at,
    )
    from calibration.uncertainty.profiles import (
        Profile as Profile,
        ProfileShape as ProfileShape,
        half_quantile as half_quantile,
        profile as profile,
    )
    from calibration.uncertainty.sampling import (
        PosteriorSample as PosteriorSample,
        sample as sample,
        sample_at as sample_at,
    )
    from calibration.uncertainty.verdict import (
        Identifiability as Identifiability,
        ParameterVerdict as ParameterVerdict,
        PosteriorDirection as PosteriorDirection,
        directions as directions,
        identify as identify,
    )
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
