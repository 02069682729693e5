"""Standard output and standard error: what a terminal cannot show, and readers that go away."""

import os
import sys
from typing import TextIO

import typer

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
