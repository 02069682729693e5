"""The code of the README runs as it stands, in an empty folder."""

import shlex
from pathlib import Path

import pytest

from pysd_runner.cli import main
from tests.documentation.four_regions import take_four_provinces
from tests.documentation.readme import ENGLISH, ROOT, commands, raw_blocks

DOCS = ROOT / "docs"


def test_the_quick_start_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Comments are all that differs between the two pages (test_both_languages), so running one runs both.
    (block,) = raw_blocks(ENGLISH, "python")
    assert len([line for line in block.splitlines() if line.strip() and line.strip()[0] != "#"]) <= 10
    monkeypatch.chdir(tmp_path)
    take_four_provinces(monkeypatch)
    exec(compile(block, str(ENGLISH), "exec"), {})  # noqa: S102
    assert "converged" in capsys.readouterr().out
    for ending in ("png", "svg", "csv", "txt"):
        assert (tmp_path / "figures" / f"gaps.{ending}").stat().st_size > 0
    caption = (tmp_path / "figures" / "gaps.txt").read_text(encoding="utf-8")
    assert "model parameters and the forecast without policy; not about" in caption


def test_the_command_lines_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.csv").write_text(raw_blocks(DOCS / "own_data.md", "text")[0], encoding="utf-8")
    (install, demo, brief), own, models = commands(ENGLISH)
    assert (install, demo) == ("uv tool install .", "gapsim demo")
    # `.ci/run` runs the demonstration, which takes minutes; any results will do for a page.
    quick = "gapsim run zoned_need --draws 2 --until 2027 --without forecast --out results/demo"
    for line in (*own, quick, brief):
        if line == quick:
            take_four_provinces(monkeypatch)
        assert main(shlex.split(line)[1:]) == 0, f"{line}\n{capsys.readouterr().err}"
    assert (tmp_path / "forecast" / "forecast.md").is_file()
    # The page runs them with their files.
    assert set(models) <= set("".join(raw_blocks(DOCS / "own_model.md", "sh")).splitlines())
