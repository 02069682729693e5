"""How a file is read is said once beside it: found, printed and hashed at every use, refused with other columns."""

import hashlib
import json

import pytest

import gapsim as door
from pysd_runner.data import load_data
from pysd_runner.data.mapping import PanelMapping, load_mapping, reading_text

LANDS = "ABCD"
TOLD = "mine.csv, read by mine.reading.toml: columns: Land = region, Jahr = year, BIP = output_per_head"
OPTIONS = ("--map", "Land=region", "--map", "Jahr=year", "--map", "BIP=output_per_head")


@pytest.fixture
def mine(tmp_path):
    rows = [
        f"{land},{year},{1000 * (1 + at) * 1.03 ** (year - 2000):.1f}"
        for at, land in enumerate(LANDS)
        for year in range(2000, 2015)
    ]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["Land,Jahr,BIP", *rows, ""]), encoding="utf-8")
    return path


@pytest.fixture
def checked(gapsim, mine):
    assert "mine.reading.toml" in gapsim("data", "check", "mine.csv", *OPTIONS, code=0).err
    return mine


@pytest.mark.parametrize(
    "command",
    [
        "data check mine.csv",
        "forecast mine.csv --until 2016 --draws 20 --without past",
        "backtest mine.csv --forecaster persistence --horizon 1",
        "run zoned_need --data mine.csv --draws 2 --until 2016 --without forecast",
    ],
)
def test_it_is_found_and_said_at_every_use(gapsim, checked, command):
    assert TOLD in gapsim(*command.split(), code=0).err


def test_its_hash_is_kept_with_results(gapsim, checked, tmp_path):
    run = ("run", "zoned_need", "--draws", 2, "--until", 2016, "--without", "forecast")
    gapsim(*run, "--data", "mine.csv", "--out", "out", code=0)
    record = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))["panel"]["reading"]
    file = tmp_path / "mine.reading.toml"
    assert (record["files"], record["sha256"]) == (["mine.reading.toml"], hashlib.sha256(file.read_bytes()).hexdigest())
    gapsim("run", "out/run.json", "--out", "again", code=0)
    assert json.loads((tmp_path / "again" / "run.json").read_text(encoding="utf-8"))["panel"]["reading"] == record
    moved = file.rename(tmp_path / "elsewhere.toml")
    assert "required column" in gapsim(*run, "--data", "mine.csv", code=2).err
    gapsim(*run, "--data", "mine.csv", "--reading", moved, "--out", "other", code=0)
    both = [(tmp_path / name / "projection.nc").read_bytes() for name in ("out", "other")]
    assert both[0] == both[1]


def test_a_fit_and_a_forecast_keep_it_too(gapsim, checked, tmp_path, no_pictures):
    quick = ("--starts", 1, "--without", "profiles,forecast", "--out", "fit")
    assert gapsim("calibrate", "mine.csv", *quick).code in (0, 3)
    gapsim("forecast", "mine.csv", "--until", 2016, "--draws", 20, "--without", "past", "--out", "ahead", code=0)
    assert json.loads((tmp_path / "fit" / "fitted.json").read_text())["provenance"]["reading"]["sha256"]
    assert door.load_data(checked).reading == load_data("mine.csv").reading | {
        "reading": door.load_data(checked).reading["reading"]
    }


@pytest.mark.parametrize("command", ["forecast mine.csv", "run zoned_need --data mine.csv", "data check mine.csv"])
def test_other_columns_are_refused(gapsim, checked, command):
    checked.write_text(checked.read_text().replace("Land,", "Region,"), encoding="utf-8")
    answer = gapsim(*command.split(), code=2)
    assert "mine.reading.toml says how to read columns that mine.csv does not have: Land; write it again" in answer.err
    assert gapsim("data", "check", "mine.csv", "--map", "Region=region", *OPTIONS[2:], "--force", code=0).out
    assert gapsim("data", "check", "mine.csv", code=0).out


def test_years_may_come_and_go_where_they_are_columns(gapsim, tmp_path):
    def written(years):
        rows = [",".join((land, *(str(100 + at + year) for year in years))) for at, land in enumerate(LANDS)]
        (tmp_path / "wide.csv").write_text(
            "\n".join([",".join(("Land", *map(str, years))), *rows, ""]), encoding="utf-8"
        )

    written(range(2000, 2010))
    gapsim("data", "check", "wide.csv", "--map", "Land=region", "--map", "value=output", code=0)
    written(range(2001, 2011))
    assert "2001-2010" in gapsim("data", "check", "wide.csv", code=0).out


def test_what_stands_there_is_replaced_only_by_force(gapsim, checked, tmp_path):
    file = tmp_path / "mine.reading.toml"
    text = file.read_text(encoding="utf-8") + "# a remark\n"
    file.write_text(text, encoding="utf-8")
    more = ("data", "check", "mine.csv", *OPTIONS, "--unit", "output_per_head=yuan per person")
    assert "mine.reading.toml says otherwise already" in gapsim(*more, code=2).err
    assert file.read_text(encoding="utf-8") == text
    gapsim(*more, "--force", code=0)
    assert "remark" not in file.read_text(encoding="utf-8")
    assert "leave --map away" in gapsim("data", "check", "mine.csv", *OPTIONS[:2], "--reading", file, code=2).err


def test_options_are_not_kept_with_errors(gapsim, mine, tmp_path):
    gapsim("data", "check", "mine.csv", *OPTIONS[:4], code=2)
    assert not (tmp_path / "mine.reading.toml").exists()
    gapsim("data", "check", "mine.csv", *OPTIONS[:4], "--force", code=2)
    assert load_mapping(tmp_path / "mine.reading.toml").columns == {"Land": "region", "Jahr": "year"}


def test_money_is_read_in_yuan(gapsim, mine):
    gapsim("data", "check", "mine.csv", *OPTIONS, "--yuan-per-unit", 7, code=0)
    assert load_data(mine).array("output_per_head")[0, 0] == pytest.approx(7000)


def test_a_table_keeps_its_clock(gapsim, tmp_path):
    (tmp_path / "mine.mdl").write_text("Stock = INTEG(1, 2) ~~|INITIAL TIME = 0~~|FINAL TIME = 9~~|TIME STEP = 1~~|")
    (tmp_path / "obs.csv").write_text("when,at,seen\n2020-01-01,7,2\n2020-01-03,8,4\n", encoding="utf-8")
    given = ("--time", "when", "--time-unit", "day", "--map", "seen=Stock", "--map", "at=ignore")
    gapsim("data", "check", "obs.csv", "--model", "mine.mdl", *given)
    found = load_data("obs.csv")
    assert (list(found.times), found.time_unit, found.columns["seen"].variable) == ([0, 2], "day", "Stock")


def test_what_is_written_is_what_is_read(tmp_path):
    told = PanelMapping(
        columns={'a "quoted" 列': "region"},
        units={"output": "100 million yuan"},
        drop={"group": ("NATION", "x")},
        missing=("n/a",),
        yuan_per_unit=7.1,
        decimal=",",
        time="Jahr",
        entity=("Land", "Gruppe"),
        headings=("Land", "列"),
    )
    path = tmp_path / "mine.reading.toml"
    path.write_text(reading_text(told, tmp_path / "mine.csv"), encoding="utf-8")
    assert load_mapping(path) == told


def test_figures_for_a_panel_are_read_as_its_own_file_is(gapsim, checked, tmp_path):
    (tmp_path / "new.csv").write_text(
        "Land,Jahr,BIP\n" + "".join(f"{land},2015,{2000 + at}\n" for at, land in enumerate(LANDS))
    )
    answer = gapsim("update", "mine.csv", "new.csv", "--out", "now", code=0)
    assert TOLD in answer.err
    assert load_data(tmp_path / "now").years[-1] == 2015
