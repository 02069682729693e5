"""C that is compiled at run time and called through ctypes."""

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.engines import Array, Unavailable


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
