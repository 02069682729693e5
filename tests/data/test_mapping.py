"""Mapping files, region files, national series, declarations and templates."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pandas as pd
import pytest

from pysd_runner.cli.initialise import panel_templates
from pysd_runner.core.errors import InvalidPanel
from pysd_runner.data import Entity, PanelMapping, check_data, load_data, load_mapping
from pysd_runner.data.regions import national_of, regions_of, with_tiles
from pysd_runner.reports.replay import data_from_dict, data_to_dict
from pysd_runner.scenarios import scenario_template

Write = Callable[..., Path]

HEAD = "region,year,output [yuan],population [persons]\n"


# Mapping files


def test_a_mapping_file_says_everything(write: Write) -> None:
    write("code,name_en,name_zh,class\nA,Alpha,甲,North\n", name="places.csv")
    write("year,variable,value,unit\n2020,internet_penetration,70.4,percent\n", name="nation.csv")
    text = (
        "schema: 1\ncolumns: {GDP: output, Ort: region}\nunits: {output: million USD}\ndrop: {kind: [total, sum]}\n"
        'missing: ["..", n/a]\nregions: places.csv\nnational: nation.csv\nyuan_per_unit: 7\n'
        "price_basis: current prices\n"
    )
    mapping = load_mapping(write(text, name="mapping.yaml"))
    path = write("Ort,year,GDP,population [persons],kind\nAlpha,2020,1,20,x\nSum,2020,1,20,sum\nA,2021,..,20,x\n")
    panel = load_data(path, roles=mapping, panel=True)
    assert panel.regions == (Entity(code="A", name_en="Alpha", name_zh="甲", group="North"),)
    assert panel.array("output")[0, 0] == 7e6
    assert panel.price_basis == "current prices"
    assert panel.national == {"internet_penetration": {2020: pytest.approx(0.704)}}
    assert load_data(path, roles=path.parent / "mapping.yaml", panel=True).sha256 == panel.sha256


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("columns: {a: output}\n", "schema: found None"),
        ("schema: 2\n", "schema: found 2"),
        ("schema: 1\ncolums: {a: output}\n", "Did you mean 'columns'"),
        ("schema: 1\ncolumns: [a]\n", "columns: expected names and values"),
        ("schema: 1\ncolumns: {a: [b]}\n", r"columns\.a: expected one text"),
        ("schema: 1\nmissing: {a: b}\n", "missing: expected a list"),
        ("schema: 1\nyuan_per_unit: -1\n", "above zero"),
        ("schema: 1\nyuan_per_unit: yes\n", "above zero"),
        ("schema: 1\ncolumns: {a: b\n", "not readable as YAML"),
        ("- a\n", "expected keys and values"),
        ("", "expected keys and values"),
        ("schema: 1\nschema: 1\n", "not readable as YAML"),
        ("schema: 1\nregions: !!python/object/apply:os.getcwd []\n", "not readable as YAML"),
        ("[" * 20_000, r":1: the file is nested too deeply"),
        (f"schema: 1\ncolumns: {'{a: ' * 1500}1{'}' * 1500}\n", ":2: the file is nested too deeply"),
        (f"schema: 1\nmissing: [{'a, ' * 30_000}]\n", ":2: the file is nested too deeply or holds too many values"),
        (f"schema: 1\nyuan_per_unit: {'9' * 5000}\n", "not readable as YAML.*5000 digits"),
        (f"schema: 1\nyuan_per_unit: {'9' * 400}\n", "above zero"),
        ("schema: 1\nyuan_per_unit: .inf\n", "above zero"),
        ("schema: 1\nyuan_per_unit: 1e300\n", "above zero"),
        ("schema: 1\nmissing: 2020-13-45\n", "not readable as YAML.*month"),
        ("schema: 1\nunits: {output: &a x, population: *a}\n", ":2: YAML aliases are not read"),
        ("schema: 1\n---\nschema: 1\n", ":2: the file holds several YAML documents"),
        (" " * 300_000, "the file is too large; expected at most 256 kB"),
    ],
    ids=lambda text: str(text)[:40],
)
def test_bad_mapping_files(write: Write, text: str, message: str) -> None:
    with pytest.raises(InvalidPanel, match=message):
        load_mapping(write(text, name="mapping.yaml"))


def test_a_rate_that_is_none_is_refused_when_it_is_given() -> None:
    with pytest.raises(InvalidPanel, match="yuan_per_unit: expected a number above zero"):
        load_data({"region": ["A"], "year": [2020], "output_per_head": [5e4]}, yuan_per_unit=float("inf"))


def test_a_mapping_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidPanel, match="no mapping file"):
        load_mapping(tmp_path / "mapping.yaml")


def test_yaml_is_read_by_the_newer_standard(write: Write) -> None:
    """In YAML 1.1 the word no would be false and 010 eight."""
    mapping = load_mapping(write("schema: 1\ndrop: {code: [no, 010]}\n", name="mapping.yaml"))
    assert mapping.drop == {"code": ("no", "10")} or mapping.drop == {"code": ("no", "010")}


def test_arguments_win_over_the_mapping() -> None:
    mapping = PanelMapping(columns={"a": "output"}, units={"output": "yuan", "population": "persons"}, encoding="gbk")
    merged = mapping.merged(columns={"b": "year"}, units={"output": "亿元"}, encoding=None)
    assert merged.columns == {"a": "output", "b": "year"}
    assert merged.units == {"output": "亿元", "population": "persons"}
    assert merged.encoding == "gbk"


# Region files


def test_regions_by_code_or_either_name(write: Write) -> None:
    regions = write(
        "code,name_en,name_zh,class,row,column\n1,Alpha,甲乙省,N,0,1\n2,Beta,丙丁,S,3,0\n", name="regions.csv"
    )
    path = write(HEAD + "甲乙,2020,5e4,1\nbeta,2020,5e4,1\n1,2021,5e4,1\nBETA,2021,5e4,1\n")
    panel = load_data(path, regions=regions)
    assert panel.codes == ("1", "2")
    assert panel.problems == ()
    assert (panel.regions[1].row, panel.regions[1].column, panel.groups) == (3, 0, ("N", "S"))


def test_further_columns_of_a_region_file_group_regions_if_they_have_fewer_values(write: Write) -> None:
    regions = write(
        "code,name_en,class,Bank,note,area,whole\n1,Alpha,N,left,old,7,x\n2,Beta,N,right,,8,x\n"
        "3,Gamma,S,left,new,9,x\n4,Delta,S,left,new,9,x\n",
        name="regions.csv",
    )
    path = write(HEAD + "".join(f"{code},{year},5e4,1\n" for code in range(1, 5) for year in (2020, 2021)))
    panel = load_data(path, regions=regions)
    assert [region.groupings for region in panel.regions] == [
        (("bank", word),) for word in ("left", "right", "left", "left")
    ]
    # They do not enter the hash, as no fit depends on them.
    bare = write("code,name_en,class\n1,Alpha,N\n2,Beta,N\n3,Gamma,S\n4,Delta,S\n", name="bare.csv")
    assert load_data(path, regions=bare).sha256 == panel.sha256
    assert data_from_dict(json.loads(json.dumps(data_to_dict(panel)))).regions == panel.regions


def test_the_south_and_the_north_of_china_are_those_of_the_convention() -> None:
    panel = load_data("china")
    south = [region.code for region in panel.regions if dict(region.groupings)["north_south"] == "South"]
    assert len(south) == 16
    assert {"320000", "340000", "540000"} < set(south)
    assert not {"410000", "610000", "620000"} & set(south)
    assert len(panel.regions) - len(south) == 15


def test_without_a_region_file_codes_are_names_and_tiles_are_automatic(write: Write) -> None:
    path = write(HEAD + "".join(f"R{number},2020,5e4,1\n" for number in range(7)))
    panel = load_data(path, panel=True)
    assert [region.name_zh for region in panel.regions] == [f"R{number}" for number in range(7)]
    assert {region.group for region in panel.regions} == {""}
    assert len({(region.row, region.column) for region in panel.regions}) == 7
    assert max(max(region.row, region.column) for region in panel.regions) == 2


def test_regions_without_a_tile_go_below_the_others() -> None:
    placed = with_tiles(
        [
            Entity(code="a", name_en="a", name_zh="a", row=2, column=2),
            Entity(code="b", name_en="b", name_zh="b", row=-1, column=-1),
            Entity(code="c", name_en="c", name_zh="c", row=-1, column=-1),
        ]
    )
    assert [(region.row, region.column) for region in placed] == [(2, 2), (3, 0), (3, 1)]


def test_regions_as_objects(write: Write) -> None:
    regions = [Entity(code="A", name_en="Alpha", name_zh="甲", group="x", row=4, column=5)]
    panel = load_data(write(HEAD + "Alpha,2020,5e4,1\n"), regions=regions)
    assert panel.regions == tuple(regions)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("name_en\nA\n", "no column 'code'"),
        ("code,name_en\n,A\n", "row 2: the code is empty"),
        ("code,name_en\nA,a\nA,b\n", "row 3: code 'A' already stands in row 2"),
        ("code,row,column\nA,0,0\nB,0,0\n", "tile '0,0' already stands in row 2"),
        ("code,row,column\nA,0.5,0\n", "column 'row': found '0.5'"),
    ],
)
def test_bad_region_files(write: Write, text: str, message: str) -> None:
    path = write(text, name="regions.csv")
    with pytest.raises(InvalidPanel, match=message):
        regions_of(path, path)
    (problem,) = check_data(write(HEAD + "A,2020,5e4,1\n"), regions=path)
    assert problem.rule == "region-file"
    assert problem.severity == "error"


def test_a_region_file_that_is_not_there(write: Write) -> None:
    (problem,) = check_data(write(HEAD + "A,2020,5e4,1\n"), regions="nowhere.csv")
    assert "nowhere.csv" in problem.message


# National series


def test_national_series_beside_the_panel_or_given(write: Write, tmp_path: Path) -> None:
    path = write(HEAD + "A,2020,5e4,1\n")
    assert load_data(path, panel=True).national == {}
    write("year,internet_penetration [percent],platforms\n2019,64.5,10\n2020,70.4,\n", name="national.csv")
    beside = load_data(path, panel=True).national
    assert beside["internet_penetration"] == {2019: pytest.approx(0.645), 2020: pytest.approx(0.704)}
    assert beside["platforms"] == {2019: 10.0}
    given = load_data(path, national={"internet_penetration": {2020: 0.7}})
    assert given.national == {"internet_penetration": {2020: 0.7}}
    assert given.sha256 != load_data(path, panel=True).sha256


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("variable,value\na,1\n", "no column 'year'"),
        ("year,a\n20,1\n", "row 2: year: found '20'"),
        ("year,a\n2020,x\n", "row 2: a: found 'x'"),
        ("year,variable,value\n2020,a,1\n2020,a,2\n", "row 3: a already has a value for 2020"),
    ],
)
def test_bad_national_files(write: Write, text: str, message: str) -> None:
    path = write(text, name="nation.csv")
    with pytest.raises(InvalidPanel, match=message):
        national_of(path, path)
    (problem,) = check_data(write(HEAD + "A,2020,5e4,1\n"), national=path)
    assert problem.rule == "national-file"


# Declarations beside a panel


def test_declarations_give_units_marks_regions(write: Write) -> None:
    path = write("region,year,output,population\nA,2019,5,1\nA,2020,5,1\n")
    write("code,name_en\nA,Alpha\n", name="regions.csv")
    declared = (
        'schema = 1\nname = "mine"\npanel = "panel.csv"\nregions = "regions.csv"\n[columns.output]\nunit = "万元"\n'
        'marks = [{ flag = "spliced", first = 2000, last = 2019 }]\n[columns.population]\nunit = "persons"\n'
    )
    write(declared, name="sources.toml")
    panel = load_data(path, panel=True)
    assert (panel.name, panel.regions[0].name_en, panel.problems) == ("mine", "Alpha", ())
    assert panel.array("output").tolist() == [[5e4, 5e4]]
    assert panel.flags["output", "A", 2019] == "spliced"
    assert ("output", "A", 2020) not in panel.flags


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schema = ", "not readable as TOML"),
        ('schema = 2\npanel = "panel.csv"\n', "schema: found 2"),
        ('schema = 1\npanel = "panel.csv"\n[columns.output]\n', r"columns\.output\.unit: found None"),
        ('schema = 1\npanel = "panel.csv"\n[columns.output]\nunit = "元"\nmarks = [1]\n', r"columns\.output\.marks"),
    ],
)
def test_bad_declarations(write: Write, text: str, message: str) -> None:
    path = write(HEAD + "A,2020,5e4,1\n")
    write(text, name="sources.toml")
    (problem,) = check_data(path, panel=True)
    assert problem.rule == "declarations"
    with pytest.raises(InvalidPanel, match=message):
        load_data(path, panel=True)


def test_declarations_of_another_file_are_not_used(write: Write) -> None:
    path = write(HEAD + "A,2020,5e4,1\n")
    write('schema = 1\npanel = "other.csv"\n[columns.output]\nunit = "亿元"\n', name="sources.toml")
    assert load_data(path, panel=True).array("output")[0, 0] == 5e4


# Templates


def test_the_templates_load_without_a_problem(tmp_path: Path) -> None:
    for name, text in panel_templates().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    panel = load_data(tmp_path / "panel.csv", panel=True)
    assert panel.problems == ()
    assert panel.codes == ("R1", "R2")
    assert panel.groups == ("East", "West")
    assert panel.units["output"] == "Yuan/Year"


def test_the_chinese_templates_differ_in_comments_and_notes_alone() -> None:
    def bare(text: str) -> list[str]:
        lines = (re.sub(r"\s*#.*|(?<=^note: ).*", "", line) for line in text.splitlines())
        return [line for line in lines if line]

    english, chinese = ([scenario_template(lang), *panel_templates(lang).values()] for lang in ("en", "zh"))
    for text, translated in zip(english, chinese, strict=True):
        comments = [line for line in translated.splitlines() if "#" in line]
        assert bare(text) == bare(translated) != text.splitlines()
        assert any(re.search("[\u4e00-\u9fff]", line) for line in comments)
        assert set(comments) != {line for line in text.splitlines() if "#" in line}


def test_every_line_commented_out_in_the_mapping_template_is_accepted(tmp_path: Path) -> None:
    for name, text in panel_templates().items():
        enabled = re.sub(r"^#(?=\w+ = |\[)", "", text, flags=re.MULTILINE)
        (tmp_path / name).write_text(enabled, encoding="utf-8")
    mapping = load_mapping(tmp_path / "panel.reading.toml")
    assert mapping.units == {"output": "100 million yuan"}
    assert mapping.keep == {"year": ("2018", "2019", "2020")}
    assert mapping.missing == ("n/a", "..", "-")
    assert mapping.yuan_per_unit == 7.1


class TestFrames:
    """Data frames, dictionaries and rows in the place of side files."""

    PANEL = "region,year,output_per_head [yuan]\n" + "".join(
        f"{code},{year},5e4\n" for code in "ab" for year in (2010, 2011)
    )
    COLUMNS: ClassVar = {"code": ["a", "b"], "name_zh": ["甲", "乙"], "class": ["East", "West"]}

    @pytest.mark.parametrize("form", ["frame", "columns", "rows", "indexed"])
    def test_regions(self, tmp_path, form):
        path = tmp_path / "panel.csv"
        path.write_text(self.PANEL, encoding="utf-8")
        file = tmp_path / "regions.csv"
        frame = pd.DataFrame(self.COLUMNS)
        frame.to_csv(file, index=False)
        given = {
            "frame": frame,
            "columns": self.COLUMNS,
            "rows": frame.to_dict("records"),
            "indexed": frame.set_index("code"),
        }
        assert load_data(path, regions=given[form]).regions == load_data(path, regions=file).regions

    def test_regions_without_a_code(self, tmp_path):
        path = tmp_path / "panel.csv"
        path.write_text(self.PANEL, encoding="utf-8")
        with pytest.raises(InvalidPanel, match="regions: no column 'code'"):
            load_data(path, regions=pd.DataFrame({"name": ["a"]}))

    @pytest.mark.parametrize("form", ["long", "wide", "indexed"])
    def test_national_series(self, tmp_path, form):
        path = tmp_path / "panel.csv"
        path.write_text(self.PANEL, encoding="utf-8")
        wide = pd.DataFrame({"year": [2010, 2011], "internet_penetration": [0.5, 0.6]})
        given = {"long": wide.melt("year", var_name="variable"), "wide": wide, "indexed": wide.set_index("year")}
        assert load_data(path, national=given[form]).national == {"internet_penetration": {2010: 0.5, 2011: 0.6}}


def test_a_panel_tells_what_it_holds(tmp_path):
    path = tmp_path / "panel.csv"
    path.write_text(TestFrames.PANEL.replace("b,2011,5e4\n", "b,2011,\n"), encoding="utf-8")
    panel = load_data(path, panel=True)
    assert repr(panel) == "<Data 'panel': output_per_head; 2 moments from 2010 to 2011; 2 by region>"
    assert "<table" in panel._repr_html_()
    first = panel.table().set_index("variable").loc["output_per_head"]
    assert (first["values"], first["missing"], first["first"], first["last"]) == (3, 1, 2010, 2011)
