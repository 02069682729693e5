"""Tables: what is read from which form, and what is said of faults."""

import datetime

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings, strategies as st

from pysd_runner import load_data, load_model
from pysd_runner.core.errors import InvalidInput, InvalidPanel, UnknownName
from pysd_runner.study.binding import in_time_of


def csv(folder, text, name="obs.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_wide_long_and_turned_files_say_the_same(tmp_path):
    wide = load_data(csv(tmp_path, "day,a,b\n0,1,10\n1,2,\n", "w.csv"))
    long = load_data(csv(tmp_path, "day,variable,value\n0,a,1\n0,b,10\n1,a,2\n", "l.csv"))
    turned = load_data(csv(tmp_path, "variable,0,1\na,1,2\nb,10,\n", "t.csv"))
    for table in (long, turned):
        for name in ("a", "b"):
            np.testing.assert_array_equal(table.column(name).values, wide.column(name).values)
        np.testing.assert_array_equal(table.times, wide.times)


def test_frames_dictionaries_workbooks_and_labelled_data_are_read_alike(tmp_path):
    frame = pd.DataFrame({"day": [0.0, 1.5], "a": [1.0, np.nan], "b": [0.1, 0.2]})
    frame.to_excel(tmp_path / "obs.xlsx", index=False)
    data = xr.Dataset({"a": ("day", [1.0, np.nan]), "b": ("day", [0.1, 0.2])}, coords={"day": [0.0, 1.5]})
    for source in (frame, frame.to_dict("list"), tmp_path / "obs.xlsx", data, frame.set_index("day")):
        table = load_data(source)
        np.testing.assert_array_equal(table.times, [0.0, 1.5])
        np.testing.assert_array_equal(table.column("a").values, [1.0, np.nan])
        np.testing.assert_array_equal(table.column("b").values, [0.1, 0.2])


def test_entities_stand_in_columns_or_headings(tmp_path):
    rows = load_data(csv(tmp_path, "day,place,a\n0,North,1\n0,South,2\n1,South,3\n", "r.csv"))
    heads = load_data(csv(tmp_path, "day,a[North],a[South]\n0,1,2\n1,,3\n", "h.csv"))
    np.testing.assert_array_equal(rows.column("a").values, [[1, np.nan], [2, 3]])
    np.testing.assert_array_equal(heads.column("a").values, rows.column("a").values)
    assert rows.labels == {"place": ("North", "South")}
    assert list(rows.by_time("a").columns) == ["North", "South"]


def test_two_axes_of_entities(tmp_path):
    table = load_data(csv(tmp_path, "year,place,sort,a\n0,N,x,1\n0,N,y,2\n0,S,x,3\n0,S,y,4\n"))
    np.testing.assert_array_equal(table.column("a").values[..., 0], [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("texts", "unit", "times"),
    [
        (["2020-01-01", "2020-01-03"], "day", [0, 2]),
        (["2020-01", "2020-04"], "month", [0, 3]),
        (["2020Q1", "2020Q4"], "quarter", [0, 3]),
    ],
)
def test_dates_are_counted_in_the_unit_they_are_written_in(texts, unit, times):
    table = load_data({"date": texts, "a": [1, 2]})
    assert table.time_unit == unit
    np.testing.assert_allclose(table.times, times)
    np.testing.assert_allclose(table.in_unit("year").times[0], 2020.0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 1, 1)), min_size=2, max_size=6, unique=True))
def test_order_of_dates_is_that_of_their_numbers(days):
    dates = sorted(days)
    table = load_data({"date": [day.isoformat() for day in days], "a": range(len(days))})
    for unit in ("day", "week", "month", "quarter", "year"):
        times = table.in_unit(unit).times
        assert (np.diff(times) > 0).all()
    np.testing.assert_allclose(table.times, [(day - dates[0]).days for day in dates])


def test_numbers_keep_every_digit():
    values = np.random.default_rng(0).standard_normal(20) * 10.0 ** np.arange(-10, 10)
    table = load_data({"t": np.arange(20), "a": values})
    np.testing.assert_array_equal(table.column("a").values, values)


def test_decimal_commas_and_units_in_headings(tmp_path):
    table = load_data(csv(tmp_path, "day;infected (person)\n0;1,5\n1;2,25\n"))
    np.testing.assert_array_equal(table.column("infected").values, [1.5, 2.25])
    assert table.column("infected").unit == "person"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("day,a\n0,1\n1,x\n", "row 3, column 'a': column a is not a number"),
        ("day,a\n0,1\n0,2\n", "row 3, column 'a': a has a second value at this time; the first stands in row 2"),
        ("day,a\n0,1\nnever,2\n", "row 3, column 'day': not a time"),
        ("day,a\n,1\n", "the time is empty"),
        ("a,b\n1,2\n", "no column of times was found"),
        ("day,a,a\n0,1,2\n", "a heading stands twice"),
        ("day,a\n0,1,2\n", "more cells than the header"),
        ("day,place,a\n0,N,1\n0,,2\n", "does not say whom it is about"),
        ("", "the file is empty"),
        ("day,a\n0,\n1,\n", "a has no value at all"),
    ],
)
def test_faults_name_row_and_column(tmp_path, text, told):
    with pytest.raises(InvalidPanel, match="problem") as caught:
        load_data(csv(tmp_path, text))
    assert told in str(caught.value)


def test_wrong_names_are_met_with_the_nearest():
    with pytest.raises(InvalidPanel, match="Did you mean 'infected'"):
        load_data({"day": [0], "infected": [1]}, roles={"infectd": "Infected"})
    with pytest.raises(UnknownName, match="Did you mean 'infected'"):
        load_data({"day": [0], "infected": [1]}).column("infectd")
    with pytest.raises(InvalidInput, match="dates can be counted"):
        load_data({"date": ["2020-01-01"], "a": [1]}, time_unit="fortnight")
    with pytest.raises(InvalidInput, match="data are read from"):
        load_data(3)


def test_parts_in_time_and_what_is_shown(tmp_path):
    table = load_data({"day": [0, 1, 2], "a": [1, 2, 3]})
    assert list(table.until(1).times) == [0, 1]
    assert list(table.after(1).times) == [2]
    with pytest.raises(InvalidInput, match="has nothing"):
        table.until(-1)
    assert repr(table) == "<Data 'table': a; 3 moments from 0 to 2 day>"
    assert table.sha256 != load_data({"day": [0, 1, 2], "a": [1, 2, 4]}).sha256
    written = table.to_excel(tmp_path / "t.xlsx")
    np.testing.assert_array_equal(load_data(written, sheet="observations").column("a").values, [1, 2, 3])
    assert load_data(table.to_xarray()).sha256 == table.sha256


def test_the_first_date_is_where_the_model_starts(tmp_path):
    path = csv(
        tmp_path,
        "t = Time ~~|\nINITIAL TIME = 5 ~day~|\nFINAL TIME = 9 ~day~|\nTIME STEP = 1 ~day~|\nSAVEPER = 1 ~day~|",
        "m.mdl",
    )
    table = load_data(csv(tmp_path, "date,t\n2020-03-02,5\n2020-03-03,6\n2020-03-06,9\n"))
    found, calendar = in_time_of(load_model(path), table)
    np.testing.assert_array_equal(found.times, [5, 6, 9])
    assert calendar.told == ["2020-03-02 is moment 5 of the model."]
