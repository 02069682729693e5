"""Exact slopes of the residuals, against differences between runs and against each piece by itself."""

import pickle

import numpy as np
import pytest

from calibration import Problem
from calibration.fitting.comparison import Comparison
from calibration.observation import MOST_PERSISTENT, Noise, Whitening
from pysd_runner.core.errors import UnsupportedFeature
from pysd_runner.study.region_inputs import yearly_memory
from tests.calibration.panels import made_panel, model_of

COUNT, YEARS = 5, 6
TRUTH = {"q_a": 0.25, "lam_U": 0.25, "c0": 0.02, "pi": 0.5, "tau_m": 0.9, "lambda_s": 2.0}


@pytest.fixture(scope="module")
def problem() -> Problem:
    made = Problem(model_of(COUNT), made_panel(COUNT, YEARS, TRUTH, noise=1.0))
    return made.with_noise({item.label: Noise(0.05, 0.6, independent=0.4) for item in made.series})


def sixth_order(function, z, column, step):
    """Derivative by central differences of sixth order."""
    moved = []
    for k in (-3, -2, -1, 1, 2, 3):
        point = z.copy()
        point[column] += k * step
        moved.append(function(point))
    return sum(weight * item for weight, item in zip((-1, 9, -45, 45, -9, 1), moved, strict=True)) / (60 * step)


@pytest.mark.parametrize("seed", range(3))
def test_slopes_of_the_residuals_are_those_of_many_runs(problem, seed):
    z = problem.space.centre + 0.3 * problem.space.scale * np.random.default_rng(seed).normal(size=len(problem.space))
    lower, upper = problem.space.bounds
    z = np.clip(z, lower + 0.05 * problem.space.scale, upper - 0.05 * problem.space.scale)
    data = slice(0, len(problem.rows()))
    residuals, found = problem.linearised(z)
    np.testing.assert_allclose(residuals, problem.residuals(z), rtol=1e-10, atol=1e-11)
    largest = np.abs(found[data] * problem.space.scale).max()
    for column, scale in enumerate(problem.space.scale):
        exact = sixth_order(problem.residuals, z, column, 5e-3 * scale)[data]
        # Rounding in the runs is that of the residuals, also where a parameter hardly moves them.
        np.testing.assert_allclose(
            found[data, column] * scale, exact * scale, atol=1e-8 * np.abs(exact * scale).max() + 1e-11 * largest
        )


def test_parameters_that_enter_only_beside_the_model_count(problem):
    """A loading is not a variable of the model: it turns start values and what is observed."""
    key = "lambda_s"
    assert problem.spec.parameters[key].variable == ""
    slopes = problem.jacobian(problem.space.centre)[: len(problem.rows()), problem.space.keys.index(key)]
    assert np.abs(slopes).max() > 0.1


def test_a_model_without_derivatives_is_differenced(problem, monkeypatch):
    z = problem.space.centre
    exact = problem.jacobian(z)

    def refuse(*_, **__):
        raise UnsupportedFeature("no")

    monkeypatch.setattr(Comparison, "_linearised", refuse)
    residuals, slopes = problem.linearised(z)
    np.testing.assert_allclose(slopes, exact, atol=1e-5 * np.abs(exact).max())
    np.testing.assert_allclose(residuals, problem.residuals(z), rtol=1e-12, atol=1e-12)


def test_differences_stay_within_the_bounds(problem):
    lower, upper = problem.space.bounds
    size = np.abs(problem.jacobian(problem.space.centre)[: len(problem.rows())]).max(axis=0) * problem.space.scale
    column = int(np.where(np.isfinite(lower) & np.isfinite(upper), size, 0.0).argmax())
    assert size[column] > 0.01
    for bound in (lower[column], upper[column]):
        z = problem.space.centre.copy()
        z[column] = bound
        residuals, slopes = problem._differences(z, [column])
        np.testing.assert_allclose(residuals, problem.residuals(z)[: len(residuals)], rtol=1e-12, atol=1e-12)
        inside = z.copy()
        inside[column] += 1e-3 * problem.space.scale[column] * (1 if bound == lower[column] else -1)
        near = problem._differences(inside, [column])[1]
        np.testing.assert_allclose(slopes, near, atol=0.02 * np.abs(near).max())


def test_the_memory_of_momentum_is_held_below_one(problem):
    decays = np.array([0.9, 100.0])
    shares = yearly_memory(decays, 0.25)
    assert shares[0] < MOST_PERSISTENT < shares[1]
    entering = problem.runs.entering
    assert entering.memory({"tau_m": decays}).tolist() == [shares[0], MOST_PERSISTENT]
    below, above = (entering.memory_slopes({"tau_m": decay}, {"tau_m": 1.0}).tolist() for decay in decays)
    assert below == [entering.bound.at({"tau_m": decays[0]}).memory_slope()]
    assert above == [0.0]


def test_a_problem_goes_to_another_process_after_it_was_used(problem):
    z = problem.space.centre
    expected = problem.jacobian(z)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(problem)).jacobian(z), expected)  # noqa: S301


def test_slope_of_the_memory(problem):
    bound = problem.runs.entering.bound
    decay, step = np.array([0.3, 0.9, 2.0]), 1e-5
    expected = (yearly_memory(decay + step, 0.25) - yearly_memory(decay - step, 0.25)) / (2 * step)
    np.testing.assert_allclose(bound.at({"tau_m": decay}).memory_slope(), expected, rtol=1e-7)
    assert bound.at({"tau_m": np.array(0.2)}).memory_slope() == 0


def test_slope_of_innovations(problem):
    rng = np.random.default_rng(1)
    for item in problem.series:
        whitening, noise = Whitening(item), Noise(0.1, 0.4)
        residuals, moved = (np.where(item.seen, rng.normal(size=item.values.shape), np.nan) for _ in range(2))

        def along(share, of=(whitening, residuals, moved, noise)):
            return of[0].standardised((of[1] + share * of[2])[None], of[3], persistence=np.array([0.5 + 2 * share]))[0]

        found = whitening.slopes(residuals, moved[None], noise, persistence=0.5, persistence_slopes=np.array([2.0]))
        np.testing.assert_allclose(found[0], (along(1e-6) - along(-1e-6)) / 2e-6, rtol=1e-6, atol=1e-8)
