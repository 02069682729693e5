"""Every search on the same problems with known minima; budgets, failures, names; starts on executors; optima."""

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from calibration.optimisers import (
    OPTIMISERS,
    EvolutionStrategy,
    LeastSquares,
    Minimum,
    MultiStart,
    Optimiser,
    SearchOutcome,
    SumOfSquares,
    basins,
    optimiser_named,
)
from pysd_runner.core.errors import UnknownName

Array = np.ndarray
SEARCHES: list[Optimiser] = [make() for make in OPTIMISERS.values()]
every_search = pytest.mark.parametrize("search", SEARCHES, ids=lambda item: type(item).__name__)


def straight(points: Array) -> Array:
    """One minimum at (1, 2): cost 0."""
    return np.stack([points[:, 0] - 1, 3 * (points[:, 1] - 2), points[:, 0] + points[:, 1] - 3], axis=1)


def wells(points: Array) -> Array:
    """Two minima in the first variable, at -0.854 (cost 0.47) and at 1 (cost 0); the second follows the first."""
    x, y = points.T
    return np.stack([x**2 - 1, 0.5 * (x - 1), y - x], axis=1)


class Counted:
    """A function of many points, its derivatives by differences, and how often it was asked."""

    def __init__(self, residuals: Callable[[Array], Array], *, pause: float = 0.0) -> None:
        self.residuals, self.pause, self.asked = residuals, pause, 0

    def batch(self, points: Array) -> Array:
        self.asked += len(points)
        time.sleep(self.pause)
        return self.residuals(points)

    def linearised(self, point: Array) -> tuple[Array, Array]:
        steps = 1e-6 * np.eye(len(point))
        slopes = (self.residuals(point + steps) - self.residuals(point - steps)) / 2e-6
        return self.batch(point[None])[0], slopes.T


def objective(function: Counted, lower: float = -np.inf, upper: float = np.inf) -> SumOfSquares:
    return SumOfSquares(
        linearised=function.linearised,
        lower=np.full(2, lower),
        upper=np.full(2, upper),
        scale=np.ones(2),
        residual_batch=function.batch,
        centre=np.zeros(2),
    )


@every_search
def test_every_search_finds_the_minimum(search: Optimiser) -> None:
    function = Counted(straight)
    end = search.minimise(objective(function), np.array([-1.0, 0.5]))
    np.testing.assert_allclose(end.point, [1.0, 2.0], atol=1e-4)
    assert end.outcome.is_success
    assert end.cost == pytest.approx(0.0, abs=1e-8)
    assert end.slope < 1e-3
    # One more to know the slope at the end.
    assert function.asked - 1 <= end.evaluations <= function.asked


@every_search
def test_every_search_keeps_to_bounds(search: Optimiser) -> None:
    function = Counted(straight)
    outside: list[Array] = []
    inner = function.batch

    def watched(points: Array) -> Array:
        outside.extend(point for point in points if (point > 1.5).any() or (point < -3).any())
        return inner(points)

    function.batch = watched
    end = search.minimise(objective(function, -3.0, 1.5), np.array([9.0, 0.5]))
    # With the second variable at its bound of 1.5, half of (x - 1)^2 + (x - 1.5)^2 is least at 1.25.
    np.testing.assert_allclose(end.point, [1.25, 1.5], atol=2e-3)
    assert not outside


def test_a_search_of_a_box_leaves_the_worse_of_two_minima() -> None:
    search, start = EvolutionStrategy(step=2.0), np.array([-1.0, -1.0])
    assert LeastSquares().minimise(objective(Counted(wells)), start).point[0] == pytest.approx(-0.854, abs=1e-3)
    ends = [search.minimise(objective(Counted(wells)), start) for _ in range(2)]
    assert ends[0].point[0] == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_array_equal(ends[0].point, ends[1].point)


@every_search
def test_a_time_budget_is_kept_and_told(search: Optimiser) -> None:
    function = Counted(wells, pause=0.05)
    began = time.monotonic()
    end = type(search)(seconds=0.1).minimise(objective(function), np.array([-1.4, 3.0]))
    # Far less than a search without a budget would take with these pauses; a busy machine may hold it up.
    assert time.monotonic() - began < 5
    assert end.outcome in (SearchOutcome.OUT_OF_TIME, SearchOutcome.EXPLORED_IN_PART)
    assert end.cost <= 0.5 * float((wells(np.array([[-1.4, 3.0]])) ** 2).sum())
    assert np.isfinite(end.slope)


def test_no_time_at_all_still_gives_the_start() -> None:
    end = LeastSquares(seconds=0.0).minimise(objective(Counted(straight)), np.zeros(2))
    assert end.outcome is SearchOutcome.OUT_OF_TIME
    assert not end.outcome.is_success
    np.testing.assert_array_equal(end.point, [0.0, 0.0])


def test_an_exploration_cut_short_is_told() -> None:
    end = EvolutionStrategy(evaluations=60).minimise(objective(Counted(straight)), np.zeros(2))
    assert end.outcome is SearchOutcome.EXPLORED_IN_PART
    assert "budget" in end.outcome.value
    np.testing.assert_allclose(end.point, [1.0, 2.0], atol=1e-6)


@every_search
def test_nothing_to_move_and_nothing_finite_are_told(search: Optimiser) -> None:
    none = SumOfSquares(
        linearised=lambda _: (np.ones(1), np.zeros((1, 0))), lower=np.zeros(0), upper=np.zeros(0), scale=np.zeros(0)
    )
    still = search.minimise(none, np.zeros(0))
    assert still.outcome is SearchOutcome.NOTHING_TO_MOVE
    assert still.cost == 0.5
    broken = Counted(lambda points: np.full((len(points), 3), np.nan))
    end = search.minimise(objective(broken), np.zeros(2))
    assert end.outcome is SearchOutcome.NOT_FINITE
    assert end.cost == np.inf


@every_search
def test_every_search_steps_back_from_failures(search: Optimiser) -> None:
    """Nothing is known right of 1.2, close to the minimum."""
    holed = Counted(lambda points: np.where(points[:, :1] > 1.2, np.nan, straight(points)))
    end = search.minimise(objective(holed, -2.0, 4.0), np.array([0.0, 0.0]))
    np.testing.assert_allclose(end.point, [1.0, 2.0], atol=1e-3)


def test_a_generation_is_one_batch() -> None:
    sizes: list[int] = []
    function = Counted(lambda points: sizes.append(len(points)) or straight(points))  # type: ignore[func-returns-value]
    EvolutionStrategy(population=12).minimise(objective(function), np.zeros(2))
    assert sizes.count(12) >= 5


def test_without_a_batch_points_are_asked_one_by_one() -> None:
    function = Counted(straight)
    alone = SumOfSquares(linearised=function.linearised, lower=np.zeros(2), upper=np.full(2, 3.0), scale=np.ones(2))
    np.testing.assert_allclose(alone.costs(np.array([[1.0, 2.0], [0.0, 2.0]])), [0.0, 1.0], atol=1e-12)


def test_the_box_holds_bounds_centre_and_start() -> None:
    lower, upper = objective(Counted(straight), upper=2.0).box(np.array([-9.0, 1.0]))
    assert lower.tolist() == [-13.0, -4.0]
    assert upper.tolist() == [2.0, 2.0]


def test_the_shared_generator_of_numpy_is_left_alone() -> None:
    np.random.seed(3)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    EvolutionStrategy().minimise(objective(Counted(straight)), np.zeros(2))
    assert np.random.random() == expected  # noqa: NPY002


def test_unknown_names_get_a_suggestion() -> None:
    with pytest.raises(UnknownName, match=r"no optimiser 'least_sqares'. Did you mean 'least_squares'\?.*cma"):
        optimiser_named("least_sqares")
    assert optimiser_named("Least-Squares") == LeastSquares()


POINTS = [np.array([x, 0.0]) for x in (-1.3, 0.8, -0.6, 2.0, 1.4)]


def make_wells() -> SumOfSquares:
    return objective(Counted(wells))


def make_copied() -> SumOfSquares:
    """An objective that counts in memory of its own."""
    made = objective(Counted(wells))
    return SumOfSquares(
        linearised=made.linearised,
        lower=made.lower,
        upper=made.upper,
        scale=made.scale,
        residual_batch=made.residual_batch,
        centre=made.centre,
        copied=make_wells,
    )


def record(end: Minimum) -> tuple[object, ...]:
    return (end.point.tolist(), end.cost, end.outcome, end.slope, end.evaluations)


@pytest.mark.parametrize("search", [LeastSquares(), EvolutionStrategy(evaluations=400)], ids=repr)
def test_ends_do_not_depend_on_the_executor(search: Optimiser) -> None:
    alone = MultiStart(search).minimise(make_copied(), POINTS)
    kept: dict[int, Minimum] = {}
    with ThreadPoolExecutor(3) as threads, ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        for executor in (threads, processes) if isinstance(search, LeastSquares) else (threads,):
            seen: list[int] = []
            found = MultiStart(search, executor).minimise(
                make_copied(), POINTS, keep=kept.__setitem__, progress=seen.append
            )
            assert [record(end) for end in found.optima] == [record(end) for end in alone.optima]
            assert seen == [1, 2, 3, 4, 5]
            assert sorted(kept) == [0, 1, 2, 3, 4]


def test_finished_starts_are_not_searched_again() -> None:
    whole = MultiStart(LeastSquares()).minimise(make_wells(), POINTS)
    function = Counted(wells)
    done = dict(enumerate(whole.optima[:4]))
    again = MultiStart(LeastSquares()).minimise(objective(function), POINTS, finished=done)
    assert [record(end) for end in again.optima] == [record(end) for end in whole.optima]
    assert function.asked == whole.optima[4].evaluations


def test_starts_of_a_search_that_draws_draw_differently() -> None:
    search = EvolutionStrategy(evaluations=30, seed=5)
    same = MultiStart(search).minimise(make_wells(), [POINTS[0], POINTS[0]])
    assert same.optima[0].evaluations != same.optima[1].evaluations or not np.array_equal(
        same.optima[0].point, same.optima[1].point
    )


def test_a_deadline_ends_all_starts() -> None:
    function = Counted(wells, pause=0.02)
    found = MultiStart(LeastSquares(), None, time.monotonic() + 0.1).minimise(objective(function), POINTS)
    assert [end.outcome for end in found.optima][-3:] == [SearchOutcome.OUT_OF_TIME] * 3
    assert len(found.optima) == 5


def end_at(x: float, cost: float, outcome: SearchOutcome = SearchOutcome.CONVERGED) -> Minimum:
    return Minimum(point=np.array([x, 0.0]), cost=cost, outcome=outcome, slope=0.0, evaluations=1)


def test_ends_are_sorted_into_optima_by_cost_and_place() -> None:
    ends = [
        end_at(0.0, 5.0),
        end_at(4.0, 5.001),  # as low, elsewhere
        end_at(0.15, 5.002),  # linked to the first through the next
        end_at(0.08, 5.001),
        end_at(0.0, 7.0),  # the same place by its coordinates, another cost
        end_at(0.0, 1.0, SearchOutcome.OUT_OF_TIME),  # no optimum
    ]
    found = basins(ends, np.ones(2))
    assert [item.members for item in found] == [(0, 2, 3), (1,), (4,)]
    assert [item.optimum.cost for item in found] == [5.0, 5.001, 7.0]
    assert [item.members for item in basins(ends, np.full(2, 100.0))] == [(0, 1, 2, 3), (4,)]


def test_real_searches_end_in_the_two_wells() -> None:
    starts = MultiStart(LeastSquares()).minimise(make_wells(), POINTS)
    found = basins(starts.optima, np.ones(2))
    assert [item.members for item in found] == [(1, 3, 4), (0, 2)]
    assert starts.best is starts.optima[found[0].members[0]] or starts.best.cost == found[0].optimum.cost
