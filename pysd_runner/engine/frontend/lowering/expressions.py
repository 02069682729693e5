"""Lowers one expression of the common tree; tables map each node and each function to what it becomes."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pysd_runner.engine.frontend import syntax
from pysd_runner.engine.frontend.lowering import arrays, delays, places
from pysd_runner.engine.frontend.lowering.conveyors.build import Parts
from pysd_runner.engine.frontend.lowering.functions import CALLS, FUNCTIONS
from pysd_runner.engine.frontend.lowering.macros import expanded
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.lowering.subscripts import WILDCARD, selected, static_index, transposed
from pysd_runner.engine.frontend.lowering.tables import interpolation, sorted_points
from pysd_runner.engine.frontend.places import Misplaced, shortened
from pysd_runner.engine.frontend.syntax import Array, Belt, Call, Name, Node, Stock, Text
from pysd_runner.engine.functions import operation
from pysd_runner.engine.ir import Axis, Element, Expression, Mode, Number, Reduction, Reference, Table, Time
from pysd_runner.engine.names import key, shown
from pysd_runner.errors import InvalidModel, UnsupportedFeature, suggest

ARITHMETIC = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "^": "power"}

LOGIC = {
    ":AND:": "and",
    ":OR:": "or",
    "=": "equal",
    "<>": "not_equal",
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
}

# A comparison with its sides changed over.
MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}

REDUCTIONS = {"sum": "sum", "prod": "product", "vmin": "least", "vmax": "largest"}

# Functions that read a table function by a rule of their own.
LOOKUPS: dict[str, Mode] = {
    "lookup forward": "look_forward",
    "lookup backward": "hold_backward",
    "lookup extrapolate": "extrapolate",
}

# A chain of additions longer than this is added in halves.
LONG_SUM = 40


def lower_expression(node: Node, scope: Scope) -> Expression:
    """Lower one node of the common tree.

    Parameters
    ----------
    node
        The node.
    scope
        What it may refer to.

    Returns
    -------
    Expression
        The same in the project's representation.

    Raises
    ------
    UnsupportedFeature
        If the node or function has no entry in the tables.
    InvalidModel
        If a name does not exist.
    """
    return NODES[type(node)](node, scope)


def _operation(node: syntax.Operation, scope: Scope) -> Expression:
    parts = [lower_expression(part, scope) for part in node.arguments]
    operators = node.operators
    if operators == ("negative",):
        return _negative(parts[0])
    if operators == (":NOT:",):
        return operation("not", parts[0])
    if operators[0] in LOGIC:
        return _missing(parts, operators) or _in_a_row(parts, [LOGIC[item] for item in operators])
    if operators[0] == "^":
        return _powers(parts)
    if len(parts) > LONG_SUM and set(operators) <= {"+", "-"}:
        return _long_sum(parts, operators)
    return _in_a_row(parts, [ARITHMETIC[item] for item in operators])


def _missing(parts: Sequence[Expression], operators: tuple[str, ...]) -> Expression | None:
    """A comparison with a missing value, :NA:, which is below every number; None for any other."""
    places = [place for place, part in enumerate(parts) if isinstance(part, Number) and math.isnan(part.value)]
    if len(parts) != 2 or not places or operators[0] in (":AND:", ":OR:"):
        return None
    if len(places) == 2:
        return operation("equal", Number(0.0), Number(0.0 if operators[0] in ("=", "<=", ">=") else 1.0))
    other = parts[1 - places[0]]
    operator = operators[0] if places == [1] else MIRRORED.get(operators[0], operators[0])
    if operator in (">", "<>"):
        return operation("equal", other, other)
    if operator in ("=", "<="):
        return operation("not_equal", other, other)
    return operation("equal", Number(0.0), Number(1.0 if operator == "<" else 0.0))


def _in_a_row(parts: Sequence[Expression], names: Sequence[str]) -> Expression:
    result = parts[0]
    for name, part in zip(names, parts[1:], strict=True):
        result = operation(name, result, part)
    return result


def _negative(part: Expression) -> Expression:
    return Number(-part.value) if isinstance(part, Number) else operation("negative", part)


def _powers(parts: Sequence[Expression]) -> Expression:
    """Powers bind from the right, 2^3^2 is 2^9."""
    result = parts[-1]
    for part in reversed(parts[:-1]):
        result = operation("power", part, result)
    return result


def _long_sum(parts: Sequence[Expression], operators: Sequence[str]) -> Expression:
    """Add many terms in halves, so that no program nests deeper than Python reads."""
    terms = [parts[0]]
    for operator, part in zip(operators, parts[1:], strict=True):
        terms.append(part if operator == "+" else operation("negative", part))
    while len(terms) > 1:
        pairs = [operation("add", *terms[place : place + 2]) for place in range(0, len(terms) - 1, 2)]
        terms = pairs + terms[2 * len(pairs) :]
    return terms[0]


def _reference(node: Name, scope: Scope) -> Expression:
    name = key(node.name)
    if scope.sampled is not None and name == key(scope.owner):
        return scope.sampled
    if name == "self" and name not in scope.names and key(scope.owner) in scope.names:
        return selected(scope.owner, node.subscripts, scope, lower_expression)
    if name == "time" or scope.names.get(name) == "Time":
        return Time()
    if name not in scope.names and name.endswith("'") and name[:-1] in scope.names:
        node, name = transposed(replace(node, name=node.name[:-1]), scope), name[:-1]
    if name not in scope.names:
        return _place(node, scope)
    if name in scope.tables and not scope.tables[name].has_value:
        raise UnsupportedFeature(f"table function {node.name!r} used without an argument")
    if name in scope.belts and node.subscripts and len(node.subscripts) == len(scope.dims[name]) + 1:
        return _slats(node, scope)
    return selected(node.name, node.subscripts, scope, lower_expression)


def _slats(node: Name, scope: Scope) -> Expression:
    """What lies on a slat of a conveyor, counted from one at the exit, or on all of them."""
    parts = _parts_of(Name(node.name), scope)
    *own, last = node.subscripts or ()
    index = static_index(node.name, own or None, scope, lower_expression)
    if last == WILDCARD:
        return Reference(parts.slats, (Axis(f"{parts.slat}!"), *index))
    count = len(scope.ranges.elements[parts.slat])
    if not isinstance(last, syntax.Number) or not 1 <= last.value <= count:
        raise InvalidModel(f"{node.name!r} is a conveyor with slats 1 to {count}.")
    return Reference(parts.slats, (Element(int(last.value) - 1), *index))


def _place(node: Name, scope: Scope) -> Expression:
    """A range or an element used as a value is a place in the whole range, counted from one."""
    dimension, dot, element = node.name.partition(".")
    if dot and (inside := scope.ranges.name_of(dimension)) is not None and scope.ranges.holds(inside, element):
        return Number(float(scope.ranges.places(element, inside)[0] + 1))
    name = scope.ranges.name_of(node.name)
    if name is None:
        number = scope.ranges.number(node.name)
        if number is None:
            near = suggest(node.name, scope.names.values())
            raise Misplaced(f"{shortened(node.name)!r} is not defined.{near}", node.at)
        return Number(number)
    axis, items = scope.left(name) or (name, scope.ranges.keys(name))
    numbers = scope.ranges.numbers(items, name)
    return Number(numbers[0]) if axis is None else Table(numbers, (len(numbers),), (axis,))


def _call(node: Call, scope: Scope) -> Expression:
    name = key(node.function)
    if name in scope.macros:
        return expanded(scope.macros[name], node, scope, lower_expression)
    if name in scope.tables:
        if len(node.arguments) != 1:
            raise InvalidModel(f"table function {node.function!r} takes 1 argument, {len(node.arguments)} are given")
        argument = lower_expression(node.arguments[0], scope)
        return scope.tables[name].read(argument, static_index(node.function, node.subscripts, scope, lower_expression))
    if name in SPECIAL:
        return SPECIAL[name](node, scope)
    if name in scope.names and scope.dims[name] and name not in FUNCTIONS and name not in CALLS:
        return places.flat_element(node, scope, lower_expression)
    if name not in FUNCTIONS and name not in CALLS:
        if name in scope.names:
            raise InvalidModel(f"{scope.names[name]!r} is called like a function, but holds no table of points.")
        raise UnsupportedFeature(f"function {name.upper()}")
    count, build = FUNCTIONS[name] if name in FUNCTIONS else CALLS[name]
    if len(node.arguments) != count:
        raise InvalidModel(f"{name.upper()} takes {count} arguments, {len(node.arguments)} are given")
    arguments = [lower_expression(part, scope) for part in node.arguments]
    return build(*arguments) if name in FUNCTIONS else build(scope, *arguments)


def _read_as(node: Call, scope: Scope) -> Expression:
    """A table function read by another rule than its own."""
    table = node.arguments[0] if node.arguments else None
    if len(node.arguments) != 2 or not isinstance(table, Name) or key(table.name) not in scope.tables:
        raise InvalidModel(f"{node.function.upper()} takes a table function and a number")
    function = replace(scope.tables[key(table.name)], mode=LOOKUPS[key(node.function)])
    argument = lower_expression(node.arguments[1], scope)
    return function.read(argument, static_index(table.name, table.subscripts, scope, lower_expression))


def _inverted_table(node: Call, scope: Scope) -> Expression:
    """LOOKUP INVERT: where a table function that only rises, or only falls, has a value."""
    table = node.arguments[0] if node.arguments else None
    if len(node.arguments) != 2 or not isinstance(table, Name) or key(table.name) not in scope.tables:
        raise InvalidModel("LOOKUP INVERT takes a table function and a number")
    function = scope.tables[key(table.name)]
    steps = [np.diff(points.y) for points in function.tables.values()]
    if not all((step > 0).all() or (step < 0).all() for step in steps):
        raise UnsupportedFeature("LOOKUP INVERT of a table that does not rise, or fall, throughout")
    turned = {place: sorted_points(points.y, points.x) for place, points in function.tables.items()}
    argument = lower_expression(node.arguments[1], scope)
    index = static_index(table.name, table.subscripts, scope, lower_expression)
    return replace(function, tables=turned).read(argument, index)


def _element_count(node: Call, scope: Scope) -> Expression:
    label = node.arguments[0] if len(node.arguments) == 1 else None
    name = scope.ranges.name_of(label.name) if isinstance(label, Name) else None
    if name is None:
        given = repr(label.name) if isinstance(label, Name) else "this"
        near = suggest(label.name, scope.ranges.elements) if isinstance(label, Name) else ""
        raise InvalidModel(f"ELMCOUNT of {given}, which is no subscript range.{near}")
    return Number(float(len(scope.ranges.elements[name])))


def _reduction(node: Call, scope: Scope) -> Expression:
    name = key(node.function)
    if len(node.arguments) != 1:
        raise InvalidModel(f"{name.upper()} takes 1 argument, {len(node.arguments)} are given")
    argument = lower_expression(node.arguments[0], scope)
    over = tuple(axis for axis in argument.axes if axis.endswith("!"))
    stray = set(argument.axes) - {*over, *scope.block_axes, *scope.outside, *scope.implicit}
    if stray:
        raise InvalidModel(_unmarked(name.upper(), argument, stray))
    if not over:
        return argument
    return Reduction(REDUCTIONS[name], argument, over, tuple(axis for axis in argument.axes if axis not in over))


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
    argument = lower_expression(_with_wildcards(given, scope), scope)
    masks = tuple(scope.masks)
    scope.masks.clear()
    over = tuple(axis for axis in argument.axes if axis.endswith("!"))
    stray = set(argument.axes) - {*over, *scope.block_axes, *scope.outside, *scope.implicit}
    if stray and name in ("min", "max") and not over:
        argument = arrays.marked(scope, argument, argument.axes)
        over = argument.axes
    elif stray:
        raise InvalidModel(_unmarked(name.upper(), argument, stray))
    return ARRAY_FUNCTIONS[name](argument, over, masks, scope)


def _with_wildcards(node: Any, scope: Scope) -> Any:
    """An expression in which arrays without subscripts have wildcards."""
    if isinstance(node, Name):
        dims = scope.dims.get(key(node.name), ()) if key(node.name) in scope.names else ()
        if key(node.name) in scope.belts and not dims and node.subscripts is None:
            return replace(node, subscripts=(WILDCARD,))
        return replace(node, subscripts=("*",) * len(dims)) if dims and node.subscripts is None else node
    if isinstance(node, syntax.Operation | Call):
        return replace(node, arguments=tuple(_with_wildcards(part, scope) for part in node.arguments))
    return node


def _over(name: str, argument: Expression, over: tuple[str, ...], masks: Sequence[Expression]) -> Expression:
    """A reduction; places that do not count give what changes nothing."""
    for mask in masks:
        argument = operation("where", mask, argument, Number(NOTHING[name]))
    left = tuple(axis for axis in argument.axes if axis not in over)
    return Reduction(name, argument, over, left) if over else argument


NOTHING = {"sum": 0.0, "product": 1.0, "least": math.inf, "largest": -math.inf}


def _reduced(name: str) -> Callable[..., Expression]:
    return lambda argument, over, masks, _scope: _over(name, argument, over, masks)


def _count(_argument: Expression, over: tuple[str, ...], masks: Sequence[Expression], scope: Scope) -> Expression:
    if not masks:
        return Number(float(math.prod(len(scope.ranges.elements[axis.removesuffix("!")]) for axis in over)))
    return _over("sum", _ones(over, scope), over, masks)


def _ones(over: tuple[str, ...], scope: Scope) -> Table:
    shape = tuple(len(scope.ranges.elements[axis.removesuffix("!")]) for axis in over)
    return Table((1.0,) * math.prod(shape), shape, over)


def _mean(argument: Expression, over: tuple[str, ...], masks: Sequence[Expression], scope: Scope) -> Expression:
    if not over:
        return argument
    return operation("divide", _over("sum", argument, over, masks), _count(argument, over, masks, scope))


def _deviation(argument: Expression, over: tuple[str, ...], masks: Sequence[Expression], scope: Scope) -> Expression:
    """Standard deviation of all elements, with their number as the divisor."""
    if not over:
        return Number(0.0)
    distance = operation("subtract", argument, _mean(argument, over, masks, scope))
    squares = _over("sum", operation("multiply", distance, distance), over, masks)
    return operation("sqrt", operation("divide", squares, _count(argument, over, masks, scope)))


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


def _inline_table(node: Call, scope: Scope) -> Expression:
    argument, table = node.arguments
    if not isinstance(table, syntax.Points):
        raise InvalidModel("a table in an equation is a list of points, ((x, y), (x, y), ...)")
    points = sorted_points(table.x, table.y)
    return interpolation(lower_expression(argument, scope), [points], (), table.mode)


def _constants(node: Call, scope: Scope) -> Expression:
    values = scope.files.constants(node, scope.ranges.counts(scope.block))
    return scope.table(values.ravel().tolist()) if values.ndim else Number(float(values))


def _series(node: Call, scope: Scope) -> Expression:
    points = scope.files.series(node, scope.ranges.counts(scope.block), scope.mode)
    axes, cells = scope.part()
    return interpolation(Time(), [points[cell] for cell in cells], axes, scope.mode)


def _integ(node: Stock, scope: Scope) -> Expression:
    flow, initial = lower_expression(node.flow, scope), lower_expression(node.initial, scope)
    return scope.hide("stock", flow, initial, non_negative=node.non_negative)


def _allocate_available(node: Call, scope: Scope) -> Expression:
    if len(node.arguments) != 3:
        raise InvalidModel(f"ALLOCATE AVAILABLE takes 3 arguments, {len(node.arguments)} are given")
    request, profile, available = node.arguments
    if not isinstance(profile, Name):
        raise InvalidModel("the second argument of ALLOCATE AVAILABLE is the first number of a priority profile")
    # Vensim names the first number of the profile; meant are all four of them.
    labels, dims = list(profile.subscripts or ()), scope.dims.get(key(profile.name), ())
    if len(labels) != len(dims) or not labels:
        raise InvalidModel(f"{profile.name!r} has {len(dims)} subscripts, {len(labels)} are given")
    whole = replace(profile, subscripts=(*labels[:-1], dims[-1]))
    asked, there = lower_expression(request, scope), lower_expression(available, scope)
    return arrays.allocate_available(scope, asked, lower_expression(whole, scope), there)


def _belt_part(node: Call, scope: Scope) -> Expression:
    """What a conveyor decides about: a flow, by its name, or what may still come on."""
    belt, part = node.arguments
    parts = _parts_of(belt, scope)
    wanted = key(part.value) if isinstance(part, Text) else ""
    name = parts.room if wanted == "room" else parts.flows[wanted.removeprefix("flow ").strip()]
    if not name:
        return Number(math.inf)
    index = static_index(belt.name, belt.subscripts, scope, lower_expression) if isinstance(belt, Name) else ()
    return Reference(name, index)


def _parts_of(belt: Node, scope: Scope) -> Parts:
    found = scope.belts[key(belt.name)] if isinstance(belt, Name) else None
    if isinstance(found, UnsupportedFeature):
        raise found
    if not isinstance(found, Parts):
        raise InvalidModel("this is no conveyor")
    return found


def _belt(_node: Belt, scope: Scope) -> Expression:
    """What lies on a conveyor, all slats together."""
    parts = _parts_of(Name(scope.owner), scope)
    over = f"{parts.slat}!"
    own = static_index(scope.owner, None, scope, lower_expression)
    slats = Reference(parts.slats, (Axis(over), *own))
    return Reduction("sum", slats, (over,), tuple(axis for axis in slats.axes if axis != over))


def _sample_if_true(node: Call, scope: Scope) -> Expression:
    """SAMPLE IF TRUE; its own variable stands inside it for what was sampled last."""
    if len(node.arguments) != 3:
        raise InvalidModel(f"SAMPLE IF TRUE takes 3 arguments, {len(node.arguments)} are given")
    condition, value, initial = node.arguments
    start = lower_expression(initial, scope)
    own = [
        part
        for part in syntax.parts((condition, value))
        if isinstance(part, Name) and key(part.name) == key(scope.owner)
    ]
    if scope.stock or not own:
        return delays.sample_if_true(scope, lower_expression(condition, scope), lower_expression(value, scope), start)
    scope.sampled = scope.hide(
        "memory", start, start, over=(scope.table([0.0] * math.prod(scope.ranges.counts(scope.block))),)
    )
    try:
        parts = (lower_expression(condition, scope), lower_expression(value, scope), scope.sampled)
        scope.replace_hidden(scope.sampled, operation("where", *parts))
        return operation("where", *parts)
    finally:
        scope.sampled = None


def _invert_matrix(node: Call, scope: Scope) -> Expression:
    """INVERT MATRIX; a matrix whose subscripts are the same range twice is meant as a whole."""
    if len(node.arguments) != 2:
        raise InvalidModel(f"INVERT MATRIX takes 2 arguments, {len(node.arguments)} are given")
    matrix = node.arguments[0]
    if isinstance(matrix, Name) and matrix.subscripts and len(set(matrix.subscripts[-2:])) == 1:
        dims = scope.dims.get(key(matrix.name), ())
        matrix = replace(matrix, subscripts=(*matrix.subscripts[:-2], *dims[-2:]))
    return arrays.invert_matrix(scope, lower_expression(matrix, scope))


def _sketched(_node: Call, _scope: Scope) -> Expression:
    raise UnsupportedFeature("A FUNCTION OF, which stands for an equation that is still to be written,")


def _array(node: Array, scope: Scope) -> Expression:
    return scope.table(node.values)


def _text(node: Text, _scope: Scope) -> Expression:
    raise InvalidModel(f"the text {node.value!r} stands where a number is expected.")


def _points(_node: syntax.Points, _scope: Scope) -> Expression:
    raise InvalidModel("a table stands where a number is expected.")


# Functions that take more than numbers: tables, ranges, texts.
SPECIAL: dict[str, Callable[[Call, Scope], Expression]] = {
    **dict.fromkeys(LOOKUPS, _read_as),
    **dict.fromkeys(REDUCTIONS, _reduction),
    **{f"{name} of array": _of_array for name in ARRAY_FUNCTIONS},
    "elmcount": _element_count,
    "vector elm map": lambda node, scope: places.element_map(node, scope, lower_expression),
    "rank": lambda node, scope: places.rank(node, scope, lower_expression),
    "with lookup": _inline_table,
    "get constants": _constants,
    "get data": _series,
    "allocate available": _allocate_available,
    "a function of": _sketched,
    "belt part": _belt_part,
    "transposed": lambda node, scope: lower_expression(transposed(node.arguments[0], scope), scope),
    "sample if true": _sample_if_true,
    "lookup invert": _inverted_table,
    "invert matrix": _invert_matrix,
}

# Node of the common tree -> how it is lowered.
NODES: dict[type, Callable[[Any, Scope], Expression]] = {
    syntax.Number: lambda node, _scope: Number(node.value),
    Text: _text,
    Array: _array,
    syntax.Points: _points,
    Name: _reference,
    syntax.Operation: _operation,
    Call: _call,
    Stock: _integ,
    Belt: _belt,
}
