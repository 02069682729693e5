"""Compiled programs: written, compiled or fetched from the cache, and loaded."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from pysd_runner.engine.cache.store import default_store
from pysd_runner.engine.errors import UnsupportedFeature
from pysd_runner.engine.ir import ModelIr
from pysd_runner.engine.llvm.compiler import Loaded, code_version, host, loaded, machine_for, object_code
from pysd_runner.engine.llvm.signature import ArrayCall, Input, Recipe, Signature, Slot


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled program, ready to be called."""

    recipe: Recipe  # what it was made for
    frame: Signature  # how it is called
    code: Loaded = field(repr=False)

    @property
    def over_draws(self) -> bool:
        """Whether lanes run over draws; otherwise over subscripts."""
        return self.recipe.varying is not None

    @property
    def number(self) -> type[np.float64] | type[np.float32]:
        """Type of its numbers."""
        return np.float64 if self.recipe.types.real == "double" else np.float32


_PROGRAMS: dict[tuple[str, Recipe], Program] = {}
_MOST_PROGRAMS = 128


def program_of(model: ModelIr, recipe: Recipe) -> Program:
    """The program of a model for some recipe; the same request is compiled once, also over processes."""
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
    """The program of an entry; None where it cannot be used, for instance what a full disk or another linker left."""
    found = _opened(cached)
    try:
        return None if found is None else Program(recipe, found[0], loaded(found[1]))
    except RuntimeError:
        return None


def _made(model: ModelIr, recipe: Recipe) -> tuple[Signature, bytes]:
    frame, text = written(model, recipe)
    return frame, object_code(text, machine_for(recipe.processor or host()))


def written(model: ModelIr, recipe: Recipe) -> tuple[Signature, str]:
    """How the program of a model is called, and its text."""
    from pysd_runner.engine.llvm.kernel import write_kernel
    from pysd_runner.engine.passes.order import plan

    order = plan(model, recipe.outcomes, frozenset(recipe.given), recipe.moving)
    for name, variable in model.variables.items():
        if name in order.used and name not in recipe.given and variable.uncovered:
            raise UnsupportedFeature(variable.uncovered)
    try:
        return write_kernel(order, recipe)
    except RecursionError as error:
        raise UnsupportedFeature("an equation is nested too deeply for this engine") from error


def _key(model: ModelIr, recipe: Recipe) -> str:
    parts = [
        code_version(),
        model.fingerprint,
        recipe.outcomes,
        recipe.given,
        sorted(recipe.moving),
        None if recipe.varying is None else sorted(recipe.varying),
        [recipe.types.lanes, recipe.types.real, recipe.types.permutes],
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
