"""A look at the whole prior before any search: where the model gives numbers, and where it comes near the data."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.diagnostics import Finding
from calibration.fitting.problem import CalibrationProblem
from pysd_runner.core.errors import Message

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


def screened(problem: CalibrationProblem, *, seed: int, draws: int = DRAWS) -> Screening:
    """Run a model over draws of the prior."""
    space = problem.space
    drawn = space.sample(np.random.default_rng([seed, 0]), draws)
    points = np.concatenate([space.centre[None], drawn])
    with np.errstate(all="ignore"):
        residuals = problem.residual_batch(points)
    failed: NDArray[np.bool_] = np.asarray(~np.isfinite(residuals).all(axis=1))
    costs = np.where(failed, np.inf, 0.5 * (np.where(failed[:, None], 0.0, residuals) ** 2).sum(axis=1))
    return Screening(points=points, costs=costs, failed=failed, reason=_reason(problem, points[failed]))


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
