"""Lowers functions of whole arrays: each becomes a hidden variable, and so do arguments that are none."""

import math
from collections.abc import Sequence
from dataclasses import replace

from pysd_runner.engine.errors import InvalidModel
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.ir import (
    ArrayFunction,
    Axis,
    Expression,
    Number,
    Reference,
    joined_axes,
    operation,
    reduced,
)


def invert_matrix(scope: Scope, matrix: Expression) -> Expression:
    """INVERT MATRIX, of the last two subscripts."""
    core = _last(matrix, 2, "INVERT MATRIX")
    return _applied(scope, "invert_matrix", [matrix], [core], core)


def vector_sort_order(scope: Scope, vector: Expression, direction: Expression) -> Expression:
    """VECTOR SORT ORDER, along the last subscript."""
    core = _last(vector, 1, "VECTOR SORT ORDER")
    return _applied(scope, "vector_sort_order", [vector, direction], [core, ()], _made(scope, vector, core))


def vector_rank(scope: Scope, vector: Expression, direction: Expression) -> Expression:
    """VECTOR RANK, along the last subscript."""
    core = _last(vector, 1, "VECTOR RANK")
    return _applied(scope, "vector_rank", [vector, direction], [core, ()], _made(scope, vector, core))


def vector_reorder(scope: Scope, vector: Expression, places: Expression) -> Expression:
    """VECTOR REORDER, along the last subscript."""
    core, by = _last(vector, 1, "VECTOR REORDER"), _last(places, 1, "VECTOR REORDER")
    return _applied(scope, "vector_reorder", [vector, places], [core, by], by)


def allocate_available(scope: Scope, request: Expression, profile: Expression, available: Expression) -> Expression:
    """ALLOCATE AVAILABLE, along the last subscript of the request; the profile has one more, its four numbers."""
    core = _last(request, 1, "ALLOCATE AVAILABLE")
    kinds = tuple(axis for axis in _last(profile, 1, "ALLOCATE AVAILABLE"))
    if core[0] not in profile.axes or len(scope.ranges.elements[kinds[0].removesuffix("!")]) < 3:
        raise InvalidModel(
            f"the priority profile of ALLOCATE AVAILABLE runs over {', '.join(profile.axes)}; expected "
            f"{core[0]!r} and a range of four numbers: kind, priority, width, extra."
        )
    arguments, cores = [request, profile, available], [core, (*core, *kinds), ()]
    return _applied(scope, "allocate_available", arguments, cores, core)


def allocate_by_priority(
    scope: Scope, request: Expression, priority: Expression, width: Expression, supply: Expression
) -> Expression:
    """ALLOCATE BY PRIORITY, along the last subscript of the request."""
    core = _last(request, 1, "ALLOCATE BY PRIORITY")
    arguments, cores = [request, priority, width, supply], [core, core, (), ()]
    return _applied(scope, "allocate_by_priority", arguments, cores, core)


def allocate(scope: Scope, supply: Expression, axis: str, each: Sequence[Expression]) -> Expression:
    """ALLOCATE, along a dimension: what everyone requests, and kind, priority and width of their curves."""
    cores = [(axis,) if axis in item.axes else () for item in each]
    return _applied(scope, "allocate", [*each, supply], [*cores, ()], (axis,))


def market_price(scope: Scope, arguments: Sequence[Expression]) -> Expression:
    """FIND MARKET PRICE, along the last subscript of quantities and the last two of profiles."""
    cores = [_last(item, 1 + place % 2, "FIND MARKET PRICE") for place, item in enumerate(arguments)]
    return _applied(scope, "market_price", arguments, cores, ())


def at_price(scope: Scope, name: str, quantity: Expression, profile: Expression, price: Expression) -> Expression:
    """DEMAND AT PRICE and SUPPLY AT PRICE, of the last subscript of a profile."""
    cores: list[tuple[str, ...]] = [(), _last(profile, 1, name.upper()), ()]
    return _applied(scope, name.replace(" ", "_"), [quantity, profile, price], cores, ())


def element_wise(scope: Scope, name: str, arguments: Sequence[Expression]) -> Expression:
    """A function of numbers alone that no target has of its own."""
    return _applied(scope, name, arguments, [()] * len(arguments), ())


def _last(argument: Expression, count: int, name: str) -> tuple[str, ...]:
    if len(argument.axes) < count:
        raise InvalidModel(f"{name} works along {count} subscripts; its argument runs over {len(argument.axes)}.")
    return argument.axes[-count:]


def _made(scope: Scope, vector: Expression, core: tuple[str, ...]) -> tuple[str, ...]:
    """Axis a sorted vector is laid along: its own, or one of the same length that only the left side has."""
    if core[0] in scope.block_axes:
        return core
    length = len(scope.ranges.elements[core[0].removesuffix("!")])
    fitting = [axis for axis in scope.block_axes if axis not in vector.axes]
    fitting = [axis for axis in fitting if len(scope.ranges.elements[axis]) == length]
    return (fitting[-1],) if fitting else core


def _applied(
    scope: Scope,
    name: str,
    arguments: Sequence[Expression],
    cores: Sequence[tuple[str, ...]],
    result: tuple[str, ...],
) -> Expression:
    """Hide the function and its arguments in variables of their own, so that a target handles plain arrays only."""
    plain = [
        marked(scope, argument, core) if core else _plain(scope, argument)
        for argument, core in zip(arguments, cores, strict=True)
    ]
    names = tuple(tuple(f"{axis.removesuffix('!')}!" for axis in core) for core in cores)
    inner = {axis for core in names for axis in core}
    made = tuple(axis.removesuffix("!") for axis in result)
    loop = tuple(axis for axis in joined_axes(*plain) if axis not in inner)
    return scope.hide("auxiliary", ArrayFunction(name, tuple(plain), names, made, (*loop, *made)))


def _plain(scope: Scope, argument: Expression) -> Expression:
    return argument if isinstance(argument, Number | Reference) else scope.hide("auxiliary", argument)


def marked(scope: Scope, argument: Expression, core: tuple[str, ...]) -> Reference:
    """A reference whose core axes end in an exclamation mark."""
    plain = argument if isinstance(argument, Reference) else scope.hide("auxiliary", argument)
    index = tuple(
        replace(item, label=f"{item.label}!") if isinstance(item, Axis) and item.label in core else item
        for item in plain.index
    )
    return Reference(plain.variable, index)


# A result that must not be: computed, because a NaN written out is what a model calls missing.
UNDEFINED = operation("ln", -1.0)

# What VECTOR SELECT combines: which of sum, product, least, largest, average, and whether of weighted elements.
_ACTIONS = ("sum", "product", "least", "largest", "average")
_IDENTITY = {"sum": 0.0, "product": 1.0, "least": math.inf, "largest": -math.inf, "average": 0.0}


def vector_select(
    scope: Scope,
    selection: Expression,
    values: Expression,
    missing: Expression,
    action: Expression,
    error: Expression,
) -> Expression:
    """VECTOR SELECT: combines the elements whose selection is not zero; NaN where `error` forbids what is selected."""
    del scope
    over = tuple(axis for axis in joined_axes(selection, values) if axis.endswith("!"))
    if not over:
        raise InvalidModel("VECTOR SELECT works along subscripts with an exclamation mark; none is given.")
    count = _reduced("sum", operation("where", selection, 1.0, 0.0), over)
    found = [_selected(selection, values, place, over) for place in range(11)]
    result = found[0]
    if isinstance(action, Number):
        place = int(action.value)
        result = found[place] if 0 <= place < len(found) else UNDEFINED
    else:
        result = UNDEFINED
        for place, item in enumerate(found):
            result = operation("where", operation("equal", action, Number(float(place))), item, result)
    none = operation("equal", count, 0.0)
    result = operation("where", none, missing, result)
    if isinstance(error, Number) and error.value == 0:
        return result
    odd = operation("equal", operation("modulo", error, 2.0), 1.0)
    high = error > 1.5
    several = count > 1.0
    forbidden = odd & none | high & several
    return operation("where", forbidden, UNDEFINED, result)


def _selected(selection: Expression, values: Expression, action: int, over: tuple[str, ...]) -> Expression:
    kind = _ACTIONS[action] if action < 5 else "product" if action == 5 else _ACTIONS[action - 6]
    taken = values
    if action < 5:
        taken = selection * values
    elif action == 5:
        # Vensim's help has it the other way round; this is what Vensim computes.
        taken = values**selection
    chosen = operation("where", selection, taken, Number(_IDENTITY[kind]))
    if kind != "average":
        return _reduced(kind, chosen, over)
    ones = operation("where", operation("equal", chosen, chosen), 1.0, 1.0)
    number = _reduced("sum", operation("where", selection, ones, 0.0), over)
    return _reduced("sum", chosen, over) / number


def _reduced(name: str, argument: Expression, over: tuple[str, ...]) -> Expression:
    present = tuple(axis for axis in argument.axes if axis in over)
    return reduced(name, argument, present) if present else argument
