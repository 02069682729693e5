"""The panel as an object."""

import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.data import Data, Entity, load_data
from pysd_runner.data.reading import derived

Write = Callable[..., Path]


@pytest.fixture
def panel(write: Write) -> Data:
    text = (
        "region,name,group,year,output [yuan],population [persons],broadband_ports [ports],flag\n"
        "B,Beta,x,2001,5e4,2,,\nB,Beta,x,2000,4e4,2,1,\nA,Alpha,y,2000,3e4,1,3,guess\n"
    )
    return load_data(write(text), panel=True)


def test_axes_and_values(panel: Data) -> None:
    assert panel.codes == ("B", "A")
    assert panel.years == (2000, 2001)
    np.testing.assert_array_equal(panel.array("output"), [[4e4, 5e4], [3e4, np.nan]])
    np.testing.assert_array_equal(panel.array("output_per_head"), [[2e4, 2.5e4], [3e4, np.nan]])
    np.testing.assert_array_equal(panel.array("broadband_ports_per_100"), [[50, np.nan], [300, np.nan]])
    assert panel.variables[:3] == ("output", "population", "broadband_ports")
    assert "output" in panel
    assert "rain" not in panel


def test_where_each_value_came_from(panel: Data) -> None:
    assert panel.flags["output", "A", 2000] == "guess"
    assert panel.flags["output_per_head", "A", 2000] == "derived"
    assert panel.provenance["shape"] == "wide"
    assert len(str(panel.provenance["file_sha256"])) == 64


def test_it_is_frozen(panel: Data) -> None:
    with pytest.raises(FrozenInstanceError):
        panel.name = "x"  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        panel.array("output")[0, 0] = 1.0


@pytest.mark.parametrize("time", [2000, 2000.5, 2001, 2012, 2023, 2023.5])
def test_every_time_is_either_until_a_moment_or_after_it(time: float) -> None:
    china = load_data("china")
    until, after = china.until(time), china.after(time)
    assert (*until.times, *after.times) == tuple(china.times)
    assert max(until.times) <= time < min(after.times)
    for name, series in china.national.items():
        early, late = (part.national.get(name, {}) for part in (until, after))
        assert {**early, **late} == series
        assert all(year <= time for year in early)
        assert all(year > time for year in late)


def test_unknown_names_get_a_suggestion(panel: Data) -> None:
    with pytest.raises(UnknownName, match="'output'"):
        panel.array("outptu")
    with pytest.raises(UnknownName, match="'Alpha'"):
        panel.entity("Alfa")
    with pytest.raises(UnknownName, match="nothing for 1999"):
        panel.subset(times=[1999])


def test_regions_by_name(panel: Data) -> None:
    assert panel.entity("alpha") is panel.entity("A")
    assert panel.entity("Beta").name("zh") == "Beta"


def test_subset(panel: Data) -> None:
    small = panel.subset(entities=["Alpha"], times=range(1990, 2001))
    assert (small.codes, small.years) == (("A",), (2000,))
    assert small.array("output").tolist() == [[3e4]]
    assert dict(small.flags)["output", "A", 2000] == "guess"
    assert panel.subset().sha256 == panel.sha256
    assert small.sha256 != panel.sha256
    with pytest.raises(UnknownName, match="nothing"):
        panel.subset(times=range(1900, 1910))


def test_years_with(panel: Data) -> None:
    assert panel.years_with("output") == (2000, 2001)
    assert panel.years_with("broadband_ports") == (2000,)


def test_long_table(panel: Data) -> None:
    frame = panel.to_frame()
    assert list(frame.columns) == ["region", "year", "variable", "value", "unit", "flag"]
    assert len(frame) == 2 * 2 * len(panel.variables)
    row = frame[(frame.region == "A") & (frame.year == 2000) & (frame.variable == "output")].iloc[0]
    assert (row.value, row.unit, row.flag) == (3e4, "Yuan/Year", "guess")
    assert frame.value.isna().sum() == sum(int(np.isnan(panel.array(name)).sum()) for name in panel.variables)


def test_a_panel_made_by_hand_needs_no_flags(panel: Data) -> None:
    made = Data.by_region(
        name=panel.name, regions=panel.regions, years=panel.years, values=panel.values, units=panel.units
    )
    frame = made.to_frame()
    assert frame["value"].equals(panel.to_frame()["value"])
    assert (frame["flag"] == "").all()


def test_labelled_arrays(panel: Data) -> None:
    data = panel.to_xarray()
    assert data["output"].dims == ("region", "year")
    assert float(data["output"].sel(region="B", year=2001)) == 5e4
    assert data["output"].attrs["units"] == "Yuan/Year"
    assert data.attrs["currency"] == "Yuan"
    assert list(data["group"].values) == ["x", "y"]


def test_digest_is_of_the_content_only(panel: Data, write: Write) -> None:
    same = "year,region,name,group,output (万元),population [persons],broadband_ports [ports],flag\n"
    same += "2001,B,Beta,x,5,2,,\n2000,B,Beta,x,4,2,1,\n2000,A,Alpha,y,3,1,3,guess\n"
    assert load_data(write(same, name="other.csv", encoding="gbk"), panel=True).sha256 == panel.sha256
    changed = {
        load_data(write(same.replace(*change), name="other.csv"), panel=True).sha256
        for change in (
            ("B,Beta,x,5,", "B,Beta,x,6,"),
            ("guess", "sure"),
            (",y,", ",z,"),
            ("2001", "2002"),
            ("万元", "万美元"),
        )
    }
    assert len(changed | {panel.sha256}) == 6


def test_minus_zero_and_zero_are_one_content() -> None:
    region = Entity(code="A", name_en="A", name_zh="A")
    one, other = (
        Data.by_region(name="x", regions=(region,), years=(2000,), values={"a": np.array([[zero]])}, units={"a": ""})
        for zero in (0.0, -0.0)
    )
    assert one.sha256 == other.sha256


def test_it_can_be_pickled(panel: Data) -> None:
    again = pickle.loads(pickle.dumps(panel))  # noqa: S301
    assert again.sha256 == panel.sha256
    assert dict(again.flags) == dict(panel.flags)


def test_what_is_not_marked_has_no_flag() -> None:
    region = Entity(code="A", name_en="A", name_zh="A")
    values = {"output": np.ones((1, 2)), "other": np.ones((1, 2))}
    panel = Data.by_region(name="x", regions=(region,), years=(2000, 2001), values=values, units={})
    marks = np.array([["", "spliced"]], dtype=object)
    marked = panel.with_values(values, marks={"output": marks, "other": np.full((1, 2), "", dtype=object)})
    assert marked.flags == {("output", "A", 2001): "spliced"}
    assert set(marked.marks) == {"output"}


def test_derivation_against_plain_arithmetic() -> None:
    values = {
        "output_per_head": np.array([[10.0, np.nan]]),
        "population": np.array([[4.0, 5.0]]),
        "mobile_internet_users": np.array([[2.0, 2.0]]),
        "ict_employment": np.array([[1.0, 1.0]]),
        "urban_unit_employment": np.array([[4.0, 0.0]]),
    }
    made = derived(values)
    assert set(made) == {"output", "mobile_internet_per_100", "ict_employment_share"}
    np.testing.assert_array_equal(made["output"], [[40.0, np.nan]])
    np.testing.assert_array_equal(made["mobile_internet_per_100"], [[50.0, 40.0]])
    np.testing.assert_array_equal(made["ict_employment_share"], [[0.25, np.nan]])


def test_a_variable_that_is_there_is_never_completed(write: Write) -> None:
    text = "region,year,output [yuan],output_per_head [yuan/person],population [persons]\n"
    text += "A,2000,4e4,,2\nA,2001,4e4,3e4,2\n"
    panel = load_data(write(text), panel=True)
    np.testing.assert_array_equal(panel.array("output_per_head"), [[np.nan, 3e4]])


def test_replace_keeps_the_checks(panel: Data) -> None:
    with pytest.raises(InvalidInput, match="shape"):
        replace(panel, times=np.array([2000.0]))
