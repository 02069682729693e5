"""Results as tables: CSV, Excel, LaTeX, notebooks, long layout."""

import csv
import importlib
import io
import pkgutil
import re

import numpy as np
import openpyxl
import pandas as pd
import pytest
import xarray as xr
from openpyxl import load_workbook

import calibration
import pysd_runner
from pysd_runner.export import csv_bytes, save_csv, to_long_frame
from pysd_runner.export.files import Tabled, save_workbook


class Result(Tabled):
    def table(self, which: str = "all") -> pd.DataFrame:
        rows = {"median": [1.5, 2.25], "share_%": [0.5, float("nan")]}
        frame = pd.DataFrame(rows, index=pd.Index(["a_b", "c"], name="scenario"))
        return frame if which == "all" else frame.loc[[which]]


class Effects(Tabled):
    def table(self) -> pd.DataFrame:
        return pd.DataFrame({"region": ["A&B_1", "50 % {x}"], "gap": [-0.12345, float("nan")], "year": [2030, 2040]})


class Wide(Tabled):
    def table(self) -> pd.DataFrame:
        columns = pd.MultiIndex.from_tuples([("gap", "median"), ("gap", "low"), ("n", "")])
        return pd.DataFrame([[1.0, 0.5, 3]], columns=columns)


def test_the_named_index_is_a_column():
    text = Result().to_latex()
    assert r"scenario & median & share\_\% \\" in text
    assert r"a\_b & 1.5 & 0.5 \\" in text
    assert r"c & 2.25 &  \\" in text


def test_a_table_for_latex_is_one_of_booktabs():
    assert Effects().to_latex() == (
        "\\begin{tabular}{lrr}\n\\toprule\nregion & gap & year \\\\\n\\midrule\n"
        "A\\&B\\_1 & -0.123 & 2030 \\\\\n50 \\% \\{x\\} &  & 2040 \\\\\n\\bottomrule\n\\end{tabular}\n"
    )


def test_it_takes_what_table_takes():
    text = Result().to_latex("c", digits=2)
    assert "a\\_b" not in text
    assert "2.2" in text
    assert "2.25" not in text


def test_columns_of_several_names_have_one():
    assert "gap median & gap low & n" in Wide().to_latex()


def test_a_workbook_and_a_notebook(tmp_path):
    sheet = load_workbook(Result().to_excel(tmp_path / "table.xlsx")).active
    assert [cell.value for cell in sheet[1]] == ["scenario", "median", "share_%"]
    assert [cell.value for cell in sheet[2]] == ["a_b", 1.5, 0.5]
    assert "<table" in Result()._repr_html_()


def classes_with_tables():
    for package in (pysd_runner, calibration):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".engine" in module.name or module.name.endswith("__main__"):
                continue
            for name, item in vars(importlib.import_module(module.name)).items():
                if isinstance(item, type) and item.__module__ == module.name and "table" in vars(item):
                    returned = (
                        str(vars(item)["table"].__annotations__.get("return", ""))
                        if callable(vars(item)["table"])
                        else ""
                    )
                    if re.search(r"DataFrame", returned) and name != "HasTable":
                        yield item


@pytest.mark.parametrize("item", list(dict.fromkeys(classes_with_tables())), ids=lambda item: item.__name__)
def test_no_result_with_a_table_is_without(item):
    assert issubclass(item, Tabled)
    assert {"to_latex", "to_excel", "_repr_html_"} <= set(dir(item))


FORMULAS = ["=cmd|' /C calc'!A0", "+A1", "-A1", "@SUM(A1)", "\tx"]
PLAIN = ["a=b", "'=1", "-1.5", "+2e3", "-inf", "−3", ""]


def read(frame):
    return list(csv.reader(io.StringIO(csv_bytes(frame).decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("kind", [object, "string", "category"])
def test_a_text_that_would_be_a_formula_gets_an_apostrophe(kind):
    rows = read(pd.DataFrame({"region": pd.Series(FORMULAS + PLAIN, dtype=kind), "value": -1.5}))
    assert [row[0] for row in rows[1:]] == [f"'{text}" for text in FORMULAS] + PLAIN
    assert {row[1] for row in rows[1:]} == {"-1.5"}


def test_headings_are_texts_too_and_the_table_is_not_changed():
    frame = pd.DataFrame({"=h": ["=1", "\r=2", 12345678901234567], "-1": [1, 2, 3]})
    assert read(frame) == [["'=h", "-1"], ["'=1", "1"], [" =2", "2"], ["12345678901234567", "3"]]
    assert list(frame.columns) == ["=h", "-1"]
    assert frame["=h"][0] == "=1"


def test_a_workbook_holds_texts(tmp_path):
    save_workbook({"table": pd.DataFrame({"=h": FORMULAS, "value": -1.5})}, tmp_path / "a.xlsx")
    cells = [cell for row in openpyxl.load_workbook(tmp_path / "a.xlsx")["table"].iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} == {"s", "n"}
    assert cells[0].value == "=h"


def test_long_table_holds_every_number(futures):
    few = futures[["gap_to_leader", "theil", "class_gap"]]
    table = to_long_frame(few)
    assert table.columns.tolist() == ["scenario", "region", "year", "variable", "unit", "draw", "value"]
    assert len(table) == sum(few[name].size for name in few)
    row = table.query("scenario == 'uniform' and region == '130000' and year == 2030 and draw == 7").iloc[0]
    assert row["value"] == float(few["gap_to_leader"].sel(scenario="uniform", region="130000", year=2030, draw=7))
    assert row["unit"] == "Dmnl"
    national = table[table["variable"] == "theil"]
    assert set(national["region"]) == {"nation"}
    assert set(table[table["variable"] == "class_gap"]["region"]) == {"East", "Central", "West", "Northeast"}


def test_history_and_missing_numbers_keep_their_rows(futures):
    past = futures[["gap_to_leader"]].isel(scenario=0, draw=0, drop=True).copy(deep=True)
    past["gap_to_leader"][0, 0] = np.nan
    table = to_long_frame(past)
    assert set(table["scenario"]) == {"history"}
    assert table["value"].isna().sum() == 1
    assert len(table) == past["gap_to_leader"].size


def test_further_dimensions_become_part_of_the_name():
    weights = xr.DataArray(
        np.arange(12.0).reshape(2, 2, 3),
        dims=("lever", "region", "year"),
        coords={"lever": ["access", "skills"], "region": ["R1", "R2"], "year": [1, 2, 3]},
        attrs={"units": "Dmnl"},
    )
    table = to_long_frame(xr.Dataset({"policy_weight": weights}))
    assert set(table["variable"]) == {"policy_weight[access]", "policy_weight[skills]"}
    row = table.query("variable == 'policy_weight[skills]' and region == 'R2' and year == 3")
    assert row["value"].tolist() == [11.0]


def test_an_empty_dataset_gives_an_empty_table():
    assert to_long_frame(xr.Dataset()).empty


def test_csv_reads_back_in_spreadsheets_of_either_world(tmp_path):
    frame = pd.DataFrame({"region": ["甘肃", "R,1"], "value": [1 / 3, np.nan]})
    path = save_csv(frame, tmp_path / "new" / "a.csv")
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert b"\r" not in path.read_bytes()
    pd.testing.assert_frame_equal(pd.read_csv(path), frame, rtol=1e-9)
    assert not csv_bytes(frame[["value"]]).startswith(b"\xef\xbb\xbf")
