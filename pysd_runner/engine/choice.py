"""Choose the engine of a task; ``"auto"`` compares costs predicted from the size of the model and of the run."""

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
    """The compiled engine cannot be loaded; the NumPy engine is used instead."""


def chosen(engine: Engine, precision: Precision = "float64") -> Engine:
    """Resolve ``"auto"`` and check that the engine is available.

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
    """Whether the compiled engine can be loaded; warns once if not."""
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


# Maximum number of equations of models that are compiled without comparing costs: it takes under half a second, once.
BIG = 400

COMPILE, COMPILE_BLOCK = 0.1, 3.5e-4  # seconds to compile one kernel: fixed, and per equation
TEXT_BLOCK = 1e-4  # seconds to generate the NumPy code of an equation
STATEMENT, CELL = 1.3e-6, 4e-9  # seconds of a step in NumPy: per equation, and per array element and case


@dataclass(frozen=True, slots=True)
class Work:
    """The size of a run, from which its cost is predicted."""

    blocks: int  # equations
    cells: int  # array elements of all variables at one time
    steps: int
    cases: int  # scenarios times draws

    @classmethod
    def of(cls, model: ModelIr, steps: int, cases: int) -> "Work":
        """Count all equations of a model, including those that the outcomes do not need."""
        variables = model.variables.values()
        cells = sum(prod(model.shape(item.dims)) for item in variables)
        return cls(sum(len(item.blocks) for item in variables), cells, steps, cases)

    @property
    def compiling(self) -> float:
        """Predicted compilation time in seconds."""
        return COMPILE + COMPILE_BLOCK * self.blocks

    @property
    def by_numpy(self) -> float:
        """Predicted time in seconds to generate NumPy code and run it."""
        running = self.steps * (STATEMENT * self.blocks + CELL * self.cells * self.cases)
        return TEXT_BLOCK * self.blocks + running

    @property
    def is_cheaper_by_numpy(self) -> bool:
        """Whether compilation alone is predicted to take longer than the whole run in NumPy."""
        return self.blocks > BIG and self.by_numpy < self.compiling


def check_compiling(work: Work, limit: float) -> None:
    """Reject a model whose predicted compilation time in seconds is above the limit."""
    if work.compiling > limit:
        raise UnsupportedFeature(
            f"{work.blocks:,} equations are predicted to take {work.compiling:.2g} s to compile; at most {limit:g} s "
            f"are allowed, unless the model is loaded with load_model(path, budgets=Budgets(seconds="
            f"{ceil(work.compiling)})): take engine='numpy', which needs no compiling"
        )
