"""Turns LLVM text into machine code, keeps it on disk, and loads it."""

import ctypes
import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

from pysd_runner.engine.errors import UnsupportedFeature

Run = Callable[[int, int, int, int, int], None]

# On Linux the linker puts the numbers of a program beside its code, which then reads them by their distance; without
# that it must fetch a full address for each. Elsewhere llvmlite's linker may put them anywhere.
SIDE_BY_SIDE = sys.platform == "linux"


@dataclass(frozen=True, slots=True)
class Processor:
    """A processor that code is compiled for."""

    cpu: str
    features: str
    vector_bytes: int  # width of its vectors
    triple: str


@lru_cache(maxsize=1)
def host() -> Processor:
    """The processor this runs on."""
    llvm = _llvm()
    features = llvm.get_host_cpu_features()
    width = next((size for flag, size in (("avx512f", 64), ("avx", 32)) if features.get(flag)), 16)
    return Processor(llvm.get_host_cpu_name(), features.flatten(), width, llvm.get_process_triple())


@lru_cache(maxsize=1)
def _llvm() -> Any:
    try:
        import llvmlite.binding as llvm
    except (ImportError, OSError) as error:
        raise UnsupportedFeature(f"the compiled engine needs llvmlite, which cannot be loaded: {error}") from error
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


@lru_cache(maxsize=1)
def code_version() -> str:
    """Hash of what decides which machine code a program becomes: this package and llvmlite."""
    import llvmlite

    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.parent.rglob("*.py")):
        digest.update(path.read_bytes())
    digest.update(llvmlite.__version__.encode())
    return digest.hexdigest()


@lru_cache(maxsize=8)
def machine_for(processor: Processor) -> Any:
    """What compiles for a processor."""
    target = _llvm().Target.from_triple(processor.triple)
    model = "small" if SIDE_BY_SIDE else "jitdefault"
    return target.create_target_machine(
        cpu=processor.cpu, features=processor.features, opt=2, reloc="pic", codemodel=model, jit=not SIDE_BY_SIDE
    )


def object_code(text: str, machine: Any, *, effort: int = 1) -> bytes:
    """Machine code of a program for some machine, optimised with an effort of 1 to 3."""
    return bytes(machine.emit_object(_optimised(text, machine, effort)))


def assembly(text: str, machine: Any) -> str:
    """The same machine code as text."""
    return str(machine.emit_assembly(_optimised(text, machine, 1)))


def _optimised(text: str, machine: Any, effort: int) -> Any:
    llvm = _llvm()
    module = llvm.parse_assembly(text)
    # What is wrong would end the whole process further on; finding it here takes a hundredth of the time of compiling.
    module.verify()
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=effort)
    # The loops are vectors already: unrolling them costs time and gains nothing.
    options.loop_unrolling = False
    options.loop_vectorization = False
    options.slp_vectorization = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return module


_NUMBERS = count()


@lru_cache(maxsize=1)
def _linker() -> Any:
    llvm = _llvm()
    return llvm.create_lljit_compiler(machine_for(host()), use_jit_link=SIDE_BY_SIDE, suppress_errors=True)


@dataclass(slots=True)
class Loaded:
    """Machine code in memory; it is freed with this object."""

    run: Run
    library: Any


def loaded(code: bytes) -> Loaded:
    """Load machine code."""
    llvm = _llvm()
    builder = llvm.JITLibraryBuilder()
    builder.add_object_img(code)
    builder.add_current_process()
    builder.export_symbol("run")
    library = builder.link(_linker(), f"model{next(_NUMBERS)}")
    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
    return Loaded(kind(library["run"]), library)
