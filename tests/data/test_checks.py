"""Bad files: every fault reported, each with its row of the file, none hiding another."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pysd_runner.core.errors import InvalidInput, InvalidPanel, UnknownName
from pysd_runner.core.findings import Finding, errors_of
from pysd_runner.data import check_data, load_data
from pysd_runner.data.checks import heaviest_first

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


def found(problems: list[Finding]) -> list[tuple[int | None, str, str]]:
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


ONE_FAULT = {
    "nothing": ("", [(None, "empty-file", "")]),
    "header only": (HEAD, [(1, "empty-file", "")]),
    "too many cells": (HEAD + "A,2000,50000,1,5\n", [(2, "row-length", "")]),
    "too few cells": (HEAD + "A,2000,50000\n", [(2, "row-length", "")]),
    "no region": (HEAD + ",2000,50000,1\n", [(2, "no-region", "region")]),
    "no year": (HEAD + "A,,50000,1\n", [(2, "not-a-year", "year")]),
    "year out of range": (HEAD + "A,15,50000,1\n", [(2, "year-range", "year")]),
    "infinite": (HEAD + "A,2000,1e999,1\n", [(2, "impossible-value", "output [yuan]")]),
    "nan is text": (HEAD + "A,2000,nan,1\n", [(2, "not-a-number", "output [yuan]")]),
    "full-width digits": (HEAD + "A,2000,１２３４,1\n", [(2, "not-a-number", "output [yuan]")]),
    "space in a number": (HEAD + "A,2000,12 34,1\n", [(2, "not-a-number", "output [yuan]")]),
    "a comma of either meaning": (HEAD + 'A,2000,"12,345",1\n', [(2, "not-a-number", "output [yuan]")]),
    "two decimal points": (HEAD + 'A,2000,"12345,5",1\nA,2001,12345.5,1\n', [(2, "not-a-number", "output [yuan]")]),
    "thousands apart in one of two": (
        HEAD + 'A,2000,"1,234,567",2\nA,2001,1234568,2\n',
        [(2, "not-a-number", "output [yuan]")],
    ),
    "one of two years a span": (HEAD + "A,2000/01,50000,1\nA,2001,50000,1\n", [(2, "not-a-year", "year")]),
    "a span, or a month": (HEAD + "A,2000-01,50000,1\n", [(2, "not-a-year", "year")]),
    "months": (HEAD + "A,2000-02,50000,1\nA,2001-03,50000,1\n", [(2, "not-a-year", "year"), (3, "not-a-year", "year")]),
    "dates of two days": (
        HEAD + "A,2000-12-31,50000,1\nA,2001-06-30,50000,1\n",
        [(2, "not-a-year", "year"), (3, "not-a-year", "year")],
    ),
    "two spans, or months": (
        HEAD + "A,2010-11,50000,1\nA,2011-12,50000,1\n",
        [(2, "not-a-year", "year"), (3, "not-a-year", "year")],
    ),
    "a span of a century": (
        HEAD + "A,2000-2101,50000,1\nA,2001-2102,50000,1\n",
        [(2, "not-a-year", "year"), (3, "not-a-year", "year")],
    ),
    "no day of the year": (
        HEAD + "A,2000-13-45,50000,1\nA,2001-13-45,50000,1\n",
        [(2, "not-a-year", "year"), (3, "not-a-year", "year")],
    ),
    "nobody": (HEAD + "A,2000,50000,0\n", [(2, "impossible-value", "population [persons]")]),
    "negative output": (HEAD + "A,2000,-5,1\n", [(2, "impossible-value", "output [yuan]")]),
    "output too small": (HEAD + "A,2000,50,1\n", [(2, "magnitude", "output [yuan]")]),
    "output too great": (HEAD + "A,2000,5e8,1\n", [(2, "magnitude", "output [yuan]")]),
    "heading twice": (
        "region,year,output [yuan],output [yuan],population [persons]\nA,2000,50000,50000,1\n",
        [(1, "repeated-heading", "output [yuan]")],
    ),
    "two columns of one variable": (
        "region,year,GDP(元),GRP(元),population [persons]\nA,2000,50000,50000,1\n",
        [(1, "ambiguous-heading", "GRP(元)")],
    ),
    "no output": ("region,year,population [persons]\nA,2000,5\nA,2001,5\n", [(1, "missing-column", "output")]),
    "no region column": ("year,output [yuan],population [persons]\n2000,5e5,5\n", [(1, "missing-column", "region")]),
    "no year column": ("region,output [yuan],population [persons]\nA,5e5,5\n", [(1, "missing-column", "year")]),
    "unknown unit": (
        "region,year,output [bushels],population [persons]\nA,2000,5,1\n",
        [(1, "unit-mismatch", "output [bushels]")],
    ),
    "unit of something else": (
        "region,year,output [persons],population [persons]\nA,2000,5,1\n",
        [(1, "unit-mismatch", "output [persons]")],
    ),
    "percent for a fraction, once": (
        "region,year,output [yuan],population [persons],access [fraction]\n"
        "A,2000,50000,1,45\nA,2001,50000,1,47\nA,2002,50000,1,0.5\n",
        [(2, "unit-mismatch", "access [fraction]")],
    ),
    "two currencies": (
        "region,year,output [yuan],output_per_head [USD/person],population [persons]\nA,2000,50000,50000,1\n",
        [(None, "mixed-units", "output_per_head [USD/person]")],
    ),
    "mixed units in a long file": (
        "region,year,variable,value,unit\nA,2000,gdp,50000,yuan\nA,2001,gdp,5,万元\nA,2002,gdp,50000,\n"
        "A,2000,population,1,persons\nA,2001,population,1,persons\nA,2002,population,1,persons\n",
        [(3, "mixed-units", "value"), (4, "mixed-units", "value")],
    ),
    "a long file repeats itself": (
        "region,year,variable,value,unit\nA,2000,gdp,50000,yuan\nA,2000,gdp,50000,yuan\nA,2000,population,1,persons\n"
        "A,2000,,1,persons\n",
        [(3, "duplicate", ""), (5, "empty-variable", "variable")],
    ),
    "long without output": (
        "region,year,variable,value,unit\nA,2000,population,1,persons\n",
        [(1, "missing-column", "output")],
    ),
    "a code with two names and groups": (
        "region,region_code,group,year,output [yuan],population [persons]\n"
        "Alpha,1,x,2000,50000,1\nAlfa,1,y,2001,50000,1\n",
        [(3, "two-names", ""), (3, "two-groups", "")],
    ),
    "a part greater than its whole": (
        "region,year,output [yuan],population [persons],ict_employment [persons],urban_unit_employment [persons]\n"
        "A,2000,50000,1,3,2\n",
        [(2, "impossible-value", "ict_employment [persons]")],
    ),
    "no values": (
        "region,year,output [yuan],population [persons]\nA,2000,,1\nA,2001,,1\n",
        [(None, "no-values", "output")],
    ),
    "a column for each year, of nobody knows what": ("region,2000,2001\nA,5,6\n", [(1, "missing-variable-name", "")]),
}


@pytest.mark.parametrize(("text", "expected"), ONE_FAULT.values(), ids=ONE_FAULT)
def test_a_fault_is_reported_where_it_is(write: Write, text: str, expected: list[tuple[int | None, str, str]]) -> None:
    problems = errors_of(check_data(write(text), panel=True))
    assert found(problems) == expected
    assert all(problem.message and (problem.expected or problem.found) for problem in problems)


WARNINGS = {
    "no population": ("region,year,output [yuan]\nA,2000,5e4\n", [(1, "no-population", "")]),
    "no unit for output": ("region,year,output,population [persons]\nA,2000,5e4,1\n", [(None, "no-unit", "output")]),
    "a column nobody knows": (HEAD[:-1] + ",notes\nA,2000,50000,1,x\n", [(1, "unused-column", "notes")]),
    "a year missing in a region": (HEAD + "A,2000,50000,1\nA,2002,50000,1\nB,2001,5e4,1\n", [(2, "gap", "")]),
    "a year missing everywhere": (HEAD + "A,2000,50000,1\nA,2001,50000,1\nA,2003,50000,1\n", [(3, "gap", "")]),
    "an empty cell inside": (HEAD + "A,2000,50000,1\nA,2001,,1\nA,2002,50000,1\n", [(3, "gap", "output [yuan]")]),
    "a blank row": (HEAD + "A,2000,50000,1\n,,,\nA,2001,5e4,1\n", [(3, "blank-row", "")]),
    "nearly the same region": (HEAD + "Ab,2000,50000,1\nAB,2000,5e4,1\n", [(3, "region-spelling", "region")]),
    "a fraction for percent": (
        "region,year,output [yuan],population [persons],access [%]\nA,2000,50000,1,0.3\nA,2001,50000,1,0.4\n",
        [(2, "unit-doubt", "access [%]")],
    ),
    "one fraction among percentages": (
        "region,year,output [yuan],population [persons],access [%]\n"
        "A,2000,50000,1,30\nA,2001,50000,1,40\nB,2000,5e4,1,0.4\nB,2001,5e4,1,45\n",
        [(4, "unit-doubt", "access [%]")],
    ),
    "a variable of one's own": (
        "region,year,variable,value,unit\nA,2000,gdp,50000,yuan\nA,2000,population,1,persons\nA,2000,rain,1,mm\n",
        [(4, "own-variable", "variable")],
    ),
    "thousands set apart": (HEAD + "A,2000,12 345,1\n", [(2, "number-style", "output [yuan]")]),
    "years that span two": (HEAD + "A,2012/13,5e4,1\nA,2013/14,5e4,1\n", [(2, "year-form", "year")]),
    "a class for all of them": (
        HEAD.replace("year", "group,year") + "US,NATION,2000,50000,1\nA,x,2000,50000,1\n",
        [(2, "total", "region")],
    ),
    "a name for all of them": (HEAD + "全国,2000,5e4,1\nA,2000,5e4,1\n", [(2, "total", "region")]),
    "the sum of the others": (
        HEAD
        + "".join(
            f"{code},{year},{size}e4,{size}\n"
            for year in (2001, 2002, 2003)
            for code, size in zip("ABCS", (1, 2, 3, 6), strict=True)
        ),
        [(5, "total", "region")],
    ),
}


@pytest.mark.parametrize(("text", "expected"), WARNINGS.values(), ids=WARNINGS)
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
    (problem,) = of("missing-column", check_data(write("region,year,gpd,population [persons]\n" + rows), panel=True))
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
    problems = errors_of(check_data(write(text), panel=True))
    assert found(problems) == [(7, "not-a-number", "output [yuan]")]


def test_an_unknown_region_is_told_once_with_its_count(write: Write) -> None:
    rows = "".join(f"Bejing,{year},50000,1\n" for year in range(2000, 2010))
    (problem,) = errors_of(check_data(write(HEAD + rows), regions="china"))
    assert (problem.row, problem.found) == (2, "Bejing")
    assert "in 10 rows" in problem.message


def test_wrong_units_are_told_once_not_in_every_row(write: Write) -> None:
    rows = "".join(f"A,{year},36102,2189\n" for year in range(2000, 2020))
    problems = errors_of(check_data(write("region,year,output,population\n" + rows), panel=True))
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
    problem = Finding(
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


# Values and names that no region has

YEARS = range(2015, 2021)


def table(head: str, cells: Callable[[str, int], str], regions: tuple[str, ...] = ("A", "B", "C", "D")) -> str:
    rows = (f"{region},{year},{cells(region, year)}\n" for region in regions for year in YEARS)
    return f"region,year,{head}\n{''.join(rows)}"


def of(rule: str, problems: list[Finding]) -> list[Finding]:
    return [problem for problem in problems if problem.rule == rule]


HEADS = "output per head [yuan per person],population [persons]"
UNBOUNDED = {
    "population": (HEADS, "50000,1e24", "impossible-value", "above 0, at most 2e+10 Person"),
    "population in thousands": (
        HEADS.replace("[persons]", "[thousand persons]"),
        "50000,1e8",
        "impossible-value",
        "above 0, at most 2e+10 Person",
    ),
    "beyond all numbers": ("output [100 million yuan],population [persons]", "1e303,1e6", "impossible-value", "2e+40"),
    "output by nobody": ("output [yuan],population [persons]", "1e39,1e-300", "magnitude", "output per head from"),
    "heads without a unit": ("output per head,population", "1e300,1e9", "impossible-value", "1e+30"),
    "users": (f"{HEADS},mobile_internet_users", "50000,1000,1e30", "impossible-value", "2e+10 User"),
}


@pytest.mark.parametrize("kind", UNBOUNDED)
def test_a_value_that_no_region_has_is_refused(write: Write, kind: str) -> None:
    head, cells, rule, expected = UNBOUNDED[kind]
    found = of(rule, check_data(write(table(head, lambda *_: cells)), panel=True))
    assert found
    assert found[0].severity == "error"
    assert found[0].row == 2
    assert expected in found[0].expected


def test_the_greatest_values_make_products_that_are_numbers(write: Write) -> None:
    panel = load_data(write(table("output per head,population", lambda *_: "1e30,2e10")), panel=True)
    assert panel.array("output").max() == pytest.approx(2e40)


@pytest.mark.parametrize(("zeros", "told"), [((2017,), 2017), ((2017, 2018), 2017), ((2015,), 0), ((2020,), 0)])
def test_a_share_of_zero_between_others_is_doubted(write: Write, zeros: tuple[int, ...], told: int) -> None:
    text = table(
        "output per head [yuan per person],access [%]",
        lambda region, year: f"50000,{0 if region == 'B' and year in zeros else 36 + year - 2015}",
    )
    found = of("zero", check_data(write(text), panel=True))
    assert [(item.severity, item.row, item.found) for item in found] == (
        [("warning", 8 + told - 2015, "0")] if told else []
    )


@pytest.mark.parametrize("name", ["nan", "NaN", "None", "null", "N/A"])
def test_a_region_that_is_called_like_no_value_is_doubted(write: Write, name: str) -> None:
    path = write(table(HEADS, lambda *_: "50000,1e6", ("A", name, "C")))
    (found,) = of("region-no-value", check_data(path, panel=True))
    assert (found.severity, found.row, found.found) == ("warning", 8, name)
    regions = write(f"code,name_en\nA,Alpha\n{name},Nan\nC,Gamma\n", name="regions.csv")
    assert of("region-no-value", check_data(path, regions=regions)) == []


@pytest.mark.parametrize(
    ("country", "currency", "others", "told"),
    [
        ("China", "yuan", ("A", "B"), True),
        ("中国", "yuan", ("A", "B"), True),
        ("United States", "USD", ("A", "B"), True),
        ("Germany", "euro", ("A", "B"), True),
        ("India", "INR", ("A", "B"), True),
        ("China", "currency", ("A", "B"), True),
        ("China", "USD", ("A", "B"), False),
        ("United States", "USD", ("China", "India"), False),
        ("Henan", "yuan", ("A", "B"), False),
    ],
)
def test_the_name_of_the_country_itself_is_doubted(
    write: Write, country: str, currency: str, others: tuple[str, ...], told: bool
) -> None:
    text = table(f"output per head [{currency} per person]", lambda *_: "50000", (country, *others))
    found = [item.found for item in of("total", check_data(write(text), panel=True))]
    assert found == ([country] if told else [])
