"""Strongly connected components of equations: find and order them, and resolve loops by splitting array equations."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from pysd_runner.engine.errors import InvalidModel, Message
from pysd_runner.engine.ir import (
    HIDDEN,
    ArrayFunction,
    Axis,
    Block,
    Element,
    Expression,
    Index,
    Interpolation,
    ModelIr,
    Number,
    Operation,
    Random,
    Reduction,
    Reference,
    Table,
    Time,
    Variable,
    hidden_variable,
    reference_to,
    shown,
    walk,
)
from pysd_runner.engine.kinds import Array, Indices

Node = TypeVar("Node", str, tuple[str, int])

# An equation: the name of its variable and the index of the block.
Equation = tuple[str, int]

# Function that selects the expression of a block to evaluate: the one at the start, or the one during the run.
Part = Callable[[Block], Expression]


def components(wanted: Iterable[Node], needs: Callable[[Node], Iterable[Node]]) -> list[tuple[Node, ...]]:
    """Strongly connected components of everything reachable from `wanted`, in order of evaluation (Tarjan)."""
    found: list[tuple[Node, ...]] = []
    number: dict[Node, int] = {}
    lowest: dict[Node, int] = {}
    waiting: dict[Node, None] = {}
    for start in wanted:
        if start in number:
            continue
        number[start] = lowest[start] = len(number)
        waiting[start] = None
        path: list[tuple[Node, Iterator[Node]]] = [(start, iter(needs(start)))]
        while path:
            node, rest = path[-1]
            for item in rest:
                if item not in number:
                    number[item] = lowest[item] = len(number)
                    waiting[item] = None
                    path.append((item, iter(needs(item))))
                    break
                if item in waiting:
                    lowest[node] = min(lowest[node], number[item])
            else:
                path.pop()
                if path:
                    lowest[path[-1][0]] = min(lowest[path[-1][0]], lowest[node])
                if lowest[node] == number[node]:
                    found.append(_taken(waiting, node))
    return found


def _taken(waiting: dict[Node, None], first: Node) -> tuple[Node, ...]:
    """Pop a finished component, whose first node is `first`, from the stack `waiting`."""
    group = []
    while True:
        node, _ = waiting.popitem()
        group.append(node)
        if node == first:
            return tuple(reversed(group))


@dataclass(slots=True)
class Group:
    """The equations of strongly connected variables: variables that depend on each other at the same time."""

    model: ModelIr
    names: tuple[str, ...]
    part: Part  # selects the expression of a block to evaluate
    _owners: dict[str, Indices] = field(default_factory=dict)
    _read: dict[tuple[str, tuple[Index, ...]], tuple[Equation, ...]] = field(default_factory=dict)

    def equations(self) -> tuple[list[Equation], list[tuple[Equation, ...]]]:
        """Equations in order of evaluation, and the algebraic loops among them."""
        nodes = [(name, place) for name in self.names for place in range(len(self.model.variables[name].blocks))]
        found = components(nodes, self.needs)
        circles = [item for item in found if len(item) > 1 or item[0] in self.needs(item[0])]
        return [node for item in found for node in item], circles

    def needs(self, node: Equation) -> list[Equation]:
        """Equations of the group that define a cell that the given equation uses."""
        needed = (equation for reference in self.references(node) for equation in self.read(reference))
        return list(dict.fromkeys(needed))

    def references(self, node: Equation) -> list[Reference]:
        """References of an equation to variables of the group."""
        name, place = node
        parts = walk(self.part(self.model.variables[name].blocks[place]))
        return [item for item in parts if isinstance(item, Reference) and item.variable in self.names]

    def read(self, reference: Reference) -> tuple[Equation, ...]:
        """Equations that define the cells selected by a reference."""
        asked = (reference.variable, reference.index)
        if asked not in self._read:
            owner = self._owner(reference.variable)
            blocks = np.unique(owner[cells(reference.index, owner.shape)])
            self._read[asked] = tuple((reference.variable, int(block)) for block in blocks if block >= 0)
        return self._read[asked]

    def _owner(self, name: str) -> Indices:
        """Index of the block that defines each cell of a variable, -1 where none does."""
        if name not in self._owners:
            variable = self.model.variables[name]
            owner = np.full(self.model.shape(variable.dims), -1, dtype=np.intp)
            for place, block in enumerate(variable.blocks):
                owner[cells(block.index, owner.shape)] = place
            self._owners[name] = owner
        return self._owners[name]


def cells(index: tuple[Index, ...], shape: tuple[int, ...]) -> tuple[Indices, ...]:
    """NumPy index of the cells of a variable that an index selects; axes of the same label count separately."""
    places = [item.places(length) for item, length in zip(index, shape, strict=True)]
    return np.ix_(*places) if places else ()


def split(group: Group, circles: Sequence[Sequence[Equation]]) -> dict[str, Variable]:
    """Split the equations of apparent algebraic loops along the dimensions that cause the loops."""
    along: dict[str, dict[int, set[int]]] = {}
    for circle in circles:
        for (name, place), dims in _apart(group, circle).items():
            along.setdefault(name, {})[place] = dims
    model, changed = group.model, {}
    for name, chosen in along.items():
        variable = model.variables[name]
        shape = model.shape(variable.dims)
        cutter = _Cutter(model, name)
        blocks: list[Block] = []
        for place, block in enumerate(variable.blocks):
            blocks += cutter.pieces(block, shape, chosen[place]) if chosen.get(place) else [block]
        changed[name] = replace(variable, blocks=tuple(blocks))
        changed |= cutter.hidden
    return changed


def _apart(group: Group, circle: Sequence[Equation]) -> dict[Equation, set[int]]:
    """Dimensions along which each equation of a loop is to be split."""
    # A dimension in which every equation uses only the position it defines cannot cause a loop, and is not split.
    members = frozenset(circle)
    blocks = {node: group.model.variables[node[0]].blocks[node[1]] for node in circle}
    axes = {node: {d for d, item in enumerate(block.index) if isinstance(item, Axis)} for node, block in blocks.items()}
    whole = _in_step(group, members, blocks)
    apart = {node: found - whole.get(node[0], set()) for node, found in axes.items()}
    if not any(apart.values()):
        if not any(axes.values()) or _identical(whole, blocks):
            raise InvalidModel(_message(group, members))
        return axes
    return apart


def _identical(whole: Mapping[str, set[int]], blocks: Mapping[Equation, Block]) -> bool:
    """Whether all equations of a loop run over the same positions, so that the loop exists at each position."""
    return len({frozenset(block.index[dim] for dim in whole.get(name, ())) for (name, _), block in blocks.items()}) == 1


def _in_step(group: Group, members: frozenset[Equation], blocks: Mapping[Equation, Block]) -> dict[str, set[int]]:
    """Dimensions, by variable, in which equations only use values at the position they define."""
    found: dict[str, set[int]] = {}
    first = next(iter(blocks))
    for dim, item in enumerate(blocks[first].index):
        if not isinstance(item, Axis):
            continue
        steps = _followed(group, members, {first[0]: dim}, found)
        for name, place in (steps or {}).items():
            found.setdefault(name, set()).add(place)
    return found


def _followed(
    group: Group, members: frozenset[Equation], start: dict[str, int], taken: Mapping[str, set[int]]
) -> dict[str, int] | None:
    """Dimension of each variable of a loop that is aligned with a given one of the first; None if one is missing."""
    model, steps, waiting = group.model, dict(start), list(start)
    while waiting:
        name = waiting.pop()
        for node in (item for item in members if item[0] == name):
            item = model.variables[name].blocks[node[1]].index[steps[name]]
            elements = model.ranges[model.variables[name].dims[steps[name]]]
            for reference in group.references(node):
                if members.isdisjoint(group.read(reference)):
                    continue
                other = model.variables[reference.variable]
                fitting = [
                    dim
                    for dim, found in enumerate(reference.index)
                    if found == item
                    and model.ranges[other.dims[dim]] == elements
                    and dim not in taken.get(other.name, ())
                ]
                known = steps.get(other.name)
                if not fitting or (known is not None and known not in fitting):
                    return None
                if known is None:
                    steps[other.name] = fitting[0]
                    waiting.append(other.name)
    return steps


def _message(group: Group, members: frozenset[Equation]) -> Message:
    first = min(members, key=lambda node: (list(group.names).index(node[0]), node[1]))
    path: dict[Equation, None] = {first: None}
    while True:
        last = next(reversed(path))
        following = next(node for node in group.needs(last) if node in members)
        if following in path:
            break
        path[following] = None
    circle = [*list(path)[list(path).index(following) :], following]
    variable, place = following
    return Message(
        "variables depend on each other at the same moment: {circle}; put a stock or a delay in between. "
        "Equation: {equation}",
        circle=" -> ".join(repr(_label(group.model, node)) for node in circle),
        equation=group.model.variables[variable].blocks[place].text,
    )


def _label(model: ModelIr, node: Equation) -> str:
    variable = model.variables[node[0]]
    inner = [
        model.ranges[dim][item.position] if isinstance(item, Element) else shown(item.label)
        for dim, item in zip(variable.dims, variable.blocks[node[1]].index, strict=True)
    ]
    text = f"{variable.name}[{','.join(inner)}]" if inner else variable.name
    return text.replace(HIDDEN, ": ")


@dataclass(slots=True)
class _Cutter:
    """Splits the blocks of one variable into pieces; `hidden` contains the variables that the pieces share."""

    model: ModelIr
    owner: str
    hidden: dict[str, Variable] = field(default_factory=dict)
    _arrays: dict[int, tuple[Any, Array]] = field(default_factory=dict)
    _shared: dict[Expression, Reference] = field(default_factory=dict)

    def pieces(self, block: Block, shape: tuple[int, ...], dims: set[int]) -> list[Block]:
        """Split a block into one block for every combination of positions along some dimensions."""
        order = sorted(dims)
        lists = [block.index[dim].places(shape[dim]) for dim in order]
        labels = [block.index[dim].label for dim in order]  # type: ignore[union-attr]
        made = []
        for chosen in itertools.product(*(range(len(items)) for items in lists)):
            index: list[Index] = list(block.index)
            for dim, items, place in zip(order, lists, chosen, strict=True):
                index[dim] = Element(items[place])
            at = dict(zip(labels, chosen, strict=True))
            initial, delay = (None if part is None else self.at(part, at) for part in (block.initial, block.delay))
            expression = self.at(block.expression, at)
            made.append(replace(block, index=tuple(index), expression=expression, initial=initial, delay=delay))
        return made

    def at(self, expression: Expression, places: Mapping[str, int]) -> Expression:
        """An expression at one position along each of some axes."""
        axes = tuple(axis for axis in expression.axes if axis not in places)
        match expression:
            case Number() | Time():
                return expression
            case Table():
                return self._table(expression, axes, places)
            case Reference():
                return replace(expression, index=tuple(_one(item, places) for item in expression.index))
            case Interpolation():
                return self._interpolation(expression, axes, places)
            case Reduction():
                return replace(expression, argument=self.at(expression.argument, places), axes=axes)
            case Operation():
                return replace(expression, arguments=self._all(expression.arguments, places), axes=axes)
            case Random():
                return self.at(self._apart(expression), places) if axes != expression.axes else expression
            case ArrayFunction():
                if any(axis in places for axis in expression.result):
                    return self.at(self._apart(expression), places)
                return replace(expression, arguments=self._all(expression.arguments, places), axes=axes)

    def _all(self, parts: tuple[Expression, ...], places: Mapping[str, int]) -> tuple[Expression, ...]:
        return tuple(self.at(part, places) for part in parts)

    def _array(self, owner: Expression, values: tuple[float, ...], shape: tuple[int, ...]) -> Array:
        """Values as an array; created once, because every piece uses a part of it."""
        known = self._arrays.get(id(values))
        if known is None:
            known = (owner, np.asarray(values, dtype=float).reshape(shape))
            self._arrays[id(values)] = known
        return known[1]

    def _table(self, table: Table, axes: tuple[str, ...], places: Mapping[str, int]) -> Expression:
        part = self._array(table, table.values, table.shape)[_picked(table.axes, places)]
        if not axes:
            return Number(float(part))
        return Table(tuple(part.ravel().tolist()), part.shape, axes)

    def _interpolation(self, table: Interpolation, axes: tuple[str, ...], places: Mapping[str, int]) -> Interpolation:
        argument = self.at(table.argument, places)
        if not any(axis in places for axis in table.tables):
            return replace(table, argument=argument, axes=axes)
        shape = self.model.shape(table.tables)
        x, y = (
            self._array(table, side, (*shape, table.points))[_picked(table.tables, places)]
            for side in (table.x, table.y)
        )
        left = tuple(axis for axis in table.tables if axis not in places)
        x_left, y_left = (tuple(side.ravel().tolist()) for side in (x, y))
        return replace(table, argument=argument, x=x_left, y=y_left, tables=left, axes=axes)

    def _apart(self, expression: Expression) -> Reference:
        """A reference to a hidden variable for an expression that cannot be evaluated position by position."""
        if expression not in self._shared:
            number = next(n for n in itertools.count(1) if self._name(n) not in {*self.model.variables, *self.hidden})
            name = self._name(number)
            dims = tuple(axis.removesuffix("!") for axis in expression.axes)
            self._shared[expression] = reference_to(name, expression.axes)
            block = Block(self._shared[expression].index, expression, None, f"part {number} of {self.owner}")
            self.hidden[name] = hidden_variable(name, "auxiliary", dims, block)
        return self._shared[expression]

    def _name(self, number: int) -> str:
        return f"{self.owner}{HIDDEN}part {number}"


def _one(item: Index, places: Mapping[str, int]) -> Index:
    if not isinstance(item, Axis) or item.label not in places:
        return item
    place = places[item.label]
    return Element(place if item.positions is None else item.positions[place])


def _picked(axes: Sequence[str], places: Mapping[str, int]) -> tuple[int | slice, ...]:
    return tuple(places.get(axis, slice(None)) for axis in axes)
