"""Turns the single WebAssembly object file from LLVM into a loadable module.

Such a file is a module already, with every address counted from zero; it lacks an export of its function, and carries
sections for a linker that joins several. Layout: WebAssembly core specification, chapter 5, and the conventions of
object files in WebAssembly/tool-conventions, ``Linking.md``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

HEADER = b"\0asm\1\0\0\0"

# Numbers of sections, and of what may be imported.
CUSTOM, IMPORT, GLOBAL, EXPORT, CODE = 0, 2, 6, 7, 10
FUNCTION, TABLE, MEMORY, VARIABLE = range(4)

# In the section called "linking": the table of symbols, symbols that are functions or data, and what their flags say.
SYMBOLS = 8
FUNCTION_SYMBOL, DATA_SYMBOL, SECTION_SYMBOL = 0, 1, 3
UNDEFINED, NAMED = 0x10, 0x40


@dataclass(frozen=True, slots=True)
class Linked:
    """A module, and the functions it expects to be given."""

    code: bytes
    functions: tuple[str, ...]  # imported from "env", by their names in the C library
    pages: int  # of 64 KiB, which its constants take from address zero on


class _Reader:
    """Reads what object files are made of, one item after the other."""

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
    """Make a module that exports one function of an object file."""
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
    """Names of the functions that are imported, and the least size of the memory."""
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
            if kind == TABLE:
                reader.take(1)
            limited = reader.number() & 1
            least = reader.number()
            pages = least if kind == MEMORY else pages
            if limited:
                reader.number()
    return functions, pages


def _place(sections: list[tuple[int, bytes]], function: str) -> int:
    """Number of a function, from the table of symbols."""
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
