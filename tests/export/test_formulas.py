"""Texts of users are never formulas of a spreadsheet; numbers stay numbers."""

import csv
import io

import openpyxl
import pandas as pd
import pytest

from pysd_runner.export.tables import csv_bytes, save_workbook

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
