"""Generate the LLVM program of a plan: one function that runs blocks of draws from start to end.

The text contains only generated names and numbers, never names or comments from a model file.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from pysd_runner.engine.errors import UnsupportedFeature
from pysd_runner.engine.ir import (
    ArrayFunction,
    Axis,
    Block,
    Expression,
    Operation,
    Reference,
    draws_numbers,
    reached,
    references,
    users_of,
)
from pysd_runner.engine.llvm import mathematics
from pysd_runner.engine.llvm.function_text import FunctionText
from pysd_runner.engine.llvm.hoisting import Hoisting, deciding_divisions
from pysd_runner.engine.llvm.nest_code import NestCode
from pysd_runner.engine.llvm.schedule import (
    Item,
    Nest,
    NestShape,
    Temporaries,
    items_of,
    nests_of,
    shared_out,
    update_items,
    value_items,
)
from pysd_runner.engine.llvm.signature import HEADER, ArrayCall, Frame, Input, MemoryLayout, Recipe, Signature, Slot
from pysd_runner.engine.passes.order import Plan, at_start, running

# Minimum length of an axis that is vectorised.
MIN_VECTORISED = 4

# Maximum number of lines of straight-line code; longer code is divided by branches that are never taken, which the
# optimiser cannot know, since compilation time grows faster than the length of a basic block.
MOST_LINES = 400


def write_kernel(plan: Plan, recipe: Recipe) -> tuple[Signature, str]:
    """Generate the program of a plan: its signature and text."""
    return _Writer(plan, recipe).kernel()


class _Writer:
    def __init__(self, plan: Plan, recipe: Recipe) -> None:
        types, varying = recipe.types, recipe.varying
        self.plan, self.outcomes, self.moving = plan, recipe.outcomes, recipe.moving
        self.given = tuple(name for name in recipe.given if name in plan.used)
        self.over_draws = varying is not None
        wide = _wide(plan, varying) if varying is not None else None
        layout = MemoryLayout(types.lanes, 1 if self.over_draws else types.lanes)
        self.frame = Frame(plan.model, types, layout, wide)
        self.types = types
        self.copies: dict[str, str] = {}
        self.delays: list[str] = []
        self._parts = 0

    def kernel(self) -> tuple[Signature, str]:
        """Signature and text of the program."""
        before, start, step, saved = self._phases()
        inputs = [Input(name, self.frame.slot(name), name in self.moving) for name in self.given]
        prologue = self._code([*before, *start], "start")
        looked_at = frozenset(read.variable for nest in saved for item in nest.items for read in item.references)
        loop = self._code(step, "step", looked_at)
        saving = self._code(saved, "step")
        outputs = [self.frame.slot(name) for name in self.outcomes]
        text = self._function(inputs, outputs, (prologue, loop, saving))
        arrays = tuple(self._array_call(item) for item in self.frame.arrays)
        delays = tuple(self.frame.slot(name) for name in self.delays)
        size, pipes = self.frame.layout.size, self.frame.pipes
        return Signature(tuple(inputs), tuple(outputs), arrays, size, pipes, delays), text

    def _array_call(self, item: Item) -> ArrayCall:
        call = item.expression
        if not isinstance(call, ArrayFunction):
            raise UnsupportedFeature("array function {text!r}", text=item.text)
        arguments = tuple(self.frame.slot(part.variable) for part in call.arguments if isinstance(part, Reference))
        core = tuple(len(axes) for axes in call.core)
        return ArrayCall(call.name, arguments, core, self.frame.slot(item.target))

    # Phases of the computation -----------------------------------------------------------------------------------

    def _phases(self) -> tuple[list[Nest], list[Nest], list[Nest], list[Nest]]:
        plan, temporaries = self.plan, self.frame.temporaries
        still = {item.variable for item in plan.invariant} | {name for name in self.given if name not in self.moving}
        hoisting = Hoisting(frozenset(still), temporaries, deciding_divisions(plan))
        dynamic = items_of(plan.model, plan.dynamic, temporaries, lambda block: hoisting.of(block.expression))
        dynamic += update_items(plan, temporaries, hoisting.of)
        pipes = Pipes(plan, temporaries)
        dynamic = pipes.linked(dynamic)
        self.delays = pipes.delays
        invariant = items_of(plan.model, plan.invariant, temporaries, running)
        for expression, reference in hoisting.found.items():
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

    def _shape(self, item: Item) -> NestShape:
        lengths = tuple(self.frame.length_of(item, loop) for loop in range(len(item.loops)))
        if self.over_draws or item.task in ("push", "array"):
            return NestShape(lengths)
        return NestShape(lengths, self._lane(item, lengths))

    def _lane(self, item: Item, lengths: tuple[int, ...]) -> int | None:
        """The loop that is vectorised: the last, or for a reduction the one along the last axes of its references."""
        if not lengths:
            return None
        if item.task == "reduce":
            read = set(item.references)
            last_labels = [item.loops.index(label) for label in map(_last_label, read) if label is not None]
            # References along other axes need gathering; references without the axis are the same in all lanes.
            along = [last_labels.count(loop) for loop in range(len(lengths))]
            across = [
                sum(label in reference.axes for reference in read) - along[loop]
                for loop, label in enumerate(item.loops)
            ]
            # The result lies along the last of the outer loops.
            fitting = range(max(item.outer - 1, 0), len(lengths))
            best = max(fitting, key=lambda loop: (-across[loop], along[loop], loop))
            return best if lengths[best] >= MIN_VECTORISED else None
        last = item.index[-1]
        whole = isinstance(last, Axis) and last.positions is None
        return len(lengths) - 1 if whole and lengths[-1] >= MIN_VECTORISED else None

    def _code(self, nests: list[Nest], phase: str, looked_at: frozenset[str] = frozenset()) -> list[str]:
        self.frame.phase = phase
        users: dict[str, set[int]] = defaultdict(set)
        for number, nest in enumerate(nests):
            for item in nest.items:
                for name in (item.target, *(read.variable for read in item.references)):
                    users[name].add(number)
        lines: list[str] = []
        kept = self._kept_anyway(phase) | looked_at
        part: list[str] = []
        for nest in nests:
            part += NestCode(self.frame, nest, lambda name: name in kept or len(users[name]) > 1).text()
            if len(part) > MOST_LINES:
                lines += [*part, *self._parting()]
                part = []
        return lines + part

    def _parting(self) -> list[str]:
        self._parts += 1
        name = f"part{self._parts}"
        return [
            f"  %{name}.v = load volatile i64, ptr %never.at",
            f"  %{name}.c = icmp ne i64 %{name}.v, 0",
            f"  br i1 %{name}.c, label %end, label %{name}",
            f"{name}:",
        ]

    def _kept_anyway(self, phase: str) -> frozenset[str]:
        """Variables whose values are needed after the phase in which they are computed."""
        model = self.plan.model
        lasting = {name for name, item in model.variables.items() if item.kind == "initial"}
        lasting |= {*self.plan.stocks, *self.outcomes}
        if phase == "start":
            lasting |= {item.variable for item in self.plan.invariant} | set(self.frame.temporaries.shapes)
        return frozenset(lasting)

    # The function ------------------------------------------------------------------------------------------------

    def _function(self, inputs: list[Input], outputs: list[Slot], code: tuple[list[str], list[str], list[str]]) -> str:
        prologue, loop, saving = code
        text = FunctionText(self.types, self.over_draws, self.frame.integers)
        stocks = [place for place, name in enumerate(self.outcomes) if name in self.plan.stocks]
        others = [place for place, name in enumerate(self.outcomes) if name not in self.plan.stocks]
        base = HEADER + 2 * len(inputs)
        copies = [(self.frame.slot(name), self.frame.slot(copy)) for name, copy in self.copies.items()]
        with text.blocks(self.frame.pipes):
            text.copies(inputs)
            text.lines += prologue
            if self.frame.pipes:
                text.room_for_pipes()
            with text.steps(inputs, self.frame.pipes):
                text.save(outputs, stocks, base, "A", copies=copies)
                text.lines += loop
                text.save(outputs, others, base, "B", first=saving)
        body = text.lines
        body[1:1] = self.frame.allocas
        intrinsics = self.frame.intrinsics
        functions = mathematics.declarations(
            sorted(self.frame.functions), intrinsics, permutes=self.types.permutes, fused=self.types.fused
        )
        parts = [
            *self.frame.globals,
            *sorted(intrinsics.values()),
            functions,
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


def _wide(plan: Plan, varying: frozenset[str]) -> frozenset[str]:
    """Variables that differ between draws: varying inputs, random numbers, and everything that depends on them."""
    computed = {item.variable for item in (*plan.invariant, *plan.starting, *plan.dynamic)} | set(plan.stocks)
    parts = {name: [part for block in plan.model.variables[name].blocks for part in block.parts] for name in computed}
    needs = {name: frozenset().union(*map(references, found)) for name, found in parts.items()}
    chance = [name for name, found in parts.items() if any(map(draws_numbers, found))]
    return frozenset(reached([*varying, *chance], users_of(needs)))


def _wide_temporaries(frame: Frame, nests: Iterable[Nest]) -> set[str]:
    found: set[str] = set()
    for nest in nests:
        for item in nest.items:
            if item.target not in frame.temporaries.shapes:
                continue
            wide = any(frame.is_wide(read.variable) or read.variable in found for read in item.references)
            if wide or draws_numbers(item.expression):
                found.add(item.target)
    return found


class Pipes:
    """Fixed delays: their initial values and delay times, which are computed at the start of a run."""

    def __init__(self, plan: Plan, temporaries: Temporaries) -> None:
        self._model, self._temporaries = plan.model, temporaries
        self.starting: list[Item] = []
        self.delays: list[str] = []

    def linked(self, items: list[Item]) -> list[Item]:
        """Add the initial value and delay time to every push item."""
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
        self.delays.append(delay.variable)
        return Operation("pipe", (item.expression, initial, delay), ())

    def _kept(self, expression: Expression | None, item: Item) -> Reference:
        if expression is None:
            raise UnsupportedFeature("a pipe without a beginning")
        place = self._temporaries.new(item.loops)
        self.starting += value_items(place.variable, place.index, expression, self._temporaries)
        return place
