"""Indicators of labelled arrays."""

import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from pysd_runner import indicators
from pysd_runner.core.errors import InvalidInput
from pysd_runner.indicators import INDICATORS, indicators_of, sigma_dispersion, theil, theil_decomposition


@pytest.fixture
def panel():
    rng = np.random.default_rng(1)
    coords = {
        "scenario": ["baseline", "zoned"],
        "draw": range(3),
        "region": ["11", "甘肃", "65"],
        "year": [2024, 2025],
        "name_zh": ("region", ["北京", "甘肃", "新疆"]),
        "group": ("region", ["East", "West", "West"]),
    }
    dims = ("scenario", "draw", "region", "year")
    output = xr.DataArray(rng.lognormal(size=(2, 3, 3, 2)), dims=dims, coords=coords, attrs={"units": "Yuan/Year"})
    people = xr.DataArray(rng.lognormal(size=(2, 3, 3, 2)), dims=dims, coords=coords, attrs={"units": "Person"})
    return output, people


def test_every_indicator_with_its_unit_and_labels(panel):
    found = indicators_of(*panel)
    assert set(found.data_vars) == set(INDICATORS) | {"national_output", "national_population"}
    assert all(found[name].attrs["units"] for name in found)
    assert found["national_output"].attrs["units"] == "Yuan/Year"
    assert found["gap_to_leader"].dims == ("scenario", "draw", "region", "year")
    assert found["class_gap"].dims == ("scenario", "draw", "class", "year")
    assert found["theil"].dims == ("scenario", "draw", "year")
    assert found["class"].to_numpy().tolist() == ["East", "West"]
    assert found["name_zh"].to_numpy().tolist() == ["北京", "甘肃", "新疆"]


def test_the_values_are_those_of_the_plain_functions(panel):
    output, people = panel
    found = indicators_of(output, people)
    np.testing.assert_array_equal(found["theil"], theil(output.to_numpy(), people.to_numpy()))
    np.testing.assert_array_equal(found["sigma"], sigma_dispersion((output / people).to_numpy()))
    parts = theil_decomposition(output.to_numpy(), people.to_numpy(), ["East", "West", "West"])
    np.testing.assert_array_equal(found["theil_between"], parts.between)
    weights = found["population_share"]
    np.testing.assert_allclose((weights * found["gap_to_leader"]).sum("region"), found["national_gap"])
    np.testing.assert_allclose(found["national_output"], output.sum("region"))


def test_history_without_classes(panel):
    output, people = (array.isel(scenario=0, draw=0, drop=True).drop_vars("group") for array in panel)
    found = indicators_of(output, people)
    assert found["relative_output"].dims == ("region", "year")
    assert "class_gap" not in found
    assert "theil_between" not in found


def test_population_may_have_fewer_dimensions(panel):
    output, people = panel
    one = people.isel(scenario=0, draw=0, drop=True)
    found = indicators_of(output, one)
    assert found["theil"].dims == ("scenario", "draw", "year")


def test_refusals(panel):
    output, people = panel
    with pytest.raises(InvalidInput, match="must be called 'region'"):
        indicators_of(output.rename(region="province"), people)
    with pytest.raises(InvalidInput, match="population has the dimensions"):
        indicators_of(output, people.rename(region="province"))
    with pytest.raises(InvalidInput, match="different labels"):
        indicators_of(output, people.isel(region=[1, 2, 0]))
    with pytest.raises(InvalidInput, match="2 given for 3 regions"):
        indicators_of(output, people, classes=["East", "West"])


def test_importing_indicators_is_light():
    code = (
        "import sys, pysd_runner.indicators as i; i.theil; "
        "sys.exit(bool({'xarray', 'pandas', 'matplotlib', 'scipy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_all_names_can_be_imported():
    assert all(hasattr(indicators, name) for name in indicators.__all__)
    with pytest.raises(AttributeError, match="no attribute 'thiel'"):
        _ = indicators.thiel
