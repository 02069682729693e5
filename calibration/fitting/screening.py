"""Screen a model before the search: failing prior draws, discontinuities, and parameters the data are sensitive to."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from calibration.fitting.space import ParameterSpace, with_part
from calibration.observation import Noise, Series
from calibration.optimisers import LeastSquares
from calibration.optimisers.objective import half_squares
from pysd_runner.core.errors import InvalidInput, Message, SimulationFailed, UnsupportedFeature
from pysd_runner.core.findings import Finding
from pysd_runner.core.numbers import three_digits
from pysd_runner.core.types import Array, Flags, frozen

if TYPE_CHECKING:
    from calibration.fitting.problem import Problem


DRAWS = 256
# Minimum share of draws that a threshold on one parameter classifies correctly as failed or not, to be reported.
MIN_CLASSIFIED = 0.9


@frozen(eq=False)
class Screening:
    """Results of running a model for prior draws; the first point is the centre of the prior."""

    points: Array
    costs: Array
    failed: Flags
    reason: str

    @property
    def best(self) -> Array:
        """Points whose runs did not fail, those closest to the data first, shape (draw, parameter)."""
        order = np.argsort(self.costs, kind="stable")
        return self.points[order[: int((~self.failed).sum())]]

    def finding(self, keys: tuple[str, ...], problem: "Problem") -> Finding | None:
        """Finding on draws that failed; None if there are none."""
        count = int(self.failed.sum())
        if not count:
            return None
        text = Message(
            "{failed} of {all} draws of the prior give no usable numbers{where}{reason}. The search stays among the "
            "others.",
            failed=count,
            all=len(self.failed),
            where=self._where(keys, problem),
            reason=self.reason,
        )
        return Finding("failed-draws", text, "warning")

    def _where(self, keys: tuple[str, ...], problem: "Problem") -> str:
        """Describe the threshold on one parameter that separates failed draws best; empty if none does well enough."""
        values = problem.space.to_values(self.points)
        best, text = MIN_CLASSIFIED, ""
        for key in keys:
            column = values[key]
            order = np.argsort(column, kind="stable")
            bad = self.failed[order]
            for is_below in (True, False):
                hits = np.cumsum(bad if is_below else bad[::-1])
                wrong = np.cumsum(~bad if is_below else ~bad[::-1])
                right = (hits + ((~bad).sum() - wrong)) / len(bad)
                place = int(right.argmax())
                if right[place] > max(best, 1 - self.failed.mean()) and hits[place] > 1:
                    best = float(right[place])
                    cut = column[order][place] if is_below else column[order][::-1][place]
                    limit = {"key": key, "cut": cut}
                    below = Message(", most of those with {key} up to {cut:.3g}", **limit)
                    text = below if is_below else Message(", most of those with {key} from {cut:.3g}", **limit)
        return text


def _drawn(problem: "Problem", seed: Sequence[int], draws: int) -> Array:
    """The centre of the prior (of a payoff, the values of the file) followed by draws, shape (draw, parameter)."""
    space = problem.space
    first = problem.start if problem.is_general else space.centre
    return np.concatenate([first[None], space.sample(np.random.default_rng(seed), draws)])


def screened(problem: "Problem", *, seed: int) -> Screening:
    """Run the model for prior draws; raises ``SimulationFailed`` if all of them fail."""
    points = _drawn(problem, [seed, 0], DRAWS)
    with np.errstate(all="ignore"):
        costs = half_squares(problem.residual_batch(points)) + problem.beside_batch(points)
    failed: Flags = np.asarray(~np.isfinite(costs))
    reason = _reason(problem, points[failed])
    if failed.all():
        raise SimulationFailed(
            "{model} gives no numbers that can be compared with table {table!r} for any of {count} draws of the "
            "priors{reason}; check units, starting values and priors",
            model=problem.model.name,
            table=problem.data.name,
            count=len(failed),
            reason=reason,
        )
    return Screening(points=points, costs=costs, failed=failed, reason=reason)


def _reason(problem: "Problem", points: Array) -> str:
    """Describe the cause of the first failure."""
    if not len(points):
        return ""
    first = points[:1]
    run = problem.runs.run(problem.space.to_values(first), 1)
    found = [f"{key} = {value[0]:.3g}" for key, value in problem.space.to_values(first).items()]
    values = ", ".join([*found[:MAX_REASONS], *["..."][: len(found) > MAX_REASONS]])
    if run.failures:
        return Message("; the first one, with {values}: {failure}", values=values, failure=run.failures[0].message)
    return Message("; with {values} the observed variables leave the scale they are compared on", values=values)


# Number of intervals into which the range of one prior standard deviation on either side of a point is divided.
PIECES = 24
# Minimum change of a residual not explained by derivatives, in standard deviations, that counts as a discontinuity.
MIN_JUMP = 0.02


def jumping(problem: "Problem", point: Array) -> tuple[str, ...]:
    """Parameters in which residuals are discontinuous near a point."""
    return tuple(key for place, key in enumerate(problem.space.keys) if _jumps(problem, point, place))


def _jumps(problem: "Problem", point: Array, place: int) -> bool:
    lower, upper = (bound[place] for bound in problem.space.bounds)
    reach = min(problem.space.scale[place], 1.0)
    low, high = (float(np.clip(point[place] + side * reach, lower, upper)) for side in (-1, 1))
    path = np.repeat(point[None], PIECES + 1, axis=0)
    path[:, place] = np.linspace(low, high, PIECES + 1)
    try:
        found = [problem.linearised(item, columns=[place]) for item in path]
    except UnsupportedFeature:
        return False
    values, slopes = np.stack([item[0] for item in found]), np.stack([item[1][:, 0] for item in found])
    gaps = _unexplained(values, slopes, path[:, place])
    worst = np.nanargmax(np.nanmax(gaps, axis=1)) if np.isfinite(gaps).any() else 0
    wide = float(np.nanmax(gaps[worst])) if np.isfinite(gaps[worst]).any() else 0.0
    if wide < MIN_JUMP:
        return False
    middle = (path[worst] + path[worst + 1]) / 2
    value, slope = problem.linearised(middle, columns=[place])
    finer = np.array([path[worst, place], middle[place], path[worst + 1, place]])
    halves = _unexplained(
        np.stack([values[worst], value, values[worst + 1]]),
        np.stack([slopes[worst], slope[:, 0], slopes[worst + 1]]),
        finer,
    )
    return float(np.nanmax(halves)) > 0.7 * wide


def _unexplained(values: Array, slopes: Array, at: Array) -> Array:
    """Change over each interval beyond that explained by derivatives at both ends, shape (interval, residual)."""
    widths = np.diff(at)[:, None]
    return np.asarray(np.abs(np.diff(values, axis=0) - widths * (slopes[1:] + slopes[:-1]) / 2))


MAX_FREE = 10
# Standard deviation of errors assumed while parameters are selected, relative to that of the data.
ERROR = 0.1
# Minimum change of the data, in such errors, per prior standard deviation of a parameter, for it to be selected.
FELT = 1.0
# Sensitivities are computed at the POINTS prior draws closest to the data, out of LOOKED_AT.
POINTS, LOOKED_AT = 3, 128
# Maximum number of reasons listed for parameters that are not selected.
MAX_REASONS = 12
# Maximum evaluations of the short search after which parameters are selected again.
ROUGHLY = 30


def selected(problem: "Problem", *, seed: int) -> tuple[list[str], tuple[str, ...]]:
    """Select at most ten parameters to estimate, with the reasons for or against each candidate."""
    space = problem.space
    problem = problem.with_noise({item.label: Noise(_error(item)) for item in problem.series})
    slopes = _sensitivities(problem, seed)
    if not np.isfinite(slopes).any():
        raise InvalidInput(
            "{model} gives no numbers near its own values; name parameters with free (--free)",
            model=problem.model.path.name,
        )
    first, _ = _greedy(space, slopes)
    # Select again after a short search, since sensitivities far from the data may be misleading.
    places = [space.keys.index(name) for name in first]
    objective = space.part(partial(problem.linearised, columns=places), space.centre, places)
    search = LeastSquares(tolerance=1e-3, evaluations=ROUGHLY)
    point = with_part(space.centre, places, search.minimise(objective, space.centre[places]).point)
    if not np.isfinite(problem.residuals(point)).all():
        return _greedy(space, slopes)
    settled = problem.estimated_noise(point)
    nearer = {label: Noise(min(item.sd, problem.noise[label].sd)) for label, item in settled.items()}
    again = _slopes(problem.with_noise(nearer), point)
    return _greedy(space, again[None] if np.isfinite(again).all() else slopes)


def _error(series: Series) -> float:
    if series.errors.is_count:
        return ERROR
    seen = series.values[np.isfinite(series.values)]
    return ERROR * float(seen.std() or abs(seen[0]) or 1.0)


def _sensitivities(problem: "Problem", seed: int) -> Array:
    """Change of the residuals per prior standard deviation, shape (point, residual, parameter)."""
    points = _drawn(problem, [seed, 2], LOOKED_AT)
    with np.errstate(all="ignore"):
        costs = half_squares(problem.residual_batch(points)[:, : len(problem.rows())])
    order = np.argsort(costs, kind="stable")[: min(POINTS, int(np.isfinite(costs).sum()))]
    found = [slopes for point in points[order] if np.isfinite(slopes := _slopes(problem, point)).all()]
    return np.stack(found) if found else np.full((1, 1, len(problem.space)), np.nan)


def _slopes(problem: "Problem", point: Array) -> Array:
    """Change of the residuals per prior standard deviation at one point, shape (residual, parameter)."""
    return problem.linearised(point)[1][: len(problem.rows())] * problem.space.scale


def _greedy(space: ParameterSpace, slopes: Array) -> tuple[list[str], tuple[str, ...]]:
    left = slopes.copy()
    alone = _strengths(slopes)
    chosen: list[int] = []
    reasons: list[str] = []
    while len(chosen) < min(MAX_FREE, len(space)):
        strengths = _strengths(left)
        strengths[chosen] = 0.0
        best = int(strengths.argmax())
        if strengths[best] < FELT:
            break
        chosen.append(best)
        reasons.append(
            Message(
                "{name} is estimated: one standard deviation of its prior changes the residuals by {errors:.3g} "
                "standard errors, {apart:.3g} of them in ways that the parameters above do not.",
                name=space.keys[best],
                errors=alone[best],
                apart=strengths[best],
            )
            if len(chosen) > 1
            else Message(
                "{name} is estimated: one standard deviation of its prior changes the residuals by {errors:.3g} "
                "standard errors.",
                name=space.keys[best],
                errors=alone[best],
            )
        )
        # Project at each point separately: along a curved ridge parameters are confounded at every point.
        lengths = np.sqrt((left[:, :, best] ** 2).sum(axis=1))
        direction = left[:, :, best] / np.where(lengths > 0, lengths, 1.0)[:, None]
        left = left - direction[:, :, None] * np.einsum("pr,prk->pk", direction, left)[:, None, :]
    if not chosen:
        raise InvalidInput(
            "the data feel no constant of the model; name parameters with free (--free), or look at units"
        )
    return [space.keys[place] for place in sorted(chosen)], (*reasons, *_held(space, alone, left, chosen))


def _strengths(slopes: Array) -> Array:
    """Norm of the change of the data with each parameter, root mean square over the points, shape (parameter,)."""
    return np.asarray(np.sqrt((slopes**2).sum(axis=1).mean(axis=0)))


def _held(space: ParameterSpace, alone: Array, left: Array, chosen: Sequence[int]) -> list[str]:
    """Reasons why the other parameters are not selected."""
    others = [place for place in np.argsort(-alone, kind="stable") if place not in chosen]
    apart = _strengths(left)
    found = []
    for place in others[:MAX_REASONS]:
        if alone[place] < FELT:
            why = Message("the data hardly feel it")
        elif apart[place] < FELT:
            why = Message("the data cannot tell it from those that are estimated")
        else:
            why = Message("{count} are estimated already", count=MAX_FREE)
        value = three_digits(space.parameters[place].value, digits=6)
        found.append(Message("{name} stays at {value}: {why}.", name=space.keys[place], value=value, why=why))
    more = len(others) - MAX_REASONS
    return [*found, *([Message("{count} others stay at their values as well.", count=more)] if more > 0 else [])]
