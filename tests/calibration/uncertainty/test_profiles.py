"""Profiles and verdicts: against exact answers, against the normal approximation, and what they say."""

from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from calibration import Fit, Problem
from calibration.fitting.estimates import laplace
from calibration.fitting.space import ParameterSpace
from calibration.uncertainty import (
    FittedPoint,
    Identifiability,
    ProfileShape,
    directions,
    fitted_point,
    half_quantile,
    identify,
    profile,
)
from calibration.uncertainty.profiles import _followed, _profile, shape_of
from calibration.uncertainty.verdict import _partners
from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.reports.evidence import certainty_lines
from pysd_runner.spec import Normal, Parameter
from tests.calibration.panels import made_panel, model_of

Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def verdicts(fitted_problem: Problem, result: Fit) -> Identifiability:
    return identify(fitted_problem, result)


class Linear:
    """A problem whose data are linear in its parameters, so that every answer is known exactly."""

    def __init__(self, design: Array, observed: Array, parameters: tuple[Parameter, ...]) -> None:
        self.design, self.observed = design, observed
        self.space = ParameterSpace.of(parameters)

    def rows(self) -> NDArray[np.intp]:
        return np.arange(len(self.observed))

    def copied(self) -> "Linear":
        return self

    def residuals(self, z: Array) -> Array:
        return np.concatenate([self.design @ z - self.observed, self.space.prior_residuals(z)])

    def linearised(self, z: Array, *, columns: list[int] | None = None) -> tuple[Array, Array]:
        whole = np.vstack([self.design, np.diag(self.space.prior_slopes(z))])
        return self.residuals(z), whole if columns is None else whole[:, columns]


def linear_point(seed: int = 0) -> FittedPoint:
    rng = np.random.default_rng(seed)
    shipped = model_of(4).spec.parameters["alpha"]
    parameters = tuple(
        replace(shipped, key=key, lower=-1e6, upper=1e6, prior=Normal(mean, 2.0, -1e6, 1e6))
        for key, mean in (("a", 0.0), ("b", 1.0), ("c", -1.0))
    )
    design = rng.normal(size=(9, 3))
    design[:, 2] = 0.0
    problem = Linear(design, rng.normal(size=9), parameters)
    whole = np.vstack([design, np.eye(3) / 2])
    target = np.concatenate([problem.observed, [0.0, 0.5, -0.5]])
    point = np.linalg.lstsq(whole, target, rcond=None)[0]
    residuals, jacobian = problem.linearised(point)
    return FittedPoint(
        problem=problem,  # type: ignore[arg-type]
        point=point,
        cost=0.5 * float((residuals**2).sum()),
        data_cost=0.5 * float((residuals[:9] ** 2).sum()),
        data_jacobian=jacobian[:9],
        curvature=laplace(problem.space, point, jacobian),
    )


@pytest.mark.parametrize("place", [0, 1])
def test_a_linear_problem_has_the_interval_of_the_textbook(place: int) -> None:
    at = linear_point()
    limit = half_quantile(0.95)
    found = _profile(at, place, 0.95, limit, _followed(at, limit, place))
    assert found.low == pytest.approx(at.point[place] - 1.959964 * at.spread[place], rel=1e-5)
    assert found.high == pytest.approx(at.point[place] + 1.959964 * at.spread[place], rel=1e-5)
    np.testing.assert_allclose(found.rise, 0.5 * ((found.values - at.point[place]) / at.spread[place]) ** 2, atol=1e-6)
    assert found.shape is ProfileShape.BOTH
    assert found.gain == pytest.approx(0.0, abs=1e-9)


def test_a_parameter_the_data_do_not_contain_is_flat_and_keeps_the_interval_of_its_prior() -> None:
    at, limit = linear_point(), half_quantile(0.9)
    found = _profile(at, 2, 0.9, limit, _followed(at, limit, 2))
    assert found.shape is ProfileShape.FLAT
    assert found.data_rise.max() < 1e-9
    assert (found.low, found.high) == pytest.approx((-1 - 1.644854 * 2, -1 + 1.644854 * 2), rel=1e-5)


def test_directions_are_those_of_the_sensitivities_in_prior_standard_deviations() -> None:
    at = linear_point()
    found = directions(at)
    strengths = np.array([item.strength for item in found])
    np.testing.assert_allclose(strengths, np.linalg.svd(2 * at.data_jacobian, compute_uv=False), atol=1e-12)
    assert found[-1].weights == (("c", pytest.approx(1.0)),)
    assert [item.is_seen for item in found] == [True, True, False]
    # The volume of the posterior follows: contraction of independent directions is s^2 / (1 + s^2).
    scaled = at.curvature.covariance / 4
    np.testing.assert_allclose(np.sort(np.linalg.eigvalsh(scaled)), np.sort(1 / (1 + strengths**2)), rtol=1e-9)


def test_profiles_of_a_fit_agree_with_the_normal_approximation_where_it_holds(
    verdicts: Identifiability, result: Fit
) -> None:
    for item in verdicts.verdicts:
        estimate = result.parameter(item.key)
        assert item.low < item.estimate < item.high
        if item.contraction > 0.6:
            assert item.low == pytest.approx(estimate.low, rel=0.25)
            assert item.high == pytest.approx(estimate.high, rel=0.25)
    for curve in verdicts.profiles:
        assert (np.diff(curve.values) > 0).all()
        assert curve.rise.min() == 0.0
        assert curve.gain < 0.01


def test_a_profile_is_never_above_a_slice_of_the_posterior(fitted_problem: Problem, result: Fit) -> None:
    """Estimating the others again can only lower the sum of squares."""
    (found,) = profile(fitted_problem, result, ["lam_U"])
    at = fitted_point(fitted_problem, result)
    place = at.problem.space.keys.index("lam_U")
    slices = np.repeat(at.point[None, :], len(found.values), axis=0)
    slices[:, place] = at.problem.space.priors[place].to_unbounded(found.values)
    costs = 0.5 * (at.problem.residual_batch(slices) ** 2).sum(axis=1)
    assert (found.rise <= costs - costs.min() + 1e-6).all()
    assert (found.rise < costs - costs.min() - 0.05).any()


def test_verdicts_tell_data_from_prior(verdicts: Identifiability, result: Fit) -> None:
    by_key = {item.key: item for item in verdicts.verdicts}
    assert by_key["tau_m"].shape is ProfileShape.ABOVE
    assert by_key["tau_m"].words.startswith("mostly the panel; the data alone only rule out high values")
    # Others give way when it is moved, so that only with their priors the panel tells something about it.
    assert by_key["q_a"].shape is ProfileShape.FLAT
    assert by_key["q_a"].words.startswith("mostly the panel; the data rule values out only together with the priors")
    assert by_key["th_U"].shape is ProfileShape.FLAT
    assert by_key["th_U"].words.startswith("prior; the data alone rule out nothing")
    assert ("h0", pytest.approx(-0.7, abs=0.15)) in by_key["q_a"].partners
    assert len(verdicts.directions) == len(verdicts.verdicts)
    assert sum(item.is_seen for item in verdicts.directions) < 12
    assert not verdicts.findings()
    # Those that tables show are profiled, the others have the interval of the normal approximation.
    shown = {item.key for item in result.shown}
    assert {item.key for item in verdicts.profiles} == shown
    for item in verdicts.verdicts:
        if item.key not in shown:
            assert item.shape is None
            assert (item.low, item.high) == pytest.approx(
                (result.parameter(item.key).low, result.parameter(item.key).high), rel=1e-6
            )


def test_the_strongest_partner_comes_first_whatever_its_sign() -> None:
    at = SimpleNamespace(
        problem=SimpleNamespace(space=SimpleNamespace(keys=("a", "b", "c"))),
        curvature=SimpleNamespace(covariance=np.array([[1.0, -0.9, 0.5], [-0.9, 1.0, -0.6], [0.5, -0.6, 1.0]])),
        spread=np.ones(3),
    )
    assert _partners(at)["a"] == (("b", -0.9), ("c", 0.5))  # type: ignore[arg-type]


def test_verdicts_travel_with_the_fit_and_reports_print_them(
    verdicts: Identifiability, result: Fit, fitted_problem: Problem
) -> None:
    attached = verdicts.attached(result)
    lines = certainty_lines(asdict(attached.fitted), fitted_problem.spec)
    row = next(line for line in lines if line.split()[0] == "tau_m")
    assert row.endswith("mostly the panel")
    assert "bounded" in row
    assert "h0 −" in next(line for line in lines if line.split()[0] == "q_a")
    count = len(result.shown)
    shares = [int(line.split(" %")[0].split()[-1]) for line in lines[2 : 2 + count]]
    assert shares == sorted(shares, reverse=True)
    text = " ".join(line.strip() for line in lines)
    others = len(verdicts.verdicts) - count
    assert f"{others} other parameters keep their priors" in text
    seen = sum(item.is_seen for item in verdicts.directions)
    assert f"{seen} of {len(verdicts.verdicts)} directions better than the prior, best of all: " in text
    assert max(len(line) for line in lines) <= 100
    plain = certainty_lines(asdict(result.fitted), fitted_problem.spec)
    assert "mostly the panel" not in "".join(plain)
    assert len([line for line in plain[2:] if " %" in line]) == count
    chinese = certainty_lines(asdict(attached.fitted), fitted_problem.spec, lang="zh")
    assert "主要来自面板" in "".join(chinese)


def test_tables_hold_the_numbers_of_the_verdicts(verdicts: Identifiability, result: Fit) -> None:
    table = verdicts.table().set_index("key")
    assert table.loc["tau_m", "low"] == next(item.low for item in verdicts.verdicts if item.key == "tau_m")
    assert list(table.index) == list(result.fitted.keys)
    curves = verdicts.curves()
    assert set(curves["key"]) == set(table.index[table["profile"] != ""])
    assert (curves["rise"] >= 0).all()


def test_a_fit_that_is_no_optimum_is_told(verdicts: Identifiability) -> None:
    worse = replace(verdicts.profiles[0], gain=0.4)
    twins = replace(verdicts.profiles[1], shape=ProfileShape.TWO_MODES)
    found = replace(verdicts, profiles=(worse, twins)).findings()
    assert [(item.rule, item.severity) for item in found] == [("profile-lower", "error"), ("two-modes", "warning")]
    assert "calibrate with more starts" in found[0].message


def test_no_parameter_of_a_fit_that_a_profile_refutes_is_settled(
    verdicts: Identifiability, fitted_problem: Problem, result: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def praised(found: Identifiability) -> set[str]:
        words = found.table().set_index("key")["words"]
        return set(words.index[words.str.contains("determined by|mostly the panel")])

    assert praised(verdicts)
    worse = [replace(item, gain=0.4) for item in verdicts.profiles]
    monkeypatch.setattr("calibration.uncertainty.verdict.profile", lambda *_, **__: worse)
    assert not praised(identify(fitted_problem, result))


@pytest.mark.parametrize(
    ("rise", "data", "shape"),
    [
        ([3, 1, 0, 1, 3], [3, 1, 0, 1, 3], ProfileShape.BOTH),
        ([3, 1, 0, 1, 3], [3, 1, 0.5, 0.1, 0], ProfileShape.BELOW),
        ([3, 1, 0, 1, 3], [0, 0.1, 0.5, 1, 3], ProfileShape.ABOVE),
        ([3, 1, 0, 1, 3], [0.1, 0, 0, 0, 0.2], ProfileShape.FLAT),
        ([3, 0, 2, 1, 3], [3, 0, 2, 1, 3], ProfileShape.TWO_MODES),
        ([3, 1, 2, 0, 3], [0, 0, 0, 0, 0], ProfileShape.TWO_MODES),
    ],
)
def test_shapes(rise: list[float], data: list[float], shape: ProfileShape) -> None:
    assert shape_of(np.array(rise, dtype=float), np.array(data, dtype=float), 1.35) is shape


@given(st.floats(0.01, 0.99))
def test_limits_are_half_the_quantile_of_chi_squared(level: float) -> None:
    from scipy.stats import chi2

    assert half_quantile(level) == pytest.approx(0.5 * chi2(1).ppf(level), rel=1e-9)


def test_bad_input_is_told(fitted_problem: Problem, result: Fit) -> None:
    with pytest.raises(UnknownName, match="'lam_X' is not among the moved parameters"):
        profile(fitted_problem, result, ["lam_X"])
    with pytest.raises(InvalidInput, match="between 0 and 1; found 90"):
        profile(fitted_problem, result, ["q_a"], level=90)
    other = Problem(model_of(6), made_panel(6, 7, seed=4), values={"dep_u": 0.02})
    with pytest.raises(InvalidInput, match="its panel differ"):
        fitted_point(other, result)
