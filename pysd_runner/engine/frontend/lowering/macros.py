"""Expand macros where they are called: each call has its own hidden variables."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pysd_runner.engine.errors import InvalidModel, Message, UnsupportedFeature
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.lowering.tables import TableFunction
from pysd_runner.engine.frontend.syntax import (
    Array,
    Budgets,
    Call,
    DefinedVariable,
    Equation,
    Name,
    Node,
    Numeral,
    Stock,
    Syntax,
    parts,
)
from pysd_runner.engine.ir import (
    HIDDEN,
    Block,
    Expression,
    Kind,
    Reference,
    Variable,
    hidden_variable,
    is_whole,
    joined_axes,
    key,
)
from pysd_runner.engine.kinds import frozen


@frozen
class Expandable:
    """A macro of a model file, ready to be expanded."""

    name: str  # as written in the file
    parameters: tuple[str, ...]  # names of its parameters, in order
    variables: tuple[DefinedVariable, ...]
    tables: Mapping[str, TableFunction]  # its table functions, by comparison key
    outside: Mapping[str, tuple[str, tuple[str, ...]]]


def expanded(macro: Expandable, call: Call, scope: Scope) -> Expression:
    """Result of a macro call: a reference to the variable with the macro's name, or to another output."""
    # Every variable of the macro runs over the axes of the arguments, so that a macro called for every element of a
    # range has stocks for every element.
    if len(call.arguments) != len(macro.parameters):
        raise InvalidModel(
            "macro {name!r} takes {count} arguments, {other_count} are given.",
            name=macro.name,
            count=len(macro.parameters),
            other_count=len(call.arguments),
        )
    if macro.name in scope.calls:
        raise InvalidModel(
            "macro {name!r} calls itself: {names}.", name=macro.name, names=" -> ".join([*scope.calls, macro.name])
        )
    # The equations for all outputs of one call share one expansion.
    shared = (replace(call, gives=""), tuple(scope.block)) if call.outputs else None
    inner = scope.expansions.get(shared) or _expansion(macro, call.arguments, scope)
    if shared is not None:
        scope.expansions[shared] = inner
    wanted = call.gives or macro.name
    if key(wanted) not in inner.names:
        what = repr(call.gives) if call.gives else Message("the variable of its name")
        raise InvalidModel(
            "macro {name!r} does not define {what}, which it would give back.", name=macro.name, what=what
        )
    labels = inner.outside if inner.dims[key(wanted)] else ()
    index = tuple(scope.ranges.pick(label, label.removesuffix("!")) for label in labels)
    return Reference(inner.names[key(wanted)], index)


def _expansion(macro: Expandable, arguments: Sequence[Node], scope: Scope) -> Scope:
    """Lower all equations of a macro for one call, and return their scope."""
    inner = _inside(macro, arguments, scope)
    for variable in macro.variables:
        if key(variable.name) not in macro.tables:
            scope.hidden.append(_variable(variable, macro, inner))
    return inner


def _inside(macro: Expandable, arguments: Sequence[Node], scope: Scope) -> Scope:
    """Scope of one call: parameters refer to variables with the arguments' values, or to table functions."""
    owner = f"{scope.owner}{HIDDEN}{macro.name} {next(scope.numbers)}"
    names = {name: found for name, (found, _) in macro.outside.items()}
    dims = {name: found for name, (_, found) in macro.outside.items()}
    tables = dict(macro.tables)
    bound: list[Reference] = []
    for parameter, argument in zip(macro.parameters, arguments, strict=True):
        name = key(parameter)
        table = scope.tables.get(key(argument.name)) if isinstance(argument, Name) else None
        if table is not None:
            tables[name], names[name], dims[name] = table, parameter, table.dims
            continue
        bound.append(_variable_of(scope.lowered(argument), scope))
        names[name], dims[name] = bound[-1].variable, _plain(bound[-1].axes)
    labels = joined_axes(*bound)
    implicit = _plain(labels)
    if len(set(implicit)) != len(implicit):
        raise UnsupportedFeature("macro {name!r} called over the same subscript range twice", name=macro.name)
    for variable in macro.variables:
        name = key(variable.name)
        names[name] = f"{owner}: {variable.name}"
        dims[name] = tables[name].dims if name in tables else _dims(variable, implicit, scope)
    calls = (*scope.calls, macro.name)
    inner = replace(scope, dims=dims, names=names, tables=tables, owner=owner, implicit=implicit, calls=calls)
    inner.outside = labels
    return inner


def _plain(labels: Sequence[str]) -> tuple[str, ...]:
    return tuple(label.removesuffix("!") for label in labels)


def _variable_of(value: Expression, scope: Scope) -> Reference:
    """Reference to a whole variable that has a value; a hidden one is added if necessary."""
    if isinstance(value, Reference) and is_whole(value.index):
        return value
    return scope.hide("auxiliary", value)


def _dims(variable: DefinedVariable, implicit: tuple[str, ...], scope: Scope) -> tuple[str, ...]:
    """Dimensions of a macro's variable: its own, then those of the call unless its equations are literals."""
    own = scope.ranges.dimensions([equation.subscripts for equation in variable.equations])
    is_literal = all(isinstance(equation.expression, Numeral | Array) for equation in variable.equations)
    return own if is_literal else (*own, *implicit)


def is_stock(variable: DefinedVariable) -> bool:
    """Whether all equations of a variable are integrals; if only some are, these get hidden stocks."""
    return all(isinstance(equation.expression, Stock) for equation in variable.equations)


def _variable(variable: DefinedVariable, macro: Expandable, scope: Scope) -> Variable:
    name = scope.names[key(variable.name)]
    dims = scope.dims[key(variable.name)]
    kind: Kind = "stock" if is_stock(variable) else "auxiliary"
    blocks = []
    for equation in variable.equations:
        try:
            blocks.append(_block(equation, dims, scope, stock=kind == "stock"))
        except (UnsupportedFeature, InvalidModel) as error:
            told = Message(
                "{error} in macro {name!r}, equation {text}", error=error, name=macro.name, text=equation.text
            )
            raise type(error)(told) from error
    return hidden_variable(name, kind, dims, *blocks)


def _block(equation: Equation, dims: tuple[str, ...], scope: Scope, *, stock: bool) -> Block:
    labels, node = equation.subscripts, equation.expression
    if equation.exceptions:
        raise UnsupportedFeature("EXCEPT")
    if node is None:
        raise UnsupportedFeature("data")
    scope.block = labels if len(labels) == len(dims) else [*labels, *scope.implicit]
    scope.standing = {name: name for name in scope.block_ranges}
    index = tuple(map(scope.ranges.pick, scope.block, dims))
    if not stock or not isinstance(node, Stock):
        return Block(index, scope.lowered(node), None, equation.text)
    flow, initial = scope.lowered(node.flow), scope.lowered(node.initial)
    return Block(index, flow, initial, equation.text, non_negative=node.non_negative)


def check_expansions(syntax: Syntax, budgets: Budgets) -> None:
    """Check, before the expansion, the number of equations that the macros of a model will be expanded into."""
    macros = {key(item.name): item for item in syntax.macros}
    sizes: dict[str, int] = {}

    def size_of(name: str) -> int:
        if name not in sizes:
            # A recursive macro raises an error when it is expanded.
            sizes[name] = 0
            inside = macros[name].variables
            sizes[name] = sum(len(item.equations) for item in inside) + expanded_by(inside)
        return sizes[name]

    def expanded_by(variables: Sequence[DefinedVariable]) -> int:
        nodes = (part for item in variables for equation in item.equations for part in parts(equation.expression))
        calls = (key(node.function) for node in nodes if isinstance(node, Call))
        return sum(size_of(name) for name in calls if name in macros)

    if macros:
        budgets.check("equations", expanded_by(syntax.variables), Message("macros are expanded into"))
