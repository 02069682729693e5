"""A fit as the methods of this package need it: the problem with the errors that were found, and where it ended."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.estimates import Laplace, laplace
from calibration.fitting.problem import CalibrationProblem
from calibration.fitting.results import FitResult
from pysd_runner.core.errors import InvalidInput

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FittedPoint:
    """Where a fit ended, and the normal approximation there.

    Attributes
    ----------
    problem
        With the errors the fit settled on.
    point
        The estimate on the unbounded scale, shape (parameter,).
    cost, data_cost
        Half the sum of squared residuals there; the part of it that is data.
    data_jacobian
        Derivatives of the data residuals, shape (cell, parameter).
    curvature
        Normal approximation of the posterior.
    """

    problem: CalibrationProblem
    point: Array
    cost: float
    data_cost: float
    data_jacobian: Array
    curvature: Laplace

    @property
    def spread(self) -> Array:
        """Posterior standard deviations of the normal approximation, shape (parameter,)."""
        return np.sqrt(np.diag(self.curvature.covariance))

    def digest(self, *settings: object) -> str:
        """Fingerprint of everything that decides what is computed from here, and of further settings."""
        return self.problem.digest(self.point.tolist(), *settings)


def fitted_point(problem: CalibrationProblem, fit: FitResult) -> FittedPoint:
    """Go to where a fit ended.

    Parameters
    ----------
    problem
        What was fitted.
    fit
        What was found; one that was saved and loaded serves as well.

    Returns
    -------
    FittedPoint
        The errors of the series are those of the fit.

    Raises
    ------
    InvalidInput
        If the fit is one of another panel, model, window or set of parameters.
    """
    _check(problem, fit)
    settled = problem.with_noise_of(fit.fitted)
    point = settled.space.to_vector(fit.fitted.as_values())
    return point_at(settled, point)


def point_at(problem: CalibrationProblem, point: Array) -> FittedPoint:
    """Linearise a problem, with the errors to go by, where a search ended on the unbounded scale."""
    residuals, jacobian = problem.linearised(point)
    data = len(problem.rows())
    return FittedPoint(
        problem=problem,
        point=point,
        cost=0.5 * float((residuals**2).sum()),
        data_cost=0.5 * float((residuals[:data] ** 2).sum()),
        data_jacobian=jacobian[:data],
        curvature=laplace(problem.space, point, problem.curvature_jacobian(point)),
    )


def _check(problem: CalibrationProblem, fit: FitResult) -> None:
    fitted = fit.fitted
    both = {
        "model": (problem.model_sha256, fitted.model_sha256),
        "panel": (problem.panel.sha256, fitted.panel_sha256),
        "window": ((problem.first_year, problem.last_year), (fitted.first_year, fitted.last_year)),
        "parameters": (problem.space.keys, fitted.keys),
        "set values": (dict(problem.fixed), dict(fitted.fixed)),
    }
    for name, (here, there) in both.items():
        if here != there:
            raise InvalidInput(
                "the fit does not belong to this problem: its {name} differ from what was fitted; make the problem as "
                "it was for the fit",
                name=name,
            )
