"""What one command says, and where it says it: data on standard output, everything else on standard error."""

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
from pysd_runner.text import said

SCHEMA_VERSION = 1


class Stage:
    """A stage of the work that is told how far it is, and stops between steps when that was asked for."""

    def __init__(self, session: "Session", shown: Bar | None = None) -> None:
        self._session, self._bar, self._last = session, shown, ""

    def advance(self, steps: int) -> None:
        """Count steps that were finished since the last call; without a terminal a line for each would be noise."""
        self._session.interruption.check()
        if self._bar is not None:
            self._bar.advance(steps)

    def at(self, what: str, done: int, total: int) -> None:
        """Say what is being done now, and how many steps of how many are finished."""
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
    quiet: bool = False  # whether standard error gets errors alone
    debug: bool = False  # whether a failure shows its traceback
    lang: str = "en"  # language of what is said
    data: Any = None  # what the JSON object holds under ``data``
    warnings: list[str] = field(default_factory=list)  # what a reader of the data should know
    stages: int = 0  # how many stages the work has where that is known; each then says its number
    begun: int = 0  # stages that were begun
    kept: list[str] = field(default_factory=list)  # finished work that an interruption leaves behind, one sentence each
    interruption: Interruption = field(default_factory=Interruption)  # asked between steps whether to stop

    def say(self, text: str = "") -> None:
        """Write a line of data for people; nothing with ``--json``."""
        if not self.as_json:
            write_line(self.said(text))

    def note(self, text: str) -> None:
        """Write a line about the work itself to standard error; nothing with ``--quiet``."""
        if not self.quiet:
            write_line(self.said(text), err=True)

    def warn(self, text: str) -> None:
        """Keep a warning for the JSON object, and write it to standard error; each once."""
        text = self.said(text)
        if text not in self.warnings:
            self.warnings.append(text)
            self.note(Message("warning: {said}", said=text))

    def said(self, text: str, names: Mapping[str, str] = NOTHING) -> str:
        """A message in the language of the reader, with names of variables; any other text stays."""
        return text if self.lang == "en" else said(text, self.lang, names)

    def close(self, error: dict[str, Any] | None = None) -> None:
        """Write the JSON object, if one is wanted."""
        if not self.as_json:
            return
        answer: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "data": self.data, "warnings": self.warnings}
        if error is not None:
            answer["error"] = error
        write_line(json.dumps(plain(answer), indent=2, ensure_ascii=not is_unicode(sys.stdout), allow_nan=False))

    @contextmanager
    def stage(self, title: str, total: int | None = None) -> Iterator[Stage]:
        """Show that a stage of the work runs, and how far it is."""
        # A bar with the remaining time when standard error is a terminal, otherwise a line when something new begins.
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
    """Turn a value into what JSON can hold.

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
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value
    return [plain(item) for item in value]


STANDARD_OUTPUT = "standard output"


def write_line(text: str, *, err: bool = False) -> None:
    """Write a line; when nobody reads any more, the work goes on in silence."""
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
    """Write what a stream holds back; whether that worked, or nobody reads it any more."""
    try:
        stream.flush()
    except OSError as error:
        silence(stream)
        return isinstance(error, BrokenPipeError)
    return True


def silence(stream: TextIO) -> None:
    """Send everything that is still written to a stream nowhere, so that closing it cannot fail either."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def is_unicode(stream: TextIO) -> bool:
    """Whether a stream can show every character."""
    return (stream.encoding or "").casefold().replace("-", "") == "utf8"


def never_refuse(stream: TextIO) -> None:
    """Write a question mark rather than stop where a terminal cannot show a character."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None and not is_unicode(stream):
        reconfigure(errors="replace")
