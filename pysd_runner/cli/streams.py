"""Standard output and standard error: what a terminal cannot show, and readers that go away."""

import os
import sys
from typing import TextIO

import typer


def write_line(text: str, *, err: bool = False) -> None:
    """Write a line; when nobody reads any more, the work goes on in silence.

    Parameters
    ----------
    text
        The line.
    err
        Whether it goes to standard error.
    """
    try:
        typer.echo(text, err=err)
    except BrokenPipeError:
        silence(sys.stderr if err else sys.stdout)


def silence(stream: TextIO) -> None:
    """Send everything that is still written to a stream nowhere, so that closing it cannot fail either.

    Parameters
    ----------
    stream
        A stream whose reader has gone.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def is_unicode(stream: TextIO) -> bool:
    """Whether a stream can show every character."""
    return (stream.encoding or "").casefold().replace("-", "") == "utf8"


def never_refuse(stream: TextIO) -> None:
    """Write a question mark rather than stop where a terminal cannot show a character.

    Parameters
    ----------
    stream
        Standard output or standard error.
    """
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None and not is_unicode(stream):
        reconfigure(errors="replace")
