"""The parameter space: scales, priors as residuals, what a user may free or set."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from calibration.fitting.space import ParameterSpace, chosen, overrides, prior_median, prior_quantile
from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.core.paths import models_folder
from pysd_runner.spec import Beta, LogNormal, ModelSpec, Normal, Uniform, load_spec

PRIORS = [Normal(0.45, 0.05), LogNormal(0.1, 0.7), Beta(2.4, 2.0, 0.4, 0.95), Uniform(-1.0, 2.0)]


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    return load_spec(models_folder() / "regional_digital" / "model.toml")


@pytest.fixture(scope="module")
def space(spec: ModelSpec) -> ParameterSpace:
    return ParameterSpace.of(spec.parameters[key] for key in ("q_a", "g_D", "pi", "tau_m", "om_X"))


@given(seed=st.integers(0, 2**32 - 1))
def test_vectors_and_values_are_inverse(space: ParameterSpace, seed: int) -> None:
    z = space.sample(np.random.default_rng(seed), 1)[0]
    values = {key: float(value) for key, value in space.to_values(z).items()}
    np.testing.assert_allclose(space.to_vector(values), z, rtol=1e-9, atol=1e-9)


@given(first=st.floats(0.02, 0.9), second=st.floats(0.02, 0.9))
def test_half_squared_residuals_of_normal_priors_are_minus_log_densities(first: float, second: float) -> None:
    """On the scale on which the prior is normal, up to a constant: differences of both agree."""

    def cost(prior: Normal | LogNormal, x: float) -> float:
        return 0.5 * float(prior.residual(x)) ** 2

    normal, log = Normal(0.45, 0.05), LogNormal(0.1, 0.7)
    expected = stats.norm(0.45, 0.05).logpdf(second) - stats.norm(0.45, 0.05).logpdf(first)
    assert cost(normal, first) - cost(normal, second) == pytest.approx(expected, abs=1e-6, rel=1e-9)
    logs = stats.norm(np.log(0.1), 0.7)
    assert cost(log, first) - cost(log, second) == pytest.approx(
        logs.logpdf(np.log(second)) - logs.logpdf(np.log(first)), abs=1e-6, rel=1e-9
    )


@pytest.mark.parametrize("prior", PRIORS[2:], ids=repr)
def test_residuals_on_an_interval_are_normal_scores(prior: Beta | Uniform) -> None:
    a, b = (prior.a, prior.b) if isinstance(prior, Beta) else (1, 1)
    law = stats.beta(a, b, loc=prior.lower, scale=prior.upper - prior.lower)
    x = np.linspace(prior.lower, prior.upper, 23)[1:-1]
    np.testing.assert_allclose(prior.residual(x), stats.norm.ppf(law.cdf(x)), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("prior", PRIORS, ids=repr)
@pytest.mark.parametrize("score", [-1.645, 0.0, 0.7])
def test_quantiles_have_the_residual_they_were_asked_for(prior: Normal, score: float) -> None:
    assert float(prior.residual(prior_quantile(prior, score))) == pytest.approx(score, abs=1e-8)


def test_quantiles_stay_within_the_bounds() -> None:
    assert prior_quantile(Normal(0.5, 1.0, 0.0, 0.8), 3.0) == 0.8
    assert prior_median(LogNormal(0.2, 0.5, 0.3, 1.0)) == 0.3


def test_slopes_are_derivatives(space: ParameterSpace) -> None:
    z, step = space.sample(np.random.default_rng(3), 1)[0], 1e-5
    for column in range(len(space)):
        up, down = z.copy(), z.copy()
        up[column] += step
        down[column] -= step
        residual = (space.prior_residuals(up) - space.prior_residuals(down)) / (2 * step)
        key = space.keys[column]
        value = (space.to_values(up)[key] - space.to_values(down)[key]) / (2 * step)
        assert space.prior_slopes(z)[column] == pytest.approx(residual[column], rel=1e-5)
        assert space.value_slopes(z)[column] == pytest.approx(float(value), rel=1e-5)


def test_everything_uncertain_that_acts_is_estimated(spec: ModelSpec) -> None:
    found = chosen(spec, free=None, fixed=())
    keys = {item.key for item in found}
    assert [item.key for item in found] == [key for key in spec.parameters if key in keys]
    for key, item in spec.parameters.items():
        # shock_sd is what a fit leaves over; it stands in no equation.
        assert (key in keys) == (
            item.prior is not None and item.role != "POL" and not item.switch and key != "shock_sd"
        ), key
    # Start values and measurements count, and so do costs and assumptions.
    assert {"h_s", "h_u", "lambda_s", "c_S", "h_hom", "alpha", "dep_S", "m0"} <= keys
    assert {item.key for item in chosen(spec, free=None, fixed=["c0"])} == keys - {"c0"}


def test_parameters_may_be_named_as_in_the_model_file(spec: ModelSpec) -> None:
    assert [item.key for item in chosen(spec, free=["Capital Elasticity", "c0"], fixed=())] == ["alpha", "c0"]
    assert overrides(spec, {"Capital Elasticity": 0.33}) == {"alpha": 0.33}


@pytest.mark.parametrize(
    ("free", "fixed", "error", "message"),
    [
        (["c00"], (), UnknownName, "Did you mean 'c0'"),
        (["c0"], ("c0",), InvalidInput, "both set in `values` and listed in `free`"),
        (["shock_sd"], (), InvalidInput, "stands in no equation, measurement or start value"),
    ],
)
def test_what_cannot_be_freed(
    spec: ModelSpec, free: list[str] | str, fixed: tuple[str, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        chosen(spec, free=free, fixed=fixed)


def test_a_parameter_without_a_prior_cannot_be_estimated(spec: ModelSpec) -> None:
    with pytest.raises(InvalidInput, match="'omega' cannot be estimated: it has no prior"):
        ParameterSpace.of(chosen(spec, free=["omega"], fixed=()))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"alpha": 0.9}, r"alpha.* is 0\.9 Dmnl; its bounds are \[0\.2, 0\.65\]"),
        ({"alpha": float("nan")}, "must be finite"),
        ({"alpha": "a third"}, "must be a number"),
        ({"alpha": True}, "must be a number"),
        ({"alfa": 0.3}, "Did you mean 'alpha'"),
    ],
)
def test_values_that_cannot_be_set(spec: ModelSpec, values: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        overrides(spec, values)


def test_a_space_may_be_empty() -> None:
    assert ParameterSpace.of([]).sample(np.random.default_rng(0), 3).shape == (3, 0)
