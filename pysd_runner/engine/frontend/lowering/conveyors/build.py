"""Puts a conveyor together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pysd_runner.engine.frontend.lowering.conveyors.admission import admitted
from pysd_runner.engine.frontend.lowering.conveyors.filling import (
    Entering,
    entering,
    in_steady_state,
    in_whole_units,
    move,
)
from pysd_runner.engine.frontend.lowering.conveyors.frame import Frame
from pysd_runner.engine.frontend.lowering.conveyors.leaks import Leaks
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.syntax import Belt, Name
from pysd_runner.engine.function_table import operation, time_step
from pysd_runner.engine.ir import Expression
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
    frame = Frame(name, node, own)
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


def _left(frame: Frame, taken: Sequence[str]) -> Expression:
    result: Expression = frame.over_slats(frame.content)
    for part in taken:
        result = operation("subtract", result, frame.over_slats(part))
    return result


def _flow(frame: Frame, flow: str, flows: dict[str, str]) -> Expression:
    hidden = flows.get(key(flow))
    return frame.lower(Name(flow)) if hidden is None else frame.reference(hidden)


def _fill(frame: Frame, leaks: Leaks, left: str, came: list[Entering]) -> None:
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
