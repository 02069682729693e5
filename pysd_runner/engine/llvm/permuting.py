"""Short tables of numbers read by permuting registers, which AVX-512 does in one instruction for eight or sixteen."""

from pysd_runner.engine.llvm.emitter import Value, Writer
from pysd_runner.engine.llvm.instructions import REGISTER


class Permuting:
    """Reads up to sixteen numbers at places that differ from lane to lane."""

    def __init__(self, writer: Writer, intrinsics: set[str]) -> None:
        self.writer, self.intrinsics = writer, intrinsics

    def pick(self, numbers: tuple[float, ...], place: Value) -> Value:
        """Numbers at the places of all lanes; there are eight or sixteen numbers, and every place is below that."""
        writer, lanes = self.writer, self.writer.types.lanes
        parts = [self._part(numbers, place, first) for first in range(0, lanes, REGISTER)]
        while len(parts) > 1:
            parts = [self._joined(left, right) for left, right in zip(parts[::2], parts[1::2], strict=True)]
        return writer.make(
            f"shufflevector {parts[0][1]} {parts[0][0].name}, {parts[0][1]} poison, {_numbers(range(lanes))}",
            "real",
            wide=True,
            level=place.level,
        )

    def last_reached(self, argument: Value, starts: tuple[float, ...]) -> Value:
        """Place of the last start not above the argument, zero where there is none; starts rise, then are NaN."""
        writer = self.writer
        half = len(starts) // 2
        reached = writer.binary("fcmp oge", argument, writer.number(starts[half]), "truth")
        place = writer.select(reached, writer.integer(half), writer.integer(0))
        while half > 1:
            half //= 2
            further = writer.binary("or", place, writer.integer(half))
            reached = writer.binary("fcmp oge", argument, self.pick(starts, further), "truth")
            place = writer.select(reached, further, place)
        return place

    def _part(self, numbers: tuple[float, ...], place: Value, first: int) -> tuple[Value, str]:
        writer = self.writer
        wide = writer.type(place)
        own = writer.make(
            f"shufflevector {wide} {place.name}, {wide} poison, {_numbers(range(first, first + REGISTER))}",
            "integer",
            wide=True,
            level=place.level,
        )
        low, *high = (self._register(numbers[at : at + REGISTER]) for at in range(0, len(numbers), REGISTER))
        name = "@llvm.x86.avx512.vpermi2var.pd.512" if high else "@llvm.x86.avx512.permvar.df.512"
        real, whole = f"<{REGISTER} x double>", f"<{REGISTER} x i64>"
        types = [real, whole, *[real for _ in high]]
        self.intrinsics.add(f"declare {real} {name}({', '.join(types)})")
        arguments = ", ".join(f"{kind} {item}" for kind, item in zip(types, [low, own.name, *high], strict=True))
        return writer.make(f"call {real} {name}({arguments})", "real", wide=True, level=place.level), real

    def _register(self, numbers: tuple[float, ...]) -> str:
        literals = ", ".join(f"double {self.writer.types.real_literal(item)}" for item in numbers)
        return f"<{literals}>"

    def _joined(self, left: tuple[Value, str], right: tuple[Value, str]) -> tuple[Value, str]:
        count = 2 * int(left[1][1:].split()[0])
        text = f"shufflevector {left[1]} {left[0].name}, {left[1]} {right[0].name}, {_numbers(range(count))}"
        return self.writer.make(text, "real", wide=True, level=left[0].level), f"<{count} x double>"


def _numbers(places: range) -> str:
    return f"<{len(places)} x i32> <{', '.join(f'i32 {place}' for place in places)}>"
