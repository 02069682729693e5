"""What equations ask of a conveyor: its flows, what may come on, and what lies on its slats."""

import math

from pysd_runner.engine.errors import InvalidModel, UnsupportedFeature
from pysd_runner.engine.frontend import syntax
from pysd_runner.engine.frontend.lowering.conveyors.build import Parts
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.lowering.subscripts import WILDCARD, static_index
from pysd_runner.engine.frontend.syntax import Belt, Call, Name, Node, Text
from pysd_runner.engine.ir import Axis, Element, Expression, Number, Reduction, Reference
from pysd_runner.engine.names import key


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
    if not isinstance(last, syntax.Number) or not 1 <= last.value <= count:
        raise InvalidModel(f"{node.name!r} is a conveyor with slats 1 to {count}.")
    return Reference(parts.slats, (Element(int(last.value) - 1), *index))
