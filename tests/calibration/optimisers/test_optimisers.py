"""Searches on problems with known answers; how an end is told."""

from collections.abc import Callable

import numpy as np
import pytest

from calibration.optimisers import LeastSquares, Minimum, MultiStart, SearchOutcome, SumOfSquares
from pysd_runner.core.errors import InvalidInput

Array = np.ndarray


def objective(
    residuals: Callable[[Array], Array], size: int, *, lower: float = -np.inf, upper: float = np.inf
) -> SumOfSquares:
    def linearised(point: Array) -> tuple[Array, Array]:
        found = residuals(point)
        steps = 1e-6 * np.eye(size)
        columns = [(residuals(point + step) - residuals(point - step)) / 2e-6 for step in steps]
        return found, np.reshape(columns, (size, len(found))).T

    return SumOfSquares(
        linearised=linearised, lower=np.full(size, lower), upper=np.full(size, upper), scale=np.ones(size)
    )


def rosenbrock(point: Array) -> Array:
    return np.array([10 * (point[1] - point[0] ** 2), 1 - point[0]])


def wells(point: Array) -> Array:
    """Two minima, at -1 (cost about 0.02) and near 1 (cost 0)."""
    return np.array([point[0] ** 2 - 1, 0.1 * (point[0] - 1)])


# name, residuals, size, start, answer
PROBLEMS = [
    ("line", lambda x: np.array([x[0] - 3.0, 2 * x[0] - 6.0]), 1, [0.0], [3.0]),
    ("rosenbrock", rosenbrock, 2, [-1.2, 1.0], [1.0, 1.0]),
    ("decay", lambda x: np.exp(-x[0] * np.arange(5)) - np.exp(-0.7 * np.arange(5)), 1, [0.1], [0.7]),
]


@pytest.mark.parametrize(("name", "residuals", "size", "start", "answer"), PROBLEMS, ids=[p[0] for p in PROBLEMS])
def test_known_minima(
    name: str, residuals: Callable[[Array], Array], size: int, start: list[float], answer: list[float]
) -> None:
    end = LeastSquares().minimise(objective(residuals, size), np.array(start))
    np.testing.assert_allclose(end.point, answer, atol=1e-6)
    assert end.outcome is SearchOutcome.CONVERGED
    assert end.slope < 1e-5


@pytest.mark.parametrize(("name", "residuals", "size", "start", "answer"), PROBLEMS, ids=[p[0] for p in PROBLEMS])
def test_a_search_ends_where_the_next_step_promises_too_little(
    name: str, residuals: Callable[[Array], Array], size: int, start: list[float], answer: list[float]
) -> None:
    whole, early = (
        LeastSquares(predicted_reduction=least).minimise(objective(residuals, size), np.array(start))
        for least in (0.0, 1e-3)
    )
    assert early.outcome is SearchOutcome.CONVERGED
    assert early.evaluations <= whole.evaluations
    assert early.cost - whole.cost < 2e-3
    assert early.cost == pytest.approx(0.5 * (residuals(early.point) ** 2).sum())
    near = LeastSquares(predicted_reduction=1e-3).minimise(objective(residuals, size), np.array(answer) + 1e-5)
    assert near.evaluations == 1
    assert near.slope < 0.1


def test_a_bound_stops_the_search_and_is_no_slope() -> None:
    end = LeastSquares().minimise(objective(lambda x: x - 3.0, 1, upper=1.0), np.array([5.0]))
    assert end.point[0] == pytest.approx(1.0, abs=1e-6)
    assert end.outcome is SearchOutcome.CONVERGED
    assert end.slope == 0.0


def test_the_limit_is_told() -> None:
    end = LeastSquares(evaluations=3).minimise(objective(rosenbrock, 2), np.array([-1.2, 1.0]))
    assert end.outcome is SearchOutcome.STOPPED_AT_LIMIT
    assert "limit" in end.outcome.value
    assert not end.outcome.is_success


def test_the_best_is_a_converged_one_even_if_another_is_lower() -> None:
    ends = iter(
        [
            Minimum(point=np.ones(1), cost=1.0, outcome=SearchOutcome.STOPPED_AT_LIMIT, slope=9.0, evaluations=1),
            Minimum(point=np.zeros(1), cost=2.0, outcome=SearchOutcome.CONVERGED, slope=0.0, evaluations=1),
        ]
    )

    class Scripted:
        def minimise(self, _: SumOfSquares, __: Array) -> Minimum:
            return next(ends)

    starts = MultiStart(Scripted()).minimise(objective(wells, 1), [np.zeros(1), np.zeros(1)])
    assert starts.best.cost == 2.0
    assert len(starts.failed) == 1
    assert not starts.elsewhere


def test_a_search_needs_a_start() -> None:
    with pytest.raises(InvalidInput, match="at least one start"):
        MultiStart(LeastSquares()).minimise(objective(wells, 1), [])


@pytest.mark.parametrize(
    ("lower", "upper", "scale", "message"),
    [([1.0], [0.0], [1.0], "not in order"), ([0.0], [1.0], [0.0], "scale"), ([0.0, 0.0], [1.0], [1.0], "one length")],
)
def test_objectives_that_make_no_sense(
    lower: list[float], upper: list[float], scale: list[float], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        SumOfSquares(
            linearised=lambda point: (point, np.eye(1)),
            lower=np.array(lower),
            upper=np.array(upper),
            scale=np.array(scale),
        )
