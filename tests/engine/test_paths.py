import numpy as np
import pytest
from hypothesis import given, strategies as st

from pysd_runner.core.errors import InvalidInput
from pysd_runner.engine.values import TimePath


def test_a_step_holds_until_the_next_year():
    path = TimePath(times=np.array([2020.0, 2025.0]), values=np.array([1.0, 3.0]))
    assert [path.at(time) for time in (2019, 2020, 2024.75, 2025, 2040)] == [1, 1, 1, 3, 3]


def test_a_line_joins_years_and_is_held_beyond_them():
    path = TimePath(times=np.array([2020.0, 2024.0]), values=np.array([1.0, 3.0]), interpolate="linear")
    assert [path.at(time) for time in (2019, 2021, 2024, 2040)] == [1, 1.5, 3, 3]


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=6), st.floats(-10, 20))
def test_lines_agree_with_numpy(values, time):
    times = np.arange(len(values), dtype=float)
    path = TimePath(times=times, values=np.array(values), interpolate="linear")
    assert path.at(time) == pytest.approx(np.interp(time, times, values), rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(
    ("times", "values", "interpolate", "message"),
    [
        ([2020, 2020], [1, 2], "step", "increasing"),
        ([2021, 2020], [1, 2], "step", "increasing"),
        ([], [], "step", "increasing"),
        ([np.nan], [1], "step", "increasing"),
        ([2020, 2021], [1], "step", "one value per year"),
        ([2020], [1], "cubic", "'step' or 'linear'"),
    ],
)
def test_what_is_no_path(times, values, interpolate, message):
    with pytest.raises(InvalidInput, match=message):
        TimePath(times=np.array(times, dtype=float), values=np.array(values, dtype=float), interpolate=interpolate)
