"""PySD's abstract model as the common tree: a second opinion on what a file says."""

from collections.abc import Callable
from typing import Any

import numpy as np

from pysd_runner.engine.errors import UnsupportedFeature
from pysd_runner.engine.frontend.syntax import (
    Array,
    Call,
    Equation,
    Kind,
    Macro,
    Name,
    Node,
    Number,
    Operation,
    Points,
    Range,
    Stock,
    Subscript,
    Syntax,
    Target,
    Text,
    Variable,
    folded,
)
from pysd_runner.engine.names import tidy

_KINDS: dict[str, Kind] = {
    "AbstractUnchangeableConstant": "unchangeable",
    "AbstractLookup": "table",
    "AbstractData": "data",
}

# Functions of the abstract model that have another name in the common tree.
_NAMES = {
    "Xramp": "ramp on",
    "Xpulse": "impulse",
    "Xpulse_train": "impulses",
    "vmin_xmile": "min of array",
    "vmax_xmile": "max of array",
}


def syntax_of(abstract: Any) -> Syntax:
    """What a file says, from PySD's abstract model."""
    main = abstract.sections[0]
    return Syntax(
        ranges=tuple(_range(item) for item in main.subscripts),
        variables=tuple(_variable(item) for item in main.elements),
        macros=tuple(_macro(item) for item in abstract.sections[1:]),
    )


def _macro(section: Any) -> Macro:
    return Macro(
        name=tidy(section.name.replace("_", " ")),
        parameters=tuple(section.params),
        outputs=tuple(section.returns),
        variables=tuple(_variable(item) for item in section.elements),
    )


def _range(item: Any) -> Range:
    name, found = tidy(item.name), item.subscripts
    if isinstance(found, str):
        # PySD keeps the mappings of copies in a list that all of them share; a copy has none of its own.
        return Range(name=name, copy_of=tidy(found))
    targets = tuple(Target(tidy(to), getattr(to, "listed", None)) for to in item.mapping)
    if isinstance(found, dict):
        texts = tuple(Text(found[part]) for part in ("file", "tab", "firstcell", "lastcell", "prefix"))
        return Range(name=name, source=Call("get subscript", texts), targets=targets)
    return Range(name=name, elements=tuple(tidy(label) for label in found), targets=targets)


def _variable(element: Any) -> Variable:
    low, high = element.limits
    bounded = low is not None and high is not None and -np.inf < low < high < np.inf
    return Variable(
        name=tidy(element.name),
        equations=tuple(_equation(item, tidy(element.name)) for item in element.components),
        unit=element.units.strip(),
        doc=element.documentation.strip(),
        limits=(float(low), float(high)) if bounded else (),
    )


def _equation(component: Any, name: str) -> Equation:
    labels, exceptions = component.subscripts
    ast = component.ast
    kind = _KINDS.get(type(component).__name__, "value")
    if type(ast).__name__ in ("LookupsStructure", "GetLookupsStructure"):
        kind = "table"
    return Equation(
        subscripts=tuple(labels),
        exceptions=tuple(tuple(group) for group in exceptions),
        kind=kind,
        expression=None if type(ast).__name__ == "DataStructure" else folded(_node(ast)),
        mode=getattr(component, "keyword", None) or "interpolate",
        text=f"{name} = ...",
    )


def _node(ast: Any) -> Node:
    if isinstance(ast, np.ndarray):
        return Array(tuple(np.asarray(ast, dtype=float).ravel().tolist()))
    if isinstance(ast, int | float | np.number):
        return Number(float(ast))
    if isinstance(ast, str):
        return Text(ast)
    kind = type(ast).__name__
    if kind not in _NODES:
        raise UnsupportedFeature(kind.removesuffix("Structure"))
    return _NODES[kind](ast)


def _operation(ast: Any) -> Node:
    operators, arguments = tuple(ast.operators), [_node(item) for item in ast.arguments]
    first = arguments[0]
    if operators == ("negative",) and isinstance(first, Number):
        return Number(-first.value)
    if ":AND:" in operators and ":OR:" in operators:
        return _alternatives(operators, arguments)
    base = ast.arguments[0]
    if operators[0] == "^" and isinstance(base, int | float) and base < 0:
        # A number in brackets is negated by a node of its own; see `translation`.
        return Operation(("negative",), (Operation(operators, (Number(-float(base)), *arguments[1:])),))
    return Operation(operators, tuple(arguments))


def _alternatives(operators: tuple[str, ...], arguments: list[Node]) -> Node:
    """:AND: binds tighter than :OR:, which the flat list of the abstract model leaves to the reader."""
    groups = [[arguments[0]]]
    for operator, argument in zip(operators, arguments[1:], strict=True):
        if operator == ":AND:":
            groups[-1].append(argument)
        else:
            groups.append([argument])
    parts = [item[0] if len(item) == 1 else Operation((":AND:",) * (len(item) - 1), tuple(item)) for item in groups]
    return Operation((":OR:",) * (len(parts) - 1), tuple(parts))


def _subscripts(ast: Any) -> tuple[Subscript, ...] | None:
    return tuple(ast.subscripts) if ast else None


def _call(ast: Any) -> Node:
    name = ast.function.reference
    return Call(
        _NAMES.get(name, name.replace("_", " ")),
        tuple(_node(item) for item in ast.arguments),
        _subscripts(ast.function.subscripts),
    )


def _fields(name: str, *fields: str) -> Callable[[Any], Node]:
    return lambda ast: Call(name, tuple(_node(getattr(ast, field)) for field in fields))


def _points(ast: Any) -> Points:
    return Points(tuple(map(float, ast.x)), tuple(map(float, ast.y)), ast.type)


_NODES: dict[str, Callable[[Any], Node]] = {
    "ArithmeticStructure": _operation,
    "LogicStructure": _operation,
    "ReferenceStructure": lambda ast: Name(ast.reference, _subscripts(ast.subscripts)),
    "CallStructure": _call,
    "GameStructure": lambda ast: _node(ast.expression),
    "IntegStructure": lambda ast: Stock(_node(ast.flow), _node(ast.initial), bool(ast.non_negative)),
    "LookupsStructure": _points,
    "InlineLookupsStructure": lambda ast: Call("with lookup", (_node(ast.argument), _points(ast.lookups))),
    "GetConstantsStructure": _fields("get constants", "file", "tab", "cell"),
    "GetDataStructure": _fields("get data", "file", "tab", "time_row_or_col", "cell"),
    "GetLookupsStructure": _fields("get lookups", "file", "tab", "x_row_or_col", "cell"),
    "InitialStructure": _fields("initial", "initial"),
    "SmoothStructure": _fields("smooth", "input", "smooth_time", "initial", "order"),
    "SmoothNStructure": _fields("smooth n", "input", "smooth_time", "initial", "order"),
    "DelayStructure": _fields("delay", "input", "delay_time", "initial", "order"),
    "DelayNStructure": _fields("delay n", "input", "delay_time", "initial", "order"),
    "DelayFixedStructure": _fields("delay fixed", "input", "delay_time", "initial"),
    "TrendStructure": _fields("trend", "input", "average_time", "initial_trend"),
    "ForecastStructure": _fields("forecast", "input", "average_time", "horizon", "initial_trend"),
    "AllocateAvailableStructure": _fields("allocate available", "request", "pp", "avail"),
    "AllocateByPriorityStructure": _fields("allocate by priority", "request", "priority", "width", "supply"),
    "SampleIfTrueStructure": _fields("sample if true", "condition", "input", "initial"),
}
