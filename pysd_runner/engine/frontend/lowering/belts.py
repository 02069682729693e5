"""Conveyors, expanded into slats: each holds what came on in one step, and moves on by one place in every step.

The rules are those of isee systems' traditional conveyors. Slat 0 is the exit. In every step first the leaks take from
each slat, then what is left on slat 0 leaves, then every slat moves on, then what is let on lies on the last slat.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.frontend.lowering.library import floor
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.syntax import Belt, Name, Node
from pysd_runner.engine.functions import SMALL, operation, time_step
from pysd_runner.engine.ir import (
    STATEFUL,
    Axis,
    Block,
    Element,
    Expression,
    Kind,
    ModelIr,
    Number,
    Random,
    Reduction,
    Reference,
    Table,
    Time,
    Variable,
    references,
    walk,
)
from pysd_runner.engine.names import HIDDEN, key
from pysd_runner.errors import UnsupportedFeature

Array = NDArray[np.float64]
Lower = Callable[[Node, Scope], Expression]

# Slats of one conveyor; more are a slip of the pen.
MOST_SLATS = 100_000

ZERO, ONE = Number(0.0), Number(1.0)

# Label of the hidden variables that hold the transit time and what lies on the slats.
TRANSIT, SLATS = "transit", "slats"


@dataclass(frozen=True, slots=True)
class Parts:
    """What other equations may ask of a conveyor: hidden variables over its own ranges, and one over its slats.

    Parameters
    ----------
    flows
        Name of the hidden variable of every flow that the conveyor decides about, by the key of the flow.
    room
        Name of what may still come on from a queue, per unit of time.
    slats
        Name of what lies on the slats, over `slat` and the ranges of the conveyor.
    slat
        Range of the slats.
    """

    flows: dict[str, str]
    room: str
    slats: str
    slat: str


def build_belt(name: str, node: Belt, scope: Scope, lower: Lower) -> Parts:
    """Add the hidden variables of a conveyor.

    Parameters
    ----------
    name
        The stock.
    node
        What the file says about it.
    scope
        What its equations may refer to; its hidden variables are added there.
    lower
        Lowers one node in a scope.

    Returns
    -------
    Parts
        The hidden variables.

    Raises
    ------
    UnsupportedFeature
        If its transit time is not known before the run, or it has too many slats.
    """
    dims = scope.dims[key(name)]
    inner = replace(scope, owner=name, block=dims, standing={dim: dim for dim in dims}, stock=False)
    return _Builder(name, node, inner, lower).build()


def with_fixed_transits(model: ModelIr) -> ModelIr:
    """A model in which conveyors are not covered whose transit time changes while it runs."""
    transits = [name for name in model.variables if name.endswith(f"{HIDDEN}{TRANSIT}")]
    if not transits:
        return model
    moving = _moving_variables(model)
    variables = dict(model.variables)
    for name in moving.intersection(transits):
        belt = name.split(HIDDEN)[0]
        slats = f"{belt}{HIDDEN}{SLATS}"
        reason = f"the transit time of the conveyor {belt!r} changes while the model runs, which is not covered"
        variables[slats] = replace(variables[slats], uncovered=reason)
    return replace(model, variables=variables)


def _moving_variables(model: ModelIr) -> set[str]:
    """Variables that depend on time, on chance or on what is carried from step to step."""
    users: dict[str, list[str]] = {}
    moving = set()
    for name, variable in model.variables.items():
        expressions = [block.expression for block in variable.blocks]
        if variable.kind in STATEFUL or any(
            isinstance(part, Time | Random) for item in expressions for part in walk(item)
        ):
            moving.add(name)
        for item in expressions:
            for needed in references(item):
                users.setdefault(needed, []).append(name)
    waiting = list(moving)
    while waiting:
        fresh = [
            name
            for name in users.get(waiting.pop(), ())
            if name not in moving and model.variables[name].kind != "initial"
        ]
        moving.update(fresh)
        waiting += fresh
    return moving


class _Builder:
    """Makes the hidden variables of one conveyor, one after the other."""

    def __init__(self, name: str, node: Belt, scope: Scope, lower: Lower) -> None:
        self.name, self.node, self.scope, self.lower = name, node, scope, lower
        self.dims = tuple(scope.block)
        self.length = lower(node.length, scope)
        self._hidden(TRANSIT, self.length)
        steps = operation("add", operation("divide", self.length, time_step()), Number(0.5 + SMALL))
        counts = scope.order(operation("max", operation("integer", steps), ONE))
        shape = tuple(len(scope.ranges.elements[dim]) for dim in self.dims)
        axes = [counts.axes.index(dim) for dim in self.dims if dim in counts.axes]
        known = np.array(counts.values if isinstance(counts, Table) else [counts.value])
        known = known.reshape([len(scope.ranges.elements[axis]) for axis in counts.axes]).transpose(axes)
        known = known.reshape([n if dim in counts.axes else 1 for n, dim in zip(shape, self.dims, strict=True)])
        if not 1 <= known.max() <= MOST_SLATS:
            raise UnsupportedFeature(f"a conveyor of {known.max():g} slats, more than {MOST_SLATS:,},")
        self.counts: Array = np.broadcast_to(known, shape)
        self.slats = int(known.max())
        self.slat = scope.ranges.counted(f"{name}{HIDDEN}slat", self.slats)
        self.place = np.arange(self.slats).reshape(-1, *[1] * len(shape))

    def build(self) -> Parts:
        node, content = self.node, f"{self.name}{HIDDEN}{SLATS}"
        self.content = content
        leaks = self._leaks()
        after = self._over_slats(content)
        for leak in leaks:
            after = operation("subtract", after, self._over_slats(leak))
        left = self._hidden("left", after, slats=True)
        flows = {
            key(leak.flow): self._rate(number, name)
            for number, (leak, name) in enumerate(zip(node.leaks, leaks, strict=True))
        }
        leaving = self._when_moving(operation("divide", self._at(left, 0), time_step()))
        flows[""] = self._hidden("exit", leaving)
        room, admitted = self._admitted(flows)
        flows |= admitted
        entering = self._entering([flows.get(key(item.flow), item.flow) for item in node.inflows])
        self._moving(content, left, entering, self._start())
        for basis, reaching in self.bases:
            came = [(place, operation("multiply", volume, reaching)) for place, volume in entering]
            self._moving(basis, basis, came, self._start_of_basis(reaching))
        return Parts(flows, room, content, self.slat)

    # Leaks

    def _leaks(self) -> list[str]:
        """What each leak takes from every slat in this step."""
        self.zones = [self._zone(leak.start, leak.end) for leak in self.node.leaks]
        clamp = operation
        self.fractions = [
            clamp("max", self.lower(leak.fraction, self.scope), ZERO)
            if self.node.exponential
            else clamp("min", clamp("max", self.lower(leak.fraction, self.scope), ZERO), ONE)
            for leak in self.node.leaks
        ]
        self.bases: list[tuple[str, Expression]] = []
        return self._exponential() if self.node.exponential else self._linear()

    def _zone(self, start: float, end: float) -> Array:
        """Which slats lie between two shares of the length, counted from where it begins: one or zero each."""
        position = 1.0 - (self.place + 0.5) / self.counts
        inside = (position >= start - 1e-9) & (position <= end + 1e-9) & (self.place < self.counts)
        return inside.astype(float)

    def _linear(self) -> list[str]:
        """A leak takes its share of what came on, evenly over the slats of its zone."""
        names = []
        rest = self._over_slats(self.content)
        for number, (zone, fraction) in enumerate(zip(self.zones, self.fractions, strict=True)):
            reaching = self._reaching(number)
            basis = f"{self.name}{HIDDEN}basis {number}"
            self.bases.append((basis, reaching))
            per_slat = zone / np.maximum(zone.sum(axis=0), 1.0)
            wanted = operation(
                "multiply", operation("multiply", fraction, self._table(per_slat)), self._over_slats(basis)
            )
            taken = operation("min", wanted, operation("max", rest, ZERO))
            names.append(self._hidden(f"leak {number}", self._when_moving(taken), slats=True))
            rest = operation("subtract", rest, self._over_slats(names[-1]))
        return names

    def _reaching(self, number: int) -> Expression:
        """Share of what came on that other leaks leave until the zone of a leak begins."""
        first = np.where(self.zones[number] > 0, self.place, -1).max(axis=0)
        result: Expression = ONE
        for other in range(len(self.zones)):
            before = (self.zones[other] * (self.place > first)).sum(axis=0) / np.maximum(
                self.zones[other].sum(axis=0), 1.0
            )
            if other == number or not before.any():
                continue
            lost = operation("multiply", self.fractions[other], self._table(before, slats=False))
            result = operation("subtract", result, operation("multiply", lost, self._reaching(other)))
        return result if result is ONE else operation("max", result, ZERO)

    def _exponential(self) -> list[str]:
        """A leak takes a share of what lies on every slat of its zone; together never more than there is."""
        shares = [
            operation("multiply", operation("multiply", fraction, time_step()), self._table(zone))
            for zone, fraction in zip(self.zones, self.fractions, strict=True)
        ]
        total = _sum(shares)
        names = []
        for number, share in enumerate(shares):
            part = operation("divide", share, operation("max", total, ONE))
            taken = operation("multiply", self._over_slats(self.content), part)
            names.append(self._hidden(f"leak {number}", self._when_moving(taken), slats=True))
        return names

    def _rate(self, number: int, leak: str) -> str:
        return self._hidden(f"leaking {number}", operation("divide", self._total(leak), time_step()))

    # What comes on

    def _admitted(self, flows: dict[str, str]) -> tuple[str, dict[str, str]]:
        """What may come on from a queue, and what of the requests of other flows is let on."""
        node = self.node
        decided = [Name(item.flow) for item in node.inflows if item.request is None]
        room = self._room(list(flows.values()), [self.lower(item, self.scope) for item in decided])
        limit = None if node.limit is None else self.lower(node.limit, self.scope)
        name = ""
        if room is not None or limit is not None:
            bounds = [item for item in (room, limit) if item is not None]
            name = self._hidden("room", bounds[0] if len(bounds) == 1 else operation("min", *bounds))
        admitted: dict[str, str] = {}
        requests = [item for item in node.inflows if item.request is not None]
        if node.discrete and requests:
            return name, self._whole_units(requests, room, limit)
        taken: Expression | None = None
        for item in requests:
            own = replace(self.scope, owner=item.flow)
            wanted = operation("max", self.lower(item.request, own), ZERO)  # type: ignore[arg-type]
            if name:
                free = self._reference(name)
                free = free if taken is None else operation("max", operation("subtract", free, taken), ZERO)
                wanted = operation("min", wanted, free)
            admitted[key(item.flow)] = self._hidden(f"on {len(admitted)}", self._when_moving(wanted))
            last = self._reference(admitted[key(item.flow)])
            taken = last if taken is None else operation("add", taken, last)
        return name, admitted

    def _room(self, leaving: Sequence[str], decided: Sequence[Expression]) -> Expression | None:
        """What may come on per unit of time until the conveyor is full."""
        if self.node.capacity is None:
            return None
        capacity = operation("max", self.lower(self.node.capacity, self.scope), ZERO)
        free = operation("divide", operation("subtract", capacity, self._total(self.content)), time_step())
        for name in leaving:
            free = operation("add", free, self._reference(name))
        for item in decided if self.node.discrete is False else ():
            free = operation("subtract", free, item)
        return operation("max", free, ZERO)

    def _whole_units(
        self, requests: Sequence[object], room: Expression | None, limit: Expression | None
    ) -> dict[str, str]:
        """What of the requests is let on in whole units; what is cleared and no whole unit waits.

        The limit counts since the last full unit of time.
        """
        step = time_step()
        budget = None if room is None else operation("multiply", room, step)
        allowed = None
        if limit is not None:
            spent = f"{self.name}{HIDDEN}spent"
            now = operation("add", Time(), Number(SMALL))
            crossed = operation("greater", floor(now), floor(operation("subtract", now, step)))
            so_far = operation("where", crossed, ZERO, self._reference(spent))
            allowed = operation("max", operation("subtract", limit, so_far), ZERO)
        whole = None if budget is None else floor(operation("add", budget, Number(SMALL)))
        cleared, found = [], {}
        for item in requests:
            number = len(cleared)
            own = replace(self.scope, owner=item.flow)  # type: ignore[attr-defined]
            wanted = operation("multiply", operation("max", self.lower(item.request, own), ZERO), step)  # type: ignore[attr-defined]
            for bound in (budget, allowed):
                if bound is not None:
                    wanted = operation("min", wanted, operation("max", _less(bound, cleared), ZERO))
            clear = self._reference(self._hidden(f"cleared {number}", self._when_moving(wanted)))
            waiting = f"{self.name}{HIDDEN}waiting {number}"
            there = operation("add", self._reference(waiting), clear)
            units = floor(operation("add", there, Number(SMALL)))
            units = units if whole is None else operation("min", units, whole)
            let_on = self._hidden(f"units {number}", units)
            self._memory(waiting, operation("subtract", there, self._reference(let_on)), ZERO)
            whole = None if whole is None else operation("subtract", whole, self._reference(let_on))
            cleared.append(clear)
            found[key(item.flow)] = self._hidden(f"on {number}", operation("divide", self._reference(let_on), step))  # type: ignore[attr-defined]
        if limit is not None:
            self._memory(spent, operation("add", so_far, _sum(cleared)), ZERO)
        return found

    def _entering(self, names: Sequence[str]) -> list[tuple[Array, Expression]]:
        """What comes on in this step, with the share of it that each slat takes."""
        last = (self.place == self.counts - 1).astype(float)
        evenly = np.where(self.place < self.counts, 1.0 / self.counts, 0.0)
        found = []
        for item, name in zip(self.node.inflows, names, strict=True):
            rate = self._reference(name) if HIDDEN in name else self.lower(Name(name), self.scope)
            found.append((evenly if item.even else last, operation("multiply", rate, time_step())))
        return found

    # What moves on

    def _moving(self, name: str, source: str, entering: Sequence[tuple[Array, Expression]], start: Expression) -> None:
        """A memory over the slats: each takes over what the one behind it holds, and what comes on there."""
        blocks = []
        own = tuple(Axis(dim) for dim in self.dims)
        first = self._hidden(f"start of {name.split(HIDDEN)[-1]}", start, slats=True)
        if self.slats > 1:
            front = tuple(range(self.slats - 1))
            label = self.scope.ranges.part(self.slat, front)
            behind = Reference(source, (Axis(label, tuple(range(1, self.slats))), *own))
            value: Expression = self._with_entering(behind, entering, slice(0, -1), (label, *self.dims))
            index = (Axis(label, front), *own)
            value = self._unless_still(value, Reference(name, index))
            blocks.append(Block(index, value, Reference(first, index), f"{self.name} moves on"))
        last = Element(self.slats - 1)
        value = self._unless_still(self._with_entering(None, entering, -1, self.dims), Reference(name, (last, *own)))
        blocks.append(Block((last, *own), value, Reference(first, (last, *own)), f"{self.name} moves on"))
        self.scope.hidden.append(_variable(name, "memory", (self.slat, *self.dims), tuple(blocks)))

    def _with_entering(
        self,
        behind: Expression | None,
        entering: Sequence[tuple[Array, Expression]],
        rows: slice | int,
        axes: tuple[str, ...],
    ) -> Expression:
        result = behind
        for shares, volume in entering:
            part = shares[rows]
            if not part.any():
                continue
            share: Expression = (
                Table(tuple(part.ravel().tolist()), part.shape, axes) if part.shape else Number(float(part))
            )
            came = operation("multiply", share, volume)
            result = came if result is None else operation("add", result, came)
        return ZERO if result is None else result

    def _start(self) -> Expression:
        """What lies on the slats at the start: as if the same had always come on, or in whole units in front."""
        initial = self.lower(self.node.initial, self.scope)
        if self.node.discrete:
            if self.node.leaks:
                raise UnsupportedFeature("a discrete conveyor with leaks")
            return self._start_in_units(initial)
        kept = self._hidden("kept", self._kept(), slats=True)
        scale = operation("xidz", initial, self._total(kept), ZERO)
        self.scale = self._hidden("scale", scale)
        return operation("multiply", self._reference(self.scale), self._over_slats(kept))

    def _kept(self) -> Expression:
        """What is left of one unit on each slat when it gets there."""
        on_it = (self.place < self.counts).astype(float)
        result: Expression = self._table(on_it)
        if self.node.exponential:
            return self._kept_exponential(result)
        lost = []
        for number, (zone, fraction) in enumerate(zip(self.zones, self.fractions, strict=True)):
            passed = zone[::-1].cumsum(axis=0)[::-1] - zone
            share = self._table(passed / np.maximum(zone.sum(axis=0), 1.0))
            lost.append(operation("multiply", operation("multiply", fraction, self._reaching(number)), share))
        return operation("max", operation("subtract", result, _sum(lost)), ZERO) if lost else result

    def _kept_exponential(self, result: Expression) -> Expression:
        combined = np.stack(self.zones, axis=-1) if self.zones else np.zeros((self.slats, 0))
        for kind in {tuple(row) for row in combined.reshape(-1, len(self.zones)).tolist()}:
            if not any(kind):
                continue
            same = (combined == np.array(kind)).all(axis=-1).astype(float)
            passed = same[::-1].cumsum(axis=0)[::-1] - same
            taken = _sum([fraction for fraction, member in zip(self.fractions, kind, strict=True) if member])
            left = operation("max", operation("subtract", ONE, operation("multiply", taken, time_step())), ZERO)
            result = operation("multiply", result, operation("power", left, self._table(passed)))
        return result

    def _start_in_units(self, initial: Expression) -> Expression:
        """The same for every unit of time, on the last of its slats."""
        step, place = (
            time_step(),
            self._table(np.broadcast_to(self.place, (self.slats, *self.counts.shape)).astype(float)),
        )

        def unit(places: Expression) -> Expression:
            return floor(operation("add", operation("multiply", places, step), Number(SMALL)))

        behind = operation("greater", unit(operation("add", place, ONE)), unit(place))
        last = self._table((self.place == self.counts - 1).astype(float))
        on_it = self._table((self.place < self.counts).astype(float))
        chosen = operation("and", on_it, operation("or", behind, last))
        units = operation("add", unit(self._table(self.counts - 1.0, slats=False)), ONE)
        return operation("where", chosen, operation("divide", initial, units), ZERO)

    def _start_of_basis(self, reaching: Expression) -> Expression:
        came = operation("multiply", self._reference(self.scale), reaching)
        return operation("multiply", came, self._table((self.place < self.counts).astype(float)))

    # Helpers

    def _when_moving(self, value: Expression) -> Expression:
        return value if self.node.arrest is None else operation("where", self._still(), ZERO, value)

    def _unless_still(self, value: Expression, held: Expression) -> Expression:
        return value if self.node.arrest is None else operation("where", self._still(), held, value)

    def _still(self) -> Expression:
        if self.node.arrest is None:
            return ZERO
        return operation("not_equal", self.lower(self.node.arrest, self.scope), ZERO)

    def _hidden(self, label: str, value: Expression, *, slats: bool = False) -> str:
        axes = (self.slat, *self.dims) if slats else self.dims
        name = f"{self.name}{HIDDEN}{label}"
        block = Block(tuple(Axis(axis) for axis in axes), value, None, f"{label} of the conveyor {self.name}")
        self.scope.hidden.append(_variable(name, "auxiliary", axes, (block,)))
        return name

    def _memory(self, name: str, value: Expression, start: Expression) -> None:
        block = Block(tuple(Axis(dim) for dim in self.dims), value, start, f"part of the conveyor {self.name}")
        self.scope.hidden.append(_variable(name, "memory", self.dims, (block,)))

    def _reference(self, name: str) -> Reference:
        return Reference(name, tuple(Axis(dim) for dim in self.dims))

    def _over_slats(self, name: str) -> Reference:
        return Reference(name, (Axis(self.slat), *(Axis(dim) for dim in self.dims)))

    def _at(self, name: str, place: int) -> Reference:
        return Reference(name, (Element(place), *(Axis(dim) for dim in self.dims)))

    def _total(self, name: str) -> Expression:
        over = Reference(name, (Axis(f"{self.slat}!"), *(Axis(dim) for dim in self.dims)))
        return Reduction("sum", over, (f"{self.slat}!",), self.dims)

    def _table(self, values: Array, *, slats: bool = True) -> Expression:
        shape = (self.slats, *self.counts.shape) if slats else self.counts.shape
        full = np.broadcast_to(values, shape)
        if not shape:
            return Number(float(full))
        axes = (self.slat, *self.dims) if slats else self.dims
        return Table(tuple(full.ravel().tolist()), shape, axes)


def _sum(parts: Sequence[Expression]) -> Expression:
    result: Expression = ZERO
    for place, part in enumerate(parts):
        result = part if place == 0 else operation("add", result, part)
    return result


def _less(bound: Expression, taken: Sequence[Expression]) -> Expression:
    for item in taken:
        bound = operation("subtract", bound, item)
    return bound


def _variable(name: str, kind: Kind, dims: tuple[str, ...], blocks: tuple[Block, ...]) -> Variable:
    return Variable(name=name, unit="", dims=dims, kind=kind, doc="", group="", blocks=blocks, hidden=True)
