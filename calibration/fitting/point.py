"""The end point of a fit, with the problem and its estimated error models: the input of uncertainty methods."""

from collections.abc import Callable

from calibration.fitting.curved import curvature_at
from calibration.fitting.estimates import Laplace
from calibration.fitting.problem import Problem
from calibration.fitting.results import Fit
from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.types import Array, frozen

Progress = Callable[[int, int], None]


@frozen(eq=False)
class FittedPoint:
    """The end point of a fit and the normal approximation at that point.

    Attributes
    ----------
    problem
        The problem with the error models that the fit estimated.
    point
        The estimate on the unconstrained scale, shape (parameter,).
    cost, data_cost
        Half the sum of all squared residuals less the payoff of the model, and of the data residuals alone.
    data_jacobian
        Derivatives of the data residuals, shape (cell, parameter).
    curvature
        Normal approximation of the posterior.
    """

    problem: Problem
    point: Array
    cost: float
    data_cost: float
    data_jacobian: Array
    curvature: Laplace

    @property
    def spread(self) -> Array:
        """Posterior standard deviations of the normal approximation, shape (parameter,)."""
        return self.curvature.spread

    def digest(self, *settings: object) -> str:
        """Hash of everything on which results computed from this point depend, and of further settings."""
        return self.problem.digest(self.point.tolist(), *settings)


def fitted_point(problem: Problem | Fit, fit: Fit | None = None) -> FittedPoint:
    """Linearise a problem at the end point of its fit.

    Parameters
    ----------
    problem
        The calibration problem that was fitted; or its fit alone, in the session that made it.
    fit
        Its fit; this may have been saved and loaded.

    Returns
    -------
    FittedPoint
        The end point, with the error models of the fit.

    Raises
    ------
    InvalidInput
        If the fit belongs to another panel, model, window or set of parameters.
    """
    whole, found = (problem.problem, problem) if isinstance(problem, Fit) else (problem, fit)
    if whole is None or found is None:
        raise InvalidInput("give a fit and its problem; a fit that was loaded has no problem with it")
    _check(whole, found)
    settled = whole.with_noise_of(found.fitted)
    point = settled.space.to_vector(found.fitted.as_values())
    return point_at(settled, point)


def point_at(problem: Problem, point: Array) -> FittedPoint:
    """Linearise the problem at the end point of a search (unconstrained scale), with the error models in use.

    Parameters
    ----------
    problem
        The problem that was searched.
    point
        Free parameters on the unconstrained scale, in the order of `Space.keys`.

    Returns
    -------
    FittedPoint
        Cost, derivatives and curvature there.
    """
    residuals, jacobian = problem.linearised(point)
    data = len(problem.rows())
    return FittedPoint(
        problem=problem,
        point=point,
        cost=0.5 * float((residuals**2).sum()) + problem.beside(point)[0],
        data_cost=0.5 * float((residuals[:data] ** 2).sum()),
        data_jacobian=jacobian[:data],
        curvature=curvature_at(problem, point),
    )


def _check(problem: Problem, fit: Fit) -> None:
    fitted = fit.fitted
    both = {
        "model": (problem.model_sha256, fitted.model_sha256),
        "panel": (problem.data.sha256, fitted.panel_sha256),
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
