"""Writes the body of one function on vectors as LLVM instructions: every method appends a line and names its result.

Comparisons are ordered: they are false where an argument is no number. Nothing is reassociated or contracted, so that a
value does not depend on the number of lanes it is computed in.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

# Numbers in a table that `Instructions.pick` reads, and in a register of 512 bits.
PLACES, REGISTER = 16, 8


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
class Instructions:
    """The instructions of one function."""

    lanes: int  # length of a vector; one for scalars
    scalar: str = "double"
    permutes: bool = False
    fuses: bool = True  # whether there is a fused multiply-add
    lines: list[str] = field(default_factory=list)  # the text so far
    intrinsics: dict[str, str] = field(default_factory=dict)
    called: list[str] = field(default_factory=list)  # functions of this package that are called
    blocks: int = 0  # how many blocks were begun; a function without branches needs none

    @property
    def real(self) -> str:
        """Type of a vector of real numbers."""
        return vector_type(self.scalar, self.lanes)

    @property
    def integer(self) -> str:
        """Type of a vector of integers as long as a double precision number."""
        return vector_type("i64", self.lanes)

    @property
    def truth(self) -> str:
        """Type of a vector of truths."""
        return vector_type("i1", self.lanes)

    def _result(self, text: str) -> str:
        name = f"%r{len(self.lines)}"
        self.lines.append(f"{name} = {text}")
        return name

    def _splat(self, scalar: str, text: str) -> str:
        return text if self.lanes == 1 else f"splat ({scalar} {text})"

    def number(self, value: float) -> str:
        """A literal, the same in every lane; in single precision it must be exact."""
        return self._splat(self.scalar, f"0x{bits_of(value):016X}")

    def bits(self, value: int) -> str:
        """An integer literal, the same in every lane."""
        return self._splat("i64", str(value % 2**64))

    def binary(self, operation: str, left: str, right: str) -> str:
        """Two real numbers to one: fadd, fsub, fmul, fdiv or frem."""
        return self._result(f"{operation} {self.real} {left}, {right}")

    def add(self, left: str, right: str) -> str:
        """Sum."""
        return self.binary("fadd", left, right)

    def subtract(self, left: str, right: str) -> str:
        """Difference."""
        return self.binary("fsub", left, right)

    def multiply(self, left: str, right: str) -> str:
        """Product."""
        return self.binary("fmul", left, right)

    def divide(self, left: str, right: str) -> str:
        """Quotient."""
        return self.binary("fdiv", left, right)

    def negative(self, value: str) -> str:
        """The number with the other sign."""
        return self._result(f"fneg {self.real} {value}")

    def intrinsic(self, name: str, *arguments: str) -> str:
        """Real numbers to a real number through one of LLVM's own functions."""
        suffix = {"double": "f64", "float": "f32"}[self.scalar]
        full = f"@llvm.{name}.{suffix if self.lanes == 1 else f'v{self.lanes}{suffix}'}"
        self.intrinsics[full] = f"declare {self.real} {full}({', '.join([self.real] * len(arguments))})"
        return self._result(f"call {self.real} {full}({', '.join(f'{self.real} {item}' for item in arguments)})")

    def every(self, condition: str) -> str:
        """Whether a truth holds in every lane, one truth for all."""
        if self.lanes == 1:
            return condition
        name = f"@llvm.vector.reduce.and.v{self.lanes}i1"
        self.intrinsics[name] = f"declare i1 {name}({self.truth})"
        return self._result(f"call i1 {name}({self.truth} {condition})")

    def call(self, function: str, *arguments: str) -> str:
        """A real number from another function on the same vectors."""
        self.called.append(function)
        texts = ", ".join(f"{self.real} {item}" for item in arguments)
        return self._result(f"call {self.real} {function_name(function, self.lanes, self.scalar)}({texts})")

    def label(self, block: str) -> None:
        """Begin a block; the first also holds what was written before it."""
        self.lines.insert(len(self.lines) if self.blocks else 0, f"{block}:")
        self.blocks += 1

    def branch(self, condition: str, block: str, otherwise: str) -> None:
        """End a block: go to one block or the other."""
        self.lines.append(f"br i1 {condition}, label %{block}, label %{otherwise}")

    def jump(self, block: str) -> None:
        """End a block: go to another."""
        self.lines.append(f"br label %{block}")

    def merge(self, *ways: tuple[str, str]) -> str:
        """The real number of the block that control came from."""
        return self._result(f"phi {self.real} {', '.join(f'[{value}, %{block}]' for value, block in ways)}")

    def widened(self, value: str) -> str:
        """A single precision number in double precision."""
        return self._result(f"fpext {vector_type('float', self.lanes)} {value} to {self.real}")

    def narrowed(self, value: str) -> str:
        """A double precision number rounded to single precision."""
        return self._result(f"fptrunc {self.real} {value} to {vector_type('float', self.lanes)}")

    def fused(self, left: str, right: str, addend: str) -> str:
        """Product plus addend, rounded once, or twice on a processor that cannot."""
        if self.fuses:
            return self.intrinsic("fma", left, right, addend)
        return self.add(self.multiply(left, right), addend)

    def lost(self, left: str, right: str, product: str) -> str:
        """What rounding lost of a product; without fused multiply-add from halves of both numbers (Dekker 1971)."""
        if self.fuses:
            return self.fused(left, right, self.negative(product))
        (high, low), (other, rest) = self.halves(left), self.halves(right)
        near = self.subtract(self.multiply(high, other), product)
        between = self.add(self.multiply(high, rest), self.multiply(low, other))
        return self.add(self.add(near, between), self.multiply(low, rest))

    def halves(self, value: str) -> tuple[str, str]:
        """A number as the sum of its first 26 bits and the others, exact."""
        high = self.from_bits(self.integers("and", self.to_bits(value), self.bits(-(2**27))))
        return high, self.subtract(value, high)

    def integers(self, operation: str, left: str, right: str) -> str:
        """Two integers to one: add, sub, and, or, shl, lshr."""
        return self._result(f"{operation} {self.integer} {left}, {right}")

    def to_bits(self, value: str) -> str:
        """The bits of a real number as an integer."""
        return self._result(f"bitcast {self.real} {value} to {self.integer}")

    def from_bits(self, value: str) -> str:
        """The real number that has the given bits."""
        return self._result(f"bitcast {self.integer} {value} to {self.real}")

    def pick(self, name: str, table: Sequence[float], place: str) -> str:
        """Real numbers of a table of sixteen, at the places in the low four bits of integers."""
        if self.permutes and self.lanes % REGISTER == 0:
            return self._permuted(table, place)
        values = ", ".join(f"double 0x{bits_of(value):016X}" for value in table)
        self.intrinsics[f"@gs_{name}"] = f"@gs_{name} = private constant [{PLACES} x double] [{values}]"
        place = self.integers("and", place, self.bits(PLACES - 1))
        if self.lanes == 1:
            return self._read(name, place)
        # Gathering in one instruction takes longer on most processors.
        result = "poison"
        for lane in range(self.lanes):
            number = self._read(name, self._result(f"extractelement {self.integer} {place}, i64 {lane}"))
            result = self._result(f"insertelement {self.real} {result}, double {number}, i64 {lane}")
        return result

    def _read(self, name: str, place: str) -> str:
        at = self._result(f"getelementptr inbounds double, ptr @gs_{name}, i64 {place}")
        return self._result(f"load double, ptr {at}")

    def _permuted(self, table: Sequence[float], place: str) -> str:
        """The same register by register; what stands above the low four bits is not looked at."""
        real, whole = vector_type("double", REGISTER), vector_type("i64", REGISTER)
        function = "@llvm.x86.avx512.vpermi2var.pd.512"
        self.intrinsics[function] = f"declare {real} {function}({real}, {whole}, {real})"
        halves = [
            f"<{', '.join(f'double 0x{bits_of(value):016X}' for value in table[at : at + REGISTER])}>"
            for at in (0, REGISTER)
        ]
        parts = []
        for first in range(0, self.lanes, REGISTER):
            own = self._shuffled(self.integer, place, place, range(first, first + REGISTER))
            arguments = f"{real} {halves[0]}, {whole} {own}, {real} {halves[1]}"
            parts.append(self._result(f"call {real} {function}({arguments})"))
        while len(parts) > 1:
            count = 2 * self.lanes // len(parts)
            half = vector_type("double", count // 2)
            pairs = zip(parts[::2], parts[1::2], strict=True)
            parts = [self._shuffled(half, left, right, range(count)) for left, right in pairs]
        return parts[0]

    def _shuffled(self, kind: str, left: str, right: str, order: range) -> str:
        """Some lanes of two vectors."""
        places = ", ".join(f"i32 {lane}" for lane in order)
        return self._result(f"shufflevector {kind} {left}, {kind} {right}, <{len(order)} x i32> <{places}>")

    def compare(self, relation: str, left: str, right: str) -> str:
        """A truth: olt, ole, ogt, oge, oeq, ord (both are numbers), or une (true where an argument is no number)."""
        return self._result(f"fcmp {relation} {self.real} {left}, {right}")

    def below(self, left: str, right: str) -> str:
        """A truth: whether an integer is below another, both counted without a sign."""
        return self._result(f"icmp ult {self.integer} {left}, {right}")

    def both(self, left: str, right: str) -> str:
        """Whether two truths hold."""
        return self._result(f"and {self.truth} {left}, {right}")

    def either(self, left: str, right: str) -> str:
        """Whether one of two truths holds."""
        return self._result(f"or {self.truth} {left}, {right}")

    def choose(self, condition: str, value: str, otherwise: str) -> str:
        """One real number or the other."""
        return self._result(f"select {self.truth} {condition}, {self.real} {value}, {self.real} {otherwise}")

    def clamp(self, value: str, lowest: float, highest: float) -> str:
        """The nearest number within limits; what is no number stays so."""
        for relation, limit in (("ogt", self.number(highest)), ("olt", self.number(lowest))):
            value = self.choose(self.compare(relation, value, limit), limit, value)
        return value

    def choose_bits(self, condition: str, value: str, otherwise: str) -> str:
        """One integer or the other."""
        return self._result(f"select {self.truth} {condition}, {self.integer} {value}, {self.integer} {otherwise}")

    def polynomial(self, argument: str, coefficients: Sequence[float]) -> str:
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
