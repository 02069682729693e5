"""Model files and data files on disk: which they are, before anything is read."""

import hashlib
from pathlib import Path, PurePosixPath, PureWindowsPath

from pysd_runner.core.errors import InvalidModel

VENSIM = frozenset({".mdl"})
XMILE = frozenset({".xmile", ".xml", ".stmx", ".itmx"})
SUFFIXES = VENSIM | XMILE

# Other files of models, and how to get one of the above from them.
_BINARY = "a binary file of Vensim; open it there and save it as text, with the ending .mdl"
_OLDER = "a file of an older Stella or iThink; open it in a newer one and save it with the ending .stmx or .itmx"
_PACKED = "a published package; ask its author for the model file, .mdl or .stmx"
_OTHERS = {
    **dict.fromkeys((".vmf", ".vmfx"), _BINARY),
    **dict.fromkeys((".vpm", ".vpmx", ".vpa", ".vpax"), _PACKED),
    **dict.fromkeys((".stm", ".itm"), _OLDER),
}


def relative_path(name: str) -> str:
    """A path in a model file with forward slashes; empty if it is not relative to the folder of the model."""
    windows = PureWindowsPath(name)
    if not name.strip() or "\0" in name or windows.anchor or PurePosixPath(name).is_absolute():
        return ""
    return windows.as_posix()


def identify(path: str | Path) -> tuple[Path, str]:
    """Find a model file."""
    path = Path(path)
    ending = path.suffix.lower()
    try:
        if not path.is_file():
            raise InvalidModel(f"{path}: there is no such file; expected a Vensim .mdl or an XMILE file")
        if ending in _OTHERS:
            raise InvalidModel(f"{path}: {_OTHERS[ending]}")
        if ending not in SUFFIXES:
            known = ", ".join(sorted(SUFFIXES))
            raise InvalidModel(f"{path}: unknown ending {ending!r}; expected one of {known}")
        return path.resolve(), hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InvalidModel(f"{path}: the file cannot be read: {error.strerror}") from error
