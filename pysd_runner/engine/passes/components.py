"""Order of computation: groups of things that need each other, and of the equations inside such a group."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.ir import Axis, Block, Expression, Index, ModelIr, Reference, walk

Node = TypeVar("Node", str, tuple[str, int])

# An equation: the name of its variable and the number of the block.
Equation = tuple[str, int]

# The expression of a block that counts: what it computes at the start, or while the run goes on.
Part = Callable[[Block], Expression]


def components(wanted: Iterable[Node], needs: Callable[[Node], Iterable[Node]]) -> list[tuple[Node, ...]]:
    """Everything that is needed, in groups whose members need each other."""
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
    """Take a finished group, which begins with `first`, from the end of what is waiting."""
    group = []
    while True:
        node, _ = waiting.popitem()
        group.append(node)
        if node == first:
            return tuple(reversed(group))


@dataclass(slots=True)
class Group:
    """The equations of variables that need each other at the same moment."""

    model: ModelIr
    names: tuple[str, ...]
    part: Part  # which expression of a block counts
    _owners: dict[str, NDArray[np.intp]] = field(default_factory=dict)
    _read: dict[tuple[str, tuple[Index, ...]], tuple[Equation, ...]] = field(default_factory=dict)

    def equations(self) -> tuple[list[Equation], list[tuple[Equation, ...]]]:
        """Its equations in order of computation."""
        nodes = [(name, place) for name in self.names for place in range(len(self.model.variables[name].blocks))]
        found = components(nodes, self.needs)
        circles = [item for item in found if len(item) > 1 or item[0] in self.needs(item[0])]
        return [node for item in found for node in item], circles

    def needs(self, node: Equation) -> list[Equation]:
        """Equations of the group that define a cell an equation reads."""
        needed = (equation for reference in self.references(node) for equation in self.read(reference))
        return list(dict.fromkeys(needed))

    def references(self, node: Equation) -> list[Reference]:
        """What an equation reads of the variables of the group."""
        name, place = node
        parts = walk(self.part(self.model.variables[name].blocks[place]))
        return [item for item in parts if isinstance(item, Reference) and item.variable in self.names]

    def read(self, reference: Reference) -> tuple[Equation, ...]:
        """Equations that define a cell of a reference."""
        asked = (reference.variable, reference.index)
        if asked not in self._read:
            owner = self._owner(reference.variable)
            blocks = np.unique(owner[cells(reference.index, owner.shape)])
            self._read[asked] = tuple((reference.variable, int(block)) for block in blocks if block >= 0)
        return self._read[asked]

    def _owner(self, name: str) -> NDArray[np.intp]:
        """Number of the block that defines each cell of a variable, -1 where none does."""
        if name not in self._owners:
            variable = self.model.variables[name]
            owner = np.full(self.model.shape(variable.dims), -1, dtype=np.intp)
            for place, block in enumerate(variable.blocks):
                owner[cells(block.index, owner.shape)] = place
            self._owners[name] = owner
        return self._owners[name]


def cells(index: tuple[Index, ...], shape: tuple[int, ...]) -> tuple[NDArray[np.intp], ...]:
    """Cells of a variable that an index selects, all axes taken apart."""
    places = [positions(item, length) for item, length in zip(index, shape, strict=True)]
    return np.ix_(*places) if places else ()


def positions(item: Index, length: int) -> tuple[int, ...]:
    """Places in a dimension that an index selects."""
    if isinstance(item, Axis):
        return tuple(range(length)) if item.positions is None else item.positions
    return (item.position,)
