"""What a package exports is imported when it is first used, and old names of it and of modules work on."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import pysd_runner  # noqa: F401 - lets old names work
from pysd_runner.policy.spaces import DEFAULT_CONSTRAINTS
from pysd_runner.study.binding import RegionalModel

DOOR = '''"""A package."""

from typing import TYPE_CHECKING

from pysd_runner.core.lazy import lazy_exports

if TYPE_CHECKING:
    from shelf.books import Book as Book
    from shelf.books import read as read
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__, renamed={"look_at": "shelf.books.read"})
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


def test_an_old_name_warns_where_it_is_used(shelf: str) -> None:
    with pytest.warns(DeprecationWarning, match=r"shelf\.look_at is now shelf\.books\.read") as caught:
        assert importlib.import_module(shelf).look_at() == "read"
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("module", "name", "found"),
    [
        ("pysd_runner.regional", "RegionalModel", RegionalModel),
        ("pysd_runner.regional.policy_spaces", "DEFAULT_CONSTRAINTS", DEFAULT_CONSTRAINTS),
    ],
)
def test_an_old_module_works_and_says_where_it_went(module, name, found):
    with pytest.warns(DeprecationWarning, match=f"{module}.{name} is now pysd_runner"):
        assert getattr(importlib.import_module(module), name) is found


def test_what_never_was_is_not_there():
    with pytest.raises(ImportError):
        importlib.import_module("pysd_runner.regional.nothing")
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = importlib.import_module("pysd_runner.regional").nothing


def test_importing_from_an_old_module_warns_in_a_script():
    code = "from pysd_runner.general.diagram import save_diagram; print(save_diagram.__module__)"
    done = subprocess.run([sys.executable, "-W", "always", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "pysd_runner.study.diagram"
    assert "pysd_runner.general.diagram.save_diagram is now pysd_runner.study.diagram.save_diagram" in done.stderr
