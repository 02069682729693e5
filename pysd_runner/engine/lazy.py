"""Import the exports of a package when they are first used, and modules by their former names."""

import ast
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

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
    homes = {
        alias.asname: (node.module, alias.name)
        for node in imports
        for alias in node.names
        if alias.asname and node.module
    }
    for old, new in (renamed or {}).items():
        RENAMED[f"{package}.{old}"] = (new, new) if isinstance(new, str) else new

    def get(name: str) -> object:
        if name in homes:
            home, own = homes[name]
            found = None if home == package else getattr(import_module(home), own, None)
            return import_module(f"{home}.{own}") if found is None else found
        if known := RENAMED.get(f"{package}.{name}"):
            found, told = known
            home, _, new = found.rpartition(".")
            warnings.warn(f"{package}.{name} is now {told}", DeprecationWarning, stacklevel=2)
            return getattr(import_module(home), new)
        from pysd_runner.engine.errors import suggest

        raise AttributeError(f"module {package!r} has no attribute {name!r}.{suggest(name, homes)}")

    return get, lambda: sorted(homes), sorted(homes)


class Moved(MetaPathFinder, Loader):
    """Import modules by their former names; this is the last finder, so that other imports are not slowed down.

    Parameters
    ----------
    homes
        New module by former name, or several modules if its names were divided among them.
    """

    def __init__(self, homes: Mapping[str, str | tuple[str, ...]]) -> None:
        self._homes = {old: (new,) if isinstance(new, str) else new for old, new in homes.items()}

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Return the spec of a module with a former name, or of a package that contains one."""
        is_package = any(old.startswith(f"{fullname}.") for old in self._homes)
        return ModuleSpec(fullname, self, is_package=is_package) if is_package or fullname in self._homes else None

    def exec_module(self, module: ModuleType) -> None:
        """Look up the names of the former module in the new one, with a deprecation warning."""
        homes = self._homes.get(module.__name__, ())

        def get(name: str) -> object:
            old = f"{module.__name__}.{name}"
            for owner in (module.__name__,) if old in RENAMED else homes if not name.startswith("__") else ():
                import_module(owner)  # which lists its own old names
                full = f"{owner}.{name}"
                place, told = RENAMED.get(full, (full, full))
                home, _, new = place.rpartition(".")
                found = getattr(import_module(home), new, None)
                if found is not None:
                    warnings.warn(f"{old} is now {told}", DeprecationWarning, stacklevel=2)
                    return found
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

        vars(module)["__getattr__"] = get


def let_old_names_work(homes: Mapping[str, str | tuple[str, ...]]) -> None:
    """Enable imports of modules by their former names."""
    sys.meta_path.append(Moved(homes))
