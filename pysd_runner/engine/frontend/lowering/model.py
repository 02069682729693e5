"""Lowers a parsed model file into the project's own representation."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from pysd_runner.engine.frontend.lowering.boxes import Box, remaining
from pysd_runner.engine.frontend.lowering.definitions import check_definitions
from pysd_runner.engine.frontend.lowering.expressions import UnknownFunction, lower_expression
from pysd_runner.engine.frontend.lowering.external import DataFiles, with_listed_ranges
from pysd_runner.engine.frontend.lowering.left_sides import box_of, cut, left_side, takes_whole_arrays
from pysd_runner.engine.frontend.lowering.limits import with_limits
from pysd_runner.engine.frontend.lowering.lookups import is_table_function, table_functions
from pysd_runner.engine.frontend.lowering.macros import Macro, is_stock
from pysd_runner.engine.frontend.lowering.ranges import Ranges
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.translated.source import XMILE, Source
from pysd_runner.engine.frontend.translated.text import equation_text
from pysd_runner.engine.ir import Block, Kind, ModelIr, Number, Operation, Table, Variable
from pysd_runner.engine.names import key, shown, tidy
from pysd_runner.errors import InvalidModel, UnsupportedFeature

# Kinds of equations that give a variable its value.
EQUATIONS = frozenset({"AbstractComponent", "AbstractUnchangeableConstant", "AbstractData"})

CONTROLS = {name.lower(): name for name in ("INITIAL TIME", "FINAL TIME", "TIME STEP", "SAVEPER")}

XMILE_CONTROLS = {"dt": "TIME STEP", "starttime": "INITIAL TIME", "stoptime": "FINAL TIME"}

# Raised when the way a model is lowered changes, so that nothing cached before is taken for the same.
VERSION = 8


def lower(source: Source) -> ModelIr:
    """Lower a parsed model.

    Parameters
    ----------
    source
        What `read_source` returned.

    Returns
    -------
    ModelIr
        Every variable with its lowered equations.

    Raises
    ------
    UnsupportedFeature
        If an equation is nested too deeply. A variable that uses something this engine does not cover says so in
        `Variable.uncovered` and raises when it is needed.
    InvalidModel
        If the model contradicts itself.
    """
    try:
        return _lowered(source)
    except RecursionError as error:
        raise UnsupportedFeature(f"{source.path}: an equation is nested too deeply to be read") from error


def _lowered(source: Source) -> ModelIr:
    with closing(DataFiles(source.path)) as files:
        source = with_listed_ranges(source, files)
        try:
            check_definitions(source.abstract.sections[0])
            ranges = Ranges(source.abstract.sections[0].subscripts)
        except InvalidModel as error:
            raise type(error)(f"{source.path}: {error}") from error
        return _resolved(source, ranges, files)


def _resolved(source: Source, ranges: Ranges, files: DataFiles) -> ModelIr:
    known: dict[str, tuple[float, ...]] = {}
    model, asked = _pass(source, ranges, files, known)
    # The order of a delay may depend on the order of another; each pass finds at least one of them.
    while found := _orders(model, asked, known):
        known |= found
        model, asked = _pass(source, ranges, files, known)
    return model


def _orders(
    model: ModelIr, asked: Mapping[str, Variable], known: Mapping[str, tuple[float, ...]]
) -> dict[str, tuple[float, ...]]:
    """Orders of delays that can be computed now, and could not before."""
    missing = [name for name in asked if name not in known]
    if not missing:
        return {}
    from pysd_runner.engine.orders import orders_of_file

    partial = replace(
        model,
        variables={**model.variables, **asked},
        fingerprint=f"{model.fingerprint} without {len(missing)} of {len(asked)} orders",
    )
    return orders_of_file(partial, missing)


def _pass(
    source: Source, ranges: Ranges, files: DataFiles, known: Mapping[str, tuple[float, ...]]
) -> tuple[ModelIr, dict[str, Variable]]:
    """Lower every equation, given the orders of delays that are known."""
    section = source.abstract.sections[0]
    dims = {key(item.name): _dims(item, ranges, source) for item in section.elements}
    scope = Scope(
        ranges=ranges,
        dims=dict.fromkeys([*CONTROLS, *_other_names(source)], ()) | dims,
        names={"time": "Time"}
        | CONTROLS
        | _other_names(source)
        | {key(element.name): _name(element) for element in section.elements},
        tables=table_functions(section, ranges, dims, source.path, files),
        files=files,
        macros={key(item.name): _macro(item, ranges, source, files) for item in source.abstract.sections[1:]},
        known=known,
    )
    variables = {}
    for element in section.elements:
        variable = _variable(element, scope, source)
        variables[variable.name] = variable
    variables |= {item.name: item for item in scope.hidden}
    variables |= {name: scope.asked[name] for name in known if name in scope.asked}
    variables |= {name: _absent(name) for name in CONTROLS.values() if name not in variables}
    model = ModelIr(
        ranges=ranges.elements,
        variables=with_limits(variables, str(source.path)),
        fingerprint=_fingerprint(source, ranges, files),
        structural=known,
        files=dict(files.sha256),
        integration=source.integration,
    )
    return model, scope.asked


def _other_names(source: Source) -> dict[str, str]:
    """What XMILE calls the time controls."""
    return XMILE_CONTROLS if source.path.suffix.lower() in XMILE else {}


def _macro(section: Any, ranges: Ranges, source: Source, files: DataFiles) -> Macro:
    dims = {key(item.name): _dims(item, ranges, source) for item in section.elements if is_table_function(item)}
    tables = table_functions(section, ranges, dims, source.path, files)
    return Macro(tidy(section.name.replace("_", " ")), tuple(section.params), tuple(section.elements), tables)


def _fingerprint(source: Source, ranges: Ranges, files: DataFiles) -> str:
    # Where the files stand is of no account, but which is which.
    decisive = json.dumps([VERSION, source.sha256, ranges.elements, files.by_name], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(decisive.encode()).hexdigest()


_REMEDY = 'run it with engine="pysd"'
_NO_REMEDY = "PySD does not know it either: write the equation with other functions"


def _name(element: Any) -> str:
    """Name of a variable as written; the four time controls have one spelling."""
    return CONTROLS.get(key(element.name), tidy(element.name))


def _absent(name: str) -> Variable:
    """A time control that the file leaves to whoever runs it."""
    block = Block((), Number(math.nan), None, f"{name} is not in the file")
    return Variable(name=name, unit="", dims=(), kind="control", doc="", group="", blocks=(block,), hidden=True)


def _dims(element: Any, ranges: Ranges, source: Source) -> tuple[str, ...]:
    given = [component.subscripts[0] for component in element.components]
    if len({len(labels) for labels in given}) != 1:
        raise InvalidModel(f"{source.path}: variable {element.name!r} is defined with different numbers of subscripts")
    try:
        return ranges.dimensions(given)
    except InvalidModel as error:
        raise InvalidModel(f"{source.path}: variable {element.name!r}: {error}") from error


def _variable(element: Any, scope: Scope, source: Source) -> Variable:
    name = _name(element)
    dims = scope.dims[key(name)]
    blocks: tuple[Block, ...] = ()
    kind: Kind = "auxiliary"
    uncovered = ""
    hidden = len(scope.hidden)
    try:
        if _is_data(element):
            kind, uncovered = "data", _request(name, source)
        else:
            blocks, kind = _blocks(element, name, dims, scope, source)
    except UnsupportedFeature as error:
        uncovered = str(error)
        del scope.hidden[hidden:]
    return Variable(
        name=name,
        unit=element.units.strip(),
        dims=dims,
        kind=kind,
        doc=element.documentation.strip(),
        group=source.groups.get(key(name), ""),
        blocks=blocks,
        uncovered=uncovered,
        limits=_limits(element),
    )


def _limits(element: Any) -> tuple[float, ...]:
    """Bounds that the file gives, if it gives both and they are an interval."""
    low, high = element.limits
    if low is None or high is None or not -math.inf < low < high < math.inf:
        return ()
    return float(low), float(high)


def _is_data(element: Any) -> bool:
    return any(type(component.ast).__name__ == "DataStructure" for component in element.components)


def _request(name: str, source: Source) -> str:
    return (
        f"{source.path}: variable {name!r} is data, and the model names no file to read it from; give its values: "
        f"simulate(model, {{{name!r}: TimePath(times=..., values=...)}})"
    )


def _blocks(
    element: Any, name: str, dims: tuple[str, ...], scope: Scope, source: Source
) -> tuple[tuple[Block, ...], Kind]:
    if is_table_function(element):
        return tuple(_points_block(component, name, dims, scope) for component in element.components), "lookup"
    scope.owner, scope.stock = name, is_stock(element)
    blocks: list[Block] = []
    for component, (whole, parts) in zip(element.components, _boxes(element, name, dims, scope, source), strict=True):
        if parts != [whole] and takes_whole_arrays(component.ast):
            block = _block(component, whole, name, dims, scope, source)
            blocks += cut(block, component.subscripts[0], parts, dims, scope)
        else:
            blocks += [_block(component, box, name, dims, scope, source) for box in parts]
    return tuple(blocks), _kind(name, element, blocks)


def _boxes(element: Any, name: str, dims: tuple[str, ...], scope: Scope, source: Source) -> list[tuple[Box, list[Box]]]:
    """For each equation of a variable the cells it names, and those of them that it defines."""

    def box(component: Any, labels: Sequence[str]) -> Box:
        try:
            return box_of(labels, dims, scope)
        except InvalidModel as error:
            text = _text(component, name, scope)
            raise InvalidModel(f"{source.path}: variable {name!r}: {error} Equation: {text}") from error

    named = [box(item, item.subscripts[0]) for item in element.components]
    left_out = [[box(item, labels) for labels in item.subscripts[1]] for item in element.components]
    return list(zip(named, remaining(named, left_out), strict=True))


def _text(component: Any, name: str, scope: Scope) -> str:
    labels, exceptions = component.subscripts
    return equation_text(name, labels, component.ast, scope.names, exceptions)


def _points_block(component: Any, name: str, dims: tuple[str, ...], scope: Scope) -> Block:
    """A table function has no value of its own; its block holds the text, and which elements it is for."""
    index = tuple(scope.ranges.pick(label, dim) for label, dim in zip(component.subscripts[0], dims, strict=True))
    return Block(index, Number(0.0), None, _text(component, name, scope))


def _kind(name: str, element: Any, blocks: Sequence[Block]) -> Kind:
    if key(name) in CONTROLS:
        return "control"
    if is_stock(element):
        return "stock"
    if all(_is_literal(block.expression) for block in blocks):
        return "constant"
    return "auxiliary"


def _is_literal(expression: Any) -> bool:
    if isinstance(expression, Operation):
        return expression.name == "negative" and _is_literal(expression.arguments[0])
    return isinstance(expression, Number | Table)


def _block(component: Any, box: Box, name: str, dims: tuple[str, ...], scope: Scope, source: Source) -> Block:
    """An equation for some of the cells it names."""
    text = _text(component, name, scope)
    try:
        if type(component).__name__ not in EQUATIONS:
            raise UnsupportedFeature(f"{type(component).__name__.removeprefix('Abstract').lower()} variable")
        scope.mode = getattr(component, "keyword", None) or "interpolate"
        index = left_side(component.subscripts[0], box, dims, scope)
        expression, initial = _parts(component.ast, scope)
        block = Block(index, expression, initial, text, non_negative=scope.stock and component.ast.non_negative)
        _check_axes(block, scope)
    except UnsupportedFeature as error:
        remedy = _NO_REMEDY if isinstance(error, UnknownFunction) else _REMEDY
        raise UnsupportedFeature(
            f"{source.path}: {error} in variable {name!r} is not covered by this engine; {remedy}. Equation: {text}"
        ) from error
    except InvalidModel as error:
        raise InvalidModel(f"{source.path}: variable {name!r}: {error} Equation: {text}") from error
    return block


def _parts(ast: Any, scope: Scope) -> tuple[Any, Any]:
    kind = type(ast).__name__
    if scope.stock:
        return lower_expression(ast.flow, scope), lower_expression(ast.initial, scope)
    if kind == "CallStructure" and ast.function.reference == "active_initial":
        active, initial = ast.arguments
        return lower_expression(active, scope), lower_expression(initial, scope)
    return lower_expression(ast, scope), None


def _check_axes(block: Block, scope: Scope) -> None:
    for part in (block.expression, block.initial):
        stray = [axis for axis in part.axes if axis not in block.axes] if part is not None else []
        if stray:
            raise InvalidModel(
                f"the right side runs over {shown(stray[0])!r}, which the left side does not have"
                f"{' and no mapping leads to it from there' if any(scope.ranges.ways(stray[0])) else ''}."
            )
