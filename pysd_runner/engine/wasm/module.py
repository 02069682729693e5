"""A model as a WebAssembly module, with what a caller must know to run it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pysd_runner.engine.clock import Clock
from pysd_runner.engine.errors import UnsupportedFeature
from pysd_runner.engine.ir import ModelIr
from pysd_runner.engine.llvm import signature
from pysd_runner.engine.llvm.emitter import Types
from pysd_runner.engine.llvm.programs import written
from pysd_runner.engine.llvm.signature import Recipe, Signature
from pysd_runner.engine.values import TimePath, cases_of
from pysd_runner.engine.wasm.linking import linked

# What a page enters into the table a program is handed; the entries it leaves at zero are not used there.
TABLE = {
    "times": signature.TIMES,
    "steps": signature.STEPS,
    "saved": signature.SAVED,
    "count": signature.COUNT,
    "inStride": signature.IN_STRIDE,
    "outStride": signature.OUT_STRIDE,
    "positions": signature.POSITIONS,
    "shares": signature.SHARES,
    "rows": signature.ROWS,
    "seed": signature.SEED,
    "firstDraw": signature.FIRST_DRAW,
    "header": signature.HEADER,
}

# Lanes of a vector: two registers of 128 bits hide each other's latency, and the code stays small.
LANES = 4

# Every browser of the last five years has these: vectors of 128 bits, and copying memory in one instruction.
FEATURES = "+simd128,+bulk-memory,+mutable-globals,+sign-ext,+nontrapping-fptoint"


@dataclass(frozen=True, slots=True)
class WasmModule:
    """A compiled model."""

    code: bytes
    outcomes: tuple[str, ...]
    signature: Signature
    lanes: int
    functions: tuple[str, ...]
    pages: int


def wasm_module(
    model: ModelIr,
    outcomes: Sequence[str],
    moving: Mapping[str, bool],
    varying: frozenset[str],
    *,
    lanes: int = LANES,
) -> WasmModule:
    """Compile a model for the browser."""
    from pysd_runner.engine.llvm.compiler import object_code

    changing = frozenset(name for name, yes in moving.items() if yes)
    recipe = Recipe(tuple(outcomes), tuple(moving), changing, varying, Types(lanes, "double", fused=False))
    signature, text = written(model, recipe)
    _refuse_callbacks(signature)
    found = linked(object_code(text, _machine(), effort=3), "run")
    return WasmModule(found.code, tuple(outcomes), signature, lanes, found.functions, found.pages)


def _refuse_callbacks(signature: Signature) -> None:
    names = sorted({call.name.upper().replace("_", " ") for call in signature.arrays})
    if signature.pipes:
        names.append("DELAY FIXED")
    if names:
        raise UnsupportedFeature(
            f"{', '.join(names)}: a page runs without Python, which computes this; run the model with `gapsim run`"
        )


@lru_cache(maxsize=1)
def _machine() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple("wasm32-unknown-unknown")
    return target.create_target_machine(cpu="generic", features=FEATURES, opt=3, reloc="static", codemodel="default")


@dataclass(frozen=True, slots=True, eq=False)
class BrowserProgram:
    """What a page needs to compute a task."""

    module: WasmModule
    record: Mapping[str, Any]
    inputs: Mapping[str, Any]


def browser_program(
    model: ModelIr, inputs: Mapping[str, Any], outcomes: Sequence[str], clock: Clock, seed: int, *, lanes: int = LANES
) -> BrowserProgram:
    """Compile a model with its inputs for the browser; see `Task.for_browsers`."""
    module = wasm_module(model, outcomes, *given_of(inputs), lanes=lanes)
    signature = module.signature
    record = {
        "table": TABLE,
        "lanes": module.lanes,
        "size": signature.size,
        "pages": module.pages,
        "functions": list(module.functions),
        "inputs": [
            {"name": item.name, "cells": item.slot.cells, "wide": item.slot.wide, "moving": item.moving}
            for item in signature.inputs
        ],
        "outputs": [
            {"name": name, "cells": slot.cells} for name, slot in zip(module.outcomes, signature.outputs, strict=True)
        ],
        "times": clock.times.tolist(),
        "steps": [clock.step] * clock.times.size,
        "saved": clock.saved.astype(int).tolist(),
        "seed": seed,
    }
    return BrowserProgram(module, record, {item.name: inputs[item.name] for item in signature.inputs})


def given_of(values: Mapping[str, Any]) -> tuple[dict[str, bool], frozenset[str]]:
    """Which of some values change over time, and which differ between draws."""
    moving = {name: isinstance(value, TimePath) for name, value in values.items()}
    return moving, frozenset(name for name, value in values.items() if cases_of(value)[1] > 1)
