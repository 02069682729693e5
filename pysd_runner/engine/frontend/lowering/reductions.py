"""Functions of one array: sums and the like over what is marked, in Vensim's way and in XMILE's."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from pysd_runner.engine.errors import InvalidModel
from pysd_runner.engine.frontend import syntax
from pysd_runner.engine.frontend.lowering import arrays
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.lowering.subscripts import WILDCARD
from pysd_runner.engine.frontend.syntax import Call, Name
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
    if len(node.arguments) != 1:
        raise InvalidModel(f"{name.upper()} takes 1 argument, {len(node.arguments)} are given")
    argument = scope.lowered(node.arguments[0])
    over = inner_axes(argument)
    stray = scope.stray(argument) - {*over}
    if stray:
        raise InvalidModel(_unmarked(name.upper(), argument, stray))
    if not over:
        return argument
    return reduced(REDUCTIONS[name], argument, over)


def _of_array(node: Call, scope: Scope) -> Expression:
    """A function of one array in XMILE: over its wildcards, and over all of an array that stands without subscripts."""
    name = key(node.function).removesuffix(" of array")
    if len(node.arguments) != 1:
        raise InvalidModel(f"{name.upper()} takes 1 argument, {len(node.arguments)} are given")
    given = node.arguments[0]
    if name == "size" and isinstance(given, Name) and key(given.name) not in scope.names:
        dimension = scope.ranges.name_of(given.name)
        if dimension is not None:
            return Number(float(len(scope.ranges.elements[dimension])))
    argument = scope.lowered(_with_wildcards(given, scope))
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
    """MAX or MIN of several numbers; of an array that the left side does not run over, all elements count."""
    name = key(node.function).removesuffix(" of several")
    result: Expression | None = None
    for item in node.arguments:
        value = scope.lowered(item)
        if scope.stray(value):
            value = _of_array(Call(f"{name} of array", (item,)), scope)
        result = value if result is None else operation(name, result, value)
    if result is None:
        raise InvalidModel(f"{name.upper()} takes an array, or several numbers.")
    return result


def _with_wildcards(node: Any, scope: Scope) -> Any:
    """An expression in which arrays without subscripts have wildcards."""
    if isinstance(node, Name):
        dims = scope.dims.get(key(node.name), ()) if key(node.name) in scope.names else ()
        if key(node.name) in scope.belts and not dims and node.subscripts is None:
            return replace(node, subscripts=(WILDCARD,))
        return replace(node, subscripts=("*",) * len(dims)) if dims and node.subscripts is None else node
    if isinstance(node, syntax.OperatorCall | Call):
        return replace(node, arguments=tuple(_with_wildcards(part, scope) for part in node.arguments))
    return node


def _over(name: str, argument: Expression, over: tuple[str, ...], masks: Sequence[Expression]) -> Expression:
    """A reduction; places that do not count give what changes nothing."""
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
    """Standard deviation of all elements, with their number as the divisor."""
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


def _unmarked(name: str, argument: Expression, stray: Collection[str]) -> str:
    """What to write where a sum does not say over which ranges it runs."""
    variable, axes = "...", argument.axes
    if isinstance(argument, Reference):
        variable = shown(argument.variable)
    vensim = ",".join(shown(axis) + ("!" if axis in stray else "") for axis in axes)
    xmile = ",".join("*" if axis in stray else shown(axis) for axis in axes)
    return (
        f"{name} does not say that it runs over {shown(sorted(stray)[0])!r}: write {name}({variable}[{xmile}]) in an "
        f"XMILE file, {name}({variable}[{vensim}]) in a Vensim file."
    )


# Function -> how it is lowered.
REDUCTION_CALLS: dict[str, Callable[[Call, Scope], Expression]] = {
    **dict.fromkeys(REDUCTIONS, _reduction),
    **{f"{name} of array": _of_array for name in ARRAY_FUNCTIONS},
    "max of several": _of_several,
    "min of several": _of_several,
}
