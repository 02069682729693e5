"""Regions that come late or end early are left out only where that pays, and by name."""

import itertools

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

from pysd_runner.data import Data, Entity, load_data, of_regions, with_output
from pysd_runner.data.coverage import GAIN, LEFT_OUT, MAX_WINDOW, OLDEST


def panel_of(seen: np.ndarray, *, first: int = 2000) -> Data:
    """A panel whose output is there where asked for."""
    count, years = seen.shape
    return Data.by_region(
        name="patchy",
        regions=tuple(Entity(code=f"R{k}", name_en=f"Region {k}", name_zh=f"地区{k}") for k in range(count)),
        years=tuple(range(first, first + years)),
        values={"output_per_head": np.where(seen, 40_000.0, np.nan)},
        units={"output_per_head": "yuan/(Year*Person)"},
    )


def widest(seen: np.ndarray) -> tuple[int, int]:
    """Most region-years a window keeps, and the latest end of such a window: the definition, window by window."""
    found = [
        (int((seen[:, first] & seen[:, last]).sum()) * (last - first), last)
        for first, last in itertools.combinations(range(seen.shape[1]), 2)
        if last - first <= MAX_WINDOW and (seen[:, first] & seen[:, last]).sum() > 1
    ]
    return max(found, default=(0, -1))


SEEN = arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 9)))


@given(SEEN)
def test_what_stays_is_seen_at_both_ends_of_the_widest_window(seen: np.ndarray) -> None:
    panel = panel_of(seen)
    cut = with_output(panel)
    if cut is panel:
        return
    kept = np.isfinite(cut["output_per_head"])
    most, last = widest(seen)
    assert (
        len(kept)
        * max(last - first for first in range(last) if kept[:, [first, last]].all() and last - first <= MAX_WINDOW)
        == most
    )
    assert kept[:, last].all()
    named = cut.problems[0]
    assert named.rule == LEFT_OUT
    assert set(named.found.split(", ")) | set(cut.codes) == set(panel.codes)


@given(SEEN)
def test_nothing_is_left_out_where_all_regions_have_enough_recent_years(seen: np.ndarray) -> None:
    whole = np.broadcast_to(seen.all(axis=0), seen.shape)
    (most, last), (kept, recent) = widest(seen), widest(whole)
    panel = panel_of(seen)
    if most == 0 or (kept > 0 and most < GAIN * kept and last - recent <= OLDEST):
        assert with_output(panel) is panel


def test_a_hole_within_the_window_costs_no_region() -> None:
    seen = np.ones((5, 20), dtype=bool)
    seen[2, 7] = False
    panel = panel_of(seen)
    assert with_output(panel) is panel


def test_one_late_region_is_left_out_when_it_would_cost_most_years() -> None:
    seen = np.ones((10, 20), dtype=bool)
    seen[3, :15] = False
    cut = with_output(panel_of(seen))
    assert "R3" not in cut.codes
    assert len(cut.regions) == 9
    told = "1 of 10 regions are left out, without output per head in {}: Region 3 (R3)"
    assert told.format("2000") in str(cut.problems[0])
    seen[3, 19] = False
    assert told.format("2000 or 2019") in str(with_output(panel_of(seen)).problems[0])


def test_chosen_years_decide_who_is_left_out() -> None:
    seen = np.ones((10, 20), dtype=bool)
    seen[3, :5] = False
    panel = panel_of(seen)
    assert with_output(panel) is panel
    assert "R3" not in with_output(panel, first_year=2001).codes
    assert with_output(panel, first_year=2006) is panel
    assert with_output(panel, first_year=1990) is panel


def test_a_year_that_most_regions_lack_is_a_slip() -> None:
    seen = np.ones((10, 20), dtype=bool)
    seen[:8, 0] = False
    panel = panel_of(seen)
    assert with_output(panel, first_year=2000) is panel


def test_a_panel_without_output_is_left_alone() -> None:
    panel = load_data("china")
    bare = panel_of(np.ones((2, 3), dtype=bool))
    other = Data.by_region(name="bare", regions=bare.regions, years=bare.years, values={}, units={})
    assert with_output(panel) is panel
    assert with_output(other) is other


@pytest.mark.parametrize(("codes", "count"), [(["R1", "R3"], 2), (["R1", "elsewhere"], 5), (["R0", "R1"], 2)])
def test_the_regions_of_a_fit(codes: list[str], count: int) -> None:
    panel = panel_of(np.ones((5, 4), dtype=bool))
    assert len(of_regions(panel, codes).regions) == count
