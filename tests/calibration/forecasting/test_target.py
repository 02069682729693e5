"""Relative output: who enters late moves the others, a last year of one region is left out, and that is said."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from calibration.forecasting import target_of
from calibration.forecasting.target import doubts, early_years, late_entries, unfinished_years
from tests.calibration.forecasting.series import panel_of, walk


def noise(regions: int, years: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(regions, years))


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
    assert target.rows[0] in sentence
    assert str(target.times[4]) in sentence
    assert "+12.5%" in sentence


def test_nothing_is_said_of_holes_of_regions_that_fit_in_and_of_whole_panels() -> None:
    assert late_entries(target_of(panel_of(steady()))) == ()
    holes = steady()
    holes[0, 3:5] = np.nan
    assert late_entries(target_of(panel_of(holes))) == ()
    middle = steady()
    middle[2, :4] = np.nan
    assert late_entries(target_of(panel_of(middle))) == ()


@pytest.mark.parametrize(
    ("years", "first", "told"),
    [
        ([1995, *range(2000, 2011)], 2000, "1995 left out"),
        ([1900, *range(2000, 2016)], 2000, "1900 left out"),
        ([1950, 1960, 1970, *range(1980, 1990)], 1980, "1950, 1960, 1970 left out"),
        ([*range(1960, 1966), *range(1980, 1990)], 1980, "1960-1965 left out"),
        ([*range(1960, 1970), *range(1975, 1985)], 1960, ""),
        ([1990, 1992, 1994, *range(1996, 2004)], 1990, ""),
        # Where too little would be left nothing is left out.
        (range(1900, 2011, 10), 1900, ""),
        ([1990, *range(2000, 2005)], 1990, ""),
    ],
)
def test_years_before_a_gap_longer_than_themselves_are_left_out_and_named(
    years: Sequence[int], first: int, told: str
) -> None:
    panel = replace(
        panel_of(steady(years=len(years)) + 0.01 * noise(5, len(years))), times=np.array(years, dtype=float)
    )
    target = target_of(panel)
    assert target.times[0] == first
    assert target.times[-1] == max(years)
    assert target.seen == tuple(year for year in years if year >= first)
    found = early_years(panel, target)
    assert len(found) == bool(told)
    assert told in "".join(found)


def test_a_last_year_of_one_region_is_left_out_and_named() -> None:
    panel = panel_of(steady())
    assert unfinished_years(panel, target_of(panel)) == ()
    logs = steady()
    logs[1:, -1] = np.nan
    panel = panel_of(logs)
    (sentence,) = unfinished_years(panel, target_of(panel))
    assert "1997 is left out: only R00 has output per head in it" in sentence
    assert sentence.endswith("the last year is 1996")


@pytest.mark.parametrize("year", [12, 19])
def test_a_break_of_level_in_one_region_is_told(year) -> None:
    logs = walk(24, 20, size=0.02)
    assert not doubts(panel_of(logs), target_of(panel_of(logs)))
    logs[3, year:] += np.log(1.28)
    (told,) = doubts(panel_of(logs), target_of(panel_of(logs)))
    assert "R03" in told
    assert str(1990 + year) in told


def test_a_year_that_is_out_of_line_and_undone_is_no_break_of_level() -> None:
    logs = walk(24, 20, size=0.02)
    logs[3, 12] += np.log(1.28)
    assert not doubts(panel_of(logs), target_of(panel_of(logs)))
