"""The difference of a policy from its baseline, on a projection made by hand."""

import numpy as np
import pytest
import xarray as xr

from pysd_runner.core.errors import UnknownName
from pysd_runner.study.future import Future


@pytest.fixture
def projection() -> Future:
    """Two policies with baselines of their own, two draws, two years."""
    names = ["baseline", "policy", "other baseline", "other policy"]
    values = np.array(
        [[[1.0, 2.0], [3.0, 4.0]], [[1.5, 2.5], [2.0, 3.0]], [[0.0, 0.0], [1.0, 1.0]], [[5.0, 6.0], [7.0, 9.0]]]
    )
    coords = {"scenario": names, "draw": [0, 1], "year": [2025, 2026]}
    gap = xr.DataArray(values, dims=("scenario", "draw", "year"), coords=coords, attrs={"units": "Dmnl"})
    baselines = {names[0]: names[0], names[1]: names[0], names[2]: names[2], names[3]: names[2]}
    return Future(data=xr.Dataset({"gap": gap}), history=xr.Dataset(), origin=2024, baselines=baselines)


def test_it_is_the_policy_less_its_own_baseline_draw_by_draw(projection: Future) -> None:
    found = projection.difference("gap")
    assert found["scenario"].to_numpy().tolist() == ["policy", "other policy"]
    assert found.sel(scenario="policy").to_numpy().tolist() == [[0.5, 0.5], [-1.0, -1.0]]
    assert found.sel(scenario="other policy").to_numpy().tolist() == [[5.0, 6.0], [6.0, 8.0]]
    assert found.attrs == {"units": "Dmnl"}
    with pytest.raises(UnknownName, match="Did you mean 'gap'"):
        projection.difference("gapp")
