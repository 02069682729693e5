"""New figures are laid over a panel, and what moves in earlier results is named with its cause."""

import tomllib

import numpy as np
import pytest

from pysd_runner.data import load_data
from pysd_runner.reports.since import between, error_of, turned
from tests.provinces import REGIONS

NAMES = {"北京": 49670.2, "上海": 53759.5, "河南": 63557.1, "甘肃": 13020.5}
PEOPLE = {"北京": 2183, "上海": 2480, "河南": 9785, "甘肃": 2458}


def figures(path, *, year=2025, unit="(亿元)", times=1.05, of=NAMES, encoding="utf-8"):
    """Output and population of four provinces."""
    rows = [f"{name},{year},{value * times:.1f},{PEOPLE.get(name, 100)}" for name, value in of.items()]
    text = "\n".join([f"地区,年份,地区生产总值{unit},年末常住人口(万人)", *rows, ""])
    path.write_text(text, encoding=encoding)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "gbk"])
def test_a_year_is_added_and_everything_else_is_kept(gapsim, tmp_path, encoding):
    figures(tmp_path / "new.csv", encoding=encoding)
    answer = gapsim("update", "china", "new.csv", "--out", "now", code=0)
    assert "8 new figures of 2025: output, population" in answer.out
    assert "2025 lacks output of 27 regions, population of 27 regions, mobile_internet_users" in answer.out
    before, now = load_data("china"), load_data(tmp_path / "now")
    assert now.name == "china-2025"
    assert (now.years, now.regions) == ((*before.years, 2025), before.regions)
    assert (now.national, now.price_basis) == (before.national, before.price_basis)
    for name in before.variables:
        assert np.allclose(now.array(name)[:, :-1], before.array(name), rtol=1e-9, equal_nan=True), name
    assert now.array("output")[0, -1] == pytest.approx(49670.2 * 1.05 * 1e8, rel=1e-5)
    assert now.marks["output"][0, 0] == "spliced"
    sources = tomllib.loads((tmp_path / "now" / "sources.toml").read_text(encoding="utf-8"))
    assert sources["columns"]["output"]["office"].startswith("National Bureau of Statistics")
    assert sources["updates"][0]["file"] == "new.csv"


def test_revisions_stand_in_one_table_and_a_folder_is_updated_again(gapsim, tmp_path):
    figures(tmp_path / "old.csv", year=2024)
    answer = gapsim("update", "china", "old.csv", "--out", "one", "--lang", "zh", code=0)
    assert "修订数据 4 个" in answer.out
    rows = (tmp_path / "one" / "revisions.csv").read_text(encoding="utf-8-sig").splitlines()
    assert len(rows) == 5
    assert rows[1].endswith(",china,old.csv")
    figures(tmp_path / "new.csv")
    found = gapsim("update", "one", "new.csv", "--out", "two", "--json", code=0).json["data"]
    assert (found["years"], found["revised"]) == ([2025], [])
    assert load_data(tmp_path / "two").regions == load_data("china").regions
    assert load_data(tmp_path / "two").array("output")[0, -2] == pytest.approx(49670.2 * 1.05e8, rel=1e-5)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"unit": "(万元)"}, "the figures are probably in 100 million yuan: write that into the heading"),
        ({"unit": "", "times": 1e4}, "say --unit output='10 thousand yuan'"),
        ({"year": 2026}, "nothing is given for 2025 between 2024 and 2026"),
        ({"of": {}}, "no data row"),
        ({"of": {"四穿": 6e4}}, "Did you mean '四川'"),
        ({"year": 2024, "times": 1}, "holds nothing new: of its 8 figures"),
        ({"unit": "(million US dollars)"}, "another currency than the panel: US dollar, not Yuan"),
        ({"unit": "(亿元; constant 2020 prices)"}, "another prices than the panel"),
    ],
)
def test_what_cannot_be_laid_over_is_refused_and_nothing_is_written(gapsim, tmp_path, made, said):
    figures(tmp_path / "new.csv", **made)
    answer = gapsim("update", "china", "new.csv", "--out", "now", code=2)
    assert said in answer.err
    assert not (tmp_path / "now").exists()


def test_what_the_panel_computes_is_not_taken(gapsim, tmp_path):
    (tmp_path / "new.csv").write_text("地区,年份,人均GDP(元)\n北京,2025,230000\n", encoding="utf-8")
    assert "holds only output_per_head" in gapsim("update", "china", "new.csv", code=2).err
    (tmp_path / "own.csv").write_text(
        "region,year,GDP per capita (元)\n北京,2023,2e5\n北京,2024,2.1e5\n上海,2023,2e5\n上海,2024,2e5\n"
    )
    figures(tmp_path / "both.csv", of=dict.fromkeys(("北京", "上海"), 5e4))
    gapsim("data", "check", "own.csv", "--regions", "china", code=0)
    gapsim("update", "own.csv", "both.csv", "--out", "now", code=0)
    assert load_data(tmp_path / "now").variables == ("output_per_head",)


def test_earlier_results_are_compared_step_by_step(gapsim, tmp_path, results, small_panel):
    figures(tmp_path / "new.csv")
    figures(tmp_path / "old.csv", year=2024)
    asked = ("--since", results, "--region", "Gansu")
    answer = gapsim("update", small_panel, "new.csv", "old.csv", *asked, "--out", "now", code=0)
    assert "Gansu: output per head in 2030" in answer.out
    assert "figures of 2025" in answer.out
    table = (tmp_path / "now" / "since.csv").read_text(encoding="utf-8-sig")
    assert [line.split(",")[3] for line in table.splitlines()[1:]] == [
        "earlier results",
        "4 revised figures",
        "figures of 2025",
    ]
    assert "needs earlier results (--since)" in gapsim("update", "china", "new.csv", "--region", "Gansu", code=2).err
    assert "needs a file of new figures" in gapsim("update", "china", code=2).err
    assert "of other regions" in gapsim("update", "china", "--since", results, code=2).err
    rows = [f"{code},{year},{5e4 + year}" for code in REGIONS for year in (2023, 2024)]
    (tmp_path / "bare.csv").write_text("\n".join(["region,year,GDP per capita (元)", *rows, ""]), encoding="utf-8")
    assert "has population" in gapsim("update", "bare.csv", "--since", results, code=2).err


def test_one_thing_is_exchanged_at_a_time():
    then = load_data("china").subset(times=range(2010, 2024))
    bare = load_data("china").subset(times=range(2012, 2025))
    names = ["output", "population", "output_per_head"]
    now = bare.with_values({name: bare.array(name) * (1.01 if name == "output" else 1) for name in names})
    steps = list(between(then, now.with_national({})))
    assert [str(what) for what, _ in steps] == [
        "without 12 columns",
        "without 2010-2011",
        "372 revised figures",
        "figures of 2024",
    ]
    assert steps[0][1].variables == tuple(names)
    assert not steps[0][1].national
    assert steps[-1][1].years == bare.years
    assert not list(between(then, then))


def test_an_answer_that_turns_round_is_told_from_noise():
    noise = np.random.default_rng(0).normal(size=400)
    for before, after, turns in ((noise - 1, noise + 1, True), (noise - 1, noise - 1, False), (noise, -noise, False)):
        effect, change = np.median(after), np.median(after) - np.median(before)
        assert turned({"effect": effect, "change": change, "change_error": error_of(before, after)}) == turns
