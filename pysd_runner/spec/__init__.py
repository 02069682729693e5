"""Declarations of a model, its fitted parameters, and the baseline forecast from which projections start.

Fitted parameters and forecasts are imported on first use; loading a model does not need them.
"""

from typing import TYPE_CHECKING

from pysd_runner.engine.lazy import lazy_exports

if TYPE_CHECKING:
    from pysd_runner.spec.baseline import Baseline as Baseline
    from pysd_runner.spec.baseline import load_baseline as load_baseline
    from pysd_runner.spec.declarations import USUAL_ERRORS as USUAL_ERRORS
    from pysd_runner.spec.declarations import DeclaredLever as DeclaredLever
    from pysd_runner.spec.declarations import DeclaredOutcome as DeclaredOutcome
    from pysd_runner.spec.declarations import ErrorModel as ErrorModel
    from pysd_runner.spec.declarations import Measurement as Measurement
    from pysd_runner.spec.declarations import ModelSpec as ModelSpec
    from pysd_runner.spec.declarations import Observation as Observation
    from pysd_runner.spec.declarations import Parameter as Parameter
    from pysd_runner.spec.declarations import PolicyClass as PolicyClass
    from pysd_runner.spec.declarations import Proxy as Proxy
    from pysd_runner.spec.declarations import RegionInput as RegionInput
    from pysd_runner.spec.declarations import Ridge as Ridge
    from pysd_runner.spec.fitted import FittedParameters as FittedParameters
    from pysd_runner.spec.fitted import load_fitted as load_fitted
    from pysd_runner.spec.load import load_spec as load_spec
    from pysd_runner.spec.priors import Beta as Beta
    from pysd_runner.spec.priors import LogNormal as LogNormal
    from pysd_runner.spec.priors import Normal as Normal
    from pysd_runner.spec.priors import Prior as Prior
    from pysd_runner.spec.priors import Uniform as Uniform
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        __file__,
        renamed={
            "Lever": "pysd_runner.spec.declarations.DeclaredLever",
            "Outcome": "pysd_runner.spec.declarations.DeclaredOutcome",
        },
    )
