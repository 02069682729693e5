"""Compile a model to a WebAssembly module for browsers, together with a description of its inputs and memory.

LLVM writes an object file, which already is a module, with all addresses relative to zero; it only lacks an export of
its function, and contains extra sections for linkers. Layout: WebAssembly core specification, chapter 5, and the
conventions for object files in WebAssembly/tool-conventions, ``Linking.md``.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from pysd_runner.engine.clock import Clock
from pysd_runner.engine.errors import UnsupportedFeature
from pysd_runner.engine.ir import ModelIr
from pysd_runner.engine.kinds import frozen
from pysd_runner.engine.llvm import signature
from pysd_runner.engine.llvm.emitter import Types
from pysd_runner.engine.llvm.programs import written
from pysd_runner.engine.llvm.signature import Recipe, Signature
from pysd_runner.engine.values import cases_of, over_time

# Entries of the argument table of a program that a page fills in; the program does not use the others, which are zero.
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

# Lanes of a vector: two 128-bit registers, so that their latencies overlap while the code stays small.
LANES = 4

# Features that every browser of the last five years supports: 128-bit vectors, and bulk copying of memory.
FEATURES = "+simd128,+bulk-memory,+mutable-globals,+sign-ext,+nontrapping-fptoint"


@frozen
class WasmModule:
    """A model compiled to WebAssembly."""

    code: bytes
    outcomes: tuple[str, ...]
    signature: Signature
    lanes: int
    functions: tuple[str, ...]
    pages: int


def _refuse_callbacks(signature: Signature) -> None:
    names = sorted({call.name.upper().replace("_", " ") for call in signature.arrays})
    if signature.pipes:
        names.append("DELAY FIXED")
    if names:
        raise UnsupportedFeature(
            "{names}: a page runs without Python, which computes this; run the model with `gapsim run`",
            names=", ".join(names),
        )


@lru_cache(maxsize=1)
def _machine() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple("wasm32-unknown-unknown")
    return target.create_target_machine(cpu="generic", features=FEATURES, opt=3, reloc="static", codemodel="default")


@frozen(eq=False)
class BrowserProgram:
    """The module, metadata and inputs with which a page computes a task."""

    module: WasmModule
    record: Mapping[str, Any]
    inputs: Mapping[str, Any]


def browser_program(
    model: ModelIr, inputs: Mapping[str, Any], outcomes: Sequence[str], clock: Clock, seed: int
) -> BrowserProgram:
    """Compile a model with its inputs for the browser; see `Task.for_browsers`."""
    from pysd_runner.engine.llvm.programs import object_code

    varying = frozenset(name for name, value in inputs.items() if cases_of(value)[1] > 1)
    recipe = Recipe(tuple(outcomes), tuple(inputs), over_time(inputs), varying, Types(LANES, fused=False))
    signature, text = written(model, recipe)
    _refuse_callbacks(signature)
    found = linked(object_code(text, _machine(), effort=3), "run")
    module = WasmModule(found.code, tuple(outcomes), signature, LANES, found.functions, found.pages)
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


HEADER = b"\0asm\1\0\0\0"

# Numbers of the kinds of sections, and of the kinds of imports.
CUSTOM, IMPORT, GLOBAL, EXPORT, CODE = 0, 2, 6, 7, 10
FUNCTION, FUNCTION_TABLE, MEMORY, VARIABLE = range(4)

# Codes in the section "linking": the subsection of the symbol table, kinds of symbols, and flags of symbols.
SYMBOLS = 8
FUNCTION_SYMBOL, DATA_SYMBOL, SECTION_SYMBOL = 0, 1, 3
UNDEFINED, NAMED = 0x10, 0x40


@frozen
class Linked:
    """A linked module, with the functions and the memory it needs."""

    code: bytes
    functions: tuple[str, ...]  # imported from "env", by their names in the C library
    pages: int  # number of pages of 64 KiB that its constants take, from address zero


class _Reader:
    """Reads the items of an object file in sequence."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self) -> int:
        """An unsigned whole number in LEB128."""
        value = shift = 0
        while True:
            (byte,) = self.take(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def text(self) -> str:
        return self.take(self.number()).decode()

    @property
    def more(self) -> bool:
        return self.at < len(self.data)


def number(value: int) -> bytes:
    """An unsigned whole number in LEB128.

    >>> number(300).hex()
    'ac02'
    """
    found = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        found.append(low | (0x80 if value else 0))
        if not value:
            return bytes(found)


def linked(object_file: bytes, function: str) -> Linked:
    """Convert an object file to a module that exports one of its functions."""
    sections = list(_sections(object_file))
    functions, pages = next((_imports(body) for kind, body in sections if kind == IMPORT), ([], 0))
    exported = number(1) + number(len(function)) + function.encode() + bytes([FUNCTION])
    exported += number(_place(sections, function))
    parts = [HEADER]
    pending = True
    for kind, body in sections:
        if pending and kind > EXPORT:
            parts.append(_section(EXPORT, exported))
            pending = False
        if kind != CUSTOM:
            parts.append(_section(kind, body))
    return Linked(b"".join(parts), tuple(functions), pages)


def _section(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + number(len(body)) + body


def _sections(data: bytes) -> Iterator[tuple[int, bytes]]:
    reader = _Reader(data)
    if reader.take(len(HEADER)) != HEADER:
        raise ValueError("this is no WebAssembly object file of version 1")
    while reader.more:
        (kind,) = reader.take(1)
        yield kind, reader.take(reader.number())


def _imports(body: bytes) -> tuple[list[str], int]:
    """Names of the imported functions, and the minimum size of the memory in pages."""
    reader, functions, pages = _Reader(body), list[str](), 0
    for _ in range(reader.number()):
        reader.text()
        name = reader.text()
        (kind,) = reader.take(1)
        if kind == FUNCTION:
            functions.append(name)
            reader.number()
        elif kind == VARIABLE:
            reader.take(2)
        else:
            if kind == FUNCTION_TABLE:
                reader.take(1)
            limited = reader.number() & 1
            least = reader.number()
            pages = least if kind == MEMORY else pages
            if limited:
                reader.number()
    return functions, pages


def _place(sections: list[tuple[int, bytes]], function: str) -> int:
    """Index of a function, from the symbol table."""
    for kind, body in sections:
        if kind != CUSTOM:
            continue
        reader = _Reader(body)
        if reader.text() != "linking":
            continue
        reader.number()
        while reader.more:
            (part,) = reader.take(1)
            inner = _Reader(reader.take(reader.number()))
            if part == SYMBOLS:
                return dict(_functions(inner))[function]
    raise ValueError(f"the object file has no symbol {function!r}")


def _functions(reader: _Reader) -> Iterator[tuple[str, int]]:
    for _ in range(reader.number()):
        (kind,) = reader.take(1)
        flags = reader.number()
        if kind == DATA_SYMBOL:
            reader.text()
            if not flags & UNDEFINED:
                for _ in range(3):
                    reader.number()
        elif kind == SECTION_SYMBOL:
            reader.number()
        else:
            place = reader.number()
            if flags & UNDEFINED and not flags & NAMED:
                continue
            name = reader.text()
            if kind == FUNCTION_SYMBOL:
                yield name, place
