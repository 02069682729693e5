"""The lowered form of a model file: from the cache when nothing it was made from has changed, else made anew.

A hit needs no grammar, which is most of the time a first load takes.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pysd_runner.engine.cache import serial
from pysd_runner.engine.cache.store import code_digest, default_store
from pysd_runner.engine.errors import InvalidInput, InvalidModel, UnsupportedFeature
from pysd_runner.engine.frontend.budgets import DEFAULT, Budgets
from pysd_runner.engine.frontend.source import identify, reads_outside
from pysd_runner.engine.ir import ModelIr


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
            code_digest(Path(__file__).parent.parent),
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
