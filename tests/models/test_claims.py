"""The claim table is complete and names only what exists."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from pysd_runner.core.paths import model_folder
from pysd_runner.model import load_model

FOLDER = model_folder("regional_digital")
PAGE = (FOLDER / "claims.md").read_text(encoding="utf-8")
COLUMNS = ("claim", "phrase", "translation", "carried by", "type", "seen in", "verdict")
VERDICTS = ("as claimed", "in part", "open", "not so")


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def code(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def verdict(row: dict[str, str]) -> str:
    found = re.match(r"\*\*([^*]+)\*\*", row["verdict"])
    assert found, row["claim"]
    return found[1]


CLAIMS = [dict(zip(COLUMNS, cells(line), strict=True)) for line in PAGE.splitlines() if re.match(r"\| C\d+ \|", line)]
by_claim = pytest.mark.parametrize("row", CLAIMS, ids=lambda row: row["claim"])


@pytest.fixture(scope="module")
def variables() -> frozenset[str]:
    return frozenset(load_model("regional_digital").variables)


@pytest.fixture(scope="module")
def witnesses() -> frozenset[str]:
    """Test functions of the mechanisms, and shipped scenarios."""
    module = ast.parse((Path(__file__).parent / "test_mechanisms.py").read_text(encoding="utf-8"))
    tests = {item.name for item in module.body if isinstance(item, ast.FunctionDef)}
    scenarios = {path.stem for path in (FOLDER / "scenarios").glob("*.yaml")}
    return frozenset({name for name in tests if name.startswith("test_")} | scenarios)


def test_all_fifty_eight_claims_are_there_once_and_in_order_within_a_table() -> None:
    tables = [[int(number) for number in re.findall(r"^\| C(\d+) \|", part, re.M)] for part in PAGE.split("\n## ")]
    assert sorted(number for table in tables for number in table) == list(range(58))
    assert all(table == sorted(table) for table in tables)


def test_every_table_has_the_same_columns() -> None:
    headings = [cells(line) for line in PAGE.splitlines() if line.startswith("| claim |")]
    assert len(headings) == 4
    assert all(tuple(heading) == COLUMNS for heading in headings)


@by_claim
def test_every_cell_says_something(row: dict[str, str]) -> None:
    assert all(row.values())
    assert re.search(r"[\u4e00-\u9fff]", row["phrase"])
    assert not re.search(r"[\u4e00-\u9fff]", row["translation"])
    assert row["type"] in ("D", "Q", "P", "M")


@by_claim
def test_every_variable_is_in_the_model(row: dict[str, str], variables: frozenset[str]) -> None:
    named = code(row["carried by"])
    assert named
    assert not set(named) - variables


@by_claim
def test_every_test_and_scenario_exists(row: dict[str, str], witnesses: frozenset[str]) -> None:
    named = code(row["seen in"])
    assert any(name.startswith("test_") for name in named)
    assert not set(named) - witnesses


@by_claim
def test_every_verdict_is_one_of_four_and_gives_its_reason(row: dict[str, str]) -> None:
    assert verdict(row) in VERDICTS
    assert len(row["verdict"].partition("**: ")[2]) > 10


def test_the_page_counts_its_verdicts() -> None:
    counted = Counter(verdict(row) for row in CLAIMS)
    line = ", ".join(f"{counted[name]} {name}" for name in VERDICTS)
    assert f"Verdicts: {line}." in PAGE


def test_claims_named_in_the_summary_do_not_all_act_as_the_paper_says() -> None:
    summary = PAGE.partition("## What to know")[2].partition("## Frame")[0]
    named = {f"C{number}" for number in re.findall(r"C(\d+)", summary)}
    against = {row["claim"] for row in CLAIMS if verdict(row) == "not so"}
    assert against - {"C52"} <= named
