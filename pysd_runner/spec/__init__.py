"""Declarations of a model, its fitted parameters, and the baseline forecast from which projections start.

Fitted parameters and forecasts are imported on first use; loading a model does not need them.
"""

from typing import TYPE_CHECKING

from pysd_runner.engine.lazy import lazy_exports

if TYPE_CHECKING:
    from pysd_runner.spec.baseline import Baseline as Baseline, load_baseline as load_baseline
    from pysd_runner.spec.declarations import (
        USUAL_ERRORS as USUAL_ERRORS,
        DeclaredLever as DeclaredLever,
        DeclaredOutcome as DeclaredOutcome,
        ErrorModel as ErrorModel,
        Measurement as Measurement,
        ModelSpec as ModelSpec,
        Observation as Observation,
        Parameter as Parameter,
        PolicyClass as PolicyClass,
        Proxy as Proxy,
        RegionInput as RegionInput,
        Ridge as Ridge,
    )
    from pysd_runner.spec.fitted import FittedParameters as FittedParameters, load_fitted as load_fitted
    from pysd_runner.spec.load import load_spec as load_spec
    from pysd_runner.spec.priors import (
        Beta as Beta,
        LogNormal as LogNormal,
        Normal as Normal,
        Prior as Prior,
        Uniform as Uniform,
    )
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
