"""Which engine computes a task."""

import importlib.util
import warnings
from functools import lru_cache
from typing import Literal, get_args

from pysd_runner.engine.errors import InvalidInput, UnsupportedFeature, suggest

Engine = Literal["auto", "llvm", "numpy", "pysd"]
Precision = Literal["float64", "float32"]


class SlowerEngine(RuntimeWarning):
    """The compiled engine cannot be loaded, so that NumPy computes."""


def chosen(engine: Engine, precision: Precision = "float64") -> Engine:
    """The engine that is meant.

    Parameters
    ----------
    engine
        ``"auto"`` is the compiled one, or NumPy where that cannot be loaded.
    precision
        ``"float32"`` needs the compiled engine.
    """
    if engine not in get_args(Engine):
        names = ", ".join(repr(name) for name in get_args(Engine))
        raise InvalidInput(f"engine must be one of {names}; found {engine!r}.{suggest(str(engine), get_args(Engine))}")
    if precision not in get_args(Precision):
        raise InvalidInput(f"precision must be 'float64' or 'float32'; found {precision!r}")
    if engine == "auto":
        engine = "llvm" if _loads() else "numpy"
    if engine == "llvm" and not _loads():
        raise UnsupportedFeature("engine='llvm' needs llvmlite, which cannot be loaded; install it or use 'numpy'")
    if precision == "float32" and engine != "llvm":
        raise InvalidInput(f"precision='float32' needs engine='llvm'; this run uses {engine!r}")
    return engine


@lru_cache(maxsize=1)
def _loads() -> bool:
    """Whether the compiled engine can be loaded; said once if not."""
    if importlib.util.find_spec("llvmlite") is not None:
        try:
            import llvmlite.binding  # noqa: F401
        except (ImportError, OSError) as error:
            reason = str(error)
        else:
            return True
    else:
        reason = "it is not installed"
    warnings.warn(
        f"llvmlite cannot be loaded ({reason}): NumPy takes over, with the same numbers at a lower speed",
        SlowerEngine,
        stacklevel=2,
    )
    return False
