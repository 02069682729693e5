"""A look at a model over draws of the prior and near a point, before it is searched: what fails, and what jumps."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.problem import CalibrationProblem
from calibration.optimisers.objective import half_squares
from pysd_runner.core.errors import Message, SimulationFailed, UnsupportedFeature
from pysd_runner.core.findings import Finding

Array = NDArray[np.float64]

DRAWS = 256
# A parameter explains the failures if one cut of it tells them from the others this well.
TOLD = 0.9


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Screening:
    """Draws of the prior, the centre first."""

    points: Array
    costs: Array
    failed: NDArray[np.bool_]
    reason: str

    @property
    def best(self) -> Array:
        """Points that gave numbers, the nearest to the data first, shape (draw, parameter)."""
        order = np.argsort(self.costs, kind="stable")
        return self.points[order[: int((~self.failed).sum())]]

    def finding(self, keys: tuple[str, ...], problem: CalibrationProblem) -> Finding | None:
        """What a reader must know of draws that failed; None where none did."""
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

    def _where(self, keys: tuple[str, ...], problem: CalibrationProblem) -> str:
        """The cut of one parameter that tells failures from the others best."""
        values = problem.space.to_values(self.points)
        best, text = TOLD, ""
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
                    text = f", most of those with {key} {'up to' if is_below else 'from'} {cut:.3g}"
        return text


def screened(problem: CalibrationProblem, *, seed: int) -> Screening:
    """Run a model over draws of the prior."""
    space = problem.space
    drawn = space.sample(np.random.default_rng([seed, 0]), DRAWS)
    points = np.concatenate([space.centre[None], drawn])
    with np.errstate(all="ignore"):
        residuals = problem.residual_batch(points)
    failed: NDArray[np.bool_] = np.asarray(~np.isfinite(residuals).all(axis=1))
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
    return Screening(points=points, costs=half_squares(residuals), failed=failed, reason=reason)


def _reason(problem: CalibrationProblem, points: Array) -> str:
    """Where the first failure came from."""
    if not len(points):
        return ""
    first = points[:1]
    run = problem.runs.run(problem.space.to_values(first), 1)
    values = ", ".join(f"{key} = {value[0]:.3g}" for key, value in problem.space.to_values(first).items())
    if run.failures:
        return f"; the first one, with {values}: {run.failures[0]}"
    return f"; with {values} the observed variables leave the scale they are compared on"


# Intervals into which one prior standard deviation to either side is cut.
PIECES = 24
# Change of a residual, in its standard deviations, that slopes on both sides do not explain.
LEAST = 0.02


def jumping(problem: CalibrationProblem, point: Array) -> tuple[str, ...]:
    """Parameters along which residuals jump near a point."""
    return tuple(key for place, key in enumerate(problem.space.keys) if _jumps(problem, point, place))


def _jumps(problem: CalibrationProblem, point: Array, place: int) -> bool:
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
    if wide < LEAST:
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
    """What the slopes at both ends of each interval do not explain, shape (interval, residual)."""
    widths = np.diff(at)[:, None]
    return np.asarray(np.abs(np.diff(values, axis=0) - widths * (slopes[1:] + slopes[:-1]) / 2))
