"""What a package exports is imported when it is first used, and former names are answered with the new ones."""

import importlib
import re
import sys
from pathlib import Path

import pytest

from pysd_runner.core.former import FORMER

DOOR = '''"""A package."""

from typing import TYPE_CHECKING

from pysd_runner.engine.lazy import lazy_exports

if TYPE_CHECKING:
    from shelf.books import Book as Book
    from shelf.books import read as read
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
'''


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf" / "__init__.py").write_text(DOOR)
    (tmp_path / "shelf" / "books.py").write_text("class Book: ...\n\ndef read() -> str:\n    return 'read'\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "shelf"]:
        monkeypatch.delitem(sys.modules, name)
    return "shelf"


def test_exports_are_listed_once_and_imported_when_used(shelf: str) -> None:
    door = importlib.import_module(shelf)
    assert door.__all__ == dir(door) == ["Book", "read"]
    assert "shelf.books" not in sys.modules
    assert door.read() == "read"
    assert door.Book is sys.modules["shelf.books"].Book
    with pytest.raises(AttributeError, match="module 'shelf' has no attribute 'TYPE_CHECKING_'"):
        door.TYPE_CHECKING_  # noqa: B018


@pytest.mark.parametrize(("old", "new"), FORMER.items())
def test_a_former_name_is_refused_with_the_new_one(old, new):
    home, _, name = old.rpartition(".")
    with pytest.raises(AttributeError, match=f"^{re.escape(f'{old} is now {new}')}$"):
        getattr(importlib.import_module(home), name)


def test_the_new_names_are_there():
    for new in FORMER.values():
        for full in re.findall(r"(?:pysd_runner|calibration|gapsim)[\w.]*\w", new):
            home, _, name = full.rpartition(".")
            assert hasattr(importlib.import_module(home), name) or importlib.import_module(full), full


def test_what_never_was_is_not_there():
    with pytest.raises(ImportError):
        importlib.import_module("pysd_runner.nothing")
    with pytest.raises(ImportError, match=r"pysd_runner\.general is now pysd_runner\.study"):
        importlib.import_module("pysd_runner.general.diagram")
