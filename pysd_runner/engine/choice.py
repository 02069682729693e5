"""Which engine computes a task; for ``"auto"`` what it is predicted to cost decides, from counts of the model."""

import importlib.util
import warnings
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, prod
from typing import Literal, get_args

from pysd_runner.engine.errors import InvalidInput, UnsupportedFeature, suggest
from pysd_runner.engine.ir import ModelIr

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


# A model of fewer equations is compiled in well under half a second, which its next run has for free.
BIG = 400

COMPILE, COMPILE_BLOCK = 0.1, 3.5e-4  # machine code, for one kernel
TEXT_BLOCK = 1e-4  # statements of NumPy
STATEMENT, CELL = 1.3e-6, 4e-9  # of a step in NumPy, for each equation, and for each cell of each draw


@dataclass(frozen=True, slots=True)
class Work:
    """The size of a run."""

    blocks: int  # equations
    cells: int  # numbers at one moment
    steps: int
    cases: int  # scenarios times draws

    @classmethod
    def of(cls, model: ModelIr, steps: int, cases: int) -> "Work":
        """From a model; what outcomes do not need is counted, too."""
        variables = model.variables.values()
        cells = sum(prod(model.shape(item.dims)) for item in variables)
        return cls(sum(len(item.blocks) for item in variables), cells, steps, cases)

    @property
    def compiling(self) -> float:
        """Seconds until machine code is ready."""
        return COMPILE + COMPILE_BLOCK * self.blocks

    @property
    def by_numpy(self) -> float:
        """Seconds of writing NumPy and of running it."""
        running = self.steps * (STATEMENT * self.blocks + CELL * self.cells * self.cases)
        return TEXT_BLOCK * self.blocks + running

    @property
    def is_cheaper_by_numpy(self) -> bool:
        """Whether compiling takes longer than NumPy needs for all of it."""
        return self.blocks > BIG and self.by_numpy < self.compiling


def check_compiling(work: Work, limit: float) -> None:
    """Refuse a model that takes too long to compile."""
    if work.compiling > limit:
        raise UnsupportedFeature(
            f"{work.blocks:,} equations are predicted to take {work.compiling:.2g} s to compile; at most {limit:g} s "
            f"are allowed, unless the model is loaded with load_model(path, budgets=Budgets(seconds="
            f"{ceil(work.compiling)})): take engine='numpy', which needs no compiling"
        )
