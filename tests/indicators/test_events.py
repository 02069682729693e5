"""Events under the scenarios of a projection."""

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose

from pysd_runner.indicators.events import EventDraws, chances, event_of, scenario_chances

EVENT = "dispersion falls by 2026"


def dataset(paths: dict[str, np.ndarray]) -> xr.Dataset:
    """Output per head of two regions; a path is the log of the first over the mean, shape (draw, year)."""
    logs = np.stack([np.stack([path, -path], axis=1) for path in paths.values()])
    return xr.Dataset(
        {"output_per_head": (("scenario", "draw", "region", "year"), np.exp(logs))},
        coords={
            "scenario": list(paths),
            "region": ["A", "B"],
            "year": [2024, 2025, 2026],
            "name_en": ("region", ["North", "South"]),
            "name_zh": ("region", ["北", "南"]),
            "group": ("region", ["", ""]),
        },
    )


@pytest.fixture
def data() -> xr.Dataset:
    """Dispersion falls in one of two draws without policy, in both with it."""
    none = np.array([[0.3, 0.3, 0.2], [0.3, 0.3, 0.4]])
    return dataset({"baseline": none, "policy": none - [0.0, 0.1, 0.2]})


def test_shares_are_those_of_the_draws(data: xr.Dataset) -> None:
    table = scenario_chances(data, [EVENT])
    assert table.loc[EVENT].to_dict() == {"baseline": 0.5, "policy": 1.0}


def test_no_policy_has_the_share_of_the_whole_forecast_and_a_policy_what_it_adds(data: xr.Dataset) -> None:
    last = np.array([0.2, 0.2, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4])
    first = np.stack([np.full(10, 0.3), last, np.full(10, 9.0)], axis=1)
    forecast = np.stack([first, -first], axis=1)
    table = scenario_chances(data, [EVENT], reference="baseline", forecast=forecast)
    assert_allclose(table.loc[EVENT].to_numpy(), [0.2, 0.7])


def test_a_share_stays_one(data: xr.Dataset) -> None:
    first = np.tile([0.3, 0.2, 0.2], (4, 1))
    table = scenario_chances(data, [EVENT], reference="baseline", forecast=np.stack([first, -first], axis=1))
    assert_allclose(table.loc[EVENT].to_numpy(), [1.0, 1.0])


def test_without_the_reference_shares_stay_those_of_the_draws(data: xr.Dataset) -> None:
    forecast = np.zeros((3, 2, 2))
    table = scenario_chances(data.isel(scenario=[1]), [EVENT], reference="baseline", forecast=forecast)
    assert table.loc[EVENT].to_dict() == {"policy": 1.0}


def test_a_single_draw_says_nothing_of_a_policy(data: xr.Dataset) -> None:
    first = np.tile([0.3, 0.2, 0.2], (4, 1))
    forecast = np.stack([first, -first], axis=1)
    table = scenario_chances(data.isel(draw=[0]), [EVENT], reference="baseline", forecast=forecast)
    assert table.loc[EVENT, "baseline"] == 1.0
    assert np.isnan(table.loc[EVENT, "policy"])


@pytest.mark.parametrize(("when", "share"), [("by", 0.75), ("in", 0.25), ("BY", 0.75)])
def test_by_is_at_any_time_until_then_for_regions_and_for_any_other_series(when: str, share: float) -> None:
    # Never below; below on the way; below at the end; below before and back.
    paths = np.array([[0.9, 0.9, 0.9], [0.9, 0.7, 0.9], [0.9, 0.9, 0.7], [0.7, 0.9, 0.9]])
    places = {"North": (0,), "South": (1,)}
    logs = np.stack([np.log(paths), -np.log(paths)], axis=1)
    regions = EventDraws(last=np.zeros(2), draws=logs, years=(2025, 2026, 2027), places=places)
    (found,) = chances([f"North below 80% of the mean {when} 2027"], regions)
    assert found.probability == share
    series = xr.DataArray(paths[:, None], dims=("draw", "entity", "time"), coords={"time": [2025, 2026, 2027]})
    assert event_of(f"north below .8 {when} 2027", ["north"]).probability({"north": series}) == share
    # What comes after the year counts in neither way.
    (early,) = chances([f"North below 80% of the mean {when} 2025"], regions)
    assert early.probability == 0.25


@pytest.mark.parametrize(
    ("way", "share"), [("above", 0.75), ("over", 0.75), ("Over", 0.75), ("below", 0.25), ("under", 0.25)]
)
def test_over_is_above_and_under_is_below(way: str, share: float) -> None:
    series = xr.DataArray(
        [[[3.0]], [[4.0]], [[5.0]], [[1.0]]], dims=("draw", "entity", "time"), coords={"time": [2025]}
    )
    assert event_of(f"x {way} 2 at 2025", ["x"]).probability({"x": series}) == share
