"""Which cells of an array its equations define, what ranges on the left side stand for, and what is left for others."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.errors import InvalidModel, UnsupportedFeature
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.syntax import Call, Node, parts
from pysd_runner.engine.ir import Axis, Block, Element, Expression, Index, Number, Reference
from pysd_runner.engine.names import key

# The places it covers along every dimension.
Box = tuple[tuple[int, ...], ...]


def remaining(boxes: Sequence[Box], exceptions: Sequence[Sequence[Box]]) -> list[list[Box]]:
    """What is left of each box without its exceptions and without what later boxes define again.

    >>> remaining([((0, 1, 2),), ((1,),)], [[], []])
    [[((0, 2),)], [((1,),)]]
    """
    if len(boxes) == 1 and not any(exceptions):
        return [list(boxes)]
    rank = len(boxes[0])
    alike = [
        _Alike([box[dim] for box in (*boxes, *(item for part in exceptions for item in part))]) for dim in range(rank)
    ]

    def grid(box: Box) -> Any:
        return np.ix_(*(known.classes[places] for known, places in zip(alike, box, strict=True))) if rank else ()

    owner = np.full([known.count for known in alike], -1)
    for number, (box, left_out) in enumerate(zip(boxes, exceptions, strict=True)):
        before = owner.copy() if left_out else owner
        owner[grid(box)] = number
        for item in left_out:
            owner[grid(item)] = before[grid(item)]
    found = []
    for number, box in enumerate(boxes):
        mine = owner[grid(box)] == number
        found.append([box] if mine.all() else [_places(alike, box, part) for part in _rectangles(mine)])
    return found


class _Alike:
    """Places along a dimension that stand in the same lists count as one, so that the work does not grow with them."""

    def __init__(self, lists: Sequence[tuple[int, ...]]) -> None:
        stands_in: dict[int, list[int]] = {}
        distinct = dict.fromkeys(lists)
        for number, places in enumerate(distinct):
            for place in places:
                stands_in.setdefault(place, []).append(number)
        numbers: dict[tuple[int, ...], int] = {}
        self.of = {place: numbers.setdefault(tuple(found), len(numbers)) for place, found in stands_in.items()}
        self.count = len(numbers)
        self.classes = {places: list(dict.fromkeys(self.of[place] for place in places)) for places in distinct}


def _places(alike: Sequence[_Alike], box: Box, part: Sequence[Sequence[int]]) -> Box:
    """A rectangle of a box as places, in the order of the box."""
    chosen = []
    for known, places, rows in zip(alike, box, part, strict=True):
        wanted = {known.classes[places][row] for row in rows}
        chosen.append(tuple(place for place in places if known.of[place] in wanted))
    return tuple(chosen)


def _rectangles(mask: NDArray[np.bool_]) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Rectangles that make up a mask: rows that look the same go together."""
    if mask.ndim == 0:
        if mask:
            yield ()
        return
    rows: dict[bytes, list[int]] = {}
    for number, row in enumerate(mask):
        rows.setdefault(row.tobytes(), []).append(number)
    for numbers in rows.values():
        for rest in _rectangles(mask[numbers[0]]):
            yield (tuple(numbers), *rest)


# Functions whose result for one element depends on all elements of an array.
WHOLE_ARRAYS = frozenset(
    {
        "invert matrix",
        "vector sort order",
        "vector rank",
        "vector reorder",
        "allocate available",
        "allocate by priority",
    }
)


def box_of(labels: Sequence[str], dims: Sequence[str], scope: Scope) -> Box:
    """Cells that the subscripts of a left side name."""
    if len(labels) != len(dims):
        raise InvalidModel(f"{len(labels)} subscripts are left out of {len(dims)}.")
    return tuple(scope.ranges.places(label, dim) for label, dim in zip(labels, dims, strict=True))


def left_side(labels: Sequence[str], box: Box, dims: Sequence[str], scope: Scope) -> tuple[Index, ...]:
    """Index of some of the cells an equation names; the scope then knows what its ranges stand for."""
    scope.block, scope.standing = labels, {}
    standing: dict[str, str] = {}
    index: list[Index] = []
    for label, places, dim in zip(labels, box, dims, strict=True):
        name = scope.ranges.name_of(label)
        if name is None:
            index.append(Element(places[0]))
            continue
        if name in standing:
            raise UnsupportedFeature(f"the range {name!r} twice on the left side")
        standing[name] = _standing(name, places, scope.ranges.places(label, dim), scope)
        index.append(scope.ranges.axis(standing[name], dim, places))
    scope.standing = standing
    return tuple(index)


def _standing(name: str, places: Sequence[int], whole: Sequence[int], scope: Scope) -> str:
    """Label of the elements of a range at some places of a dimension, of those where the range stands."""
    if places == whole:
        return name
    kept = set(places)
    return scope.ranges.part(name, tuple(number for number, place in enumerate(whole) if place in kept))


def takes_whole_arrays(node: Node) -> bool:
    """Whether an expression has a function whose result for one element depends on all of them."""
    return any(isinstance(part, Call) and key(part.function) in WHOLE_ARRAYS for part in parts(node))


def cut(block: Block, labels: Sequence[str], boxes: Sequence[Box], dims: Sequence[str], scope: Scope) -> list[Block]:
    """Parts of a block that was lowered whole; what it computes is hidden in variables of their own."""
    expression = _hidden(block.expression, scope)
    initial = None if block.initial is None else _hidden(block.initial, scope)
    made = []
    for box in boxes:
        index = left_side(labels, box, dims, scope)
        start = None if initial is None else _restricted(initial, scope)
        made.append(replace(block, index=index, expression=_restricted(expression, scope), initial=start))
    return made


def _hidden(part: Expression, scope: Scope) -> Expression:
    return part if isinstance(part, Number) else scope.hide("auxiliary", part)


def _restricted(part: Expression, scope: Scope) -> Expression:
    """A whole hidden variable, as far as the ranges of the left side stand for it."""
    if not isinstance(part, Reference):
        return part
    return Reference(part.variable, tuple(_shorter(item, scope) for item in part.index))


def _shorter(item: Index, scope: Scope) -> Index:
    if not isinstance(item, Axis):
        return item
    label = scope.standing[item.label]
    places = scope.ranges.places_of(scope.ranges.keys(label), item.label, item.label)
    return scope.ranges.axis(label, item.label, places)
