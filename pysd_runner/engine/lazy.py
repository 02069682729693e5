"""Import the exports of a package when they are first used, as listed once in its source."""

import ast
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

# By full old name, once its package is imported: full name of the object to return, and the replacement to recommend.
RENAMED: dict[str, tuple[str, str]] = {}


def lazy_exports(
    package: str, file: str, renamed: Mapping[str, str | tuple[str, str]] | None = None
) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """``__getattr__``, ``__dir__`` and ``__all__`` of a package that lists its exports under ``if TYPE_CHECKING:``.

    Parameters
    ----------
    package, file
        Name of the package and path of its ``__init__.py``. Names listed there as ``from module import name as name``,
        the form that type checkers treat as an export, are exported, and imported when they are first used.
    renamed
        Full new name, ``"package.module.name"``, by old name: old names still work, with a `DeprecationWarning`. Where
        the new object is used differently: full name of the object to return, and the replacement to recommend.
    """
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    homes = {alias.asname: node.module for node in imports for alias in node.names if alias.asname and node.module}
    for old, new in (renamed or {}).items():
        RENAMED[f"{package}.{old}"] = (new, new) if isinstance(new, str) else new

    def get(name: str) -> object:
        if name in homes:
            return getattr(import_module(homes[name]), name)
        if known := RENAMED.get(f"{package}.{name}"):
            found, told = known
            home, _, new = found.rpartition(".")
            warnings.warn(f"{package}.{name} is now {told}", DeprecationWarning, stacklevel=2)
            return getattr(import_module(home), new)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get, lambda: sorted(homes), sorted(homes)
