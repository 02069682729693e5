"""Expand conveyors into slats: each holds the inflow of one step, and advances by one position in every step.

The rules are those of isee systems' traditional conveyors. Slat 0 is the exit. In every step, first leaks drain each
slat, then the remaining content of slat 0 leaves, then all slats advance, then admitted inflow enters the last slat.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import reduce
from operator import sub

import numpy as np

from pysd_runner.engine.errors import InvalidModel, UnsupportedFeature
from pysd_runner.engine.frontend import syntax
from pysd_runner.engine.frontend.lowering.conveyor_frame import ONE, ZERO, ConveyorFrame, numbers, total
from pysd_runner.engine.frontend.lowering.library import floor
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.lowering.subscripts import WILDCARD, static_index
from pysd_runner.engine.frontend.syntax import Call, Conveyor, Inflow, Name, Node, Text
from pysd_runner.engine.ir import (
    SMALL,
    Axis,
    Block,
    Element,
    Expression,
    Index,
    Number,
    Reference,
    Time,
    key,
    operation,
    reduced,
    time_step,
)
from pysd_runner.engine.kinds import Array, frozen

# Share of an inflow that each slat receives, and the amount that flows in during a step.
Entering = tuple[Array, Expression]


def entering(frame: ConveyorFrame, flows: Sequence[Expression]) -> list[Entering]:
    """Amount that each inflow adds in a step, with the shares of the slats."""
    last = (frame.place == frame.counts - 1).astype(float)
    evenly = np.where(frame.place < frame.counts, 1.0 / frame.counts, 0.0)
    return [
        (evenly if item.even else last, flow * time_step())
        for item, flow in zip(frame.node.inflows, flows, strict=True)
    ]


def move(frame: ConveyorFrame, name: str, source: str, came: Sequence[Entering], start: Expression) -> None:
    """Add a memory variable over the slats: each receives the content of the slat behind it, plus its inflow."""
    own = frame.reference(name).index
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


def _block(frame: ConveyorFrame, name: str, first: str, index: tuple[Index, ...], value: Expression) -> Block:
    moved = frame.unless_still(value, Reference(name, index))
    return Block(index, moved, Reference(first, index), f"{frame.name} moves on")


def _with_entering(
    behind: Expression | None, came: Sequence[Entering], rows: slice | int, axes: tuple[str, ...]
) -> Expression:
    result = behind
    for shares, volume in came:
        part = shares[rows]
        if part.any():
            new = numbers(part, axes) * volume
            result = new if result is None else result + new
    return ZERO if result is None else result


def in_steady_state(frame: ConveyorFrame, kept: Expression) -> tuple[str, Expression]:
    """Scale (a hidden variable) and initial content of the slats, as if the inflow had always been constant."""
    name = frame.hide("kept", kept, slats=True)
    scale = frame.hide("scale", operation("xidz", frame.lower(frame.node.initial), frame.total(name), ZERO))
    return scale, frame.reference(scale) * frame.over_slats(name)


def in_whole_units(frame: ConveyorFrame) -> Expression:
    """Initial content of the slats of a discrete conveyor: equal amounts, on the last slat of each unit of time."""
    if frame.node.leaks:
        raise UnsupportedFeature("a discrete conveyor with leaks")
    place = frame.table(frame.place)

    def unit(places: Expression) -> Expression:
        return floor(places * time_step() + SMALL)

    behind = unit(place + ONE) > unit(place)
    last = frame.table(frame.place == frame.counts - 1)
    chosen = frame.on_it & (behind | last)
    units = unit(frame.table(frame.counts - 1.0, slats=False)) + ONE
    return operation("where", chosen, frame.lower(frame.node.initial) / units, ZERO)


def admitted(frame: ConveyorFrame, leaving: Iterable[str]) -> tuple[str, dict[str, str]]:
    """Hidden variables with the room for inflow from a queue, and with the admitted part of the other inflows."""
    room, limit = _room(frame, leaving), None if frame.node.limit is None else frame.lower(frame.node.limit)
    bounds = [item for item in (room, limit) if item is not None]
    name = frame.hide("room", bounds[0] if len(bounds) == 1 else operation("min", *bounds)) if bounds else ""
    requests = [(item, item.request) for item in frame.node.inflows if item.request is not None]
    if frame.node.discrete and requests:
        return name, _WholeUnits(frame, room, limit).let_on(requests)
    found: dict[str, str] = {}
    for item, request in requests:
        wanted = operation("max", frame.lower(request, item.flow), ZERO)
        if name:
            free = _less(frame.reference(name), map(frame.reference, found.values()))
            wanted = operation("min", wanted, operation("max", free, ZERO) if found else free)
        found[key(item.flow)] = frame.hide(f"on {len(found)}", frame.when_moving(wanted))
    return name, found


def _room(frame: ConveyorFrame, leaving: Iterable[str]) -> Expression | None:
    """Inflow rate that fills the conveyor in one step; None without a capacity."""
    if frame.node.capacity is None:
        return None
    capacity = operation("max", frame.lower(frame.node.capacity), ZERO)
    free = (capacity - frame.total(frame.content)) / time_step()
    for name in leaving:
        free = free + frame.reference(name)
    # Inflows from other conveyors are admitted first.
    for item in () if frame.node.discrete else frame.node.inflows:
        if item.request is None:
            free = free - frame.lower(Name(item.flow))
    return operation("max", free, ZERO)


class _WholeUnits:
    """Admission of whole units only: what capacity and limit allow is cleared, and waits to make up a whole unit."""

    # The inflow limit applies to each unit of time, not to each step.

    def __init__(self, frame: ConveyorFrame, room: Expression | None, limit: Expression | None) -> None:
        self._frame = frame
        self._budget = None if room is None else room * time_step()
        self._limit = limit
        self._so_far = self._spent()
        self._cleared: list[Expression] = []

    def _spent(self) -> Expression:
        """Amount cleared since the last full unit of time."""
        now = Time() + SMALL
        crossed = floor(now) > floor(now - time_step())
        return operation("where", crossed, ZERO, self._frame.reference(self._frame.named("spent")))

    def let_on(self, requests: Sequence[tuple[Inflow, Node]]) -> dict[str, str]:
        """Add hidden variables for the admitted flows; return their names by flow."""
        found: dict[str, str] = {}
        whole = None if self._budget is None else floor(self._budget + SMALL)
        for item, request in requests:
            units = self._frame.reference(self._units(len(found), self._clear(item, request), whole))
            whole = None if whole is None else whole - units
            found[key(item.flow)] = self._frame.hide(f"on {len(found)}", units / time_step())
        if self._limit is not None:
            self._frame.remember("spent", self._so_far + total(self._cleared))
        return found

    def _clear(self, item: Inflow, request: Node) -> Expression:
        """Part of a request that capacity and limit allow in this step."""
        frame = self._frame
        wanted = operation("max", frame.lower(request, item.flow), ZERO) * time_step()
        allowed = None
        if self._limit is not None:
            allowed = operation("max", self._limit - self._so_far, ZERO)
        for bound in (self._budget, allowed):
            if bound is not None:
                wanted = operation("min", wanted, operation("max", _less(bound, self._cleared), ZERO))
        self._cleared.append(frame.reference(frame.hide(f"cleared {len(self._cleared)}", frame.when_moving(wanted))))
        return self._cleared[-1]

    def _units(self, number: int, cleared: Expression, whole: Expression | None) -> str:
        """Name of a hidden variable with the whole units that are admitted of the cleared and the waiting amount."""
        waiting = f"waiting {number}"
        there = self._frame.reference(self._frame.named(waiting)) + cleared
        units = floor(there + SMALL)
        name = self._frame.hide(f"units {number}", units if whole is None else operation("min", units, whole))
        self._frame.remember(waiting, there - self._frame.reference(name))
        return name


def _less(bound: Expression, taken: Iterable[Expression]) -> Expression:
    return reduce(sub, taken, bound)


class Leaks:
    """The leaks of one conveyor."""

    def __init__(self, frame: ConveyorFrame) -> None:
        self._frame = frame
        self._zones = [self._zone(leak.start, leak.end) for leak in frame.node.leaks]
        self._fractions = [self._fraction(frame.lower(leak.fraction)) for leak in frame.node.leaks]
        # For each linear leak: variable with the inflow that it is a fraction of, and the share that reaches it.
        self.bases: list[tuple[str, Expression]] = []

    def taken(self) -> list[str]:
        """Hidden variables with the amounts that each leak drains from every slat in this step."""
        return self._exponential() if self._frame.node.exponential else self._linear()

    def kept(self) -> Expression:
        """Share of an inflow that remains, after leaks, when it reaches each slat."""
        return self._kept_exponentially() if self._frame.node.exponential else self._kept_linearly()

    def _fraction(self, value: Expression) -> Expression:
        positive = operation("max", value, ZERO)
        return positive if self._frame.node.exponential else operation("min", positive, ONE)

    def _zone(self, start: float, end: float) -> Array:
        """Mask (one or zero) of the slats between two fractions of the length, measured from the inlet."""
        place, counts = self._frame.place, self._frame.counts
        position = 1.0 - (place + 0.5) / counts
        inside = (position >= start - 1e-9) & (position <= end + 1e-9) & (place < counts)
        return inside.astype(float)

    def _linear(self) -> list[str]:
        """Each linear leak drains a fraction of the original inflow, evenly over the slats of its zone."""
        frame, names = self._frame, []
        rest: Expression = frame.over_slats(frame.content)
        for number, (zone, fraction) in enumerate(zip(self._zones, self._fractions, strict=True)):
            basis = frame.named(f"basis {number}")
            self.bases.append((basis, self._reaching(number)))
            wanted = fraction * frame.table(_of_zone(zone, zone)) * frame.over_slats(basis)
            taken = operation("min", wanted, operation("max", rest, ZERO))
            names.append(frame.hide(f"leak {number}", frame.when_moving(taken), slats=True))
            rest = rest - frame.over_slats(names[-1])
        return names

    def _reaching(self, number: int) -> Expression:
        """Share of the conveyor's inflow that remains after other leaks upstream of this leak's zone."""
        place = self._frame.place
        first = np.where(self._zones[number] > 0, place, -1).max(axis=0)
        result: Expression = ONE
        for other, zone in enumerate(self._zones):
            before = _of_zone((zone * (place > first)).sum(axis=0), zone)
            if other == number or not before.any():
                continue
            lost = self._fractions[other] * self._frame.table(before, slats=False)
            result = result - lost * self._reaching(other)
        return result if result is ONE else operation("max", result, ZERO)

    def _exponential(self) -> list[str]:
        """Each exponential leak drains a fraction of every slat of its zone; all leaks together at most its content."""
        frame, names = self._frame, []
        shares = [
            fraction * time_step() * frame.table(zone)
            for zone, fraction in zip(self._zones, self._fractions, strict=True)
        ]
        most = operation("max", total(shares), ONE)
        for number, share in enumerate(shares):
            taken = frame.over_slats(frame.content) * (share / most)
            names.append(frame.hide(f"leak {number}", frame.when_moving(taken), slats=True))
        return names

    def _kept_linearly(self) -> Expression:
        on_it, lost = self._frame.on_it, []
        for number, (zone, fraction) in enumerate(zip(self._zones, self._fractions, strict=True)):
            share = self._frame.table(_of_zone(_passed(zone), zone))
            lost.append(fraction * self._reaching(number) * share)
        return operation("max", on_it - total(lost), ZERO) if lost else on_it

    def _kept_exponentially(self) -> Expression:
        """Share that remains with exponential leaks; slats in the same zones lose the same share."""
        result = self._frame.on_it
        if not self._zones:
            return result
        combined = np.stack(self._zones, axis=-1)
        for kind in sorted({tuple(row) for row in combined.reshape(-1, len(self._zones)).tolist()}):
            if not any(kind):
                continue
            same = (combined == np.array(kind)).all(axis=-1).astype(float)
            taken = total([fraction for fraction, inside in zip(self._fractions, kind, strict=True) if inside])
            left = operation("max", ONE - taken * time_step(), ZERO)
            result = result * left ** self._frame.table(_passed(same))
        return result


def _of_zone(slats: Array, zone: Array) -> Array:
    """Numbers of slats as a share of those of a zone."""
    return np.asarray(slats / np.maximum(zone.sum(axis=0), 1.0))


def _passed(zone: Array) -> Array:
    """Number of slats of a zone that the content of each slat has already passed."""
    return np.asarray(zone[::-1].cumsum(axis=0)[::-1] - zone)


@frozen
class Parts:
    """Hidden variables of a conveyor that other equations may read: over its own ranges, and one over its slats."""

    flows: dict[str, str]
    room: str  # name of the inflow rate that may still come from a queue; empty if unlimited
    slats: str  # name of the content of the slats, over `slat` and the ranges of the conveyor
    slat: str  # range of the slats


def build_conveyor(name: str, node: Conveyor, scope: Scope) -> Parts:
    """Add the hidden variables of a conveyor."""
    dims = scope.dims[key(name)]
    own = replace(scope, owner=name, block=dims, standing={dim: dim for dim in dims}, stock=False)
    frame = ConveyorFrame(name, node, own)
    leaks = Leaks(frame)
    taken = leaks.taken()
    left = frame.hide("left", _less(frame.over_slats(frame.content), map(frame.over_slats, taken)), slats=True)
    flows = {
        key(leak.flow): frame.hide(f"leaking {number}", frame.total(part) / time_step())
        for number, (leak, part) in enumerate(zip(node.leaks, taken, strict=True))
    }
    leaving = frame.at_exit(left) / time_step()
    flows[""] = frame.hide("exit", frame.when_moving(leaving))
    room, let_on = admitted(frame, list(flows.values()))
    flows |= let_on
    came = entering(frame, [_flow(frame, item.flow, flows) for item in node.inflows])
    _fill(frame, leaks, left, came)
    return Parts(flows, room, frame.content, frame.slat)


def _flow(frame: ConveyorFrame, flow: str, flows: dict[str, str]) -> Expression:
    hidden = flows.get(key(flow))
    return frame.lower(Name(flow)) if hidden is None else frame.reference(hidden)


def _fill(frame: ConveyorFrame, leaks: Leaks, left: str, came: list[Entering]) -> None:
    """Add the content of the slats: its initial values, and how it advances."""
    if frame.node.discrete:
        move(frame, frame.content, left, came, in_whole_units(frame))
        return
    scale, start = in_steady_state(frame, leaks.kept())
    move(frame, frame.content, left, came, start)
    for basis, reaching in leaks.bases:
        before = frame.reference(scale) * reaching * frame.on_it
        reached = [(place, volume * reaching) for place, volume in came]
        move(frame, basis, basis, reached, before)


def read_part(node: Call, scope: Scope) -> Expression:
    """Value that a conveyor determines: one of its flows, by name, or the room for inflow."""
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


def read_conveyor(node: Conveyor, scope: Scope) -> Expression:
    """Total content of a conveyor; at the start its initial value, on which the shares of its slats may depend."""
    parts = _parts_of(Name(scope.owner), scope)
    over = f"{parts.slat}!"
    own = static_index(scope.owner, None, scope)
    slats = Reference(parts.slats, (Axis(over), *own))
    return scope.hide("auxiliary", reduced("sum", slats, (over,)), scope.lowered(node.initial))


def read_slats(node: Name, scope: Scope) -> Expression:
    """Content of one slat of a conveyor, counted from one at the exit, or of all slats."""
    parts = _parts_of(Name(node.name), scope)
    *own, last = node.subscripts or ()
    index = static_index(node.name, own or None, scope)
    if last == WILDCARD:
        return Reference(parts.slats, (Axis(f"{parts.slat}!"), *index))
    count = len(scope.ranges.elements[parts.slat])
    if not isinstance(last, syntax.Numeral) or not 1 <= last.value <= count:
        raise InvalidModel("{name!r} is a conveyor with slats 1 to {count}.", name=node.name, count=count)
    return Reference(parts.slats, (Element(int(last.value) - 1), *index))
