"""The pool of late over early effects: its closed form, a slow twin, normal limits, and the trials that it takes."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from benchmarks.persistence import Pool, pooled, power, trials

effects = st.lists(st.floats(-20, 20), min_size=3, max_size=6)


@given(effects, st.randoms(use_true_random=False), st.floats(0.1, 5))
def test_with_equal_errors_it_is_orthogonal_regression(early: list[float], random, error: float) -> None:
    x = np.array(early)
    y = np.array([random.uniform(-20, 20) for _ in early])
    squares, product = y @ y - x @ x, x @ y
    assume(abs(product) > 0.05 * (x @ x + y @ y))
    expected = (squares + np.sqrt(squares**2 + 4 * product**2)) / (2 * product)
    found = pooled(x, y, np.full(x.size, error), np.full(x.size, error))
    assert_allclose(np.arctan(found), np.arctan(expected), atol=1e-5)


@given(st.integers(0, 10_000))
def test_a_search_finds_nothing_better(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y, s, t = rng.normal(3, 2, 4), rng.normal(2, 3, 4), *rng.uniform(0.3, 2, (2, 4))

    def loss(angle: float) -> float:
        ratio = np.tan(angle)
        return float(((y - ratio * x) ** 2 / (t**2 + ratio**2 * s**2)).sum())

    found = loss(float(np.arctan(pooled(x, y, s, t))))
    grid = np.linspace(-1.57, 1.57, 60)
    tried = [minimize_scalar(loss, bounds=pair, method="bounded").fun for pair in pairwise(grid)]
    assert found <= min(tried) * (1 + 1e-4) + 1e-9


def test_an_exact_ratio_is_found_whatever_the_errors() -> None:
    x = np.array([[1.0, 5.0, -2.0], [2.0, 3.0, 4.0]])
    assert_allclose(pooled(x, 0.7 * x, np.array([1.0, 2.0, 0.1]), np.array([3.0, 0.2, 1.0])), 0.7, atol=1e-4)


def trial_pool(late: float, spread: float) -> Pool:
    return Pool(np.array([10.0]), np.array([late]), np.array([0.01]), np.array([2.0]), spread)


def test_with_a_sure_early_effect_the_interval_and_the_power_are_normal() -> None:
    pool = trial_pool(8.0, 0.0)
    assert_allclose(pool.interval(), 0.8 + 0.2 * norm.ppf(0.95) * np.array([-1, 1]), atol=0.03)
    sets = [pool.simulated(np.array([ratio])) for ratio in (0.5, 1.0)]
    shift = 0.5 / 0.2
    expected = norm.sf(norm.ppf(0.975) - shift) + norm.cdf(norm.ppf(0.025) - shift)
    assert_allclose(power(*sets), expected, atol=0.03)


def test_a_spread_between_trials_widens_what_is_drawn_by_its_variance() -> None:
    plain, spread = (trial_pool(8.0, size).simulated(np.array([1.0])).var() for size in (0.0, 0.5))
    assert_allclose(spread - plain, 0.25, rtol=0.15)


def test_the_rule_takes_four_trials_and_marks_the_error_that_was_not_published() -> None:
    found = {item.rows: (item.years, item.is_marked) for item in trials()}
    assert found == {
        ("E16", "E18"): ((3, 7), True),
        ("E23", "E119"): ((3, 10), False),
        ("E126", "E29"): ((4, 8), False),
        ("E128", "E129"): ((4, 8), False),
    }
    year_up = trials()[0]
    assert year_up.late_error / year_up.late == pytest.approx(year_up.early_error / year_up.early)
