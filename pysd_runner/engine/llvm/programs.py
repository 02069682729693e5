"""Generate, compile, cache and load the machine code of models."""

import ctypes
import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from itertools import count
from typing import Any

from pysd_runner.engine.cache import code_digest, default_store
from pysd_runner.engine.errors import UnsupportedFeature
from pysd_runner.engine.ir import ModelIr
from pysd_runner.engine.kinds import frozen
from pysd_runner.engine.llvm.signature import ArrayCall, Input, Processor, Recipe, Signature, Slot

Run = Callable[[int, int, int, int, int], None]

# On Linux the linker places the constants of a program next to its code, so that relative addresses can be used, rather
# than loading a full address for each. On other systems llvmlite's linker may place them anywhere.
SIDE_BY_SIDE = sys.platform == "linux"


@lru_cache(maxsize=1)
def host() -> Processor:
    """The processor of this machine."""
    llvm = _llvm()
    features = llvm.get_host_cpu_features()
    width = next((size for flag, size in (("avx512f", 64), ("avx", 32)) if features.get(flag)), 16)
    return Processor(llvm.get_host_cpu_name(), features.flatten(), width, llvm.get_process_triple())


@lru_cache(maxsize=1)
def _llvm() -> Any:
    try:
        import llvmlite.binding as llvm
    except (ImportError, OSError) as error:
        raise UnsupportedFeature(
            "the compiled engine needs llvmlite, which cannot be loaded: {error}", error=error
        ) from error
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


@lru_cache(maxsize=8)
def machine_for(processor: Processor) -> Any:
    """The LLVM target machine for a processor."""
    target = _llvm().Target.from_triple(processor.triple)
    model = "small" if SIDE_BY_SIDE else "jitdefault"
    return target.create_target_machine(
        cpu=processor.cpu, features=processor.features, opt=2, reloc="pic", codemodel=model, jit=not SIDE_BY_SIDE
    )


def object_code(text: str, machine: Any, *, effort: int = 1) -> bytes:
    """Compile a program for a target machine, with optimisation level 1 to 3."""
    return bytes(machine.emit_object(_optimised(text, machine, effort)))


def assembly(text: str, machine: Any) -> str:
    """Assembly text of a program for a target machine."""
    return str(machine.emit_assembly(_optimised(text, machine, 1)))


def _optimised(text: str, machine: Any, effort: int) -> Any:
    llvm = _llvm()
    module = llvm.parse_assembly(text)
    # Invalid code would terminate the whole process later; verifying takes a hundredth of the compilation time.
    module.verify()
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=effort)
    # Loops are already vectorised: unrolling them costs compilation time without benefit.
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
    """Machine code in memory, freed with this object."""

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


@frozen
class Program:
    """A compiled program, ready to be called."""

    recipe: Recipe  # what it was compiled for
    frame: Signature  # its interface
    code: Loaded = field(repr=False)

    @property
    def over_draws(self) -> bool:
        """Whether lanes run over draws; otherwise over subscripts."""
        return self.recipe.varying is not None


_PROGRAMS: dict[tuple[str, Recipe], Program] = {}

_MOST_PROGRAMS = 128


def program_of(model: ModelIr, recipe: Recipe) -> Program:
    """The program of a model for a recipe; programs are cached in memory and on disk."""
    identity = (model.fingerprint, recipe)
    if identity not in _PROGRAMS:
        if len(_PROGRAMS) >= _MOST_PROGRAMS:
            _PROGRAMS.pop(next(iter(_PROGRAMS)))
        _PROGRAMS[identity] = _program(model, recipe)
    return _PROGRAMS[identity]


def _program(model: ModelIr, recipe: Recipe) -> Program:
    store = default_store("object")
    key = _key(model, recipe)
    cached = store.get(key) if store is not None else None
    found = None if cached is None else _fetched(recipe, cached)
    if found is not None:
        return found
    frame, code = _made(model, recipe)
    if store is not None:
        store.put(key, _sealed(frame, code))
    return Program(recipe, frame, loaded(code))


def _fetched(recipe: Recipe, cached: bytes) -> Program | None:
    """Load the program of a cache entry; None if it is unusable, such as after a full disk or from another linker."""
    found = _opened(cached)
    try:
        return None if found is None else Program(recipe, found[0], loaded(found[1]))
    except RuntimeError:
        return None


def _made(model: ModelIr, recipe: Recipe) -> tuple[Signature, bytes]:
    frame, text = written(model, recipe)
    return frame, object_code(text, machine_for(recipe.processor or host()))


def written(model: ModelIr, recipe: Recipe) -> tuple[Signature, str]:
    """Signature and text of the program of a model."""
    from pysd_runner.engine.llvm.kernel import write_kernel
    from pysd_runner.engine.passes.order import plan

    order = plan(model, recipe.outcomes, frozenset(recipe.given), recipe.moving)
    order.check_covered(model, recipe.given)
    try:
        return write_kernel(order, recipe)
    except RecursionError as error:
        raise UnsupportedFeature("an equation is nested too deeply for this engine") from error


def _key(model: ModelIr, recipe: Recipe) -> str:
    import llvmlite

    parts = [
        code_digest(),
        llvmlite.__version__,
        model.fingerprint,
        recipe.outcomes,
        recipe.given,
        sorted(recipe.moving),
        None if recipe.varying is None else sorted(recipe.varying),
        [recipe.types.lanes, recipe.types.permutes],
        asdict(recipe.processor or host()),
    ]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()


def _sealed(frame: Signature, code: bytes) -> bytes:
    head = json.dumps(asdict(frame)).encode()
    return len(head).to_bytes(8, "little") + head + code


def _opened(data: bytes) -> tuple[Signature, bytes] | None:
    size = int.from_bytes(data[:8], "little")
    try:
        head = json.loads(data[8 : 8 + size])
        frame = Signature(
            inputs=tuple(Input(item["name"], _slot(item["slot"]), item["moving"]) for item in head["inputs"]),
            outputs=tuple(_slot(item) for item in head["outputs"]),
            arrays=tuple(_array(item) for item in head["arrays"]),
            size=head["size"],
            pipes=head["pipes"],
            delays=tuple(_slot(item) for item in head["delays"]),
        )
    except (ValueError, KeyError, TypeError):
        return None
    return frame, data[8 + size :]


def _array(item: Mapping[str, Any]) -> ArrayCall:
    arguments = tuple(_slot(slot) for slot in item["arguments"])
    return ArrayCall(item["name"], arguments, tuple(item["core"]), _slot(item["result"]))


def _slot(item: Mapping[str, Any]) -> Slot:
    lengths, strides = tuple(item["lengths"]), tuple(item["strides"])
    return Slot(item["offset"], lengths, strides, item["cells"], item["wide"])
