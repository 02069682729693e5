"""Turns LLVM text into machine code, keeps it on disk, and loads it."""

import ctypes
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

from pysd_runner.core.errors import UnsupportedFeature

Run = Callable[[int, int, int, int, int], None]


@dataclass(frozen=True, slots=True)
class Host:
    """The processor that code is compiled for."""

    cpu: str
    features: str
    vector_bytes: int  # width of its vectors


@lru_cache(maxsize=1)
def host() -> Host:
    """The processor this runs on."""
    llvm = _llvm()
    features = llvm.get_host_cpu_features()
    width = next((size for flag, size in (("avx512f", 64), ("avx", 32)) if features.get(flag)), 16)
    return Host(llvm.get_host_cpu_name(), features.flatten(), width)


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
    """Hash of everything that decides which machine code a model becomes: this package, llvmlite and the processor."""
    import llvmlite

    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.parent.rglob("*.py")):
        digest.update(path.read_bytes())
    digest.update(f"{llvmlite.__version__}|{host().cpu}|{host().features}".encode())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def _machine() -> Any:
    llvm = _llvm()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    return target.create_target_machine(
        cpu=host().cpu, features=host().features, opt=2, reloc="pic", codemodel="jitdefault", jit=True
    )


def object_code(text: str, machine: Any = None, *, effort: int = 1) -> bytes:
    """Machine code of a program, for this processor or another machine, optimised with an effort of 1 to 3."""
    llvm = _llvm()
    machine = machine or _machine()
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
    return bytes(machine.emit_object(module))


_NUMBERS = count()


@lru_cache(maxsize=1)
def _linker() -> Any:
    llvm = _llvm()
    return llvm.create_lljit_compiler(_machine(), use_jit_link=False, suppress_errors=True)


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
