"""Fits of panels whose truth is known, laws of the result, and what a failing fit says."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibration import Fit, Problem, fit
from calibration.fitting.estimates import (
    PRIOR_ONLY,
    laplace,
    parameter_findings,
    search_findings,
    series_findings,
    stage_findings,
)
from calibration.fitting.results import record
from calibration.optimisers import LeastSquares, Minimum, MultiStart, SearchOutcome, Starts, SumOfSquares
from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.core.findings import Finding
from pysd_runner.data import Data
from pysd_runner.spec import Beta, Uniform, load_fitted
from tests.calibration.conftest import COUNT, TRUTH, YEARS
from tests.calibration.panels import FIRST, made_panel, model_of, permuted, renamed
from tests.records import resealed


def estimates(result: Fit) -> np.ndarray:
    return np.array(result.fitted.estimates)


def test_the_truth_is_found_within_its_errors(fitted_problem: Problem, result: Fit) -> None:
    truth = {key: item.value for key, item in fitted_problem.spec.parameters.items()} | TRUTH
    space = fitted_problem.space
    apart = space.to_vector({key: result.parameter(key).estimate for key in space.keys}) - space.to_vector(truth)
    covariance = np.array(result.fitted.covariance)
    places = [result.fitted.keys.index(key) for key in space.keys]
    # Values declared at an end of their interval are infinitely far on its unconstrained scale.
    is_inside = np.abs(space.prior_residuals(space.to_vector(truth))) < 5
    away = (apart / np.sqrt(np.diag(covariance)[places]))[is_inside]
    assert len(away) > 50
    assert np.abs(away).max() < 3
    assert np.sqrt(np.mean(away**2)) < 1.4
    assert not result.check()
    assert result.fitted.status == "converged"


def test_without_noise_informed_parameters_are_recovered() -> None:
    truth = {"q_a": 0.3, "lambda_s": 2.1, "q_u": 0.27}
    made = made_panel(COUNT, YEARS, truth)
    found = fit(Problem(model_of(COUNT), made, free=list(truth)), starts=1)
    for key, value in truth.items():
        # The declared errors count as a few observations, so the prior still reversions a little.
        assert found.parameter(key).estimate == pytest.approx(value, rel=0.1)


def test_the_same_seed_gives_the_same_numbers(fitted_problem: Problem, result: Fit) -> None:
    assert record(fit(fitted_problem, starts=2, seed=0)) == record(result)


def test_order_and_names_of_regions_do_not_matter(fitted_panel: Data, result: Fit) -> None:
    order = np.random.default_rng(3).permutation(COUNT)
    moved = Problem(model_of(COUNT), renamed(permuted(fitted_panel, order)), values={"dep_u": 0.02})
    other = fit(moved, starts=2, seed=0)
    np.testing.assert_allclose(estimates(other), estimates(result), rtol=1e-9)
    np.testing.assert_allclose(other.fitted.covariance, result.fitted.covariance, rtol=1e-6, atol=1e-10)
    assert other.cost == pytest.approx(result.cost, rel=1e-9)


def test_block_by_block_and_jointly_agree(result: Fit) -> None:
    assert result.stage_distance < 1.0


def test_starts_find_one_optimum(result: Fit) -> None:
    assert [item.start for item in result.searches] == ["staged", "prior draw"]
    assert max(item.distance for item in result.searches) < 0.01


def test_parameters_of_which_the_panel_says_nothing_keep_their_priors(fitted_problem: Problem, result: Fit) -> None:
    # Without policies no unit cost acts.
    for key in ("c_X", "c_N", "c_R"):
        item = result.parameter(key)
        assert item.words == PRIOR_ONLY
        assert item.contraction == pytest.approx(0, abs=1e-6)
        assert item.estimate == pytest.approx(item.prior_median, rel=1e-3)
        assert (item.low, item.high) == pytest.approx((item.prior_low, item.prior_high), rel=1e-3)
        place = result.fitted.keys.index(key)
        row = np.array(result.fitted.covariance)[place] / fitted_problem.space.scale
        assert row[place] == pytest.approx(fitted_problem.space.scale[place], rel=1e-6)
        assert np.abs(np.delete(row, place)).max() < 1e-6


def test_what_is_asked_for_is_shown_first_and_what_says_nothing_not_at_all(result: Fit) -> None:
    shown = [item.key for item in result.shown]
    asked = [item.key for item in result.parameters if item.role.startswith("FREE")]
    assert shown[: len(asked)] == asked
    assert len(shown) < len(result.parameters)
    assert all(result.parameter(key).contraction > 0.05 for key in shown[len(asked) :])
    assert "c_X" not in shown
    text = result.summary()
    assert f"{len(result.parameters) - len(shown)} others keep their priors" in text
    assert "\n  c_X " not in text


def test_errors_and_intervals_fit_together(result: Fit) -> None:
    for item in result.parameters:
        assert item.low < item.estimate < item.high
        assert -0.05 < item.contraction <= 1
        # A lognormal interval is as wide as its standard error says, to first order.
        assert item.high - item.low == pytest.approx(2 * 1.645 * item.standard_error, rel=0.6)
    settled = result.parameter("q_a")
    assert settled.contraction > 0.7
    assert settled.words == "mostly the panel"


def test_draws_follow_the_fit(fitted_problem: Problem, result: Fit) -> None:
    drawn = result.fitted.sample(np.random.default_rng(0), 4000, spec=fitted_problem.spec)
    for key in ("q_a", "lambda_s", "c0"):
        item = result.parameter(key)
        low, high = np.quantile(drawn[key], [0.05, 0.95])
        # Draws of the decay of momentum beyond its lower bound are left out, and with them some of the others.
        assert (low, high) == pytest.approx((item.low, item.high), rel=0.1)
    assert drawn["dep_u"].tolist() == [0.02] * 4000


def test_residuals_are_fitted_less_observed_by_region_and_series(fitted_panel: Data, result: Fit) -> None:
    frame = result.to_frame()
    assert list(frame.columns) == [
        "region", "year", "measurement", "indicator", "used", "observed", "fitted", "residual", "standardised",
    ]  # fmt: skip
    np.testing.assert_allclose(frame["residual"], frame["fitted"] - frame["observed"])
    part = frame[(frame["measurement"] == "output") & (frame["region"] == fitted_panel.codes[2])]
    assert part["year"].tolist() == list(range(FIRST + 1, FIRST + YEARS + 1))
    levels = frame[frame["measurement"] == "skills"]
    assert not levels[levels["year"] == FIRST]["used"].any()
    assert levels[levels["year"] == FIRST]["standardised"].isna().all()
    # Shares start a little lower where they near their ceiling.
    assert levels[levels["year"] == FIRST]["residual"].abs().max() < 2e-3
    assert frame[frame["measurement"] == "access_level"]["region"].eq("").all()


def test_the_table_has_a_row_for_each_parameter(result: Fit) -> None:
    table = result.table()
    assert table["key"].tolist() == list(result.fitted.keys)
    assert table.loc[table["key"] == "q_a", "unit"].item() == "1/Year"
    assert table.loc[table["key"] == "lambda_s", "name"].item().startswith("loading of log skills")
    assert {PRIOR_ONLY, "mostly the panel"} <= set(table["words"])


def test_scales_are_reported_with_the_series(result: Fit) -> None:
    by_label = {item.label: item for item in result.series}
    ports = by_label["access:broadband_ports_per_100"]
    assert ports.declared_sd == 0.03
    assert ports.sd == pytest.approx(0.04, rel=0.35)
    assert result.fitted.residual_sd["access"] > 0
    assert by_label["output:output_per_head"].persistence == pytest.approx(
        (1 - 0.25 / result.parameter("tau_m").estimate) ** 4, abs=0.02
    )


def test_shocks_are_handed_to_the_projection(result: Fit) -> None:
    assert result.shocks is not None
    assert result.fitted.shock_sd == result.shocks.sd
    assert result.shocks.sd == pytest.approx(0.02 / math.sqrt(1 - 0.27**2), rel=0.3)


@pytest.mark.usefixtures("result")
def test_progress_is_told_in_order(told: list[tuple[str, int, int]]) -> None:
    done = [item[1] for item in told]
    assert done == sorted(done)
    assert told[-1][1] == told[-1][2]


def test_saving_and_loading_loses_nothing(result: Fit, tmp_path: Path) -> None:
    folder = result.save(tmp_path / "fit")
    assert sorted(item.name for item in folder.iterdir()) == [
        "fit.json",
        "fitted.json",
        "parameters.csv",
        "residuals.csv",
    ]
    loaded = Fit.load(folder)
    assert record(loaded) == record(result)
    assert repr(loaded.fitted) == repr(result.fitted)
    assert repr(load_fitted(folder / "fitted.json")) == repr(result.fitted)
    assert loaded.to_frame().equals(result.to_frame())
    assert loaded.table().equals(result.table())
    assert str(loaded.description) == str(result.description)
    assert loaded.summary() == result.summary()
    assert loaded.shocks == result.shocks


def test_a_folder_without_a_fit_is_refused(result: Fit, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"holds no fit: fitted\.json is missing"):
        Fit.load(tmp_path)
    folder = result.save(tmp_path / "fit")
    for text, message in (
        ("{", "not valid JSON"),
        ('{"schema": 7}', "reads the record of a fit of schema 2"),
        ('{"schema": 1}', "calibrated by an earlier version, which estimated only part of the parameters"),
        ('{"schema": 2}', "is not as it was written"),
    ):
        (folder / "fit.json").write_text(text, encoding="utf-8")
        with pytest.raises(InvalidInput, match=message):
            Fit.load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda content: content.update(cost="low"),
            "cost: expected a number without quotes; found 'low'",
        ),
        (lambda content: content.pop("searches"), "searches: is missing"),
        (lambda content: content["findings"].append({"rule": "x", "message": "x", "severity": "odd"}), "severity"),
    ],
)
def test_an_entry_of_another_kind_is_refused(
    result: Fit, tmp_path: Path, change: Callable[[dict], object], message: str
) -> None:
    folder = result.save(tmp_path / "fit")
    resealed(folder / "fit.json", change)
    with pytest.raises(InvalidInput, match=message):
        Fit.load(folder)


def test_unknown_parameters_get_a_suggestion(result: Fit) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'lam_U'"):
        result.parameter("lam_u")


def test_a_fit_needs_a_start(fitted_problem: Problem) -> None:
    with pytest.raises(InvalidInput, match="starts must be at least 1; found 0"):
        fit(fitted_problem, starts=0)


def test_a_search_that_stops_early_is_told(fitted_problem: Problem) -> None:
    found = fit(fitted_problem, starts=1, optimiser=LeastSquares(evaluations=1))
    assert found.fitted.status == "stopped at limit"
    assert [item.rule for item in found.check()] == ["not-converged"]
    assert "The fit fails its checks. The search was stopped at its limit" in found.summary()


def test_two_regions_and_years_give_a_result() -> None:
    found = fit(Problem(model_of(2), made_panel(2, 2, noise=1.0)), starts=1)
    assert np.isfinite(estimates(found)).all()
    assert found.shocks is not None
    assert found.fitted.shock_sd > 0


def test_nothing_to_estimate_still_gives_a_result(fitted_panel: Data) -> None:
    found = fit(Problem(model_of(COUNT), fitted_panel, free=[]), starts=3)
    assert found.fitted.keys == ()
    assert found.fitted.status == "nothing to move"
    assert not found.check()


def test_laplace_equals_the_inverse_of_the_curvature(fitted_problem: Problem) -> None:
    z = fitted_problem.space.centre
    jacobian = fitted_problem.jacobian(z)
    found = laplace(fitted_problem.space, z, jacobian)
    np.testing.assert_allclose(found.covariance, np.linalg.inv(jacobian.T @ jacobian), rtol=1e-7, atol=1e-12)
    assert found.is_positive_definite
    assert ((found.contraction > -1e-9) & (found.contraction < 1)).all()


def test_priors_pull_as_hard_however_far_an_estimate_has_gone(fitted_problem: Problem) -> None:
    space = fitted_problem.space
    for far in (-30.0, 12.0):
        z = np.where(np.isfinite(space.bounds[1]), space.centre, far)
        on_interval = [place for place, prior in enumerate(space.priors) if isinstance(prior, Beta | Uniform)]
        assert len(on_interval) > 5
        np.testing.assert_array_equal(space.prior_residuals(z)[on_interval], z[on_interval])
        found = laplace(space, z, np.diag(space.prior_slopes(z)))
        assert found.is_positive_definite
        assert np.isfinite(found.covariance).all()


def test_a_curvature_without_numbers_is_told(fitted_problem: Problem) -> None:
    space = fitted_problem.space
    broken = laplace(space, space.centre, np.full((3, len(space)), np.nan))
    assert not broken.is_positive_definite
    end = Minimum(point=space.centre, cost=1.0, outcome=SearchOutcome.CONVERGED, slope=0.0, evaluations=1)
    rules = [item.rule for item in search_findings(Starts(optima=(end,)), (), broken)]
    assert rules == ["covariance"]


def test_failed_checks_stand_in_the_parameters(result: Fit) -> None:
    failed, warned = (Finding("x", "It failed.", "error"), Finding("y", "It holds.", "warning"))
    assert result.fitted.provenance["failed_checks"] == []
    assert result.with_findings(warned, failed).fitted.provenance["failed_checks"] == ["It failed."]
    assert result.with_findings(warned, failed).check() == [failed]


def test_ends_at_bounds_and_far_away_are_told(result: Fit) -> None:
    item = result.parameter("q_a")
    free = list(parameter_findings([replace(item, at_bound="upper")]))
    assert [(found.rule, found.severity) for found in free] == [("at-bound", "error")]
    star = list(parameter_findings([replace(item, at_bound="lower", role="FREE*")]))
    assert star[0].severity == "warning"
    far = list(parameter_findings([replace(item, score=-4.2)]))
    assert "4.2 prior standard deviations" in far[0].message
    cut = list(parameter_findings([replace(item, high=item.upper_bound)]))
    assert [(found.rule, found.severity) for found in cut] == [("interval-cut", "warning")]
    assert "cut by its upper bound, 1.5 1/Year" in cut[0].message


def test_other_optima_and_failures_are_told(fitted_problem: Problem) -> None:
    curvature = laplace(
        fitted_problem.space, fitted_problem.space.centre, fitted_problem.jacobian(fitted_problem.space.centre)
    )

    def end(cost: float, outcome: SearchOutcome = SearchOutcome.CONVERGED, slope: float = 0.0) -> Minimum:
        return Minimum(point=fitted_problem.space.centre, cost=cost, outcome=outcome, slope=slope, evaluations=1)

    mixed = Starts(optima=(end(5.0), end(6.5), end(9.0, SearchOutcome.STOPPED_AT_LIMIT)))
    assert [item.rule for item in search_findings(mixed, (), curvature)] == ["failed-starts", "local-optima"]
    steep = Starts(optima=(end(5.0, slope=0.5),))
    assert [item.rule for item in search_findings(steep, (), curvature)] == ["not-flat"]
    # The same slope in a valley that the data made steep: a step of 1e-4 prior standard deviations ends at the optimum.
    assert not list(search_findings(steep, (), replace(curvature, flattest=5e3)))


def test_stages_and_errors_that_disagree_are_told(result: Fit) -> None:
    assert not list(stage_findings("c0", 0.5))
    (found,) = stage_findings("c0", 4.0)
    assert "c0 differs by 4.0 standard errors" in str(found)
    series = replace(result.series[0], observations=300, leftover=0.6)
    assert [item.rule for item in series_findings([series])] == ["leftover-persistence"]
    assert not list(series_findings([replace(series, observations=10)]))


def test_the_search_is_a_small_protocol(fitted_problem: Problem) -> None:
    """Any object with `minimise` can search."""

    class Still:
        def minimise(self, objective: SumOfSquares, start: np.ndarray) -> Minimum:
            cost = 0.5 * float((objective.linearised(start)[0] ** 2).sum())
            return Minimum(point=start, cost=cost, outcome=SearchOutcome.CONVERGED, slope=0.0, evaluations=1)

    found = fit(fitted_problem, starts=1, optimiser=Still())
    # Along and across the ridges and back again.
    assert found.stage_distance < 1e-12
    assert found.searches[0].evaluations == 1
    assert MultiStart(Still()).optimiser is not None


def test_a_fit_as_a_labelled_data_set_holds_its_numbers_and_goes_into_netcdf(result: Fit, tmp_path: Path) -> None:
    from pysd_runner.export import load_netcdf, save_netcdf

    dataset = result.to_xarray()
    table, frame = result.table().set_index("key"), result.to_frame()
    assert dataset["estimate"].sel(parameter="q_a").item() == table.loc["q_a", "estimate"]
    np.testing.assert_array_equal(dataset["residual"].to_numpy(), frame["residual"].to_numpy())
    stored = load_netcdf(save_netcdf(dataset, tmp_path / "fit.nc"))
    np.testing.assert_array_equal(stored["fitted"].to_numpy(), frame["fitted"].to_numpy())


def test_predictions_of_regions_follow_the_data(result: Fit) -> None:
    found = result.predict(until=result.fitted.last_year + 3)
    assert list(found) == ["laggard_gap"]
    assert list(found.index) == [result.fitted.last_year + step for step in range(4)]
    assert result.to_frame()["year"].dtype == "int64"
