"""Output of one command: data on standard output, everything else on standard error."""

import json
import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import typer

from pysd_runner.core.errors import NOTHING, Message
from pysd_runner.core.progress import Bar, Interruption, bar
from pysd_runner.text import translated

SCHEMA_VERSION = 1


class Stage:
    """Stage of the work: shows progress, and stops between steps if an interruption was requested."""

    def __init__(self, session: "Session", shown: Bar | None = None) -> None:
        self._session, self._bar, self._last = session, shown, ""

    def advance(self, steps: int) -> None:
        """Advance by the number of steps finished since the last call; shown only at a terminal."""
        self._session.interruption.check()
        if self._bar is not None:
            self._bar.advance(steps)

    def at(self, what: str, done: int, total: int) -> None:
        """Show the current activity, and the number of finished steps and of all."""
        self._session.interruption.check()
        if self._bar is not None:
            self._bar.at(what, done, total)
        elif what != self._last:
            self._last = what
            self._session.note(Message("  {what} ({done} of {all} steps done)", what=what, done=done, all=total))


@dataclass(kw_only=True, slots=True)
class Session:
    """Standard output and standard error of one command."""

    as_json: bool = False  # whether standard output gets one JSON object instead of text
    quiet: bool = False  # whether standard error gets errors only
    debug: bool = False  # whether a failure shows its traceback
    lang: str = "en"  # language of the output
    data: Any = None  # value of ``data`` in the JSON object
    warnings: list[str] = field(default_factory=list)  # warnings in the JSON object
    stages: int = 0  # number of stages, if known; it is then shown in their titles
    begun: int = 0  # number of stages started
    kept: list[str] = field(default_factory=list)  # sentences on finished work that was saved
    interruption: Interruption = field(default_factory=Interruption)  # checked between steps

    def say(self, text: str = "") -> None:
        """Write a line to standard output; nothing with ``--json``."""
        if not self.as_json:
            write_line(self.said(text))

    def note(self, text: str) -> None:
        """Write a line about the progress of the work to standard error; nothing with ``--quiet``."""
        if not self.quiet:
            write_line(self.said(text), err=True)

    def warn(self, text: str) -> None:
        """Store a warning for the JSON object, and write it to standard error, unless it is a repeat."""
        text = self.said(text)
        if text not in self.warnings:
            self.warnings.append(text)
            self.note(Message("warning: {said}", said=text))

    def said(self, text: str, names: Mapping[str, str] = NOTHING) -> str:
        """Translate a message or the name of a variable to the session's language; other text is unchanged."""
        return text if self.lang == "en" else translated(text, self.lang, names)

    def close(self, error: dict[str, Any] | None = None) -> None:
        """Write the JSON object, if ``--json`` was given."""
        if not self.as_json:
            return
        answer: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "data": self.data, "warnings": self.warnings}
        if error is not None:
            answer["error"] = error
        write_line(json.dumps(plain(answer), indent=2, ensure_ascii=not is_unicode(sys.stdout), allow_nan=False))

    @contextmanager
    def stage(self, title: str, total: int | None = None) -> Iterator[Stage]:
        """Show a stage of the work and its progress."""
        # A bar with the remaining time if standard error is a terminal, otherwise a line for each new activity.
        self.begun += 1
        if self.stages:
            number = f"[{self.begun}/{max(self.stages, self.begun)}]"
            title = Message("{number} {title}", number=number, title=title)
        if self.quiet or not sys.stderr.isatty():
            self.note(Message("{title} ...", title=title))
            yield Stage(self)
        else:
            with bar(self.said(title), total) as shown:
                yield Stage(self, shown)
        self.interruption.check()


def plain(value: Any) -> Any:
    """Convert a value to types that JSON supports.

    >>> plain({"gap": float("nan"), "file": Path("a.csv"), "years": (2025, 2030)})
    {'gap': None, 'file': 'a.csv', 'years': [2025, 2030]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, str | bool) or value is None:
        return value
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # arrays and numbers of NumPy, without importing it here
        return plain(value.tolist())
    if hasattr(value, "to_records"):  # tables, by row with the names of their index
        return plain(value.reset_index().to_dict("records"))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value
    if hasattr(value, "isoformat"):
        return str(value).removesuffix(" 00:00:00")
    return [plain(item) for item in value]


STANDARD_OUTPUT = "standard output"


def write_line(text: str, *, err: bool = False) -> None:
    """Write a line; after the output pipe was closed, continue without output."""
    stream = sys.stderr if err else sys.stdout
    try:
        typer.echo(text, err=err)
    except BrokenPipeError:
        silence(stream)
    except OSError as error:
        silence(stream)
        if not err:
            error.filename = STANDARD_OUTPUT
            raise


def finish(stream: TextIO) -> bool:
    """Flush a stream; return whether this worked or the output pipe was closed."""
    try:
        stream.flush()
    except OSError as error:
        silence(stream)
        return isinstance(error, BrokenPipeError)
    return True


def silence(stream: TextIO) -> None:
    """Redirect a stream to the null device, so that writing and closing cannot fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def is_unicode(stream: TextIO) -> bool:
    """Whether a stream can show every character."""
    return (stream.encoding or "").casefold().replace("-", "") == "utf8"


def never_refuse(stream: TextIO) -> None:
    """Let a stream write a question mark for characters that it cannot encode, instead of raising an error."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None and not is_unicode(stream):
        reconfigure(errors="replace")
