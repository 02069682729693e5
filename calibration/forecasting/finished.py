"""What a back-test has finished so far, an origin a file, so that a kill costs the origin at hand alone."""

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput
from pysd_runner.export.files import write_bytes_whole, write_text_whole

SCHEMA = 2
PLAN = "backtest.json"
SEAL = "seal"
# What reading a damaged archive may raise; `RuntimeError` for a cipher or a version that is none.
DAMAGES = (OSError, EOFError, RuntimeError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error)


def _is_draft(path: Path) -> bool:
    return path.name.startswith(f".{PLAN}.")


class Finished:
    """A folder of finished work.

    Parameters
    ----------
    folder
        Where; None keeps nothing.
    digest
        Of the data and the settings.

    Raises
    ------
    InvalidInput
        If the folder holds the work of another back-test.
    """

    def __init__(self, folder: str | Path | None, digest: str) -> None:
        self._folder, self._digest = None if folder is None else Path(folder), digest
        if self._folder is None:
            return
        label = self._folder / PLAN
        if not label.exists():
            # Another back-test may be writing its label at this moment, under a hidden name.
            if self._folder.exists() and (not self._folder.is_dir() or not all(map(_is_draft, self._folder.iterdir()))):
                raise InvalidInput(f"{self._folder} is no checkpoint of a back-test; name a new or an empty folder")
            write_text_whole(label, json.dumps({"schema": SCHEMA, "digest": digest}) + "\n")
        try:
            content = json.loads(label.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise InvalidInput(
                f"{label} cannot be read: it is damaged, or no label of a back-test; delete {self._folder} to start "
                "anew, or name another folder"
            ) from error
        if not isinstance(content, dict) or content.get("schema") != SCHEMA:
            raise InvalidInput(
                f"{label} is none of this version (schema {SCHEMA}); delete {self._folder} to start anew, or name "
                "another folder"
            )
        if content.get("digest") != digest:
            raise InvalidInput(
                f"{self._folder} belongs to another back-test: panel, forecasters, horizons, origins, draws or seed "
                "differ; name another folder, or delete this one to start anew"
            )

    def get(self, what: str) -> dict[str, NDArray[np.float64]] | None:
        """Return the arrays kept under a name, None where there are none.

        Raises
        ------
        InvalidInput
            If the file is not as this back-test wrote it under this name.
        """
        path = self._path(what)
        if path is None or not path.exists():
            return None
        try:
            # Read whole, because a file that is no archive would be left open.
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as content:
                found = {name: content[name] for name in content.files}
            intact = str(found.pop(SEAL)) == self._seal(what, found)
        except DAMAGES as error:
            raise InvalidInput(f"{path} cannot be read: it is damaged; delete the file and start again") from error
        if not intact:
            raise InvalidInput(
                f"{path} is not what this back-test wrote: it was changed, or belongs to another one or another year; "
                "delete the file and start again"
            )
        return found

    def keep(self, what: str, arrays: Mapping[str, NDArray[np.float64]]) -> None:
        """Write arrays under a name."""
        path = self._path(what)
        if path is None:
            return
        stream = io.BytesIO()
        np.savez(stream, allow_pickle=False, **{**arrays, SEAL: np.array(self._seal(what, arrays))})
        write_bytes_whole(path, stream.getvalue())

    def _seal(self, what: str, arrays: Mapping[str, NDArray[np.float64]]) -> str:
        """Digest of the back-test, the name and the arrays."""
        seal = hashlib.blake2b(repr((self._digest, what, sorted(arrays))).encode(), digest_size=16)
        for name in sorted(arrays):
            array = np.ascontiguousarray(arrays[name])
            seal.update(f"{array.dtype.str} {array.shape}".encode())
            seal.update(array.tobytes())
        return seal.hexdigest()

    def _path(self, what: str) -> Path | None:
        return None if self._folder is None else self._folder / f"{what}.npz"
