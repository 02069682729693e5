"""Puts a conveyor together, and gives what equations ask of it: its flows, what may come on, what lies on its slats."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pysd_runner.engine.errors import InvalidModel, UnsupportedFeature
from pysd_runner.engine.frontend import syntax
from pysd_runner.engine.frontend.lowering.conveyors.filling import (
    Entering,
    Leaks,
    admitted,
    entering,
    in_steady_state,
    in_whole_units,
    move,
)
from pysd_runner.engine.frontend.lowering.conveyors.frame import ConveyorFrame
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.lowering.subscripts import WILDCARD, static_index
from pysd_runner.engine.frontend.syntax import Belt, Call, Name, Node, Text
from pysd_runner.engine.ir import Axis, Element, Expression, Number, Reduction, Reference, operation, time_step
from pysd_runner.engine.names import key


@dataclass(frozen=True, slots=True)
class Parts:
    """What other equations may ask of a conveyor: hidden variables over its own ranges, and one over its slats."""

    flows: dict[str, str]
    room: str  # name of what may still come on from a queue, per unit of time
    slats: str  # name of what lies on the slats, over `slat` and the ranges of the conveyor
    slat: str  # range of the slats


def build_conveyor(name: str, node: Belt, scope: Scope) -> Parts:
    """Add the hidden variables of a conveyor."""
    dims = scope.dims[key(name)]
    own = replace(scope, owner=name, block=dims, standing={dim: dim for dim in dims}, stock=False)
    frame = ConveyorFrame(name, node, own)
    leaks = Leaks(frame)
    taken = leaks.taken()
    left = frame.hide("left", _left(frame, taken), slats=True)
    flows = {
        key(leak.flow): frame.hide(f"leaking {number}", operation("divide", frame.total(part), time_step()))
        for number, (leak, part) in enumerate(zip(node.leaks, taken, strict=True))
    }
    leaving = operation("divide", frame.at_exit(left), time_step())
    flows[""] = frame.hide("exit", frame.when_moving(leaving))
    room, let_on = admitted(frame, list(flows.values()))
    flows |= let_on
    came = entering(frame, [_flow(frame, item.flow, flows) for item in node.inflows])
    _fill(frame, leaks, left, came)
    return Parts(flows, room, frame.content, frame.slat)


def _left(frame: ConveyorFrame, taken: Sequence[str]) -> Expression:
    result: Expression = frame.over_slats(frame.content)
    for part in taken:
        result = operation("subtract", result, frame.over_slats(part))
    return result


def _flow(frame: ConveyorFrame, flow: str, flows: dict[str, str]) -> Expression:
    hidden = flows.get(key(flow))
    return frame.lower(Name(flow)) if hidden is None else frame.reference(hidden)


def _fill(frame: ConveyorFrame, leaks: Leaks, left: str, came: list[Entering]) -> None:
    """Lay on the slats what lies there at the start, and move it on."""
    if frame.node.discrete:
        move(frame, frame.content, left, came, in_whole_units(frame))
        return
    scale, start = in_steady_state(frame, leaks.kept())
    move(frame, frame.content, left, came, start)
    on_it = frame.table(frame.place < frame.counts)
    for basis, reaching in leaks.bases:
        before = operation("multiply", operation("multiply", frame.reference(scale), reaching), on_it)
        reached = [(place, operation("multiply", volume, reaching)) for place, volume in came]
        move(frame, basis, basis, reached, before)


def read_part(node: Call, scope: Scope) -> Expression:
    """What a conveyor decides about: a flow, by its name, or what may still come on."""
    belt, part = node.arguments
    parts = _parts_of(belt, scope)
    wanted = key(part.value) if isinstance(part, Text) else ""
    name = parts.room if wanted == "room" else parts.flows[wanted.removeprefix("flow ").strip()]
    if not name:
        return Number(math.inf)
    index = static_index(belt.name, belt.subscripts, scope) if isinstance(belt, Name) else ()
    return Reference(name, index)


def _parts_of(belt: Node, scope: Scope) -> Parts:
    found = scope.belts[key(belt.name)] if isinstance(belt, Name) else None
    if isinstance(found, UnsupportedFeature):
        raise found
    if not isinstance(found, Parts):
        raise InvalidModel("this is no conveyor")
    return found


def read_conveyor(_node: Belt, scope: Scope) -> Expression:
    """What lies on a conveyor, all slats together."""
    parts = _parts_of(Name(scope.owner), scope)
    over = f"{parts.slat}!"
    own = static_index(scope.owner, None, scope)
    slats = Reference(parts.slats, (Axis(over), *own))
    return Reduction("sum", slats, (over,), tuple(axis for axis in slats.axes if axis != over))


def read_slats(node: Name, scope: Scope) -> Expression:
    """What lies on a slat of a conveyor, counted from one at the exit, or on all of them."""
    parts = _parts_of(Name(node.name), scope)
    *own, last = node.subscripts or ()
    index = static_index(node.name, own or None, scope)
    if last == WILDCARD:
        return Reference(parts.slats, (Axis(f"{parts.slat}!"), *index))
    count = len(scope.ranges.elements[parts.slat])
    if not isinstance(last, syntax.Numeral) or not 1 <= last.value <= count:
        raise InvalidModel(f"{node.name!r} is a conveyor with slats 1 to {count}.")
    return Reference(parts.slats, (Element(int(last.value) - 1), *index))
