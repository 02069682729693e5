"""Array functions: those that select elements by position, and those of whole arrays, which become hidden variables."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pysd_runner.engine.errors import InvalidModel, Message, UnsupportedFeature, suggest
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.lowering.subscripts import WILDCARD, static_index, transposed
from pysd_runner.engine.frontend.syntax import Call, Name, Node, OperatorCall
from pysd_runner.engine.ir import (
    SMALL,
    ArrayFunction,
    Axis,
    Expression,
    Index,
    Number,
    Reference,
    Table,
    counted,
    inner_axes,
    joined_axes,
    key,
    operation,
    reduced,
    reference_to,
    relabelled,
    shape_of,
)


def sorted_by(name: str) -> Callable[[Scope, Expression, Expression], Expression]:
    """Builder of a function that sorts along the last subscript; its second argument is the direction."""

    def build(scope: Scope, vector: Expression, direction: Expression) -> Expression:
        core = _core(vector, 1, name.upper())
        return _applied(scope, name, [vector, direction], [core, ()], _made(scope, vector, core))

    return build


def vector_reorder(scope: Scope, vector: Expression, places: Expression) -> Expression:
    """VECTOR REORDER, along the last subscript."""
    cores = [_core(item, 1, "VECTOR REORDER") for item in (vector, places)]
    return _applied(scope, "vector reorder", [vector, places], cores, cores[1])


def allocate_by_priority(
    scope: Scope, request: Expression, priority: Expression, width: Expression, supply: Expression
) -> Expression:
    """ALLOCATE BY PRIORITY, along the last subscript of the request."""
    core = _core(request, 1, "ALLOCATE BY PRIORITY")
    return _applied(scope, "allocate by priority", [request, priority, width, supply], [core, core, (), ()], core)


def element_wise(scope: Scope, name: str, arguments: Sequence[Expression]) -> Expression:
    """Element-wise function that targets call like an array function."""
    return _applied(scope, name, arguments, [()] * len(arguments), ())


def _core(argument: Expression, count: int, name: str) -> tuple[str, ...]:
    if len(argument.axes) < count:
        raise InvalidModel(
            "{name} works along {count} subscripts; its argument runs over {other_count}.",
            name=name,
            count=count,
            other_count=len(argument.axes),
        )
    return argument.axes[-count:]


def _made(scope: Scope, vector: Expression, core: tuple[str, ...]) -> tuple[str, ...]:
    """Axis of the sorted vector: its own, or one of the same length that only the left-hand side has."""
    if core[0] in scope.block_axes:
        return core
    free = [axis for axis in scope.block_axes if axis not in vector.axes]
    fitting = [axis for axis in free if _last(axis, scope) == _last(core[0], scope)]
    return (fitting[-1],) if fitting else core


def _applied(
    scope: Scope, name: str, arguments: Sequence[Expression], cores: Sequence[tuple[str, ...]], result: tuple[str, ...]
) -> Expression:
    """Put the function and its arguments into hidden variables, so that targets handle plain arrays only."""
    plain = [
        marked(scope, argument, core) if core else _plain(scope, argument)
        for argument, core in zip(arguments, cores, strict=True)
    ]
    names = tuple(tuple(f"{axis.removesuffix('!')}!" for axis in core) for core in cores)
    inner = {axis for core in names for axis in core}
    made = tuple(axis.removesuffix("!") for axis in result)
    loop = tuple(axis for axis in joined_axes(*plain) if axis not in inner)
    return scope.hide("auxiliary", ArrayFunction(name.replace(" ", "_"), tuple(plain), names, made, (*loop, *made)))


def _plain(scope: Scope, argument: Expression) -> Expression:
    return argument if isinstance(argument, Number | Reference) else scope.hide("auxiliary", argument)


def marked(scope: Scope, argument: Expression, core: tuple[str, ...]) -> Reference:
    """Reference to an argument whose core axes are marked by an exclamation mark."""
    plain = argument if isinstance(argument, Reference) else scope.hide("auxiliary", argument)
    index = tuple(
        replace(item, label=f"{item.label}!") if isinstance(item, Axis) and item.label in core else item
        for item in plain.index
    )
    return Reference(plain.variable, index)


# Undefined result: a computed NaN, because a literal NaN is a missing value of the model.
UNDEFINED = operation("ln", -1.0)

# Reductions of VECTOR SELECT by the number of its action, and the neutral element of each.
_REDUCTIONS = ("sum", "product", "least", "largest", "average")
_ACTIONS = (*_REDUCTIONS, "product", *_REDUCTIONS)
_IDENTITY = {"sum": 0.0, "product": 1.0, "least": math.inf, "largest": -math.inf, "average": 0.0}


def vector_select(
    scope: Scope, selection: Expression, values: Expression, missing: Expression, action: Expression, error: Expression
) -> Expression:
    """VECTOR SELECT: reduce the elements whose selection is not zero; NaN if `error` does not allow their number."""
    del scope
    over = inner_axes(selection * values)
    if not over:
        raise InvalidModel("VECTOR SELECT works along subscripts with an exclamation mark; none is given.")
    count = _reduced("sum", operation("where", selection, 1.0, 0.0), over)
    found = [_selected(selection, values, place, over) for place in range(len(_ACTIONS))]
    if isinstance(action, Number):
        place = int(action.value)
        result = found[place] if 0 <= place < len(found) else UNDEFINED
    else:
        result = _by_number(action, dict(enumerate(found)))
    none = operation("equal", count, 0.0)
    result = operation("where", none, missing, result)
    if isinstance(error, Number) and error.value == 0:
        return result
    odd = operation("equal", operation("modulo", error, 2.0), 1.0)
    forbidden = odd & none | (error > 1.5) & (count > 1.0)
    return operation("where", forbidden, UNDEFINED, result)


def _selected(selection: Expression, values: Expression, action: int, over: tuple[str, ...]) -> Expression:
    kind = _ACTIONS[action]
    # Vensim's documentation swaps base and exponent; this is what Vensim computes.
    taken = selection * values if action < 5 else values**selection if action == 5 else values
    chosen = operation("where", selection, taken, _IDENTITY[kind])
    if kind != "average":
        return _reduced(kind, chosen, over)
    ones = operation("where", operation("equal", chosen, chosen), 1.0, 1.0)
    number = _reduced("sum", operation("where", selection, ones, 0.0), over)
    return _reduced("sum", chosen, over) / number


def _reduced(name: str, argument: Expression, over: tuple[str, ...]) -> Expression:
    present = tuple(axis for axis in argument.axes if axis in over)
    return reduced(name, argument, present) if present else argument


def element_map(node: Call, scope: Scope) -> Expression:
    """VECTOR ELM MAP: the element at an offset from the named one, missing if there is none."""
    vector = node.arguments[0] if len(node.arguments) == 2 else None
    if not isinstance(vector, Name) or key(vector.name) not in scope.names:
        raise InvalidModel("VECTOR ELM MAP takes an element of a variable, x[first], and how many places to go on.")
    dims = scope.dims[key(vector.name)]
    base = _flat(static_index(vector.name, vector.subscripts, scope), dims, scope)
    place = base + _whole_number(scope.lowered(node.arguments[1]))
    count = Number(float(math.prod(len(scope.ranges.elements[dim]) for dim in dims)))
    inside = (place >= 0.0) & (place < count)
    return operation("where", inside, _at(vector.name, place, scope), math.nan)


def flat_element(node: Call, scope: Scope) -> Expression:
    """Array called with the position of an element, in row-major order from one; zero if out of range."""
    if len(node.arguments) != 1:
        raise InvalidModel(
            "{function!r} is an array and takes one place, {count} are given",
            function=node.function,
            count=len(node.arguments),
        )
    place = _whole_number(scope.lowered(node.arguments[0])) - 1.0
    return _at(node.function, place, scope)


def rank(node: Call, scope: Scope) -> Expression:
    """RANK: position, in row-major order from one, of the element with a given rank in ascending order."""
    if len(node.arguments) not in (2, 3):
        raise InvalidModel("RANK takes 2 or 3 arguments, {count} are given", count=len(node.arguments))
    values = [scope.lowered(with_wildcards(item, scope)) for item in (node.arguments[0], *node.arguments[2:])]
    place = node.arguments[1]
    # The rank of the largest element may be written as SIZE.
    is_last = isinstance(place, Name) and key(place.name) == "size" and "size" not in scope.names
    wanted = _whole_number(scope.lowered(Call("size of array", node.arguments[:1]) if is_last else place))
    if not inner_axes(values[0]):
        values = [marked(scope, item, item.axes) for item in values]
    over = inner_axes(values[0])
    if not over:
        raise InvalidModel("RANK takes an array, x[*].")
    others = {axis: f"{scope.ranges.again(axis.removesuffix('!'), 9)}!" for axis in over}
    own = counted(scope.ranges.elements, over)
    keys = [*values, own]
    smaller = _smaller([relabelled(item, others) for item in keys], keys)
    ones = operation("where", smaller, 1.0, 0.0)
    before = reduced("sum", ones, others.values())
    found = operation("where", operation("equal", before + 1.0, wanted), own, 0.0)
    return reduced("sum", found, over)


def interpolate(node: Call, scope: Scope) -> Expression:
    """INTERPOLATE: linear interpolation in an array, from 0 for the first to 1 for the last element of a dimension."""
    if len(node.arguments) < 2:
        raise InvalidModel("INTERPOLATE takes an array and a place between 0 and 1 for each of its dimensions.")
    value, *shares = map(scope.lowered, (with_wildcards(node.arguments[0], scope), *node.arguments[1:]))
    if not inner_axes(value):
        value = marked(scope, value, value.axes)
    over = inner_axes(value)
    if len(over) != len(shares):
        raise InvalidModel(
            "INTERPOLATE of an array over {count} dimensions with {other_count} places.",
            count=len(over),
            other_count=len(shares),
        )
    for axis, share in zip(over, shares, strict=True):
        last = Number(_last(axis, scope))
        place = _within(share, Number(1.0)) * last
        value = value * _weight(axis, place, scope)
    return reduced("sum", value, over)


def vector_lookup(node: Call, scope: Scope) -> Expression:
    """VECTOR LOOKUP: an array along its last subscript, read as a table over evenly spaced x in a given mode."""
    vector = node.arguments[0] if len(node.arguments) == 5 else None
    labels = vector.subscripts if isinstance(vector, Name) else None
    if not isinstance(vector, Name) or not labels or len(labels) != len(scope.dims.get(key(vector.name), ())):
        raise InvalidModel("VECTOR LOOKUP takes an element of an array, x[first], a number, the ends of x, and a mode.")
    whole = Name(vector.name, (*labels[:-1], f"{scope.dims[key(vector.name)][-1]}!"), vector.at)
    values, x, low, high, mode = map(scope.lowered, (whole, *node.arguments[1:]))
    axis = inner_axes(values)[0]
    last = _last(axis, scope)
    place = (x - low) / (high - low) * last

    def at(where: Expression) -> Expression:
        return reduced("sum", values * _weight(axis, where, scope), (axis,))

    inside = _within(place, Number(last))
    before = _whole_number(inside)
    first = operation("min", before, max(last - 1, 0.0))
    rise = at(first + 1.0) - at(first)
    going_on = at(first) + (place - first) * rise
    after = operation("where", before < inside, before + 1.0, before)
    rules = {0.0: at(inside), 2.0: at(before), 3.0: going_on, 4.0: at(after)}
    if isinstance(mode, Number):
        if mode.value not in rules:
            raise UnsupportedFeature("VECTOR LOOKUP of mode {value:g}, none of 0, 2, 3 and 4,", value=mode.value)
        return rules[mode.value]
    return _by_number(mode, rules)


def _by_number(number: Expression, rules: Mapping[float, Expression]) -> Expression:
    """One of several expressions, by a number known only during the run."""
    result: Expression = UNDEFINED
    for value, rule in rules.items():
        result = operation("where", operation("equal", number, float(value)), rule, result)
    return result


def _within(value: Expression, most: Expression) -> Expression:
    return operation("min", operation("max", value, 0.0), most)


def _last(axis: str, scope: Scope) -> float:
    """Position of the last element of an axis, counted from zero."""
    return float(len(scope.ranges.elements[axis.removesuffix("!")]) - 1)


def _weight(axis: str, place: Expression, scope: Scope) -> Expression:
    """Weight of each element of an axis in the linear interpolation at a position."""
    own = counted(scope.ranges.elements, (axis,)) - 1.0
    distance = operation("abs", place - own)
    return operation("max", 1.0 - distance, 0.0)


def _smaller(first: Sequence[Expression], second: Sequence[Expression]) -> Expression:
    """Whether the first of two sequences of sort keys comes before the second, in lexicographic order."""
    result = first[-1] < second[-1]
    for a, b in zip(reversed(first[:-1]), reversed(second[:-1]), strict=True):
        tied = operation("equal", a, b) & result
        result = (a < b) | tied
    return result


def with_wildcards(node: Any, scope: Scope) -> Any:
    """Add wildcards to arrays that are written without subscripts, for the dimensions that no module gives them."""
    if isinstance(node, Name) and node.subscripts is None and key(node.name) in scope.names:
        count = len(scope.dims.get(key(node.name), ())) - len(node.outer)
        count += not count and key(node.name) in scope.belts
        return replace(node, subscripts=(*node.outer, *(WILDCARD,) * count))
    if isinstance(node, OperatorCall | Call):
        return replace(node, arguments=tuple(with_wildcards(part, scope) for part in node.arguments))
    return node


def _whole_number(value: Expression) -> Expression:
    """Truncate a position to an integer; one just below an integer because of rounding counts as that integer."""
    return value if isinstance(value, Number) else operation("integer", value + SMALL)


def _flat(index: Sequence[Index], dims: Sequence[str], scope: Scope) -> Expression:
    """Position, in row-major order from zero, of the cells of a variable that an index selects."""
    result: Expression = Number(0.0)
    for item, dim in zip(index, dims, strict=True):
        count = len(scope.ranges.elements[dim])
        if isinstance(item, Axis):
            places = item.places(count)
            own: Expression = Table(tuple(map(float, places)), (len(places),), (item.label,))
        else:
            own = Number(float(item.position))
        result = result * float(count) + own
    return result


def _at(name: str, place: Expression, scope: Scope) -> Expression:
    """Value of a variable at a position, in row-major order from zero; zero if out of range."""
    labels = [f"{scope.ranges.again(dim, 10 + number)}!" for number, dim in enumerate(scope.dims[key(name)])]
    here = operation("equal", counted(scope.ranges.elements, labels) - 1.0, place)
    value = reference_to(scope.names[key(name)], labels)
    return reduced("sum", operation("where", here, value, 0.0), labels)


def _element_count(node: Call, scope: Scope) -> Expression:
    label = node.arguments[0] if len(node.arguments) == 1 else None
    name = scope.ranges.name_of(label.name) if isinstance(label, Name) else None
    if name is None:
        shown = repr(label.name) if isinstance(label, Name) else Message("this")
        near = suggest(label.name, scope.ranges.elements) if isinstance(label, Name) else ""
        raise InvalidModel("ELMCOUNT of {shown}, which is no subscript range.{near}", shown=shown, near=near)
    return Number(float(len(scope.ranges.elements[name])))


def given(node: Call, count: int) -> tuple[Node, ...]:
    """Arguments of a function; raise an error unless there are `count` of them."""
    if len(node.arguments) != count:
        name = key(node.function).upper()
        raise InvalidModel(
            "{name} takes {count} arguments, {other_count} are given",
            name=name,
            count=count,
            other_count=len(node.arguments),
        )
    return node.arguments


def _allocate_available(node: Call, scope: Scope) -> Expression:
    """ALLOCATE AVAILABLE, along the last subscript of the request; the profile has another one for its four numbers."""
    request, profile, available = given(node, 3)
    expected = Message("the second argument of ALLOCATE AVAILABLE is the first number of a priority profile")
    whole = _whole(profile, 1, expected, scope)
    asked, there, curves = scope.lowered(request), scope.lowered(available), scope.lowered(whole)
    core, kinds = (_core(item, 1, "ALLOCATE AVAILABLE") for item in (asked, curves))
    if core[0] not in curves.axes or shape_of(scope.ranges.elements, kinds)[0] < 3:
        raise InvalidModel(
            "the priority profile of ALLOCATE AVAILABLE runs over {names}; expected {core!r} and a "
            "range of four numbers: kind, priority, width, extra.",
            names=", ".join(curves.axes),
            core=core[0],
        )
    return _applied(scope, "allocate available", [asked, curves, there], [core, (*core, *kinds), ()], core)


def _whole(node: Node, count: int, expected: Message, scope: Scope) -> Name:
    """The whole of an array along its last `count` subscripts, which Vensim denotes by its first element."""
    if not isinstance(node, Name):
        raise InvalidModel(expected)
    labels, dims = node.subscripts or (), scope.dims.get(key(node.name), ())
    if len(labels) != len(dims) or len(labels) < count:
        raise InvalidModel(
            "{name!r} has {count} subscripts, {other_count} are given",
            name=node.name,
            count=len(dims),
            other_count=len(labels),
        )
    return replace(node, subscripts=(*labels[:-count], *dims[-count:]))


def _market_price(node: Call, scope: Scope) -> Expression:
    """FIND MARKET PRICE; each of its arguments denotes a whole array by its first element."""
    expected = Message(
        "FIND MARKET PRICE takes quantities and profiles by their first elements, of demand and of supply"
    )
    whole = [_whole(item, 1 + place % 2, expected, scope) for place, item in enumerate(given(node, 4))]
    arguments = list(map(scope.lowered, whole))
    cores = [_core(item, 1 + place % 2, "FIND MARKET PRICE") for place, item in enumerate(arguments)]
    return _applied(scope, "market price", arguments, cores, ())


def _at_price(node: Call, scope: Scope) -> Expression:
    """DEMAND AT PRICE and SUPPLY AT PRICE; the last subscript of the profile runs over its numbers."""
    (quantity, profile, price), name = given(node, 3), key(node.function)
    expected = Message("the second argument of {name} is the first number of a profile", name=name.upper())
    whole = _whole(profile, 1, expected, scope)
    arguments = [scope.lowered(item) for item in (quantity, whole, price)]
    return _applied(scope, name, arguments, [(), _core(arguments[1], 1, name.upper()), ()], ())


def _allocate(node: Call, scope: Scope) -> Expression:
    """ALLOCATE of Stella, of a supply, the dimension of the recipients, requests, priorities, widths and kinds."""
    supply, dimension, *each = given(node, 6)
    name = scope.ranges.name_of(dimension.name) if isinstance(dimension, Name) else None
    if name is None:
        raise InvalidModel("the second argument of ALLOCATE is the dimension of those who get something.")
    request, priority, width, kind = (scope.lowered(_along(item, name, scope)) for item in each)
    curves = [request, kind, priority, width]
    cores: list[tuple[str, ...]] = [(name,) if name in item.axes else () for item in curves]
    return _applied(scope, "allocate", [*curves, scope.lowered(supply)], [*cores, ()], (name,))


def _along(node: Node, name: str, scope: Scope) -> Node:
    """Replace wildcards in the subscripts of an array by a dimension; without subscripts, use its own dimensions."""
    if not isinstance(node, Name) or key(node.name) not in scope.names:
        return node
    labels = scope.dims[key(node.name)] if node.subscripts is None else node.subscripts
    return replace(node, subscripts=tuple(name if label == "*" else label for label in labels) or None)


def _invert_matrix(node: Call, scope: Scope) -> Expression:
    """INVERT MATRIX, of the last two subscripts; if both are the same range, the whole matrix is meant."""
    matrix = given(node, 2)[0]
    if isinstance(matrix, Name) and matrix.subscripts and len(set(matrix.subscripts[-2:])) == 1:
        dims = scope.dims.get(key(matrix.name), ())
        matrix = replace(matrix, subscripts=(*matrix.subscripts[:-2], *dims[-2:]))
    lowered = scope.lowered(matrix)
    core = _core(lowered, 2, "INVERT MATRIX")
    return _applied(scope, "invert matrix", [lowered], [core], core)


def _transposed(node: Call, scope: Scope) -> Expression:
    """Lower a transposed array, whose dimensions are in reverse order."""
    array = node.arguments[0]
    if not isinstance(array, Name):
        raise InvalidModel("' stands behind an array.")
    return scope.lowered(transposed(array, scope))


# Function -> how it is lowered.
ARRAY_CALLS: dict[str, Callable[[Call, Scope], Expression]] = {
    "elmcount": _element_count,
    "vector elm map": element_map,
    "rank": rank,
    "interpolate": interpolate,
    "vector lookup": vector_lookup,
    "allocate available": _allocate_available,
    "allocate": _allocate,
    "find market price": _market_price,
    "demand at price": _at_price,
    "supply at price": _at_price,
    "invert matrix": _invert_matrix,
    "transposed": _transposed,
}
