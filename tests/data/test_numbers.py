"""Numbers as they are written elsewhere: read where they have one meaning, refused where they have two."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from pysd_runner.core.errors import InvalidPanel
from pysd_runner.core.findings import errors_of
from pysd_runner.data import PanelMapping, check_data, load_data
from pysd_runner.data.numbers import PLAIN, STYLES, NumberStyle

Write = Callable[..., Path]

HEAD = "region;year;output per head [euro]\n"


def file_of(*texts: str) -> str:
    return HEAD + "".join(f"A;{2000 + place};{text}\n" for place, text in enumerate(texts))


@pytest.mark.parametrize(
    ("texts", "numbers", "said"),
    [
        (("12345,6", "12400"), (12345.6, 12400), "decimal comma;"),
        (("12.345,6", "12.400"), (12345.6, 12400), "decimal comma, thousands set apart by points"),
        (("12 345,6", "12\u202f400", "9800", "12\u00a0401"), (12345.6, 12400, 9800, 12401), "apart by spaces"),
        (("12,345.6", "12,400"), (12345.6, 12400), "decimal point, thousands set apart by commas"),
        (("1，234，567", "1，234，568"), (1234567, 1234568), "apart by commas"),
        (("12345.6", "1.24e4"), (12345.6, 12400), ""),
    ],
)
def test_numbers_with_one_meaning_are_read_and_that_is_said(
    write: Write, texts: tuple[str, ...], numbers: tuple[float, ...], said: str
) -> None:
    panel = load_data(write(file_of(*texts)), panel=True)
    assert panel.array("output_per_head").tolist() == [list(numbers)]
    told = [problem for problem in panel.problems if problem.rule == "number-style"]
    assert len(told) == (1 if said else 0)
    assert all(said in problem.message and problem.row == 2 and problem.found == texts[0] for problem in told)


@pytest.mark.parametrize(
    "texts", [("12,345", "12,400"), ("12,345", "11000"), ("12,345.6", "11000"), ("812,5", "812.6")]
)
def test_numbers_with_two_meanings_or_none_are_refused(write: Write, texts: tuple[str, ...]) -> None:
    problems = errors_of(check_data(write(file_of(*texts)), panel=True))
    assert {problem.rule for problem in problems} == {"not-a-number"}
    assert all("`decimal" in problem.message for problem in problems)


@pytest.mark.parametrize(
    ("decimal", "texts", "numbers"),
    [
        (".", ("12,345", "11000"), (12345.0, 11000.0)),
        (",", ("812,345", "811,5"), (812.345, 811.5)),
        (".", ("812.345", "811.5"), (812.345, 811.5)),
        (",", ("12.345", "12.400"), (12345.0, 12400.0)),
    ],
)
def test_the_user_may_say_which_mark_is_the_decimal_point(
    write: Write, tmp_path: Path, decimal: str, texts: tuple[str, ...], numbers: tuple[float, ...]
) -> None:
    panel = load_data(write(file_of(*texts)), roles=PanelMapping(decimal=decimal), panel=True)
    assert panel.array("output_per_head").tolist() == [list(numbers)]
    (tmp_path / "mapping.yaml").write_text(f"schema: 1\ndecimal: '{decimal}'\n", encoding="utf-8")
    again = load_data(write(file_of(*texts)), roles=tmp_path / "mapping.yaml", panel=True)
    assert again.array("output_per_head").tolist() == [list(numbers)]


def test_a_number_that_disagrees_with_the_user_is_refused(write: Write) -> None:
    problems = check_data(write(file_of("811,5", "811.5")), roles=PanelMapping(decimal=","), panel=True)
    assert [(problem.row, problem.found) for problem in problems if problem.severity == "error"] == [(3, "811.5")]


def test_a_decimal_point_that_is_none(write: Write, tmp_path: Path) -> None:
    (tmp_path / "mapping.yaml").write_text("schema: 1\ndecimal: ';'\n", encoding="utf-8")
    with pytest.raises(InvalidPanel, match=r"decimal: expected '\.' or ','; found ';'"):
        load_data(write(file_of("1")), roles=tmp_path / "mapping.yaml", panel=True)


def test_each_variable_sets_thousands_apart_in_its_own_way(write: Write) -> None:
    text = "region;year;output [euro];population [persons]\nA;2000;1.234.567,5;1400\nA;2001;1.300.000;1401\n"
    panel = load_data(write(text), panel=True)
    assert panel.array("output").tolist() == [[1234567.5, 1300000.0]]
    assert panel.array("population").tolist() == [[1400.0, 1401.0]]


def test_points_that_become_thousands_are_said_for_their_own_variable(write: Write) -> None:
    """With a decimal comma in one variable a point in another sets thousands apart."""
    text = "region;year;output [million euro];population [thousand]\nA;2000;9500,5;10.512\nA;2001;9800,5;10.514\n"
    panel = load_data(write(text), panel=True)
    assert panel.array("population").tolist() == [[10_512_000.0, 10_514_000.0]]
    told = {problem.column: problem.found for problem in panel.problems if problem.rule == "number-style"}
    assert told == {"output [million euro]": "9500,5", "population [thousand]": "10.512"}


def test_numbers_of_a_workbook_are_never_taken_for_thousands_of_texts_beside_them(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    for row in (
        ("region", "year", "output per head [euro]", "population [thousand]"),
        ("A", 2000, "51234,5", 812.345),
        ("A", 2001, "51235,5", 812.5),
    ):
        book.active.append(row)
    book.save(tmp_path / "panel.xlsx")
    problems = check_data(tmp_path / "panel.xlsx", panel=True)
    assert {problem.found for problem in problems if problem.severity == "error"} == {"51234,5", "51235,5"}


def test_no_number_begins_with_a_group_of_zeros(write: Write) -> None:
    text = "region;year;output [euro];population [persons];schooling\nA;2000;9500,5;1;0,512\nA;2001;9800;1;0,514\n"
    assert load_data(write(text), panel=True).array("schooling").tolist() == [[0.512, 0.514]]
    mixed = check_data(write(text.replace("0,51", "0.51")), panel=True)
    assert {problem.found for problem in mixed if problem.severity == "error"} == {"9500,5"}


def test_a_variable_that_cannot_be_read_leaves_the_others_alone(write: Write) -> None:
    text = "region;year;output [euro];mine\nA;2000;1,234,567.5;1,5\nA;2001;1,234,568.5;1.5\n"
    problems = check_data(
        write(text.replace("output [euro]", "output per head [KRW]")), roles={"mine": "mine"}, panel=True
    )
    assert {problem.column for problem in problems if problem.severity == "error"} <= {"mine"}
    assert "output per head [KRW]" in {problem.column for problem in problems if problem.rule == "number-style"}


def test_commas_in_headings_and_numbers_do_not_hide_semicolons(write: Write) -> None:
    path = write("region;year;output, real\nA;2000;812,5\nA;2001;813,5\n")
    panel = load_data(path, roles={"output, real": "output_per_head"}, panel=True)
    assert panel.array("output_per_head").tolist() == [[812.5, 813.5]]


@pytest.mark.parametrize(
    ("years", "first"),
    [
        (("2004/05", "2005/06", "2006/07"), 2004),
        (("2012/13", "2013/14"), 2012),
        (("2004-05", "2005-06", "2006-07"), 2004),
        (("2004-2005", "2005-2006"), 2004),
        (("1999–00", "2000–01"), 1999),
        (("2004-12-31", "2005-12-31"), 2004),
        (("2004-12-31", "2005/12/31"), 2004),
        (("2004-12-31 00:00:00", "2005-12-31 00:00:00"), 2004),
    ],
)
def test_years_in_other_forms(write: Write, years: tuple[str, ...], first: int) -> None:
    path = write("region,year,output per head [yuan]\n" + "".join(f"A,{year},50000\n" for year in years))
    panel = load_data(path, panel=True)
    assert panel.years == tuple(range(first, first + len(years)))
    (told,) = (problem for problem in panel.problems if problem.rule == "year-form")
    assert (told.row, told.found, told.expected) == (2, years[0], str(first))


def grouped(value: int, style: NumberStyle) -> str:
    return f"{value:,}".replace(",", style.thousands)


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1), st.sampled_from(STYLES), st.integers(0, 99))
def test_every_style_reads_what_it_writes(values: list[int], style: NumberStyle, cents: int) -> None:
    for value in values:
        text = f"{grouped(value, style)}{style.decimal}{cents:02}"
        assert style.fits(text)
        assert float(style.plain(text)) == float(f"{value}.{cents:02}")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_python_writes_is_plain(value: float) -> None:
    assert PLAIN.fits(repr(value))
    assert float(PLAIN.plain(repr(value))) == value
