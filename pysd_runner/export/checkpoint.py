"""Finished work of a long computation, a sealed file a piece, so that a kill costs the piece at hand alone."""

import hashlib
import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.export.files import write_bytes_whole
from pysd_runner.export.records import read_record, write_record

Arrays = Mapping[str, NDArray[Any]]

SCHEMA = 2
SEAL = "seal"
# What reading a damaged archive may raise; `RuntimeError` for a cipher or a version that is none.
DAMAGES = (OSError, EOFError, RuntimeError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, kw_only=True, slots=True)
class Computation:
    """What is computed, the label of its folders, and the settings that tell one computation from another."""

    name: str
    label: str
    settings: str


class Checkpoint:
    """A folder of finished work, by name; one that is None keeps nothing."""

    # The digest is that of the data and the settings: a folder that belongs to another computation is refused.

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
            write_record(label, {"digest": digest}, schema=SCHEMA)
        remedy = Message("delete {folder} to start anew, or name another folder", folder=self._folder)
        content = read_record(label, schema=SCHEMA, what=Message("label of a {kind}", kind=kind.name), remedy=remedy)
        if content.get("digest") != digest:
            raise InvalidInput(
                "{folder} belongs to another {kind}: {settings} differ; name another folder, or delete this one to "
                "start anew",
                folder=self._folder,
                kind=kind.name,
                settings=kind.settings,
            )

    def _is_new(self, folder: Path) -> bool:
        """Whether nothing is there, or the label of another process that begins at this moment, under a hidden name."""
        if not folder.exists():
            return True
        return folder.is_dir() and all(path.name.startswith(f".{self._kind.label}.") for path in folder.iterdir())

    def get(self, what: str) -> dict[str, NDArray[Any]] | None:
        """Return the arrays kept under a name, None where there are none; a file that was changed is refused."""
        path = self._path(what)
        if path is None or not path.exists():
            return None
        try:
            # Read whole, because a file that is no archive would be left open.
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
        """Write arrays under a name."""
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
