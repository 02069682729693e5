"""Reductions of arrays, such as sums, over marked subscripts, in the notations of Vensim and XMILE."""

import math
from collections.abc import Callable, Collection, Sequence

from pysd_runner.engine.errors import InvalidModel, Message
from pysd_runner.engine.frontend.lowering import arrays
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.syntax import Call, Name, Node
from pysd_runner.engine.ir import (
    Expression,
    Number,
    Reference,
    Table,
    inner_axes,
    key,
    operation,
    reduced,
    shape_of,
    shown,
)

REDUCTIONS = {"sum": "sum", "prod": "product", "vmin": "least", "vmax": "largest"}


def _reduction(node: Call, scope: Scope) -> Expression:
    name = key(node.function)
    argument = scope.lowered(_only(node, name))
    over = inner_axes(argument)
    stray = scope.stray(argument) - {*over}
    if stray:
        raise InvalidModel(_unmarked(name.upper(), argument, stray))
    if not over:
        return argument
    return reduced(REDUCTIONS[name], argument, over)


def _only(node: Call, name: str) -> Node:
    if len(node.arguments) != 1:
        raise InvalidModel("{name} takes 1 argument, {count} are given", name=name.upper(), count=len(node.arguments))
    return node.arguments[0]


def _of_array(node: Call, scope: Scope) -> Expression:
    """Reduction of an array in XMILE: over its wildcards, or over all of it if it has no subscripts."""
    name = key(node.function).removesuffix(" of array")
    given = _only(node, name)
    if name == "size" and isinstance(given, Name) and key(given.name) not in scope.names:
        dimension = scope.ranges.name_of(given.name)
        if dimension is not None:
            return Number(float(len(scope.ranges.elements[dimension])))
    argument = scope.lowered(arrays.with_wildcards(given, scope))
    masks = tuple(scope.masks)
    scope.masks.clear()
    over = inner_axes(argument)
    stray = scope.stray(argument) - {*over}
    if stray and name in ("min", "max") and not over:
        argument = arrays.marked(scope, argument, argument.axes)
        over = argument.axes
    elif stray:
        raise InvalidModel(_unmarked(name.upper(), argument, stray))
    return ARRAY_FUNCTIONS[name](argument, over, masks, scope)


def _of_several(node: Call, scope: Scope) -> Expression:
    """MAX or MIN of several values; an array that the left-hand side does not run over is reduced over all elements."""
    name = key(node.function).removesuffix(" of several")
    result: Expression | None = None
    for item in node.arguments:
        value = scope.lowered(item)
        if scope.stray(value):
            value = _of_array(Call(f"{name} of array", (item,)), scope)
        result = value if result is None else operation(name, result, value)
    if result is None:
        raise InvalidModel("{name} takes an array, or several numbers.", name=name.upper())
    return result


def _over(name: str, argument: Expression, over: tuple[str, ...], masks: Sequence[Expression]) -> Expression:
    """Reduce over axes, with masked-out elements replaced by the neutral element."""
    for mask in masks:
        argument = operation("where", mask, argument, NOTHING[name])
    return reduced(name, argument, over) if over else argument


NOTHING = {"sum": 0.0, "product": 1.0, "least": math.inf, "largest": -math.inf}


def _reduced(name: str) -> Callable[..., Expression]:
    return lambda argument, over, masks, _scope: _over(name, argument, over, masks)


def _count(_argument: Expression, over: tuple[str, ...], masks: Sequence[Expression], scope: Scope) -> Expression:
    if not masks:
        return Number(float(math.prod(shape_of(scope.ranges.elements, over))))
    return _over("sum", _ones(over, scope), over, masks)


def _ones(over: tuple[str, ...], scope: Scope) -> Table:
    shape = shape_of(scope.ranges.elements, over)
    return Table((1.0,) * math.prod(shape), shape, over)


def _mean(argument: Expression, over: tuple[str, ...], masks: Sequence[Expression], scope: Scope) -> Expression:
    if not over:
        return argument
    return _over("sum", argument, over, masks) / _count(argument, over, masks, scope)


def _deviation(argument: Expression, over: tuple[str, ...], masks: Sequence[Expression], scope: Scope) -> Expression:
    """Standard deviation of all elements, with divisor n."""
    if not over:
        return Number(0.0)
    distance = argument - _mean(argument, over, masks, scope)
    squares = _over("sum", distance * distance, over, masks)
    return operation("sqrt", squares / _count(argument, over, masks, scope))


ARRAY_FUNCTIONS: dict[str, Callable[..., Expression]] = {
    "sum": _reduced("sum"),
    "prod": _reduced("product"),
    "min": _reduced("least"),
    "max": _reduced("largest"),
    "mean": _mean,
    "stddev": _deviation,
    "size": _count,
}


def _unmarked(name: str, argument: Expression, stray: Collection[str]) -> Message:
    """Error message for a reduction without marked ranges, which shows how to mark them."""
    variable, axes = shown(argument.variable) if isinstance(argument, Reference) else "...", argument.axes
    vensim = ",".join(shown(axis) + ("!" if axis in stray else "") for axis in axes)
    xmile = ",".join("*" if axis in stray else shown(axis) for axis in axes)
    return Message(
        "{name} does not say that it runs over {range!r}: write {name}({variable}[{xmile}]) in an XMILE file, "
        "{name}({variable}[{vensim}]) in a Vensim file.",
        name=name,
        range=shown(sorted(stray)[0]),
        variable=variable,
        xmile=xmile,
        vensim=vensim,
    )


# Function -> how it is lowered.
REDUCTION_CALLS: dict[str, Callable[[Call, Scope], Expression]] = {
    **dict.fromkeys(REDUCTIONS, _reduction),
    **{f"{name} of array": _of_array for name in ARRAY_FUNCTIONS},
    "max of several": _of_several,
    "min of several": _of_several,
}
