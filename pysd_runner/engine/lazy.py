"""What a package exports, imported when it is first used: its source lists every name once."""

import ast
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path


def lazy_exports(
    package: str, file: str, renamed: Mapping[str, str | tuple[str, str]] | None = None
) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """``__getattr__``, ``__dir__`` and ``__all__`` of a package that lists its exports under ``if TYPE_CHECKING:``.

    Parameters
    ----------
    package, file
        Name of the package and its ``__init__.py``. What stands there as ``from module import name as name``, the form
        in which type checkers take a name for exported, is exported, and imported when it is first asked for.
    renamed
        Full new name, ``"package.module.name"``, by old name: old names work on with a `DeprecationWarning`. Where a
        script cannot use what has the new name as it used the old: full name of what it gets, and what to write.
    """
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    homes = {alias.asname: node.module for node in imports for alias in node.names if alias.asname and node.module}
    old = dict(renamed or {})

    def get(name: str) -> object:
        if name in homes:
            return getattr(import_module(homes[name]), name)
        if name in old:
            known = old[name]
            found, told = (known, known) if isinstance(known, str) else known
            home, _, new = found.rpartition(".")
            warnings.warn(f"{package}.{name} is now {told}", DeprecationWarning, stacklevel=2)
            return getattr(import_module(home), new)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get, lambda: sorted(homes), sorted(homes)
