"""The numbers that stand in a model file: its constants and the starting values of its stocks."""

from collections.abc import Iterator
from itertools import product

import numpy as np

from pysd_runner.engine.ir import Axis, Block, Element, Expression, ModelIr, Number, Operation, Table, Variable
from pysd_runner.spec.own import Fact


def facts_of(model: ModelIr) -> dict[str, Fact]:
    """What a file says of every number that can be a parameter."""
    found: dict[str, Fact] = {}
    for variable in model.variables.values():
        if not variable.hidden and variable.kind in ("constant", "stock"):
            found |= {fact.name: fact for fact in _facts(model, variable)}
    return found


def _facts(model: ModelIr, variable: Variable) -> Iterator[Fact]:
    values = _values(model, variable)
    for position in product(*(range(len(model.ranges[dim])) for dim in variable.dims)):
        labels = ", ".join(model.ranges[dim][place] for dim, place in zip(variable.dims, position, strict=True))
        number = values[position]
        yield Fact(
            name=f"{variable.name}[{labels}]" if labels else variable.name,
            value=None if np.isnan(number) else float(number),
            unit=variable.unit,
            label=" ".join(variable.doc.split()),
            limits=variable.limits,
        )


def _values(model: ModelIr, variable: Variable) -> np.ndarray:
    """Literals of a variable, NaN where its value is computed."""
    values = np.full(model.shape(variable.dims), np.nan)
    for block in variable.blocks:
        expression = block.initial if variable.kind == "stock" else block.expression
        literal = None if expression is None else _literal(expression)
        if literal is not None:
            _enter(values, block, literal)
    return values


def _literal(expression: Expression) -> np.ndarray | None:
    if isinstance(expression, Number):
        return np.array(expression.value)
    if isinstance(expression, Table):
        return np.array(expression.values).reshape(expression.shape)
    if (
        isinstance(expression, Operation)
        and expression.name in ("neg", "negative", "-")
        and len(expression.arguments) == 1
    ):
        inner = _literal(expression.arguments[0])
        return None if inner is None else -inner
    return None


def _enter(values: np.ndarray, block: Block, literal: np.ndarray) -> None:
    where: list[object] = []
    for item, size in zip(block.index, values.shape, strict=True):
        if isinstance(item, Element):
            where.append([item.position])
        else:
            assert isinstance(item, Axis)  # noqa: S101
            where.append(list(range(size)) if item.positions is None else list(item.positions))
    shape = tuple(len(places) for places in where)  # type: ignore[arg-type]
    moved = tuple(len(p) for p, i in zip(where, block.index, strict=True) if isinstance(i, Axis))  # type: ignore[arg-type]
    if literal.shape not in ((), moved):
        return
    values[np.ix_(*where)] = np.broadcast_to(literal if literal.ndim == 0 else literal.reshape(shape), shape)
