"""Profile posteriors: one parameter is fixed at values along its range and all others are re-estimated at each."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from calibration.fitting.point import FittedPoint, Progress, fitted_point
from calibration.fitting.problem import Problem
from calibration.fitting.results import Fit
from calibration.fitting.space import with_part
from calibration.optimisers import LeastSquares
from pysd_runner.core.errors import InvalidInput, Message, UnknownName
from pysd_runner.core.parallel import one_thread, open_pool
from pysd_runner.core.types import Array, Arrays, frozen
from pysd_runner.export.records import Checkpoint, Computation

if TYPE_CHECKING:
    import pandas as pd

    from pysd_runner.plots.figure import ReportFigure

PROFILES = Computation(
    name=Message("set of profiles"), label="profiles.json", settings=Message("model, panel, fit or level")
)

# Step of the grid in standard deviations of the normal approximation, so that a normal posterior has about four points
# on each side of its interval.
STEP = 0.5
# Maximum distance from the centre of the prior, in prior standard deviations: values beyond are implausible a priori.
MAX_DISTANCE = 2.5
MOST_POINTS = 16
# Profiles need the cost to about 0.01; a search stops if the predicted reduction by a step is a tenth of that.
_SEARCH = LeastSquares(tolerance=1e-5, predicted_reduction=1e-3, evaluations=60)
# Minimum depth, in minus log posterior, of a local minimum that counts as a second mode (likelihood ratio exp(0.5)).
DIP = 0.5


class ProfileShape(Enum):
    """Shape of a profile likelihood; the value is the phrase shown in reports."""

    BOTH = "bounded on both sides"
    BELOW = "bounded from below only"
    ABOVE = "bounded from above only"
    FLAT = "flat"
    TWO_MODES = "two modes"


def shape_of(rise: Array, data_rise: Array, limit: float) -> ProfileShape:
    """Classify the shape of a profile by its rises of minus log posterior and of its data part.

    >>> flat, bowl = np.zeros(5), np.array([4.0, 1.0, 0.0, 1.0, 4.0])
    >>> shape_of(bowl, bowl, 1.35).value, shape_of(bowl, flat, 1.35).value
    ('bounded on both sides', 'flat')
    """
    if _dip(rise) >= DIP:
        return ProfileShape.TWO_MODES
    lowest = int(data_rise.argmin())
    below, above = data_rise[:lowest], data_rise[lowest + 1 :]
    is_below, is_above = bool((below >= limit).any()), bool((above >= limit).any())
    if is_below and is_above:
        return ProfileShape.BOTH
    if is_below:
        return ProfileShape.BELOW
    return ProfileShape.ABOVE if is_above else ProfileShape.FLAT


def _dip(rise: Array) -> float:
    """Depth of the deepest local minimum apart from the global one: the rise on the way to the global minimum."""
    lowest = int(rise.argmin())
    right = np.maximum.accumulate(rise[lowest:]) - rise[lowest:]
    left = np.maximum.accumulate(rise[lowest::-1]) - rise[lowest::-1]
    return float(max(right.max(), left.max()))


@frozen(eq=False)
class Profile:
    """The posterior as a function of one parameter, maximised over all the others.

    Attributes
    ----------
    key, name, unit
        Key, name and unit of the parameter.
    values
        Values at which the parameter was fixed, ascending, in its unit, shape (point,).
    rise
        Minus log posterior above its minimum along the profile, shape (point,).
    data_rise
        Minus log likelihood above its minimum along the profile, shape (point,): flat where the panel cannot
        distinguish the values, whatever the prior.
    estimate
        Estimate of the fit.
    low, high
        Limits of the interval, where `rise` is half the quantile of chi-squared with one degree of freedom; the last
        point of the profile if this is not reached.
    level
        Probability of the interval.
    shape
        Shape of the profile likelihood.
    gain
        Maximum reduction of minus log posterior along the profile compared with the fit, 0 if the fit is the optimum.
    """

    key: str
    name: str
    unit: str
    values: Array
    rise: Array
    data_rise: Array
    estimate: float
    low: float
    high: float
    level: float
    shape: ProfileShape
    gain: float

    def curve(self) -> "pd.DataFrame":
        """The profile as a table: key, value, unit, rise of minus log posterior and of its data part."""
        import pandas as pd

        columns = {"value": self.values, "unit": self.unit, "rise": self.rise, "data_rise": self.data_rise}
        return pd.DataFrame({"key": self.key, **columns})

    def plot(self, *, ax: Any = None) -> "ReportFigure":
        """Plot both curves with the interval."""
        from pysd_runner.plots.over_time import plot_profile

        return plot_profile(self.curve(), level=self.level, ax=ax)


def half_quantile(level: float) -> float:
    """Half the quantile of chi-squared with one degree of freedom: rise of minus log posterior at interval limits.

    Parameters
    ----------
    level
        Probability of the interval, between 0 and 1.

    Returns
    -------
    float
        Rise of minus log posterior, dimensionless.

    Raises
    ------
    InvalidInput
        If the level is not a probability.

    Examples
    --------
    >>> round(half_quantile(0.95), 4)
    1.9207
    """
    if not 0 < level < 1:
        raise InvalidInput("the level of an interval must lie between 0 and 1; found {found}", found=level)
    from scipy.special import ndtri

    return 0.5 * float(ndtri(0.5 + 0.5 * level)) ** 2


@one_thread
def profile(
    problem: Problem | Fit,
    fit: Fit | None = None,
    keys: Iterable[str] | None = None,
    *,
    level: float = 0.9,
    executor: str | Executor | None = None,
    checkpoint: str | Path | None = None,
    progress: Progress | None = None,
) -> tuple[Profile, ...]:
    """Profile the posterior along some parameters.

    From the estimate the parameter is changed step by step in both directions. At each step the others are estimated
    again, starting from their values at the step before, adjusted by the normal approximation. A side ends when both
    minus log likelihood and minus log posterior have risen beyond the level, at a bound, or `MAX_DISTANCE` prior
    standard deviations from the centre of the prior. The error models of the series remain those of the fit.

    Parameters
    ----------
    problem
        The calibration problem that was fitted; or its fit alone, in the session that made it.
    fit
        Its fit.
    keys
        Keys of the parameters; None for all estimated ones.
    level
        Probability of the intervals.
    executor
        Profiles several parameters in parallel, as for `fit`; results do not depend on it.
    checkpoint
        Folder that stores finished profiles, from which the same call resumes.
    progress
        Called with the number of parameters finished and the total.

    Returns
    -------
    tuple of Profile
        Profiles in the order of the problem's parameters.

    Raises
    ------
    UnknownName
        If a key is not among the estimated parameters.
    InvalidInput
        If the fit does not belong to the problem, or the level is not a probability.

    References
    ----------
    Raue, A. et al. (2009), Structural and practical identifiability analysis of partially observed dynamical models by
    exploiting the profile likelihood, Bioinformatics 25(15).
    """
    limit = half_quantile(level)
    at = fitted_point(problem, fit)
    wanted = set(at.problem.space.keys if keys is None else keys)
    for key in wanted - set(at.problem.space.keys):
        raise UnknownName(
            "{name!r} is not among the moved parameters.{suggestion}", name=key, among=at.problem.space.keys
        )
    places = [place for place, key in enumerate(at.problem.space.keys) if key in wanted]
    tell = progress or (lambda _done, _count: None)
    kept = Checkpoint(PROFILES, checkpoint, "" if checkpoint is None else at.digest(level))
    found = {place: arrays for place in places if (arrays := kept.get(f"profile-{place}")) is not None}
    tell(len(found), len(places))
    waiting = [place for place in places if place not in found]
    with open_pool(executor, items=len(waiting)) as pool:
        for number, arrays in pool.finished(partial(_followed, at, limit), waiting):
            found[waiting[number]] = arrays
            kept.keep(f"profile-{waiting[number]}", arrays)
            tell(len(found), len(places))
    return tuple(_profile(at, place, level, limit, found[place]) for place in places)


@dataclass(frozen=True, slots=True)
class _Held:
    """A point of a profile: all parameters, minus log posterior and minus log likelihood."""

    point: Array
    cost: float
    data_cost: float


def _followed(at: FittedPoint, limit: float, place: int) -> dict[str, Array]:
    """Points of the profile of one parameter, shape (point, parameter), with their costs and data costs."""
    at = replace(at, problem=at.problem.copied())  # a problem is not thread-safe
    below, above = (list(_walk(at, place, sign, limit)) for sign in (-1, 1))
    held = [*reversed(below), _Held(at.point, at.cost, at.data_cost), *above]
    return {
        "points": np.array([item.point for item in held]),
        "costs": np.array([item.cost for item in held]),
        "data": np.array([item.data_cost for item in held]),
    }


def _profile(at: FittedPoint, place: int, level: float, limit: float, followed: Arrays) -> Profile:
    prior, z = at.problem.space.priors[place], followed["points"][:, place]
    costs, data = followed["costs"], followed["data"]
    rise, data_rise = costs - costs.min(), data - data.min()
    declared = at.problem.space.parameters[place]
    ends = [_crossing(z, rise, side, limit) for side in (-1, 1)]
    return Profile(
        key=declared.key,
        name=declared.variable or declared.en,
        unit=declared.unit,
        values=np.asarray(prior.from_unbounded(z), dtype=float),
        rise=rise,
        data_rise=data_rise,
        estimate=float(prior.from_unbounded(at.point[place])),
        low=float(prior.from_unbounded(ends[0])),
        high=float(prior.from_unbounded(ends[1])),
        level=level,
        shape=shape_of(rise, data_rise, limit),
        gain=float(at.cost - costs.min()),
    )


def _walk(at: FittedPoint, place: int, sign: int, limit: float) -> Iterator[_Held]:
    """Yield the points of a profile on one side of the estimate, starting next to it."""
    space = at.problem.space
    edge = space.bounds[0 if sign < 0 else 1][place]
    prior, step = space.priors[place], sign * STEP * at.spread[place]
    # Change of the others per unit of this parameter under the normal approximation.
    along = at.curvature.covariance[place] / at.curvature.covariance[place, place]
    last = _Held(at.point, at.cost, at.data_cost)
    least, least_data = at.cost, at.data_cost
    for _ in range(MOST_POINTS):
        wanted = last.point[place] + step
        is_last = sign * (wanted - edge) >= 0
        wanted = edge if is_last else wanted
        start = last.point + along * (wanted - last.point[place])
        start[place] = wanted
        last = _estimated_again(at, place, start)
        if not np.isfinite(last.cost):
            return
        yield last
        least, least_data = min(least, last.cost), min(least_data, last.data_cost)
        is_ruled_out = last.cost - least > 1.5 * limit and last.data_cost - least_data > limit
        score = float(prior.residual(prior.from_unbounded(wanted)))
        if is_last or is_ruled_out or (sign * score >= MAX_DISTANCE and last.cost - least > limit):
            return


def _estimated_again(at: FittedPoint, place: int, start: Array) -> _Held:
    """Re-estimate the other parameters with one fixed."""
    problem, space = at.problem, at.problem.space
    others = [column for column in range(len(start)) if column != place]
    seen: dict[bytes, Array] = {}

    def linearised(point: Array) -> tuple[Array, Array]:
        found, slopes = problem.linearised(point, columns=others)
        seen[point.tobytes()] = found
        return found, slopes

    point = start
    if others:
        inside = np.clip(start, *space.bounds)[others]
        point = with_part(start, others, _SEARCH.minimise(space.part(linearised, start, others), inside).point)
    residuals = seen.get(point.tobytes())
    if residuals is None:  # there was no search, or rounding moved the best point onto a bound
        residuals = problem.residuals(point)
    data = len(problem.rows())
    return _Held(point, 0.5 * float((residuals**2).sum()), 0.5 * float((residuals[:data] ** 2).sum()))


def _crossing(z: Array, rise: Array, side: int, limit: float) -> float:
    """Value nearest to the minimum, on one side, at which the rise reaches a limit; the last point if it never does."""
    # The square root of the rise is interpolated linearly, which is exact for a normal posterior.
    lowest = int(rise.argmin())
    order = range(lowest + side, len(z) if side > 0 else -1, side)
    before = lowest
    for place in order:
        if rise[place] >= limit:
            near, far = np.sqrt(rise[before]), np.sqrt(rise[place])
            share = (np.sqrt(limit) - near) / (far - near)
            return float(z[before] + share * (z[place] - z[before]))
        before = place
    return float(z[-1] if side > 0 else z[0])
