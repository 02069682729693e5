"""Effects of regions: found where they are, none where there are none, derivatives, and projections that use them."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from calibration import CalibrationProblem, FitResult, fit
from calibration.fitting.pooling import TRIED, Pooled, _mode, _objective, _trial, pool
from calibration.parameters import ParameterSpace
from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.regional.draws import region_effects
from pysd_runner.regional.inputs import region_inputs
from pysd_runner.spec import Normal, load_fitted
from tests.calibration.panels import FIRST, made_panel, model_of, permuted

COUNT, YEARS = 5, 6
# Pulls so strong that where a region is pulled to shows within a few years.
TRUTH = {"c0": 0.14, "pi": 0.3, "tau_m": 0.9}
EFFECTS = np.array([0.35, -0.35, 0.2, -0.2, 0.0])


def problem_of(effects: dict[str, np.ndarray] | None) -> CalibrationProblem:
    panel = made_panel(COUNT, YEARS, TRUTH, noise=0.1, effects=effects)
    known = {"c0": 0.14, "tau_m": 0.9}
    return CalibrationProblem(model_of(COUNT), panel, free=["pi", "q_a", "lambda_s"], values=known)


@pytest.fixture(scope="module")
def problem() -> CalibrationProblem:
    return problem_of({"fdev": EFFECTS})


@pytest.fixture(scope="module")
def plain(problem: CalibrationProblem) -> FitResult:
    return fit(problem, starts=1)


@pytest.fixture(scope="module")
def pooled(problem: CalibrationProblem, plain: FitResult) -> Pooled:
    return pool(problem, plain, "fdev")


def test_effects_are_found_where_they_are(pooled: Pooled) -> None:
    assert pooled.sd > 0
    found = np.array([item.value for item in pooled.regions])
    # Only differences between regions are compared, and the pool reversions them together.
    apart = found - found.mean()
    assert np.corrcoef(apart, EFFECTS)[0, 1] > 0.9
    assert np.abs(apart).max() < 1.3 * np.abs(EFFECTS).max()
    assert max(item.contraction for item in pooled.regions) > 0.3
    assert all(0 < item.standard_error <= pooled.sd * 1.001 for item in pooled.regions)
    assert [item.sd for item in pooled.trials] == [share * 0.1 for share in TRIED]
    assert pooled.trials[0].largest == 0
    assert "percent of the prior variance" in pooled.summary()


def test_nothing_is_found_where_there_is_nothing() -> None:
    problem = problem_of(None)
    found = pool(problem, fit(problem, starts=1), "fdev")
    assert max(abs(item.value) for item in found.regions) < 0.1
    weights = {item.sd: item.log_weight for item in found.trials}
    assert weights[0.0] > weights[0.2]


def test_the_derivatives_of_parameters_and_effects_are_those_of_differences(problem: CalibrationProblem) -> None:
    objective = _objective(problem, "fdev", 0.1)
    point = np.concatenate([problem.space.centre, np.linspace(-1, 1, COUNT)])
    residuals, jacobian = objective.linearised(point)
    assert residuals[-COUNT:].tolist() == point[-COUNT:].tolist()
    for column in range(len(point)):
        step = 2e-3 * objective.scale[column] * (np.arange(len(point)) == column)
        around = [objective.linearised(point + sign * step)[0] for sign in (-1, 1)]
        slope = (around[1] - around[0]) / (2 * step[column])
        np.testing.assert_allclose(jacobian[:, column], slope, atol=1e-4 * max(np.abs(slope).max(), 1e-3))


def test_no_effects_are_the_fit_itself(problem: CalibrationProblem, plain: FitResult, pooled: Pooled) -> None:
    zero = problem.with_effects({"fdev": np.zeros((1, COUNT))})
    z = problem.space.centre
    np.testing.assert_allclose(zero.residuals(z), problem.residuals(z), atol=1e-9)
    assert pooled.fitted.keys == plain.fitted.keys
    assert pooled.fitted.region_effects["fdev"] == tuple(item.value for item in pooled.regions)
    assert pooled.fitted.provenance["pooled"] == {"fdev": {"sd": pooled.sd}}


def test_draws_without_effects_do_not_stand_beside_effects(
    problem: CalibrationProblem, plain: FitResult, pooled: Pooled
) -> None:
    assert pooled.sd > 0
    drawn = replace(plain.fitted, draws=(plain.fitted.estimates,) * 3)
    sampled = replace(drawn, provenance={**drawn.provenance, "sampling": {}, "identifiability": {}})
    found = pool(problem, replace(plain, fitted=sampled), "fdev")
    assert not found.fitted.draws
    assert not {"sampling", "identifiability"} & set(found.fitted.provenance)


def test_the_file_keeps_them_and_a_projection_uses_them(
    problem: CalibrationProblem, pooled: Pooled, tmp_path: object
) -> None:
    loaded = load_fitted(pooled.fitted.save(tmp_path / "fitted.json"))  # type: ignore[operator]
    assert loaded.region_effects == pooled.fitted.region_effects
    effects = region_effects(loaded, problem.panel)
    inputs = region_inputs(problem.model, problem.panel, FIRST, effects=effects)
    np.testing.assert_array_equal(inputs.values["Structural Deviation"][0, 0], loaded.region_effects["fdev"])
    turned = permuted(problem.panel, range(COUNT)[::-1])
    assert region_effects(loaded, turned)["fdev"].tolist() == list(loaded.region_effects["fdev"][::-1])
    strangers = replace(turned, regions=tuple(replace(item, code=f"X{item.code}") for item in turned.regions))
    assert region_effects(loaded, strangers)["fdev"].tolist() == [0.0] * COUNT
    assert region_effects(None, problem.panel) == {}


def test_what_is_not_pooled_is_refused(problem: CalibrationProblem, plain: FitResult) -> None:
    with pytest.raises(UnknownName, match=r"no pooled input 'fdv'. Did you mean 'fdev'"):
        pool(problem, plain, "fdv")
    with pytest.raises(UnknownName, match="no pooled input 'mom'"):
        problem.with_effects({"mom": np.zeros((1, COUNT))}).residuals(problem.space.centre)
    with pytest.raises(InvalidInput, match="effects of 'fdev' have 2 values for 5 regions"):
        problem.with_effects({"fdev": np.zeros((1, 2))}).residuals(problem.space.centre)


class Common:
    """One observation in each region: a common level with a standard normal prior, the region's effect, an error."""

    def __init__(self, observed: np.ndarray, effects: np.ndarray | float = 0.0) -> None:
        self.observed, self.effects = observed, np.atleast_2d(effects)
        shipped = model_of(4).spec.parameters["alpha"]
        level = replace(shipped, key="level", lower=-1e6, upper=1e6, prior=Normal(0.0, 1.0, -1e6, 1e6))
        self.space = ParameterSpace.of((level,))
        self.panel = SimpleNamespace(regions=observed)

    def rows(self) -> np.ndarray:
        return np.arange(len(self.observed))

    def with_effects(self, effects: dict[str, np.ndarray]) -> "Common":
        return Common(self.observed, effects["e"])

    def residual_batch(self, z: np.ndarray) -> np.ndarray:
        return np.hstack([z + self.effects - self.observed, z])

    def linearised(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.residual_batch(z[None])[0], np.ones((len(self.observed) + 1, 1))


def test_the_evidence_of_a_linear_problem_is_the_density_of_its_observations() -> None:
    observed = np.array([0.4, -1.3, 2.2, 0.1, 1.7])
    at = SimpleNamespace(problem=Common(observed), point=np.zeros(1))
    for sd in (0.0, 0.5, 2.0):
        trial = _trial(_mode(at, "e", sd), belief=1.0)  # type: ignore[arg-type]
        covariance = 1.0 + (1 + sd**2) * np.eye(5)
        exact = stats.multivariate_normal(np.zeros(5), covariance).logpdf(observed) + 2.5 * np.log(2 * np.pi)
        assert trial.log_evidence == pytest.approx(exact, rel=1e-6)
        assert trial.log_weight == pytest.approx(exact - 0.5 * sd**2, rel=1e-6)
