"""Bad files: every fault reported, each with its row of the file, none hiding another."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pysd_runner.core.errors import InvalidInput, InvalidPanel, UnknownName
from pysd_runner.panel import Problem, check_data, load_data
from pysd_runner.panel.problems import heaviest_first

Write = Callable[..., Path]

HEAD = "region,year,output [yuan],population [persons]\n"

TWELVE = """\
region,year,output [100 million yuan],population [10 thousand persons],firms_with_ecommerce [fraction]
110000,2000,3368.43,1364,0.10
110000,2001,n/a,1385,0.11
110000,2002,"4,650.84",1423,0.12
110000,2003,5412.84,-1456,0.13
110000,2004,6250.05,1493,1.4
120000,2000,1591.67,1001,0.10
120000,2001,1756.89,1004,0.11
120000,2001,1756.89,1004,0.11
120000,2003,0,1011,0.13
Bejing,2000,100.0,20,0.10
130000,20x4,4628.2,6674,0.10
130000,2001.5,5062.9,6699,0.11
130000,2002,5517.8,6735,0.12
130000,2003,6333.6,6769,0.13
130000,2004,7588.6,,0.14
130000,2005,9.0,6851,0.15
"""


def found(problems: list[Problem]) -> list[tuple[int | None, str, str]]:
    return [(problem.row, problem.rule, problem.column) for problem in problems]


def test_twelve_faults_in_one_file_are_exactly_those_twelve(write: Write) -> None:
    regions = write("code,name_en\n110000,Beijing\n120000,Tianjin\n130000,Hebei\n", name="regions.csv")
    problems = check_data(write(TWELVE), regions=regions)
    output, people = "output [100 million yuan]", "population [10 thousand persons]"
    expected = [
        (3, "not-a-number", output),
        (4, "not-a-number", output),
        (5, "impossible-value", people),
        (6, "impossible-value", "firms_with_ecommerce [fraction]"),
        (8, "gap", ""),
        (9, "duplicate", ""),
        (10, "impossible-value", output),
        (11, "unknown-region", "region"),
        (12, "not-a-year", "year"),
        (13, "not-a-year", "year"),
        (16, "gap", people),
        (17, "magnitude", output),
    ]
    assert found(problems) == expected
    by_row = {problem.row: problem for problem in problems}
    assert by_row[3].found == "n/a"
    assert by_row[4].found == "4,650.84"
    assert "others are written in another way" in by_row[4].message
    assert by_row[9].found == "120000, 2001 in rows 8 and 9"
    assert "Beijing" in by_row[11].message
    assert by_row[8].severity == "warning"


ONE_FAULT = [
    pytest.param("", [(None, "empty-file", "")], id="nothing"),
    pytest.param(HEAD, [(1, "empty-file", "")], id="header only"),
    pytest.param(HEAD + "A,2000,50000,1,5\n", [(2, "row-length", "")], id="too many cells"),
    pytest.param(HEAD + "A,2000,50000\n", [(2, "row-length", "")], id="too few cells"),
    pytest.param(HEAD + ",2000,50000,1\n", [(2, "no-region", "region")], id="no region"),
    pytest.param(HEAD + "A,,50000,1\n", [(2, "not-a-year", "year")], id="no year"),
    pytest.param(HEAD + "A,15,50000,1\n", [(2, "year-range", "year")], id="year out of range"),
    pytest.param(HEAD + "A,2000,1e999,1\n", [(2, "impossible-value", "output [yuan]")], id="infinite"),
    pytest.param(HEAD + "A,2000,nan,1\n", [(2, "not-a-number", "output [yuan]")], id="nan is text"),
    pytest.param(HEAD + "A,2000,１２３４,1\n", [(2, "not-a-number", "output [yuan]")], id="full-width digits"),
    pytest.param(HEAD + "A,2000,12 34,1\n", [(2, "not-a-number", "output [yuan]")], id="space in a number"),
    pytest.param(HEAD + 'A,2000,"12,345",1\n', [(2, "not-a-number", "output [yuan]")], id="a comma of either meaning"),
    pytest.param(
        HEAD + 'A,2000,"12345,5",1\nA,2001,12345.5,1\n',
        [(2, "not-a-number", "output [yuan]")],
        id="two decimal points",
    ),
    pytest.param(
        HEAD + 'A,2000,"1,234,567",2\nA,2001,1234568,2\n',
        [(2, "not-a-number", "output [yuan]")],
        id="thousands apart in one of two",
    ),
    pytest.param(
        HEAD + "A,2000/01,50000,1\nA,2001,50000,1\n", [(2, "not-a-year", "year")], id="one of two years a span"
    ),
    pytest.param(HEAD + "A,2000-01,50000,1\n", [(2, "not-a-year", "year")], id="a span, or a month"),
    pytest.param(
        HEAD + "A,2000-02,50000,1\nA,2001-03,50000,1\n",
        [(2, "not-a-year", "year"), (3, "not-a-year", "year")],
        id="months",
    ),
    pytest.param(
        HEAD + "A,2000-12-31,50000,1\nA,2001-06-30,50000,1\n",
        [(2, "not-a-year", "year"), (3, "not-a-year", "year")],
        id="dates of two days",
    ),
    pytest.param(
        HEAD + "A,2010-11,50000,1\nA,2011-12,50000,1\n",
        [(2, "not-a-year", "year"), (3, "not-a-year", "year")],
        id="two spans, or months",
    ),
    pytest.param(
        HEAD + "A,2000-2101,50000,1\nA,2001-2102,50000,1\n",
        [(2, "not-a-year", "year"), (3, "not-a-year", "year")],
        id="a span of a century",
    ),
    pytest.param(
        HEAD + "A,2000-13-45,50000,1\nA,2001-13-45,50000,1\n",
        [(2, "not-a-year", "year"), (3, "not-a-year", "year")],
        id="no day of the year",
    ),
    pytest.param(HEAD + "A,2000,50000,0\n", [(2, "impossible-value", "population [persons]")], id="nobody"),
    pytest.param(HEAD + "A,2000,-5,1\n", [(2, "impossible-value", "output [yuan]")], id="negative output"),
    pytest.param(HEAD + "A,2000,50,1\n", [(2, "magnitude", "output [yuan]")], id="output too small"),
    pytest.param(HEAD + "A,2000,5e8,1\n", [(2, "magnitude", "output [yuan]")], id="output too great"),
    pytest.param(
        "region,year,output [yuan],output [yuan],population [persons]\nA,2000,50000,50000,1\n",
        [(1, "repeated-heading", "output [yuan]")],
        id="heading twice",
    ),
    pytest.param(
        "region,year,GDP(元),GRP(元),population [persons]\nA,2000,50000,50000,1\n",
        [(1, "ambiguous-heading", "GRP(元)")],
        id="two columns of one variable",
    ),
    pytest.param(
        "region,year,population [persons]\nA,2000,5\nA,2001,5\n", [(1, "missing-column", "output")], id="no output"
    ),
    pytest.param(
        "year,output [yuan],population [persons]\n2000,5e5,5\n",
        [(1, "missing-column", "region")],
        id="no region column",
    ),
    pytest.param(
        "region,output [yuan],population [persons]\nA,5e5,5\n", [(1, "missing-column", "year")], id="no year column"
    ),
    pytest.param(
        "region,year,output [bushels],population [persons]\nA,2000,5,1\n",
        [(1, "unit-mismatch", "output [bushels]")],
        id="unknown unit",
    ),
    pytest.param(
        "region,year,output [persons],population [persons]\nA,2000,5,1\n",
        [(1, "unit-mismatch", "output [persons]")],
        id="unit of something else",
    ),
    pytest.param(
        "region,year,output [yuan],population [persons],access [fraction]\n"
        "A,2000,50000,1,45\nA,2001,50000,1,47\nA,2002,50000,1,0.5\n",
        [(2, "unit-mismatch", "access [fraction]")],
        id="percent for a fraction, once",
    ),
    pytest.param(
        "region,year,output [yuan],output_per_head [USD/person],population [persons]\nA,2000,50000,50000,1\n",
        [(None, "mixed-units", "output_per_head [USD/person]")],
        id="two currencies",
    ),
    pytest.param(
        "region,year,variable,value,unit\nA,2000,gdp,50000,yuan\nA,2001,gdp,5,万元\nA,2002,gdp,50000,\n"
        "A,2000,population,1,persons\nA,2001,population,1,persons\nA,2002,population,1,persons\n",
        [(3, "mixed-units", "value"), (4, "mixed-units", "value")],
        id="mixed units in a long file",
    ),
    pytest.param(
        "region,year,variable,value,unit\nA,2000,gdp,50000,yuan\nA,2000,gdp,50000,yuan\nA,2000,population,1,persons\n"
        "A,2000,,1,persons\n",
        [(3, "duplicate", ""), (5, "empty-variable", "variable")],
        id="a long file repeats itself",
    ),
    pytest.param(
        "region,year,variable,value,unit\nA,2000,population,1,persons\n",
        [(1, "missing-column", "output")],
        id="long without output",
    ),
    pytest.param(
        "region,region_code,group,year,output [yuan],population [persons]\n"
        "Alpha,1,x,2000,50000,1\nAlfa,1,y,2001,50000,1\n",
        [(3, "two-names", ""), (3, "two-groups", "")],
        id="a code with two names and groups",
    ),
    pytest.param(
        "region,year,output [yuan],population [persons],ict_employment [persons],urban_unit_employment [persons]\n"
        "A,2000,50000,1,3,2\n",
        [(2, "impossible-value", "ict_employment [persons]")],
        id="a part greater than its whole",
    ),
    pytest.param(
        "region,year,output [yuan],population [persons]\nA,2000,,1\nA,2001,,1\n",
        [(None, "no-values", "output")],
        id="no values",
    ),
    pytest.param(
        "region,2000,2001\nA,5,6\n",
        [(1, "missing-variable-name", "")],
        id="a column for each year, of nobody knows what",
    ),
]


@pytest.mark.parametrize(("text", "expected"), ONE_FAULT)
def test_a_fault_is_reported_where_it_is(write: Write, text: str, expected: list[tuple[int | None, str, str]]) -> None:
    problems = [problem for problem in check_data(write(text), panel=True) if problem.severity == "error"]
    assert found(problems) == expected
    assert all(problem.message and (problem.expected or problem.found) for problem in problems)


WARNINGS = [
    pytest.param("region,year,output [yuan]\nA,2000,5e4\n", [(1, "no-population", "")], id="no population"),
    pytest.param(
        "region,year,output,population [persons]\nA,2000,5e4,1\n",
        [(None, "no-unit", "output")],
        id="no unit for output",
    ),
    pytest.param(HEAD[:-1] + ",notes\nA,2000,50000,1,x\n", [(1, "unused-column", "notes")], id="a column nobody knows"),
    pytest.param(
        HEAD + "A,2000,50000,1\nA,2002,50000,1\nB,2001,5e4,1\n", [(2, "gap", "")], id="a year missing in a region"
    ),
    pytest.param(
        HEAD + "A,2000,50000,1\nA,2001,50000,1\nA,2003,50000,1\n", [(3, "gap", "")], id="a year missing everywhere"
    ),
    pytest.param(
        HEAD + "A,2000,50000,1\nA,2001,,1\nA,2002,50000,1\n", [(3, "gap", "output [yuan]")], id="an empty cell inside"
    ),
    pytest.param(HEAD + "A,2000,50000,1\n,,,\nA,2001,5e4,1\n", [(3, "blank-row", "")], id="a blank row"),
    pytest.param(
        HEAD + "Ab,2000,50000,1\nAB,2000,5e4,1\n", [(3, "region-spelling", "region")], id="nearly the same region"
    ),
    pytest.param(
        "region,year,output [yuan],population [persons],access [%]\nA,2000,50000,1,0.3\nA,2001,50000,1,0.4\n",
        [(2, "unit-doubt", "access [%]")],
        id="a fraction for percent",
    ),
    pytest.param(
        "region,year,output [yuan],population [persons],access [%]\n"
        "A,2000,50000,1,30\nA,2001,50000,1,40\nB,2000,5e4,1,0.4\nB,2001,5e4,1,45\n",
        [(4, "unit-doubt", "access [%]")],
        id="one fraction among percentages",
    ),
    pytest.param(
        "region,year,variable,value,unit\nA,2000,gdp,50000,yuan\nA,2000,population,1,persons\nA,2000,rain,1,mm\n",
        [(4, "own-variable", "variable")],
        id="a variable of one's own",
    ),
    pytest.param(HEAD + "A,2000,12 345,1\n", [(2, "number-style", "output [yuan]")], id="thousands set apart"),
    pytest.param(HEAD + "A,2012/13,5e4,1\nA,2013/14,5e4,1\n", [(2, "year-form", "year")], id="years that span two"),
    pytest.param(
        HEAD.replace("year", "group,year") + "US,NATION,2000,50000,1\nA,x,2000,50000,1\n",
        [(2, "total", "region")],
        id="a class for all of them",
    ),
    pytest.param(HEAD + "全国,2000,5e4,1\nA,2000,5e4,1\n", [(2, "total", "region")], id="a name for all of them"),
    pytest.param(
        HEAD
        + "".join(
            f"{code},{year},{size}e4,{size}\n"
            for year in (2001, 2002, 2003)
            for code, size in zip("ABCS", (1, 2, 3, 6), strict=True)
        ),
        [(5, "total", "region")],
        id="the sum of the others",
    ),
]


@pytest.mark.parametrize(("text", "expected"), WARNINGS)
def test_a_doubt_is_a_warning_and_the_panel_loads(
    write: Write, text: str, expected: list[tuple[int | None, str, str]]
) -> None:
    path = write(text)
    problems = check_data(path, panel=True)
    assert found(problems) == expected
    assert {problem.severity for problem in problems} == {"warning"}
    assert load_data(path, panel=True).problems == tuple(problems)


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "A,2000,50000,1\nA,2003,50000,1\nA,2006,5e4,1\n",
        HEAD + "A,2000,50000,1\n\n\n",
        HEAD.replace("year", "group,year") + "A,country,2000,50000,1\nB,country,2000,50000,1\n",
    ],
)
def test_what_is_no_fault_is_not_reported(write: Write, text: str) -> None:
    assert check_data(write(text), panel=True) == []


def test_a_missing_column_is_told_once_with_what_was_found_and_the_nearest_heading(write: Write) -> None:
    rows = "".join(f"A,{year},5000,1\n" for year in range(2000, 2020))
    problems = [
        p
        for p in check_data(write("region,year,gpd,population [persons]\n" + rows), panel=True)
        if p.rule == "missing-column"
    ]
    (problem,) = problems
    assert problem.found == "region, year, gpd, population [persons]"
    assert "Is it 'gpd'?" in problem.message


def test_one_bad_cell_does_not_hide_another_in_its_column(write: Write) -> None:
    rows = [
        f"A,{1900 + number},{'x' if number % 7 == 3 else 50000},{'-1' if number % 5 == 2 else 1}\n"
        for number in range(100)
    ]
    problems = check_data(write(HEAD + "".join(rows)), panel=True)
    wrong = {(problem.row, problem.column) for problem in problems if problem.severity == "error"}
    expected = {(number + 2, "output [yuan]") for number in range(100) if number % 7 == 3}
    expected |= {(number + 2, "population [persons]") for number in range(100) if number % 5 == 2}
    assert wrong == expected


def test_row_numbers_count_comments_blank_lines_and_quoted_line_breaks(write: Write) -> None:
    text = "# first\n# second\n" + HEAD[:-1] + ',flag\nA,2000,50000,1,"two\nlines"\n\nA,2001,x,1,\n'
    problems = [problem for problem in check_data(write(text), panel=True) if problem.severity == "error"]
    assert found(problems) == [(7, "not-a-number", "output [yuan]")]


def test_an_unknown_region_is_told_once_with_its_count(write: Write) -> None:
    rows = "".join(f"Bejing,{year},50000,1\n" for year in range(2000, 2010))
    problems = [p for p in check_data(write(HEAD + rows), regions="china") if p.severity == "error"]
    (problem,) = problems
    assert (problem.row, problem.found) == (2, "Bejing")
    assert "in 10 rows" in problem.message


def test_wrong_units_are_told_once_not_in_every_row(write: Write) -> None:
    rows = "".join(f"A,{year},36102,2189\n" for year in range(2000, 2020))
    problems = [
        p for p in check_data(write("region,year,output,population\n" + rows), panel=True) if p.severity == "error"
    ]
    assert found(problems) == [(2, "magnitude", "output")]
    assert "20 such values" in problems[0].message


def test_load_raises_with_the_first_five_and_the_total(write: Write) -> None:
    path = write(HEAD + "".join(f"A,{year},x,1\n" for year in range(2000, 2012)))
    with pytest.raises(InvalidPanel, match="12 problems") as caught:
        load_data(path, panel=True)
    lines = str(caught.value).splitlines()
    assert len(lines) == 7
    assert "row 2, column 'output [yuan]'" in lines[1]
    assert "and 7 more" in lines[-1]
    assert caught.value.exit_code == 2


def test_warnings_that_change_results_come_before_missing_units(write: Write) -> None:
    rows = ("A,2000,9000,red", "A,2001,9000,red", "A,2003,90000,red", "B,2000,8000,red", "B,2003,8000,red")
    text = "\n".join(("region,year,output per head,colour", *rows)) + "\n"
    found = [problem.rule for problem in heaviest_first(check_data(write(text), panel=True))]
    assert found == ["jump", "gap", "gap", "unused-column", "no-population", "no-unit"]


def test_problems_as_data_and_as_one_line() -> None:
    problem = Problem(
        rule="not-a-number", message="not a\nnumber.", row=3, column="GDP", found="x", expected="a number"
    )
    assert str(problem) == "error: row 3, column 'GDP': not a number; found 'x'; expected a number"
    assert problem.to_dict() == {
        "rule": "not-a-number",
        "message": "not a\nnumber.",
        "row": 3,
        "column": "GDP",
        "found": "x",
        "expected": "a number",
        "severity": "error",
    }


@pytest.mark.parametrize(("name", "near"), [("chna", "'china'"), ("nowhere/else.csv", "china")])
def test_a_name_that_is_no_file_and_no_shipped_panel(name: str, near: str) -> None:
    with pytest.raises(UnknownName, match=near):
        load_data(name, panel=True)


def test_a_folder_is_not_a_panel(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="folder"):
        load_data(tmp_path, panel=True)


@pytest.mark.parametrize("name", [None, 3, [], [None]])
def test_what_is_neither_a_name_nor_a_path(name: object) -> None:
    with pytest.raises(InvalidInput, match="data are read from a file"):
        load_data(name, panel=True)  # type: ignore[arg-type]
