"""What lies on the slats of a conveyor: at the start, and from step to step."""

from collections.abc import Sequence

import numpy as np

from pysd_runner.engine.errors import UnsupportedFeature
from pysd_runner.engine.frontend.lowering.conveyors.frame import ONE, ZERO, Array, Frame
from pysd_runner.engine.frontend.lowering.library import floor
from pysd_runner.engine.function_table import SMALL, operation, time_step
from pysd_runner.engine.ir import Axis, Block, Element, Expression, Index, Number, Reference, Table

# What comes on in a step, with the share of it that each slat takes.
Entering = tuple[Array, Expression]


def entering(frame: Frame, flows: Sequence[Expression]) -> list[Entering]:
    """What comes on in a step by each flow."""
    last = (frame.place == frame.counts - 1).astype(float)
    evenly = np.where(frame.place < frame.counts, 1.0 / frame.counts, 0.0)
    return [
        (evenly if item.even else last, operation("multiply", flow, time_step()))
        for item, flow in zip(frame.node.inflows, flows, strict=True)
    ]


def move(frame: Frame, name: str, source: str, came: Sequence[Entering], start: Expression) -> None:
    """Add a memory over the slats: each takes over what the one behind it holds, and what comes on there."""
    own = tuple(Axis(dim) for dim in frame.dims)
    first = frame.hide(f"start of {name.rpartition(frame.named(''))[2]}", start, slats=True)
    blocks = []
    if frame.slats > 1:
        front = tuple(range(frame.slats - 1))
        label = frame.scope.ranges.part(frame.slat, front)
        behind = Reference(source, (Axis(label, tuple(range(1, frame.slats))), *own))
        index: tuple[Index, ...] = (Axis(label, front), *own)
        value = _with_entering(behind, came, slice(0, -1), (label, *frame.dims))
        blocks.append(_block(frame, name, first, index, value))
    last: tuple[Index, ...] = (Element(frame.slats - 1), *own)
    blocks.append(_block(frame, name, first, last, _with_entering(None, came, -1, frame.dims)))
    frame.remember_slats(name, blocks)


def _block(frame: Frame, name: str, first: str, index: tuple[Index, ...], value: Expression) -> Block:
    moved = frame.unless_still(value, Reference(name, index))
    return Block(index, moved, Reference(first, index), f"{frame.name} moves on")


def _with_entering(
    behind: Expression | None, came: Sequence[Entering], rows: slice | int, axes: tuple[str, ...]
) -> Expression:
    result = behind
    for shares, volume in came:
        part = shares[rows]
        if part.any():
            share: Expression = Table(tuple(part.ravel().tolist()), part.shape, axes)
            if not part.shape:
                share = Number(float(part))
            new = operation("multiply", share, volume)
            result = new if result is None else operation("add", result, new)
    return ZERO if result is None else result


def in_steady_state(frame: Frame, kept: Expression) -> tuple[str, Expression]:
    """What lies on the slats at the start, as if the same had always come on."""
    name = frame.hide("kept", kept, slats=True)
    scale = frame.hide("scale", operation("xidz", frame.lower(frame.node.initial), frame.total(name), ZERO))
    return scale, operation("multiply", frame.reference(scale), frame.over_slats(name))


def in_whole_units(frame: Frame) -> Expression:
    """What lies on the slats of a discrete conveyor at the start: the same for every unit of time, on its last slat."""
    if frame.node.leaks:
        raise UnsupportedFeature("a discrete conveyor with leaks")
    place = frame.table(frame.place)

    def unit(places: Expression) -> Expression:
        return floor(operation("add", operation("multiply", places, time_step()), Number(SMALL)))

    behind = operation("greater", unit(operation("add", place, ONE)), unit(place))
    last = frame.table(frame.place == frame.counts - 1)
    on_it = frame.table(frame.place < frame.counts)
    chosen = operation("and", on_it, operation("or", behind, last))
    units = operation("add", unit(frame.table(frame.counts - 1.0, slats=False)), ONE)
    return operation("where", chosen, operation("divide", frame.lower(frame.node.initial), units), ZERO)
