"""Writes LLVM instructions as text: values, types and the operations on them.

A value is a scalar or a vector of lanes. Every name is generated here; numbers are written bit by bit.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["real", "truth", "integer"]

# Numbers in a register of 512 bits.
REGISTER = 8


@dataclass(frozen=True, slots=True)
class Value:
    """A value in the program."""

    name: str  # its text, a register or a literal
    kind: Kind  # A real number, a truth or an integer of 64 bits
    wide: bool  # whether it is a vector of lanes
    level: int  # how many of the loops around it it depends on
    literal: float | None = None  # its number, where it is one


@dataclass(frozen=True, slots=True)
class Types:
    """How values are spelled and computed: number of lanes, precision, and what the processor can do."""

    lanes: int  # length of a vector
    real: str
    permutes: bool = False
    fused: bool = True  # whether a product and a sum can be rounded once, together

    def of(self, kind: Kind, *, wide: bool) -> str:
        """Type of a value."""
        scalar = {"real": self.real, "truth": "i1", "integer": "i64"}[kind]
        return f"<{self.lanes} x {scalar}>" if wide else scalar

    def real_literal(self, value: float) -> str:
        """A real number, exact to the last bit; a single precision number is written as the double it equals."""
        if self.real == "float":
            try:
                value = struct.unpack("<f", struct.pack("<f", value))[0]
            except OverflowError:
                value = float("inf") if value > 0 else float("-inf")
        return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"

    @property
    def unit(self) -> float:
        """Largest relative error of rounding."""
        return 2.0**-53 if self.real == "double" else 2.0**-24

    @property
    def real_bytes(self) -> int:
        """Bytes of a real number."""
        return 8 if self.real == "double" else 4


@dataclass(slots=True)
class Writer:
    """Collects instructions at the levels of a loop nest."""

    types: Types  # how values are spelled
    prefix: str = "v"  # first letters of every register, so that parts of a function do not collide
    lines: list[list[str]] = field(default_factory=lambda: [[]])
    tails: list[list[str]] = field(default_factory=lambda: [[]])
    functions: set[tuple[str, int, str]] = field(default_factory=set)
    intrinsics: dict[str, str] = field(default_factory=dict)  # what else is called or read, and its declaration
    _count: int = 0
    _loops: int = 0
    _splats: dict[str, Value] = field(default_factory=dict)

    def register(self) -> str:
        """A new register."""
        self._count += 1
        return f"%{self.prefix}{self._count}"

    def put(self, level: int, text: str) -> None:
        """Append an instruction without a result."""
        self.lines[level].append(text)

    def make(self, text: str, kind: Kind, *, wide: bool, level: int) -> Value:
        """Append an instruction and give its result."""
        name = self.register()
        self.lines[level].append(f"{name} = {text}")
        return Value(name, kind, wide, level)

    def type(self, value: Value) -> str:
        """Type of a value."""
        return self.types.of(value.kind, wide=value.wide)

    def number(self, value: float) -> Value:
        """A real literal."""
        return Value(self.types.real_literal(value), "real", False, 0, value)

    def integer(self, value: int) -> Value:
        """An integer literal."""
        return Value(str(value), "integer", False, 0)

    def integer_entry(self, name: str) -> Value:
        """An integer the function read from its table."""
        return Value(name, "integer", False, 0)

    def lane_numbers(self) -> Value:
        """The numbers of the lanes, counted from zero."""
        steps = ", ".join(f"i64 {number}" for number in range(self.types.lanes))
        return Value(f"<{steps}>", "integer", True, 0)

    def splat(self, value: Value) -> Value:
        """A value on every lane."""
        if value.wide:
            return value
        if value.name not in self._splats:
            self._splats[value.name] = self._splat(value)
        return self._splats[value.name]

    def _splat(self, value: Value) -> Value:
        scalar, wide = self.types.of(value.kind, wide=False), self.types.of(value.kind, wide=True)
        if not value.name.startswith("%"):
            return Value(f"splat ({scalar} {value.name})", value.kind, True, 0, value.literal)
        one = self.make(
            f"insertelement {wide} poison, {scalar} {value.name}, i64 0", value.kind, wide=True, level=value.level
        )
        lanes = self.types.lanes
        return self.make(
            f"shufflevector {wide} {one.name}, {wide} poison, <{lanes} x i32> zeroinitializer",
            value.kind,
            wide=True,
            level=value.level,
        )

    def alike(self, values: Iterable[Value]) -> tuple[list[Value], bool, int]:
        """Values made equally wide, whether they are, and their deepest level."""
        found = list(values)
        wide = any(value.wide for value in found)
        if wide:
            found = [self.splat(value) for value in found]
        return found, wide, max((value.level for value in found), default=0)

    def binary(self, instruction: str, left: Value, right: Value, kind: Kind | None = None) -> Value:
        """An instruction of two operands of one type."""
        (left, right), wide, level = self.alike((left, right))
        text = f"{instruction} {self.type(left)} {left.name}, {right.name}"
        return self.make(text, kind or left.kind, wide=wide, level=level)

    def unary(self, instruction: str, value: Value) -> Value:
        """An instruction of one operand."""
        text = f"{instruction} {self.type(value)} {value.name}"
        return self.make(text, value.kind, wide=value.wide, level=value.level)

    def select(self, condition: Value, yes: Value, no: Value) -> Value:
        """One of two values."""
        (condition, yes, no), wide, level = self.alike((condition, yes, no))
        text = f"select {self.type(condition)} {condition.name}, {self.type(yes)} {yes.name}, {self.type(no)} {no.name}"
        return self.make(text, yes.kind, wide=wide, level=level)

    def convert(self, instruction: str, value: Value, kind: Kind) -> Value:
        """A value as another kind."""
        to = self.types.of(kind, wide=value.wide)
        return self.make(
            f"{instruction} {self.type(value)} {value.name} to {to}", kind, wide=value.wide, level=value.level
        )

    def call(self, function: str, name: str, arguments: Iterable[Value]) -> Value:
        """A call of a mathematical function of real numbers."""
        found, wide, level = self.alike(arguments)
        if function:
            self.functions.add((function, self.types.lanes if wide else 1, self.types.real))
        kind = self.types.of("real", wide=wide)
        text = f"call {kind} {name}({', '.join(f'{kind} {value.name}' for value in found)})"
        return self.make(text, "real", wide=wide, level=level)

    # Memory ------------------------------------------------------------------------------------------------------

    def at(self, base: str, index: Value, kind: str = "", *, inside: bool = True) -> str:
        """Address of a number in memory."""
        word = "getelementptr inbounds" if inside else "getelementptr"
        text = f"{word} {kind or self.types.real}, ptr {base}, i64 {index.name}"
        return self.make(text, "integer", wide=False, level=index.level).name

    def load(self, place: str, kind: Kind = "real", *, wide: bool = False, level: int = 0, align: int = 0) -> Value:
        """What stands at an address; on the boundary of a number where no other is said."""
        aligned = f", align {min(align or self.types.real_bytes, 64)}" if kind == "real" else ""
        text = f"load {self.types.of(kind, wide=wide)}, ptr {place}{aligned}"
        return self.make(text, kind, wide=wide, level=level)

    def store(self, value: Value, place: str, *, level: int = 0, align: int = 0) -> None:
        """Write a number to an address."""
        align = min(align or self.types.real_bytes, 64)
        self.put(level, f"store {self.type(value)} {value.name}, ptr {place}, align {align}")

    def copy(self, to: str, start: str, numbers: int) -> None:
        """Copy numbers from one address to another."""
        size = numbers * self.types.real_bytes
        self.put(0, f"call void @llvm.memcpy.p0.p0.i64(ptr {to}, ptr {start}, i64 {size}, i1 false)")

    # Blocks, of functions without levels -------------------------------------------------------------------------

    def label(self, block: str) -> None:
        """Begin a block."""
        self.put(0, f"{block}:")

    def jump(self, block: str) -> None:
        """End a block: go to another."""
        self.put(0, f"br label %{block}")

    def branch(self, condition: str, block: str, otherwise: str) -> None:
        """End a block: go to one block or the other."""
        self.put(0, f"br i1 {condition}, label %{block}, label %{otherwise}")

    @contextmanager
    def loop(self, count: int | str, *, step: int = 1, counter: str = "") -> Iterator[Value]:
        """A loop whose counter begins at zero and stays below a count that is not zero."""
        self._loops += 1
        label = f"{self.prefix}L{self._loops}"
        counter = counter or f"%{label}.i"
        self.jump(f"{label}.in")
        self.label(f"{label}.in")
        self.jump(label)
        self.label(label)
        self.put(0, f"{counter} = phi i64 [ 0, %{label}.in ], [ %{label}.j, %{label}.next ]")
        yield Value(counter, "integer", False, 0)
        self.jump(f"{label}.next")
        self.label(f"{label}.next")
        self.put(0, f"%{label}.j = add nuw nsw i64 {counter}, {step}")
        self.put(0, f"%{label}.m = icmp ult i64 %{label}.j, {count}")
        self.branch(f"%{label}.m", label, f"{label}.out")
        self.label(f"{label}.out")

    # Short tables, which AVX-512 reads by permuting registers, in one instruction for eight or sixteen numbers -----

    def permuted(self, numbers: Sequence[float], place: Value) -> Value:
        """Numbers at the low bits of the places of all lanes; there are eight or sixteen numbers."""
        parts = [self._part(numbers, place, first) for first in range(0, self.types.lanes, REGISTER)]
        count = REGISTER
        while len(parts) > 1:
            count *= 2
            pairs = zip(parts[::2], parts[1::2], strict=True)
            parts = [self.shuffled(f"<{count // 2} x double>", left, right, range(count)) for left, right in pairs]
        return parts[0]

    def _part(self, numbers: Sequence[float], place: Value, first: int) -> Value:
        own = self.shuffled(self.type(place), place, place, range(first, first + REGISTER))
        low, *high = (self._literals(numbers[at : at + REGISTER]) for at in range(0, len(numbers), REGISTER))
        name = "@llvm.x86.avx512.vpermi2var.pd.512" if high else "@llvm.x86.avx512.permvar.df.512"
        real, whole = f"<{REGISTER} x double>", f"<{REGISTER} x i64>"
        types = [real, whole, *[real for _ in high]]
        self.intrinsics[name] = f"declare {real} {name}({', '.join(types)})"
        arguments = ", ".join(f"{kind} {item}" for kind, item in zip(types, [low, own.name, *high], strict=True))
        return self.make(f"call {real} {name}({arguments})", "real", wide=True, level=place.level)

    def _literals(self, numbers: Sequence[float]) -> str:
        return f"<{', '.join(f'double {self.types.real_literal(item)}' for item in numbers)}>"

    def shuffled(self, kind: str, left: Value, right: Value, order: Iterable[int]) -> Value:
        """Some lanes of two vectors of a type."""
        places = [f"i32 {lane}" for lane in order]
        text = f"shufflevector {kind} {left.name}, {kind} {right.name}, <{len(places)} x i32> <{', '.join(places)}>"
        return self.make(text, left.kind, wide=True, level=left.level)
