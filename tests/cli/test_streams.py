"""Standard output for data, standard error for the rest, and readers that go away."""

import io
import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from pysd_runner.cli.session import Session
from pysd_runner.core.progress import bar


def piped(*arguments, read):
    """Run a command whose reader takes one line and goes."""
    program = "import sys; from pysd_runner.cli import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    if read:
        process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    return process.wait(timeout=60), err


@pytest.mark.parametrize("command", [("list",), ("list", "schema")])
def test_a_reader_that_goes_away_is_no_failure(command):
    code, err = piped(*command, "-q", read=True)
    assert code == 0
    assert err == ""


def test_help_into_a_closed_pipe_is_quiet():
    _, err = piped("--help", read=False)
    assert err == ""


def test_progress_is_drawn_on_terminals_alone(capsys):
    session = Session()
    with session.stage("Working", total=2) as stage:
        stage.at("first half", 0, 2)
        stage.at("first half", 1, 2)
        stage.advance(1)
    assert capsys.readouterr().err.splitlines() == ["Working ...", "  first half (0 of 2 steps done)"]


def test_quiet_stages_say_nothing(capsys):
    with Session(quiet=True).stage("Working", total=1) as stage:
        stage.at("this", 1, 1)
    assert capsys.readouterr().err == ""


def test_the_bar_shows_what_is_done_and_how_long_is_left(monkeypatch):
    from rich.console import Console

    stream = io.StringIO()
    monkeypatch.setattr(
        "rich.console.Console", lambda **_: Console(file=stream, force_terminal=True, width=100, no_color=True)
    )
    with bar("Working", 4) as shown:
        shown.at("first half", 2, 4)
        shown.advance(1)
    text = stream.getvalue()
    assert "Working" in text
    assert "left" in text
    assert "100%" not in text


def test_a_warning_is_said_once(capsys):
    session = Session()
    session.warn("look out")
    session.warn("look out")
    assert capsys.readouterr().err == "warning: look out\n"
    assert session.warnings == ["look out"]


def test_warnings_of_the_packages_reach_the_reader_and_others_do_not(gapsim, results, monkeypatch):
    from pysd_runner.plots import MissingFont
    from pysd_runner.reports import figures

    every = figures.figure_jobs

    def warned(*given, **named):
        warnings.warn("no font for Chinese was found", MissingFont, stacklevel=1)
        warnings.warn("an array will change its mind", FutureWarning, stacklevel=1)
        return every(*given, **named)

    monkeypatch.setattr(figures, "figure_jobs", warned)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        answer = gapsim("plot", results, "--kind", "gaps", "--out", "x", "--json")
    assert answer.code == 0
    assert answer.json["warnings"] == ["no font for Chinese was found"]
    assert "change its mind" not in answer.err


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of folders are those of POSIX")
def test_a_cache_that_is_not_used_is_told(gapsim, tmp_path, monkeypatch):
    from pysd_runner.engine import cache as store

    (tmp_path / "cache" / "ir").mkdir(parents=True)
    (tmp_path / "cache" / "ir").chmod(0o777)
    monkeypatch.setenv("GAPSIM_CACHE", str(tmp_path / "cache"))
    store._warn_once.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        answer = gapsim("list", "q_a", "--json")
    assert answer.code == 0
    assert any("cache" in text and "others may write to it" in text for text in answer.json["warnings"])


FULL = Path("/dev/full")
with_full_disk = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")
START = [sys.executable, "-c", "import sys; from pysd_runner.cli import main; sys.exit(main(sys.argv[1:]))"]


@with_full_disk
@pytest.mark.parametrize(
    "arguments",
    [["list"], ["list", "--json"], ["--help"], ["--version"], ["list", "nonsense", "--json"], ["bogus", "--json"]],
)
def test_output_that_cannot_be_written_is_said_without_a_traceback(arguments):
    with FULL.open("w") as full:
        done = subprocess.run([*START, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "bug" not in done.stderr
    assert (
        "standard output: No space left on device" in done.stderr or "nonsense" in done.stderr or "bogus" in done.stderr
    )


@with_full_disk
def test_messages_that_cannot_be_written_stop_nothing():
    with FULL.open("w") as full:
        done = subprocess.run([*START, "list"], stdout=subprocess.PIPE, stderr=full, text=True, timeout=60)
    assert done.returncode == 0
    assert "baseline" in done.stdout


@with_full_disk
def test_results_are_written_before_anything_is_printed(small_panel, tmp_path):
    table, folder = tmp_path / "table.csv", tmp_path / "forecast"
    for arguments in (
        ["backtest", str(small_panel), "--forecaster", "persistence", "--out", str(table)],
        ["forecast", str(small_panel), "--forecaster", "persistence", "--without", "past", "--out", str(folder)],
    ):
        with FULL.open("w") as full:
            done = subprocess.run([*START, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
        assert done.returncode == 2
        assert "standard output: No space left on device; send it elsewhere" in done.stderr
    assert table.read_text().startswith("model,")
    assert (folder / "table.csv").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="streams are closed by a shell of another kind")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_streams_that_were_closed_before_the_start_are_no_bug(closed):
    line = " ".join([*(shlex.quote(word) for word in START), "list", "--json", "-q", closed])
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
