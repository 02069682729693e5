"""Functions of whole arrays, whose arguments name what they take."""

from collections.abc import Callable
from dataclasses import replace

from pysd_runner.core.errors import InvalidModel, suggest
from pysd_runner.engine.frontend.lowering import arrays, places
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.lowering.subscripts import transposed
from pysd_runner.engine.frontend.syntax import Call, Name
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
    if not isinstance(profile, Name):
        raise InvalidModel("the second argument of ALLOCATE AVAILABLE is the first number of a priority profile")
    # Vensim names the first number of the profile; meant are all four of them.
    labels, dims = list(profile.subscripts or ()), scope.dims.get(key(profile.name), ())
    if len(labels) != len(dims) or not labels:
        raise InvalidModel(f"{profile.name!r} has {len(dims)} subscripts, {len(labels)} are given")
    whole = replace(profile, subscripts=(*labels[:-1], dims[-1]))
    asked, there = scope.lowered(request), scope.lowered(available)
    return arrays.allocate_available(scope, asked, scope.lowered(whole), there)


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
    "allocate available": _allocate_available,
    "invert matrix": _invert_matrix,
    "transposed": _transposed,
}
