"""Every result that can be a table can be one for LaTeX, for Excel and in a notebook."""

import importlib
import pkgutil
import re

import pandas as pd
import pytest
from openpyxl import load_workbook

import calibration
import pysd_runner
from pysd_runner.export.tables import Tabled


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
