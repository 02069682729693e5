"""Shocks to regional growth have the size, the persistence and the common part they are declared to have."""

import numpy as np
import pytest

from pysd_runner.panel import Data, load_data
from pysd_runner.study.draws import TYPICAL_SD, ShockLaw, shock_law, shock_paths

GROUPS = ["East"] * 3 + ["West"] * 3


def paths(law, *, persistence=0.5, years=40, draws=2000, seed=0, groups=GROUPS):
    return shock_paths(
        law, groups, np.arange(2024.0, 2024 + years), np.full(draws, persistence), np.random.default_rng(seed)
    ).values[:, 0]


def test_long_run_standard_deviation_and_persistence():
    values = paths(ShockLaw(0.02, 0.0))
    late = values[20:]
    assert late.std() == pytest.approx(0.02, rel=0.02)
    first, second = late[:-1].ravel(), late[1:].ravel()
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(0.5, abs=0.01)


def test_first_year_is_narrower_because_the_past_is_known():
    values = paths(ShockLaw(0.02, 0.0), draws=20000, years=1)
    assert values[0].std() == pytest.approx(0.02 * np.sqrt(1 - 0.25), rel=0.02)


def test_regions_of_a_class_share_what_they_are_declared_to_share():
    late = paths(ShockLaw(0.02, 0.4))[20:].reshape(-1, 6)
    correlation = np.corrcoef(late.T)
    assert correlation[0, 1] == pytest.approx(0.4, abs=0.02)
    assert correlation[0, 4] == pytest.approx(0.0, abs=0.02)


def test_regions_without_a_class_are_on_their_own():
    late = paths(ShockLaw(0.02, 0.4), groups=["", "", "West"])[20:].reshape(-1, 3)
    assert late.std(axis=0) == pytest.approx([0.02] * 3, rel=0.03)
    assert np.corrcoef(late.T)[0, 1] == pytest.approx(0.0, abs=0.02)


def test_seed_zero_repeats_and_differs_from_one():
    law = ShockLaw(0.02, 0.3)
    np.testing.assert_array_equal(paths(law, draws=5), paths(law, draws=5))
    assert not np.array_equal(paths(law, draws=5), paths(law, draws=5, seed=1))


def test_more_years_and_more_draws_keep_those_before_them():
    law = ShockLaw(0.02, 0.3)
    few = paths(law, years=5, draws=4)
    many = paths(law, years=9, draws=7)
    np.testing.assert_array_equal(many[:5, :4], few)
    assert np.unique(many).size == many.size


def test_law_of_the_shipped_panel_is_plausible():
    law = shock_law(load_data("china"))
    assert 0.015 < law.sd < 0.04
    assert 0 < law.shared < 0.7


def test_a_simulated_panel_gives_back_its_law():
    china = load_data("china")
    groups = [region.group for region in china.regions]
    values = shock_paths(ShockLaw(0.03, 0.5), groups, np.arange(200.0), np.zeros(1), np.random.default_rng(2)).values[
        :, 0, 0
    ]
    levels = np.exp(np.cumsum(values[:24], axis=0)).T
    years = tuple(range(2001, 2025))
    panel = Data.by_region(
        name="made", regions=china.regions, years=years, values={"output_per_head": levels}, units={}
    )
    law = shock_law(panel)
    assert law.sd == pytest.approx(0.03, rel=0.25)
    assert law.shared == pytest.approx(0.5, abs=0.3)


def test_a_calibrated_size_wins_and_a_short_panel_falls_back():
    china = load_data("china")
    assert shock_law(china, sd=0.01).sd == 0.01
    assert shock_law(china.subset(times=[2024])) == ShockLaw(TYPICAL_SD, 0.0)


def test_the_law_does_not_see_holes_in_the_panel():
    china = load_data("china")
    whole = shock_law(china)
    holed = china.array("output_per_head").copy()
    holed[0, [-3, -6]] = np.nan
    law = shock_law(china.with_variable("output_per_head", holed, unit="Yuan/(Year*Person)"))
    assert law.sd == pytest.approx(whole.sd, rel=0.05)
    assert law.shared == pytest.approx(whole.shared, abs=0.05)


def test_every_second_year_says_nothing_about_yearly_growth():
    china = load_data("china")
    assert shock_law(china.subset(times=china.years[::2])) == ShockLaw(TYPICAL_SD, 0.0)
