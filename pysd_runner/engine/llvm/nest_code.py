"""Generate the code of one loop nest, with every instruction at the outermost loop level it depends on."""

import operator
from collections.abc import Callable
from typing import Any

from pysd_runner.engine.errors import UnsupportedFeature
from pysd_runner.engine.ir import Expression, Index, Interpolation, Number, Operation, Random, Reference, Table, Time
from pysd_runner.engine.llvm.emitter import REAL_BYTES, Value, Writer
from pysd_runner.engine.llvm.operations import (
    COMPILED,
    OPERATIONS,
    TAKES_TRUTH,
    interpolation,
    largest,
    least,
    push,
    real,
    uniform,
)
from pysd_runner.engine.llvm.schedule import Item, Nest, Place, placed
from pysd_runner.engine.llvm.signature import Frame, Slot, strides_of

_START = {"sum": 0.0, "product": 1.0, "least": float("inf"), "largest": float("-inf")}

_JOIN: dict[str, Callable[[Value, Value], Value]] = {
    "sum": operator.add,
    "product": operator.mul,
    "least": least,
    "largest": largest,
}


class NestCode:
    """Code of one loop nest during its generation."""

    def __init__(self, frame: Frame, nest: Nest, stored: Callable[[str], bool]) -> None:
        self.frame = frame
        self.nest = nest
        self.stored = stored
        self.number = frame.nests
        frame.nests += 1
        self.writer = Writer(frame.types, prefix=f"n{self.number}.")
        self.depth = len(nest.shape.lengths)
        self.writer.lines = [[] for _ in range(self.depth + 1)]
        self.writer.tails = [[] for _ in range(self.depth + 1)]
        self.lane = nest.shape.lane
        self._known: dict[tuple[object, ...], Value] = {}
        self._late: list[Callable[[], None]] = []
        self._labels: tuple[str, ...] = ()

    def text(self) -> list[str]:
        """Instructions of the nest, from its first label to its last block."""
        for item in self.nest.items:
            self._labels = item.loops
            _TASKS[item.task](self, item)
        for store in self._late:
            store()
        self.frame.functions |= self.writer.functions
        self.frame.intrinsics |= self.writer.intrinsics
        return self._assembled()

    def _assembled(self) -> list[str]:
        text = Writer(self.frame.types, prefix=f"N{self.number}")
        self._assemble(text, 0)
        return text.lines[0]

    def _assemble(self, text: Writer, level: int) -> None:
        """Assemble a level: instructions before the inner loop, the loop, and instructions after it."""
        text.lines[0] += self.writer.lines[level]
        if level < self.depth:
            step = self.frame.types.lanes if level == self.lane else 1
            with text.loop(self.nest.shape.lengths[level], step=step, counter=self.counter(level).name):
                self._assemble(text, level + 1)
        text.lines[0] += self.writer.tails[level]

    def counter(self, loop: int) -> Value:
        """Counter of a loop; of its first lane if the loop is vectorised."""
        return self.writer.named(f"%i{self.number}.{loop}", level=loop + 1)

    def places(self, index: tuple[Index, ...]) -> tuple[Place, ...]:
        """An index in which labels are replaced by loop numbers."""
        return placed(index, self._labels)

    # Addresses ---------------------------------------------------------------------------------------------------

    def _scaled(self, loop: int, positions: tuple[int, ...] | None, stride: int) -> Value:
        identity = ("index", loop, positions, stride)
        if identity not in self._known:
            count = self.counter(loop) if positions is None else self._position(loop, positions)
            self._known[identity] = self._times(count, stride)
        return self._known[identity]

    def _position(self, loop: int, positions: tuple[int, ...]) -> Value:
        count = self.counter(loop)
        if consecutive(positions):
            return self._plus(count, positions[0])
        table = self.frame.integers(positions)
        return self.writer.load(self.writer.at(table, count, "i64"), "integer", level=count.level)

    def _times(self, value: Value, factor: int) -> Value:
        if factor == 1:
            return value
        return self.writer.make(f"mul nsw i64 {value.name}, {factor}", "integer", wide=False, level=value.level)

    def _plus(self, value: Value, constant: int) -> Value:
        if constant == 0:
            return value
        return self.writer.make(f"add nsw i64 {value.name}, {constant}", "integer", wide=False, level=value.level)

    def _sum(self, parts: list[Value], constant: int) -> Value:
        if not parts:
            return self.writer.integer(constant)
        parts = sorted(parts, key=lambda part: part.level)
        total = self._plus(parts[0], constant)
        for part in parts[1:]:
            level = max(total.level, part.level)
            total = self.writer.make(f"add nsw i64 {total.name}, {part.name}", "integer", wide=False, level=level)
        return total

    def _split(self, strides: tuple[int, ...], places: tuple[Place, ...]) -> tuple[int, list[Value], list[Any]]:
        """Split a cell index into its constant part, terms of scalar loops, and terms of the vectorised loop."""
        constant, parts, lanes = 0, [], []
        for stride, place in zip(strides, places, strict=True):
            if isinstance(place, int):
                constant += place * stride
            elif place[0] == self.lane:
                lanes.append((place[1], stride))
            else:
                parts.append(self._scaled(place[0], place[1], stride))
        return constant, parts, lanes

    def fetch(self, base: str, offset: int, scale: int, strides: tuple[int, ...], places: tuple[Place, ...]) -> Value:
        """Load one cell, or a vector of cells if lanes run over one of its dimensions."""
        constant, parts, lanes = self._split(strides, places)
        if lanes:
            return self._fetch_lanes(base, offset, constant, parts, lanes)
        index = self._sum([self._times(part, scale) for part in parts], offset + constant * scale)
        wide = scale > 1
        align = scale * REAL_BYTES
        return self.writer.load(self.writer.at(base, index), wide=wide, level=index.level, align=align)

    def _fetch_lanes(self, base: str, offset: int, constant: int, parts: list[Value], lanes: list[Any]) -> Value:
        lane = self.lane or 0
        level = max([lane + 1, *(part.level for part in parts)])
        if len(lanes) == 1 and lanes[0][1] == 1 and consecutive(lanes[0][0]):
            first = lanes[0][0][0] if lanes[0][0] else 0
            index = self._sum([*parts, self.counter(lane)], offset + constant + first)
            return self.writer.load(self.writer.at(base, index), wide=True, level=level)
        total = self.writer.splat(self._sum(parts, offset + constant))
        return self.gather(base, self._plus_lanes(total, lanes))

    def _plus_lanes(self, total: Value, lanes: list[Any]) -> Value:
        """Add the terms of the vectorised loop to a cell index."""
        for positions, stride in lanes:
            scaled = self._lane_positions(positions) * self.writer.splat(self.writer.integer(stride))
            total = total + scaled
        return total

    def _lane_positions(self, positions: tuple[int, ...] | None) -> Value:
        lane = self.lane or 0
        kind = self.frame.types.of("integer", wide=True)
        if positions is None:
            counter = self.counter(lane)
            raw = self.writer.splat(counter) + self.writer.lane_numbers()
            # Lanes beyond the end load the last cell: their results are never stored.
            last = self.writer.splat(self.writer.integer(self.nest.shape.lengths[lane] - 1))
            inside = raw < last
            return self.writer.select(inside, raw, last)
        table = self.frame.integers(positions)
        pointer = self.writer.at(table, self.counter(lane), "i64")
        return self.writer.make(f"load {kind}, ptr {pointer}, align 8", "integer", wide=True, level=lane + 1)

    def gather(self, base: str, index: Value) -> Value:
        """Load numbers at an index, one per lane if the index is a vector."""
        types = self.frame.types
        if not index.wide:
            return self.writer.load(self.writer.at(base, index), level=index.level)
        lanes, level = types.lanes, index.level
        pointers = self.writer.make(
            f"getelementptr double, ptr {base}, {self.writer.type(index)} {index.name}",
            "integer",
            wide=True,
            level=level,
        )
        kind = types.of("real", wide=True)
        name = f"@llvm.masked.gather.v{lanes}f64.v{lanes}p0"
        self.writer.intrinsics[name] = f"declare {kind} {name}(<{lanes} x ptr>, i32, <{lanes} x i1>, {kind})"
        text = (
            f"call {kind} {name}(<{lanes} x ptr> {pointers.name}, i32 {REAL_BYTES}, "
            f"<{lanes} x i1> splat (i1 true), {kind} zeroinitializer)"
        )
        return self.writer.make(text, "real", wide=True, level=level)

    def load(self, name: str, places: tuple[Place, ...]) -> Value:
        """Load the value of a variable."""
        slot = self.frame.slot(name)
        return self.fetch("%ws", slot.offset, self._scale(slot), slot.strides, places)

    def _scale(self, slot: Slot) -> int:
        return self.frame.types.lanes if slot.wide else 1

    def store(self, name: str, places: tuple[Place, ...], value: Value, *, tail: int | None = None) -> None:
        """Store the value of a variable, in the innermost loop or, with `tail`, after the loops within a level."""
        slot = self.frame.slot(name)
        constant, parts, lanes = self._split(slot.strides, places)
        scale = self._scale(slot)
        wide = slot.wide or bool(lanes)
        if lanes:
            parts = [*parts, self.counter(self.lane or 0)]
        # The address is computed where its loops begin, so that it is available in everything that follows.
        index = self._sum([self._times(part, scale) for part in parts], slot.offset + constant * scale)
        pointer = self.writer.at("%ws", index)
        kept = self.writer.lines
        if tail is not None:
            self.writer.lines = self.writer.tails
        try:
            value = self.writer.splat(value) if wide else value
            level = self.depth if tail is None else tail
            self.writer.store(value, pointer, level=level, align=scale * REAL_BYTES)
        finally:
            self.writer.lines = kept

    def cell(self, slot: Slot, index: tuple[Index, ...], scale: int) -> Value:
        """Offset of a cell within its variable, in numbers."""
        constant, parts, _ = self._split(slot.strides, self.places(index))
        return self._sum([self._times(part, scale) for part in parts], constant * scale)

    def keep(self, base: str, index: Value, value: Value) -> None:
        """Store a value, in the innermost loop."""
        self.writer.store(value, self.writer.at(base, index), level=self.depth)

    def late(self, item: Item, value: Value) -> None:
        """Store the next value of an item at the end of the nest, after all uses of the current value."""
        places = self.places(item.index)
        self._late.append(lambda: self.store(item.target, places, value))

    def step_number(self) -> Value:
        """Index of the step, from zero."""
        return self.writer.named("%k" if self.frame.phase == "step" else "0")

    def draw(self) -> Value:
        """Number of the draw in the whole ensemble, one per lane if lanes run over draws."""
        first = self.writer.named("%draws") + self.writer.named("%draw")
        return first + self.writer.lane_numbers() if self.frame.over_draws else first

    # Expressions -------------------------------------------------------------------------------------------------

    def emit(self, expression: Expression) -> Value:
        """Value of an expression; a boolean for comparisons."""
        return _EMIT[type(expression)](self, expression)

    def real(self, expression: Expression) -> Value:
        """Value of an expression as a real number."""
        return real(self.emit(expression))

    def reference(self, expression: Reference) -> Value:
        """Value of a variable, from a register if possible."""
        places = self.places(expression.index)
        identity = ("value", expression.variable, places)
        if identity not in self._known:
            self._known[identity] = self.load(expression.variable, places)
        return self._known[identity]

    def operation(self, expression: Operation) -> Value:
        """Value of an operation."""
        build = (OPERATIONS | COMPILED).get(expression.name)
        if build is None:
            raise UnsupportedFeature("operation {name!r} is not compiled", name=expression.name)
        parts = [self.emit(part) for part in expression.arguments]
        if expression.name not in TAKES_TRUTH:
            parts = list(map(real, parts))
        return build(*parts)

    def table(self, expression: Table) -> Value:
        """Value of a literal array."""
        base, strides = self.frame.reals(expression.values), strides_of(expression.shape)
        return self.fetch(base, 0, 1, strides, self._whole(expression.axes))

    def _whole(self, labels: tuple[str, ...]) -> tuple[Place, ...]:
        """The index of all positions of some axes."""
        return tuple((self._labels.index(label), None) for label in labels)

    def table_offset(self, labels: tuple[str, ...]) -> Value:
        """Cell index in a literal array over some axes, one per lane if lanes run over one of them."""
        strides = strides_of(self.frame.model.shape(labels))
        constant, parts, lanes = self._split(strides, self._whole(labels))
        return self._plus_lanes(self._sum(parts, constant), lanes)

    # Tasks -------------------------------------------------------------------------------------------------------

    def value_task(self, item: Item) -> None:
        """Evaluate an equation; its value stays in a register for the rest of the nest."""
        value = self.real(item.expression)
        places = self.places(item.index)
        self._known[("value", item.target, places)] = value
        if self.stored(item.target):
            self.store(item.target, places, value)

    def update_task(self, item: Item) -> None:
        """Update a stock or memory at the end of the nest, after all uses of its current value."""
        next_value = self.real(item.expression)
        if item.text != "memory":
            now = self.reference(Reference(item.target, item.index))
            step = self.writer.named("%dt", "real")
            next_value = now + step * next_value
        if item.text == "non_negative":
            next_value = largest(self.writer.number(0.0), next_value)
        self.late(item, next_value)

    def reduce_task(self, item: Item) -> None:
        """Reduce an expression over the inner loops."""
        writer, join = self.writer, _JOIN[item.text]
        value = self.real(item.expression)
        inside = self.lane is not None and self.lane >= item.outer
        wide = value.wide or self.lane is not None
        kind = self.frame.types.of("real", wide=wide)
        start = writer.number(_START[item.text])
        start = writer.splat(start) if wide else start
        value = writer.splat(value) if wide else value
        value = self._masked(value, start) if inside else value
        place = self.frame.alloca(kind)
        writer.put(item.outer, f"store {kind} {start.name}, ptr {place}")
        total = writer.make(f"load {kind}, ptr {place}", "real", wide=wide, level=self.depth)
        joined = join(total, value)
        writer.put(self.depth, f"store {kind} {joined.name}, ptr {place}")
        kept, writer.lines = writer.lines, writer.tails
        result = writer.make(f"load {kind}, ptr {place}", "real", wide=wide, level=item.outer)
        if inside:
            result = self._across(result, join)
        writer.lines = kept
        self.store(item.target, self.places(item.index), result, tail=item.outer)

    def _masked(self, value: Value, start: Value) -> Value:
        """Set lanes beyond the end of the loop to the neutral element of the reduction."""
        if self.lane is None or self.nest.shape.lengths[self.lane] % self.frame.types.lanes == 0:
            return value
        here = self.writer.splat(self.counter(self.lane)) + self.writer.lane_numbers()
        end = self.writer.splat(self.writer.integer(self.nest.shape.lengths[self.lane]))
        inside = here < end
        return self.writer.select(inside, value, start)

    def _across(self, value: Value, join: Callable[[Value, Value], Value]) -> Value:
        """Reduce the lanes of a vector by repeated halving."""
        kind, lanes = self.writer.type(value), self.frame.types.lanes
        half = lanes // 2
        while half:
            order = ((number + half) % lanes for number in range(lanes))
            value = join(value, self.writer.shuffled(kind, value, value, order))
            half //= 2
        return self.writer.make(f"extractelement {kind} {value.name}, i64 0", "real", wide=False, level=value.level)

    def array_task(self, item: Item) -> None:
        """Call an array function, by a callback to Python."""
        number = self.frame.array_call(item)
        self.writer.put(0, f"call void %arrays(i64 {number}, ptr %ws, ptr null)")

    def push_task(self, item: Item) -> None:
        """Append the inflow of a fixed delay to its ring buffer, and load its next outflow."""
        push(self, item)


def consecutive(positions: tuple[int, ...] | None) -> bool:
    """Whether positions are consecutive; None means all positions."""
    return positions is None or positions == tuple(range(positions[0], positions[0] + len(positions)))


_EMIT: dict[type, Callable[[NestCode, Any], Value]] = {
    Number: lambda code, expression: code.writer.number(expression.value),
    Table: NestCode.table,
    Time: lambda code, _expression: code.writer.named("%now" if code.frame.phase == "step" else "%start", "real"),
    Reference: NestCode.reference,
    Operation: NestCode.operation,
    Interpolation: interpolation,
    Random: uniform,
}

_TASKS: dict[str, Callable[[NestCode, Item], None]] = {
    "value": NestCode.value_task,
    "update": NestCode.update_task,
    "reduce": NestCode.reduce_task,
    "array": NestCode.array_task,
    "push": NestCode.push_task,
}
