"""``gapsim data check``: all problems with their rows, and the same for programs."""

import pytest

BAD = "region,year,output [yuan],population [persons]\nA,2019,100,10\nA,2020,x,10\nA,2020,5,-1\nB,2020,5,10\n"
OWN = "省份,年份,GDP(亿元),常住人口(万人)\n甲,2019,100,10\n甲,2020,101,10\n乙,2019,90,10\n乙,2020,91,10\n"


@pytest.fixture
def bad(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(BAD, encoding="utf-8")
    return path


def test_the_shipped_panel_has_no_problems(gapsim):
    answer = gapsim("data", "check", "china", code=0)
    assert answer.err == ""
    lines = answer.out.splitlines()
    assert lines[:2] == ["china: no problems", "31 regions, 2000-2024, current prices"]
    assert any(line.split()[:2] == ["output", "2000-2024"] for line in lines)


def test_all_problems_are_listed_with_their_rows(gapsim, bad):
    answer = gapsim("data", "check", bad, code=2)
    assert answer.out.startswith(f"{bad}: ")
    assert "row 3, column 'output [yuan]'" in answer.out
    assert "row 4" in answer.out
    assert answer.err == ""


def test_programs_get_the_same(gapsim, bad):
    answer = gapsim("data", "check", bad, "--json", code=2)
    data = answer.json["data"]
    assert data["errors"] == sum(item["severity"] == "error" for item in data["problems"]) > 0
    assert {"rule", "message", "row", "column", "found", "expected", "severity"} == set(data["problems"][0])
    assert data["panel"] is None
    assert "error" not in answer.json


def test_warnings_alone_are_fine(gapsim, tmp_path):
    (tmp_path / "doubtful.csv").write_text("region,year,output [yuan]\nA,2019,100\nA,2020,101\n", encoding="utf-8")
    answer = gapsim("data", "check", "doubtful.csv", "--json", code=0)
    assert answer.json["data"]["errors"] == 0
    assert answer.json["data"]["warnings"] > 0
    assert answer.json["data"]["panel"]["years"] == [2019, 2020]


def test_a_mistake_of_the_whole_file_is_printed_once(gapsim, tmp_path):
    rows = [f"R{place};{year};{20 + place},{year % 7 + 100}" for place in range(4) for year in range(2000, 2010)]
    (tmp_path / "commas.csv").write_text("\n".join(["region;year;output_per_head", *rows]), encoding="utf-8")
    answer = gapsim("data", "check", "commas.csv", code=2)
    assert answer.out.startswith("commas.csv: 40 errors")
    assert "... and 35 more of this kind; --json lists them all" in answer.out
    assert answer.out.count("is not a number") == 5
    assert "is the comma the decimal point? say `decimal: ','`" in answer.out
    assert len(gapsim("data", "check", "commas.csv", "--json").json["data"]["problems"]) >= 40
    mixed = [row if place % 8 else row.replace(",", ".") for place, row in enumerate(rows)]
    (tmp_path / "typing.csv").write_text("\n".join(["region;year;output_per_head", *mixed[:8]]), encoding="utf-8")
    assert "more of this kind" in gapsim("data", "check", "typing.csv").out
    (tmp_path / "few.csv").write_text("\n".join(["region;year;output_per_head", *mixed[:6]]), encoding="utf-8")
    few = gapsim("data", "check", "few.csv").out
    assert "more of this kind" not in few
    assert few.count("is not a number") == 5


def test_regions_that_end_early_are_named(gapsim, tmp_path):
    rows = [f"R{place},{year},{20000 + place + year}" for place in range(9) for year in (2019, 2020, 2021)]
    late = [row for row in rows if not (row.startswith(("R1", "R2", "R3", "R4", "R5", "R6", "R7")) and ",2021," in row)]
    for name, lines in {"one": rows[:5] + rows[6:], "many": late, "none": rows}.items():
        (tmp_path / f"{name}.csv").write_text("\n".join(["region,year,output_per_head", *lines]), encoding="utf-8")
    assert "1 missing, none in 2021 for R1" in gapsim("data", "check", "one.csv").out
    assert "7 missing, none in 2021 for R1, R2, R3, R4, R5 and 2 more" in gapsim("data", "check", "many.csv").out
    assert "missing" not in gapsim("data", "check", "none.csv").out
    facts = gapsim("data", "check", "one.csv", "--json").json["data"]["panel"]["variables"]["output_per_head"]
    assert facts["without_last_year"] == ["R1"]


def test_other_peoples_headings(gapsim, tmp_path):
    (tmp_path / "own.csv").write_text(OWN, encoding="gb18030")
    assert gapsim("data", "check", "own.csv").code == 0
    odd = OWN.replace("省份", "甲=乙").replace("年份", "Jahr")
    (tmp_path / "odd.csv").write_text(odd, encoding="utf-8")
    assert gapsim("data", "check", "odd.csv").code == 2
    assert gapsim("data", "check", "odd.csv", "--map", "甲=乙=region", "--map", "Jahr=year").code == 0


def test_the_command_line_wins_over_the_mapping_file(gapsim, tmp_path):
    (tmp_path / "own.csv").write_text(OWN.replace("年份", "Jahr").replace("省份", "Land"), encoding="utf-8")
    (tmp_path / "mapping.yaml").write_text("schema: 1\ncolumns: {Land: region, Jahr: ignore}\n", encoding="utf-8")
    assert gapsim("data", "check", "own.csv", "--mapping", "mapping.yaml").code == 2
    assert gapsim("data", "check", "own.csv", "--mapping", "mapping.yaml", "--map", "Jahr=year").code == 0


def test_units_and_regions_from_the_command_line(gapsim, tmp_path):
    (tmp_path / "bare.csv").write_text("region,year,output,population\nA,2019,1,10\nA,2020,1,10\n", encoding="utf-8")
    units = ("--unit", "output=100 million yuan", "--unit", "population=10 thousand persons")
    answer = gapsim("data", "check", "bare.csv", *units, "--json", code=0)
    assert answer.json["data"]["panel"]["variables"]["output"]["unit"] == "Yuan/Year"
    (tmp_path / "regions.csv").write_text("code,name_en\nB,Elsewhere\n", encoding="utf-8")
    assert gapsim("data", "check", "bare.csv", *units, "--regions", "regions.csv").code == 2


def test_several_files_are_written_as_one_panel(gapsim, tmp_path):
    (tmp_path / "gdp.csv").write_text(
        "Regional accounts\nregion,2019,2020\nA,100000,110000\nB,120000,130000\n", encoding="utf-8"
    )
    (tmp_path / "people.csv").write_text("region,year,population\nA,2019,2\nA,2020,2\nB,2019,3\nB,2020,3\n")
    asked = ("data", "check", "gdp.csv", "people.csv", "--map", "value=output", "--out", "mine.csv")
    answer = gapsim(*asked, code=0)
    assert "Written: mine.csv" in answer.out
    again = gapsim("data", "check", "mine.csv", "--json")
    assert again.json["data"]["panel"]["years"] == [2019, 2020]
    assert set(again.json["data"]["panel"]["variables"]) == {"output", "population", "output_per_head"}
    assert gapsim(*asked).code == 2
    assert gapsim(*asked, "--force").code == 0


@pytest.mark.parametrize(
    ("out", "said"), [("mine.xlsx", "ends in .csv"), ("bad.csv", "is read"), ("other.csv", "exists already")]
)
def test_a_place_that_cannot_be_written_is_refused_first(gapsim, bad, tmp_path, out, said):
    (tmp_path / "other.csv").write_text("x")
    answer = gapsim("data", "check", bad, "--out", out, code=2)
    assert said in answer.err
    assert (tmp_path / "other.csv").read_text() == "x"


def test_a_bad_panel_is_not_written(gapsim, bad, tmp_path):
    assert gapsim("data", "check", bad, "--out", "new.csv").code == 2
    assert not (tmp_path / "new.csv").exists()


def test_equal_warnings_of_many_columns_are_one_line(gapsim, tmp_path):
    names = [f"thing {letter}" for letter in "abcdefghijklmnop"]
    rows = [f"{region},{year},{100 + year}" + ",1" * len(names) for region in "AB" for year in (2019, 2020, 2021)]
    text = "\n".join([",".join(["region", "year", "output_per_head [yuan/person]", *names]), *rows])
    (tmp_path / "many.csv").write_text(text, encoding="utf-8")
    (line,) = [line for line in gapsim("data", "check", "many.csv").out.splitlines() if "is not read" in line]
    assert "thing a, thing b" in line
    assert f"and {len(names) - 5} more" in line
    unused = gapsim("data", "check", "many.csv", "--json").json["data"]["problems"]
    assert sum(item["rule"] == "unused-column" for item in unused) == len(names)


@pytest.mark.parametrize(
    "text",
    [
        "region,year,ITL1,ITL2,ITL3\nA,2019,1,2,3\nB,2019,1,2,3\n",
        "region,year,variable,value\nA,2019,ITL1,1\nA,2019,ITL2,2\nB,2019,ITL1,3\nB,2019,ITL3,4\n",
    ],
)
def test_levels_of_regions_are_asked_for(gapsim, tmp_path, text):
    (tmp_path / "levels.csv").write_text(text, encoding="utf-8")
    told = gapsim("data", "check", "levels.csv", code=2).out
    assert "ITL1, ITL2, ITL3" in told
    assert "which one?" in told


@pytest.mark.parametrize("names", ["gdp1,gdp2", "subtl1,subtl2", "ITL1,NUTS2"])
def test_other_names_with_digits_are_no_levels(gapsim, tmp_path, names):
    (tmp_path / "numbered.csv").write_text(f"region,year,{names}\nA,2019,1,2\nB,2019,1,2\n", encoding="utf-8")
    told = gapsim("data", "check", "numbered.csv", code=2).out
    assert "levels of regions" not in told
    assert f"--map {names.split(',')[0]}=output" in told


def test_a_guess_stands_beside_levels_of_regions(gapsim, tmp_path):
    (tmp_path / "both.csv").write_text("region,year,TL2,TL3,product\nA,2019,x,y,2\nB,2019,x,z,2\n", encoding="utf-8")
    told = gapsim("data", "check", "both.csv", code=2).out
    assert "TL2, TL3" in told
    assert "--map product=output" in told
