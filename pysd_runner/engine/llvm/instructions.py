"""Writes the body of one function on vectors as LLVM instructions: every method appends a line and gives its result.

Comparisons are ordered: they are false where an argument is no number. Nothing is reassociated or contracted, so that a
value does not depend on the number of lanes it is computed in.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from pysd_runner.engine.llvm.emitter import REGISTER, Value, Writer

# Numbers in a table that `Instructions.pick` reads.
PLACES = 16


def bits_of(value: float) -> int:
    """Bits of a double precision number."""
    return int(struct.unpack("<Q", struct.pack("<d", value))[0])


def float_of(bits: int) -> float:
    """The double precision number that has the given bits."""
    return float(struct.unpack("<d", struct.pack("<Q", bits))[0])


def vector_type(scalar: str, lanes: int) -> str:
    """Spelling of a vector type; one lane is the scalar itself."""
    return scalar if lanes == 1 else f"<{lanes} x {scalar}>"


def function_name(function: str, lanes: int, scalar: str) -> str:
    """Name of a function of this package in the generated code."""
    return f"@gs_{function}_v{lanes}{'f64' if scalar == 'double' else 'f32'}"


@dataclass(slots=True)
class Instructions(Writer):
    """The instructions of one function; a vector of one lane is a scalar."""

    blocks: int = field(default=0)  # how many blocks were begun; a function without branches needs none

    @property
    def fuses(self) -> bool:
        """Whether there is a fused multiply-add."""
        return self.types.fused

    def argument(self, name: str) -> Value:
        """What the function is handed under a name."""
        return Value(name, "real", self.types.lanes > 1, 0)

    def bits(self, value: int) -> Value:
        """An integer literal."""
        return self.integer(value % 2**64)

    def add(self, left: Value, right: Value) -> Value:
        """Sum."""
        return self.binary("fadd", left, right)

    def subtract(self, left: Value, right: Value) -> Value:
        """Difference."""
        return self.binary("fsub", left, right)

    def multiply(self, left: Value, right: Value) -> Value:
        """Product."""
        return self.binary("fmul", left, right)

    def divide(self, left: Value, right: Value) -> Value:
        """Quotient."""
        return self.binary("fdiv", left, right)

    def negative(self, value: Value) -> Value:
        """The number with the other sign."""
        return self.unary("fneg", value)

    def intrinsic(self, name: str, *arguments: Value) -> Value:
        """Real numbers to a real number through one of LLVM's own functions."""
        found, wide, _ = self.alike(arguments)
        suffix, kind = "f64" if self.types.real == "double" else "f32", self.types.of("real", wide=wide)
        full = f"@llvm.{name}.{f'v{self.types.lanes}{suffix}' if wide else suffix}"
        self.intrinsics[full] = f"declare {kind} {full}({', '.join([kind] * len(arguments))})"
        return self.call("", full, found)

    def every(self, condition: Value) -> str:
        """Whether a truth holds in every lane, one truth for all."""
        if not condition.wide:
            return condition.name
        kind, name = self.type(condition), f"@llvm.vector.reduce.and.v{self.types.lanes}i1"
        self.intrinsics[name] = f"declare i1 {name}({kind})"
        return self.make(f"call i1 {name}({kind} {condition.name})", "truth", wide=False, level=0).name

    def result_of(self, function: str, *arguments: Value) -> Value:
        """A real number from another function of this package on the same vectors."""
        return self.call(function, function_name(function, self.types.lanes, self.types.real), arguments)

    def label(self, block: str) -> None:
        """Begin a block; the first also holds what was written before it."""
        self.lines[0].insert(len(self.lines[0]) if self.blocks else 0, f"{block}:")
        self.blocks += 1

    def merge(self, *ways: tuple[Value, str]) -> Value:
        """The real number of the block that control came from."""
        values, wide, _ = self.alike(value for value, _ in ways)
        found = ", ".join(f"[{value.name}, %{block}]" for value, (_, block) in zip(values, ways, strict=True))
        return self.make(f"phi {self.types.of('real', wide=wide)} {found}", "real", wide=wide, level=0)

    def widened(self, value: Value) -> Value:
        """A single precision number in double precision."""
        text = f"fpext {vector_type('float', self.types.lanes)} {value.name} to {self.type(value)}"
        return self.make(text, "real", wide=value.wide, level=0)

    def narrowed(self, value: Value) -> Value:
        """A double precision number rounded to single precision."""
        text = f"fptrunc {self.type(value)} {value.name} to {vector_type('float', self.types.lanes)}"
        return self.make(text, "real", wide=value.wide, level=0)

    def fused(self, left: Value, right: Value, addend: Value) -> Value:
        """Product plus addend, rounded once, or twice on a processor that cannot."""
        if self.fuses:
            return self.intrinsic("fma", left, right, addend)
        return self.add(self.multiply(left, right), addend)

    def lost(self, left: Value, right: Value, product: Value) -> Value:
        """What rounding lost of a product; without fused multiply-add from halves of both numbers (Dekker 1971)."""
        if self.fuses:
            return self.fused(left, right, self.negative(product))
        (high, low), (other, rest) = self.halves(left), self.halves(right)
        near = self.subtract(self.multiply(high, other), product)
        between = self.add(self.multiply(high, rest), self.multiply(low, other))
        return self.add(self.add(near, between), self.multiply(low, rest))

    def halves(self, value: Value) -> tuple[Value, Value]:
        """A number as the sum of its first 26 bits and the others, exact."""
        high = self.from_bits(self.binary("and", self.to_bits(value), self.bits(-(2**27))))
        return high, self.subtract(value, high)

    def to_bits(self, value: Value) -> Value:
        """The bits of a real number as an integer."""
        return self.convert("bitcast", value, "integer")

    def from_bits(self, value: Value) -> Value:
        """The real number that has the given bits."""
        return self.convert("bitcast", value, "real")

    def pick(self, name: str, table: Sequence[float], place: Value) -> Value:
        """Real numbers of a table of sixteen, at the places in the low four bits of integers."""
        if self.types.permutes and self.types.lanes % REGISTER == 0:
            return self.permuted(table, place)
        values = ", ".join(f"double 0x{bits_of(value):016X}" for value in table)
        self.intrinsics[f"@gs_{name}"] = f"@gs_{name} = private constant [{PLACES} x double] [{values}]"
        place = self.binary("and", place, self.bits(PLACES - 1))
        if not place.wide:
            return self._read(name, place)
        # Gathering in one instruction takes longer on most processors.
        result, whole, real = "poison", self.type(place), self.types.of("real", wide=True)
        for lane in range(self.types.lanes):
            here = self.make(f"extractelement {whole} {place.name}, i64 {lane}", "integer", wide=False, level=0)
            text = f"insertelement {real} {result}, double {self._read(name, here).name}, i64 {lane}"
            result = self.make(text, "real", wide=True, level=0).name
        return Value(result, "real", True, 0)

    def _read(self, name: str, place: Value) -> Value:
        return self.load(self.at(f"@gs_{name}", place, "double"))

    def compare(self, relation: str, left: Value, right: Value) -> Value:
        """A truth: olt, ole, ogt, oge, oeq, ord (both are numbers), or une (true where an argument is no number)."""
        return self.binary(f"fcmp {relation}", left, right, "truth")

    def below(self, left: Value, right: Value) -> Value:
        """A truth: whether an integer is below another, both counted without a sign."""
        return self.binary("icmp ult", left, right, "truth")

    def both(self, left: Value, right: Value) -> Value:
        """Whether two truths hold."""
        return self.binary("and", left, right)

    def either(self, left: Value, right: Value) -> Value:
        """Whether one of two truths holds."""
        return self.binary("or", left, right)

    def clamp(self, value: Value, lowest: float, highest: float) -> Value:
        """The nearest number within limits; what is no number stays so."""
        for relation, limit in (("ogt", self.number(highest)), ("olt", self.number(lowest))):
            value = self.select(self.compare(relation, value, limit), limit, value)
        return value

    def polynomial(self, argument: Value, coefficients: Sequence[float]) -> Value:
        """Value of a polynomial, lowest coefficient first, by Estrin's scheme: short chains of fused steps."""
        terms = [self.number(value) for value in coefficients]
        power = argument
        while len(terms) > 3:
            pairs = zip(terms[::2], terms[1::2], strict=False)
            terms = [self.fused(high, power, low) for low, high in pairs] + terms[len(terms) - len(terms) % 2 :]
            power = self.multiply(power, power)
        value = terms.pop()
        while terms:
            value = self.fused(value, power, terms.pop())
        return value
