"""Declared errors: their densities against scipy, their scales, what is said of them, and fits that use them."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats
from scipy.integrate import quad

from calibration import Fit, Problem, fit
from calibration.observation import Noise, Series, estimate_noise, loss_of
from calibration.observation.estimation import PRIOR_OBSERVATIONS, PRIOR_REGION, effective_share
from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.spec import ErrorModel
from tests.calibration.observation.test_observation import series_of
from tests.calibration.panels import made_panel, model_of

FAMILIES = [ErrorModel(family="normal"), ErrorModel(), ErrorModel(family="student", degrees=3)]
FAMILIES.append(ErrorModel(family="student", degrees=40))
every_family = pytest.mark.parametrize("errors", FAMILIES, ids=lambda item: f"{item.family} {item.degrees:g}")


def declared(values: np.ndarray, **choices: object) -> Series:
    from dataclasses import replace

    return replace(series_of(values), errors=ErrorModel(**choices))  # type: ignore[arg-type]


@every_family
def test_the_density_integrates_to_one(errors: ErrorModel) -> None:
    loss = loss_of(errors)
    total = 2 * quad(lambda e: float(np.exp(-0.5 * loss.bent(np.array(e)) ** 2 - loss.log_mass)), 0, np.inf)[0]
    assert total == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("degrees", [2.5, 5.0, 30.0])
def test_students_density_is_scipys_with_a_standard_deviation_of_one(degrees: float) -> None:
    loss, e = loss_of(ErrorModel(family="student", degrees=degrees)), np.linspace(-30, 30, 101)
    twin = stats.t(degrees, scale=np.sqrt((degrees - 2) / degrees))
    np.testing.assert_allclose(-0.5 * loss.bent(e) ** 2 - loss.log_mass, twin.logpdf(e), rtol=1e-10, atol=1e-10)
    assert twin.std() == pytest.approx(1.0)


@every_family
@given(error=st.floats(-1e3, 1e3))
def test_the_slope_is_that_of_differences(errors: ErrorModel, error: float) -> None:
    loss, step = loss_of(errors), 1e-5 * (1 + abs(error))
    around = loss.bent(np.array([error - step, error, error + step]))
    assert np.all(np.diff(around) > 0)
    expected = (around[2] - around[0]) / (2 * step)
    assert float(loss.slope(np.array(error))) == pytest.approx(expected, rel=1e-3)


@every_family
def test_residuals_are_odd_and_smooth_at_zero(errors: ErrorModel) -> None:
    loss, e = loss_of(errors), np.array([0.0, 1e-12, 1e-6, 0.3, 7.0])
    np.testing.assert_allclose(loss.bent(-e), -loss.bent(e))
    assert loss.bent(e)[0] == 0
    assert np.isfinite(loss.slope(e)).all()
    assert loss.slope(e)[0] == pytest.approx(loss.slope(e)[2], rel=1e-6)


@every_family
def test_the_standard_deviation_is_found_again(errors: ErrorModel) -> None:
    rng = np.random.default_rng(0)
    if errors.family == "student":
        values = rng.standard_t(errors.degrees, 20_000) * np.sqrt((errors.degrees - 2) / errors.degrees)
    else:
        values = rng.normal(size=20_000)
    assert loss_of(errors).sd(0.3 * values, freedom=20_000, declared=1.0, weight=4) == pytest.approx(0.3, rel=0.03)


def test_students_scale_is_the_most_likely_one() -> None:
    errors = ErrorModel(family="student", degrees=4)
    values = np.random.default_rng(1).standard_t(4, 300)
    found = loss_of(errors).sd(values, freedom=300, declared=1.0, weight=1e-9)
    sds = found * np.array([0.98, 1.0, 1.02])
    likely = [stats.t.logpdf(values, 4, scale=sd * np.sqrt(0.5)).sum() for sd in sds]
    assert likely[1] > max(likely[0], likely[2])


def test_regions_have_scales_of_their_own_pulled_towards_the_common_one() -> None:
    rng = np.random.default_rng(2)
    sizes = np.array([0.5, 1.0, 2.0, 1.0])
    residuals = sizes[:, None] * rng.normal(size=(4, 11))
    series = declared(np.zeros((4, 11)), family="normal", memory="independent", scale="region")
    noise = estimate_noise(series, residuals)
    used = residuals[:, 1:]
    common = ((used**2).sum() + PRIOR_OBSERVATIONS * series.declared_sd**2) / (40 + PRIOR_OBSERVATIONS)
    own = ((used**2).sum(axis=1) + PRIOR_REGION * common) / (10 + PRIOR_REGION)
    assert noise.sd == pytest.approx(np.sqrt(common))
    np.testing.assert_allclose(noise.regional, np.sqrt(own / common))
    plain = np.sqrt((used**2).mean(axis=1) / common)
    assert all(abs(np.log(a)) <= abs(np.log(b)) + 1e-12 for a, b in zip(noise.regional, plain, strict=True))


def test_a_region_without_cells_has_the_common_scale() -> None:
    values = np.zeros((3, 9))
    values[1, 1:] = np.nan
    series = declared(values, scale="region", memory="independent")
    noise = estimate_noise(series, np.random.default_rng(3).normal(size=(3, 9)))
    assert noise.regional[1] == pytest.approx(1.0)


@pytest.mark.parametrize("kind", ["independent", "shared", "unlike"])
def test_regions_that_share_shocks_or_are_unlike_count_as_fewer(kind: str) -> None:
    """The error of a regression on the year before has the standard error of as many independent regions."""
    rng, sizes = np.random.default_rng(0), np.exp(0.7 * np.linspace(-1.5, 1.5, 10))[:, None]
    covariance = np.diag(sizes[:, 0] ** 2) if kind == "unlike" else np.eye(10)
    if kind == "shared":
        covariance = 0.5 * np.eye(10) + 0.5 * np.kron(np.eye(2), np.ones((5, 5)))
    panels = rng.multivariate_normal(np.zeros(10), covariance, size=(400, 12)).swapaxes(1, 2)
    share = np.trace(covariance) ** 2 / (10 * np.trace(covariance @ covariance))
    assert np.median([effective_share(panel) for panel in panels]) == pytest.approx(share, abs=0.07)
    now, before = panels[:, :, 1:], panels[:, :, :-1]
    squares = (before**2).sum(axis=(1, 2))
    slopes = (now * before).sum(axis=(1, 2)) / squares
    errors = panels.std(axis=(1, 2)) / np.sqrt(squares * [effective_share(panel) for panel in panels])
    assert np.std(slopes / errors) == pytest.approx(1, abs=0.12)
    assert Noise(0.1, 0.5, independent=0.25).tempered(np.array([0.5, 0.7])) == pytest.approx([0.5, 0.6])


def test_independent_errors_have_no_persistence() -> None:
    residuals = np.cumsum(np.random.default_rng(4).normal(size=(5, 20)), axis=1)
    assert estimate_noise(declared(np.zeros((5, 20)), memory="independent"), residuals).persistence == 0
    assert estimate_noise(declared(np.zeros((5, 20)), memory="ar1"), residuals).persistence > 0.7


@pytest.fixture(scope="module")
def chosen() -> Problem:
    errors = {
        "output": ErrorModel(family="student", degrees=5, memory="momentum", scale="region"),
        "skills": ErrorModel(family="normal", memory="independent"),
    }
    free = ["q_a", "tau_m", "lambda_s", "lam_U"]
    choices = {key: {"errors": item} for key, item in errors.items()}
    return Problem(model_of(5), made_panel(5, 6, noise=1.0), free=free, observations=choices)


@pytest.fixture(scope="module")
def found(chosen: Problem) -> Fit:
    return fit(chosen, starts=2)


def test_the_choices_are_described_before_anything_is_fitted(chosen: Problem) -> None:
    text = str(chosen.describe())
    assert (
        "output from output_per_head: 30 changes, 5 entities, compared with Output per Capita: "
        "Student-t errors with 5 degrees of freedom, fading like the model's momentum, a standard deviation for each "
        "region, on the log scale" in text
    )
    assert (
        "skills from ict_employment_share: 30 values, 5 entities, compared with Skill Share: "
        "normal errors, independent, on the log scale" in text
    )
    assert (
        "access from mobile_internet_per_100: 30 values, 5 entities, compared with Access Share: "
        "Huber errors, AR(1), on the log scale" in text
    )
    assert "Errors of skills (ict_employment_share) are declared independent although levels are compared" in text


def test_the_choices_are_reported_and_kept(found: Fit, tmp_path: object) -> None:
    output = next(item for item in found.series if item.measurement == "output")
    assert len(output.region_sds) == 5
    assert np.ptp(output.region_sds) > 0
    text = found.summary()
    assert "output:output_per_head: Student-t errors with 5 degrees of freedom" in text
    assert "in regions 0.0" in text
    assert found.fitted.provenance["likelihood"]["skills:ict_employment_share"].startswith("normal errors, independent")
    kept = found.fitted.provenance["errors"]["output:output_per_head"]["regional"]
    np.testing.assert_allclose(np.array(kept) * output.sd, output.region_sds)
    assert Fit.load(found.save(tmp_path / "fit")).series == found.series  # type: ignore[operator]


def test_the_fit_is_an_optimum_of_its_own_likelihood(chosen: Problem, found: Fit) -> None:
    settled = chosen.with_noise_of(found.fitted)
    z = settled.space.to_vector({key: found.parameter(key).estimate for key in settled.space.keys})
    assert np.abs(settled.gradient(z) * settled.space.scale).max() < 1e-3


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"family": "studnt"}, "family of an error: .* found 'studnt'. Did you mean 'student'"),
        ({"memory": "ar2"}, "memory of an error: expected one of ar1, independent, momentum"),
        ({"scale": "regions"}, "Did you mean 'region'"),
        ({"degrees": 2.0}, "degrees of freedom of an error must be more than 2"),
    ],
)
def test_impossible_errors_are_refused(choices: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        ErrorModel(**choices)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("errors", "kind", "message"),
    [
        ({"skill": ErrorModel()}, UnknownName, "Did you mean 'skills'"),
        ({"access_level": ErrorModel(scale="region")}, InvalidInput, "national series"),
        ({"skills": ErrorModel(memory="momentum")}, InvalidInput, "is for yearly changes"),
    ],
)
def test_errors_that_do_not_fit_a_measurement(
    errors: dict[str, ErrorModel], kind: type[Exception], message: str
) -> None:
    choices = {key: {"errors": item} for key, item in errors.items()}
    with pytest.raises(kind, match=message):
        Problem(model_of(5), made_panel(5, 6), observations=choices)
