"""What stands on the left side of an equation: the cells it names, and what its ranges stand for in a part of them."""

from collections.abc import Sequence
from dataclasses import replace

from pysd_runner.engine.errors import InvalidModel, UnsupportedFeature
from pysd_runner.engine.frontend.lowering.boxes import Box
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.syntax import Call, Node, parts
from pysd_runner.engine.ir import Axis, Block, Element, Expression, Index, Number, Reference
from pysd_runner.engine.names import key

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
