"""Relative output: who enters late moves the others, a last year of one region is left out, and that is said."""

import numpy as np
from numpy.testing import assert_allclose

from calibration.forecasting import target_of
from calibration.forecasting.target import late_entries, unfinished_years
from tests.calibration.forecasting.series import panel_of


def steady(regions: int = 5, years: int = 8) -> np.ndarray:
    """Levels that never change relative to each other."""
    return np.linspace(9.0, 10.0, regions)[:, None] + 0.03 * np.arange(years)


def test_a_late_region_is_named_with_what_it_does_to_the_others() -> None:
    logs = steady()
    logs[0, :4] = np.nan
    target = target_of(panel_of(logs))
    (sentence,) = late_entries(target)
    # Four regions are .125 further above a mean to which the poorest now belongs.
    moved = target.values[1:, 4] - target.values[1:, 3]
    assert_allclose(moved, 0.125)
    assert target.regions[0] in sentence
    assert str(target.years[4]) in sentence
    assert "+12.5%" in sentence


def test_nothing_is_said_of_holes_of_regions_that_fit_in_and_of_whole_panels() -> None:
    assert late_entries(target_of(panel_of(steady()))) == ()
    holes = steady()
    holes[0, 3:5] = np.nan
    assert late_entries(target_of(panel_of(holes))) == ()
    middle = steady()
    middle[2, :4] = np.nan
    assert late_entries(target_of(panel_of(middle))) == ()


def test_a_last_year_of_one_region_is_left_out_and_named() -> None:
    panel = panel_of(steady())
    assert unfinished_years(panel, target_of(panel)) == ()
    logs = steady()
    logs[1:, -1] = np.nan
    panel = panel_of(logs)
    (sentence,) = unfinished_years(panel, target_of(panel))
    assert "1997 is left out: only R00 has output per head in it" in sentence
    assert sentence.endswith("the last year is 1996")
