"""``gapsim attribute`` and ``optimise``: what they print and write, and that a policy found runs again."""

import shutil

import pandas as pd
import pytest

from pysd_runner.scenarios import load_scenario
from tests.english import left_in_english
from tests.study.test_loops import MODELS, model_of

# An optimum has a name in both languages, and the names of levers.
NAMES = ("Theil index closed", "panel")
QUICK = ("--draws", 6, "--until", 2028, "--without", "forecast")


def test_attribution_sums_and_is_written(gapsim, small, tmp_path):
    quick = ("--draws", 2, "--until", 2026, "--without", "forecast")
    answer = gapsim("attribute", "zoned_need", *small, *quick, "--out", "parts", "--json", "--lang", "zh", code=0)
    found = answer.json["data"]
    rows = {row["lever"]: row for row in found["levers"]}
    assert set(rows) == {
        "access", "skills", "application", "data", "governance", "knowledge", "compensation", "total",
    }  # fmt: skip
    table = pd.read_csv(tmp_path / "parts" / "attribution_by_year.csv")
    last = table[(table["year"] == 2026) & (table["way"] == "shapley")]
    whole = table[(table["year"] == 2026) & (table["way"] == "total")]["mean"].item()
    assert last["mean"].sum() == pytest.approx(whole, rel=1e-7)
    for name in ("attribution.csv", "attribution.md", "split.csv", "loops.csv", "costs.csv"):
        assert (tmp_path / "parts" / name).is_file()
    costs = pd.read_csv(tmp_path / "parts" / "costs.csv")
    assert {name.partition(".")[0] for name in costs["name"]} >= {"lever", "region"}
    for ending in ("png", "svg", "csv", "txt"):
        assert (tmp_path / "parts" / "figures" / f"wedges.{ending}").is_file()
    assert left_in_english(tmp_path, NAMES) == {}
    again = gapsim("attribute", "zoned_need", *small, *quick, "--out", "parts", code=2)
    assert "earlier results" in again.err


def test_an_attribution_starts_from_the_forecast(gapsim, small):
    asked = ("attribute", "skills_programme", *small, "--draws", 2, "--until", 2026, "--json")
    told = {
        is_open: gapsim(*asked, *(["--without", "forecast"] if is_open else []), "--out", f"open {is_open}")
        for is_open in (True, False)
    }
    assert {answer.code for answer in told.values()} == {0}, told[False].err
    path = "The run without policy is the path of the model, not a forecast"
    assert [path in str(told[is_open].json) + told[is_open].err for is_open in (True, False)] == [True, False]


def test_attribution_speaks_chinese(gapsim, small):
    answer = gapsim(
        "attribute",
        "skills_programme",
        *small,
        "--draws",
        2,
        "--until",
        2026,
        "--without",
        "forecast",
        "--lang",
        "zh",
        code=0,
    )
    assert "贡献是各工具按所有可能次序加入时的平均增量" in answer.out
    assert "现值成本" in answer.out


def test_searches_that_another_process_has_removed_are_no_fault(gapsim, small, tmp_path, monkeypatch):
    from pysd_runner.reports import optimum

    write = optimum.write_optimum

    def overtaken(*arguments, **options):
        shutil.rmtree(tmp_path / "best.searches")
        return write(*arguments, **options)

    monkeypatch.setattr(optimum, "write_optimum", overtaken)
    arguments = ("--choose", "uniform", "--starts", 1, "--without", "constraints", "--out", "best", "--force")
    gapsim("optimise", *arguments, *small, *QUICK, code=0)
    assert (tmp_path / "best" / "optimum.md").is_file()


def test_a_policy_that_was_found_runs(gapsim, small, tmp_path):
    arguments = ("--choose", "uniform", "--starts", 1, "--outcome", "theil_closed", "--without", "constraints")
    answer = gapsim("optimise", *arguments, *small, *QUICK, "--out", "best", "--json", "--lang", "zh", code=0)
    found = answer.json["data"]
    assert left_in_english(tmp_path, NAMES) == {}
    assert sum(row["value"] for row in found["policy"] if row["group"] == "mix") == pytest.approx(1)
    for name in ("optimum.md", "policy.csv", "effects.csv", "losers.csv", "compared.csv"):
        assert (tmp_path / "best" / name).is_file()
    assert not list(tmp_path.glob("*.searches"))
    scenario = load_scenario(tmp_path / "best" / "optimised.yaml")
    assert sum(scenario.policy.mix.values()) == pytest.approx(1)
    run = gapsim(
        "run",
        "best/optimised.yaml",
        *small,
        "--draws",
        2,
        "--until",
        2026,
        "--without",
        "forecast",
        "--out",
        "run",
        code=0,
    )
    assert "Optimised" in run.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("attribute", "baseline"), "spends no money"),
        (("attribute", "zoned_need", "--outcome", "gap"), "no outcome 'gap'"),
        (("attribute", "zoned"), "a search needs"),
        (("optimise", "--start", "nothing"), "nothing"),
    ],
)
def test_bad_command_lines_say_what_is_wrong(gapsim, small, arguments, message):
    extra = ("--draws", 2, "--until", 2026, "--without", "forecast")
    if arguments == ("attribute", "zoned"):
        arguments = ("optimise",)
    answer = gapsim(*arguments, *small, *extra, code=2)
    assert message in answer.err


def test_loops_of_an_own_model_are_explained_and_drawn(gapsim, tmp_path):
    model_of(tmp_path, MODELS["logistic"])
    answer = gapsim("explain", "--model", "model.mdl", "--of", "P", "--json", code=0).json["data"]
    assert (answer["counted"], answer["longest"], answer["held"]) == (3, None, pytest.approx(1))
    assert {row["loop"] for row in answer["loops"]} == {"R1", "B1", "B2"}
    assert (tmp_path / "loops.png").is_file()
    assert "exists already" in gapsim("explain", "--model", "model.mdl", code=2).err
    assert "--region" in gapsim("explain", "--model", "model.mdl", "--region", "West", "--force", code=2).err
    still = gapsim("explain", "--model", "model.mdl", "--until", 0, "--json", "--force", code=0).json["data"]
    assert (still["loops"], still["picture"]) == ([], None)


def test_periods_of_loops_are_dates_where_the_model_has_a_calendar(gapsim, tmp_path):
    path = model_of(tmp_path, MODELS["logistic"]).path
    path.write_text(path.read_text(encoding="utf-8").replace("~ Year ~", "~ Day ~"), encoding="utf-8")
    rows = "".join(f"2020-03-{day:02d},{9 + day}\n" for day in range(1, 22))
    (tmp_path / "seen.csv").write_text(f"date,P\n{rows}", encoding="utf-8")
    answer = gapsim("explain", "--model", path.name, "--data", "seen.csv", "--out", "drawn", "--json", code=0).json[
        "data"
    ]
    assert "2020-03-14 18:00–2020-03-21" in answer["loops"][0]
    assert "2020-03-14 18:00–2020-03-21: " in answer["sentence"]
    assert (tmp_path / "drawn.png").is_file()
    assert not (tmp_path / "drawn").exists()


def test_loops_of_a_region_are_explained_by_their_names(gapsim, small):
    answer = gapsim("explain", *small, "--region", "甘肃", "--until", 2026, "--lang", "zh", code=0)
    assert "技能与应用的阶梯" in answer.out
    assert "所列" in answer.out
