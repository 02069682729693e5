"""Puts a conveyor together, and refuses one whose transit time changes."""

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
from pysd_runner.engine.frontend.lowering.conveyors.frame import SLATS, TRANSIT, Frame
from pysd_runner.engine.frontend.lowering.conveyors.leaks import Leaks
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.syntax import Belt, Name
from pysd_runner.engine.function_table import operation, time_step
from pysd_runner.engine.ir import STATEFUL, Expression, ModelIr, Random, Time, Variable, references, walk
from pysd_runner.engine.names import HIDDEN, key


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


def with_fixed_transits(model: ModelIr) -> ModelIr:
    """A model in which conveyors are not covered whose transit time changes while it runs."""
    transits = [name for name in model.variables if name.endswith(f"{HIDDEN}{TRANSIT}")]
    if not transits:
        return model
    variables = dict(model.variables)
    for name in _moving_variables(model).intersection(transits):
        belt = name.split(HIDDEN)[0]
        slats = f"{belt}{HIDDEN}{SLATS}"
        reason = f"the transit time of the conveyor {belt!r} changes while the model runs, which is not covered"
        variables[slats] = replace(variables[slats], uncovered=reason)
    return replace(model, variables=variables)


def _moving_variables(model: ModelIr) -> set[str]:
    """Variables that depend on time, on chance or on what is carried from step to step."""
    users: dict[str, list[str]] = {}
    for name, variable in model.variables.items():
        for block in variable.blocks:
            for needed in references(block.expression):
                users.setdefault(needed, []).append(name)
    moving = {name for name, variable in model.variables.items() if _moves(variable)}
    waiting = list(moving)
    while waiting:
        for name in users.get(waiting.pop(), ()):
            if name not in moving and model.variables[name].kind != "initial":
                moving.add(name)
                waiting.append(name)
    return moving


def _moves(variable: Variable) -> bool:
    """Whether a variable changes by itself."""
    parts = (part for block in variable.blocks for part in walk(block.expression))
    return variable.kind in STATEFUL or any(isinstance(part, Time | Random) for part in parts)
