"""Safe reading of untrusted YAML: limits of size and nesting are checked before objects are created."""

import io
from collections.abc import Callable
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, DocumentStartEvent, Event

from pysd_runner.core.errors import Message, of_system

LARGEST_FILE = 256 * 1024
MOST_EVENTS = 20_000
DEEPEST = 16

# Creates an error from a message, with optional `line`, `expected` and `remedy`.
Stop = Callable[..., Exception]


def reader() -> YAML:
    """Return a reader of YAML 1.2 that creates only plain values."""
    return YAML(typ="safe", pure=True)


def read_text(file: Path, stop: Stop) -> str:
    """Read a UTF-8 file; raise an error if it is too large or in another encoding."""
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise stop(Message("cannot be read ({reason})", reason=of_system(error))) from error
    if len(content) > LARGEST_FILE:
        raise stop(Message("the file is too large"), expected=Message("at most {size} kB", size=LARGEST_FILE // 1024))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise stop(Message("the file is not UTF-8"), line=line, remedy=Message("Save it as UTF-8.")) from error


def guard(text: str, stop: Stop) -> None:
    """Reject aliases, several documents, other YAML versions, and files that are too large or too deeply nested."""
    depth = documents = 0
    for count, event in enumerate(reader().parse(io.StringIO(text))):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        documents += isinstance(event, DocumentStartEvent)
        if depth > DEEPEST or count > MOST_EVENTS:
            line = event.start_mark.line + 1
            raise stop(Message("the file is nested too deeply or holds too many values"), line=line)
        _guard_event(event, documents, stop)


def _guard_event(event: Event, documents: int, stop: Stop) -> None:
    line = event.start_mark.line + 1
    if isinstance(event, AliasEvent):
        raise stop(
            Message("YAML aliases are not read"), line=line, remedy=Message("Write the values out, or use `extends`.")
        )
    if not isinstance(event, DocumentStartEvent):
        return
    if documents > 1:
        raise stop(Message("the file holds several YAML documents"), line=line, expected=Message("one document a file"))
    if event.version not in (None, (1, 2)):
        raise stop(Message("only YAML 1.2 is read"), line=line, remedy=Message("Remove the %YAML line."))
