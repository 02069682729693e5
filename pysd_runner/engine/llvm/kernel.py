"""Writes the whole program of a plan: one function that runs blocks of draws from start to end.

The text holds generated names and numbers only, never a name or a comment of a model file.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pysd_runner.engine.ir import (
    ArrayFunction,
    Axis,
    Block,
    Expression,
    ModelIr,
    Random,
    Reference,
    references,
    walk,
)
from pysd_runner.engine.llvm import mathematics
from pysd_runner.engine.llvm.deciding import deciding_divisions
from pysd_runner.engine.llvm.emitter import Types
from pysd_runner.engine.llvm.entries import (
    ARRAYS,
    COUNT,
    FIRST_DRAW,
    HEADER,
    HISTORY,
    IN_STRIDE,
    OUT_STRIDE,
    POSITIONS,
    ROWS,
    SAVED,
    SEED,
    SHARES,
    STEPS,
    TIMES,
)
from pysd_runner.engine.llvm.frame import Frame
from pysd_runner.engine.llvm.hoisting import Hoisting
from pysd_runner.engine.llvm.items import Item, Temporaries, items_of, update_items, value_items
from pysd_runner.engine.llvm.layout import Layout, Slot
from pysd_runner.engine.llvm.nest_code import NestCode
from pysd_runner.engine.llvm.outcomes import shared_out
from pysd_runner.engine.llvm.pipes import after_start
from pysd_runner.engine.llvm.programs import ArrayCall, Input, Recipe, Signature
from pysd_runner.engine.llvm.schedule import Nest, Shape, nests_of
from pysd_runner.engine.order import Plan, at_start, running
from pysd_runner.errors import UnsupportedFeature

# A shorter axis is not worth a vector.
SHORTEST = 4


def write_kernel(plan: Plan, recipe: Recipe) -> tuple[Signature, str]:
    """Write the program of a plan.

    Parameters
    ----------
    plan
        What to compute, and when.
    recipe
        What is handed over, saved, and how.

    Returns
    -------
    tuple
        How the program is called, and its text.

    Raises
    ------
    UnsupportedFeature
        If an operation cannot be compiled.
    """
    return _Writer(plan, recipe).kernel()


class _Writer:
    def __init__(self, plan: Plan, recipe: Recipe) -> None:
        types, varying = recipe.types, recipe.varying
        self.plan, self.outcomes, self.moving = plan, recipe.outcomes, recipe.moving
        self.given = tuple(name for name in recipe.given if name in plan.used)
        self.over_draws = varying is not None
        wide = _wide(plan, varying) if varying is not None else None
        layout = Layout(types.lanes, types.real_bytes, 1 if self.over_draws else types.lanes)
        self.frame = Frame(plan.model, types, layout, wide)
        self.types = types
        self.copies: dict[str, str] = {}

    def kernel(self) -> tuple[Signature, str]:
        """How the program is called, and its text."""
        before, start, step, saved = self._phases()
        inputs = [Input(name, self._slot(name), name in self.moving) for name in self.given]
        prologue = self._code([*before, *start], "start")
        looked_at = frozenset(read.variable for nest in saved for item in nest.items for read in item.references)
        loop = self._code(step, "step", looked_at)
        saving = self._code(saved, "step")
        outputs = [self._slot(name) for name in self.outcomes]
        text = self._function(inputs, outputs, (prologue, loop, saving))
        arrays = tuple(self._array_call(item) for item in self.frame.arrays)
        signature = Signature(tuple(inputs), tuple(outputs), arrays, self.frame.layout.size, self.frame.pipes)
        return signature, text

    def _array_call(self, item: Item) -> ArrayCall:
        call = item.expression
        if not isinstance(call, ArrayFunction):
            raise UnsupportedFeature(f"array function {item.text!r}")
        arguments = tuple(self._slot(part.variable) for part in call.arguments if isinstance(part, Reference))
        core = tuple(len(axes) for axes in call.core)
        return ArrayCall(call.name, arguments, core, self._slot(item.target))

    # What is computed when ---------------------------------------------------------------------------------------

    def _phases(self) -> tuple[list[Nest], list[Nest], list[Nest], list[Nest]]:
        plan, temporaries = self.plan, self.frame.temporaries
        still = {item.variable for item in plan.invariant} | {name for name in self.given if name not in self.moving}
        hoisting = Hoisting(frozenset(still), temporaries, deciding_divisions(plan))
        dynamic = items_of(plan.model, plan.dynamic, temporaries, lambda block: hoisting.of(block.expression))
        dynamic += update_items(plan, temporaries, hoisting.of)
        pipes = _Pipes(plan, temporaries)
        dynamic = pipes.linked(dynamic)
        invariant = items_of(plan.model, plan.invariant, temporaries, running)
        for reference, expression in hoisting.hoisted.items():
            invariant += value_items(reference.variable, reference.index, expression, temporaries)
        starting = items_of(plan.model, plan.starting, temporaries, at_start) + pipes.starting
        copies = {name: temporaries.new(plan.model.variables[name].dims).variable for name in plan.stocks}
        if self.frame.wide is not None:
            self.frame.wide |= {copy for name, copy in copies.items() if name in self.frame.wide}
        shares = shared_out(dynamic, plan.stocks, copies)
        self.copies = shares.copies
        before, start = self._scheduled(invariant), self._scheduled(starting)
        return before, start, self._scheduled(list(shares.always)), self._scheduled(list(shares.saved))

    def _scheduled(self, items: list[Item]) -> list[Nest]:
        nests = nests_of(items, self._shape, self.frame.temporaries)
        if self.frame.wide is not None:
            self.frame.wide = self.frame.wide | _wide_temporaries(self.frame, nests)
        return nests

    def _shape(self, item: Item) -> Shape:
        lengths = tuple(self.frame.length_of(item, loop) for loop in range(len(item.loops)))
        if self.over_draws or item.task in ("push", "array"):
            return Shape(lengths)
        return Shape(lengths, self._lane(item, lengths))

    def _lane(self, item: Item, lengths: tuple[int, ...]) -> int | None:
        """Which loop runs over the lanes: the last, or for a reduction the one that most of what is read lies along."""
        if not lengths:
            return None
        if item.task == "reduce":
            along = [item.loops.index(label) for label in map(_last_label, item.references) if label is not None]
            best = max(range(len(lengths)), key=lambda loop: (along.count(loop), loop))
            return best if lengths[best] >= SHORTEST else None
        last = item.index[-1]
        whole = isinstance(last, Axis) and last.positions is None
        return len(lengths) - 1 if whole and lengths[-1] >= SHORTEST else None

    def _code(self, nests: list[Nest], phase: str, looked_at: frozenset[str] = frozenset()) -> list[str]:
        self.frame.phase = phase
        readers: dict[str, set[int]] = {}
        writers: dict[str, set[int]] = {}
        for number, nest in enumerate(nests):
            for item in nest.items:
                writers.setdefault(item.target, set()).add(number)
                for read in item.references:
                    readers.setdefault(read.variable, set()).add(number)
        lines: list[str] = []
        kept = self._kept_anyway(phase) | looked_at
        for nest in nests:

            def stored(name: str) -> bool:
                return name in kept or len(readers.get(name, set()) | writers[name]) > 1

            lines += NestCode(self.frame, nest, stored).text()
        return lines

    def _kept_anyway(self, phase: str) -> frozenset[str]:
        """Names whose values are needed beyond the phase they are computed in."""
        model = self.plan.model
        lasting = {name for name, item in model.variables.items() if item.kind == "initial"}
        lasting |= {*self.plan.stocks, *self.outcomes}
        if phase == "start":
            lasting |= {item.variable for item in self.plan.invariant} | set(self.frame.temporaries.shapes)
        return frozenset(lasting)

    # The function ------------------------------------------------------------------------------------------------

    def _slot(self, name: str) -> Slot:
        return self.frame.layout.add(name, self.frame.dims(name), wide=self.frame.is_wide(name))

    def _function(self, inputs: list[Input], outputs: list[Slot], code: tuple[list[str], list[str], list[str]]) -> str:
        prologue, loop, saving = code
        text = _Text(self.types, self.over_draws)
        text.opening(self.frame.pipes)
        text.copies(inputs)
        text.lines += prologue
        text.step_opening(inputs)
        stocks = [place for place, name in enumerate(self.outcomes) if name in self.plan.stocks]
        others = [place for place in range(len(outputs)) if place not in stocks]
        base = HEADER + 2 * len(inputs)
        copies = [(self._slot(name), self._slot(copy)) for name, copy in self.copies.items()]
        text.save(outputs, stocks, base, "A", copies=copies)
        text.lines += loop
        text.save(outputs, others, base, "B", first=saving)
        text.closing()
        body = text.lines
        body[1:1] = self.frame.allocas
        functions = sorted(self.frame.functions)
        parts = [
            *self.frame.globals,
            *sorted(self.frame.intrinsics),
            mathematics.declarations(functions),
            "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)",
            "define void @run(ptr noalias %table, ptr noalias %ws, i64 %scenario, i64 %first, i64 %blocks) #0 {",
            *body,
            "}",
            'attributes #0 = { nounwind "prefer-vector-width"="512" "min-legal-vector-width"="512" }',
        ]
        return "\n".join(parts) + "\n"


def _last_label(reference: Reference) -> str | None:
    last = reference.index[-1] if reference.index else None
    return last.label if isinstance(last, Axis) else None


class _Pipes:
    """What a pipe needs besides what flows in: its initial value and how long a value stays, both from the start."""

    def __init__(self, plan: Plan, temporaries: Temporaries) -> None:
        self._model, self._temporaries = plan.model, temporaries
        self.starting: list[Item] = []

    def linked(self, items: list[Item]) -> list[Item]:
        """Work in which every push refers to the beginning of its pipe."""
        seen: dict[str, int] = {}
        found = []
        for item in items:
            if item.task == "push":
                place = seen[item.target] = seen.get(item.target, -1) + 1
                item = replace(item, expression=self._push(item, self._model.variables[item.target].blocks[place]))
            found.append(item)
        return found

    def _push(self, item: Item, block: Block) -> Expression:
        initial, delay = (self._kept(part, item) for part in (block.initial, block.delay))
        return after_start(item.expression, initial, delay)

    def _kept(self, expression: Expression | None, item: Item) -> Reference:
        if expression is None:
            raise UnsupportedFeature("a pipe without a beginning")
        place = self._temporaries.new(item.loops)
        self.starting += value_items(place.variable, place.index, expression, self._temporaries)
        return place


def _parts(model: ModelIr, name: str) -> Iterable[Expression]:
    for block in model.variables[name].blocks:
        yield block.expression
        for part in (block.initial, block.delay):
            if part is not None:
                yield part


def _wide(plan: Plan, varying: frozenset[str]) -> frozenset[str]:
    """Variables that differ between draws: those handed over so, and all that depend on one."""
    wide = set(varying)
    computed = {item.variable for item in (*plan.invariant, *plan.starting, *plan.dynamic)} | set(plan.stocks)
    parts = {name: list(_parts(plan.model, name)) for name in computed}
    needs = {name: frozenset().union(*(references(part) for part in found)) for name, found in parts.items()}
    for name, found in parts.items():
        if any(isinstance(item, Random) for part in found for item in walk(part)):
            wide.add(name)
    grown = True
    while grown:
        more = {name for name, needed in needs.items() if name not in wide and needed & wide}
        wide |= more
        grown = bool(more)
    return frozenset(wide)


def _wide_temporaries(frame: Frame, nests: Iterable[Nest]) -> set[str]:
    found: set[str] = set()
    for nest in nests:
        for item in nest.items:
            if item.target not in frame.temporaries.shapes:
                continue
            wide = any(frame.is_wide(read.variable) or read.variable in found for read in item.references)
            if wide or any(isinstance(part, Random) for part in walk(item.expression)):
                found.add(item.target)
    return found


class _Text:
    """The frame of the function around its loop nests."""

    def __init__(self, types: Types, over_draws: bool) -> None:
        self.types, self.over_draws = types, over_draws
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
        self.entry(HISTORY, "%history", pointer=True)
        self.lines += [f"  %dt0 = load {self.real}, ptr %steps", f"  %pipes = add i64 0, {pipes}"]
        self.entry(SEED, "%seed")
        self.entry(FIRST_DRAW, "%draws")
        self.lines += ["  br label %block", "block:"]
        self.lines.append("  %b = phi i64 [ 0, %entry ], [ %b.next, %block.end ]")
        self.lines.append("  %b.here = add i64 %b, %first")
        self.lines.append(f"  %draw = mul i64 %b.here, {self.types.lanes if self.over_draws else 1}")
        self.lines.append("  store i64 0, ptr %row")
        self.lines.append(f"  %start = load {self.real}, ptr %times")

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

    def step_opening(self, inputs: Sequence[Input]) -> None:
        """The loop over steps."""
        lines = self.lines
        lines += ["  br label %step.in", "step.in:", "  br label %step", "step:"]
        lines.append("  %k = phi i64 [ 0, %step.in ], [ %k.next, %step.go ]")
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
        for place in places:
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
        kind = self.types.of("real", wide=True)
        self._loop(label)
        if slot.wide:
            lines.append(f"  %{label}.fo = mul i64 %{label}.i, {self.types.lanes}")
            lines.append(f"  %{label}.fp = getelementptr inbounds {self.real}, ptr %{label}.from, i64 %{label}.fo")
            align = min(64, self.types.lanes * self.types.real_bytes)
            lines.append(f"  %{label}.value = load {kind}, ptr %{label}.fp, align {align}")
        else:
            one = self._plain_load(label, f"%{label}.from", "v")
            lines.append(f"  %{label}.s1 = insertelement {kind} poison, {self.real} {one}, i64 0")
            mask = f"<{self.types.lanes} x i32> zeroinitializer"
            lines.append(f"  %{label}.value = shufflevector {kind} %{label}.s1, {kind} poison, {mask}")
        lines.append(f"  %{label}.c = add i64 %{label}.cell, %{label}.i")
        lines.append(f"  %{label}.o = mul i64 %{label}.c, %out")
        lines.append(f"  %{label}.d = add i64 %{label}.o, %draw")
        lines.append(f"  %{label}.to = getelementptr {self.real}, ptr %{label}.base, i64 %{label}.d")
        lines.append(f"  store {kind} %{label}.value, ptr %{label}.to, align {self.types.real_bytes}")
        self._end(label, slot.cells)

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
