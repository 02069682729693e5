"""Names read from labelled arrays."""

import numpy as np
import pytest
import xarray as xr

from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.export.layout import in_layout
from pysd_runner.plots.arrays import label_of, position_of, quantity_of


def test_layout_adds_what_is_missing_and_orders_the_rest():
    array = xr.DataArray(np.arange(6.0).reshape(3, 2), dims=("year", "class"), coords={"year": [1, 2, 3]})
    full = in_layout(array.assign_coords({"class": ["a", "b"]}))
    assert full.dims == ("scenario", "draw", "region", "year")
    assert full.shape == (1, 1, 2, 3)
    np.testing.assert_array_equal(full[0, 0], array.T)
    with pytest.raises(InvalidInput, match="with labels along 'year'"):
        in_layout(array.drop_vars("year"))


def test_names_fall_back_in_order(futures):
    gaps = in_layout(futures["gap_to_leader"])
    assert label_of(gaps, "region", "110000", "zh") == "甘肃"
    assert label_of(gaps.drop_vars("name_zh"), "region", "110000", "zh") == "Province 1"
    assert label_of(gaps.drop_vars(["name_zh", "name_en"]), "region", "110000", "zh") == "110000"
    bare = gaps.drop_vars(["label_en", "label_zh"])
    assert label_of(gaps, "scenario", "zoned_need", "zh") == "分区分类、按需分配"
    assert label_of(bare, "scenario", "zoned_need", "zh") == "zoned need"
    assert label_of(bare, "scenario", "baseline", "zh") == "无政策"
    assert label_of(in_layout(futures["class_gap"]), "region", "West", "zh") == "西部"


def test_regions_are_found_by_code_or_name(futures):
    gaps = in_layout(futures["gap_to_leader"])
    assert position_of(gaps, "region", "120000") == position_of(gaps, "region", "新疆") == 1
    with pytest.raises(UnknownName, match=r"there are 110000, 120000, .*, \.\.\."):
        position_of(gaps, "region", "nowhere")


def test_units_and_scales():
    def made(name, units, largest=1.0):
        return quantity_of(xr.DataArray([largest], dims="year", name=name, attrs={"units": units}), "en")

    assert made("gap_to_leader", "Dmnl").scale == 100
    assert made("theil", "Dmnl").scale == 1
    assert made("theil", "Dmnl").difference_unit == "index points"
    assert made("access", "Dmnl").unit == "%"
    assert made("access", "Dmnl").difference_unit == "percentage points"
    wages = made("wage", "Yuan/Month", 5312.0)
    assert (wages.unit, wages.scale, wages.digits, wages.title) == ("Yuan/Month", 1, 0, "wage")
    assert made("wage", "Yuan/Month", 0.0512).digits == 4
    assert made("gini", "Dmnl").inline == "Gini coefficient"
    assert made("gap_to_leader", "Dmnl").inline == "gap to the leading region"


def test_own_words_are_used_for_unknown_quantities():
    attrs = {"units": "Dmnl", "long_name": "Skills", "long_name_zh": "技能"}
    array = xr.DataArray([1.0], dims="year", name="skills", attrs=attrs)
    assert quantity_of(array, "en").title == "Skills"
    assert quantity_of(array, "zh").title == "技能"
