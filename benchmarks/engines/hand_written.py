"""The digi models written by hand in C: what a person would write."""

import ctypes
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.engines import Array, Unavailable
from benchmarks.engines.compiling import compiler_version, flags, pointer, shared_library
from benchmarks.models import Subject


@dataclass(slots=True)
class PreparedC:
    """The compiled functions, and the array they write to, which is made once."""

    library: ctypes.CDLL
    subject: Subject
    kept: dict[int, Array] = field(default_factory=dict)

    def ensemble(self, draws: Array) -> Array:
        """Run all draws into one array, shape (draw, year, series)."""
        if len(draws) not in self.kept:
            self.kept.clear()
            self.kept[len(draws)] = np.zeros((len(draws), self.subject.years, self.subject.series))
        out = self.kept[len(draws)]
        self.library.hand_ens(pointer(draws), pointer(out), ctypes.c_long(len(draws)))
        return out

    def single(self, row: Array) -> Array:
        """Run one draw into a new array, shape (year, series)."""
        out = np.empty((self.subject.years, self.subject.series))
        self.library.hand(pointer(row), pointer(out))
        return out

    def series(self, result: Array) -> Array:
        """Saved series, shape (draw, series, year)."""
        array = result if result.ndim == 3 else result[None]
        return np.moveaxis(array, 1, 2).copy()


@dataclass(frozen=True, slots=True)
class HandWritten:
    """hand_digi1.c and hand_digi31.c of a folder, which may be absent."""

    folder: Path
    fast: bool
    processor: str = "native"
    note: str = ""
    batched: bool = False
    loads: int = 1

    @property
    def name(self) -> str:
        """As in the tables."""
        return "hand C -O3 -ffast-math" if self.fast else "hand C -O3"

    def version(self) -> str:
        """Version of the compiler."""
        return compiler_version()

    def prepare(self, subject: Subject, folder: Path) -> PreparedC:
        """Compile the C of a model."""
        source = self.folder / f"hand_{subject.name}.c"
        if not source.is_file():
            raise Unavailable(f"nobody wrote {subject.name} by hand: there is no {source.name} in the yardsticks")
        target = folder / f"hand_{subject.name}_{self.fast}.so"
        library = shared_library([source], target, flags(self.processor, fast=self.fast))
        library.hand.restype = library.hand_ens.restype = None
        return PreparedC(library, subject)
