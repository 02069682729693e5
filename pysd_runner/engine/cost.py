"""What a run is predicted to cost, from counts of the model: it decides which target ``"auto"`` is.

Coefficients are seconds of a processor of 2024; `python -m benchmarks --extra chains` compares them with what is
measured. No cache and no clock enters, so that the same run is computed by the same target everywhere.
"""

from dataclasses import dataclass
from math import ceil, prod

from pysd_runner.engine.errors import UnsupportedFeature
from pysd_runner.engine.ir import ModelIr

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
