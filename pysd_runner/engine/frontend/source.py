"""A model file as it was read, whatever its format. Nothing is written and nothing of the file is executed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from pysd_runner.engine.errors import InvalidModel, UnknownName, suggest
from pysd_runner.engine.frontend.budgets import DEFAULT, Budgets
from pysd_runner.engine.frontend.files import VENSIM, data_files, identify, reads_outside
from pysd_runner.engine.frontend.syntax import Range, Syntax
from pysd_runner.engine.names import key


@dataclass(frozen=True, slots=True)
class Source:
    """A model file that was read."""

    path: Path
    sha256: str  # hash of its bytes
    syntax: Syntax
    files: Mapping[str, Path] = field(default_factory=dict)  # data files by the name that the model has for them

    def with_ranges(self, elements: Mapping[str, Sequence[str]]) -> "Source":
        """Copy with other elements in some subscript ranges."""
        known = {key(found.name): found.name for found in self.syntax.ranges}
        for name in elements:
            if key(name) not in known:
                raise UnknownName(
                    f"{self.path}: no subscript range is called {name!r}; the file has "
                    f"{', '.join(known.values()) or 'none'}.{suggest(name, known.values())}"
                )
        wanted = {key(name): tuple(items) for name, items in elements.items()}

        def changed(item: Range) -> Range:
            items = wanted.get(key(item.name))
            return item if items is None else replace(item, elements=items, copy_of=None, source=None)

        ranges = tuple(changed(item) for item in self.syntax.ranges)
        return replace(self, syntax=replace(self.syntax, ranges=ranges))

    def with_files(self, given: Mapping[str, Path]) -> "Source":
        """Copy with data files replaced, keyed by their name in the model."""
        return replace(self, files={**self.files, **given})


def read_source(path: str | Path, budgets: Budgets = DEFAULT) -> Source:
    """Read a Vensim or XMILE file."""
    path, sha256 = identify(path)
    return _read(path, sha256, budgets, reads_outside())


@lru_cache(maxsize=16)
def _read(path: Path, sha256: str, budgets: Budgets, _outside: bool) -> Source:
    try:
        syntax = _read_vensim(path) if path.suffix.lower() in VENSIM else _read_xmile(path, budgets)
    except InvalidModel as error:
        raise type(error)(f"{path}: {error}") from error
    return Source(path, sha256, syntax, data_files(syntax.files, path))


def _read_vensim(path: Path) -> Syntax:
    from pysd_runner.engine.frontend.vensim.reader import read_vensim

    return read_vensim(path)


def _read_xmile(path: Path, budgets: Budgets) -> Syntax:
    from pysd_runner.engine.frontend.xmile.reader import read_xmile

    return read_xmile(path, budgets)
