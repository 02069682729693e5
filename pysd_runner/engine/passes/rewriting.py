"""Makes expressions from expressions: with other parts, with other names of axes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pysd_runner.engine.ir import (
    ArrayFunction,
    Axis,
    Expression,
    Interpolation,
    Number,
    Operation,
    Random,
    Reduction,
    Reference,
    Table,
    Time,
)


def with_children(expression: Expression, parts: Sequence[Expression]) -> Expression:
    """The same expression with other direct parts, which have the same axes."""
    if isinstance(expression, Operation | ArrayFunction):
        if all(new is old for new, old in zip(parts, expression.arguments, strict=True)):
            return expression
        return replace(expression, arguments=tuple(parts))
    if isinstance(expression, Reduction | Interpolation):
        return expression if parts[0] is expression.argument else replace(expression, argument=parts[0])
    return expression


def relabelled(expression: Expression, names: Mapping[str, str]) -> Expression:
    """The same expression with other labels on its axes; axes that a part of it reduces keep theirs."""
    if not any(names.get(label, label) != label for label in expression.axes):
        return expression
    axes = tuple(names.get(label, label) for label in expression.axes)
    if isinstance(expression, Reference):
        return relabelled_reference(expression, names)
    if isinstance(expression, Reduction):
        inner = relabelled(expression.argument, _without(names, expression.over))
        return replace(expression, argument=inner, axes=axes)
    if isinstance(expression, ArrayFunction):
        return _relabelled_function(expression, names, axes)
    if isinstance(expression, Interpolation):
        tables = tuple(names.get(label, label) for label in expression.tables)
        return replace(expression, argument=relabelled(expression.argument, names), tables=tables, axes=axes)
    if isinstance(expression, Operation):
        return replace(expression, arguments=tuple(relabelled(part, names) for part in expression.arguments), axes=axes)
    return _relabelled_leaf(expression, axes)


def relabelled_reference(reference: Reference, names: Mapping[str, str]) -> Reference:
    """The same reference with other labels on its axes."""
    index = tuple(
        replace(item, label=names.get(item.label, item.label)) if isinstance(item, Axis) else item
        for item in reference.index
    )
    return replace(reference, index=index)


def _relabelled_leaf(expression: Number | Table | Time | Random, axes: tuple[str, ...]) -> Expression:
    return replace(expression, axes=axes)


def _relabelled_function(expression: ArrayFunction, names: Mapping[str, str], axes: tuple[str, ...]) -> Expression:
    pairs = zip(expression.arguments, expression.core, strict=True)
    parts = [relabelled(part, _without(names, core)) for part, core in pairs]
    result = tuple(names.get(label, label) for label in expression.result)
    return replace(expression, arguments=tuple(parts), result=result, axes=axes)


def _without(names: Mapping[str, str], bound: Sequence[str]) -> dict[str, str]:
    return {old: new for old, new in names.items() if old not in bound}
