"""Profiles: each parameter held at values along its range, all the others estimated again at each."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.point import FittedPoint, Progress, fitted_point
from calibration.fitting.problem import CalibrationProblem
from calibration.fitting.results import FitResult
from calibration.fitting.space import with_part
from calibration.optimisers import LeastSquares
from pysd_runner.core.errors import InvalidInput, UnknownName, suggest
from pysd_runner.core.parallel import one_thread, open_pool
from pysd_runner.export.records import Checkpoint, Computation

Array = NDArray[np.float64]

PROFILES = Computation(name="set of profiles", label="profiles.json", settings="model, panel, fit or level")

# The grid moves by this many standard deviations of the normal approximation, so that a normal posterior has about four
# points on each side of its interval.
STEP = 0.5
# It ends this many prior standard deviations from the centre of the prior: what lies beyond is not believed anyway.
FARTHEST = 2.5
MOST_POINTS = 16
# Costs along a profile matter to about 0.01; the searches stop where a step promises a tenth of that.
_SEARCH = LeastSquares(tolerance=1e-5, predicted_reduction=1e-3, evaluations=60)
# A dip must be this deep in minus log posterior to count as a second mode: a likelihood ratio of e to the half.
DIP = 0.5


class ProfileShape(Enum):
    """How the data part of a profile looks; the value is the phrase a reader is told."""

    BOTH = "bounded on both sides"
    BELOW = "bounded from below only"
    ABOVE = "bounded from above only"
    FLAT = "flat"
    TWO_MODES = "two modes"


def shape_of(rise: Array, data_rise: Array, limit: float) -> ProfileShape:
    """Tell the shape of a profile.

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
    """Depth of the second lowest valley: how far one must climb from it towards the lowest."""
    lowest = int(rise.argmin())
    right = np.maximum.accumulate(rise[lowest:]) - rise[lowest:]
    left = np.maximum.accumulate(rise[lowest::-1]) - rise[lowest::-1]
    return float(max(right.max(), left.max()))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Profile:
    """The posterior along one parameter, maximised over all the others.

    Attributes
    ----------
    key, name, unit
        Of the parameter.
    values
        Where it was held, ascending, in its unit, shape (point,).
    rise
        Minus log posterior less its minimum along the profile, shape (point,).
    data_rise
        The part of minus log posterior that is data, less its minimum along the profile, shape (point,): flat where
        the panel cannot tell the values apart, whatever the prior says.
    estimate
        The estimate of the fit.
    low, high
        Ends of the interval: where `rise` is half the quantile of chi-squared with one degree of freedom; the bound
        where a bound comes first.
    level
        Probability of the interval.
    shape
        How the data part looks.
    gain
        By how much some point of the profile lies below the estimate of the fit, 0 for a true optimum.
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


def half_quantile(level: float) -> float:
    """Rise of minus log posterior at the ends of an interval: half the quantile of chi-squared with one degree.

    Parameters
    ----------
    level
        Between 0 and 1.

    Returns
    -------
    float
        Dimensionless.

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
    problem: CalibrationProblem,
    fit: FitResult,
    keys: Iterable[str] | None = None,
    *,
    level: float = 0.9,
    executor: str | Executor | None = None,
    checkpoint: str | Path | None = None,
    progress: Progress | None = None,
) -> tuple[Profile, ...]:
    """Profile the posterior along some parameters.

    From the estimate the parameter is moved step by step in both directions; at each step the others are estimated
    again, starting from where they were the step before, moved as the normal approximation says. A side ends when the
    data alone and the posterior both have risen beyond the level, at a bound, or `FARTHEST` prior standard deviations
    from the centre of the prior. Errors of the series stay those of the fit.

    Parameters
    ----------
    problem
        What was fitted.
    fit
        What was found.
    keys
        Parameters; None for all that were moved.
    level
        Probability of the intervals.
    executor
        Follows several parameters at the same time, as for `fit`; results do not depend on it.
    checkpoint
        A folder that keeps finished profiles; the same call goes on from there.
    progress
        Called with parameters finished and parameters in all.

    Returns
    -------
    tuple of Profile
        In the order of the problem.

    Raises
    ------
    UnknownName
        If a key is not among the moved parameters.
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
            "{name!r} is not among the moved parameters.{suggestion}",
            name=key,
            suggestion=suggest(key, at.problem.space.keys),
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
    """One point of a profile: the whole vector, its cost and the part that is data."""

    point: Array
    cost: float
    data_cost: float


def _followed(at: FittedPoint, limit: float, place: int) -> dict[str, Array]:
    """Points along a parameter, shape (point, parameter), with their costs and the parts of these that are data."""
    at = replace(at, problem=at.problem.copied())  # one serves one thread at a time
    below, above = (list(_walk(at, place, sign, limit)) for sign in (-1, 1))
    held = [*reversed(below), _Held(at.point, at.cost, at.data_cost), *above]
    return {
        "points": np.array([item.point for item in held]),
        "costs": np.array([item.cost for item in held]),
        "data": np.array([item.data_cost for item in held]),
    }


def _profile(at: FittedPoint, place: int, level: float, limit: float, followed: Mapping[str, Array]) -> Profile:
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
    """Points on one side of the estimate, from near to far."""
    space = at.problem.space
    edge = space.bounds[0 if sign < 0 else 1][place]
    prior, step = space.priors[place], sign * STEP * at.spread[place]
    # How the others move with this one under the normal approximation.
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
        if is_last or is_ruled_out or (sign * score >= FARTHEST and last.cost - least > limit):
            return


def _estimated_again(at: FittedPoint, place: int, start: Array) -> _Held:
    """The best of the others while one is held."""
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
    if residuals is None:  # nothing was searched, or the best point was moved onto a bound by rounding
        residuals = problem.residuals(point)
    data = len(problem.rows())
    return _Held(point, 0.5 * float((residuals**2).sum()), 0.5 * float((residuals[:data] ** 2).sum()))


def _crossing(z: Array, rise: Array, side: int, limit: float) -> float:
    """Where the rise passes a limit for the first time, seen from the lowest point; the last point if it never does."""
    # Between points the root of the rise is taken as linear, which is exact for a normal posterior.
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
