"""Size-limited disk cache of lowered models and compiled code, shared by processes; its errors never stop a run."""

import contextlib
import hashlib
import json
import os
import stat
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, field
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pysd_runner.engine import serial
from pysd_runner.engine.errors import InvalidInput, InvalidModel, Message, UnsupportedFeature
from pysd_runner.engine.frontend.source import identify, reads_outside, with_sets
from pysd_runner.engine.frontend.syntax import DEFAULT, Budgets
from pysd_runner.engine.ir import ModelIr
from pysd_runner.engine.kinds import frozen

Kind = Literal["ir", "object"]

# Environment variable with the cache folder; an empty value or "off" disables caching.
VARIABLE = "GAPSIM_CACHE"

# Maximum size of each cache in bytes. A lowered model takes about 0.1 MB, a compiled one 0.01 to 0.1 MB.
LIMITS: dict[Kind, int] = {"ir": 100_000_000, "object": 200_000_000}

_MAGIC = b"gapsim cache 1\n"
_LENGTH = 8
_HEADER = len(_MAGIC) + _LENGTH + hashlib.sha256().digest_size
_HEXADECIMAL = frozenset("0123456789abcdef")


class CacheNotUsed(RuntimeWarning):
    """The cache folder cannot be trusted and is not used; models are read and compiled again in every session."""


class Store:
    """Byte strings by key in one folder; the least recently used are removed first when the folder is full."""

    # A file is written under a temporary name, then renamed, so that readers find a complete entry or none. A damaged
    # entry, a folder that cannot be written to and a full disk are treated as an empty cache.

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit = limit_bytes

    def get(self, key: str) -> bytes | None:
        """The bytes last stored under a key; None if there are none."""
        path = self._folder / _checked(key)
        try:
            data = _opened(key, path.read_bytes()) if self._usable() else None
            if data is not None:
                _touch(path)
        except OSError:
            return None
        return data

    def put(self, key: str, data: bytes) -> None:
        """Store bytes under a key; does nothing if they cannot be written."""
        path = self._folder / _checked(key)
        entry = _sealed(key, data)
        if len(entry) > self._limit:
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._usable():
                _write_whole(path, entry)
                self._make_room(path)
        except OSError:
            return

    def _usable(self) -> bool:
        if not self._folder.is_dir():
            return False
        fault = _fault(self._folder)
        if fault:
            told = Message(
                "the cache folder {folder} is not used: {fault}; {variable} can name another folder",
                folder=self._folder,
                fault=fault,
                variable=VARIABLE,
            )
            _warn_once(told)
        return not fault

    def _make_room(self, newest: Path) -> None:
        """Remove the least recently used entries, but never the newest, until the folder is within its size limit."""
        entries = []
        with os.scandir(self._folder) as found:
            for item in found:
                try:
                    state = item.stat(follow_symlinks=False)
                except FileNotFoundError:
                    # Another process has removed the entry meanwhile.
                    continue
                if stat.S_ISREG(state.st_mode):
                    entries.append((item.name == newest.name, state.st_mtime_ns, item.name, state.st_size))
        size = sum(entry[-1] for entry in entries)
        for _, _, name, length in sorted(entries)[:-1]:
            if size <= self._limit:
                return
            (self._folder / name).unlink(missing_ok=True)
            size -= length


def default_store(kind: Kind) -> Store | None:
    """The store in the user's cache folder, or in the folder given by the environment variable ``GAPSIM_CACHE``."""
    named = os.environ.get(VARIABLE)
    if named is not None and named.strip().lower() in ("", "off"):
        return None
    root = _user_folder() if named is None else _expanded(named)
    return None if root is None else Store(root / kind, LIMITS[kind])


def _expanded(named: str) -> Path | None:
    """Expand ``~`` to the user's home folder, as a shell does; None if the home folder is unknown."""
    try:
        return Path(named.strip()).expanduser()
    except RuntimeError:
        return None


@lru_cache(maxsize=1)
def _user_folder() -> Path | None:
    import platformdirs

    try:
        found = platformdirs.user_cache_path("gapsim", appauthor=False)
    except RuntimeError:
        return None
    # If there is no home folder, some releases return a relative path, but the working folder must not be written to.
    return found if found.is_absolute() else None


@lru_cache(maxsize=16)
def code_digest(folder: Path = Path(__file__).parent) -> str:
    """Digest of the modules and grammars in a folder, used as part of a cache key."""
    # Entries made by different code are then never reused, even if the version of the package is the same.
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".py", ".lark")):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()} {len(data)}\n".encode() + data)
    return digest.hexdigest()


def _checked(key: str) -> str:
    if not 16 <= len(key) <= 128 or not _HEXADECIMAL.issuperset(key):
        raise InvalidInput("a key of the cache is a hexadecimal digest; found {key!r}", key=key)
    return key


def _sealed(key: str, data: bytes) -> bytes:
    return _MAGIC + len(data).to_bytes(_LENGTH, "little") + _mark(key, data) + data


def _opened(key: str, entry: bytes) -> bytes | None:
    """Data of an entry; None if the entry is incomplete or belongs to another key."""
    data = entry[_HEADER:]
    whole = entry[:_HEADER] == _MAGIC + len(data).to_bytes(_LENGTH, "little") + _mark(key, data)
    return data if whole else None


def _mark(key: str, data: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\n" + data).digest()


def _touch(path: Path) -> None:
    """Record the use of an entry: its modification time is used as the time of its last use."""
    with contextlib.suppress(OSError):
        # A read-only folder can still be read from.
        os.utime(path)


def _write_whole(path: Path, entry: bytes) -> None:
    import tempfile

    handle, name = tempfile.mkstemp(dir=path.parent, prefix="writing-")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(entry)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _fault(folder: Path) -> str:
    """Reason why the contents of a cache folder cannot be trusted; empty if they can."""
    if sys.platform == "win32":
        return ""
    state = folder.stat()
    if state.st_uid != os.geteuid():
        return Message("it belongs to another user")
    if state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return Message("others may write to it (chmod 700 mends that)")
    for parent in folder.resolve().parents:
        mode = parent.stat().st_mode
        # A user who may rename the folder can replace it by another; the sticky bit, as on /tmp, prevents that.
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            return Message("others may write to {parent}", parent=parent)
    return ""


@lru_cache(maxsize=16)
def _warn_once(message: str) -> None:
    warnings.warn(message, CacheNotUsed, stacklevel=4)


@frozen
class ModelFile:
    """A model file on disk as it was when it was lowered."""

    path: Path
    sha256: str  # hash of its bytes
    files: Mapping[str, Path] = field(default_factory=dict)  # data files by their names in the model

    @property
    def name(self) -> str:
        """File name, as shown in messages."""
        return self.path.name

    def check_unchanged(self, model: ModelIr) -> None:
        """Raise `InvalidModel` if the file or one of its data files has changed since it was lowered."""
        changed = [self.path] if _digest(self.path) != self.sha256 else []
        if changed := changed + changed_files(model, self.path.parent):
            raise InvalidModel("{file} has changed since the model was loaded; load the model again", file=changed[0])


@frozen
class LoweredFile:
    """The result of lowering a model file."""

    path: Path
    sha256: str  # hash of its bytes
    model: ModelIr | None  # the intermediate representation; None if the model uses an unsupported feature
    unassigned: str = ""  # why it could not be lowered at all, empty otherwise
    files: Mapping[str, Path] = field(default_factory=dict)  # its data files by their names in it, and its data sets


def load_lowered(
    path: str | Path,
    elements: Mapping[str, Sequence[str] | None],
    files: Mapping[str, Path] | None = None,
    budgets: Budgets = DEFAULT,
    changes: Sequence[tuple[str, str]] = (),
    data: Sequence[Path] = (),
) -> LoweredFile:
    """Lower a model file to its intermediate representation, or load it from the cache.

    Parameters
    ----------
    path
        The file.
    elements
        Elements that replace those of some of its subscript ranges; None takes them from the data sets.
    files
        Data files by their names in the model.
    budgets
        Limits on the size of the model that the file describes.
    changes
        Equations that replace some of the file, in order, each with the file and line it is from.
    data
        Data sets, the last of which that has a series counts.
    """
    path, sha256 = identify(path)
    files = with_sets(files or {}, data)
    store = default_store("ir")
    # All inputs of lowering except data files; the path, because messages of a model contain it.
    decisive = [
        str(path),
        sha256,
        {name: items and list(items) for name, items in elements.items()},
        {name: str(file) for name, file in files.items()},
        asdict(budgets),
        *map(list, changes),
        reads_outside(),
        code_digest(),
    ]
    key = hashlib.sha256(json.dumps(decisive).encode()).hexdigest()
    cached = None if store is None else store.get(key)
    model = None if cached is None else _unchanged(cached, path.parent)
    if model is not None:
        return LoweredFile(path, sha256, model, files=files)
    try:
        model = _lowered(path, elements, files, budgets, changes)
    except UnsupportedFeature as error:
        return LoweredFile(path, sha256, None, str(error), files)
    # A file that changed meanwhile must not be cached under the hash of its earlier contents.
    if store is not None and _same_files(model, path.parent) and _digest(path) == sha256:
        store.put(key, serial.dumps(model))
    return LoweredFile(path, sha256, model, files=files)


def _lowered(
    path: Path,
    elements: Mapping[str, Sequence[str] | None],
    files: Mapping[str, Path],
    budgets: Budgets,
    changes: Sequence[tuple[str, str]],
) -> ModelIr:
    # Imported here because a model from the cache needs none of this.
    from pysd_runner.engine.frontend.lowering.model import lower
    from pysd_runner.engine.frontend.source import read_source

    model = lower(read_source(path, budgets, changes).with_ranges(elements).with_files(files), budgets)
    for name, file in files.items():
        if str(file.resolve()) not in model.files:
            raise InvalidInput(
                "{path} reads no file {name!r}; it reads {names}",
                path=path,
                name=name,
                names=", ".join(model.files) or Message("none"),
            )
    return model


def _unchanged(cached: bytes, folder: Path) -> ModelIr | None:
    """The cached model; None if another version wrote it or one of its data files has changed."""
    try:
        model = serial.loads(cached)
    except InvalidInput:
        return None
    return model if _same_files(model, folder) else None


def _same_files(model: ModelIr, folder: Path) -> bool:
    return not changed_files(model, folder)


def changed_files(model: ModelIr, folder: Path) -> list[Path]:
    """Data files of a model that are missing or have changed since it was lowered."""
    return [folder / name for name, digest in model.files.items() if _digest(folder / name) != digest]


def _digest(path: Path) -> str:
    """Hash of a file, empty when it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
