"""Encodings, workbooks, headings: what other people's files look like."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from pysd_runner.core.errors import InvalidPanel
from pysd_runner.core.findings import errors_of
from pysd_runner.data import PanelMapping, check_data, load_data
from pysd_runner.data.names import ROLE_OF, VARIABLE_OF, VARIABLES, key, split_unit, year_heading
from pysd_runner.reports.panels import find_place

Write = Callable[..., Path]

CHINESE = "省份,年份,人均GDP(元),年末常住人口（万人）\n北京市,2020,164158,2189\n内蒙古自治区,2020,71640,2400\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
def test_chinese_headings_load_without_editing_the_file(write: Write, encoding: str) -> None:
    panel = load_data(write(CHINESE, encoding=encoding), regions="china")
    assert panel.codes == ("110000", "150000")
    assert [region.name_en for region in panel.regions] == ["Beijing", "Inner Mongolia"]
    assert panel.array("output_per_head").tolist() == [[164158.0], [71640.0]]
    assert panel.array("output")[0, 0] == 164158.0 * 2189e4
    assert panel.flags["output", "110000", 2020] == "derived"
    assert [problem.rule for problem in panel.problems] == ["absent-region"]


def test_names_lose_the_padding_of_yearbooks_and_codes_keep_it(write: Write) -> None:
    heading = "region,name,year,output [yuan],population [persons]"
    named = load_data(write(f"{heading}\na,霍\u3000拉,2020,5e4,1\nb,San José,2020,4e4,1\n"), panel=True)
    assert [region.name_zh for region in named.regions] == ["霍拉", "San José"]
    panel = load_data(write("region,year,output [yuan],population [persons]\n霍 拉,2020,5e4,1\n"), panel=True)
    (region,) = panel.regions
    assert (region.code, region.name_en, region.name_zh) == ("霍 拉", "霍拉", "霍拉")
    for asked in ("霍 拉", "霍拉"):
        place = find_place(asked, panel.regions)
        assert (place.code, place.file_name) == ("霍 拉", "霍拉")


def test_a_named_encoding_is_used(write: Write) -> None:
    path = write("region,year,output [yuan],population [persons]\nSão Paulo,2020,5e4,1\n", encoding="latin-1")
    assert load_data(path, encoding="latin-1", panel=True).codes == ("São Paulo",)
    doubt = check_data(path, panel=True)
    assert [(problem.rule, problem.severity) for problem in doubt] == [("encoding", "warning")]


def test_bytes_that_two_encodings_allow_are_doubted(write: Write) -> None:
    path = write("region,year,output [yuan],population [persons]\n妆,2020,5e4,1\n", encoding="gb18030")
    (doubt,) = check_data(path, panel=True)
    assert (doubt.rule, doubt.row, doubt.found, doubt.severity) == ("encoding", 2, "ױ", "warning")
    panel = load_data(path, encoding="gb18030", panel=True)
    assert (panel.codes, panel.problems) == (("妆",), ())


@pytest.mark.parametrize(
    "name", ["北京", "Île-de-France", "Łódź", "Москва", "Αττική", "ירושלים", "القاهرة", "ประเทศไทย"]
)
def test_text_in_utf8_is_not_doubted(write: Write, name: str) -> None:
    path = write(f"region,year,output [yuan],population [persons]\n{name},2020,5e4,1\n")
    panel = load_data(path, panel=True)
    assert (panel.codes, panel.problems) == ((name,), ())


def test_an_encoding_that_does_not_fit(write: Write) -> None:
    path = write(CHINESE, encoding="gbk")
    (problem,) = check_data(path, encoding="utf-8", panel=True)
    assert (problem.rule, problem.row, problem.severity) == ("encoding", 1, "error")
    (unknown,) = check_data(path, encoding="klingon", panel=True)
    assert unknown.found == "klingon"


def test_a_broken_byte_is_placed_in_its_row(write: Write) -> None:
    path = write("region,year,output,population\nA,2020,36102,1\nS\xff\xff,2020,1,1\n", encoding="latin-1")
    (problem,) = check_data(path, panel=True)
    assert (problem.rule, problem.row, problem.found) == ("encoding", 3, "ff")


def test_a_row_of_units_below_the_headings(write: Write) -> None:
    panel = load_data(write("地区,年份,地区生产总值,人口\n,单位,亿元,万人\n北京,2020,36102.6,2189\n"), panel=True)
    assert panel.array("output")[0, 0] == pytest.approx(36102.6e8)
    assert panel.array("population")[0, 0] == 2189e4
    assert panel.problems == ()


def test_an_unknown_unit_in_the_row_of_units_makes_it_data(write: Write) -> None:
    rows = {
        problem.row
        for problem in check_data(write("地区,年份,地区生产总值,人口\n,,头,万人\n北京,2020,36102.6,2189\n"), panel=True)
    }
    assert 2 in rows


def test_units_given_by_the_caller(write: Write) -> None:
    path = write("region,year,GDP,population\nA,2020,36102.6,2189\n")
    panel = load_data(path, units={"GDP": "亿元", "population": "万人"}, panel=True)
    assert panel.array("output")[0, 0] == pytest.approx(36102.6e8)
    assert panel.problems == ()


def test_units_of_the_caller_that_contradict_the_file(write: Write) -> None:
    path = write("region,year,GDP(亿元),population(万人)\nA,2020,36102.6,2189\n")
    assert load_data(path, units={"output": "100 million yuan"}, panel=True).problems == ()
    (problem,) = check_data(path, units={"output": "million yuan"}, panel=True)
    assert (problem.rule, problem.found, problem.expected) == ("unit-mismatch", "亿元", "million yuan")


def test_a_unit_for_what_is_not_there(write: Write) -> None:
    path = write("region,year,GDP(亿元),population(万人)\nA,2020,36102.6,2189\n")
    (problem,) = check_data(path, units={"populaton": "万人"}, panel=True)
    assert problem.rule == "unit-of-nothing"
    assert "'population'" in problem.message


def test_any_column_names_through_a_mapping(write: Write) -> None:
    path = write("Staat;Jahr;BIP (EUR);Einw.\nBayern;2020;5e11;13e6\n")
    panel = load_data(
        path, roles={"Staat": "region", "Jahr": "year", "BIP": "output", "einw.": "population"}, panel=True
    )
    assert panel.codes == ("Bayern",)
    assert panel.units["output"] == "Euro/Year"
    assert panel.provenance["headings"] == {
        "region": "Staat",
        "year": "Jahr",
        "output": "BIP (EUR)",
        "population": "Einw.",
    }


def test_a_mapping_wins_over_a_known_heading(write: Write) -> None:
    path = write("region,year,gdp [yuan],gdp_real [yuan],population [persons]\nA,2020,5e4,6e4,1\n")
    panel = load_data(path, roles={"gdp_real": "output"}, panel=True)
    assert panel.array("output")[0, 0] == 6e4
    assert [(problem.rule, problem.column) for problem in panel.problems] == [("unused-column", "gdp [yuan]")]


@pytest.mark.parametrize(
    ("mapping", "rule", "suggestion"),
    [
        ({"gdp": "ouput"}, "unknown-variable", "'output'"),
        ({"gpd": "output"}, "unknown-column", "'gdp'"),
        ({"gdp": ""}, "unknown-variable", ""),
    ],
)
def test_slips_in_a_mapping(write: Write, mapping: dict[str, str], rule: str, suggestion: str) -> None:
    path = write("region,year,gdp,population [persons]\nA,2020,5e4,1\n")
    problems = [problem for problem in check_data(path, roles=mapping, panel=True) if problem.rule == rule]
    assert len(problems) == 1
    assert suggestion in problems[0].message
    assert problems[0].severity == "error"


def test_a_variable_of_ones_own_keeps_its_unit(write: Write) -> None:
    path = write("region,year,output [yuan],population [persons],Regen [mm]\nA,2020,5e4,1,800\n")
    panel = load_data(path, roles={"Regen": "rainfall"}, panel=True)
    assert panel.array("rainfall")[0, 0] == 800
    assert panel.units["rainfall"] == "mm"
    assert panel.problems == ()


def test_ignored_columns_raise_no_doubt(write: Write) -> None:
    path = write("region,year,output [yuan],population [persons],note\nA,2020,5e4,1,x\n")
    assert load_data(path, roles={"note": "ignore"}, panel=True).problems == ()


def test_a_column_for_each_year(write: Write) -> None:
    path = write("地区,2019年,2020年\n北京,35445.1,36102.6\n天津,14055.5,14007.0\n")
    panel = load_data(path, roles={"value": "output"}, units={"output": "亿元"}, panel=True)
    assert panel.years == (2019, 2020)
    np.testing.assert_allclose(panel.array("output"), np.array([[35445.1, 36102.6], [14055.5, 14007.0]]) * 1e8)
    bad = check_data(
        write("地区,2019年,2020年\n北京,35445.1,x\n"), roles={"value": "output"}, units={"output": "亿元"}, panel=True
    )
    assert [(p.row, p.column) for p in bad if p.severity == "error"] == [(2, "2020年")]


def test_names_of_other_conventions(write: Write) -> None:
    """The forecasting convention (unique_id, ds) and the scenario convention (Region, Variable, Unit, years)."""
    one = load_data(write("unique_id,ds,y\nA,2020,5e4\n"), roles={"y": "output"}, units={"output": "yuan"}, panel=True)
    assert (one.codes, one.years) == (("A",), (2020,))
    text = "Model,Scenario,Region,Variable,Unit,2019,2020\n"
    text += "m,s,A,GDP,million USD,100,110\nm,s,A,Population,thousand,1,1.1\n"
    two = load_data(write(text), panel=True)
    assert two.array("output").tolist() == [[1e8, 1.1e8]]
    assert two.array("population").tolist() == [[1000.0, 1100.0]]


def test_mixed_spelling_of_one_unit_is_no_mixture(write: Write) -> None:
    rows = (
        "A,2019,gdp,5,亿元\nA,2020,gdp,5,100 million yuan\nA,2019,population,1,万人\nA,2020,population,10000,persons\n"
    )
    problems = check_data(write("region,year,variable,value,unit\n" + rows), panel=True)
    assert [(problem.row, problem.rule) for problem in problems] == [(5, "mixed-units")]


@pytest.mark.parametrize(
    "name",
    [
        "Be\u200bta",
        "Beta\u00ad",
        "\u200eBeta",
        "Be\u2060ta",
        "Be\x07ta",
        "\x1bBeta",
        "B\u202eeta\u202c",
        "Beta\ufe0f",
        "Beta\u200c",
    ],
)
def test_what_cannot_be_seen_makes_no_region_of_its_own(write: Write, name: str) -> None:
    panel = load_data(write(f"region,year,output per head [yuan]\nBeta,2019,50000\n{name},2020,50001\n"), panel=True)
    assert panel.codes == ("Beta",)
    (told,) = (problem for problem in panel.problems if problem.rule == "invisible")
    assert (told.row, told.found, told.expected) == (3, ascii(name), "Beta")


@pytest.mark.parametrize("space", ["\n", "\u00a0", "\t", "  \u2009"])
def test_words_are_parted_by_any_space(write: Write, space: str) -> None:
    text = f'region,year,output per head [yuan]\nNew York,2019,50000\n"New{space}York",2020,50001\n'
    panel = load_data(write(text), panel=True)
    assert panel.codes == ("New York",)
    assert "invisible" not in {problem.rule for problem in panel.problems}


def test_composed_and_decomposed_letters_are_one_region(write: Write) -> None:
    panel = load_data(write("region,year,output per head [yuan]\nCôte,2019,50000\nCo\u0302te,2020,50001\n"), panel=True)
    assert panel.codes == ("Côte",)
    assert not [problem for problem in panel.problems if problem.rule in ("invisible", "region-spelling")]


def test_joiners_of_scripts_that_need_them_stay_and_are_doubted(write: Write) -> None:
    name = "می\u200cخواهم"
    panel = load_data(
        write(f"region,year,output per head [yuan]\n{name},2019,5e4\n{name.replace(chr(0x200C), '')},2019,5e4\n"),
        panel=True,
    )
    assert panel.codes[0] == name
    assert "region-spelling" in {problem.rule for problem in panel.problems}


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-32-be"])
def test_wide_characters_without_a_mark_are_told_by_their_zeros(write: Write, encoding: str) -> None:
    path = write("region,year,output per head [yuan]\nA,2019,50000\nA,2020,50001\n", encoding=encoding)
    (problem,) = check_data(path, panel=True)
    assert (problem.rule, problem.row) == ("encoding", 1)
    assert "name the encoding" in problem.message
    assert load_data(path, encoding=encoding, panel=True).years == (2019, 2020)


def test_texts_for_missing_are_named_never_guessed(write: Write) -> None:
    path = write("region,year,output [yuan],population [persons]\nA,2019,n/a,1\nA,2020,5e4,1\n")
    assert [problem.rule for problem in check_data(path, panel=True)] == ["not-a-number"]
    panel = load_data(path, roles=PanelMapping(missing=("n/a",)), panel=True)
    assert np.isnan(panel.array("output")[0, 0])


def test_rows_are_left_out_only_on_request_and_reported(write: Write) -> None:
    path = write("region,year,group,output [yuan],population [persons]\nN,2020,NATION,5e4,1\nA,2020,x,5e4,1\n")
    assert load_data(path, panel=True).codes == ("N", "A")
    panel = load_data(path, roles=PanelMapping(drop={"group": ("NATION",)}), panel=True)
    assert panel.codes == ("A",)
    assert panel.regions[0].group == "x"
    (problem,) = panel.problems
    assert (problem.rule, problem.row, problem.found) == ("left-out", 2, "1 of 2 rows")
    (missing,) = errors_of(check_data(path, roles=PanelMapping(keep={"grop": ("x",)}), panel=True))
    assert "'group'" in missing.message


def test_money_in_another_currency(write: Write) -> None:
    path = write("region,year,output [million USD],population [persons]\nA,2020,1,20\n")
    panel = load_data(path, panel=True)
    assert (panel.currency, panel.units["output"], panel.array("output")[0, 0]) == ("US dollar", "US dollar/Year", 1e6)
    in_yuan = load_data(path, yuan_per_unit=7.0)
    assert (in_yuan.currency, in_yuan.units["output_per_head"]) == ("Yuan", "Yuan/(Year*Person)")
    assert in_yuan.array("output")[0, 0] == 7e6
    assert in_yuan.array("output_per_head")[0, 0] == 7e6 / 20


def test_small_currencies_have_wider_limits(write: Write) -> None:
    path = write(
        "region,year,output_per_head [{}],population [persons]\nA,2020,62000000,1\n".replace("{}", "IDR/person")
    )
    assert check_data(path, panel=True) == []
    dear = write("region,year,output_per_head [USD/person],population [persons]\nA,2020,62000000,1\n")
    assert [problem.rule for problem in check_data(dear, panel=True)] == ["magnitude"]


def test_output_per_head_without_a_unit_may_be_on_any_scale_but_a_single_value_off_it_is_a_fault(write: Write) -> None:
    rows = "".join(f"{region},{year},{value}\n" for region, value in (("A", 1.5), ("B", 0.8)) for year in (2000, 2001))
    scaled = write("region,year,output_per_head\n" + rows)
    doubts = [problem for problem in check_data(scaled, panel=True) if problem.rule == "magnitude"]
    assert [problem.severity for problem in doubts] == ["warning"]
    assert load_data(scaled, panel=True).array("output_per_head")[0, 0] == 1.5
    with_unit = write("region,year,output_per_head [USD/person]\n" + rows)
    assert [item.severity for item in check_data(with_unit, panel=True) if item.rule == "magnitude"] == ["error"]
    single = write("region,year,output_per_head\nA,2000,15000\nA,2001,15500\nB,2000,9000\nB,2001,9.2\n")
    found = {item.rule: item.severity for item in check_data(single, panel=True)}
    assert (found["magnitude"], found["jump"]) == ("warning", "error")
    index = write("region,year,output_per_head\nA,2000,99\nA,2001,104\nB,2000,98.5\nB,2001,95\n")
    assert [item.severity for item in check_data(index, panel=True) if item.rule == "magnitude"] == ["warning"]
    assert any("regions can be compared on any scale" in str(item) for item in check_data(index, panel=True))
    pesos = write("region,year,output_per_head\nA,2000,8500000\nA,2001,9100000\nB,2000,9900000\nB,2001,10800000\n")
    assert not errors_of(check_data(pesos, panel=True))
    units = write(
        "region,year,output_per_head [COP per person]\nA,2000,43000000\nA,2001,44000000\nB,2000,9e6\nB,2001,9e6\n"
    )
    assert load_data(units, panel=True).units["output_per_head"] == "COP/(Year*Person)"


def test_a_year_without_a_value_does_not_hide_that_the_unit_changes(write: Write) -> None:
    rows = "A,2000,15000\nA,2002,15.5\nB,2000,9000\nB,2001,9100\nB,2002,9200\n"
    (jump,) = (
        item for item in check_data(write("region,year,output_per_head\n" + rows), panel=True) if item.rule == "jump"
    )
    assert (jump.severity, jump.row, jump.found) == ("error", 3, "15000, then 15.5")
    assert "from 2000 to 2002" in jump.message
    # What may have grown in the years between is no doubt.
    rows = "A,2000,1500\nA,2002,9000\nB,2000,900\nB,2001,950\nB,2002,990\n"
    assert not [
        item for item in check_data(write("region,year,output_per_head\n" + rows), panel=True) if item.rule == "jump"
    ]


# Workbooks


def workbook(path: Path, rows: list[list[object]], title: str = "Data", extra: str = "") -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = title
    for row in rows:
        sheet.append(row)
    if extra:
        book.create_sheet(extra).append(["region", "year"])
    book.save(path)
    return path


HEADINGS: list[object] = ["region", "year", "output [yuan]", "population [persons]"]


def test_numbers_of_a_workbook_are_read_as_they_are(tmp_path: Path) -> None:
    path = workbook(tmp_path / "panel.xlsx", [HEADINGS, [110000, 2020, 50000.5, 1], [110000, 2021.0, 5e4, 1]])
    panel = load_data(path, panel=True)
    assert panel.codes == ("110000",)
    assert panel.years == (2020, 2021)
    assert panel.array("output").tolist() == [[50000.5, 50000.0]]
    assert panel.provenance["encoding"] == "sheet Data"


def test_faults_of_a_workbook_have_its_rows(tmp_path: Path) -> None:
    rows: list[list[object]] = [HEADINGS, ["A", 2020, "n/a", 1], [], ["A", 2021, 5e4, True], ["A", 2022, "#DIV/0!", 1]]
    problems = errors_of(check_data(workbook(tmp_path / "panel.xlsx", rows), panel=True))
    assert [(p.row, p.found) for p in problems] == [(2, "n/a"), (4, "True"), (5, "#DIV/0!")]


def test_other_sheets_are_mentioned_and_can_be_chosen(tmp_path: Path) -> None:
    path = workbook(tmp_path / "panel.xlsx", [HEADINGS, ["A", 2020, 5e4, 1]], extra="Notes")
    (doubt,) = check_data(path, panel=True)
    assert (doubt.rule, doubt.found, doubt.severity) == ("other-sheets", "Notes", "warning")
    assert "choose another with --sheet Notes" in doubt.message
    assert check_data(path, roles=PanelMapping(sheet="Data"), panel=True) == []
    (problem,) = check_data(path, roles=PanelMapping(sheet="Datum"), panel=True)
    assert (problem.rule, problem.expected) == ("no-sheet", "one of Data, Notes")


def test_a_formula_without_a_stored_result_is_no_missing_value(tmp_path: Path) -> None:
    path = workbook(tmp_path / "panel.xlsx", [HEADINGS, ["A", 2020, "=1+1", 1]])
    problems = {(p.rule, p.row, p.column) for p in check_data(path, panel=True) if p.severity == "error"}
    assert ("formula", 2, "C") in problems


@pytest.mark.parametrize(("name", "content"), [("panel.xlsx", b"region,year\n"), ("panel.csv", b"PK\x03\x04rest")])
def test_a_file_that_is_not_what_its_name_says(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    (problem,) = check_data(path, panel=True)
    assert problem.rule == "wrong-format"
    with pytest.raises(InvalidPanel):
        load_data(path, panel=True)


# Names


def test_every_variable_is_known_by_its_own_name_and_no_spelling_means_two_things() -> None:
    assert all(VARIABLE_OF[key(name)] == name for name in VARIABLES)
    assert not set(ROLE_OF) & set(VARIABLE_OF)


def test_unit_in_a_heading() -> None:
    assert split_unit("GDP（亿元）") == ("GDP", "亿元")
    assert split_unit("output per head [Yuan/(Year*Person)]") == ("output per head", "Yuan/(Year*Person)")
    assert split_unit("\ufeffregion") == ("region", "")


@pytest.mark.parametrize(("heading", "year"), [("2015", 2015), ("2015年", 2015), ("２０１５", 2015), ("x2015", None)])
def test_year_headings(heading: str, year: int | None) -> None:
    assert year_heading(heading) == year
