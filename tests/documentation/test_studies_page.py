"""The page about published studies runs as it stands."""

import shlex
from pathlib import Path

import pytest

from pysd_runner.cli import main
from tests.documentation.readme import ROOT, raw_blocks, text_of

PAGE = ROOT / "docs" / "studies.md"
FILES = (
    "adoption.mdl",
    "survey.dat",
    "adoption.vpd",
    "adoption.voc",
    "base.out",
    "campaign.cin",
    "base.tab",
    "go.cmd",
)


def test_its_commands_run_and_answer_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, text in zip(FILES, raw_blocks(PAGE, "text"), strict=True):
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    said = []
    for line in raw_blocks(PAGE, "sh")[0].splitlines():
        program, *words = shlex.split(line)
        assert program == "gapsim"
        assert main(words) == 0, line
        said.append(" ".join(capfd.readouterr().out.split()))
    quoted = next(line for line in text_of(PAGE).splitlines() if line.startswith("> "))
    assert quoted.removeprefix("> ") in said[1]
    assert "raises the payoff. Payoff: -4.105723." in said[2]
    assert (tmp_path / "page.html").is_file()
    assert (tmp_path / "results" / "summary.html").is_file()


def test_the_chinese_page_has_the_same_files() -> None:
    assert raw_blocks(ROOT / "docs" / "zh" / "studies.md", "text") == raw_blocks(PAGE, "text")
