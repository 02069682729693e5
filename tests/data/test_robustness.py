"""No file makes the reader fail in any way but by saying what is wrong."""

import re
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pysd_runner.core.errors import InvalidPanel
from pysd_runner.core.findings import errors_of
from pysd_runner.data import check_data, load_data
from pysd_runner.data.names import split_unit, year_heading

SOME = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

HEADINGS = st.sampled_from(
    [
        *("region", "name", "group", "year", "2019", "2020", "value", "variable", "unit", "flag", "", "note"),
        *("output [yuan]", "output", "GDP(亿元)", "population [persons]", "人口(万人)", "access [%]", "access"),
        *("ict_employment [万人]", "urban_unit_employment [万人]"),
    ]
)
CELLS = st.sampled_from(
    [
        *("", "A", "B", "北京", "2019", "2020", "2021年", "1", "-1", "0", "0.5", "5e4", "1e999"),
        *("n/a", "1,5", "output", "gdp", "yuan", "%", "#x", '"'),
    ]
)

SHEET = "xl/worksheets/sheet1.xml"


def loads_or_says_why(path: Path) -> None:
    problems = check_data(path, panel=True)
    errors = [problem for problem in problems if problem.severity == "error"]
    for problem in problems:
        assert problem.message
        assert "\n" not in str(problem)
        assert problem.row is None or problem.row >= 1
    try:
        panel = load_data(path, panel=True)
    except InvalidPanel:
        assert errors
    else:
        assert not errors
        assert panel.problems == tuple(problems)


@SOME
@given(content=st.binary(max_size=200))
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "panel.csv"
    path.write_bytes(content)
    loads_or_says_why(path)


@settings(SOME, max_examples=250)
@given(header=st.lists(HEADINGS, max_size=7), rows=st.lists(st.lists(CELLS, max_size=8), max_size=6))
def test_any_table(tmp_path: Path, header: list[str], rows: list[list[str]]) -> None:
    path = tmp_path / "panel.csv"
    path.write_text("\n".join(",".join(row) for row in [header, *rows]), encoding="utf-8")
    loads_or_says_why(path)


@SOME
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["A", "B", ""]),
            st.sampled_from(["2019", "2020", "x"]),
            st.sampled_from(["gdp", "population", "", "access"]),
            CELLS,
        ),
        max_size=8,
    )
)
def test_any_long_table(tmp_path: Path, rows: list[tuple[str, ...]]) -> None:
    path = tmp_path / "panel.csv"
    path.write_text("region,year,variable,value\n" + "\n".join(",".join(row) for row in rows), encoding="utf-8")
    loads_or_says_why(path)


def test_an_unclosed_quote_in_a_large_file(tmp_path: Path) -> None:
    path = tmp_path / "panel.csv"
    rows = [f"A,{1900 + number % 100},50000,1" for number in range(20_000)]
    path.write_text(
        'region,year,output [yuan],population [persons]\nB,2000,"50000,1\n' + "\n".join(rows), encoding="utf-8"
    )
    problems = check_data(path, panel=True)
    assert max(len(str(problem)) for problem in problems) < 1000
    rules = {problem.rule for problem in problems}
    assert {"row-length", "not-a-number"} <= rules


def workbook(path: Path, cells: Mapping[str, object]) -> Path:
    book = openpyxl.Workbook()
    for row in (["region", "year", "output [yuan]", "population [persons]"], ["A", 2000, 5e4, 1], ["A", 2001, 5e4, 1]):
        book.active.append(row)
    for place, value in cells.items():
        book.active[place] = value
    book.save(path)
    return path


def rewritten(path: Path, name: str, change: Callable[[bytes], bytes]) -> Path:
    """One file of a workbook made another."""
    with zipfile.ZipFile(path) as archive:
        files = {item: archive.read(item) for item in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for item, content in files.items():
            archive.writestr(item, change(content) if item == name else content)
    return path


def rules(path: Path) -> list[str]:
    return [problem.rule for problem in check_data(path, panel=True)]


@pytest.mark.parametrize(("place", "refused"), [("XFD1048576", True), ("XFD200", True), ("XFD1", False)])
def test_a_sheet_that_spans_too_many_cells_is_refused(tmp_path: Path, place: str, refused: bool) -> None:
    assert ("too-large" in rules(workbook(tmp_path / "panel.xlsx", {place: "x"}))) == refused


def test_cells_that_are_far_away_and_empty_are_no_part_of_the_table(tmp_path: Path) -> None:
    path = workbook(tmp_path / "panel.xlsx", {"XFD200": "x"})
    rewritten(path, SHEET, lambda content: content.replace(b"<is><t>x</t></is>", b""))
    assert "too-large" not in rules(path)
    assert load_data(path, panel=True).years == (2000, 2001)


def test_a_row_beyond_the_last_of_any_sheet_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "panel.xlsx", {})
    rewritten(path, SHEET, lambda content: content.replace(b'<row r="3"', b'<row r="99999999999"'))
    assert rules(path) == ["too-large"]


def test_a_workbook_that_unpacks_to_much_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "panel.xlsx", {})
    blanks = b" " * 100_000_000
    rewritten(path, SHEET, lambda content: content.replace(b"</sheetData>", b"</sheetData>" + blanks))
    assert path.stat().st_size < 1e6
    assert rules(path) == ["too-large"]


def test_formulas_of_a_far_cell_are_read_in_little_memory(tmp_path: Path) -> None:
    path = workbook(tmp_path / "panel.xlsx", {"C3": "=1+1", "XFD100": "=1+1"})
    tracemalloc.start()
    assert rules(path).count("formula") == 2
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


DAMAGES = {
    "no end": lambda content: content[:-30],
    "no sheet": lambda _: b"<worksheet/>",
    "not xml": lambda _: b"\x00\x01",
    "a row of no number": lambda content: content.replace(b'r="2"', b'r="x"'),
    "a cell of no name": lambda content: content.replace(b'r="A2"', b'r="2A"'),
    "a text that is not there": lambda content: content.replace(b't="n"><v>2000', b't="s"><v>2000'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_sheet_is_said_in_a_sentence(tmp_path: Path, damage: str) -> None:
    path = rewritten(workbook(tmp_path / "panel.xlsx", {}), SHEET, DAMAGES[damage])
    problems = errors_of(check_data(path, panel=True))
    assert problems
    assert "\n" not in str(problems[0])


@pytest.mark.parametrize("place", [0.2, 0.4, 0.6, 0.8])
def test_flipped_bytes_are_said_in_a_sentence(tmp_path: Path, place: float) -> None:
    content = bytearray(workbook(tmp_path / "panel.xlsx", {}).read_bytes())
    for at in range(int(place * len(content)), len(content), 97):
        content[at] ^= 255
    path = tmp_path / "damaged.xlsx"
    path.write_bytes(content)
    loads_or_says_why(path)


LONG = {
    "open": "x(" + "a" * 100_000,
    "blanks": "x" + " " * 100_000 + "y",
    "year": "2020" + " " * 100_000 + "x",
    "closed": "(" + "a" * 100_000 + ")c)",
    "brackets": "x(" * 50_000,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_what_a_heading_names_is_found_in_little_time(text: str) -> None:
    began = time.process_time()
    assert split_unit(text)[0] in text
    assert year_heading(text) is None
    assert time.process_time() - began < 0.1


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_a_heading_that_is_no_name_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "panel.csv"
    path.write_text(f"region,year,output [yuan],{text}\nA,2000,50000,1\n", encoding="utf-8")
    began = time.process_time()
    (problem,) = check_data(path, panel=True)
    assert time.process_time() - began < 0.1
    assert (problem.rule, problem.row, problem.column) == ("long-heading", 1, "column 4")


@given(text=st.text(alphabet="ab ()[]\n2", max_size=12))
def test_the_unit_is_what_stands_in_the_last_brackets(text: str) -> None:
    plain = re.compile(r"^(?P<label>.*?)\s*[(\[](?P<unit>[^()\[\]]+(?:\([^()]*\))?[^()\[\]]*)[)\]]$")
    match = plain.match(text.strip())
    expected = (match["label"], match["unit"].strip()) if match and match["label"] else (text.strip(), "")
    assert split_unit(text) == expected


def test_a_long_cell_with_flags_is_read_in_little_time(tmp_path: Path) -> None:
    path = tmp_path / "nama_10r_2gdp.tsv"
    path.write_text(f"geo\\TIME_PERIOD\t2000\t2001\nA\t{'e' * 30_000}X\t5\n", encoding="utf-8")
    began = time.process_time()
    assert "not-a-number" in rules(path)
    assert time.process_time() - began < 0.5


def test_a_blank_row_within_a_table_hides_no_row_below(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("day,ill,well\n0,5,1\n\n2,9,\n3,8,\nSource: us\n", encoding="utf-8")
    assert [problem.rule for problem in check_data(tmp_path / "a.csv")] == ["blank-row"]
    assert len(load_data(tmp_path / "a.csv").times) == 3


MUDDLED = {
    "elements of unlike depth": ({"day": [0, 1], "ill[a]": [1, 2], "ill[a,b]": [3, 4]}, {}, "repeated-heading"),
    "elements beside their whole": (
        {"day": [0, 1], "ill": [1, 2], "ill[a]": [3, 4], "ill[b]": [1, 1]},
        {},
        "repeated-heading",
    ),
    "a time without a name": ({"day": [0, 1], "ill": [1, 2]}, {"time": ""}, "unknown-column"),
    "no region of the region file": (
        {"region": ["A"] * 4, "year": [2000, 2001, 2003, 2004], "output [yuan]": [5e4] * 4},
        {"regions": {"code": ["X"]}, "panel": True},
        "unknown-region",
    ),
    "years of an unknown region alone": (
        {"region": ["A", "B", "B", "B"], "year": [2004, 2000, 2001, 2003], "output [yuan]": [5e4] * 4},
        {"regions": {"code": ["A"]}, "panel": True},
        "unknown-region",
    ),
    "two names for one variable": (
        {
            "region": ["A"] * 3,
            "year": [2000, 2001, 2002],
            "variable": ["access", "access", "x"],
            "value": [1, 1, 1],
            "unit": ["%", "km", "%"],
        },
        {"roles": {"x": "access"}, "panel": True},
        "ambiguous-variable",
    ),
}


@pytest.mark.parametrize(("table", "settings", "rule"), MUDDLED.values(), ids=MUDDLED)
def test_a_muddled_table_is_refused_in_words(
    table: dict[str, list[object]], settings: dict[str, object], rule: str
) -> None:
    assert rule in [problem.rule for problem in errors_of(check_data(table, **settings))]
