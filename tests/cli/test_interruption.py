"""Ctrl-C: exit code 130, what was finished is kept, nothing is left half written."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from pysd_runner.spec import load_fitted
from pysd_runner.study.loading import load_future

PROGRAM = """
import sys
from calibration import Fit
from calibration.commands import steps
from calibration.fitting.fit import fit
from pysd_runner.cli import main
steps.PANEL = sys.argv[1]
found = Fit.load(sys.argv[2])
sys.modules[fit.__module__].fit = lambda *_, **__: found
steps.judged = lambda session, problem, found, *_, **__: found
steps.sampled = lambda session, problem, found, *_, **__: found
steps.alternatives = lambda *_, **__: {}
steps.draw = lambda *_, **__: None
sys.exit(main(sys.argv[3:]))
"""


def interrupt(small_panel, fit, arguments, seen, folder, times=1, kind=signal.SIGINT):
    """Run a command, send a signal when a line with a text appears on standard error, and wait."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(small_panel), str(fit), *map(str, arguments)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    said = ""
    for line in process.stderr:
        said += line
        if seen in line:
            for _ in range(times):
                process.send_signal(kind)
                time.sleep(0.02)
            break
    out, err = process.communicate(timeout=60)
    return process.returncode, out, said + err


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals work differently there")


def test_the_calibration_is_kept_when_the_projection_is_interrupted(small_panel, fit, tmp_path):
    arguments = ["demo", "--draws", 3000, "--until", 2060, "--out", "demo"]
    code, out, err = interrupt(small_panel, fit, arguments, "Projecting", tmp_path)
    assert code == 130, err
    assert out == ""
    assert "Traceback" not in err
    assert "Interrupted.\n  The calibration had finished and is kept in demo/fit" in err
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["fit"]
    assert load_fitted(tmp_path / "demo" / "fit" / "fitted.json").keys


def test_the_projection_is_kept_when_the_figures_are_interrupted(small, small_panel, tmp_path, capfd, monkeypatch):
    """In this process, between two figures, because figures are drawn too quickly to be met by a signal."""
    from pysd_runner.cli import main
    from pysd_runner.plots import figure as module

    def interrupted(*_):
        os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(module, "save_figure", interrupted)
        code = main(["run", "zoned_need", *small, "--draws", "2", "--until", "2026", "--out", str(tmp_path / "kept")])
    assert code == 130
    assert "The projection is kept in" in capfd.readouterr().err
    assert load_future(tmp_path / "kept").scenarios == ("baseline", "zoned_need")
    assert main(["plot", str(tmp_path / "kept"), "--kind", "gaps", "-q"]) == 0
    assert main(["run", str(tmp_path / "kept" / "run.json"), "-q"]) == 0


def test_an_interruption_that_a_callback_swallows_is_not_lost(gapsim, monkeypatch):
    """The interpreter drops exceptions raised in callbacks of C libraries."""
    from pysd_runner.cli.command import guarded
    from pysd_runner.cli.session import Session

    def work():
        with session.stage("Working") as stage:
            try:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(1)
            except KeyboardInterrupt:
                pass  # what a callback does
            stage.advance(1)
        return 0

    session = Session()
    before = signal.getsignal(signal.SIGINT)
    assert guarded(session, work) == 130
    assert signal.getsignal(signal.SIGINT) == before


@pytest.mark.parametrize("kind", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_nothing_is_left_when_nothing_was_finished(kind, small_panel, fit, tmp_path):
    panel = ["--data", small_panel]
    arguments = ["run", "zoned_need", *panel, "--draws", 3000, "--until", 2060, "--out", "some/where", "--json"]
    code, out, err = interrupt(small_panel, fit, arguments, "Projecting", tmp_path, kind=getattr(signal, kind))
    expected = 128 + getattr(signal, kind)
    assert code == expected, err
    assert json.loads(out)["error"]["exit_code"] == expected
    assert "Nothing had been finished; nothing was written." in err
    assert list(tmp_path.iterdir()) == []


def test_signals_that_the_caller_ignores_stay_ignored():
    from pysd_runner.core.progress import listening

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with listening():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_workers_end_with_a_back_test_that_is_killed(small_panel, tmp_path):
    """A kill cannot be handled by who gets it: the workers see that it is gone."""
    arguments = ["backtest", str(small_panel), "--forecaster", "arima", "--workers", "2", "--first-origin", "2021"]
    program = "import sys; from pysd_runner.cli import main\nif __name__ == '__main__': sys.exit(main(sys.argv[1:]))"
    (tmp_path / "program.py").write_text(program)
    process = subprocess.Popen([sys.executable, "program.py", *arguments], cwd=tmp_path, stderr=subprocess.PIPE)
    # They have the other end of this pipe: it is closed when the last of them is gone.
    for line in process.stderr:
        if b"points of" in line:
            break
    process.kill()
    process.wait(timeout=60)
    with process.stderr as stream:
        os.set_blocking(stream.fileno(), False)
        last = time.monotonic() + 30
        while stream.read() != b"" and time.monotonic() < last:
            time.sleep(0.1)
        assert stream.read() == b""


def test_an_interruption_before_a_command_begins_is_told_as_well(capsys, monkeypatch):
    from pysd_runner.cli import application, main

    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(application, "application", interrupted)
    assert main(["list", "--json"]) == 130
    said = capsys.readouterr()
    assert json.loads(said.out)["error"]["exit_code"] == 130
    assert said.err.startswith("Interrupted.")
