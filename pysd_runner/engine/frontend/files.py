"""Model files and data files on disk: which they are, before anything is read."""

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath, PureWindowsPath

from pysd_runner.engine.errors import InvalidModel

VENSIM = frozenset({".mdl"})
XMILE = frozenset({".xmile", ".xml", ".stmx", ".itmx"})
SUFFIXES = VENSIM | XMILE

# An environment variable; 1 lets models read files outside of their folders.
OUTSIDE = "GAPSIM_OUTSIDE"

# Other files of models, and how to get one of the above from them.
_BINARY = "a binary file of Vensim; open it there and save it as text, with the ending .mdl"
_OLDER = "a file of an older Stella or iThink; open it in a newer one and save it with the ending .stmx or .itmx"
_PACKED = "a published package; ask its author for the model file, .mdl or .stmx"
_OTHERS = {
    **dict.fromkeys((".vmf", ".vmfx"), _BINARY),
    **dict.fromkeys((".vpm", ".vpmx", ".vpa", ".vpax"), _PACKED),
    **dict.fromkeys((".stm", ".itm"), _OLDER),
}


def reads_outside() -> bool:
    """Whether models may read files outside of their folders."""
    return os.environ.get(OUTSIDE) == "1"


def data_file(name: str, model: Path) -> Path:
    """Place of a file that a model names, refused outside of the folder of the model, where links lead as well."""
    windows, folder = PureWindowsPath(name), Path(os.path.realpath(model.parent))
    if not name.strip() or "\0" in name or windows.anchor or PurePosixPath(name).is_absolute():
        fault = "is not relative to the folder of the model"
    else:
        path = Path(os.path.realpath(folder / windows.as_posix()))
        if path.is_relative_to(folder) or reads_outside():
            return path
        fault = (
            "lies outside of the folder of the model; put it there, pass "
            f"load_model(path, files={{{name!r}: ...}}), or set {OUTSIDE}=1 if you trust the model"
        )
    raise InvalidModel(f"the file name {name!r} {fault}")


def data_files(names: Mapping[str, str], model: Path) -> dict[str, Path]:
    """Places of the files that the settings of a model stand for, as far as it may read them."""
    found = {}
    for name, file in names.items():
        with suppress(InvalidModel):
            found[name] = data_file(file, model)
    return found


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
