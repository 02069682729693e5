"""Where the command line starts and ends."""

import json
import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TextIO

import typer

from pysd_runner.cli.failures import BAD_INPUT, INTERRUPTED
from pysd_runner.cli.session import SCHEMA_VERSION
from pysd_runner.cli.streams import STANDARD_OUTPUT, finish, never_refuse, silence, write_line
from pysd_runner.cli.usage import usage_message
from pysd_runner.core.errors import Message, joined
from pysd_runner.text import LANGUAGES, said

# The parser's own family of errors; its module moved between versions of typer, its children did not.
UsageError: Any = typer.BadParameter.__mro__[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments
        Words after the name of the program; None takes those of the process.

    Returns
    -------
    int
        Exit code: 0 ok, 1 a bug, 2 bad input, 3 diagnostics of a calibration failed (its result is written), 4 a
        simulation failed, 130 interrupted, 143 asked to end (SIGTERM), 129 without its terminal; finished work is kept.
    """
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    # A stream that was closed before the start is None, and its number would go to the next file that is opened.
    sys.stdout, sys.stderr = (stream or _nowhere() for stream in (sys.stdout, sys.stderr))
    for stream in (sys.stdout, sys.stderr):
        never_refuse(stream)
    code = _run(given)
    if not finish(sys.stdout):
        code = code or BAD_INPUT
    finish(sys.stderr)
    return code


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def _run(given: list[str]) -> int:
    try:
        return _answered(given)
    except OSError as error:
        # Help, version and usage are written outside of any command.
        silence(sys.stdout)
        write_line(
            Message("error: {standard_output}: {strerror}", standard_output=STANDARD_OUTPUT, strerror=error.strerror),
            err=True,
        )
        return BAD_INPUT


def _answered(given: list[str]) -> int:
    from pysd_runner.cli.application import application

    try:
        code = application()(given, prog_name="gapsim", standalone_mode=False)
    except UsageError as error:
        return _usage(error, _language(given), as_json="--json" in given)
    except (typer.Abort, KeyboardInterrupt):
        # Before the command began to listen.
        message = "Interrupted.\n  Nothing had been finished; nothing was written."
        write_line(message, err=True)
        if "--json" in given:
            _fail("KeyboardInterrupt", message, INTERRUPTED)
        return INTERRUPTED
    return code if isinstance(code, int) else 0


def _language(given: Sequence[str]) -> str:
    """Language asked for by words that could not be read."""
    asked = [word.removeprefix("--lang=") for word in given if word.startswith("--lang=")]
    asked += [after for word, after in pairwise(given) if word == "--lang"]
    return next((lang for lang in asked if lang in LANGUAGES), LANGUAGES[0])


def _usage(error: Any, lang: str, *, as_json: bool) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":  # a group without a command: its message is the help
        write_line(error.format_message(), err=True)
        return BAD_INPUT
    context = error.ctx
    path = context.command_path if context is not None else "gapsim"
    message = error.format_message().replace("Value error, ", "")
    told = Message("error: {said}", said=usage_message(message))
    advice = Message("`{command}` shows what it takes, with an example.", command=f"{path} --help")
    write_line(said(joined([told, advice], "\n  "), lang), err=True)
    if as_json:
        _fail("UsageError", message, BAD_INPUT)
    return BAD_INPUT


def _fail(kind: str, message: str, code: int) -> None:
    """Write the object of a command that never began."""
    failure = {"kind": kind, "message": message, "exit_code": code}
    answer: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "data": None, "warnings": [], "error": failure}
    write_line(json.dumps(answer, indent=2))
