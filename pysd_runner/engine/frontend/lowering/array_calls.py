"""Functions of whole arrays, whose arguments name what they take."""

from collections.abc import Callable
from dataclasses import replace

from pysd_runner.engine.errors import InvalidModel, suggest
from pysd_runner.engine.frontend.lowering import arrays, places
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.lowering.subscripts import transposed
from pysd_runner.engine.frontend.syntax import Call, Name, Node
from pysd_runner.engine.ir import Expression, Number
from pysd_runner.engine.names import key


def _element_count(node: Call, scope: Scope) -> Expression:
    label = node.arguments[0] if len(node.arguments) == 1 else None
    name = scope.ranges.name_of(label.name) if isinstance(label, Name) else None
    if name is None:
        given = repr(label.name) if isinstance(label, Name) else "this"
        near = suggest(label.name, scope.ranges.elements) if isinstance(label, Name) else ""
        raise InvalidModel(f"ELMCOUNT of {given}, which is no subscript range.{near}")
    return Number(float(len(scope.ranges.elements[name])))


def _allocate_available(node: Call, scope: Scope) -> Expression:
    if len(node.arguments) != 3:
        raise InvalidModel(f"ALLOCATE AVAILABLE takes 3 arguments, {len(node.arguments)} are given")
    request, profile, available = node.arguments
    whole = _whole(
        profile, 1, "the second argument of ALLOCATE AVAILABLE is the first number of a priority profile", scope
    )
    asked, there = scope.lowered(request), scope.lowered(available)
    return arrays.allocate_available(scope, asked, scope.lowered(whole), there)


def _whole(node: Node, count: int, expected: str, scope: Scope) -> Name:
    """An array by whose first element Vensim means all elements along its last subscripts."""
    if not isinstance(node, Name):
        raise InvalidModel(expected)
    labels, dims = node.subscripts or (), scope.dims.get(key(node.name), ())
    if len(labels) != len(dims) or len(labels) < count:
        raise InvalidModel(f"{node.name!r} has {len(dims)} subscripts, {len(labels)} are given")
    return replace(node, subscripts=(*labels[:-count], *dims[-count:]))


def _market_price(node: Call, scope: Scope) -> Expression:
    """FIND MARKET PRICE; its arguments name the first element of what they mean as a whole."""
    if len(node.arguments) != 4:
        raise InvalidModel(f"FIND MARKET PRICE takes 4 arguments, {len(node.arguments)} are given")
    expected = "FIND MARKET PRICE takes quantities and profiles by their first elements, of demand and of supply"
    whole = [_whole(item, 1 + place % 2, expected, scope) for place, item in enumerate(node.arguments)]
    return arrays.market_price(scope, [scope.lowered(item) for item in whole])


def _at_price(node: Call, scope: Scope) -> Expression:
    """What is demanded or supplied at a price."""
    name = key(node.function)
    if len(node.arguments) != 3:
        raise InvalidModel(f"{name.upper()} takes 3 arguments, {len(node.arguments)} are given")
    quantity, profile, price = node.arguments
    whole = _whole(profile, 1, f"the second argument of {name.upper()} is the first number of a profile", scope)
    return arrays.at_price(scope, name, *(scope.lowered(item) for item in (quantity, whole, price)))


def _allocate(node: Call, scope: Scope) -> Expression:
    """ALLOCATE of Stella: a supply, the dimension of those who get it, requests, priorities, widths and kinds."""
    if len(node.arguments) != 6:
        raise InvalidModel(f"ALLOCATE takes 6 arguments, {len(node.arguments)} are given")
    supply, dimension, *each = node.arguments
    name = scope.ranges.name_of(dimension.name) if isinstance(dimension, Name) else None
    if name is None:
        raise InvalidModel("the second argument of ALLOCATE is the dimension of those who get something.")
    request, priority, width, kind = (scope.lowered(_along(item, name, scope)) for item in each)
    return arrays.allocate(scope, scope.lowered(supply), name, (request, kind, priority, width))


def _along(node: Node, name: str, scope: Scope) -> Node:
    """A node in which an array without subscripts, or with a wildcard, runs along a dimension."""
    if not isinstance(node, Name) or key(node.name) not in scope.names:
        return node
    labels = scope.dims[key(node.name)] if node.subscripts is None else node.subscripts
    return replace(node, subscripts=tuple(name if label == "*" else label for label in labels) or None)


def _invert_matrix(node: Call, scope: Scope) -> Expression:
    """INVERT MATRIX; a matrix whose subscripts are the same range twice is meant as a whole."""
    if len(node.arguments) != 2:
        raise InvalidModel(f"INVERT MATRIX takes 2 arguments, {len(node.arguments)} are given")
    matrix = node.arguments[0]
    if isinstance(matrix, Name) and matrix.subscripts and len(set(matrix.subscripts[-2:])) == 1:
        dims = scope.dims.get(key(matrix.name), ())
        matrix = replace(matrix, subscripts=(*matrix.subscripts[:-2], *dims[-2:]))
    return arrays.invert_matrix(scope, scope.lowered(matrix))


def _transposed(node: Call, scope: Scope) -> Expression:
    """An array with its dimensions in the reverse order."""
    array = node.arguments[0]
    if not isinstance(array, Name):
        raise InvalidModel("' stands behind an array.")
    return scope.lowered(transposed(array, scope))


# Function -> how it is lowered.
ARRAY_CALLS: dict[str, Callable[[Call, Scope], Expression]] = {
    "elmcount": _element_count,
    "vector elm map": places.element_map,
    "rank": places.rank,
    "interpolate": places.interpolate,
    "vector lookup": places.vector_lookup,
    "allocate available": _allocate_available,
    "allocate": _allocate,
    "find market price": _market_price,
    "demand at price": _at_price,
    "supply at price": _at_price,
    "invert matrix": _invert_matrix,
    "transposed": _transposed,
}
