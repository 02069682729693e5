"""Every way to get it wrong: the exit code, and a message that says what to do."""

import json

import pytest

BAD = [
    (["nosuch"], "No such command 'nosuch'"),
    (["rum"], "Did you mean 'run'?"),
    (["run"], "Missing argument"),
    (["run", "zoned_ned"], "Did you mean 'zoned_need'?"),
    (["run", "nosuch.yaml"], "there is no scenario file 'nosuch.yaml'"),
    (["run", "zoned", "--data", "nosuch.csv"], "no file and no shipped panel is called 'nosuch.csv'"),
    (["run", "zoned", "--until", "2020"], "until must lie after the origin"),
    (["run", "zoned", "--draws", "0"], "'--draws': Input should be greater than or equal to 1"),
    (["run", "zoned", "--draws", "many"], "'--draws': Input should be a valid integer"),
    (["run", "zoned", "--seed", "-1"], "'--seed'"),
    (["run", "zoned", "--lang", "fr"], "'fr' is not one of 'en', 'zh'"),
    (["run", "zoned", "--fit", "nosuch"], "nosuch: there is no such file or folder"),
    (["run", "zoned", "--out", "notes"], "notes holds files that were not written by gapsim"),
    (["run", "zoned", "--out", "notes/plan.txt"], "notes/plan.txt is a file; results go into a folder"),
    (["data", "check", "china", "--map", "nosign"], "expected two names with = between them, as in --map Jahr=year"),
    (["run", "broken.yaml"], "broken.yaml:3"),
    (["run", "old.json"], "old.json: schema: this version reads the record of a projection"),
    (["calibrate", "nosuch"], "no file and no shipped panel is called 'nosuch'"),
    (["calibrate", "china", "--window", "2050:"], "start 2050"),
    (["calibrate", "china", "--starts", "0"], "'--starts': Input should be greater than or equal to 1"),
    (["demo", "--draws", "-3"], "'--draws'"),
    (["data"], "Commands:\n  check"),
    (["data", "check"], "Missing argument"),
    (["data", "check", "nosuch.csv"], "no file and no shipped panel is called 'nosuch.csv'"),
    (["data", "check", "notes"], "'notes' is a folder"),
    (["data", "check", "china", "--mapping", "nosuch.yaml"], "there is no mapping file 'nosuch.yaml'"),
    (["data", "check", "china", "--map", "=year"], "expected two names with ="),
    (["list", "scenario"], "Did you mean 'scenarios'?"),
    (["list", "--model", "nosuch"], "no shipped model is called 'nosuch'"),
    (["list", "zoned_ned"], "Did you mean 'zoned_need'?"),
    (["list", "Acess Share"], "Did you mean 'Access Share'?"),
    (["list", "schema", "--model", "nosuch"], "no shipped model is called 'nosuch'"),
    (["plot", "nosuch"], "there is no folder 'nosuch'"),
    (["init", "notes/plan.txt"], "notes/plan.txt"),
]

# Commands that take years of a panel, and those options.
OF_YEARS = [
    *((name, "zoned_need", "--until") for name in ("run", "attribute")),
    ("brief", "Gansu", "--until"),
    *((name, "--until") for name in ("optimise", "explore", "demo", "forecast", "evaluate")),
]


@pytest.fixture
def wrong_files(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "plan.txt").write_text("not ours\n")
    (tmp_path / "broken.yaml").write_text("schema: 1\npolicy:\n  bugdet: 0.1\n")
    (tmp_path / "old.json").write_text('{"settings": {}, "scenarios": [], "simulation": {}}')


@pytest.mark.parametrize(
    ("arguments", "message"), BAD, ids=lambda part: " ".join(part) if isinstance(part, list) else ""
)
def test_bad_input_ends_with_2_and_says_what_to_do(gapsim, wrong_files, tmp_path, arguments, message):
    before = sorted(tmp_path.rglob("*"))
    answer = gapsim(*arguments, code=2)
    assert message in answer.err
    assert answer.out == ""
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("command", OF_YEARS, ids=" ".join)
@pytest.mark.parametrize("year", ["2030.5", "nan", "inf"])
def test_times_of_a_panel_are_whole_years(gapsim, command, year):
    assert f"must be a whole number; found {year}\n" in gapsim(*command, year, code=2).err


@pytest.mark.parametrize("command", ["calibrate", "backtest"])
@pytest.mark.parametrize("window", ["2030.5:", ":inf", ":nan", "nan:2020"])
def test_the_window_of_a_panel_is_of_whole_years(gapsim, command, window):
    assert (
        f"must be a whole number; found {window.strip(':').partition(':')[0]}\n"
        in gapsim(command, "china", "--window", window, code=2).err
    )


@pytest.mark.parametrize(
    "command", ["run plan.yaml", "explore own.mdl", "calibrate obs.csv", "forecast obs.csv", "backtest obs.csv"]
)
@pytest.mark.parametrize("time", ["nan", "inf"])
def test_times_of_other_models_are_finite(gapsim, tmp_path, command, time):
    (tmp_path / "own.mdl").write_text("a = 1 ~~|")
    name, item = command.split()
    model = [] if item == "own.mdl" else ["--model", "own.mdl"]
    asked = ["--window", f":{time}"] if name in ("calibrate", "backtest") else ["--until", time]
    assert f"until must be finite; found {time}\n" in gapsim(name, item, *model, *asked, code=2).err


def test_options_of_a_replay_are_refused_rather_than_ignored(gapsim, results):
    answer = gapsim("run", results / "run.json", "--draws", 5, "--until", 2030, code=2)
    assert "leave --until, --draws away" in answer.err
    assert gapsim("run", results / "run.json", "zoned").code == 2


def test_earlier_results_are_only_replaced_when_asked(gapsim, results):
    answer = gapsim("run", "zoned", "--out", results, code=2)
    assert "holds earlier results" in answer.err
    assert "--force" in answer.err


def test_unknown_parts_of_results(gapsim, results):
    assert "no figure is of kind 'pie'" in gapsim("plot", results, "--kind", "pie").err
    answer = gapsim("plot", results, "--scenario", "zoned_ned", code=2)
    assert "Did you mean 'zoned_need'?" in answer.err


def test_usage_errors_answer_programs_too(gapsim):
    answer = gapsim("run", "zoned", "--draws", 0, "--json", code=2)
    assert answer.json["data"] is None
    assert answer.json["error"]["kind"] == "UsageError"


@pytest.mark.parametrize(
    "words", [("run", "zoned_neeed"), ("attribute", "zoned_neeed"), ("brief", "Sichuan", "--mix", "zoned_neeed")]
)
def test_a_misspelt_scenario_is_refused_before_any_data_are_read(gapsim, monkeypatch, words):
    def read(*_, **__):
        raise AssertionError("the data were read first")

    monkeypatch.setattr("pysd_runner.cli.data_options.DataChoice.read", read)
    assert "zoned_need" in gapsim(*words, code=2).err


@pytest.mark.parametrize(
    "words", [("brief", "Sichaun"), ("explain", "--region", "Ganssu"), ("run", "zoned_need", "--region", "Ganssu")]
)
def test_a_misspelt_region_is_refused_before_a_model_is_loaded(gapsim, monkeypatch, words):
    def load(*_, **__):
        raise AssertionError("the model was loaded first")

    monkeypatch.setattr("pysd_runner.cli.data_options.DataChoice.load_model", load)
    assert "the panel has no region" in gapsim(*words, code=2).err


def test_a_region_that_results_lack_is_refused_before_they_are_loaded(gapsim, monkeypatch, tmp_path):
    def load(*_, **__):
        raise AssertionError("the results were loaded first")

    region = {"code": "510000", "name_en": "Sichuan", "name_zh": "四川", "group": "West"}
    (tmp_path / "data.json").write_text(json.dumps({"entities": {"region": [region]}}), encoding="utf-8")
    monkeypatch.setattr("pysd_runner.study.loading.load_future", load)
    assert "四川" in gapsim("brief", "四穿", "--run", tmp_path, "--out", tmp_path / "b", code=2).err
