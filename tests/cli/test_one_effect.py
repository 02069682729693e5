"""One effect has one number on every page, or another name."""

import re

import pytest

from tests.reports.one_effect import ROUNDING, TOLERANCE, apart, numbers

pytest.importorskip("llvmlite", reason="llvmlite cannot be loaded here, so nothing can be compiled")


def test_pages_print_one_number_for_one_effect(gapsim, results, tmp_path):
    assert gapsim("explore", results, "--draws", 2, "--out", "explorer.html").code == 0
    assert gapsim("brief", "nation", "--run", results, "--format", "html", "--out", "brief").code == 0
    found = numbers(results, tmp_path / "brief" / "nation.html", tmp_path / "explorer.html")
    assert apart(found) <= TOLERANCE + ROUNDING, found


def test_no_other_number_of_the_table_goes_by_that_name(results):
    page = (results / "summary.md").read_text(encoding="utf-8")
    heads = [line for line in page.splitlines() if line.startswith("|") and "closed" in line]
    found = [re.findall(r"[^|]*\bgap\b[^|]*closed[^|]*", line) for line in heads]
    assert sorted(found) == [[" gap closed, % (mean) "], [" gap closed, % (median) "]]
