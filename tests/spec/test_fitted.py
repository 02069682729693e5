"""Fitted-parameter files: nothing is lost, nothing wrong is accepted, draws follow the covariance."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from scipy import stats

from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.core.paths import models_folder
from pysd_runner.spec import Beta, FittedParameters, LogNormal, ModelSpec, load_fitted, load_spec
from tests.records import resealed

FITTED = FittedParameters(
    model="regional_digital",
    model_sha256="a" * 64,
    panel="china",
    panel_sha256="b" * 64,
    first_year=2014,
    last_year=2023,
    regions=("110000", "120000"),
    keys=("c0", "pi", "g_D"),
    estimates=(0.01, 0.6, 0.05),
    standard_errors=(0.004, math.nan, 0.01),
    covariance=((0.16, 0.02, 0.0), (0.02, 0.25, -0.001), (0.0, -0.001, 0.0004)),
    contraction=(0.3, math.nan, 0.5),
    at_bound=("", "lower", ""),
    status="converged",
    message="收敛: the search ended at a minimum.",
    residual_sd={"output": 0.02, "skills": math.nan},
    shock_sd=0.021,
    fixed={"alpha": 0.33},
    provenance={"seed": 0, "starts": [1, 2.5], "note": None, "nested": {"x": True}},
)

numbers = st.floats(allow_nan=False, allow_infinity=False)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    return load_spec(models_folder() / "regional_digital" / "model.toml")


def same(first: FittedParameters, second: FittedParameters) -> bool:
    """Equality in which NaN equals NaN."""
    return repr(first) == repr(second)


@st.composite
def fitted_parameters(draw: st.DrawFn) -> FittedParameters:
    keys = tuple(draw(st.lists(words, unique=True, max_size=4)))
    size = len(keys)
    column = st.lists(numbers, min_size=size, max_size=size).map(tuple)
    maybe = st.lists(numbers | st.just(math.nan), min_size=size, max_size=size).map(tuple)
    root = np.array([[draw(st.floats(-30, 30)) for _ in range(size)] for _ in range(size)]).reshape(size, size)
    covariance = tuple(tuple(row) for row in (root @ root.T).tolist())
    regions = tuple(draw(st.lists(words, max_size=3)))
    json_values = st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | numbers | words,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
        max_leaves=6,
    )
    return FittedParameters(
        model=draw(words),
        model_sha256=draw(words),
        panel=draw(words),
        panel_sha256=draw(words),
        first_year=draw(st.integers(1900, 2100)),
        last_year=draw(st.integers(1900, 2100)),
        regions=regions,
        keys=keys,
        estimates=draw(column),
        standard_errors=draw(maybe),
        covariance=covariance,
        contraction=draw(maybe),
        at_bound=tuple(draw(st.sampled_from(["", "lower", "upper"])) for _ in keys),
        status=draw(words),
        message=draw(words),
        residual_sd=draw(st.dictionaries(words, numbers, max_size=3)),
        shock_sd=draw(numbers),
        provenance=draw(st.dictionaries(words, json_values, max_size=3)),
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(fitted=fitted_parameters())
def test_saving_loses_nothing(tmp_path: Path, fitted: FittedParameters) -> None:
    assert same(load_fitted(fitted.save(tmp_path / "fit.json")), fitted)


def test_not_available_is_null_in_the_file(tmp_path: Path) -> None:
    path = FITTED.save(tmp_path / "deep" / "fit.json")
    content = json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert content["schema"] == 2
    assert content["standard_errors"][1] is None
    assert content["message"].startswith("收敛")
    assert same(load_fitted(path), FITTED)


def test_a_failed_save_leaves_the_former_file(tmp_path: Path) -> None:
    path = FITTED.save(tmp_path / "fit.json")
    before = path.read_bytes()
    with pytest.raises(InvalidInput, match="cannot be written as JSON"):
        replace(FITTED, provenance={"when": object()}).save(path)
    with pytest.raises(InvalidInput, match="cannot be written as JSON"):
        replace(FITTED, shock_sd=math.inf).save(path)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["fit.json"]


def test_values_by_key() -> None:
    assert FITTED.as_values() == {"c0": 0.01, "pi": 0.6, "g_D": 0.05, "alpha": 0.33}


def scores(drawn: dict[str, np.ndarray], spec: ModelSpec) -> np.ndarray:
    """Draws on unconstrained scales, shape (parameter, draw): logarithm, normal score of a Beta, the value itself."""
    pi = spec.parameters["pi"].prior
    assert isinstance(pi, Beta)
    share = stats.beta(pi.a, pi.b, pi.lower, pi.upper - pi.lower).cdf(drawn["pi"])
    return np.array([np.log(drawn["c0"]), stats.norm.ppf(share), drawn["g_D"]])


def test_draws_follow_the_covariance_on_the_unbounded_scale(spec: ModelSpec) -> None:
    drawn = FITTED.sample(np.random.default_rng(0), 40_000, spec=spec)
    assert {key: values.shape for key, values in drawn.items()} == dict.fromkeys(("alpha", *FITTED.keys), (40_000,))
    assert set(drawn["alpha"]) == {0.33}
    unbounded = scores(drawn, spec)
    centre = scores({key: np.array([value]) for key, value in FITTED.as_values().items()}, spec)[:, 0]
    np.testing.assert_allclose(np.cov(unbounded), FITTED.covariance, rtol=0.03, atol=2e-3)
    np.testing.assert_allclose(unbounded.mean(axis=1), centre, atol=0.01)


def test_draws_repeat_with_the_seed_and_stay_inside_the_bounds(spec: ModelSpec) -> None:
    wide = replace(FITTED, covariance=((25.0, 0.0, 0.0), (0.0, 9.0, 0.0), (0.0, 0.0, 4.0)))
    first, second = (wide.sample(np.random.default_rng(0), 500, spec=spec) for _ in range(2))
    for key in wide.keys:
        np.testing.assert_array_equal(first[key], second[key])
        parameter = spec.parameters[key]
        assert first[key].min() > parameter.lower
        assert first[key].max() < parameter.upper


def test_draws_past_a_bound_are_drawn_again(spec: ModelSpec) -> None:
    """As the normal distribution truncated at the bounds has it; held at a bound, half of them would lie on it."""
    prior = spec.parameters["c0"].prior
    assert isinstance(prior, LogNormal)
    low, high = prior.unbounded_bounds
    alone = replace(FITTED, covariance=((0.16, 0.0, 0.0), (0.0, 0.25, 0.0), (0.0, 0.0, 0.0004)))
    drawn = replace(alone, estimates=(prior.upper, 0.6, 0.05)).sample(np.random.default_rng(0), 20_000, spec=spec)
    found = np.log(drawn["c0"])
    assert found.max() < high
    expected = stats.truncnorm((low - high) / 0.4, 0.0, loc=high, scale=0.4)
    assert stats.kstest(found, expected.cdf).pvalue > 0.001
    # The others do not mind.
    assert stats.kstest(drawn["g_D"], stats.norm(0.05, 0.02).cdf).pvalue > 0.001


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(few=st.integers(1, 300), more=st.integers(0, 700), seed=st.integers(0, 2**32))
def test_more_draws_keep_those_there_were(spec: ModelSpec, few: int, more: int, seed: int) -> None:
    at_bound = replace(FITTED, estimates=(0.15, 0.6, 0.3))
    first, second = (at_bound.sample(np.random.default_rng(seed), count, spec=spec) for count in (few, few + more))
    for key in FITTED.keys:
        np.testing.assert_array_equal(second[key][:few], first[key])


def test_draws_that_hardly_ever_keep_the_bounds_are_given_up(spec: ModelSpec) -> None:
    # Sixteen spreads of the bounds' width lie past either bound of c0, and the same holds for g_D.
    lost = replace(FITTED, covariance=((1e8, 0.0, 0.0), (0.0, 0.25, 0.0), (0.0, 0.0, 1e8)), at_bound=("upper", "", ""))
    with pytest.raises(InvalidInput, match=r"only 0 of 3 draws .* fewer than one in 1000 .*on a bound: c0.*--sample"):
        lost.sample(np.random.default_rng(0), 3, spec=spec)


def test_a_direction_without_variance_does_not_move(spec: ModelSpec) -> None:
    pinned = replace(FITTED, covariance=((0.04, 0.04, 0.0), (0.04, 0.04, 0.0), (0.0, 0.0, 0.0)))
    drawn = pinned.sample(np.random.default_rng(1), 100, spec=spec)
    np.testing.assert_allclose(drawn["g_D"], 0.05, rtol=1e-12)
    centre = scores({key: np.array([value]) for key, value in FITTED.as_values().items()}, spec)
    away = scores(drawn, spec) - centre
    np.testing.assert_allclose(away[0], away[1], atol=1e-9)


@pytest.mark.parametrize("sign", [1, -1])
def test_nearly_the_same_covariance_gives_nearly_the_same_draws(spec: ModelSpec, sign: int) -> None:
    # Equal variances: any rotation of their eigenvectors is as good, and a tiny covariance picks one of them.
    draws = []
    for tiny in (0.0, sign * 1e-9):
        covariance = ((0.2, tiny, 0.0), (tiny, 0.2, tiny), (0.0, tiny, 0.2))
        fitted = replace(FITTED, covariance=covariance)
        draws.append(fitted.sample(np.random.default_rng(0), 50, spec=spec))
    for key in FITTED.keys:
        np.testing.assert_allclose(draws[0][key], draws[1][key], rtol=1e-6)


def test_an_estimate_on_a_bound_can_be_drawn(spec: ModelSpec) -> None:
    drawn = replace(FITTED, estimates=(0.15, 1.0, 0.3)).sample(np.random.default_rng(2), 50, spec=spec)
    assert all(np.isfinite(values).all() for values in drawn.values())


def test_sampled_draws_are_taken_as_they_are(spec: ModelSpec) -> None:
    rows = ((0.01, 0.6, 0.05), (0.02, 0.5, 0.06))
    drawn = replace(FITTED, draws=rows).sample(np.random.default_rng(0), 200, spec=spec)
    found = set(zip(*(drawn[key].tolist() for key in FITTED.keys), strict=True))
    assert found == set(rows)


def test_draws_need_a_known_parameter_with_a_prior(spec: ModelSpec) -> None:
    with pytest.raises(UnknownName, match="Did you mean"):
        replace(FITTED, keys=("c0", "pi", "g_d")).sample(np.random.default_rng(0), 1, spec=spec)
    with pytest.raises(InvalidInput, match="'omega' has no prior"):
        replace(FITTED, keys=("c0", "pi", "omega")).sample(np.random.default_rng(0), 1, spec=spec)
    with pytest.raises(InvalidInput, match="at least one draw"):
        FITTED.sample(np.random.default_rng(0), 0, spec=spec)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"schema": 1},
            "calibrated by an earlier version, which estimated only part of the parameters; calibrate again",
        ),
        ({"schema": 3}, "this version reads the fitted parameters of schema 2"),
        ({"schema": None}, "this version reads the fitted parameters of schema 2"),
        ({"extra": 1}, "extra: unknown entry"),
        ({"estimate": 1}, "Did you mean 'estimates'"),
        ({"keys": None}, "fit.json"),
        ({"estimates": ["a", "b", "c"]}, r"estimates.0: expected a number without quotes; found 'a'; calibrate again"),
        ({"first_year": "2016"}, "first_year"),
        ({"status": {}}, "status: expected a text in quotes"),
        ({"residual_sd": [1]}, "fit.json"),
        ({"region_effects": {"fdev": [0.1, 0.2]}}, "holds effects of regions, which are no longer estimated"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    path = FITTED.save(tmp_path / "fit.json")
    resealed(path, lambda content: content.update(change))
    with pytest.raises(InvalidInput, match=says):
        load_fitted(path)


def test_a_file_of_an_earlier_version_without_effects_of_regions_is_read(tmp_path: Path) -> None:
    path = FITTED.save(tmp_path / "fit.json")
    resealed(path, lambda content: content.update({"region_effects": {}}))
    assert same(load_fitted(path), FITTED)


@pytest.mark.parametrize("change", [{"shock_sd": 0.5}, {"seal": "0" * 64}, {"extra": 1}])
def test_a_file_that_was_changed_by_hand_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = FITTED.save(tmp_path / "fit.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content), encoding="utf-8")  # another layout of the same content
    assert same(load_fitted(path), FITTED)
    path.write_text(json.dumps(content | change), encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"fit\.json is not as it was written.*calibrate again"):
        load_fitted(path)


def test_a_missing_entry_a_missing_file_and_broken_json_are_refused(tmp_path: Path) -> None:
    path = FITTED.save(tmp_path / "fit.json")
    resealed(path, lambda content: content.pop("status"))
    with pytest.raises(InvalidInput, match="status: is missing"):
        load_fitted(path)
    with pytest.raises(
        InvalidInput, match=r"no such file or folder; give the folder that a calibration wrote.*'fit.json'"
    ):
        load_fitted(tmp_path / "fitt.json")
    with pytest.raises(InvalidInput, match=r"in it\.$"):
        load_fitted(tmp_path / "nowhere" / "nothing.json")
    with pytest.raises(InvalidInput, match="no such file"):
        load_fitted(tmp_path)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(InvalidInput, match="not valid JSON"):
        load_fitted(path)
    path.write_text('{"schema": 1, "keys": []}', encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"fit.json: calibrated by an earlier version"):
        load_fitted(path)
    path.write_text("[1]", encoding="utf-8")
    with pytest.raises(InvalidInput, match="schema"):
        load_fitted(path)
