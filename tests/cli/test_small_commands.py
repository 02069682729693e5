"""``init``, ``list``, ``plot`` and ``doctor``."""

import json
import re

import pandas as pd
import pytest

from pysd_runner.scenarios import shipped_scenarios

TEMPLATES = ["panel.csv", "panel.reading.toml", "regions.csv", "scenario.yaml"]


class TestInit:
    def test_what_it_writes_can_be_checked_and_run(self, gapsim):
        answer = gapsim("init", "study", code=0)
        assert answer.out.split() == [f"study/{name}" for name in TEMPLATES]
        for line in answer.err.splitlines():
            if line.strip().startswith("gapsim ") and "calibrate" not in line:
                words = line.replace("--fit study/fit", "--draws 2 --until 2025").split()[1:]
                assert gapsim(*words).code == 0, line

    def test_nothing_is_overwritten_unless_asked(self, gapsim, tmp_path):
        (tmp_path / "panel.reading.toml").write_text("mine")
        answer = gapsim("init", code=2)
        assert "panel.reading.toml exist already; nothing was written" in answer.err
        assert [path.name for path in tmp_path.iterdir()] == ["panel.reading.toml"]
        assert (tmp_path / "panel.reading.toml").read_text() == "mine"
        assert gapsim("init", "--force").code == 0
        assert (tmp_path / "panel.reading.toml").read_text() != "mine"

    def test_json(self, gapsim):
        assert gapsim("init", "study", "--json", "-q").json["data"]["files"] == [f"study/{name}" for name in TEMPLATES]


class TestEvidence:
    def test_pools_and_what_the_others_predict(self, gapsim):
        answer = gapsim("evidence", code=0)
        assert " measured effects, " in answer.out
        assert re.search(r"\n  all +15 +0\.18 \(0\.07…0\.29\) +-0\.21…0\.57 +10/10\n", answer.out)
        assert len(answer.out.splitlines()) < 60
        assert "实测效果" in gapsim("evidence", "--lang", "zh", code=0).out

    def test_tables_in_json_and_in_a_folder_with_the_page(self, gapsim, tmp_path, monkeypatch):
        monkeypatch.setattr("pysd_runner.evidence.findings.PRIOR_DRAWS", 10)
        monkeypatch.setattr("pysd_runner.evidence.findings.FOLLOWED", 3)
        data = gapsim("evidence", "--json", "--out", "ledger", code=0).json["data"]
        for name in ("effects", "costs", "levers", "pools", "leave_one_out"):
            assert len(pd.read_csv(tmp_path / "ledger" / f"{name}.csv")) == len(data[name]) > 5
        assert "No fit was given" in (tmp_path / "ledger" / "evidence.md").read_text("utf-8")

    def test_a_model_without_a_ledger(self, gapsim):
        assert "effects.csv: the ledger cannot be read" in gapsim("evidence", "mine.mdl", code=2).err


class TestList:
    def test_what_ships(self, gapsim):
        answer = gapsim("list", code=0)
        for name in ("regional_digital", "china", "zoned_need", "gap_to_leader"):
            assert f"\n  {name}" in answer.out

    @pytest.mark.parametrize("kind", ["levers", "classes", "parameters", "inputs", "measurements", "outcomes"])
    def test_declarations_with_units_and_both_languages(self, gapsim, kind):
        english, chinese = gapsim("list", kind), gapsim("list", kind, "--lang", "zh")
        assert english.code == chinese.code == 0
        assert english.out != chinese.out
        assert len(english.out.splitlines()) > 3

    def test_json(self, gapsim):
        data = gapsim("list", "scenarios", "--json").json["data"]
        assert [item["name"] for item in data["scenarios"]] == list(shipped_scenarios())
        assert all(item["en"] and item["zh"] for item in data["scenarios"])

    def test_a_parameter_shows_value_bounds_and_equation(self, gapsim):
        answer = gapsim("list", "q_a", code=0)
        for text in ("q_a (parameter)", "value: 0.35", "unit: 1/Year", "variable: Access Imitation Coefficient"):
            assert text in answer.out
        answer = gapsim("list", "q_a", "--lang", "zh", code=0)
        for text in ("q_a（参数）", "接入的模仿采用系数", "数值：0.35"):
            assert text in answer.out

    def test_one_name_can_mean_several_things(self, gapsim):
        data = gapsim("list", "access", "--json").json["data"]
        assert [item["kind"] for item in data] == ["outcome", "lever", "measurement"]

    @pytest.mark.parametrize("name", ["Access Imitation Coefficient", "access imitation coefficient", "q_a"])
    def test_key_and_name_in_the_model_mean_the_same(self, gapsim, name):
        assert gapsim("list", name).out == gapsim("list", "q_a").out

    def test_any_variable_of_the_model(self, gapsim):
        data = gapsim("list", "market connection", "--json").json["data"]
        assert data[0]["kind"] == "variable"
        assert "Access Imitation Coefficient" in data[0]["facts"]["equation"][0]

    def test_scenarios_panels_and_files(self, gapsim, tmp_path):
        assert "Budget: 0.3% of national output" in gapsim("list", "zoned_need").out
        assert "31 regions" in gapsim("list", "china").out
        assert "31 个地区" in gapsim("list", "china", "--lang", "zh").out
        (tmp_path / "mine.yaml").write_text("schema: 1\nname: own\npolicy: {budget: 0.01}\n")
        assert "own (scenario)" in gapsim("list", "mine.yaml").out

    def test_headings_are_in_the_language_asked_for(self, gapsim):
        heads = [line for line in gapsim("list", "--lang", "zh").out.splitlines() if not line.startswith(" ")]
        assert heads == ["模型：", "面板：", "情景：", "结果："]

    def test_the_schema_is_json_on_standard_output(self, gapsim):
        answer = gapsim("list", "schema", code=0)
        assert "policy" in json.loads(answer.out)["properties"]
        assert answer.err == ""

    @pytest.mark.parametrize(
        ("former", "now"), [("describe", "`gapsim list NAME`"), ("schema", "`gapsim list schema`")]
    )
    def test_former_commands_name_the_new_one(self, gapsim, former, now):
        answer = gapsim(former, "x", code=2)
        assert f"`gapsim {former}` is now {now}" in answer.err
        assert "现名" in gapsim(former, "--lang", "zh", code=2).err


class TestPlot:
    def test_chosen_figures_into_a_folder(self, gapsim, results, tmp_path):
        answer = gapsim("plot", results, "--kind", "gaps", "--kind", "tiles", "--out", "figures", code=0)
        assert answer.out.split() == ["figures/gaps_zoned_need.png", "figures/tiles_zoned_need.png"]
        assert len(list((tmp_path / "figures").iterdir())) == 8

    def test_a_file_of_the_results_names_them_too(self, gapsim, results):
        answer = gapsim("plot", results / "run.json", "--kind", "classes", "--out", "here", "--json", code=0)
        assert [name.rpartition(".")[2] for name in answer.json["data"]["files"]] == ["png", "svg", "csv", "txt"]

    def test_the_baseline_can_be_drawn_alone(self, gapsim, results):
        assert gapsim("plot", results, "--kind", "gaps", "--scenario", "baseline", "--out", "x").out == (
            "x/gaps_baseline.png\n"
        )

    def test_figures_are_those_of_the_run(self, gapsim, results, tmp_path):
        assert gapsim("plot", results, "--kind", "tiles", "--out", "again").code == 0
        for ending in ("png", "svg", "csv", "txt"):
            name = f"tiles_zoned_need.{ending}"
            assert (tmp_path / "again" / name).read_bytes() == (results / "figures" / name).read_bytes()


class TestDoctor:
    @pytest.mark.parametrize(("options", "engines"), [((), "numpy, llvm"), (("--pysd",), "numpy, llvm, pysd")])
    def test_all_is_well_here(self, gapsim, options, engines):
        answer = gapsim("doctor", *options, "--json", code=0)
        found = {item["subject"]: item for item in answer.json["data"]}
        assert {"python", "gapsim", "numpy", "pysd", "fonts for Chinese", "current folder", "engines"} <= set(found)
        assert found["engines"]["text"].startswith(f"{engines}: ")
        assert all(item["verdict"] != "error" for item in found.values())

    def test_what_is_broken_is_named_and_ends_with_1(self, gapsim, monkeypatch):
        from pysd_runner.cli import describe as installation

        monkeypatch.setattr(installation, "version", lambda name: missing(name) if name == "scipy" else "1")
        monkeypatch.setattr(installation, "_EXAMINATIONS", {"folder": lambda: fail()})
        answer = gapsim("doctor", code=1)
        assert "error   scipy               not installed; `python -m pip install scipy`" in answer.out
        assert "error   folder              OSError: read-only" in answer.out


def missing(name):
    from importlib.metadata import PackageNotFoundError

    raise PackageNotFoundError(name)


def fail():
    raise OSError("read-only")
