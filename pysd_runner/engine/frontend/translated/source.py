"""Reads a model file into PySD's abstract model. Nothing is written and nothing of the file is executed."""

import copy
import hashlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pysd_runner.engine.ir import Integration
from pysd_runner.engine.names import key
from pysd_runner.errors import InvalidModel, UnknownName, suggest

VENSIM = frozenset({".mdl"})
XMILE = frozenset({".xmile", ".xml", ".stmx"})


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed model file.

    Parameters
    ----------
    path
        The file.
    sha256
        Hash of its bytes.
    abstract
        PySD's ``AbstractModel``: plain data classes.
    groups
        Sector of each variable, by comparison key of its name.
    integration
        How the file wants its stocks integrated.
    """

    path: Path
    sha256: str
    abstract: Any
    groups: Mapping[str, str]
    integration: Integration

    def with_ranges(self, elements: Mapping[str, Sequence[str]]) -> "Source":
        """Copy with other elements in some subscript ranges.

        Parameters
        ----------
        elements
            New elements by name of the range.

        Returns
        -------
        Source
            The same model over the new elements.

        Raises
        ------
        UnknownName
            If the file has no such range.
        """
        if not elements:
            return self
        abstract = copy.copy(self.abstract)
        section = copy.copy(abstract.sections[0])
        known = {key(found.name): found.name for found in section.subscripts}
        wanted = {}
        for name, items in elements.items():
            if key(name) not in known:
                raise UnknownName(
                    f"{self.path}: no subscript range is called {name!r}; the file has "
                    f"{', '.join(known.values()) or 'none'}.{suggest(name, known.values())}"
                )
            wanted[key(name)] = list(items)
        section.subscripts = [
            type(found)(found.name, wanted.get(key(found.name), found.subscripts), found.mapping)
            for found in section.subscripts
        ]
        abstract.sections = (section, *abstract.sections[1:])
        return replace(self, abstract=abstract)


def read_source(path: str | Path) -> Source:
    """Parse a Vensim or XMILE file.

    Parameters
    ----------
    path
        A ``.mdl``, ``.xmile``, ``.xml`` or ``.stmx`` file.

    Returns
    -------
    Source
        The abstract model with the hash of the file.

    Raises
    ------
    InvalidModel
        If the file is missing, has another ending, or cannot be parsed.
    """
    path, sha256 = identify(path)
    return _parse(path, sha256)


def identify(path: str | Path) -> tuple[Path, str]:
    """Find a model file.

    Parameters
    ----------
    path
        A ``.mdl``, ``.xmile``, ``.xml`` or ``.stmx`` file.

    Returns
    -------
    tuple
        Its absolute path and the hash of its bytes.

    Raises
    ------
    InvalidModel
        If the file is missing, cannot be opened, or has another ending.
    """
    path = Path(path)
    ending = path.suffix.lower()
    try:
        if not path.is_file():
            raise InvalidModel(f"{path}: there is no such file; expected a Vensim .mdl or an XMILE file")
        if ending not in VENSIM | XMILE:
            known = ", ".join(sorted(VENSIM | XMILE))
            raise InvalidModel(f"{path}: unknown ending {ending!r}; expected one of {known}")
        return path.resolve(), hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InvalidModel(f"{path}: the file cannot be read: {error.strerror}") from error


@lru_cache(maxsize=16)
def _parse(path: Path, sha256: str) -> Source:
    read = _read_vensim if path.suffix.lower() in VENSIM else _read_xmile
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = read(path)
    except InvalidModel as error:
        raise type(error)(f"{path}: {error}") from error
    return Source(path, sha256, found.abstract, found.groups, found.integration)


def _read_vensim(path: Path) -> Any:
    from pysd_runner.engine.frontend.translated.vensim import read_vensim

    return read_vensim(path)


def _read_xmile(path: Path) -> Any:
    from pysd_runner.engine.frontend.translated.xmile import read_xmile

    return read_xmile(path)
