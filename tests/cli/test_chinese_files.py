"""With ``--lang zh`` every file that a command writes for people is Chinese, but for names, units and common terms.

For people are Markdown, text, pages with the pictures in them, pictures, Word files, workbooks and settings with their
comments. Columns and cells of CSV files, JSON and netCDF are read by programs and are the same in both languages. The
page of `explore` is drawn by its script from texts of both languages, which `tests/text/test_text.py` reads.
"""

import sys
from pathlib import Path

import pytest

from pysd_runner import load_data, load_model
from tests.cli.test_help import COMMANDS
from tests.english import TERMS, left_in_english, names_of
from tests.study.models import SIR, infections, made

EVENTS = ("Gansu closes 10% of its gap by 2026", "infected above 50 at 65")
REGIONAL = {
    "run": "zoned_need --data {panel} --fit {fit} --draws 2 --until 2026 --event {event}",
    "brief": "Gansu nation West --run run --format html,docx,xlsx",
    "explore": "run",
    "forecast": "{panel} --fit {fit} --draws 20 --until 2030 --event {event}",
    "backtest": "{panel} --draws 20 --forecaster persistence --horizon 1 --first-origin 2021",
    "evaluate": "{fit} --data {panel} --until 2026 --quick",
    "explain": "--data {panel} --region Gansu --until 2026",
    "plot": "run --kind tiles",
    "update": "{panel} new.csv --since run --region Gansu",
    "calibrate": "{panel} --starts 1 --without profiles,forecast",
    "init": "",
}
OWN = {
    "calibrate": "obs.csv --model mine.mdl --free Duration --starts 1 --sample 20",
    "data check": "obs.csv --model mine.mdl",
    "run": "a.yaml --model mine.mdl --fit calibrate --data obs.csv --draws 4",
    "forecast": "obs.csv --model mine.mdl --fit calibrate --until 65 --draws 20 --without past --event {event}",
    "evaluate": "--model mine.mdl --quick",
    "explore": "run",
    "explain": "--model mine.mdl",
    "plot": "run",
    "simulate": "mine.mdl --plot",
    "ensemble": "mine.mdl --bound Duration=1:5 --draws 4",
    "optimise": "--model mine.mdl --data obs.csv --fit calibrate --draws 4 --starts 1",
    "attribute": "a.yaml --model mine.mdl --data obs.csv --fit calibrate --draws 2",
    "init": "--model mine.mdl --data obs.csv",
}
LEVER = """schema = 2
[levers.spread]
constant = "Infectivity"
label = "传染率"
off = 0.1
upper = 0.2
[outcomes.Infected]
better = "higher"
label = "患病人数"
"""
# The file of the panel, a key and a unit of how it is read.
PANEL = ("panel", "regions", "million US dollars")
# Methods and layouts by their names in options and files, and units of files.
METHODS = ("euler", "wide", "utf", "kB", "persistence")
# How a file is called, where a command writes one.
FILES = {"explore": ".html", "backtest": ".csv", "explain": ".png", "simulate": ".csv", "ensemble": ".nc"}
# What these write is read where they are tried in earnest; what the others write is no text for people, and what `demo`
# writes is what `calibrate` and `run` write.
ELSEWHERE = {
    "attribute": "tests/cli/test_policies.py",
    "optimise": "tests/cli/test_policies.py",
    "evidence": "tests/reports/test_measured.py",
}
NO_TEXT = {"list", "describe", "schema", "doctor", "data", "data check", "simulate", "ensemble", "demo", "study"}


def written(gapsim, lines, **words):
    """Write with every command, each into a file or folder of its own name, and what the screens said."""
    said = []
    for command, line in lines.items():
        out = command.replace(" ", "_") + FILES.get(command, "")
        asked = [part.format(**words) for part in line.split()]
        place = [out] if command == "init" else ["--out", f"{out}.csv"] if command == "data check" else ["--out", out]
        answer = gapsim(*command.split(), *asked, *place, "--lang", "zh")
        assert answer.code in (0, 3, 4), answer.err
        said += [answer.out, answer.err]
    Path("screens.txt").write_text("\n".join(said), encoding="utf-8")


@pytest.fixture(autouse=True)
def quick(monkeypatch, no_pictures):
    import calibration.evaluation.evaluate  # noqa: F401

    monkeypatch.setattr(sys.modules["calibration.evaluation.evaluate"], "QUICK", 2)


def test_files_of_regions_are_chinese(gapsim, small_panel, fit, tmp_path):
    heading, *rows = small_panel.read_text(encoding="utf-8").splitlines()
    later = [row.replace(",2024,", ",2025,") for row in rows if ",2024," in row]
    Path("new.csv").write_text("\n".join([heading, *later]) + "\n", encoding="utf-8")
    written(gapsim, REGIONAL, panel=small_panel, fit=fit, event=EVENTS[0])
    names = names_of(load_model("regional_digital"), load_data("china"))
    left = left_in_english(tmp_path, {*names, *REGIONAL, *EVENTS, *PANEL, *METHODS})
    assert left == {}, left


def test_files_of_a_model_of_ones_own_are_chinese(gapsim, tmp_path):
    model = made(tmp_path, SIR, unit="day", stop=60)
    infections(model).by_time("infected").rename("infected").rename_axis("day").to_csv("obs.csv")
    (tmp_path / "a.yaml").write_text("changes: {Infectivity: 0.15}\n", encoding="utf-8")
    (tmp_path / "mine.toml").write_text(LEVER, encoding="utf-8")
    written(gapsim, OWN, event=EVENTS[1])
    names = names_of(model, load_data(tmp_path / "obs.csv"))
    documented = [item.doc.strip(".") for item in model.variables.values()]
    left = left_in_english(tmp_path, {*names, *documented, *OWN, *EVENTS, "mine", "obs", *METHODS})
    assert left == {}, left


def test_english_is_found_in_each_kind_of_file(tmp_path):
    (tmp_path / "a.md").write_text("模型 Stock of Things：`run.json` 与 GDPx")
    (tmp_path / "b.html").write_text("<p title='by hand'>中文</p><code>let it be</code><svg><text>late</text></svg>")
    (tmp_path / "c.yaml").write_text("# three words here\nkey: value\n")
    found = left_in_english(tmp_path, ["Stock of Things"])
    assert {name: set(words) for name, words in found.items()} == {
        "a.md": {"GDPx"},
        "b.html": {"late"},
        "c.yaml": {"three", "words", "here"},
    }


def test_every_command_that_writes_is_tried_for_both_kinds():
    assert len(TERMS) <= 40
    assert {*REGIONAL, *OWN, *ELSEWHERE, *NO_TEXT} >= set(COMMANDS)
    assert {
        name
        for name, place in ELSEWHERE.items()
        if "left_in_english" not in Path(__file__).parents[2].joinpath(place).read_text(encoding="utf-8")
    } == set()
