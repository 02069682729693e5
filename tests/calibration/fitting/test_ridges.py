"""Ridges as coordinates: inverses and slopes, searches that end at the same place, and what is said of them."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from calibration import Fit, Problem, fit
from calibration.fitting.space import ParameterSpace, RidgeChange, applying
from calibration.optimisers import (
    Coordinates,
    EvolutionStrategy,
    LeastSquares,
    Optimiser,
    Reparametrised,
    SearchOutcome,
    SumOfSquares,
)
from calibration.optimisers.multistart import turned_objective
from pysd_runner.spec import ModelSpec
from tests.calibration.panels import made_panel, model_of

FREE = ("m0", "eps", "lam_S", "lam_U", "dep_S", "q_a", "pi")


@pytest.fixture(scope="module")
def problem() -> Problem:
    return Problem(model_of(5), made_panel(5, 6, noise=1.0), free=FREE)


@pytest.fixture(scope="module")
def result(problem: Problem) -> Fit:
    return fit(problem, starts=2)


@pytest.fixture(scope="module")
def spec(problem: Problem) -> ModelSpec:
    return problem.spec


def change_of(problem: Problem) -> Coordinates:
    return Coordinates(problem.ridges.forward, problem.ridges.backward, problem.ridges.slopes)


def test_coordinates_are_what_data_know(problem: Problem) -> None:
    values = {"m0": 0.004, "eps": 1.5, "lam_S": 0.03, "lam_U": 0.2, "dep_S": 0.05, "q_a": 0.3, "pi": 0.5}
    space = problem.space
    y = dict(zip(space.keys, problem.ridges.forward(space.to_vector(values)), strict=True))
    assert np.exp(y["eps"]) == pytest.approx(0.004 * 1.5)
    gain = 0.03 + 0.2 * 0.1
    assert 1 / (1 + np.exp(-y["lam_U"])) == pytest.approx(gain / (gain + 0.05))
    assert np.exp(y["dep_S"]) == pytest.approx(gain + 0.05)
    assert np.exp(y["lam_S"]) == pytest.approx(0.03 / 0.02)
    assert y["q_a"] == space.to_vector(values)[space.keys.index("q_a")]


@settings(deadline=None)
@given(seed=st.integers(0, 10_000))
def test_coordinates_are_inverted_and_their_slopes_are_those_of_differences(problem: Problem, seed: int) -> None:
    change, space = problem.ridges, problem.space
    z = space.centre + 2 * space.scale * np.random.default_rng(seed).normal(size=len(space))
    y = change.forward(z)
    np.testing.assert_allclose(change.backward(y), z, atol=1e-10)
    np.testing.assert_allclose(change.forward(np.stack([z, z + 0.1]))[0], y)
    steps = 1e-5 * np.eye(len(space))
    slopes = (change.backward(y + steps) - change.backward(y - steps)).T / 2e-5
    np.testing.assert_allclose(change.slopes(y), slopes, atol=1e-8)


def test_the_reparametrised_objective_is_the_same_one(problem: Problem) -> None:
    lower, upper = problem.space.bounds
    old = SumOfSquares(
        linearised=problem.linearised,
        lower=lower,
        upper=upper,
        scale=problem.space.scale,
        residual_batch=problem.residual_batch,
        centre=problem.space.centre,
    )
    change = change_of(problem)
    new = turned_objective(old, change, problem.space.centre)
    z = problem.space.centre + 0.3 * problem.space.scale
    y = change.forward(z)
    residuals, jacobian = new.linearised(y)
    np.testing.assert_allclose(residuals, problem.residuals(z), atol=1e-9)
    np.testing.assert_allclose(jacobian, problem.jacobian(z) @ problem.ridges.slopes(y), atol=1e-9)
    place, other = problem.space.keys.index("eps"), problem.space.keys.index("q_a")
    assert (new.lower[place], new.upper[place]) == (-np.inf, np.inf)
    assert new.upper[other] == upper[other]
    assert new.scale[place] == pytest.approx(np.hypot(0.5, 0.5))
    z[place] = upper[place] + 0.1
    assert np.isnan(new.linearised(change.forward(z))[0]).all()
    np.testing.assert_array_equal(new.costs(np.stack([y, change.forward(z)])) == np.inf, [False, True])


# A ridge a hundred times as long as it is wide: data know the sum of two logarithms.
RIDGE = Coordinates(
    forward=lambda z: np.stack([z[..., 0], z[..., 0] + z[..., 1]], axis=-1),
    backward=lambda y: np.stack([y[..., 0], y[..., 1] - y[..., 0]], axis=-1),
    slopes=lambda _: np.array([[1.0, 0.0], [-1.0, 1.0]]),
)


def narrow(upper: float = np.inf) -> SumOfSquares:
    def residuals(z: np.ndarray) -> np.ndarray:
        return np.stack([100 * (z[:, 0] + z[:, 1] - 1), z[:, 0] - 2, np.expm1(0.3 * (z[:, 1] + 1))], axis=1)

    def linearised(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        slopes = np.array([[100.0, 100.0], [1.0, 0.0], [0.0, 0.3 * np.exp(0.3 * (z[1] + 1))]])
        return residuals(z[None])[0], slopes

    return SumOfSquares(
        linearised=linearised,
        lower=np.full(2, -np.inf),
        upper=np.array([upper, np.inf]),
        scale=np.ones(2),
        residual_batch=residuals,
        centre=np.zeros(2),
    )


@pytest.mark.parametrize("search", [LeastSquares(), EvolutionStrategy()], ids=lambda item: type(item).__name__)
def test_reparametrised_searches_end_at_the_same_place(search: Optimiser) -> None:
    end = Reparametrised(search, RIDGE).minimise(narrow(), np.array([-3.0, 1.0]))
    np.testing.assert_allclose(end.point, [2.0, -1.0], atol=1e-3)
    assert end.outcome is SearchOutcome.CONVERGED


def test_a_bound_across_the_ridge_is_kept() -> None:
    end = Reparametrised(LeastSquares(), RIDGE).minimise(narrow(upper=1.0), np.array([-3.0, 1.0]))
    assert end.point[0] == pytest.approx(1.0, abs=1e-6)


def test_nothing_is_reparametrised_that_is_not_moved(problem: Problem, spec: ModelSpec) -> None:
    ridges = tuple(spec.ridges.values())
    assert [ridge.key for ridge in ridges] == ["migration", "skills"]
    fewer = ParameterSpace.of(spec.parameters[key] for key in ("m0", "eps", "lam_S"))
    assert [ridge.key for ridge in applying(fewer, ridges)] == ["migration"]
    plain = RidgeChange(space=problem.space, ridges=())
    z = problem.space.centre
    np.testing.assert_array_equal(plain.forward(z), z)
    np.testing.assert_array_equal(plain.slopes(z), np.eye(len(z)))


def test_what_the_panel_knows_is_reported(problem: Problem, result: Fit, tmp_path: object) -> None:
    found = {item.name: item for item in result.ridges}
    assert list(found) == ["m0 x eps", "equilibrium share", "speed a year"]
    values = {key: result.parameter(key).estimate for key in FREE}
    assert found["m0 x eps"].estimate == pytest.approx(values["m0"] * values["eps"])
    gain = values["lam_S"] + 0.1 * values["lam_U"]
    assert found["equilibrium share"].estimate == pytest.approx(gain / (gain + values["dep_S"]))
    assert found["speed a year"].estimate == pytest.approx(gain + values["dep_S"])
    assert all(item.low < item.estimate < item.high for item in result.ridges)
    # The variance of a product's logarithm is that of a sum.
    keys = list(result.fitted.keys)
    covariance = np.array(result.fitted.covariance)
    places = [keys.index("m0"), keys.index("eps")]
    spread = np.sqrt(covariance[np.ix_(places, places)].sum())
    product = found["m0 x eps"]
    assert np.log(product.high / product.estimate) == pytest.approx(1.6448536 * spread, rel=1e-6)
    assert product.contraction == pytest.approx(1 - spread**2 / 0.5, abs=1e-9)
    assert "Ridge skills: equilibrium share 0." in result.summary()
    assert Fit.load(result.save(tmp_path / "fit")).ridges == result.ridges  # type: ignore[operator]


def test_the_optimum_is_that_of_the_search_without_coordinates(
    problem: Problem, result: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setattr(sys.modules["calibration.fitting.fit"], "_reparametrised", lambda search, _: search)
    plain = fit(problem, starts=2)
    assert plain.cost == pytest.approx(result.cost, abs=1e-6)
    for key in FREE:
        assert result.parameter(key).estimate == pytest.approx(plain.parameter(key).estimate, rel=1e-3)
