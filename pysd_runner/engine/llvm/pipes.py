"""Fixed delays as LLVM instructions: what flowed in is kept in a ring, and what comes out is fetched.

The ring is as long as the longest delay of the draws that run in one go, or as the run if that is shorter: what flows
into a longer delay never comes out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pysd_runner.engine.errors import UnsupportedFeature
from pysd_runner.engine.ir import SMALL, Block, Expression, Operation, Reference
from pysd_runner.engine.llvm.emitter import Value, Writer
from pysd_runner.engine.llvm.schedule import Item, Temporaries, value_items
from pysd_runner.engine.passes.order import Plan

if TYPE_CHECKING:
    from pysd_runner.engine.llvm.nest_code import NestCode

# No run has more steps than this, and it can still be a whole number of 64 bits.
FOREVER = 2.0**62


def push(code: NestCode, item: Item) -> None:
    """Keep what flows into a pipe, and put out what flowed in so many steps ago."""
    # The expression of the item holds what flows in, what came out at the start, and how long a value stays.
    if not isinstance(item.expression, Operation):
        raise UnsupportedFeature("a pipe without a delay")
    inflow, initial, delay = (code.real(part) for part in item.expression.arguments)
    writer, slot = code.writer, code.slot(item.target)
    scale = code.frame.types.lanes if slot.wide else 1
    base = code.frame.pipe(item.target, slot.cells * scale)
    inflow = writer.splat(inflow) if slot.wide else inflow
    cell = code.cell(slot, item.index, scale)
    size = writer.integer_entry("%pipes")
    step = code.step_number()
    ring, row = writer.integer_entry("%ring"), writer.integer_entry("%k.ring")
    place = writer.binary("add", cell, writer.integer(base))
    here = writer.binary("add", writer.binary("mul", row, size), place)
    code.keep("%history", here, inflow)
    # The step that comes next takes what flowed in `ago` steps before it.
    ago = _steps(writer, delay)
    then = writer.binary("sub", writer.binary("add", step, writer.integer(1)), ago)
    begun = writer.binary("icmp sge", then, writer.integer(0), "truth")
    before = writer.binary("sub", writer.binary("add", row, writer.integer(1)), ago)
    again = writer.binary("icmp slt", before, writer.integer(0), "truth")
    before = writer.select(again, writer.binary("add", before, ring), before)
    before = writer.select(begun, before, writer.integer(0))
    at = writer.binary("add", writer.binary("mul", before, size), place)
    if slot.wide:
        at = writer.binary("add", at, writer.lane_numbers())
    code.late(item, writer.select(begun, code.gather("%history", at), initial))


def after_start(inflow: Expression, initial: Reference, delay: Reference) -> Operation:
    """What a pipe needs at every step, as one expression."""
    return Operation("pipe", (inflow, initial, delay), ())


def _steps(writer: Writer, delay: Value) -> Value:
    """How many steps a value stays, as `engine.pipe.steps_of` counts them."""
    ratio = writer.binary("fdiv", delay, Value("%dt0", "real", False, 0))
    # A delay that is not a number counts as one step: every comparison with it is false.
    ratio = writer.select(writer.binary("fcmp ogt", ratio, writer.number(1.0), "truth"), ratio, writer.number(1.0))
    endless = writer.binary("fcmp ogt", ratio, writer.number(FOREVER), "truth")
    ratio = writer.select(endless, writer.number(FOREVER), ratio)
    # Conversion cuts off the fraction, which is rounding down for what is positive.
    return writer.convert("fptosi", writer.binary("fadd", ratio, writer.number(SMALL + 0.5)), "integer")


class Pipes:
    """What a pipe needs besides what flows in: its initial value and how long a value stays, both from the start."""

    def __init__(self, plan: Plan, temporaries: Temporaries) -> None:
        self._model, self._temporaries = plan.model, temporaries
        self.starting: list[Item] = []
        self.delays: list[str] = []

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
        self.delays.append(delay.variable)
        return after_start(item.expression, initial, delay)

    def _kept(self, expression: Expression | None, item: Item) -> Reference:
        if expression is None:
            raise UnsupportedFeature("a pipe without a beginning")
        place = self._temporaries.new(item.loops)
        self.starting += value_items(place.variable, place.index, expression, self._temporaries)
        return place
