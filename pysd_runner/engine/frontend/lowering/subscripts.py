"""What the subscripts of a reference pick, where they are more than names: wildcards, numbers, expressions, spans."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pysd_runner.engine.errors import InvalidModel
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.syntax import Name, Node, Numeral, Position, Span, Subscript
from pysd_runner.engine.ir import (
    SMALL,
    Axis,
    Element,
    Expression,
    Index,
    Number,
    Reduction,
    Reference,
    Table,
    operation,
)
from pysd_runner.engine.names import key

WILDCARD = "*"


@dataclass(slots=True)
class Picked:
    """What subscripts pick from an array."""

    index: list[Index] = field(default_factory=list)  # one entry per dimension
    chosen: list[tuple[str, Expression]] = field(default_factory=list)


def static_index(name: str, subscripts: Sequence[Subscript] | None, scope: Scope) -> tuple[Index, ...]:
    """What subscripts pick that are known before the run."""
    found = picked(name, subscripts, scope)
    if found.chosen:
        raise InvalidModel(f"the subscripts of {name!r} are names here, not expressions")
    return tuple(found.index)


def selected(name: str, subscripts: Sequence[Subscript] | None, scope: Scope) -> Expression:
    """The value of a variable with its subscripts; zero where an expression picks a place that is not there."""
    found = picked(name, subscripts, scope)
    value: Expression = Reference(scope.names[key(name)], tuple(found.index))
    for label, counts in found.chosen:
        inner = operation("where", counts, value, Number(0.0))
        value = Reduction("sum", inner, (label,), tuple(axis for axis in inner.axes if axis != label))
    return value


def picked(name: str, subscripts: Sequence[Subscript] | None, scope: Scope) -> Picked:
    """What every subscript of a reference stands for."""
    dims = scope.dims[key(name)]
    given = list(subscripts) if subscripts else _own(dims, scope)
    given += scope.implicit if len(given) + len(scope.implicit) == len(dims) else ()
    if len(given) != len(dims):
        raise InvalidModel(f"{name!r} has {len(dims)} subscripts, {len(given)} are given")
    found = Picked()
    labels = [item for item in given if isinstance(item, str)]
    for item, dim in zip(given, dims, strict=True):
        _pick(item, dim, labels, scope, found)
    return found


def _own(dims: tuple[str, ...], scope: Scope) -> list[Subscript]:
    """Subscripts of an array that is written without any: those of the left side, where that has the same ranges."""
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
        numbers = tuple(float(place + 1) for place in range(len(scope.ranges.elements[dim])))
        # A number that is a little below a whole one by rounding alone counts as that.
        wanted = operation("integer", operation("add", scope.lowered(node), Number(SMALL)))
        found.chosen.append((label, operation("equal", Table(numbers, (len(numbers),), (label,)), wanted)))
        found.index.append(Axis(label))


def _whole(dim: str, scope: Scope, found: Picked) -> Axis:
    """All of a dimension; where it stands twice in one reference, the second runs by itself."""
    taken = sum(isinstance(item, Axis) and item.label.startswith(dim) for item in found.index)
    return Axis(f"{scope.ranges.again(dim, taken + 1) if taken else dim}!")


def _of_left_side(position: Position, scope: Scope) -> str:
    if not 1 <= position.number <= len(scope.block):
        raise InvalidModel(f"@{position.number} is no dimension of the left side, which has {len(scope.block)}.")
    return scope.block[position.number - 1]


def transposed(node: Name, scope: Scope) -> Name:
    """An array whose dimensions run with those of the left side in the reverse order."""
    given = list(node.subscripts or scope.dims[key(node.name)])
    running = [place for place, item in enumerate(given) if isinstance(item, str) and scope.ranges.name_of(item)]
    left = [label for label in scope.block if scope.ranges.name_of(label)]
    if len(running) != len(left):
        raise InvalidModel(
            f"{node.name}' runs over {len(running)} dimensions, and the left side over {len(left)}; they are as many."
        )
    for place, label in zip(running, reversed(left), strict=True):
        given[place] = label
    return Name(node.name, tuple(given), node.at)


def _place(number: Numeral, dim: str, scope: Scope) -> int:
    count = len(scope.ranges.elements[dim])
    if not 1 <= number.value <= count or number.value != int(number.value):
        raise InvalidModel(f"subscript {number.value:g} is out of range for {dim!r}, which has {count} elements.")
    return int(number.value) - 1


def _span(span: Span, dim: str, scope: Scope, number: int) -> Axis:
    """Consecutive places of a dimension, both ends included."""
    ends = [_end(node, dim, scope) for node in (span.first, span.last)]
    count = len(scope.ranges.elements[dim])
    first, last = ends[0] if span.first is not None else 1, ends[1] if span.last is not None else count
    if first is None or last is None:
        return _open_span(span, dim, scope, number)
    if first > last:
        raise InvalidModel(f"a span of subscripts from {first} to {last} holds nothing.")
    places = tuple(range(first - 1, last))
    label = scope.ranges.part(dim, places)
    return scope.ranges.axis(f"{label}!", dim, places)


def _end(node: Node | None, dim: str, scope: Scope) -> int | None:
    """The place that is an end of a span, None if it is known in the run only."""
    if isinstance(node, Numeral):
        return _place(node, dim, scope) + 1
    if isinstance(node, Name) and node.subscripts is None and scope.ranges.holds(dim, node.name):
        return scope.ranges.places(node.name, dim)[0] + 1
    return None


def _open_span(span: Span, dim: str, scope: Scope, number: int) -> Axis:
    """All places of a dimension; which of them count the run tells, and the function around leaves the others out."""
    label = f"{scope.ranges.again(dim, 20 + number)}!"
    count = len(scope.ranges.elements[dim])
    places = Table(tuple(float(place + 1) for place in range(count)), (count,), (label,))
    for node, name in ((span.first, "greater_equal"), (span.last, "less_equal")):
        if node is not None:
            end = operation("integer", operation("add", scope.lowered(node), Number(SMALL)))
            scope.masks.append(operation(name, places, end))
    return Axis(label)


def _is_variable(label: str, dim: str, scope: Scope) -> bool:
    """Whether a name in a subscript is no range and no element but a variable, whose value picks the place."""
    bare = _unqualified(label.removesuffix("!").strip(), scope)
    if scope.ranges.name_of(bare) is not None or scope.ranges.holds(dim, bare):
        return False
    return key(bare) in scope.names


def _unqualified(label: str, scope: Scope) -> str:
    """An element without the dimension in front of it, ``Region.north``."""
    first, dot, last = label.partition(".")
    return last if dot and scope.ranges.name_of(first) is not None else label
