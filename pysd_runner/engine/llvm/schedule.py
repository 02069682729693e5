"""Divide the computation of a program into items, and group them into loop nests as large as dependencies allow."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pysd_runner.engine.ir import (
    ArrayFunction,
    Axis,
    Block,
    Element,
    Expression,
    Index,
    ModelIr,
    Operation,
    Reduction,
    Reference,
    children,
    walk,
    with_children,
)
from pysd_runner.engine.kinds import frozen
from pysd_runner.engine.passes.order import Plan, Statement

Task = Literal["value", "reduce", "update", "push", "array"]

# Position in one dimension: that of an element, or the number of a loop and the positions it runs over, None for all.
Place = int | tuple[int, tuple[int, ...] | None]

# Prefix of the names of temporaries, which exist in compiled programs only.
TEMPORARY = "\x1e"


@frozen
class Item:
    """One operation in a loop nest: store, reduce, update, or call an array function."""

    task: Task  # ``value``: store an expression
    target: str  # the variable or temporary that is written
    index: tuple[Index, ...]  # the part of it that is written
    loops: tuple[str, ...]  # labels of the axes looped over, outermost first
    outer: int  # number of loops outside of a reduction; for other tasks, of all loops
    expression: Expression
    text: str = ""  # name of a reduction or array function; kind of an update

    @property
    def references(self) -> tuple[Reference, ...]:
        """All references in the expression."""
        return tuple(part for part in walk(self.expression) if isinstance(part, Reference))


@dataclass(slots=True)
class Temporaries:
    """Axes of variables that exist in a compiled program only, by name."""

    shapes: dict[str, tuple[str, ...]]

    def new(self, axes: tuple[str, ...]) -> Reference:
        """Create a temporary over some axes, and return a reference to all of it."""
        name = f"{TEMPORARY}{len(self.shapes)}"
        self.shapes[name] = axes
        return Reference(name, tuple(Axis(label) for label in axes))


def items_of(
    model: ModelIr, statements: Iterable[Statement], temporaries: Temporaries, part: Callable[[Block], Expression]
) -> list[Item]:
    """Items of equations in order, each preceded by the reductions and array functions it contains."""
    items: list[Item] = []
    for statement in statements:
        block = model.variables[statement.variable].blocks[statement.block]
        items += value_items(statement.variable, block.index, part(block), temporaries)
    return items


def value_items(
    target: str, index: tuple[Index, ...], expression: Expression, temporaries: Temporaries, task: Task = "value"
) -> list[Item]:
    """Item of one equation, preceded by the reductions and array functions it contains."""
    lifted: list[Item] = []
    simple = _lifted(expression, temporaries, lifted)
    loops = tuple(item.label for item in index if isinstance(item, Axis))
    return [*lifted, Item(task, target, index, loops, len(loops), simple)]


def _lifted(expression: Expression, temporaries: Temporaries, lifted: list[Item]) -> Expression:
    if isinstance(expression, Reduction):
        return _reduction(expression, temporaries, lifted)
    if isinstance(expression, ArrayFunction):
        return _array(expression, temporaries, lifted)
    return with_children(expression, [_lifted(part, temporaries, lifted) for part in children(expression)])


def _reduction(expression: Reduction, temporaries: Temporaries, lifted: list[Item]) -> Expression:
    argument = _lifted(expression.argument, temporaries, lifted)
    loops = (*expression.axes, *expression.over)
    wanted = ("reduce", expression.name, loops, argument)
    for item in lifted:
        if (item.task, item.text, item.loops, item.expression) == wanted:
            return Reference(item.target, item.index)
    result = temporaries.new(expression.axes)
    lifted.append(Item("reduce", result.variable, result.index, loops, len(expression.axes), argument, expression.name))
    return result


def _array(expression: ArrayFunction, temporaries: Temporaries, lifted: list[Item]) -> Expression:
    batch = tuple(axis for axis in expression.axes if axis not in expression.result)
    arguments = []
    for argument, core in zip(expression.arguments, expression.core, strict=True):
        place = temporaries.new((*batch, *core))
        lifted += value_items(place.variable, place.index, argument, temporaries)
        arguments.append(place)
    result = temporaries.new((*batch, *expression.result))
    call = replace(expression, arguments=tuple(arguments))
    lifted.append(Item("array", result.variable, result.index, (), 0, call, expression.name))
    return result


def update_items(plan: Plan, temporaries: Temporaries, hoisted: Callable[[Expression], Expression]) -> list[Item]:
    """Items that advance the state from one step to the next."""
    items: list[Item] = []
    for name in plan.stocks:
        variable = plan.model.variables[name]
        for block in variable.blocks:
            found = value_items(name, block.index, hoisted(block.expression), temporaries, "update")
            kind = "non_negative" if block.non_negative else variable.kind
            found[-1] = replace(found[-1], task="push" if kind == "pipe" else "update", text=kind)
            items += found
    return items


def matches(reference: Reference, reader: Sequence[str], index: tuple[Index, ...], writer: Sequence[str]) -> bool:
    """Whether a reference selects, in every iteration of a loop nest, exactly the cell that is written."""
    return placed(reference.index, reader) == placed(index, writer)


def placed(index: tuple[Index, ...], loops: Sequence[str]) -> tuple[Place, ...]:
    """An index in which labels are replaced by loop numbers."""
    return tuple(
        item.position if isinstance(item, Element) else (loops.index(item.label), item.positions) for item in index
    )


@frozen
class Shares:
    """Items of a step, divided into those of every step and those of saved steps only."""

    always: tuple[Item, ...]  # updates, and everything they depend on
    saved: tuple[Item, ...]  # needed by outcomes only; they use copies of stocks, which have been updated by then
    copies: dict[str, str]  # name of the copy of each stock that `saved` uses


def shared_out(items: Sequence[Item], stocks: Sequence[str], copy_of: dict[str, str]) -> Shares:
    """Divide the items of a step into those of every step and those of saved steps only."""
    needed: set[str] = set()
    always = []
    for item in reversed(items):
        if item.task in ("update", "push") or item.target in needed:
            always.append(item)
            needed |= {read.variable for read in item.references}
    kept = {id(item) for item in always}
    saved = [item for item in items if id(item) not in kept]
    read = {part.variable for item in saved for part in item.references}
    copies = {name: copy_of[name] for name in stocks if name in read}
    renamed_items = tuple(replace(item, expression=renamed(item.expression, copies)) for item in saved)
    return Shares(tuple(reversed(always)), renamed_items, copies)


def renamed(expression: Expression, names: dict[str, str]) -> Expression:
    """Rename variables in the references of an expression."""
    if isinstance(expression, Reference):
        return replace(expression, variable=names.get(expression.variable, expression.variable))
    return with_children(expression, [renamed(part, names) for part in children(expression)])


# Maximum number of items in a nest: in larger ones, values in registers save less time than compilation costs.
MOST_ITEMS = 100


@frozen
class NestShape:
    """The loops of an item; all items in a loop nest have the same loops."""

    lengths: tuple[int, ...]  # lengths of the loops, outermost first
    lane: int | None = None  # index of the vectorised loop, None if there is none


@frozen
class Nest:
    """Items that are computed in one loop nest."""

    shape: NestShape
    items: tuple[Item, ...]


def nests_of(items: Sequence[Item], shape_of: Callable[[Item], NestShape], temporaries: Temporaries) -> list[Nest]:
    """Group items into loop nests."""
    board = _Board(list(items), shape_of, temporaries)
    nests = []
    while board.waiting:
        nest = board.largest()
        if nest is None:
            board.split_an_update()
            continue
        parts = range(0, len(nest.items), MOST_ITEMS)
        nests += [replace(nest, items=nest.items[first : first + MOST_ITEMS]) for first in parts]
    return nests


class _Writers:
    """Items that write each variable; those of single cells are indexed by cell, so that long chains stay cheap."""

    def __init__(self) -> None:
        self._wide: dict[str, list[int]] = {}
        self._single: dict[str, list[int]] = {}
        self._of_cell: dict[tuple[str, tuple[Index, ...]], list[int]] = {}

    def add(self, number: int, item: Item) -> None:
        if _is_cell(item.index):
            self._single.setdefault(item.target, []).append(number)
            self._of_cell.setdefault((item.target, item.index), []).append(number)
        else:
            self._wide.setdefault(item.target, []).append(number)

    def of(self, read: Reference) -> list[int]:
        wide = self._wide.get(read.variable, [])
        if _is_cell(read.index):
            return wide + self._of_cell.get((read.variable, read.index), [])
        return wide + self._single.get(read.variable, [])


def _is_cell(index: tuple[Index, ...]) -> bool:
    return not any(isinstance(item, Axis) for item in index)


class _Board:
    """Items to be scheduled, with their dependencies."""

    def __init__(self, items: list[Item], shape_of: Callable[[Item], NestShape], temporaries: Temporaries) -> None:
        self.shape_of = shape_of
        self.temporaries = temporaries
        self._arrange([part for item in items for part in self._at_once_or_later(item)])

    def _arrange(self, items: list[Item]) -> None:
        """Take the items that are not computed yet."""
        self.items = items
        self._connect()
        self.waiting = list(range(len(items)))
        self.done: set[int] = set()

    def _at_once_or_later(self, item: Item) -> tuple[Item, ...]:
        """Split an update that uses other cells of its own stock, so that all flows are computed before it."""
        own = [read for read in item.references if read.variable == item.target]
        if item.task == "update" and not all(matches(read, item.loops, item.index, item.loops) for read in own):
            return self._split(item)
        return (item,)

    def _split(self, item: Item) -> tuple[Item, Item]:
        """Split an update into the computation of the flow, and the update itself."""
        labels = tuple(label.label for label in item.index if isinstance(label, Axis))
        place = self.temporaries.new(labels)
        now: Expression = item.expression
        later: Expression = place
        if item.task == "push" and isinstance(now, Operation):
            later = replace(now, arguments=(place, *now.arguments[1:]))
            now = now.arguments[0]
        first = replace(item, task="value", target=place.variable, index=place.index, text="", expression=now)
        return first, replace(item, expression=later)

    def _connect(self) -> None:
        """Set the dependencies of items: all writers of what they use; for updates also all users of the variable."""
        self.needs: list[set[int]] = [set() for _ in self.items]
        writers = _Writers()
        readers: dict[str, list[int]] = {}
        for number, item in enumerate(self.items):
            for name in {read.variable for read in item.references}:
                readers.setdefault(name, []).append(number)
            for read in item.references:
                self.needs[number].update(writers.of(read))
            if item.task not in ("update", "push"):
                writers.add(number, item)
        for number, item in enumerate(self.items):
            if item.task in ("update", "push"):
                self.needs[number].update(other for other in readers.get(item.target, ()) if other != number)
        self._match()

    def _match(self) -> None:
        """Set, for each item, the dependencies that may be in the same nest."""
        self.beside = [
            {other for other in needed if self._may_share(item, self.items[other])}
            for item, needed in zip(self.items, self.needs, strict=True)
        ]

    @staticmethod
    def _may_share(item: Item, before: Item) -> bool:
        """Whether an item may be in the same nest as another one that it depends on."""
        if "array" in (item.task, before.task):
            return False
        reads = [read for read in item.references if read.variable == before.target]
        if reads and before.task == "reduce":
            return False
        if not all(matches(read, item.loops, before.index, before.loops) for read in reads):
            return False
        if item.task not in ("update", "push"):
            return True
        # An update overwrites its variable: in the same nest an iteration may use only the cell that it overwrites.
        back = [read for read in before.references if read.variable == item.target]
        return all(matches(read, before.loops, item.index, item.loops) for read in back)

    def largest(self) -> Nest | None:
        """Take the largest nest that can be computed next; None if no item is ready."""
        best: tuple[NestShape, list[int]] | None = None
        tried: set[NestShape] = set()
        for number in self.waiting:
            shape = self.shape_of(self.items[number])
            if shape in tried or not self.needs[number] <= self.done:
                continue
            tried.add(shape)
            found = self._fill(shape)
            if best is None or len(found) > len(best[1]):
                best = shape, found
        if best is None:
            return None
        shape, found = best
        self.done.update(found)
        self.waiting = [number for number in self.waiting if number not in self.done]
        return Nest(shape, tuple(self.items[number] for number in found))

    def _fill(self, shape: NestShape) -> list[int]:
        chosen: list[int] = []
        inside: set[int] = set()
        candidates = [number for number in self.waiting if self.shape_of(self.items[number]) == shape]
        grown = True
        while grown:
            grown = False
            for number in candidates:
                if number in inside:
                    continue
                left = self.needs[number] - self.done
                if left <= inside and left <= self.beside[number]:
                    chosen.append(number)
                    inside.add(number)
                    grown = True
        return chosen

    def split_an_update(self) -> None:
        """Split an update into flow and update, to resolve updates that depend on each other."""
        number = next(number for number in self.waiting if self.items[number].task in ("update", "push"))
        first, second = self._split(self.items[number])
        kept = [self.items[place] for place in self.waiting if place != number]
        position = next((place for place, item in enumerate(kept) if item.task in ("update", "push")), len(kept))
        self._arrange([*kept[:position], first, *kept[position:], second])
