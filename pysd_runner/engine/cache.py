"""A bounded cache on disk of lowered models and compiled code, shared by processes, that never fails a run."""

import contextlib
import hashlib
import json
import os
import stat
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pysd_runner.engine import serial
from pysd_runner.engine.errors import InvalidInput, InvalidModel, UnsupportedFeature
from pysd_runner.engine.frontend.source import identify, reads_outside
from pysd_runner.engine.frontend.syntax import DEFAULT, Budgets
from pysd_runner.engine.ir import ModelIr

Kind = Literal["ir", "object"]

# Names another folder for what is cached; empty or "off" switches caching off.
VARIABLE = "GAPSIM_CACHE"

# A lowered model takes about 0.1 MB, a compiled one 0.01 to 0.1 MB.
LIMITS: dict[Kind, int] = {"ir": 100_000_000, "object": 200_000_000}

_MAGIC = b"gapsim cache 1\n"
_LENGTH = 8
_HEADER = len(_MAGIC) + _LENGTH + hashlib.sha256().digest_size
_HEXADECIMAL = frozenset("0123456789abcdef")


class CacheNotUsed(RuntimeWarning):
    """The cache folder cannot be trusted, so that every start takes longer."""


class Store:
    """Byte strings by key in one folder; what was used longest ago goes first when the folder is full."""

    # A file is written beside its place and then moved there, so that a reader sees a whole entry or none. A damaged
    # entry, a folder that cannot be written and a full disk are the same as an empty cache.

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit = limit_bytes

    def get(self, key: str) -> bytes | None:
        """The bytes last put under a key."""
        path = self._folder / _checked(key)
        try:
            data = _opened(key, path.read_bytes()) if self._usable() else None
            if data is not None:
                _touch(path)
        except OSError:
            return None
        return data

    def put(self, key: str, data: bytes) -> None:
        """Keep bytes under a key; nothing happens when they cannot be written."""
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
            _warn_once(f"the cache folder {self._folder} is not used: {fault}; {VARIABLE} can name another folder")
        return not fault

    def _make_room(self, newest: Path) -> None:
        """Remove entries, those used longest ago first and the newest never, until the rest is within the limit."""
        entries = []
        with os.scandir(self._folder) as found:
            for item in found:
                try:
                    state = item.stat(follow_symlinks=False)
                except FileNotFoundError:
                    # Another process made room meanwhile.
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
    """The store in the user's cache folder, or in the folder that the variable ``GAPSIM_CACHE`` names."""
    named = os.environ.get(VARIABLE)
    if named is not None and named.strip().lower() in ("", "off"):
        return None
    root = _user_folder() if named is None else _expanded(named)
    return None if root is None else Store(root / kind, LIMITS[kind])


def _expanded(named: str) -> Path | None:
    """A folder as a shell would read it: ``~`` is the user's home."""
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
    # Without a home some releases name a folder inside the working folder, where nothing may be put.
    return found if found.is_absolute() else None


@lru_cache(maxsize=16)
def code_digest(folder: Path = Path(__file__).parent) -> str:
    """Digest of the modules and grammars in a folder, to be part of a key."""
    # What was made by other code is then not taken for the same, whatever version the package has.
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".py", ".lark")):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()} {len(data)}\n".encode() + data)
    return digest.hexdigest()


def _checked(key: str) -> str:
    if not 16 <= len(key) <= 128 or not _HEXADECIMAL.issuperset(key):
        raise InvalidInput(f"a key of the cache is a hexadecimal digest; found {key!r}")
    return key


def _sealed(key: str, data: bytes) -> bytes:
    return _MAGIC + len(data).to_bytes(_LENGTH, "little") + _mark(key, data) + data


def _opened(key: str, entry: bytes) -> bytes | None:
    """Data of an entry, None unless it is whole and belongs to the key."""
    data = entry[_HEADER:]
    whole = entry[:_HEADER] == _MAGIC + len(data).to_bytes(_LENGTH, "little") + _mark(key, data)
    return data if whole else None


def _mark(key: str, data: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\n" + data).digest()


def _touch(path: Path) -> None:
    """Note the use of an entry: the time of its last change stands for that of its last use."""
    with contextlib.suppress(OSError):
        # A folder that can only be read still serves.
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
    """Why nothing in a folder can be trusted; empty when it can."""
    if sys.platform == "win32":
        return ""
    state = folder.stat()
    if state.st_uid != os.geteuid():
        return "it belongs to another user"
    if state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "others may write to it (chmod 700 mends that)"
    for parent in folder.resolve().parents:
        mode = parent.stat().st_mode
        # Whoever may rename the folder can put another one in its place; a sticky folder such as /tmp forbids that.
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            return f"others may write to {parent}"
    return ""


@lru_cache(maxsize=16)
def _warn_once(message: str) -> None:
    warnings.warn(message, CacheNotUsed, stacklevel=4)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file on disk as it was when it was lowered."""

    path: Path
    sha256: str  # hash of its bytes
    files: Mapping[str, Path] = field(default_factory=dict)  # data files by the name that the model has for them

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.path.name

    def check_unchanged(self, model: ModelIr) -> None:
        """Refuse a file that changed, or a data file of it that did."""
        changed = [self.path] if _digest(self.path) != self.sha256 else []
        if changed := changed + changed_files(model, self.path.parent):
            raise InvalidModel(f"{changed[0]} has changed since the model was loaded; load the model again")


@dataclass(frozen=True, slots=True)
class LoweredFile:
    """A model file that was lowered."""

    path: Path
    sha256: str  # hash of its bytes
    model: ModelIr | None  # the project's own representation, None where a feature is not covered
    uncovered: str = ""  # why it could not be lowered at all, empty otherwise


def load_lowered(
    path: str | Path,
    elements: Mapping[str, Sequence[str]],
    files: Mapping[str, Path] | None = None,
    budgets: Budgets = DEFAULT,
) -> LoweredFile:
    """Lower a model file, or take what an earlier call left in the cache.

    Parameters
    ----------
    path
        The file.
    elements
        Other elements of some of its subscript ranges.
    files
        Data files by the name that the model has for them.
    budgets
        The most that the file may ask for.
    """
    path, sha256 = identify(path)
    asked = _Asked(path, sha256, elements, files or {}, budgets)
    store = default_store("ir")
    if store is None:
        return asked.lowered()
    key = asked.key()
    cached = store.get(key)
    model = None if cached is None else _unchanged(cached, path.parent)
    if model is not None:
        return LoweredFile(path, sha256, model)
    found = asked.lowered()
    # A file that was written to meanwhile is not kept under the hash of what it was before.
    if found.model is not None and _same_files(found.model, path.parent) and _digest(path) == sha256:
        store.put(key, serial.dumps(found.model))
    return found


@dataclass(frozen=True, slots=True)
class _Asked:
    """A model file to be lowered, as `load_lowered` takes it."""

    path: Path
    sha256: str
    elements: Mapping[str, Sequence[str]]
    files: Mapping[str, Path]
    budgets: Budgets

    def lowered(self) -> LoweredFile:
        # A lowered model that is in the cache needs none of this.
        from pysd_runner.engine.frontend.lowering.model import lower
        from pysd_runner.engine.frontend.source import read_source

        try:
            source = read_source(self.path, self.budgets).with_ranges(self.elements)
            model = lower(source.with_files(self.files), self.budgets)
        except UnsupportedFeature as error:
            return LoweredFile(self.path, self.sha256, None, str(error))
        for name, path in self.files.items():
            if str(path.resolve()) not in model.files:
                raise InvalidInput(f"{self.path} reads no file {name!r}; it reads {', '.join(model.files) or 'none'}")
        return LoweredFile(self.path, self.sha256, model)

    def key(self) -> str:
        """Digest of all but the data files that decides what a file is lowered to; messages in it hold its path."""
        decisive = [
            str(self.path),
            self.sha256,
            {name: list(items) for name, items in self.elements.items()},
            {name: str(path) for name, path in self.files.items()},
            asdict(self.budgets),
            reads_outside(),
            code_digest(),
        ]
        return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()


def _unchanged(cached: bytes, folder: Path) -> ModelIr | None:
    """The cached model, None when another version wrote it or one of its data files is another one now."""
    try:
        model = serial.loads(cached)
    except InvalidInput:
        return None
    return model if _same_files(model, folder) else None


def _same_files(model: ModelIr, folder: Path) -> bool:
    return not changed_files(model, folder)


def changed_files(model: ModelIr, folder: Path) -> list[Path]:
    """Data files of a model that are gone or hold something else than when it was lowered."""
    return [folder / name for name, digest in model.files.items() if _digest(folder / name) != digest]


def _digest(path: Path) -> str:
    """Hash of a file, empty when it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
