"""A model file as PySD's translators read it. Nothing is written and nothing of the file is executed."""

import copy
import warnings
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pysd_runner.engine.errors import InvalidModel
from pysd_runner.engine.frontend.files import VENSIM, XMILE, data_files, identify, reads_outside
from pysd_runner.engine.frontend.lowering.external import DataFiles
from pysd_runner.engine.frontend.source import Source
from pysd_runner.engine.frontend.translated.convert import syntax_of
from pysd_runner.engine.ir import Integration
from pysd_runner.engine.names import key

XMILE_CONTROLS = {"dt": "TIME STEP", "starttime": "INITIAL TIME", "stoptime": "FINAL TIME"}


@dataclass(frozen=True, slots=True)
class Translated:
    """A model file that PySD translated."""

    path: Path
    sha256: str  # hash of its bytes
    abstract: Any  # pySD's ``AbstractModel``: plain data classes
    integration: Integration  # how the file wants its stocks integrated
    files: Mapping[str, Path] = field(default_factory=dict)  # data files by the name that the model has for them

    def with_ranges(self, elements: Mapping[str, Sequence[str]]) -> "Translated":
        """Copy with other elements in some of the subscript ranges."""
        if not elements:
            return self
        abstract = copy.copy(self.abstract)
        section = copy.copy(abstract.sections[0])
        wanted = {key(name): list(items) for name, items in elements.items()}
        section.subscripts = [
            type(found)(found.name, wanted.get(key(found.name), found.subscripts), found.mapping)
            for found in section.subscripts
        ]
        abstract.sections = (section, *abstract.sections[1:])
        return replace(self, abstract=abstract)

    def with_listed_ranges(self) -> "Translated":
        """Copy in whose subscript ranges no file is left to read."""
        with closing(DataFiles(self.path, self.files)) as files:
            read = {
                item.name: files.elements(item.name, item.source)
                for item in syntax_of(self.abstract).ranges
                if item.source is not None
            }
        return self.with_ranges(read)

    def source(self) -> Source:
        """What it says, in the common tree."""
        syntax = replace(syntax_of(self.abstract), integration=self.integration)
        if self.path.suffix.lower() in XMILE:
            syntax = replace(syntax, other_names=XMILE_CONTROLS)
        return Source(self.path, self.sha256, syntax, self.files)


def translate(path: str | Path) -> Translated:
    """Read a model file with PySD's translators."""
    path, sha256 = identify(path)
    return _translated(path, sha256, reads_outside())


@lru_cache(maxsize=16)
def _translated(path: Path, sha256: str, _outside: bool) -> Translated:
    from pysd_runner.engine.frontend.translated.vensim import read_vensim
    from pysd_runner.engine.frontend.translated.xmile import read_xmile

    read = read_vensim if path.suffix.lower() in VENSIM else read_xmile
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = read(path)
            return Translated(path, sha256, found.abstract, found.integration, data_files(found.files, path))
    except InvalidModel as error:
        raise type(error)(f"{path}: {error}") from error
