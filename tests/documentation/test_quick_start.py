"""The code of the README runs as it stands, in an empty folder."""

import importlib
import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from pysd_runner.cli import main
from tests.documentation.four_regions import take_four_provinces, take_four_regions
from tests.documentation.readme import CHINESE, ENGLISH, code_blocks, commands, raw_blocks


def test_the_quick_start_has_ten_lines() -> None:
    for path in (ENGLISH, CHINESE):
        (block,) = code_blocks(path, "python")
        assert len([line for line in block.splitlines() if line.strip()]) <= 10


# The shipped panel as a whole goes the same way in `.ci/run`, which runs the demonstration.
@pytest.fixture
def few_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first figure of each command alone."""
    from pysd_runner.reports import results

    every = results.figure_jobs
    monkeypatch.setattr(results, "figure_jobs", lambda *given, **named: every(*given, **named)[:1])
    monkeypatch.setattr(importlib.import_module("calibration.reporting"), "draw_fit", lambda *_, **__: iter(()))


def test_the_quick_start_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Comments are all that differs between the two pages (test_both_languages), so running one runs both.
    (block,) = raw_blocks(ENGLISH, "python")
    monkeypatch.chdir(tmp_path)
    take_four_provinces(monkeypatch)
    exec(compile(block, str(ENGLISH), "exec"), {})  # noqa: S102
    assert "converged" in capsys.readouterr().out
    for ending in ("png", "svg", "csv", "txt"):
        assert (tmp_path / "figures" / f"gaps.{ending}").stat().st_size > 0
    caption = (tmp_path / "figures" / "gaps.txt").read_text(encoding="utf-8")
    assert "model parameters and the forecast without policy; not about" in caption


def test_the_quick_start_is_python_in_both_languages() -> None:
    for path in (ENGLISH, CHINESE):
        compile(raw_blocks(path, "python")[0], str(path), "exec")


@pytest.mark.usefixtures("few_figures")
def test_the_command_lines_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    take_four_regions(monkeypatch)
    (tmp_path / "mine.csv").write_text(raw_blocks(ENGLISH, "csv")[0], encoding="utf-8")
    blocks = commands(ENGLISH)
    assert len(blocks) == 3
    for line in (line for block in blocks for line in block):
        program, *words = shlex.split(line)
        assert program == "gapsim"
        code = main(words)
        shown = capsys.readouterr()
        assert code == 0, f"{line}\n{shown.out}\n{shown.err}"
        assert "Traceback" not in shown.err
    assert (tmp_path / "forecast" / "forecast.md").is_file()
    for folder in (tmp_path / "results" / "need", tmp_path / "my_study" / "results"):
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        assert record["fitted"] is not None
        assert (folder / "summary.md").is_file()
        assert list((folder / "figures").glob("*.png"))


def test_the_mapping_of_the_readme_is_one(tmp_path: Path) -> None:
    from pysd_runner.data import load_data, load_mapping

    (text,) = raw_blocks(ENGLISH, "yaml")
    path = tmp_path / "mapping.yaml"
    path.write_text(text, encoding="utf-8")
    mapping = load_mapping(path)
    rows = [
        "region_code,region,group,year,variable,value,unit",
        "01,Alpha,STATE,2019,gdp_real,2.5,million constant 2017 US dollars",
        "01,Alpha,STATE,2019,gdp_nominal,2.6,million current US dollars",
        "01,Alpha,STATE,2019,population,50,persons",
        "00,Union,NATION,2019,gdp_real,2.5,million constant 2017 US dollars",
    ]
    file = tmp_path / "states.csv"
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    panel = load_data(file, roles=mapping, panel=True)
    assert len(panel.regions) == 1
    np.testing.assert_allclose(panel.array("output"), [[2.5e6]])
    shared = Path(__file__).resolve().parents[3] / "shared" / "data" / "us_states.csv"
    if shared.is_file():
        assert len(load_data(shared, roles=mapping, panel=True).regions) == 51
