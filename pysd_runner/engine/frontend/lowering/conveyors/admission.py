"""What is let onto a conveyor, by its capacity and by its limit on what comes on, all at once or in whole units."""

from collections.abc import Iterable, Sequence

from pysd_runner.engine.frontend.lowering.conveyors.frame import ZERO, Frame, total
from pysd_runner.engine.frontend.lowering.library import floor
from pysd_runner.engine.frontend.syntax import Inflow, Name, Node
from pysd_runner.engine.function_table import SMALL, operation, time_step
from pysd_runner.engine.ir import Expression, Number, Time
from pysd_runner.engine.names import key


def admitted(frame: Frame, leaving: Iterable[str]) -> tuple[str, dict[str, str]]:
    """What may come on from a queue, and what of the requests of other flows is let on."""
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
            free = _less(frame.reference(name), [frame.reference(other) for other in found.values()])
            wanted = operation("min", wanted, operation("max", free, ZERO) if found else free)
        found[key(item.flow)] = frame.hide(f"on {len(found)}", frame.when_moving(wanted))
    return name, found


def _room(frame: Frame, leaving: Iterable[str]) -> Expression | None:
    """What may come on per unit of time until the conveyor is full."""
    if frame.node.capacity is None:
        return None
    capacity = operation("max", frame.lower(frame.node.capacity), ZERO)
    free = operation("divide", operation("subtract", capacity, frame.total(frame.content)), time_step())
    for name in leaving:
        free = operation("add", free, frame.reference(name))
    # What another conveyor sends comes on first.
    for item in () if frame.node.discrete else frame.node.inflows:
        if item.request is None:
            free = operation("subtract", free, frame.lower(Name(item.flow)))
    return operation("max", free, ZERO)


class _WholeUnits:
    """Lets on whole units only; what is cleared and no whole unit waits."""

    # The limit counts since the last full unit of time.

    def __init__(self, frame: Frame, room: Expression | None, limit: Expression | None) -> None:
        self._frame = frame
        self._budget = None if room is None else operation("multiply", room, time_step())
        self._limit = limit
        self._so_far = self._spent()
        self._cleared: list[Expression] = []

    def _spent(self) -> Expression:
        """What came on since the last full unit of time."""
        now = operation("add", Time(), Number(SMALL))
        crossed = operation("greater", floor(now), floor(operation("subtract", now, time_step())))
        return operation("where", crossed, ZERO, self._frame.reference(self._frame.named("spent")))

    def let_on(self, requests: Sequence[tuple[Inflow, Node]]) -> dict[str, str]:
        """Hidden variables of the flows, by their keys."""
        found: dict[str, str] = {}
        whole = None if self._budget is None else floor(operation("add", self._budget, Number(SMALL)))
        for item, request in requests:
            units = self._frame.reference(self._units(len(found), self._clear(item, request), whole))
            whole = None if whole is None else operation("subtract", whole, units)
            found[key(item.flow)] = self._frame.hide(f"on {len(found)}", operation("divide", units, time_step()))
        if self._limit is not None:
            self._frame.remember("spent", operation("add", self._so_far, total(self._cleared)))
        return found

    def _clear(self, item: Inflow, request: Node) -> Expression:
        """What of a request is allowed in this step."""
        frame = self._frame
        wanted = operation("multiply", operation("max", frame.lower(request, item.flow), ZERO), time_step())
        allowed = None
        if self._limit is not None:
            allowed = operation("max", operation("subtract", self._limit, self._so_far), ZERO)
        for bound in (self._budget, allowed):
            if bound is not None:
                wanted = operation("min", wanted, operation("max", _less(bound, self._cleared), ZERO))
        self._cleared.append(frame.reference(frame.hide(f"cleared {len(self._cleared)}", frame.when_moving(wanted))))
        return self._cleared[-1]

    def _units(self, number: int, cleared: Expression, whole: Expression | None) -> str:
        """Whole units of what is cleared and of what waited."""
        waiting = f"waiting {number}"
        there = operation("add", self._frame.reference(self._frame.named(waiting)), cleared)
        units = floor(operation("add", there, Number(SMALL)))
        name = self._frame.hide(f"units {number}", units if whole is None else operation("min", units, whole))
        self._frame.remember(waiting, operation("subtract", there, self._frame.reference(name)))
        return name


def _less(bound: Expression, taken: Sequence[Expression]) -> Expression:
    for item in taken:
        bound = operation("subtract", bound, item)
    return bound
