"""Commands for a model of one's own: good input is covered by the page, this is the bad."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from gapsim import brief, project
from pysd_runner import load_model, simulate
from pysd_runner.plots import style
from pysd_runner.plots.over_time import plot_fan
from tests.study.models import HUNTED, LINEAR, REGIONS, SIR, infections, made, written


@pytest.fixture
def files(tmp_path):
    model = made(tmp_path, SIR, unit="day", stop=60)
    infections(model).by_time("infected").rename("infected").rename_axis("day").to_csv(tmp_path / "obs.csv")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("calibrate obs.csv --model nothing.mdl", "there is no such file"),
        ("calibrate obs.csv --model obs.csv", "expected one of .itmx, .mdl"),
        ("calibrate nothing.csv --model mine.mdl", "no file and no shipped panel is called"),
        ("calibrate obs.csv --model mine.mdl --free contct_rate", "has no variable"),
        ("calibrate obs.csv --model mine.mdl --free contct_rate --free duration", "'contct_rate'"),
        ("data check obs.csv --model mine.mdl --time week", "there is no such column"),
        ("data check obs.csv --model mine.mdl --map infected", "expected two names"),
        ("data check obs.csv --model mine.mdl --yuan-per-unit 7", "yuan_per_unit: a table of series takes nothing"),
        ("calibrate obs.csv --model mine.mdl --until 5", "--until is now --window FIRST:LAST"),
        ("calibrate china --free alpa", "Did you mean 'alpha'?"),
        ("forecast china --free alpha", "--free needs a model that takes tables"),
        ("run nothing.yaml --model mine.mdl", "there is no scenario file"),
        ("forecast obs.csv --model mine.mdl", "say how far to forecast"),
        ("forecast obs.csv --model mine.mdl --until 10", "the data end at 40"),
        ("init --data obs.csv", "--data needs a model of your own"),
        ("data check obs.csv --time-unit day", "time_unit: a panel of regions by year takes nothing"),
        ("data check obs.csv --model mine.mdl --regions china", "regions: a table of series takes nothing"),
    ],
)
def test_bad_command_lines_say_what_to_do(gapsim, files, words, told):
    before = sorted(path.name for path in files.iterdir())
    answer = gapsim(*words.split(), code=2)
    assert told in answer.err + answer.out
    assert sorted(path.name for path in files.iterdir()) == before


def test_a_fit_of_a_model_of_ones_own_is_evaluated_with_its_file(gapsim, files, no_pictures):
    gapsim(
        "calibrate", "obs.csv", "--model", "mine.mdl", "--starts", 1, "--without", "profiles", "--out", "ofit", code=0
    )
    for more in ([], ["--data", "obs.csv"]):
        assert "`gapsim evaluate FIT --model mine.mdl`" in gapsim("evaluate", "ofit", *more, code=2).err


BAD_TABLES = pytest.mark.parametrize(
    ("text", "told"),
    [
        ("day,infected\n0,5\n1,many\n", "row 3, column 'infected'"),
        ("day,infected\n0,5\n0,6\n", "a second value at this time"),
        ("infected\n5\n6\n", "no column of times"),
        ("day,infected\n", "no data row"),
        ("", "empty"),
        ("day,cases\n0,5\n1,6\n", "no column o"),
    ],
)


@BAD_TABLES
@pytest.mark.parametrize("command", ["calibrate", "data check"])
def test_bad_tables_get_the_same_messages_everywhere(gapsim, files, text, told, command):
    (files / "obs.csv").write_text(text, encoding="utf-8")
    before = sorted(path.name for path in files.iterdir())
    answer = gapsim(*command.split(), "obs.csv", "--model", "mine.mdl", code=2)
    assert told in answer.err + answer.out
    assert sorted(path.name for path in files.iterdir()) == before


@pytest.mark.parametrize(
    ("text", "words", "code", "told"),
    [
        ("day,infected,rain\n0,5,1\n1,6,2\n", "", 0, ("infected  2 values  observes Infected", "rain", "not used")),
        ("day,infected,duration\n0,5,1\n1,6,2\n", "", 0, ("drives Duration",)),
        ("day,infected,date\n0,5,1/2/2020\n1,6,2/2/2020\n", "", 0, ("a second column of times",)),
        ("day,cases\n0,5\n1,6\n", "", 2, ("no column observes anything of mine.mdl",)),
        ("day,cases\n0,5\n1,6\n", "--map cases=Infected", 0, ("observes Infected",)),
        ("day,cases\n0,5\n1,6\n", "--map cases=Infectd", 2, ("Did you mean 'Infected'?",)),
        ("day,infected\n-1,5\n1,6\n", "", 0, ("1 of 2 moments lie before the start",)),
        ("month,infected\n0,5\n1,6\n", "", 2, ("are in months, those of mine.mdl in days",)),
    ],
)
def test_data_check_says_what_each_column_is_to_the_model(gapsim, files, text, words, code, told):
    (files / "obs.csv").write_text(text, encoding="utf-8")
    answer = gapsim("data", "check", "obs.csv", "--model", "mine.mdl", *words.split(), code=code)
    assert all(part in answer.out for part in told)


def test_elements_of_a_range_called_region_keep_their_names(gapsim, tmp_path):
    written(tmp_path, REGIONS.replace("Place", "Region"))
    (tmp_path / "obs.csv").write_text("year,region,sort,Stock\n1,North,old,1\n1,South,new,4\n", encoding="utf-8")
    gapsim("data", "check", "obs.csv", "--model", "mine.mdl", code=0)
    gapsim("init", "--model", "mine.mdl", "--data", "obs.csv", code=0)
    assert "Rate[North]" in (tmp_path / "mine.toml").read_text(encoding="utf-8")


def test_an_edited_model_is_noticed(gapsim, files):
    assert (
        gapsim(
            "calibrate", "obs.csv", "--model", "mine.mdl", "--free", "duration", "--out", "fit", "--without", "profiles"
        ).code
        == 0
    )
    (files / "mine.mdl").write_text(
        (files / "mine.mdl").read_text().replace("Infected / Duration", "Infected / Duration * 2")
    )
    (files / "a.yaml").write_text("changes: {Duration: 3}\n")
    answer = gapsim("run", "a.yaml", "--model", "mine.mdl", "--fit", "fit", code=2)
    assert "changed: Infected" in answer.err


@pytest.mark.parametrize("folder", [[], ["my study"]])
def test_the_commands_that_init_prints_run_as_printed(gapsim, tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    model = made(tmp_path, SIR, unit="day", stop=60)
    seen = infections(model).by_time("infected").rename("cases").to_frame()
    when = pd.Timestamp(2020, 3, 1) + pd.to_timedelta(seen.index, "D")
    seen.assign(when=when.strftime("%d/%m/%Y"), date="2020").to_csv("obs.csv", index=False)
    options = ("--map", "cases=Infected", "--time", "when")
    gapsim("data", "check", "obs.csv", "--model", "mine.mdl", *options, code=0)
    answer = gapsim("init", *folder, "--model", "mine.mdl", "--data", "obs.csv")
    lines = [line.strip() for line in answer.err.splitlines() if line.startswith("  ")]
    assert [line.split()[0] for line in lines] == ["cp"] * bool(folder) + ["gapsim"] * 2
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    shell = ["sh", "-c"]
    for line in lines:
        done = subprocess.run([*shell, line], check=False, capture_output=True, text=True, env={"PATH": path})
        assert done.returncode in (0, 3), done.stderr
    assert "2020-04-30" in done.stdout
    assert (tmp_path / "".join(folder) / "results" / "summary.html").is_file()


def test_declarations_that_init_writes_are_read_where_the_file_contradicts_itself(gapsim, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written(tmp_path, HUNTED, unit="day", stop=50)
    (tmp_path / "obs.csv").write_text("Year,prey\n1862,300\n1864,500\n", encoding="utf-8")
    gapsim("data", "check", "obs.csv", "--time-unit", "day", "--model", "mine.mdl", "--map", "prey=Prey", "--force")
    assert gapsim("init", "--model", "mine.mdl", "--data", "obs.csv").code == 0
    text = (tmp_path / "mine.toml").read_text(encoding="utf-8")
    assert "# Feeding is 0.001 in the file, outside its limits 0 to 0.0001." in text
    assert set(load_model("mine.mdl").spec.parameters) == {"Fertility", "Predation"}


def test_a_forecast_takes_the_measurements_of_its_fit(gapsim, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = made(tmp_path, LINEAR, unit="month", stop=24)
    run = simulate(model, {"Inflow": 3}, outcomes=["Stock"], save_every=1)["Stock"][0, 0]
    errors = 1 + 0.01 * np.random.default_rng(0).standard_normal(len(run))
    pd.DataFrame({"month": range(len(run)), "seen": run * errors}).to_csv("obs.csv", index=False)
    words = ("obs.csv", "--model", "mine.mdl")
    gapsim("data", "check", *words, "--map", "seen=Stock", code=0)
    gapsim("calibrate", *words, "--free", "Inflow", "--without", "profiles", "--out", "fit", code=0)
    told = gapsim("forecast", *words, "--fit", "fit", "--until", "30", "--without", "past")
    assert (told.code, "seen at 30 month" in told.out) == (0, True)


def test_results_have_the_same_pages_as_those_of_regions(gapsim, files):
    (files / "a.yaml").write_text("changes: {Duration: 3}\nlabel: {en: Sooner, zh: 更快}\n", encoding="utf-8")
    gapsim("run", "a.yaml", "--model", "mine.mdl", "--data", "obs.csv", "--out", "out", code=0)
    page = Path("out/summary.md").read_text(encoding="utf-8")
    assert page.startswith("# Sooner: mine\n")
    assert {"## What the scenarios change", "## Figures", "## Files"} <= set(page.splitlines())
    assert "figures/infected_difference.png" in page
    drawn = gapsim("plot", "out", "--lang", "zh", code=0).out
    assert [Path(line).stem for line in drawn.split()][:2] == ["infected_difference", "infected"]
    chinese = Path("out/summary.md").read_text(encoding="utf-8")
    assert chinese.startswith("# 更快：mine\n")
    assert chinese.count("\n## ") == page.count("\n## ")
    assert "choose from outcomes" in gapsim("plot", "out", "--kind", "tiles", code=2).err
    assert "have no regions" in gapsim("plot", "out", "--region", "Gansu", code=2).err
    alone = gapsim("plot", "out", "--scenario", "baseline", "--out", "alone", code=0)
    assert "infected.png" in alone.out
    assert "difference" not in alone.out


@pytest.mark.parametrize(("lang", "word"), [("en", "To cite"), ("zh", "引用")])
def test_results_without_regions_have_a_brief(gapsim, files, lang, word):
    (files / "a.yaml").write_text("changes: {Duration: 3}\n", encoding="utf-8")
    gapsim("run", "a.yaml", "--model", "mine.mdl", "--data", "obs.csv", "--out", "out", code=0)
    (files / "mine.mdl").unlink()
    gapsim("brief", "--run", "out", "--lang", lang, "--out", "pages", code=0)
    page = Path("pages/mine.html").read_text(encoding="utf-8")
    assert word in page
    assert "Infected" in page
    assert all(Path(f"pages/mine.{ending}").stat().st_size > 5_000 for ending in ("docx", "xlsx"))
    assert "have no regions" in gapsim("brief", "Gansu", "--run", "out", code=2).err


def test_chinese_charts_have_no_english_months():
    when = pd.date_range("2021-01-01", periods=90)
    values = xr.DataArray(np.ones((1, 90)), dims=("draw", "time"), coords={"time": when}, name="Stock")
    figure = plot_fan(values, lang="zh")
    figure.canvas.draw()
    ticks = [item.get_text() for item in figure.axes[0].get_xticklabels()]
    assert {"02月", "03月"} <= {*ticks} or style.usable_language("zh") == "en"


def test_outcomes_by_element_and_without_change_have_a_brief(tmp_path):
    stock = "{UTF-8}\nKind: a, b ~~|\nStock[Kind] = INTEG(Growth, 5) ~ Thing ~|\nGrowth = 1 ~ Thing/Day ~|\n"
    clock = "INITIAL TIME = 0 ~ Day ~|\nFINAL TIME = 4 ~ Day ~|\nTIME STEP = 1 ~ Day ~|\nSAVEPER = 1 ~ Day ~|\n"
    (tmp_path / "kinds.mdl").write_text(stock + clock, encoding="utf-8")
    page = brief(project(tmp_path / "kinds.mdl", None, {"Growth": 2}))
    ends = page.numbers[page.numbers["time"] == 4].set_index(["name", "kind"])["median"]
    assert ends["scenario 1: b", "change"] == 4
    assert ends["without a scenario: a", "level"] == 9
    future = project(tmp_path / "kinds.mdl", None, {"Growth": {2: 4}})
    first, second, _ = future.answer()
    assert first == (
        "Without a scenario Stock[a] goes from 5 at 0 Day to 9 (Thing) at 4 Day. Of the 2 elements of Stock none "
        "changes more."
    )
    assert second == "“scenario 1” makes it 6 more."
    assert future.cast[-1].describe("zh") == ("Growth: 2 起为 4",)
    assert future.plot("Stock").sentence == (
        "Stock (Thing), 4 Day: a: without a scenario: 9; scenario 1: 15. b: without a scenario: 9; scenario 1: 15."
    )
    flat = brief(project(tmp_path / "kinds.mdl", None, {"Growth": 1}))
    assert all(item.save(tmp_path / "page.xlsx").stat().st_size > 5_000 for item in (page, flat))
