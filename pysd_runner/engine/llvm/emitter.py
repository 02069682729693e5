"""Writes LLVM instructions as text: values, types and the operations on them.

A value is a scalar or a vector of lanes. Every name is generated here; numbers are written bit by bit.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["real", "truth", "integer"]


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
    _count: int = 0
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
