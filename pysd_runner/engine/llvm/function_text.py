"""Generate the function around the loop nests of a program: loops over draws and steps, inputs, saved outcomes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from pysd_runner.engine.llvm.emitter import REAL_BYTES, Types, Value, Writer
from pysd_runner.engine.llvm.signature import (
    ARRAYS,
    COUNT,
    FIRST_DRAW,
    HEADER,
    HISTORY,
    IN_STRIDE,
    MAKE_ROOM,
    NEVER,
    OUT_STRIDE,
    POSITIONS,
    RING,
    ROWS,
    SAVED,
    SEED,
    SHARES,
    STEPS,
    TIMES,
    Input,
    Slot,
)

# Maximum number of scalar outcomes saved without a loop: compilation time grows faster than the length of the code.
MAX_UNROLLED = 64

_POINTERS = {
    "%times": TIMES,
    "%steps": STEPS,
    "%saved": SAVED,
    "%arrays": ARRAYS,
    "%positions": POSITIONS,
    "%shares": SHARES,
}
_NUMBERS = {"%count": COUNT, "%in": IN_STRIDE, "%out": OUT_STRIDE, "%rows": ROWS, "%seed": SEED, "%draws": FIRST_DRAW}


class FunctionText:
    """Text of the function around its loop nests."""

    def __init__(self, types: Types, over_draws: bool, integers: Callable[[Sequence[int]], str]) -> None:
        self.types, self.over_draws = types, over_draws
        self.integers = integers  # adds a literal array of integers and returns its name
        self.writer = Writer(types, prefix="f")

    @property
    def lines(self) -> list[str]:
        """Lines of the text so far."""
        return self.writer.lines[0]

    @lines.setter
    def lines(self, lines: list[str]) -> None:
        self.writer.lines[0] = lines

    def _put(self, *lines: str) -> None:
        self.lines.extend(lines)

    def _entry(self, place: int, name: str, kind: str = "i64") -> None:
        """Load an entry of the argument table."""
        self._put(f"{name} = load {kind}, ptr {self.writer.at('%table', self.writer.integer(place), 'i64')}")

    @contextmanager
    def blocks(self, pipes: int) -> Iterator[None]:
        """Load the argument table once, and loop over blocks of draws."""
        self._put("entry:", "%row = alloca i64")
        for name, place in _POINTERS.items():
            self._entry(place, name, "ptr")
        for name, place in _NUMBERS.items():
            self._entry(place, name)
        self._put(f"%never.at = getelementptr inbounds i64, ptr %table, i64 {NEVER}")
        self._put("%dt0 = load double, ptr %steps", f"%pipes = add i64 0, {pipes}")
        with self.writer.loop("%blocks", counter="%b"):
            self._put("%b.here = add i64 %b, %first")
            self._put(f"%draw = mul i64 %b.here, {self.types.lanes if self.over_draws else 1}")
            self._put("store i64 0, ptr %row", "%start = load double, ptr %times")
            yield
        self.writer.jump("end")
        self._put("end:", "ret void")

    def room_for_pipes(self) -> None:
        """Let the caller allocate delay buffers once delays are known; end the program if that fails."""
        # Memory and table are arguments so that LLVM writes the former before the call and reloads the latter after it.
        self._put(f"call void %arrays(i64 {MAKE_ROOM}, ptr %ws, ptr %table)")
        self._entry(HISTORY, "%history", "ptr")
        self._entry(RING, "%ring")
        self._put("%ring.none = icmp eq i64 %ring, 0")
        self.writer.branch("%ring.none", "end", "ring.go")
        self.writer.label("ring.go")

    @contextmanager
    def steps(self, inputs: Sequence[Input], pipes: int) -> Iterator[None]:
        """The loop over steps."""
        with self.writer.loop("%count", counter="%k") as step:
            if pipes:
                self._put("%k.ring = urem i64 %k, %ring")
            for name, base in (("%now", "%times"), ("%dt", "%steps")):
                self._put(f"{name} = load double, ptr {self.writer.at(base, step)}")
            self._put(f"%keep.v = load i8, ptr {self.writer.at('%saved', step, 'i8')}", "%keep = icmp ne i8 %keep.v, 0")
            self._move(inputs, step)
            yield

    # Inputs ------------------------------------------------------------------------------------------------------

    def copies(self, inputs: Sequence[Input]) -> None:
        """Copy all inputs into the working memory; inputs that change over time get their value at the first step."""
        for place in range(len(inputs)):
            self._entry(HEADER + 2 * place, f"%x{place}", "ptr")
            self._entry(HEADER + 2 * place + 1, f"%y{place}")
            shift = self.writer.named("%scenario") * self.writer.named(f"%y{place}")
            self._put(f"%from{place} = getelementptr double, ptr %x{place}, i64 {shift.name}")
        for place, item in enumerate(inputs):
            if not item.moving:
                self._copy(f"%from{place}", item.slot)
        self._move(inputs, self.writer.integer(0))

    def _copy(self, start: str, slot: Slot) -> None:
        if not slot.wide:
            self.writer.copy(self._address(slot), start, slot.cells)
            return
        with self.writer.loop(slot.cells) as cell:
            self._keep(slot, cell, self._handed_over(start, cell, wide=True))

    def _move(self, inputs: Sequence[Input], step: Value) -> None:
        """Set all inputs that change over time to their values at a step."""
        moving = [place for place, item in enumerate(inputs) if item.moving]
        for order, place in enumerate(moving):
            path = step * len(moving) + order
            self._move_one(f"%from{place}", inputs[place].slot, path)

    def _move_one(self, start: str, slot: Slot, path: Value) -> None:
        writer, two = self.writer, path * 2
        moments = [writer.load(writer.at("%positions", two + shift, "i64"), "integer") for shift in (0, 1)]
        now, then = (writer.at(start, moment, inside=False) for moment in moments)
        share = writer.load(writer.at("%shares", path))
        with writer.loop(slot.cells) as cell:
            first, second = (self._handed_over(base, cell, wide=slot.wide) for base in (now, then))
            part = share * (second - first)
            self._keep(slot, cell, first + part)

    def _handed_over(self, base: str, cell: Value, *, wide: bool) -> Value:
        """A cell of an input, or the cells of all lanes."""
        if not wide:
            return self.writer.load(self.writer.at(base, cell))
        place = cell * self.writer.named("%in") + self.writer.named("%draw")
        return self.writer.load(self.writer.at(base, place, inside=False), wide=True)

    # Working memory ----------------------------------------------------------------------------------------------

    def _address(self, slot: Slot, cell: Value | None = None) -> str:
        """Address of a variable, or of one of its cells."""
        offset = self.writer.integer(slot.offset)
        if cell is not None:
            offset = cell * (self.types.lanes if slot.wide else 1) + offset
        return self.writer.at("%ws", offset)

    def _align(self, slot: Slot) -> int:
        return REAL_BYTES * (self.types.lanes if slot.wide else 1)

    def _keep(self, slot: Slot, cell: Value, value: Value) -> None:
        self.writer.store(value, self._address(slot, cell), align=self._align(slot))

    # Outcomes ----------------------------------------------------------------------------------------------------

    def save(
        self,
        outputs: Sequence[Slot],
        places: Sequence[int],
        base: int,
        tag: str,
        *,
        first: Sequence[str] = (),
        copies: Sequence[tuple[Slot, Slot]] = (),
    ) -> None:
        """At steps that are saved, run the code `first`, which only outcomes need, and save the outcomes."""
        self.writer.branch("%keep", f"save{tag}", f"go{tag}")
        self._put(f"save{tag}:", *first)
        for slot, copy in copies:
            start, to = self._address(slot), self._address(copy)
            self.writer.copy(to, start, slot.cells * (self.types.lanes if slot.wide else 1))
        row = self.writer.load("%row", "integer")
        line = self.writer.named("%scenario") * self.writer.named("%rows") + row
        looped: set[int] = set()
        for wide in (False, True):
            single = [place for place in places if outputs[place].cells == 1 and outputs[place].wide is wide]
            if len(single) > MAX_UNROLLED:
                looped |= set(single)
                self._save_each([(base + place, outputs[place]) for place in single], line)
        for place in places:
            if place not in looped:
                self._save(outputs[place], base + place, line)
        if tag == "B":
            self._put(f"store i64 {(row + 1).name}, ptr %row")
        self.writer.jump(f"go{tag}")
        self.writer.label(f"go{tag}")

    def _save(self, slot: Slot, entry: int, line: Value) -> None:
        base = f"%out{entry}"
        self._entry(entry, base, "ptr")
        before = line * slot.cells
        if not self.over_draws:
            self.writer.copy(self.writer.at(base, before, inside=False), self._address(slot), slot.cells)
            return
        with self.writer.loop(slot.cells) as cell:
            value = self.writer.load(self._address(slot, cell), wide=slot.wide, align=self._align(slot))
            self._save_lanes(base, before + cell, value)

    def _save_lanes(self, base: str, cell: Value, value: Value) -> None:
        """Store one number per lane in the array of an outcome."""
        place = cell * self.writer.named("%out") + self.writer.named("%draw")
        self.writer.store(self.writer.splat(value), self.writer.at(base, place, inside=False))

    def _save_each(self, outputs: Sequence[tuple[int, Slot]], line: Value) -> None:
        """Save scalar outcomes in a loop, given by their entries in the argument table."""
        writer, slot = self.writer, outputs[0][1]
        table = self.integers([number for entry, slot in outputs for number in (entry, slot.offset)])
        with writer.loop(len(outputs)) as number:
            two = number * 2
            entry, offset = (writer.load(writer.at(table, two + shift, "i64"), "integer") for shift in (0, 1))
            base = writer.make(f"load ptr, ptr {writer.at('%table', entry, 'i64')}", "integer", wide=False, level=0)
            value = writer.load(writer.at("%ws", offset), wide=slot.wide, align=self._align(slot))
            if self.over_draws:
                self._save_lanes(base.name, line, value)
            else:
                writer.store(value, writer.at(base.name, line, inside=False))
