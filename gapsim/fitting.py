"""Fits from a script, which have the draws that `gapsim calibrate` keeps as soon as they are saved or projected."""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import ParamSpec

from calibration.fitting.fit import fit as searched
from calibration.fitting.results import Fit
from calibration.uncertainty.drawing import Posterior

P = ParamSpec("P")


def _with_posterior(function: Callable[P, Fit]) -> Callable[P, Fit]:
    """The function with a fit whose posterior is drawn from when draws are needed."""

    @wraps(function)
    def found(*args: P.args, **kwargs: P.kwargs) -> Fit:
        made = function(*args, **kwargs)
        return replace(made, posterior=Posterior(made))

    return found


fit = _with_posterior(searched)
