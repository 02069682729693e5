"""Write a lowered model as JSON bytes and read it back; nothing in the bytes is executed.

Every node is a row ``[class, field, ...]`` of one flat list. A row refers to earlier rows by their number, and
equal nodes are one row, so a model of any depth is read in one pass and shared nodes stay shared. Long tables, and
non-finite numbers, which JSON cannot represent, are base64 of little-endian float64.
"""

import base64
import hashlib
import json
import math
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, ForwardRef, Literal, Union, get_args, get_origin

from pysd_runner.engine import ir
from pysd_runner.engine.errors import InvalidInput, Message
from pysd_runner.engine.kinds import frozen

# Format version: increase it when the encoding changes; changes of classes and fields are detected by a digest.
FORMAT = 2

# Maximum length of tuples of floats that are written as JSON numbers.
SHORT = 4

CLASSES: tuple[type[Any], ...] = (
    ir.Axis,
    ir.Element,
    *get_args(ir.Expression),
    ir.Block,
    ir.Variable,
    ir.Integration,
    ir.Feature,
    ir.Drawn,
    ir.BoundSeries,
    ir.ModelIr,
)


def dumps(model: ir.ModelIr) -> bytes:
    """Write a lowered model as JSON."""
    places: dict[int, int] = {}
    rows: dict[str, int] = {}
    for node in _children_first(model):
        # The JSON text of a row distinguishes 0.0 from -0.0, unlike equality of nodes.
        places[id(node)] = rows.setdefault(_text(_row(node, places)), len(rows))
    return f'{{"format":{json.dumps(_SIGNATURE)},"rows":[{",".join(rows)}]}}'.encode("ascii")


def loads(data: bytes) -> ir.ModelIr:
    """Read a lowered model."""
    try:
        found = json.loads(data)
        signature = found["format"]
        if signature == _SIGNATURE:
            return _model(found["rows"])
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError, struct.error) as error:
        raise InvalidInput(
            "these bytes are no lowered model: {error}; load the model from its file", error=error
        ) from error
    raise InvalidInput(
        "a lowered model of format {found!r}, this version reads {known!r}; load the model from its file",
        found=signature,
        known=_SIGNATURE,
    )


def _model(rows: list[list[Any]]) -> ir.ModelIr:
    made: list[Any] = []
    add = made.append
    for row in rows:
        kind, readers = _READERS[row[0]]
        values = zip(readers, row[1:], strict=True)
        add(kind(**{name: read(value, made) for (name, read), value in values}))
    if not isinstance(made[-1], ir.ModelIr):
        raise TypeError("the last row is no model")
    return made[-1]


def _children_first(root: Any) -> Iterable[Any]:
    """Yield every node once, after all nodes it refers to; without recursion, so that any depth is possible."""
    done: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting[-1]
        missing = [child for child in _children(node) if id(child) not in done] if id(node) not in done else []
        if missing:
            waiting += missing
            continue
        waiting.pop()
        if id(node) not in done:
            done.add(id(node))
            yield node


def _children(node: Any) -> Iterable[Any]:
    for name, codec in _FIELDS[type(node)]:
        yield from codec.nodes(getattr(node, name))


def _row(node: Any, places: Mapping[int, int]) -> list[Any]:
    written = [codec.write(getattr(node, name), places) for name, codec in _FIELDS[type(node)]]
    return [type(node).__name__, *written]


def _text(row: list[Any]) -> str:
    # Each number is written with its `repr`, so that it is restored exactly.
    return json.dumps(row, allow_nan=False, separators=(",", ":"))


@frozen
class _Codec:
    """Functions that write and read the values of one type, and list the nodes they refer to."""

    # `write` takes the row number of each node, by identity; `read` takes the nodes created so far.

    write: Callable[[Any, Mapping[int, int]], Any]
    read: Callable[[Any, list[Any]], Any]
    nodes: Callable[[Any], Iterable[Any]]


def _no_nodes(value: Any) -> Iterable[Any]:  # noqa: ARG001
    return ()


def _write_numbers(values: Iterable[float]) -> Any:
    values = tuple(float(value) for value in values)
    if len(values) <= SHORT and all(math.isfinite(value) for value in values):
        return list(values)
    return base64.b64encode(struct.pack(f"<{len(values)}d", *values)).decode("ascii")


def _read_numbers(written: Any) -> tuple[float, ...]:
    if isinstance(written, str):
        data = base64.b64decode(written, validate=True)
        return struct.unpack(f"<{len(data) // 8}d", data)
    return tuple(written)


def _write_number(value: float) -> Any:
    return float(value) if math.isfinite(value) else _write_numbers([value])


def _read_number(written: Any) -> float:
    return _read_numbers(written)[0] if isinstance(written, str) else written


def _write_text(text: str) -> Any:
    """A string or, for a message, its template and the values of its placeholders."""
    if not isinstance(text, Message):
        return text
    return [text.template, {name: _write_text(value) for name, value in text.values.items()}]


def _read_text(written: Any) -> str:
    if isinstance(written, str):
        return written
    template, values = written
    return Message.restored(template, {name: _read_text(value) for name, value in values.items()})


_PLAIN = _Codec(lambda value, _: value, lambda value, _: value, _no_nodes)
_TEXT = _Codec(lambda text, _: _write_text(text), lambda written, _: _read_text(written), _no_nodes)
_NODE = _Codec(lambda node, places: places[id(node)], lambda place, made: made[place], lambda node: (node,))
_NUMBER = _Codec(lambda value, _: _write_number(value), lambda value, _: _read_number(value), _no_nodes)
_NUMBERS = _Codec(lambda values, _: _write_numbers(values), lambda values, _: _read_numbers(values), _no_nodes)


def _optional(inner: _Codec) -> _Codec:
    return _Codec(
        lambda value, places: None if value is None else inner.write(value, places),
        lambda value, made: None if value is None else inner.read(value, made),
        lambda value: () if value is None else inner.nodes(value),
    )


def _many(inner: _Codec) -> _Codec:
    return _Codec(
        lambda values, places: [inner.write(value, places) for value in values],
        (lambda values, _: tuple(values))
        if inner is _PLAIN
        else (lambda values, made: tuple([inner.read(value, made) for value in values])),
        lambda values: [node for value in values for node in inner.nodes(value)],
    )


def _named(inner: _Codec) -> _Codec:
    """A codec for mappings from names; their order is kept."""
    return _Codec(
        lambda values, places: [[name, inner.write(value, places)] for name, value in values.items()],
        lambda values, made: {name: inner.read(value, made) for name, value in values},
        lambda values: [node for value in values.values() for node in inner.nodes(value)],
    )


def _codec(kind: Any) -> _Codec:
    """The codec for values of an annotated type."""
    if kind is str:
        return _TEXT
    if kind in (int, bool) or get_origin(kind) is Literal:
        return _PLAIN
    if kind is float:
        return _NUMBER
    if kind in CLASSES or kind in ("Expression", ForwardRef("Expression")):
        return _NODE
    arguments = get_args(kind)
    if arguments == (float, Ellipsis):
        return _NUMBERS
    if get_origin(kind) is tuple and arguments[1:] == (Ellipsis,):
        return _many(_codec(arguments[0]))
    if get_origin(kind) is Mapping and arguments[:1] == (str,):
        return _named(_codec(arguments[1]))
    if get_origin(kind) in (Union, UnionType):
        return _union_codec(kind, arguments)
    raise TypeError(f"a field of type {kind!r} cannot be written; say in serial.py how")


def _union_codec(kind: Any, arguments: tuple[Any, ...]) -> _Codec:
    inner = [item for item in arguments if item is not NoneType]
    if len(inner) > 1 and not set(inner) <= set(CLASSES):
        raise TypeError(f"a field of type {kind!r} cannot be written; say in serial.py how")
    found = _codec(inner[0])
    return found if len(inner) == len(arguments) else _optional(found)


_FIELDS = {kind: tuple((item.name, _codec(item.type)) for item in fields(kind)) for kind in CLASSES}
_READERS = {kind.__name__: (kind, tuple((name, codec.read) for name, codec in _FIELDS[kind])) for kind in CLASSES}


def _signature() -> str:
    """Format version with a digest of all classes, fields and types, to recognise files of other versions."""
    layout = [[kind.__name__, *(f"{item.name}: {item.type}" for item in fields(kind))] for kind in CLASSES]
    return f"{FORMAT}-{hashlib.sha256(json.dumps(layout).encode()).hexdigest()[:16]}"


_SIGNATURE = _signature()
