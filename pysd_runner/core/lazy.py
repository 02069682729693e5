"""Names that packages export, imported when they are first used, and names that modules had before."""

import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from pysd_runner.engine.lazy import lazy_exports

__all__ = ["Moved", "lazy_exports", "let_old_names_work"]


class Moved(MetaPathFinder, Loader):
    """Finds modules by the names they had; asked last, so that it costs nothing where no old name is used.

    Parameters
    ----------
    homes
        New module, or several of which each holds some of the names, by the old one.
    """

    def __init__(self, homes: Mapping[str, str | tuple[str, ...]]) -> None:
        self._homes = {old: (new,) if isinstance(new, str) else new for old, new in homes.items()}

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """A module of one of the old names, or a package above some."""
        is_package = any(old.startswith(f"{fullname}.") for old in self._homes)
        return ModuleSpec(fullname, self, is_package=is_package) if is_package or fullname in self._homes else None

    def exec_module(self, module: ModuleType) -> None:
        """Let the names of the old module be looked up in the new one."""
        homes = self._homes.get(module.__name__, ())

        def get(name: str) -> object:
            for home in homes if not name.startswith("__") else ():
                found = getattr(import_module(home), name, None)
                if found is not None:
                    warnings.warn(f"{module.__name__}.{name} is now {home}.{name}", DeprecationWarning, stacklevel=2)
                    return found
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

        vars(module)["__getattr__"] = get


def let_old_names_work(homes: Mapping[str, str | tuple[str, ...]]) -> None:
    """Take imports of modules by the names they had."""
    sys.meta_path.append(Moved(homes))
