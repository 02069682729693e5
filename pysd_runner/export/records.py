"""Files with schema version and checksum (seal): JSON records, and checkpoints of finished work as arrays."""

import hashlib
import io
import json
import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput, Message, of_parser, of_system, suggest
from pysd_runner.core.json_schema import LEAVES, faults, quoted, schema_of
from pysd_runner.core.types import Record, Texts, frozen
from pysd_runner.export.files import write_bytes_whole, write_text_whole

SCHEMA, SEAL = "schema", "seal"
# Template and values of each message in a record, by its English sentence, so that it can be translated later.
MESSAGES = "messages"
_NUMBER: Record = {"type": "number"}
# Schemas of numbers, and of fields with years of a panel or times of a table, which may be fractional.
_LEAVES: Mapping[Any, Record] = {
    **LEAVES,
    float: {"anyOf": [_NUMBER, {"type": "null"}]},
    **dict.fromkeys(("first_year", "last_year"), _NUMBER),
    "year": {"type": "array", "items": _NUMBER},
}


def write_record(
    path: str | Path, content: Record, *, schema: int, allow_nan: bool = False, indent: int | None = 1
) -> Path:
    """Write a record atomically; raises `ValueError` or `TypeError` if it cannot be represented in JSON."""
    # In the form in which it will be read: keys are strings, tuples are lists.
    told = {str.__str__(item): _taken_apart(item) for item in _messages(content)}
    plain = json.loads(json.dumps({**content, **({MESSAGES: told} if told else {})}, allow_nan=allow_nan))
    sealed = {SCHEMA: schema, SEAL: seal_of(schema, plain), **plain}
    return write_text_whole(path, json.dumps(sealed, ensure_ascii=False, indent=indent) + "\n")


def read_record(path: str | Path, *, schema: int, what: str, remedy: str, earlier: str = "") -> dict[str, Any]:
    """Read a record without its schema and seal; `earlier` is the error message for earlier schemas."""
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(
            "{path}: the {what} cannot be read: {reason}; {remedy}",
            path=path,
            what=what,
            reason=of_system(error),
            remedy=remedy,
        ) from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            "{path} is not valid JSON: {error}; expected the {what}: {remedy}",
            path=path,
            error=of_parser(error),
            what=what,
            remedy=remedy,
        ) from error
    found = content.pop(SCHEMA, None) if isinstance(content, dict) else None
    if earlier and found in range(1, schema):
        raise InvalidInput("{where}: {said}", where=path, said=earlier)
    if found != schema or isinstance(found, bool):
        raise InvalidInput(
            "{path}: schema: this version reads the {what} of schema {schema}; {remedy}",
            path=path,
            what=what,
            schema=schema,
            remedy=remedy,
        )
    if content.pop(SEAL, None) != seal_of(schema, content):
        raise InvalidInput(
            "{path} is not as it was written: its content was changed afterwards, or an earlier version wrote it, "
            "which sealed nothing; {remedy}",
            path=path,
            remedy=remedy,
        )
    told = {text: _put_together(item) for text, item in content.pop(MESSAGES, {}).items()}
    return _with_messages(content, told)  # type: ignore[no-any-return]


def _messages(content: object) -> Iterator[Message]:
    """Yield all messages in plain data."""
    if isinstance(content, Message):
        yield content
    elif isinstance(content, Mapping):
        for item in content.values():
            yield from _messages(item)
    elif isinstance(content, list | tuple):
        for item in content:
            yield from _messages(item)


def _taken_apart(text: str) -> Any:
    if not isinstance(text, Message):
        return text
    return {"template": text.template, "values": {name: _taken_apart(item) for name, item in text.values.items()}}


def _put_together(kept: Any) -> str:
    if isinstance(kept, str):
        return kept
    return Message.restored(kept["template"], {name: _put_together(item) for name, item in kept["values"].items()})


def _with_messages(content: Any, told: Texts) -> Any:
    """Plain data in which English sentences are replaced by their messages."""
    if isinstance(content, str):
        return told.get(content, content)
    if isinstance(content, Mapping):
        return {key: _with_messages(item, told) for key, item in content.items()}
    return [_with_messages(item, told) for item in content] if isinstance(content, list) else content


def seal_of(schema: int, content: Record) -> str:
    """Digest of a record, independent of the formatting of its JSON text."""
    return hashlib.sha256(f"{schema} {json.dumps(content, sort_keys=True)}".encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Digest of a file, to be stored in a record."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_entries(
    kind: type, content: Record, where: str, remedy: str, *, without: tuple[str, ...] = (), is_open: bool = False
) -> None:
    """Validate a record against a data class; null stands for NaN, and extra entries need `is_open`."""
    schema = schema_of(kind, _LEAVES, without)
    for fault in faults(content, {**schema, "additionalProperties": {}} if is_open else schema):
        complaint = Message("expected {expected}; found {what}", expected=fault.expected, what=quoted(fault.found))
        if fault.rule == "required":
            complaint = Message("is missing")
        elif fault.rule == "additionalProperties":
            near = suggest(str(fault.found), fault.wanted)
            complaint = Message("unknown entry.{suggestion}", suggestion=near) if near else Message("unknown entry")
        raise InvalidInput(
            "{where}: {place}: {complaint}; {remedy}",
            where=where,
            place=".".join(map(str, fault.path)) or Message("the whole file"),
            complaint=complaint,
            remedy=remedy,
        )


def nan_to_null(value: Any) -> Any:
    """Replace NaN, which JSON lacks, by null (None); infinity is kept, so that JSON rejects it."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, Mapping):
        return {key: nan_to_null(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [nan_to_null(item) for item in value]
    return value


def null_to_nan(value: Any) -> Any:
    """Undo `nan_to_null`, and convert lists to tuples."""
    if value is None:
        return math.nan
    if isinstance(value, list):
        return tuple(null_to_nan(item) for item in value)
    if isinstance(value, dict):
        return {key: null_to_nan(item) for key, item in value.items()}
    return value


Arrays = Mapping[str, NDArray[Any]]

# Schema version of the label file of a checkpoint.
CHECKPOINT = 2
# Exceptions raised on reading a damaged archive; `RuntimeError` for an invalid encryption flag or version.
DAMAGES = (OSError, EOFError, RuntimeError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error)


@frozen
class Computation:
    """Kind of a computation: its name, the label file of its folders, and the settings that identify it, in words."""

    name: Message
    label: str
    settings: Message


class Checkpoint:
    """A folder with the arrays of finished stages of a computation by name; without a folder nothing is stored."""

    # `digest` is that of the data and settings: a folder of another computation is rejected.

    def __init__(self, kind: Computation, folder: str | Path | None, digest: str) -> None:
        self._kind, self._folder, self._digest = kind, None if folder is None else Path(folder), digest
        if self._folder is None:
            return
        label = self._folder / kind.label
        if not label.exists():
            if not self._is_new(self._folder):
                raise InvalidInput(
                    "{folder} is no checkpoint of a {kind}; name a new or an empty folder",
                    folder=self._folder,
                    kind=kind.name,
                )
            write_record(label, {"digest": digest}, schema=CHECKPOINT)
        remedy = Message("delete {folder} to start anew, or name another folder", folder=self._folder)
        content = read_record(
            label, schema=CHECKPOINT, what=Message("label of a {kind}", kind=kind.name), remedy=remedy
        )
        if content.get("digest") != digest:
            raise InvalidInput(
                "{folder} belongs to another {kind}: {settings} differ; name another folder, or delete this one to "
                "start anew",
                folder=self._folder,
                kind=kind.name,
                settings=kind.settings,
            )

    def _is_new(self, folder: Path) -> bool:
        """Whether a folder is missing or empty, apart from a hidden draft of the label by a process just starting."""
        if not folder.exists():
            return True
        return folder.is_dir() and all(path.name.startswith(f".{self._kind.label}.") for path in folder.iterdir())

    def get(self, what: str) -> dict[str, NDArray[Any]] | None:
        """Return the arrays stored under a name, None if there are none; raises an error if the file was changed."""
        path = self._path(what)
        if path is None or not path.exists():
            return None
        try:
            # Read into memory first, because NumPy leaves files open that are not archives.
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as content:
                found = {name: content[name] for name in content.files}
            intact = str(found.pop(SEAL)) == self._seal(what, found)
        except DAMAGES as error:
            raise InvalidInput(
                "{path} cannot be read: it is damaged; delete the file and start again", path=path
            ) from error
        if not intact:
            raise InvalidInput(
                "{path} is not what this {kind} wrote: it was changed, or belongs to another one or another part; "
                "delete the file and start again",
                path=path,
                kind=self._kind.name,
            )
        return found

    def keep(self, what: str, arrays: Arrays) -> None:
        """Store arrays under a name."""
        path = self._path(what)
        if path is None:
            return
        stream = io.BytesIO()
        np.savez(stream, allow_pickle=False, **{**arrays, SEAL: np.array(self._seal(what, arrays))})
        write_bytes_whole(path, stream.getvalue())

    def _seal(self, what: str, arrays: Arrays) -> str:
        """Digest of the computation, the name and the arrays."""
        seal = hashlib.blake2b(repr((self._digest, what, sorted(arrays))).encode(), digest_size=16)
        for name in sorted(arrays):
            array = np.ascontiguousarray(arrays[name])
            seal.update(f"{array.dtype.str} {array.shape}".encode())
            seal.update(array.tobytes())
        return seal.hexdigest()

    def _path(self, what: str) -> Path | None:
        return None if self._folder is None else self._folder / f"{what}.npz"
