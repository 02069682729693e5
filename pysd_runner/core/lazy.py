"""Lazy imports of the names that packages export, and imports of modules by their former names."""

import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from pysd_runner.engine.lazy import RENAMED, lazy_exports

__all__ = ["Moved", "lazy_exports", "let_old_names_work"]


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
