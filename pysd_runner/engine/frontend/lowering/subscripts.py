"""Resolve subscripts: the cells that a left-hand side defines, and the elements that a reference selects."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pysd_runner.engine.errors import InvalidModel, UnsupportedFeature
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.syntax import Call, Name, Node, Numeral, Position, Span, Subscript, parts
from pysd_runner.engine.ir import (
    SMALL,
    Axis,
    Block,
    Element,
    Expression,
    Index,
    Number,
    Reference,
    counted,
    key,
    operation,
    reduced,
)
from pysd_runner.engine.kinds import Flags

WILDCARD = "*"


@dataclass(slots=True)
class Picked:
    """Elements of an array that subscripts select; `chosen`: axis and mask of each subscript that is an expression."""

    index: list[Index] = field(default_factory=list)  # one entry per dimension
    chosen: list[tuple[str, Expression]] = field(default_factory=list)


def static_index(name: str, subscripts: Sequence[Subscript] | None, scope: Scope) -> tuple[Index, ...]:
    """Index selected by subscripts, which must be known before the run."""
    found = picked(name, subscripts, scope)
    if found.chosen:
        raise InvalidModel("the subscripts of {name!r} are names here, not expressions", name=name)
    return tuple(found.index)


def selected(name: str, subscripts: Sequence[Subscript] | None, scope: Scope) -> Expression:
    """Value of a variable with subscripts; zero where a subscript that is an expression is out of range."""
    found = picked(name, subscripts, scope)
    value: Expression = Reference(scope.names[key(name)], tuple(found.index))
    for label, counts in found.chosen:
        inner = operation("where", counts, value, 0.0)
        value = reduced("sum", inner, (label,))
    return value


def picked(name: str, subscripts: Sequence[Subscript] | None, scope: Scope) -> Picked:
    """Resolve every subscript of a reference."""
    dims = scope.dims[key(name)]
    given = list(subscripts) if subscripts else _own(dims, scope)
    given += scope.implicit if len(given) + len(scope.implicit) == len(dims) else ()
    if len(given) != len(dims):
        raise InvalidModel(
            "{name!r} has {count} subscripts, {given} are given", name=name, count=len(dims), given=len(given)
        )
    found = Picked()
    labels = [item for item in given if isinstance(item, str)]
    for item, dim in zip(given, dims, strict=True):
        _pick(item, dim, labels, scope, found)
    return found


def _own(dims: tuple[str, ...], scope: Scope) -> list[Subscript]:
    """Subscripts of an array written without any: those of the left-hand side, if it has the same dimensions."""
    if dims and dims == scope.dims.get(key(scope.owner)) and len(scope.block) == len(dims):
        return list(scope.block)
    return list(dims)


def _pick(item: Subscript, dim: str, labels: list[str], scope: Scope, found: Picked) -> None:
    if item == WILDCARD:
        found.index.append(_whole(dim, scope, found))
    elif isinstance(item, Position):
        found.index.append(scope.pick(_of_left_side(item, scope), dim, labels))
    elif isinstance(item, Numeral):
        found.index.append(Element(_place(item, dim, scope)))
    elif isinstance(item, Span):
        found.index.append(_span(item, dim, scope, len(found.index) + 1))
    elif isinstance(item, str) and not _is_variable(item, dim, scope):
        found.index.append(scope.pick(_unqualified(item, scope), dim, labels))
    else:
        node = Name(item) if isinstance(item, str) else item
        label = f"{scope.ranges.again(dim, len(found.index) + 1)}!"
        # A number just below an integer because of rounding counts as that integer.
        wanted = operation("integer", scope.lowered(node) + SMALL)
        found.chosen.append((label, operation("equal", counted(scope.ranges.elements, (label,)), wanted)))
        found.index.append(Axis(label))


def _whole(dim: str, scope: Scope, found: Picked) -> Axis:
    """Axis over a whole dimension; if it occurs twice in one reference, the second axis is independent."""
    taken = sum(isinstance(item, Axis) and item.label.startswith(dim) for item in found.index)
    return Axis(f"{scope.ranges.again(dim, taken + 1) if taken else dim}!")


def _of_left_side(position: Position, scope: Scope) -> str:
    if not 1 <= position.number <= len(scope.block):
        raise InvalidModel(
            "@{number} is no dimension of the left side, which has {count}.",
            number=position.number,
            count=len(scope.block),
        )
    return scope.block[position.number - 1]


def transposed(node: Name, scope: Scope) -> Name:
    """Match the dimensions of an array with those of the left-hand side in reverse order."""
    given = list(node.subscripts or scope.dims[key(node.name)])
    running = [place for place, item in enumerate(given) if isinstance(item, str) and scope.ranges.name_of(item)]
    left = [label for label in scope.block if scope.ranges.name_of(label)]
    if len(running) != len(left):
        raise InvalidModel(
            "{name}' runs over {count} dimensions, and the left side over {other_count}; they are as many.",
            name=node.name,
            count=len(running),
            other_count=len(left),
        )
    for place, label in zip(running, reversed(left), strict=True):
        given[place] = label
    return Name(node.name, tuple(given), node.at)


def _place(number: Numeral, dim: str, scope: Scope) -> int:
    count = len(scope.ranges.elements[dim])
    if not 1 <= number.value <= count or number.value != int(number.value):
        raise InvalidModel(
            "subscript {value:g} is out of range for {dim!r}, which has {count} elements.",
            value=number.value,
            dim=dim,
            count=count,
        )
    return int(number.value) - 1


def _span(span: Span, dim: str, scope: Scope, number: int) -> Axis:
    """Axis over consecutive elements of a dimension, both ends included."""
    first = 1 if span.first is None else _end(span.first, dim, scope)
    last = len(scope.ranges.elements[dim]) if span.last is None else _end(span.last, dim, scope)
    if first is None or last is None:
        return _open_span(span, dim, scope, number)
    if first > last:
        raise InvalidModel("a span of subscripts from {first} to {last} holds nothing.", first=first, last=last)
    places = tuple(range(first - 1, last))
    label = scope.ranges.part(dim, places)
    return scope.ranges.axis(f"{label}!", dim, places)


def _end(node: Node, dim: str, scope: Scope) -> int | None:
    """Position of an end of a span, counted from one; None if it is known only during the run."""
    if isinstance(node, Numeral):
        return _place(node, dim, scope) + 1
    if isinstance(node, Name) and node.subscripts is None and scope.ranges.holds(dim, node.name):
        return scope.ranges.places(node.name, dim)[0] + 1
    return None


def _open_span(span: Span, dim: str, scope: Scope, number: int) -> Axis:
    """Axis over a whole dimension; masks, computed during the run, limit the enclosing reduction to the span."""
    label = f"{scope.ranges.again(dim, 20 + number)}!"
    places = counted(scope.ranges.elements, (label,))
    for node, name in ((span.first, "greater_equal"), (span.last, "less_equal")):
        if node is not None:
            end = operation("integer", scope.lowered(node) + SMALL)
            scope.masks.append(operation(name, places, end))
    return Axis(label)


def _is_variable(label: str, dim: str, scope: Scope) -> bool:
    """Whether a name in a subscript is not a range or element, but a variable whose value selects the element."""
    bare = _unqualified(label.removesuffix("!").strip(), scope)
    if scope.ranges.name_of(bare) is not None or scope.ranges.holds(dim, bare):
        return False
    return key(bare) in scope.names


def _unqualified(label: str, scope: Scope) -> str:
    """Remove the dimension from a qualified element, ``Region.north``."""
    first, dot, last = label.partition(".")
    return last if dot and scope.ranges.name_of(first) is not None else label


# A set of cells: the positions that it covers along each dimension.
SubArray = tuple[tuple[int, ...], ...]


def remaining(boxes: Sequence[SubArray], exceptions: Sequence[Sequence[SubArray]]) -> list[list[SubArray]]:
    """Cells that are left of each box without its exceptions and without cells that later boxes redefine.

    >>> remaining([((0, 1, 2),), ((1,),)], [[], []])
    [[((0, 2),)], [((1,),)]]
    """
    if len(boxes) == 1 and not any(exceptions):
        return [list(boxes)]
    rank = len(boxes[0])
    alike = [
        _Alike([box[dim] for box in (*boxes, *(item for part in exceptions for item in part))]) for dim in range(rank)
    ]

    def grid(box: SubArray) -> Any:
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
    """Equivalence classes of positions along a dimension: those in the same lists are treated as one, to save work."""

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


def _places(alike: Sequence[_Alike], box: SubArray, part: Sequence[Sequence[int]]) -> SubArray:
    """Positions of a rectangle of a box, in the order of the box."""
    chosen = []
    for known, places, rows in zip(alike, box, part, strict=True):
        wanted = {known.classes[places][row] for row in rows}
        chosen.append(tuple(place for place in places if known.of[place] in wanted))
    return tuple(chosen)


def _rectangles(mask: Flags) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Split a mask into rectangles; identical rows are combined."""
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


def box_of(labels: Sequence[str], dims: Sequence[str], scope: Scope) -> SubArray:
    """Cells that the subscripts of a left-hand side name."""
    if len(labels) != len(dims):
        raise InvalidModel(
            "{count} subscripts are left out of {other_count}.", count=len(labels), other_count=len(dims)
        )
    return tuple(scope.ranges.places(label, dim) for label, dim in zip(labels, dims, strict=True))


def left_side(labels: Sequence[str], box: SubArray, dims: Sequence[str], scope: Scope) -> tuple[Index, ...]:
    """Index of some of the cells an equation names; the axes of its ranges are stored in the scope."""
    scope.block, scope.standing = labels, {}
    standing: dict[str, str] = {}
    index: list[Index] = []
    for label, places, dim in zip(labels, box, dims, strict=True):
        name = scope.ranges.name_of(label)
        if name is None:
            index.append(Element(places[0]))
            continue
        if name in standing:
            raise UnsupportedFeature("the range {name!r} twice on the left side", name=name)
        standing[name] = _standing(name, places, scope.ranges.places(label, dim), scope)
        index.append(scope.ranges.axis(standing[name], dim, places))
    scope.standing = standing
    return tuple(index)


def _standing(name: str, places: Sequence[int], whole: Sequence[int], scope: Scope) -> str:
    """Label for the elements of a range at some positions of a dimension, out of `whole`, those of all its elements."""
    if places == whole:
        return name
    kept = set(places)
    return scope.ranges.part(name, tuple(number for number, place in enumerate(whole) if place in kept))


def takes_whole_arrays(node: Node) -> bool:
    """Whether an expression calls a function whose result for one element depends on all elements of an array."""
    return any(isinstance(part, Call) and key(part.function) in WHOLE_ARRAYS for part in parts(node))


def cut(
    block: Block, labels: Sequence[str], boxes: Sequence[SubArray], dims: Sequence[str], scope: Scope
) -> list[Block]:
    """Split a block that was lowered as a whole; hidden variables hold its values, and the parts refer to them."""
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
    """Restrict a reference to a whole hidden variable to the elements that the left-hand side covers."""
    if not isinstance(part, Reference):
        return part
    return Reference(part.variable, tuple(_shorter(item, scope) for item in part.index))


def _shorter(item: Index, scope: Scope) -> Index:
    if not isinstance(item, Axis):
        return item
    label = scope.standing[item.label]
    places = scope.ranges.places_of(scope.ranges.keys(label), item.label, item.label)
    return scope.ranges.axis(label, item.label, places)
