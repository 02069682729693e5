"""The function around the loop nests of a program: loops over draws and steps, inputs, saved outcomes."""

from collections.abc import Callable, Sequence

from pysd_runner.engine.llvm.emitter import Types
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

# More single numbers than this are saved by a loop over them: the time of compiling grows faster than such code.
MANY = 64


class FunctionText:
    """The frame of the function around its loop nests."""

    def __init__(self, types: Types, over_draws: bool, integers: Callable[[Sequence[int]], str]) -> None:
        self.types, self.over_draws = types, over_draws
        self.integers = integers  # writes a literal array of whole numbers and gives its name
        self.lines: list[str] = []
        self.real = types.real

    def entry(self, place: int, name: str, *, pointer: bool = False) -> None:
        """Read an entry of the table."""
        self.lines.append(f"  {name}.at = getelementptr inbounds i64, ptr %table, i64 {place}")
        self.lines.append(f"  {name} = load {'ptr' if pointer else 'i64'}, ptr {name}.at")

    def opening(self, pipes: int) -> None:
        """What is read from the table once, and the loop over blocks of draws."""
        self.lines.append("entry:")
        self.lines.append("  %row = alloca i64")
        for place, name in ((TIMES, "%times"), (STEPS, "%steps"), (SAVED, "%saved"), (ARRAYS, "%arrays")):
            self.entry(place, name, pointer=True)
        self.entry(POSITIONS, "%positions", pointer=True)
        self.entry(SHARES, "%shares", pointer=True)
        for place, name in ((COUNT, "%count"), (IN_STRIDE, "%in"), (OUT_STRIDE, "%out"), (ROWS, "%rows")):
            self.entry(place, name)
        self.lines += [f"  %dt0 = load {self.real}, ptr %steps", f"  %pipes = add i64 0, {pipes}"]
        self.entry(SEED, "%seed")
        self.entry(FIRST_DRAW, "%draws")
        self.entry(NEVER, "%never")
        self.lines += ["  br label %block", "block:"]
        self.lines.append("  %b = phi i64 [ 0, %entry ], [ %b.next, %block.end ]")
        self.lines.append("  %b.here = add i64 %b, %first")
        self.lines.append(f"  %draw = mul i64 %b.here, {self.types.lanes if self.over_draws else 1}")
        self.lines.append("  store i64 0, ptr %row")
        self.lines.append(f"  %start = load {self.real}, ptr %times")

    def room_for_pipes(self) -> None:
        """Ask for room for what flows into pipes, once the start has said how long they are; else nothing runs."""
        # Memory and table are handed on, so that what the one says is written before and the other is read afterwards.
        self.lines.append(f"  call void %arrays(i64 {MAKE_ROOM}, ptr %ws, ptr %table)")
        self.entry(HISTORY, "%history", pointer=True)
        self.entry(RING, "%ring")
        self.lines.append("  %ring.none = icmp eq i64 %ring, 0")
        self.lines += ["  br i1 %ring.none, label %end, label %ring.go", "ring.go:"]

    def copies(self, inputs: Sequence[Input]) -> None:
        """Bring everything handed over into the working memory; what moves starts with its first value."""
        for place in range(len(inputs)):
            self.entry(HEADER + 2 * place, f"%x{place}", pointer=True)
            self.entry(HEADER + 2 * place + 1, f"%y{place}")
            self.lines.append(f"  %z{place} = mul i64 %scenario, %y{place}")
            self.lines.append(f"  %from{place} = getelementptr {self.real}, ptr %x{place}, i64 %z{place}")
        numbers = [place for place, item in enumerate(inputs) if item.moving]
        for place, item in enumerate(inputs):
            if not item.moving:
                self._copy(place, item)
        self._move(inputs, numbers, "0", "S")

    def _slot_pointer(self, slot: Slot, name: str) -> None:
        self.lines.append(f"  {name} = getelementptr inbounds {self.real}, ptr %ws, i64 {slot.offset}")

    def _copy(self, place: int, item: Input) -> None:
        self._slot_pointer(item.slot, f"%to{place}")
        if not item.slot.wide:
            size = item.slot.cells * self.types.real_bytes
            self.lines.append(
                f"  call void @llvm.memcpy.p0.p0.i64(ptr %to{place}, ptr %from{place}, i64 {size}, i1 false)"
            )
            return
        label = f"C{place}"
        self._loop(label)
        value = self._wide_load(label, f"%from{place}", "v")
        self._wide_store(label, f"%to{place}", value)
        self._end(label, item.slot.cells)

    def _loop(self, label: str) -> None:
        self.lines += [f"  br label %{label}.in", f"{label}.in:", f"  br label %{label}", f"{label}:"]
        self.lines.append(f"  %{label}.i = phi i64 [ 0, %{label}.in ], [ %{label}.j, %{label} ]")

    def _end(self, label: str, count: int) -> None:
        self.lines.append(f"  %{label}.j = add nuw nsw i64 %{label}.i, 1")
        self.lines.append(f"  %{label}.m = icmp ult i64 %{label}.j, {count}")
        self.lines += [f"  br i1 %{label}.m, label %{label}, label %{label}.out", f"{label}.out:"]

    def _wide_load(self, label: str, base: str, name: str) -> str:
        kind = self.types.of("real", wide=True)
        self.lines.append(f"  %{label}.{name}o = mul i64 %{label}.i, %in")
        self.lines.append(f"  %{label}.{name}d = add i64 %{label}.{name}o, %draw")
        self.lines.append(f"  %{label}.{name}p = getelementptr {self.real}, ptr {base}, i64 %{label}.{name}d")
        self.lines.append(f"  %{label}.{name} = load {kind}, ptr %{label}.{name}p, align {self.types.real_bytes}")
        return f"%{label}.{name}"

    def _wide_store(self, label: str, base: str, value: str) -> None:
        kind = self.types.of("real", wide=True)
        self.lines.append(f"  %{label}.so = mul i64 %{label}.i, {self.types.lanes}")
        self.lines.append(f"  %{label}.sp = getelementptr inbounds {self.real}, ptr {base}, i64 %{label}.so")
        align = min(64, self.types.lanes * self.types.real_bytes)
        self.lines.append(f"  store {kind} {value}, ptr %{label}.sp, align {align}")

    def _move(self, inputs: Sequence[Input], numbers: Sequence[int], step: str, tag: str) -> None:
        """Values at this step of everything that changes over time."""
        for order, place in enumerate(numbers):
            self._moved(inputs[place], place, f"{tag}{place}", f"{order}, {len(numbers)}, {step}")

    def _moved(self, item: Input, place: int, label: str, which: str) -> None:
        order, paths, step = which.split(", ")
        slot, lines = item.slot, self.lines
        lines.append(f"  %{label}.r = mul i64 {step}, {paths}")
        lines.append(f"  %{label}.q = add i64 %{label}.r, {order}")
        lines.append(f"  %{label}.two = mul i64 %{label}.q, 2")
        for moment, shift in (("now", 0), ("then", 1)):
            lines.append(f"  %{label}.{moment}q = add i64 %{label}.two, {shift}")
            lines.append(f"  %{label}.{moment}p = getelementptr inbounds i64, ptr %positions, i64 %{label}.{moment}q")
            lines.append(f"  %{label}.{moment}o = load i64, ptr %{label}.{moment}p")
            lines.append(f"  %{label}.{moment} = getelementptr {self.real}, ptr %from{place}, i64 %{label}.{moment}o")
        lines.append(f"  %{label}.hp = getelementptr inbounds {self.real}, ptr %shares, i64 %{label}.q")
        lines.append(f"  %{label}.share = load {self.real}, ptr %{label}.hp")
        self._slot_pointer(slot, f"%{label}.to")
        self._loop(label)
        if slot.wide:
            first = self._wide_load(label, f"%{label}.now", "a")
            second = self._wide_load(label, f"%{label}.then", "b")
        else:
            first, second = (self._plain_load(label, f"%{label}.{moment}", moment[0]) for moment in ("now", "then"))
        kind = self.types.of("real", wide=slot.wide)
        share = f"%{label}.share"
        if slot.wide:
            lines.append(f"  %{label}.s1 = insertelement {kind} poison, {self.real} {share}, i64 0")
            lanes = self.types.lanes
            mask = f"<{lanes} x i32> zeroinitializer"
            lines.append(f"  %{label}.s2 = shufflevector {kind} %{label}.s1, {kind} poison, {mask}")
            share = f"%{label}.s2"
        lines.append(f"  %{label}.gap = fsub {kind} {second}, {first}")
        lines.append(f"  %{label}.part = fmul {kind} {share}, %{label}.gap")
        lines.append(f"  %{label}.value = fadd {kind} {first}, %{label}.part")
        if slot.wide:
            self._wide_store(label, f"%{label}.to", f"%{label}.value")
        else:
            lines.append(f"  %{label}.sp = getelementptr inbounds {self.real}, ptr %{label}.to, i64 %{label}.i")
            lines.append(f"  store {kind} %{label}.value, ptr %{label}.sp")
        self._end(label, slot.cells)

    def _plain_load(self, label: str, base: str, name: str) -> str:
        self.lines.append(f"  %{label}.{name}p = getelementptr inbounds {self.real}, ptr {base}, i64 %{label}.i")
        self.lines.append(f"  %{label}.{name} = load {self.real}, ptr %{label}.{name}p")
        return f"%{label}.{name}"

    def step_opening(self, inputs: Sequence[Input], pipes: int) -> None:
        """The loop over steps."""
        lines = self.lines
        lines += ["  br label %step.in", "step.in:", "  br label %step", "step:"]
        lines.append("  %k = phi i64 [ 0, %step.in ], [ %k.next, %step.go ]")
        if pipes:
            lines.append("  %k.ring = urem i64 %k, %ring")
        for name, base in (("now", "times"), ("dt", "steps")):
            lines.append(f"  %{name}.p = getelementptr inbounds {self.real}, ptr %{base}, i64 %k")
            lines.append(f"  %{name} = load {self.real}, ptr %{name}.p")
        lines.append("  %keep.p = getelementptr inbounds i8, ptr %saved, i64 %k")
        lines.append("  %keep.v = load i8, ptr %keep.p")
        lines.append("  %keep = icmp ne i8 %keep.v, 0")
        self._move(inputs, [place for place, item in enumerate(inputs) if item.moving], "%k", "M")

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
        """Keep outcomes where the step is one that is saved, once what only they need is computed."""
        lines = self.lines
        lines += [f"  br i1 %keep, label %save{tag}, label %go{tag}", f"save{tag}:", *first]
        for number, (slot, copy) in enumerate(copies):
            self._slot_pointer(slot, f"%K{number}.from")
            self._slot_pointer(copy, f"%K{number}.to")
            size = slot.cells * (self.types.lanes if slot.wide else 1) * self.types.real_bytes
            copied = f"ptr %K{number}.to, ptr %K{number}.from, i64 {size}, i1 false"
            lines.append(f"  call void @llvm.memcpy.p0.p0.i64({copied})")
        lines.append(f"  %r{tag}0 = load i64, ptr %row")
        lines.append(f"  %r{tag}1 = mul i64 %scenario, %rows")
        lines.append(f"  %r{tag}2 = add i64 %r{tag}1, %r{tag}0")
        looped: set[int] = set()
        for wide in (False, True):
            single = [place for place in places if outputs[place].cells == 1 and outputs[place].wide is wide]
            if len(single) > MANY:
                looped |= set(single)
                self._save_each([(base + place, outputs[place]) for place in single], f"L{tag}{wide:d}", f"%r{tag}2")
        for place in places:
            if place not in looped:
                self._save(outputs[place], place, base + place, f"%r{tag}2")
        if tag == "B":
            lines.append("  %row.next = add i64 %rB0, 1")
            lines.append("  store i64 %row.next, ptr %row")
        lines += [f"  br label %go{tag}", f"go{tag}:"]

    def _save(self, slot: Slot, place: int, entry: int, row: str) -> None:
        label, lines = f"O{place}", self.lines
        self.entry(entry, f"%{label}.base", pointer=True)
        lines.append(f"  %{label}.cell = mul i64 {row}, {slot.cells}")
        self._slot_pointer(slot, f"%{label}.from")
        if not self.over_draws:
            lines.append(f"  %{label}.to = getelementptr {self.real}, ptr %{label}.base, i64 %{label}.cell")
            size = slot.cells * self.types.real_bytes
            lines.append(
                f"  call void @llvm.memcpy.p0.p0.i64(ptr %{label}.to, ptr %{label}.from, i64 {size}, i1 false)"
            )
            return
        self._loop(label)
        if slot.wide:
            lines.append(f"  %{label}.fo = mul i64 %{label}.i, {self.types.lanes}")
            lines.append(f"  %{label}.fp = getelementptr inbounds {self.real}, ptr %{label}.from, i64 %{label}.fo")
        else:
            lines.append(f"  %{label}.fp = getelementptr inbounds {self.real}, ptr %{label}.from, i64 %{label}.i")
        lines.append(f"  %{label}.c = add i64 %{label}.cell, %{label}.i")
        self._save_lanes(label, slot.wide, f"%{label}.c")
        self._end(label, slot.cells)

    def _save_lanes(self, label: str, wide: bool, cell: str) -> None:
        """Write one number of every lane to its place."""
        kind, lines = self.types.of("real", wide=True), self.lines
        if wide:
            align = min(64, self.types.lanes * self.types.real_bytes)
            lines.append(f"  %{label}.value = load {kind}, ptr %{label}.fp, align {align}")
        else:
            lines.append(f"  %{label}.v = load {self.real}, ptr %{label}.fp")
            lines.append(f"  %{label}.s1 = insertelement {kind} poison, {self.real} %{label}.v, i64 0")
            mask = f"<{self.types.lanes} x i32> zeroinitializer"
            lines.append(f"  %{label}.value = shufflevector {kind} %{label}.s1, {kind} poison, {mask}")
        lines.append(f"  %{label}.o = mul i64 {cell}, %out")
        lines.append(f"  %{label}.d = add i64 %{label}.o, %draw")
        lines.append(f"  %{label}.to = getelementptr {self.real}, ptr %{label}.base, i64 %{label}.d")
        lines.append(f"  store {kind} %{label}.value, ptr %{label}.to, align {self.types.real_bytes}")

    def _save_each(self, outputs: Sequence[tuple[int, Slot]], label: str, row: str) -> None:
        """Keep outcomes of one number each, given by their entries in the table of the call."""
        table = self.integers([number for entry, slot in outputs for number in (entry, slot.offset)])
        lines = self.lines
        self._loop(label)
        lines.append(f"  %{label}.two = mul i64 %{label}.i, 2")
        lines.append(f"  %{label}.ep = getelementptr inbounds i64, ptr {table}, i64 %{label}.two")
        lines.append(f"  %{label}.e = load i64, ptr %{label}.ep")
        lines.append(f"  %{label}.sp = getelementptr inbounds i64, ptr %{label}.ep, i64 1")
        lines.append(f"  %{label}.s = load i64, ptr %{label}.sp")
        lines.append(f"  %{label}.fp = getelementptr inbounds {self.real}, ptr %ws, i64 %{label}.s")
        lines.append(f"  %{label}.base.at = getelementptr inbounds i64, ptr %table, i64 %{label}.e")
        lines.append(f"  %{label}.base = load ptr, ptr %{label}.base.at")
        if self.over_draws:
            self._save_lanes(label, outputs[0][1].wide, row)
        else:
            lines.append(f"  %{label}.v = load {self.real}, ptr %{label}.fp")
            lines.append(f"  %{label}.to = getelementptr {self.real}, ptr %{label}.base, i64 {row}")
            lines.append(f"  store {self.real} %{label}.v, ptr %{label}.to")
        self._end(label, len(outputs))

    def closing(self) -> None:
        """The ends of both loops."""
        self.lines += [
            "  br label %step.go",
            "step.go:",
            "  %k.next = add nuw nsw i64 %k, 1",
            "  %k.more = icmp ult i64 %k.next, %count",
            "  br i1 %k.more, label %step, label %block.end",
            "block.end:",
            "  %b.next = add nuw nsw i64 %b, 1",
            "  %b.more = icmp ult i64 %b.next, %blocks",
            "  br i1 %b.more, label %block, label %end",
            "end:",
            "  ret void",
        ]
