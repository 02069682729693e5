"""Find and read model files of either format, and find the data files they name; nothing is written or executed."""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath

from pysd_runner.engine.errors import InvalidInput, InvalidModel, Message, UnknownName, suggest
from pysd_runner.engine.frontend.changes import Changed, with_changes
from pysd_runner.engine.frontend.syntax import DEFAULT, Budgets, Range, Syntax
from pysd_runner.engine.ir import key
from pysd_runner.engine.kinds import frozen

VENSIM = frozenset({".mdl"})

XMILE = frozenset({".xmile", ".xml", ".stmx", ".itmx"})

SUFFIXES = VENSIM | XMILE

# Name of an environment variable; if it is set to 1, models may read files outside of their folders.
OUTSIDE = "GAPSIM_OUTSIDE"

# Unsupported model file formats, and how to convert each to a supported one.
_BINARY = Message("a binary file of Vensim; open it there and save it as text, with the ending .mdl")

_OLDER = Message(
    "a file of an older Stella or iThink; open it in a newer one and save it with the ending .stmx or .itmx"
)

_PACKED = Message("a published package; ask its author for the model file, .mdl or .stmx")

_OTHERS = {
    **dict.fromkeys((".vmf", ".vmfx"), _BINARY),
    **dict.fromkeys((".vpm", ".vpmx", ".vpa", ".vpax"), _PACKED),
    **dict.fromkeys((".stm", ".itm"), _OLDER),
}


# Name of a data set among the data files of a model, before its place in the order of data sets.
SET = "data set "


def with_sets(files: Mapping[str, Path], data: Iterable[Path]) -> dict[str, Path]:
    """Data files by their names in a model, and data sets by their places, each once where it is last.

    >>> here = Path(__file__)
    >>> list(with_sets({"data set 1": here}, [here.with_name("syntax.py"), here]))
    ['data set 1', 'data set 2']
    """
    known = sets_among(files)
    last = list(dict.fromkeys(reversed([*data, *(files[name] for name in known)])))[::-1]
    for path in last:
        if not path.is_file():
            raise InvalidInput("there is no data set {path}; expected a file", path=path)
    named = {f"{SET}{number}": path for number, path in enumerate(last, 1)}
    return {name: path for name, path in files.items() if name not in known} | named


def sets_among(names: Iterable[str]) -> list[str]:
    """Names of data sets among those of data files, in order."""
    numbers = {name: name.removeprefix(SET) for name in names if name.startswith(SET)}
    return sorted((name for name, text in numbers.items() if text.isdecimal()), key=lambda name: int(numbers[name]))


def reads_outside() -> bool:
    """Whether models may read files outside of their folders."""
    return os.environ.get(OUTSIDE) == "1"


def data_file(name: str, model: Path) -> Path:
    """Resolve a file name given in a model; refuse a path that leaves the model's folder, unless this is allowed."""
    windows, folder = PureWindowsPath(name), Path(os.path.realpath(model.parent))
    if not name.strip() or "\0" in name or windows.anchor or PurePosixPath(name).is_absolute():
        fault = Message("is not relative to the folder of the model")
    else:
        path = Path(os.path.realpath(folder / windows.as_posix()))
        if path.is_relative_to(folder) or reads_outside():
            return path
        fault = Message(
            "lies outside of the folder of the model; put it there, pass load_model(path, files={{{name!r}: ...}}), "
            "or set {setting}=1 if you trust the model",
            name=name,
            setting=OUTSIDE,
        )
    raise InvalidModel("the file name {name!r} {fault}", name=name, fault=fault)


def data_files(names: Mapping[str, str], model: Path) -> dict[str, Path]:
    """Paths of the data files listed in the settings of a model, except those that it is not allowed to read."""
    found = {}
    for name, file in names.items():
        with suppress(InvalidModel):
            found[name] = data_file(file, model)
    return found


def identify(path: str | Path) -> tuple[Path, str]:
    """Check that a model file exists in a supported format; return its absolute path and SHA-256 hash."""
    path = Path(path)
    ending = path.suffix.lower()
    try:
        if not path.is_file():
            raise InvalidModel("{path}: there is no such file; expected a Vensim .mdl or an XMILE file", path=path)
        if ending in _OTHERS:
            raise InvalidModel("{path}: {fault}", path=path, fault=_OTHERS[ending])
        if ending not in SUFFIXES:
            known = ", ".join(sorted(SUFFIXES))
            raise InvalidModel(
                "{path}: unknown ending {ending!r}; expected one of {known}", path=path, ending=ending, known=known
            )
        return path.resolve(), hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        reason = Message(error.strerror or str(error))
        raise InvalidModel("{path}: the file cannot be read: {reason}", path=path, reason=reason) from error


@frozen
class Source:
    """A model file that was read."""

    path: Path
    sha256: str  # hash of its bytes, and of the equations that replace its own
    syntax: Syntax
    files: Mapping[str, Path] = field(default_factory=dict)  # paths of data files by their names in the model
    from_data: tuple[str, ...] = ()  # keys of the ranges whose elements are those of the series in the data sets

    def with_ranges(self, elements: Mapping[str, Sequence[str] | None]) -> "Source":
        """Copy with the elements of some subscript ranges replaced; None takes them from the data sets."""
        known = {key(found.name): found.name for found in self.syntax.ranges}
        for name in elements:
            if key(name) not in known:
                raise UnknownName(
                    "{path}: no subscript range is called {name!r}; the file has {names}.{suggestion}",
                    path=self.path,
                    name=name,
                    names=", ".join(known.values()) or Message("none"),
                    suggestion=suggest(name, known.values()),
                )
        wanted = {key(name): tuple(items) for name, items in elements.items() if items is not None}
        from_data = tuple(key(name) for name, items in elements.items() if items is None)

        def changed(item: Range) -> Range:
            items = wanted.get(key(item.name))
            return item if items is None else replace(item, elements=items, copy_of=None, source=None)

        ranges = tuple(changed(item) for item in self.syntax.ranges)
        return replace(self, syntax=replace(self.syntax, ranges=ranges), from_data=from_data)

    def with_files(self, given: Mapping[str, Path]) -> "Source":
        """Copy with data files replaced, keyed by their name in the model."""
        return replace(self, files={**self.files, **given})


def read_source(path: str | Path, budgets: Budgets = DEFAULT, changes: Sequence[Changed] = ()) -> Source:
    """Read a Vensim or XMILE file, with equations that replace some of its own."""
    path, sha256 = identify(path)
    return _read(path, sha256, budgets, reads_outside(), tuple(changes))


@lru_cache(maxsize=16)
def _read(path: Path, sha256: str, budgets: Budgets, _outside: bool, changes: tuple[Changed, ...]) -> Source:
    try:
        syntax = _read_vensim(path, changes) if path.suffix.lower() in VENSIM else _read_xmile(path, budgets)
    except InvalidModel as error:
        raise type(error)("{path}: {error}", path=path, error=error) from error
    if changes:
        sha256 = hashlib.sha256(repr((sha256, changes)).encode()).hexdigest()
        syntax = with_changes(syntax, changes)
    return Source(path, sha256, syntax, data_files(syntax.files, path))


def _read_vensim(path: Path, changes: Sequence[Changed]) -> Syntax:
    from pysd_runner.engine.frontend.vensim.reader import read_vensim

    return read_vensim(path, changes)


def _read_xmile(path: Path, budgets: Budgets) -> Syntax:
    from pysd_runner.engine.frontend.xmile.reader import read_xmile

    return read_xmile(path, budgets)
