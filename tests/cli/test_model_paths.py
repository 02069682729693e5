"""``--model PATH`` takes a folder whose declarations have bindings wherever the shipped model goes."""

import json
from importlib import import_module
from pathlib import Path

import pytest

from pysd_runner.model import load_model
from tests.models.renamed import renamed_folder

TANK = """{UTF-8}
Level= INTEG(- Level * Rate, 1) ~ Dmnl ~ |
Rate= 0.1 ~ 1/Year ~ |
INITIAL TIME= 0 ~ Year ~ |
FINAL TIME= 10 ~ Year ~ |
TIME STEP= 1 ~ Year ~ |
SAVEPER= 1 ~ Year ~ |
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of the shipped folder in which every variable has another name."""
    place = tmp_path_factory.mktemp("models") / "mine"
    renamed_folder(place)
    return place


@pytest.fixture
def own(tmp_path):
    file = tmp_path / "tank.mdl"
    file.write_text(TANK, encoding="utf-8")
    return file


def record(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


@pytest.mark.slow
def test_from_a_fit_to_its_evaluation(gapsim, small, small_panel, folder, no_pictures, monkeypatch):
    quick = ("--starts", 1, "--without", "profiles,forecast", "--window", "2018:")
    made = gapsim("calibrate", small_panel, *small[2:], "--model", folder, *quick, "--out", "fit")
    assert made.code in (0, 3), made.err
    mine = load_model(folder)
    assert record("fit/fitted.json")["model_sha256"] == mine.sha256
    assert f"--model {folder}" in made.out

    run = ("run", "zoned_need", *small, "--fit", "fit", "--draws", 2, "--until", 2026, "--without", "forecast")
    assert "another version of the model" in gapsim(*run, "--out", "other").err
    gapsim(*run, "--model", folder / "model.mdl", "--out", "results", "--lang", "zh", code=0)
    assert record("results/run.json")["simulation"]["model_sha256"] == mine.sha256
    assert "identical to the recorded ones" in gapsim("run", "results/run.json").out

    asked = ("--forecaster", "filtered", "--fit", "fit", "--without", "past", "--until", 2026, "--draws", 20)
    assert "another version of the model" in gapsim("forecast", small_panel, *small[2:], *asked).err
    assert gapsim("forecast", small_panel, *small[2:], *asked, "--model", folder).code == 0

    evaluation = import_module("calibration.evaluation.evaluate")
    monkeypatch.setattr(evaluation, "_sections", lambda subject, *_: tuple(evaluation._observed(subject)))
    judged = gapsim("evaluate", "fit", *small, "--model", folder, "--until", 2026, "--quick", "--out", "report")
    assert judged.code in (0, 3), judged.err


def test_a_page_runs_the_model_of_a_folder(gapsim, small, folder):
    answer = gapsim(
        "explore", folder, *small, "--draws", 2, "--until", 2026, "--without", "forecast", "--out", "x.html", code=0
    )
    assert "open it in a browser" in answer.out
    call = f"gapsim run SCENARIO --model {folder} --data {small[1]} --draws 2 --until 2026"
    assert call in Path("x.html").read_text(encoding="utf-8")


def test_declarations_are_those_beside_the_file(gapsim, folder):
    mine = next(name for name, item in load_model(folder).variables.items() if item.doc.startswith("Output, every"))
    answer = gapsim("list", "output", "--model", folder, "--json")
    assert mine in answer.out
    for kind in ("outcomes", "scenarios", "levers"):
        assert gapsim("list", kind, "--model", folder).out == gapsim("list", kind).out
    assert gapsim("list", "schema", "--model", folder / "model.mdl").out == gapsim("list", "schema").out


def test_names_and_schema_of_a_model_without_bindings(gapsim, own):
    assert "Rate (variable)" in gapsim("list", "rate", "--model", own, code=0).out
    assert "properties" in gapsim("list", "schema", "--model", own, "--json", code=0).json["data"]["schema"]
    assert gapsim("list", "outcomes", "--model", own, code=0).out == "outcomes:\n"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (("calibrate", "china", "--model", "nowhere"), "no shipped model is called 'nowhere'"),
        (
            ("forecast", "x.csv", "--model", "tank.mdl", "--forecaster", "mean_reversion"),
            "--forecaster needs a model of regions",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(gapsim, own, line, text):
    answer = gapsim(*line, code=2)
    assert text in answer.err


def test_broken_bindings_are_told_by_every_command(gapsim, small_panel, folder, tmp_path):
    copy = tmp_path / "broken"
    copy.mkdir()
    for name in ("model.mdl", "model.toml"):
        (copy / name).write_bytes((folder / name).read_bytes())
    file = copy / "model.toml"
    file.write_text(file.read_text(encoding="utf-8").replace('shock_size = "shock_sd"\n', ""), encoding="utf-8")
    for line in (("backtest", small_panel), ("forecast", small_panel), ("list", "outcomes"), ("list", "schema")):
        answer = gapsim(*line, "--model", copy, code=2)
        assert "model.toml: bindings.parameters.shock_size: is missing" in answer.err
