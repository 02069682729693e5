"""Generate LLVM instructions as text: values, types, operations, and the bodies of vector functions.

A value is a scalar or a vector of lanes. All names are generated here; numbers are written as bit patterns. Comparisons
are ordered: they are false if an operand is NaN. No operations are reassociated or contracted, so that a value does not
depend on the number of lanes.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from pysd_runner.engine.kinds import frozen

Kind = Literal["real", "truth", "integer"]

# Number of doubles in a 512-bit register, and bytes of one.
REGISTER = 8
REAL_BYTES = 8


def real_literal(value: float) -> str:
    """An exact literal of a real number."""
    return f"0x{bits_of(value):016X}"


def reals_literal(values: Iterable[float]) -> str:
    """Exact literals of real numbers, each with its type."""
    return ", ".join(f"double {real_literal(value)}" for value in values)


def _operator(real: str, whole: str, kind: Kind | None = None) -> Callable[["Value", "Operand"], "Value"]:
    """A binary operator, from the instructions for real numbers and for unsigned integers or booleans."""
    return lambda left, right: left.writer.binary(real if left.kind == "real" else whole, left, right, kind)


@frozen
class Value:
    """A value in the generated program."""

    name: str  # a register or a literal, as text
    kind: Kind  # a real number, a boolean or a 64-bit integer
    wide: bool  # whether it is a vector of lanes
    level: int  # number of enclosing loops it depends on
    writer: "Writer" = field(repr=False, compare=False)  # collects the instructions that use it
    literal: float | None = None  # its number, if it is a literal

    # Each operator appends an instruction.

    __add__, __sub__ = _operator("fadd", "add"), _operator("fsub", "sub")
    __mul__, __truediv__ = _operator("fmul", "mul"), _operator("fdiv", "udiv")
    __and__, __or__, __xor__ = (_operator(name, name) for name in ("and", "or", "xor"))
    __lshift__, __rshift__ = _operator("shl", "shl"), _operator("lshr", "lshr")
    __lt__, __le__ = _operator("fcmp olt", "icmp ult", "truth"), _operator("fcmp ole", "icmp ule", "truth")
    __gt__, __ge__ = _operator("fcmp ogt", "icmp ugt", "truth"), _operator("fcmp oge", "icmp uge", "truth")

    def __rtruediv__(self, other: float) -> "Value":
        return self.writer.number(other) / self

    def __neg__(self) -> "Value":
        return self.writer.unary("fneg", self)

    def compare(self, relation: str, other: "Operand") -> "Value":
        """Compare real numbers by oeq, ord (neither is NaN), uno (one is NaN) or une (true if one is NaN)."""
        return self.writer.binary(f"fcmp {relation}", self, other, "truth")


# Operands of instructions: values, and Python numbers, which become literals.
Operand = Value | float | int


@frozen
class Types:
    """Types and capabilities for code generation: number of lanes, features of the processor."""

    lanes: int  # length of a vector
    permutes: bool = False
    fused: bool = True  # whether there is a fused multiply-add

    def of(self, kind: Kind, *, wide: bool) -> str:
        """Type of a value."""
        scalar = {"real": "double", "truth": "i1", "integer": "i64"}[kind]
        return f"<{self.lanes} x {scalar}>" if wide else scalar


@dataclass(slots=True)
class Writer:
    """Collects instructions by level of a loop nest."""

    types: Types  # types of the generated values
    prefix: str = "v"  # prefix of register names, unique to each part of a function
    lines: list[list[str]] = field(default_factory=lambda: [[]])
    tails: list[list[str]] = field(default_factory=lambda: [[]])
    functions: set[tuple[str, int]] = field(default_factory=set)
    intrinsics: dict[str, str] = field(default_factory=dict)  # declarations of other functions and tables, by name
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
        """Append an instruction and return its result."""
        name = self.register()
        self.lines[level].append(f"{name} = {text}")
        return Value(name, kind, wide, level, self)

    def named(self, name: str, kind: Kind = "integer", *, wide: bool = False, level: int = 0) -> Value:
        """The value with the given name in the program."""
        return Value(name, kind, wide, level, self)

    def type(self, value: Value) -> str:
        """Type of a value."""
        return self.types.of(value.kind, wide=value.wide)

    def number(self, value: float) -> Value:
        """A real literal."""
        return Value(real_literal(value), "real", False, 0, self, value)

    def integer(self, value: int) -> Value:
        """An integer literal."""
        return self.named(str(value % 2**64))

    def literal(self, value: Operand) -> Value:
        """A value, or the literal of a number."""
        if isinstance(value, Value):
            return value
        return self.number(value) if isinstance(value, float) else self.integer(value)

    def lane_numbers(self) -> Value:
        """Indices of the lanes, from zero."""
        steps = ", ".join(f"i64 {number}" for number in range(self.types.lanes))
        return self.named(f"<{steps}>", wide=True)

    def splat(self, value: Value) -> Value:
        """Broadcast a scalar to all lanes."""
        if value.wide:
            return value
        if value.name not in self._splats:
            self._splats[value.name] = self._splat(value)
        return self._splats[value.name]

    def _splat(self, value: Value) -> Value:
        scalar, wide = self.types.of(value.kind, wide=False), self.types.of(value.kind, wide=True)
        if not value.name.startswith("%"):
            return Value(f"splat ({scalar} {value.name})", value.kind, True, 0, self, value.literal)
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

    def alike(self, values: Iterable[Operand]) -> tuple[list[Value], bool, int]:
        """Broadcast operands to the same width: values, whether they are vectors, and their deepest level."""
        found = list(map(self.literal, values))
        wide = any(value.wide for value in found)
        if wide:
            found = [self.splat(value) for value in found]
        return found, wide, max((value.level for value in found), default=0)

    def binary(self, instruction: str, left: Operand, right: Operand, kind: Kind | None = None) -> Value:
        """An instruction of two operands of one type."""
        (first, second), wide, level = self.alike((left, right))
        text = f"{instruction} {self.type(first)} {first.name}, {second.name}"
        return self.make(text, kind or first.kind, wide=wide, level=level)

    def unary(self, instruction: str, value: Value) -> Value:
        """An instruction of one operand."""
        text = f"{instruction} {self.type(value)} {value.name}"
        return self.make(text, value.kind, wide=value.wide, level=value.level)

    def select(self, condition: Value, yes: Operand, no: Operand) -> Value:
        """One of two values."""
        (truth, first, second), wide, level = self.alike((condition, yes, no))
        operands = ", ".join(f"{self.type(item)} {item.name}" for item in (truth, first, second))
        return self.make(f"select {operands}", first.kind, wide=wide, level=level)

    def convert(self, instruction: str, value: Value, kind: Kind) -> Value:
        """Convert a value to another kind."""
        to = self.types.of(kind, wide=value.wide)
        return self.make(
            f"{instruction} {self.type(value)} {value.name} to {to}", kind, wide=value.wide, level=value.level
        )

    def call(self, function: str, name: str, arguments: Iterable[Operand]) -> Value:
        """A call of a mathematical function of real numbers."""
        found, wide, level = self.alike(arguments)
        if function:
            self.functions.add((function, self.types.lanes if wide else 1))
        kind = self.types.of("real", wide=wide)
        text = f"call {kind} {name}({', '.join(f'{kind} {value.name}' for value in found)})"
        return self.make(text, "real", wide=wide, level=level)

    # Memory ------------------------------------------------------------------------------------------------------

    def at(self, base: str, index: Value, kind: str = "", *, inside: bool = True) -> str:
        """Address of a number in memory."""
        word = "getelementptr inbounds" if inside else "getelementptr"
        text = f"{word} {kind or 'double'}, ptr {base}, i64 {index.name}"
        return self.make(text, "integer", wide=False, level=index.level).name

    def load(self, place: str, kind: Kind = "real", *, wide: bool = False, level: int = 0, align: int = 0) -> Value:
        """Load the value at an address; alignment defaults to that of a number."""
        aligned = f", align {min(align or REAL_BYTES, 64)}" if kind == "real" else ""
        text = f"load {self.types.of(kind, wide=wide)}, ptr {place}{aligned}"
        return self.make(text, kind, wide=wide, level=level)

    def store(self, value: Value, place: str, *, level: int = 0, align: int = 0) -> None:
        """Write a number to an address."""
        align = min(align or REAL_BYTES, 64)
        self.put(level, f"store {self.type(value)} {value.name}, ptr {place}, align {align}")

    def copy(self, to: str, start: str, numbers: int) -> None:
        """Copy numbers from one address to another."""
        size = numbers * REAL_BYTES
        self.put(0, f"call void @llvm.memcpy.p0.p0.i64(ptr {to}, ptr {start}, i64 {size}, i1 false)")

    # Basic blocks, of functions without levels -------------------------------------------------------------------

    def label(self, block: str) -> None:
        """Begin a block."""
        self.put(0, f"{block}:")

    def jump(self, block: str) -> None:
        """End a block: jump to another."""
        self.put(0, f"br label %{block}")

    def branch(self, condition: str, block: str, otherwise: str) -> None:
        """End a block: branch to one of two blocks."""
        self.put(0, f"br i1 {condition}, label %{block}, label %{otherwise}")

    @contextmanager
    def loop(self, count: int | str, *, step: int = 1, counter: str = "") -> Iterator[Value]:
        """A loop with a counter from zero to below a count, which must not be zero."""
        self._loops += 1
        label = f"{self.prefix}L{self._loops}"
        counter = counter or f"%{label}.i"
        self.jump(f"{label}.in")
        self.label(f"{label}.in")
        self.jump(label)
        self.label(label)
        self.put(0, f"{counter} = phi i64 [ 0, %{label}.in ], [ %{label}.j, %{label}.next ]")
        yield self.named(counter)
        self.jump(f"{label}.next")
        self.label(f"{label}.next")
        self.put(0, f"%{label}.j = add nuw nsw i64 {counter}, {step}")
        self.put(0, f"%{label}.m = icmp ult i64 %{label}.j, {count}")
        self.branch(f"%{label}.m", label, f"{label}.out")
        self.label(f"{label}.out")

    # Short tables, which AVX-512 reads by permuting registers: one instruction for eight or sixteen numbers --------

    def permuted(self, numbers: Sequence[float], place: Value) -> Value:
        """Look up eight or sixteen numbers, at the index in the low bits of each lane of ``place``."""
        parts = [self._part(numbers, place, first) for first in range(0, self.types.lanes, REGISTER)]
        count = REGISTER
        while len(parts) > 1:
            count *= 2
            pairs = zip(parts[::2], parts[1::2], strict=True)
            parts = [self.shuffled(f"<{count // 2} x double>", left, right, range(count)) for left, right in pairs]
        return parts[0]

    def _part(self, numbers: Sequence[float], place: Value, first: int) -> Value:
        own = self.shuffled(self.type(place), place, place, range(first, first + REGISTER))
        low, *high = (f"<{reals_literal(numbers[at : at + REGISTER])}>" for at in range(0, len(numbers), REGISTER))
        name = "@llvm.x86.avx512.vpermi2var.pd.512" if high else "@llvm.x86.avx512.permvar.df.512"
        real, whole = f"<{REGISTER} x double>", f"<{REGISTER} x i64>"
        types = [real, whole, *[real for _ in high]]
        self.intrinsics[name] = f"declare {real} {name}({', '.join(types)})"
        arguments = ", ".join(f"{kind} {item}" for kind, item in zip(types, [low, own.name, *high], strict=True))
        return self.make(f"call {real} {name}({arguments})", "real", wide=True, level=place.level)

    def shuffled(self, kind: str, left: Value, right: Value, order: Iterable[int]) -> Value:
        """Lanes selected from two vectors of the same type."""
        places = [f"i32 {lane}" for lane in order]
        text = f"shufflevector {kind} {left.name}, {kind} {right.name}, <{len(places)} x i32> <{', '.join(places)}>"
        return self.make(text, left.kind, wide=True, level=left.level)


# Length of the tables that `Instructions.pick` reads.
PLACES = 16


def bits_of(value: float) -> int:
    """Bits of a double precision number as an integer."""
    return int(struct.unpack("<Q", struct.pack("<d", value))[0])


def float_of(bits: int) -> float:
    """The double precision number that has the given bits."""
    return float(struct.unpack("<d", struct.pack("<Q", bits))[0])


def vector_type(lanes: int) -> str:
    """Spelling of the type of a vector of real numbers; one lane is the scalar itself."""
    return "double" if lanes == 1 else f"<{lanes} x double>"


def function_name(function: str, lanes: int) -> str:
    """Name in the generated code of a mathematical function of this package."""
    return f"@gs_{function}_v{lanes}f64"


@dataclass(slots=True)
class Instructions(Writer):
    """The instructions of one function; a vector of one lane is a scalar."""

    blocks: int = field(default=0)  # number of blocks so far; zero for a function without branches

    @property
    def fuses(self) -> bool:
        """Whether there is a fused multiply-add."""
        return self.types.fused

    def argument(self, name: str) -> Value:
        """The argument of the function with the given name."""
        return self.named(name, "real", wide=self.types.lanes > 1)

    def intrinsic(self, name: str, *arguments: Operand) -> Value:
        """Call an LLVM intrinsic on real numbers."""
        found, wide, _ = self.alike(arguments)
        kind = self.types.of("real", wide=wide)
        full = f"@llvm.{name}.{f'v{self.types.lanes}f64' if wide else 'f64'}"
        self.intrinsics[full] = f"declare {kind} {full}({', '.join([kind] * len(arguments))})"
        return self.call("", full, found)

    def every(self, condition: Value) -> str:
        """Whether a condition is true in every lane, as a scalar."""
        if not condition.wide:
            return condition.name
        kind, name = self.type(condition), f"@llvm.vector.reduce.and.v{self.types.lanes}i1"
        self.intrinsics[name] = f"declare i1 {name}({kind})"
        return self.make(f"call i1 {name}({kind} {condition.name})", "truth", wide=False, level=0).name

    def result_of(self, function: str, *arguments: Value) -> Value:
        """Call another mathematical function of this package."""
        return self.call(function, function_name(function, self.types.lanes), arguments)

    def label(self, block: str) -> None:
        """Begin a block; the first also contains the instructions before it."""
        self.lines[0].insert(len(self.lines[0]) if self.blocks else 0, f"{block}:")
        self.blocks += 1

    def merge(self, *ways: tuple[Value, str]) -> Value:
        """The value from the block that control came from (a phi node)."""
        values, wide, _ = self.alike(value for value, _ in ways)
        found = ", ".join(f"[{value.name}, %{block}]" for value, (_, block) in zip(values, ways, strict=True))
        return self.make(f"phi {self.types.of('real', wide=wide)} {found}", "real", wide=wide, level=0)

    def fused(self, left: Value, right: Operand, addend: Operand) -> Value:
        """Product plus addend, rounded once, or twice on processors without fused multiply-add."""
        if self.fuses:
            return self.intrinsic("fma", left, right, addend)
        return left * right + addend

    def lost(self, left: Value, right: Value, product: Value) -> Value:
        """Rounding error of a product; without fused multiply-add from halves of both numbers (Dekker 1971)."""
        if self.fuses:
            return self.fused(left, right, -product)
        (high, low), (other, rest) = self.halves(left), self.halves(right)
        near = high * other - product
        between = high * rest + low * other
        return near + between + low * rest

    def halves(self, value: Value) -> tuple[Value, Value]:
        """Split a number exactly into its first 26 bits and the rest."""
        high = self.from_bits(self.to_bits(value) & -(2**27))
        return high, value - high

    def to_bits(self, value: Value) -> Value:
        """The bits of a real number as an integer."""
        return self.convert("bitcast", value, "integer")

    def from_bits(self, value: Value) -> Value:
        """The real number that has the given bits."""
        return self.convert("bitcast", value, "real")

    def pick(self, name: str, table: Sequence[float], place: Value) -> Value:
        """Look up a table of sixteen numbers, at the index in the low four bits of each integer."""
        if self.types.permutes and self.types.lanes % REGISTER == 0:
            return self.permuted(table, place)
        values = reals_literal(table)
        self.intrinsics[f"@gs_{name}"] = f"@gs_{name} = private constant [{PLACES} x double] [{values}]"
        place = place & (PLACES - 1)
        if not place.wide:
            return self._read(name, place)
        # Lane by lane: a gather instruction is slower on most processors.
        result, whole, real = "poison", self.type(place), self.types.of("real", wide=True)
        for lane in range(self.types.lanes):
            here = self.make(f"extractelement {whole} {place.name}, i64 {lane}", "integer", wide=False, level=0)
            text = f"insertelement {real} {result}, double {self._read(name, here).name}, i64 {lane}"
            result = self.make(text, "real", wide=True, level=0).name
        return self.named(result, "real", wide=True)

    def _read(self, name: str, place: Value) -> Value:
        return self.load(self.at(f"@gs_{name}", place, "double"))

    def clamp(self, value: Value, lowest: float, highest: float) -> Value:
        """Clip a number to limits; NaN stays NaN."""
        for relation, limit in (("ogt", self.number(highest)), ("olt", self.number(lowest))):
            value = self.select(value.compare(relation, limit), limit, value)
        return value

    def polynomial(self, argument: Value, coefficients: Sequence[float]) -> Value:
        """Evaluate a polynomial, lowest coefficient first, by Estrin's scheme, which has short dependency chains."""
        terms = [self.number(value) for value in coefficients]
        power = argument
        while len(terms) > 3:
            pairs = zip(terms[::2], terms[1::2], strict=False)
            terms = [self.fused(high, power, low) for low, high in pairs] + terms[len(terms) - len(terms) % 2 :]
            power = power * power
        value = terms.pop()
        while terms:
            value = self.fused(value, power, terms.pop())
        return value
