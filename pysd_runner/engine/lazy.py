"""Import the exports of a package when they are first used, and name the replacements of former names."""

import ast
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

# Replacements, by the full former name of a module or of a name that it exported.
FORMER: dict[str, str] = {}


def lazy_exports(package: str, file: str) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """``__getattr__``, ``__dir__`` and ``__all__`` of a package that lists its exports under ``if TYPE_CHECKING:``.

    Parameters
    ----------
    package, file
        Name of the package and path of its ``__init__.py``. Names listed there as ``from module import name as name``,
        the form that type checkers treat as an export, are exported, and imported when they are first used.
    """
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    homes = {
        alias.asname: (node.module, alias.name)
        for node in imports
        for alias in node.names
        if alias.asname and node.module
    }

    def get(name: str) -> object:
        if name in homes:
            home, own = homes[name]
            found = None if home == package else getattr(import_module(home), own, None)
            return import_module(f"{home}.{own}") if found is None else found
        old = f"{package}.{name}"
        if old in FORMER:
            raise AttributeError(f"{old} is now {FORMER[old]}")
        from pysd_runner.engine.errors import suggest

        raise AttributeError(f"module {package!r} has no attribute {name!r}.{suggest(name, homes)}")

    return get, lambda: sorted(homes), sorted(homes)


class _FormerModules(MetaPathFinder):
    """Refuse modules by their former names; the last finder, so that other imports are not slowed down."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Raise for a module with a former name."""
        if fullname in FORMER:
            raise ModuleNotFoundError(f"{fullname} is now {FORMER[fullname]}", name=fullname)
        return None


def refuse_former(names: Mapping[str, str]) -> None:
    """Raise for former names, with the replacement; by old name, ``"package.module.name"``."""
    FORMER.update(names)
    sys.meta_path.append(_FormerModules())
