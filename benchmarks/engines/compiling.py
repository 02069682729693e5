"""C that is compiled at run time and called through ctypes."""

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.engines import Array, Unavailable

if TYPE_CHECKING:
    from pysd_runner.engine.llvm.signature import Processor


def flags(processor: str = "native", *, fast: bool = False) -> tuple[str, ...]:
    """Arguments that decide how quick the code is on a processor, by its name in GCC and Clang."""
    return ("-O3", f"-march={processor}", *(["-ffast-math"] if fast else []))


def compiler() -> str:
    """The C compiler.

    Raises
    ------
    Unavailable
        If there is none.
    """
    found = shutil.which("cc")
    if found is None:
        raise Unavailable("there is no C compiler called cc")
    return found


def compiler_version() -> str:
    """First line of what the compiler says of itself."""
    try:
        command = [compiler(), "--version"]
    except Unavailable:
        return "no cc"
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def shared_library(sources: Sequence[Path], target: Path, flags: Sequence[str]) -> ctypes.CDLL:
    """Compile some C files into a library and load it.

    Parameters
    ----------
    sources
        The C files.
    target
        Library to write.
    flags
        Arguments of the compiler.

    Raises
    ------
    Unavailable
        If they do not compile.
    """
    command = [
        compiler(),
        *flags,
        "-shared",
        "-fPIC",
        "-w",
        "-Wl,-Bsymbolic",
        "-fno-semantic-interposition",
        "-o",
        str(target),
        *(str(item) for item in sources),
        "-lm",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"cc failed on {sources[0].name}: {done.stderr.strip()[:300]}")
    return ctypes.CDLL(str(target))


def pointer(array: Array) -> ctypes.c_void_p:
    """Where an array lies, after making sure that C can walk through it."""
    if array.dtype != np.float64 or not array.flags.c_contiguous:
        raise ValueError("C needs contiguous doubles")
    return ctypes.c_void_p(array.ctypes.data)


# Adds eight numbers to themselves in the widest registers there are.
EIGHT_NUMBERS = """
define <8 x double> @twice(<8 x double> %x) "prefer-vector-width"="512" "min-legal-vector-width"="512" {
  %y = fadd <8 x double> %x, %x
  ret <8 x double> %y
}
"""


@lru_cache(maxsize=8)
def processor_named(cpu: str, triple: str | None = None) -> "Processor":
    """Another processor by its name in LLVM, such as ``"x86-64-v3"``, of this architecture or that of a triple."""
    import llvmlite.binding as llvm

    from pysd_runner.engine.llvm.programs import host, machine_for
    from pysd_runner.engine.llvm.signature import Processor

    host()
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    triple = triple or llvm.get_process_triple()
    shown = machine_for(Processor(cpu, "", 0, triple)).emit_assembly(llvm.parse_assembly(EIGHT_NUMBERS))
    width = next((size for register, size in (("%zmm", 64), ("%ymm", 32)) if register in shown), 16)
    return Processor(cpu, "", width, triple)
