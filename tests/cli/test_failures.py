"""Exit codes of everything that can go wrong inside a command, and what is said."""

import pytest
import typer

from pysd_runner.cli.command import command
from pysd_runner.core.errors import CalibrationFailed, GapsimError, InvalidPanel, SimulationFailed, UnknownName
from pysd_runner.export.files import write_text_whole


def failing(error):
    """An application whose only command raises an error."""

    def build():
        app = typer.Typer()

        @app.callback()
        def program():
            """Program."""

        def work(session):
            """Fail."""
            session.say("before")
            session.warn("look out")
            session.data = {"half": 1}
            raise error

        command("work", "gapsim work")(work).add_to(app)
        return app

    return build


@pytest.fixture
def run(monkeypatch, gapsim):
    def with_error(error, *arguments):
        from pysd_runner.cli import application

        monkeypatch.setattr(application, "application", failing(error))
        return gapsim("work", *arguments)

    return with_error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnknownName("no such thing"), 2),
        (InvalidPanel("bad rows"), 2),
        (CalibrationFailed("not flat"), 3),
        (SimulationFailed("not finite"), 4),
        (GapsimError("anything"), 1),
        (KeyboardInterrupt(), 130),
        (PermissionError(13, "Permission denied", "results"), 2),
        (OSError(28, "No space left on device"), 2),
        (MemoryError(), 2),
        (KeyError("oops"), 1),
        (AssertionError(), 1),
    ],
    ids=lambda part: type(part).__name__ if isinstance(part, BaseException) else "",
)
def test_every_failure_has_its_exit_code_and_no_traceback(run, error, code):
    answer = run(error)
    assert answer.code == code
    assert answer.out == "before\n"
    assert "Traceback" not in answer.err


def test_debug_shows_the_traceback(run):
    assert "Traceback" in run(KeyError("oops"), "--debug").err


def test_a_failure_says_what_and_what_to_do(run):
    assert "results: Permission denied" in run(PermissionError(13, "Permission denied", "results")).err
    answer = run(ZeroDivisionError("division by zero"))
    assert "this is a bug in gapsim: ZeroDivisionError: division by zero" in answer.err
    assert "gapsim doctor" in answer.err


def test_json_holds_what_was_found_before_the_failure(run):
    answer = run(CalibrationFailed("not flat"), "--json")
    assert answer.code == 3
    assert answer.json == {
        "schema_version": 1,
        "data": {"half": 1},
        "warnings": ["look out"],
        "error": {"kind": "CalibrationFailed", "message": "not flat", "exit_code": 3},
    }


def test_quiet_leaves_errors_and_data(run):
    answer = run(InvalidPanel("bad rows"), "--quiet")
    assert answer.err == "error: bad rows\n"
    assert answer.out == "before\n"


def test_a_terminal_that_knows_no_chinese_gets_question_marks(tmp_path):
    import subprocess
    import sys

    write_text_whole(
        tmp_path / "a.py", "from pysd_runner.cli import main; raise SystemExit(main(['list', 'access']))\n"
    )
    found = subprocess.run(
        [sys.executable, str(tmp_path / "a.py")],
        capture_output=True,
        check=False,
        env={"PYTHONIOENCODING": "latin-1", "PATH": "", "HOME": str(tmp_path)},
    )
    assert found.returncode == 0
    assert b"access (lever)" in found.stdout
