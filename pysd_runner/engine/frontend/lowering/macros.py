"""Macros, expanded where they are called: each call has hidden variables of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.lowering.tables import TableFunction
from pysd_runner.engine.frontend.translated.text import equation_text
from pysd_runner.engine.ir import Axis, Block, Expression, Index, Kind, Reference, Variable, joined_axes
from pysd_runner.engine.names import HIDDEN, key, tidy
from pysd_runner.errors import InvalidModel, UnsupportedFeature

# What a macro may use of the model; Vensim marks it with a dollar sign.
OUTSIDE = ("time", "time step", "initial time", "final time", "saveper")

Lower = Callable[[Any, Scope], Expression]


@dataclass(frozen=True, slots=True)
class Macro:
    """A macro of a model file.

    Parameters
    ----------
    name
        As written in the file.
    parameters
        Names of what it takes, in order.
    elements
        Its equations, as PySD's abstract elements.
    tables
        Its table functions, by comparison key.
    """

    name: str
    parameters: tuple[str, ...]
    elements: tuple[Any, ...]
    tables: Mapping[str, TableFunction]


def expanded(macro: Macro, arguments: Sequence[Any], scope: Scope, lower: Lower) -> Expression:
    """What a call of a macro gives back: the variable that bears the name of the macro.

    Every variable of the macro runs over the axes of the arguments, so that a macro called for every element of a range
    has stocks for every element.

    Parameters
    ----------
    macro
        The macro.
    arguments
        What it is called with, as nodes of the abstract model.
    scope
        Where it is called.
    lower
        Lowers one node in a scope.

    Returns
    -------
    Expression
        A reference to a hidden variable.

    Raises
    ------
    UnsupportedFeature
        If the macro uses something this engine does not cover; the message names macro and equation.
    InvalidModel
        If the number of arguments is wrong, the macro calls itself, or one of its equations is wrong.
    """
    if len(arguments) != len(macro.parameters):
        raise InvalidModel(f"macro {macro.name!r} takes {len(macro.parameters)} arguments, {len(arguments)} are given.")
    if macro.name in scope.calls:
        raise InvalidModel(f"macro {macro.name!r} calls itself: {' -> '.join([*scope.calls, macro.name])}.")
    inner = _inside(macro, arguments, scope, lower)
    for element in macro.elements:
        if key(element.name) not in macro.tables:
            scope.hidden.append(_variable(element, macro, inner, lower))
    if key(macro.name) not in inner.names:
        raise InvalidModel(f"macro {macro.name!r} does not define the variable of its name, which it would give back.")
    index = tuple(scope.ranges.pick(label, label.removesuffix("!")) for label in inner.outside)
    return Reference(inner.names[key(macro.name)], index)


def _inside(macro: Macro, arguments: Sequence[Any], scope: Scope, lower: Lower) -> Scope:
    """The scope of one call: parameters are hidden variables, or table functions handed over by name."""
    owner = f"{scope.owner}{HIDDEN}{macro.name} {next(scope.numbers)}"
    names = {f"{name}{mark}": name.upper() for name in OUTSIDE for mark in ("", "$")}
    dims: dict[str, tuple[str, ...]] = dict.fromkeys(names, ())
    tables = dict(macro.tables)
    bound: list[Reference] = []
    for parameter, argument in zip(macro.parameters, arguments, strict=True):
        name = key(parameter)
        table = scope.tables.get(key(getattr(argument, "reference", "")))
        if table is not None:
            tables[name], names[name], dims[name] = table, parameter, table.dims
            continue
        bound.append(_variable_of(lower(argument, scope), scope))
        names[name], dims[name] = bound[-1].variable, _plain(bound[-1].axes)
    labels = joined_axes(*bound)
    implicit = _plain(labels)
    if len(set(implicit)) != len(implicit):
        raise UnsupportedFeature(f"macro {macro.name!r} called over the same subscript range twice")
    for element in macro.elements:
        name = key(element.name)
        names[name] = f"{owner}: {tidy(element.name)}"
        dims[name] = tables[name].dims if name in tables else _dims(element, implicit, scope)
    calls = (*scope.calls, macro.name)
    inner = replace(scope, dims=dims, names=names, tables=tables, owner=owner, implicit=implicit, calls=calls)
    inner.outside = labels
    return inner


def _plain(labels: Sequence[str]) -> tuple[str, ...]:
    return tuple(label.removesuffix("!") for label in labels)


def _variable_of(value: Expression, scope: Scope) -> Reference:
    """A reference to a whole variable that holds a value."""
    if isinstance(value, Reference) and all(isinstance(item, Axis) and item.positions is None for item in value.index):
        return value
    return scope.hide("auxiliary", value)


def _dims(element: Any, implicit: tuple[str, ...], scope: Scope) -> tuple[str, ...]:
    """Its own ranges, then those of the call unless it holds numbers only."""
    own = scope.ranges.dimensions([component.subscripts[0] for component in element.components])
    return own if _is_literal(element) else (*own, *implicit)


def _is_literal(element: Any) -> bool:
    return all(isinstance(component.ast, np.ndarray | int | float | np.number) for component in element.components)


def is_stock(element: Any) -> bool:
    """Whether all equations of a variable integrate; where only some do, those have hidden stocks.

    Parameters
    ----------
    element
        PySD's abstract element.

    Returns
    -------
    bool
        True for a stock.
    """
    return all(type(component.ast).__name__ == "IntegStructure" for component in element.components)


def _variable(element: Any, macro: Macro, scope: Scope, lower: Lower) -> Variable:
    name = scope.names[key(element.name)]
    dims = scope.dims[key(element.name)]
    stocks = is_stock(element)
    kind: Kind = "stock" if stocks else "auxiliary"
    blocks = []
    for component in element.components:
        shown = {key(item.name): tidy(item.name) for item in macro.elements}
        text = equation_text(tidy(element.name), component.subscripts[0], component.ast, shown)
        try:
            blocks.append(_block(component, dims, text, scope, lower, stock=stocks))
        except (UnsupportedFeature, InvalidModel) as error:
            raise type(error)(f"{error} in macro {macro.name!r}, equation {text}") from error
    return Variable(name=name, unit="", dims=dims, kind=kind, doc="", group="", blocks=tuple(blocks), hidden=True)


def _block(component: Any, dims: tuple[str, ...], text: str, scope: Scope, lower: Lower, *, stock: bool) -> Block:
    labels, exceptions = component.subscripts
    if exceptions:
        raise UnsupportedFeature("EXCEPT")
    scope.block = labels if len(labels) == len(dims) else [*labels, *scope.implicit]
    names = [name for label in scope.block if (name := scope.ranges.name_of(label)) is not None]
    scope.standing = {name: name for name in names}
    index: tuple[Index, ...] = tuple(
        scope.ranges.pick(label, dim) for label, dim in zip(scope.block, dims, strict=True)
    )
    if not stock:
        return Block(index, lower(component.ast, scope), None, text)
    flow, initial = lower(component.ast.flow, scope), lower(component.ast.initial, scope)
    return Block(index, flow, initial, text, non_negative=bool(component.ast.non_negative))
