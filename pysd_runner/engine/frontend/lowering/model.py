"""Lower the syntax tree of a model file to the intermediate representation."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from pysd_runner.engine.errors import InvalidModel, Message, UnsupportedFeature, suggest
from pysd_runner.engine.frontend.lowering.conveyor_frame import SLATS, TRANSIT
from pysd_runner.engine.frontend.lowering.conveyors import build_conveyor
from pysd_runner.engine.frontend.lowering.expressions import lower_expression
from pysd_runner.engine.frontend.lowering.external import DataFiles, with_listed_ranges, with_ranges_of_data
from pysd_runner.engine.frontend.lowering.limits import is_non_negative, with_limits
from pysd_runner.engine.frontend.lowering.macros import Expandable, check_expansions, is_stock
from pysd_runner.engine.frontend.lowering.ranges import Ranges, with_numbered_elements
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.lowering.series import points_of, series
from pysd_runner.engine.frontend.lowering.slips import slips
from pysd_runner.engine.frontend.lowering.subscripts import (
    SubArray,
    box_of,
    cut,
    left_side,
    remaining,
    takes_whole_arrays,
)
from pysd_runner.engine.frontend.lowering.table_calls import is_table_function, table_functions
from pysd_runner.engine.frontend.lowering.tables import NoTable
from pysd_runner.engine.frontend.source import Source
from pysd_runner.engine.frontend.syntax import (
    DEFAULT,
    Budgets,
    Call,
    Conveyor,
    DefinedVariable,
    Equation,
    Macro,
    Range,
    Stock,
    shortened,
)
from pysd_runner.engine.ir import (
    ARITHMETIC,
    FIXED,
    HIDDEN,
    STATEFUL,
    Block,
    BoundSeries,
    Drawn,
    Kind,
    ModelIr,
    Number,
    Operation,
    Table,
    Variable,
    hidden_variable,
    key,
    reached,
    reads_time,
    references,
    shown,
    tidy,
    users_of,
)
from pysd_runner.engine.passes.missing import with_missing_as_least

CONTROLS = {name.lower(): name for name in ("INITIAL TIME", "FINAL TIME", "TIME STEP", "SAVEPER")}

# Version of the lowering: increase it when the result of lowering changes, so that cached results become invalid.
VERSION = 15


def lower(source: Source, budgets: Budgets = DEFAULT) -> ModelIr:
    """Lower a parsed model file."""
    try:
        return _lowered(source, budgets)
    except RecursionError as error:
        raise UnsupportedFeature("{path}: an equation is nested too deeply to be read", path=source.path) from error


def _lowered(source: Source, budgets: Budgets) -> ModelIr:
    try:
        with closing(DataFiles(source.path, source.files)) as files:
            found = with_ranges_of_data(with_listed_ranges(source.syntax, files), source.from_data, files)
            check_definitions(found.ranges, found.variables, [item.name for item in found.macros], budgets)
            check_expansions(found, budgets)
            found = replace(found, ranges=with_numbered_elements(found.ranges, budgets))
            return _resolved(replace(source, syntax=found), Ranges(found.ranges), files, budgets)
    except InvalidModel as error:
        raise type(error)("{path}: {error}", path=source.path, error=error) from error


def _resolved(source: Source, ranges: Ranges, files: DataFiles, budgets: Budgets) -> ModelIr:
    known: dict[str, tuple[float, ...]] = {}
    model, asked = _pass(source, ranges, files, known, budgets)
    # The order of a delay may depend on the order of another; each pass computes at least one of them.
    while found := _orders(model, asked, known):
        known |= found
        model, asked = _pass(source, ranges, files, known, budgets)
    return with_fixed_times(with_missing_as_least(model))


def _orders(
    model: ModelIr, asked: Mapping[str, Variable], known: Mapping[str, tuple[float, ...]]
) -> dict[str, tuple[float, ...]]:
    """Orders of delays that can be computed after this pass and were not known before it."""
    missing = [name for name in asked if name not in known]
    if not missing:
        return {}
    from pysd_runner.engine.passes.integration import orders_of_file

    partial = replace(
        model,
        variables={**model.variables, **asked},
        fingerprint=f"{model.fingerprint} without {len(missing)} of {len(asked)} orders",
    )
    return orders_of_file(partial, missing)


def _pass(
    source: Source, ranges: Ranges, files: DataFiles, known: Mapping[str, tuple[float, ...]], budgets: Budgets
) -> tuple[ModelIr, dict[str, Variable]]:
    """Lower every equation, given the orders of delays that are known."""
    syntax = source.syntax
    dims = {key(item.name): _dims(item, ranges) for item in syntax.variables}
    given = {"time": "Time", **CONTROLS, **syntax.other_names}
    names = {**given, **{key(item.name): _name(item) for item in syntax.variables}}
    every = dict.fromkeys(given, ()) | dims
    # Equations of a macro see the time variables; other variables of the model need a trailing dollar sign (Vensim).
    outside: dict[str, tuple[str, tuple[str, ...]]] = {name: (names[name], ()) for name in given}
    outside |= {f"{name}$": (found, every[name]) for name, found in names.items()}
    scope = Scope(
        ranges=ranges,
        dims=every,
        names=names,
        tables=table_functions(syntax.variables, ranges, dims, files),
        series={
            key(item.name): item for item in syntax.variables if any(part.kind == "data" for part in item.equations)
        },
        files=files,
        lower=lower_expression,
        macros={key(item.name): _macro(item, ranges, files, outside) for item in syntax.macros},
        known=known,
        budgets=budgets,
    )
    variables = {}
    for item in syntax.variables:
        _prepare_belt(item, scope)
    for item in syntax.variables:
        variable = _variable(item, scope, source)
        variables[variable.name] = variable
    variables |= {item.name: item for item in scope.hidden}
    variables |= {name: scope.asked[name] for name in known if name in scope.asked}
    variables |= {name: _absent(name) for name in CONTROLS.values() if name not in variables}
    model = ModelIr(
        ranges=ranges.elements,
        variables=with_limits(variables, str(source.path), syntax.outflows),
        fingerprint=_fingerprint(source, ranges, files),
        structural=known,
        files=dict(files.sha256),
        named=dict(files.by_name),
        series=tuple(
            BoundSeries(
                names[label[0]],
                found.elements,
                path.name,
                tuple(found.times[[0, -1]].tolist()),
                tuple(found.values[[0, -1]].tolist()),
                found.times.size,
            )
            for label, (path, found) in files.taken.items()
        ),
        pointed=tuple(sorted(scope.pointed)),
        integration=syntax.integration,
        outflows=syntax.outflows if any(map(is_non_negative, variables.values())) else None,
        features=syntax.features,
        sketch=_sketch(syntax.sketch, names),
        slips=(
            *slips((*syntax.variables, *(part for item in syntax.macros for part in item.variables))),
            *scope.notes,
        ),
    )
    return _with_unsettled(model, scope.unsettled), scope.asked


def _with_unsettled(model: ModelIr, found: Iterable[str]) -> ModelIr:
    """Name the variables that depend on a call whose meaning is not settled."""
    needs = {
        name: {needed for block in item.blocks for part in block.parts for needed in references(part)}
        for name, item in model.variables.items()
    }
    names = tuple(reached(found, users_of(needs)))
    if not names:
        return model
    seen = sorted({shown(name) for name in names})
    note = Message(
        "GET DATA AT TIME at the time :NA: is missing here, as Vensim's documentation says, but a published study "
        "cannot be met with that: trust no number of the variables that depend on it, {names}",
        names=", ".join(seen),
    )
    return replace(model, slips=(*model.slips, note), unsettled=names)


def _sketch(drawn: Iterable[Drawn], names: Mapping[str, str]) -> tuple[Drawn, ...]:
    """Diagram positions of the variables that are defined, under their names as defined."""
    return tuple(replace(item, variable=names[key(item.variable)]) for item in drawn if key(item.variable) in names)


def _prepare_belt(defined: DefinedVariable, scope: Scope) -> None:
    """Add the hidden variables of a conveyor before anything refers to them."""
    node = defined.equations[0].expression
    if not isinstance(node, Conveyor):
        return
    hidden, asked = len(scope.hidden), len(scope.asked)
    try:
        scope.belts[key(defined.name)] = build_conveyor(_name(defined), node, scope)
    except UnsupportedFeature as error:
        if len(scope.asked) == asked:
            del scope.hidden[hidden:]
        scope.belts[key(defined.name)] = error
    except InvalidModel as error:
        raise InvalidModel(_about(defined.name, defined.equations[0], error)) from error


def _macro(
    macro: Macro, ranges: Ranges, files: DataFiles, outside: Mapping[str, tuple[str, tuple[str, ...]]]
) -> Expandable:
    dims = {key(item.name): _dims(item, ranges) for item in macro.variables if is_table_function(item)}
    tables = table_functions(macro.variables, ranges, dims, files)
    return Expandable(macro.name, macro.parameters, macro.variables, tables, outside)


def _fingerprint(source: Source, ranges: Ranges, files: DataFiles) -> str:
    # The paths of data files do not matter, but their names in the model and their contents do.
    read = {name: files.sha256[path] for name, path in files.by_name.items()}
    decisive = json.dumps([VERSION, source.sha256, ranges.elements, read], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(decisive.encode()).hexdigest()


def _name(variable: DefinedVariable) -> str:
    """Name of a variable as written, or the standard spelling of a time control."""
    return CONTROLS.get(key(variable.name), variable.name)


def _absent(name: str) -> Variable:
    """A time control that the file does not define, and the caller has to set."""
    block = Block((), Number(math.nan), None, f"{name} is not in the file")
    return hidden_variable(name, "control", (), block)


def _dims(variable: DefinedVariable, ranges: Ranges) -> tuple[str, ...]:
    given = [equation.subscripts for equation in variable.equations]
    declared = tuple(name for label in variable.dims if (name := ranges.name_of(label)) is not None)
    where = variable.equations[-1].place.at(0)
    if len({len(labels) for labels in given}) != 1:
        raise InvalidModel(
            "{where}: variable {name!r} is defined with different numbers of subscripts",
            where=where,
            name=variable.name,
        )
    if declared and len(declared) == len(given[0]):
        return declared
    try:
        return ranges.dimensions(given)
    except InvalidModel as error:
        raise InvalidModel(
            "{where}: variable {name!r}: {error}", where=where, name=variable.name, error=error
        ) from error


def _variable(defined: DefinedVariable, scope: Scope, source: Source) -> Variable:
    name = _name(defined)
    dims = scope.dims[key(name)]
    blocks: tuple[Block, ...] = ()
    kind: Kind = "auxiliary"
    unassigned = ""
    hidden, asked = len(scope.hidden), len(scope.asked)
    try:
        bare = (item for item in defined.equations if item.expression is None)
        if any(points_of(item, defined, scope) is None for item in bare):
            kind, unassigned = "data", _request(name, defined)
        else:
            blocks, kind = _blocks(defined, name, dims, scope)
    except UnsupportedFeature as error:
        unassigned = str(error)
        # Keep hidden variables on which the order of a delay may depend: a later pass needs them.
        if len(scope.asked) == asked:
            del scope.hidden[hidden:]
    return Variable(
        name=name,
        unit=defined.unit,
        dims=dims,
        kind=kind,
        doc=defined.doc,
        group=defined.group,
        blocks=blocks,
        unassigned=unassigned and Message("{path}: {error}", path=source.path, error=unassigned),
        limits=defined.limits,
    )


def _is_data(variable: DefinedVariable) -> bool:
    return all(equation.kind == "data" for equation in variable.equations)


def _request(name: str, defined: DefinedVariable) -> Message:
    if _is_data(defined):
        return Message(
            "variable {name!r} is data, and neither the model nor a data set has it; give the file of a data set that "
            "has it, load_model(path, data=[...]), or its values: "
            "simulate(model, {{{name!r}: TimePath(times=..., values=...)}})",
            name=name,
        )
    empty = next(equation for equation in defined.equations if equation.expression is None)
    return Message(
        "{where}: variable {name!r} has no equation; write one, or give its values: simulate(model, {{{name!r}: ...}})",
        where=empty.place.at(0),
        name=name,
    )


def _blocks(defined: DefinedVariable, name: str, dims: tuple[str, ...], scope: Scope) -> tuple[tuple[Block, ...], Kind]:
    if is_table_function(defined):
        return tuple(_points_block(equation, dims, scope) for equation in defined.equations), "lookup"
    scope.owner, scope.stock = name, is_stock(defined)
    blocks: list[Block] = []
    for equation, (whole, parts) in zip(defined.equations, _boxes(defined, dims, scope), strict=True):
        if parts != [whole] and equation.expression is not None and takes_whole_arrays(equation.expression):
            block = _block(equation, whole, defined, dims, scope)
            blocks += cut(block, equation.subscripts, parts, dims, scope)
        else:
            blocks += [_block(equation, box, defined, dims, scope) for box in parts]
    return tuple(blocks), _kind(name, defined, blocks)


def _boxes(defined: DefinedVariable, dims: tuple[str, ...], scope: Scope) -> list[tuple[SubArray, list[SubArray]]]:
    """For each equation of a variable, the cells it names and those of them that it defines."""

    def box(equation: Equation, labels: Sequence[str]) -> SubArray:
        try:
            return box_of(labels, dims, scope)
        except InvalidModel as error:
            raise InvalidModel(_about(defined.name, equation, error)) from error

    named = [box(item, item.subscripts) for item in defined.equations]
    # Exceptions that name elements of other dimensions have no effect.
    left_out = [
        [box(item, labels) for labels in item.exceptions if not _is_elsewhere(labels, dims, scope)]
        for item in defined.equations
    ]
    return list(zip(named, remaining(named, left_out), strict=True))


def _is_elsewhere(labels: Sequence[str], dims: Sequence[str], scope: Scope) -> bool:
    """Whether one of the subscripts is an element that exists, but not in its dimension."""
    return any(
        scope.ranges.number(label) is not None and not scope.ranges.holds(dim, label)
        for label, dim in zip(labels, dims, strict=False)
    )


def _about(name: str, equation: Equation, error: InvalidModel) -> Message:
    """Message of an error, with the position, variable and equation it concerns."""
    where, text = equation.place.at(getattr(error, "at", 0)), shortened(equation.text)
    return Message(
        "{where}: variable {name!r}: {error} Equation: {text}", where=where, name=name, error=error, text=text
    )


def _points_block(equation: Equation, dims: tuple[str, ...], scope: Scope) -> Block:
    """Block of a table function, which has no value: only its index and the text of its equation matter."""
    index = tuple(map(scope.ranges.pick, equation.subscripts, dims))
    return Block(index, Number(0.0), None, equation.text)


def _kind(name: str, defined: DefinedVariable, blocks: Sequence[Block]) -> Kind:
    if key(name) in CONTROLS:
        return "control"
    if is_stock(defined):
        return "stock"
    if all(_is_literal(block.expression) for block in blocks):
        return "constant"
    return "auxiliary"


def _is_literal(expression: Any) -> bool:
    if isinstance(expression, Operation):
        return expression.name in ARITHMETIC and all(map(_is_literal, expression.arguments))
    return isinstance(expression, Number | Table)


def _block(equation: Equation, box: SubArray, defined: DefinedVariable, dims: tuple[str, ...], scope: Scope) -> Block:
    """Lower an equation for some of the cells it names."""
    node, name = equation.expression, _name(defined)
    try:
        scope.mode = equation.mode
        index = left_side(equation.subscripts, box, dims, scope)
        own = series(equation, defined, scope)
        expression, initial = (own, None) if own is not None else _parts(node, scope)
        non_negative = scope.stock and isinstance(node, Stock) and node.non_negative
        block = Block(index, expression, initial, equation.text, non_negative=non_negative)
        _check_axes(block, scope)
    except NoTable as error:
        raise UnsupportedFeature(_about(name, equation, error)) from error
    except UnsupportedFeature as error:
        raise UnsupportedFeature(
            "{where}: {error} in variable {name!r} is not covered; write the equation with other functions. Equation: "
            "{text}",
            where=equation.place.at(0),
            error=error,
            name=name,
            text=shortened(equation.text),
        ) from error
    except InvalidModel as error:
        raise InvalidModel(_about(name, equation, error)) from error
    return block


def _parts(node: Any, scope: Scope) -> tuple[Any, Any]:
    if scope.stock:
        return scope.lowered(node.flow), scope.lowered(node.initial)
    if isinstance(node, Call) and key(node.function) == "active initial" and len(node.arguments) == 2:
        active, initial = node.arguments
        return scope.lowered(active), scope.lowered(initial)
    return scope.lowered(node), None


def _check_axes(block: Block, scope: Scope) -> None:
    for part in (block.expression, block.initial):
        stray = [axis for axis in part.axes if axis not in block.axes] if part is not None else []
        if stray:
            raise InvalidModel(
                "the right side runs over {shown!r}, which the left side does not have{further}.",
                shown=shown(stray[0]),
                further=Message(" and no mapping leads to it from there") if any(scope.ranges.ways(stray[0])) else "",
            )


def check_definitions(
    ranges: Sequence[Range], variables: Sequence[DefinedVariable], macros: Sequence[str], budgets: Budgets
) -> None:
    """Check that names of a model are unique and not too long, and that aliases refer to ranges that exist."""
    for name in (*(item.name for item in ranges), *(item.name for item in variables)):
        budgets.check_name(name)
    for item in ranges:
        for label in item.elements:
            budgets.check_name(label if isinstance(label, str) else label.prefix)
    _unique(Message("macro"), macros)
    _unique(Message("subscript range"), (item.name for item in ranges))
    _unique(Message("variable"), (item.name for item in variables))
    known = {key(item.name): item.name for item in ranges}
    for item in ranges:
        if item.copy_of is not None and key(item.copy_of) not in known:
            raise InvalidModel(
                "{at}: subscript range {name!r} is a copy of {copy_of!r}, which is no subscript range.{suggestion}",
                at=item.place.at(0),
                name=item.name,
                copy_of=item.copy_of,
                suggestion=suggest(item.copy_of, known.values()),
            )
    for variable in variables:
        place = variable.equations[-1].place.at(0)
        if key(variable.name) == "time":
            raise InvalidModel(
                "{where}: Time is the current time and cannot be defined; give the variable another name", where=place
            )
        if len(variable.equations) > 1 and not any(part.subscripts for part in variable.equations):
            count = len(variable.equations)
            raise InvalidModel(
                "{where}: variable {name!r} is defined {count} times", where=place, name=variable.name, count=count
            )


def _unique(kind: Message, names: Iterable[str]) -> None:
    known: dict[str, str] = {}
    for name in names:
        if key(name) in known:
            first = tidy(known[key(name)])
            raise InvalidModel(
                "{kind} {name!r} is defined twice, first as {first!r}", kind=kind, name=tidy(name), first=first
            )
        known[key(name)] = name


def with_fixed_times(model: ModelIr) -> ModelIr:
    """Mark variables as unsupported if a time that has to be constant, such as a transit time, varies in a run."""
    asked = [name for name in model.variables if HIDDEN in name and _label(name).startswith((TRANSIT, FIXED))]
    if not asked:
        return model
    variables = dict(model.variables)
    for name in _moving_variables(model).keys() & asked:
        owner, label = name.split(HIDDEN)[0], _label(name)
        if label == TRANSIT:
            reason = f"the transit time of the conveyor {owner!r} changes while the model runs, which is not covered"
            owner = f"{owner}{HIDDEN}{SLATS}"
        else:
            reason = (
                f"variable {owner!r}: {label.removeprefix(FIXED).rpartition(' ')[0].strip()} changes while the model "
                f"runs, which is not covered; make it a constant. Equation: {variables[owner].equation}"
            )
        variables[owner] = replace(variables[owner], unassigned=reason)
    return replace(model, variables=variables)


def _moving_variables(model: ModelIr) -> dict[str, None]:
    """Variables that vary during a run: those that depend on time, random numbers or state variables."""
    needs = {
        name: {needed for block in variable.blocks for needed in references(block.expression)}
        for name, variable in model.variables.items()
        if variable.kind != "initial"
    }
    moved = [
        name
        for name, variable in model.variables.items()
        if variable.kind in STATEFUL or any(reads_time(block.expression) for block in variable.blocks)
    ]
    return reached(moved, users_of(needs))


def _label(name: str) -> str:
    """Label of a hidden variable, without the name of its owner."""
    return name.rpartition(HIDDEN)[2]
