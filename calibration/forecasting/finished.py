"""What a back-test has finished so far, an origin a file, so that a kill costs the origin at hand alone."""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pysd_runner.errors import InvalidInput
from pysd_runner.export.files import write_bytes_whole, write_text_whole

SCHEMA = 1
PLAN = "backtest.json"


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
        self._folder = None if folder is None else Path(folder)
        if self._folder is None:
            return
        label = self._folder / PLAN
        if not label.exists():
            if self._folder.exists() and (not self._folder.is_dir() or any(self._folder.iterdir())):
                raise InvalidInput(f"{self._folder} is no checkpoint of a back-test; name a new or an empty folder")
            write_text_whole(label, json.dumps({"schema": SCHEMA, "digest": digest}) + "\n")
            return
        try:
            content = json.loads(label.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InvalidInput(f"{label} is no checkpoint of a back-test: {error}") from error
        if not isinstance(content, dict) or content.get("schema") != SCHEMA:
            raise InvalidInput(f"{label} is no checkpoint of a back-test: expected schema {SCHEMA}")
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
            If the file cannot be read.
        """
        path = self._path(what)
        if path is None or not path.exists():
            return None
        try:
            # Read whole, because a file that is no archive would be left open.
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as content:
                return {name: content[name] for name in content.files}
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
            raise InvalidInput(f"{path} cannot be read: {error}; delete the file") from error

    def keep(self, what: str, arrays: Mapping[str, NDArray[np.float64]]) -> None:
        """Write arrays under a name."""
        path = self._path(what)
        if path is None:
            return
        stream = io.BytesIO()
        np.savez(stream, allow_pickle=False, **arrays)
        write_bytes_whole(path, stream.getvalue())

    def _path(self, what: str) -> Path | None:
        return None if self._folder is None else self._folder / f"{what}.npz"
