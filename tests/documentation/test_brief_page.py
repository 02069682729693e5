"""The page about briefs: its commands and its code run, on four provinces and few draws."""

import runpy
import shlex
from pathlib import Path

import pytest

from pysd_runner.cli import main
from tests.documentation.four_regions import take_four_provinces
from tests.documentation.readme import ROOT, raw_blocks

PAGE = ROOT / "docs" / "brief.md"
QUICK = ("--draws", "3", "--until", "2031", "--without", "forecast")
ENDINGS = ("docx", "xlsx", "html")


def test_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    take_four_provinces(monkeypatch)
    monkeypatch.chdir(tmp_path)
    lines = [line for block in raw_blocks(PAGE, "sh") for line in block.splitlines()]
    first, make, again = (shlex.split(line)[1:] for line in lines)
    assert main([*make, *QUICK]) == 0, capsys.readouterr().err
    # The demonstration takes minutes; any results will do.
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "demo").symlink_to(tmp_path / "word" / "run")
    for words in (first, again):
        assert main(words) == 0, capsys.readouterr().err
    wanted = {"word": ("sichuan",), "sichuan": ("sichuan",), "chinese": ("gansu", "west", "nation")}
    for folder, stems in wanted.items():
        endings = ENDINGS[:1] if folder == "word" else ENDINGS
        made = {path.name for path in (tmp_path / folder).iterdir() if path.suffix[1:] in ENDINGS}
        assert made == {f"{stem}.{ending}" for stem in stems for ending in endings}
    (code,) = raw_blocks(PAGE, "python")
    (tmp_path / "code.py").write_text(code, encoding="utf-8")
    runpy.run_path(str(tmp_path / "code.py"))
    assert (tmp_path / "sichuan.docx").is_file()
