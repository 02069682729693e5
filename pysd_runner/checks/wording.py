"""Parts of a lowered equation as a person would write them, for messages."""

from pysd_runner.engine.ir import (
    HIDDEN,
    ArrayFunction,
    Axis,
    Element,
    Expression,
    Interpolation,
    ModelIr,
    Number,
    Operation,
    Random,
    Reduction,
    Reference,
    Table,
    Time,
    shown,
)

_BETWEEN = {
    "or": (0, ":OR:"),
    "and": (1, ":AND:"),
    "equal": (3, "="),
    "not_equal": (3, "<>"),
    "less": (3, "<"),
    "less_equal": (3, "<="),
    "greater": (3, ">"),
    "greater_equal": (3, ">="),
    "add": (4, "+"),
    "subtract": (4, "-"),
    "multiply": (5, "*"),
    "divide": (5, "/"),
    "power": (7, "^"),
}
_BEFORE = {"not": (2, ":NOT: "), "negative": (6, "-")}
_CALLED = {"where": "IF THEN ELSE", "least": "VMIN", "largest": "VMAX", "product": "PROD", "integer": "INTEGER"}
_TIGHTEST = 9
_LONGEST = 80


def wording(expression: Expression, model: ModelIr) -> str:
    """Text of an expression in the notation of Vensim, on one line, its middle left out when it is long."""
    text = _text(expression, model)
    half = _LONGEST // 2 - 2
    return text if len(text) <= _LONGEST else f"{text[:half].rstrip()} ... {text[-half:].lstrip()}"


def _text(expression: Expression, model: ModelIr) -> str:
    if isinstance(expression, Number):
        return f"{expression.value:g}"
    if isinstance(expression, Time):
        return "Time"
    if isinstance(expression, Reference):
        return _reference(expression, model)
    if isinstance(expression, Operation):
        return _operation(expression, model)
    if isinstance(expression, Reduction):
        return f"{_CALLED.get(expression.name, expression.name.upper())}({_text(expression.argument, model)})"
    if isinstance(expression, Interpolation):
        return f"TABLE({_text(expression.argument, model)})"
    if isinstance(expression, ArrayFunction):
        inner = ", ".join(_text(part, model) for part in expression.arguments)
        return f"{expression.name.replace('_', ' ').upper()}({inner})"
    return _literal(expression)


def _literal(expression: Table | Random) -> str:
    if isinstance(expression, Random):
        return "RANDOM 0 1()"
    return "(" + ", ".join(f"{value:g}" for value in expression.values[:4]) + ", ...)"


def _reference(expression: Reference, model: ModelIr) -> str:
    dims = model.variables[expression.variable].dims
    parts = [
        shown(item.label) if isinstance(item, Axis) else _element(item, dim, model)
        for item, dim in zip(expression.index, dims, strict=True)
    ]
    name = _hidden(expression.variable, model) or expression.variable
    return f"{name}[{','.join(parts)}]" if parts else name


def _hidden(name: str, model: ModelIr) -> str:
    """Number or label of a variable made for a delay, smooth or macro; empty for one of the file."""
    variable = model.variables[name]
    if not variable.hidden or HIDDEN not in name:
        return ""
    expression = variable.blocks[0].expression
    return f"{expression.value:g}" if isinstance(expression, Number) else f"(value inside {shown(name)})"


def _element(item: Element, dim: str, model: ModelIr) -> str:
    return model.ranges[dim][item.position]


def _operation(expression: Operation, model: ModelIr) -> str:
    if expression.name in _BETWEEN:
        rank, sign = _BETWEEN[expression.name]
        left, right = expression.arguments
        spaced = sign if sign == "^" else f" {sign} "
        return f"{_inside(left, rank, model)}{spaced}{_inside(right, rank + 1, model)}"
    if expression.name in _BEFORE:
        rank, sign = _BEFORE[expression.name]
        return f"{sign}{_inside(expression.arguments[0], rank, model)}"
    name = _CALLED.get(expression.name, expression.name.upper())
    return f"{name}({', '.join(_text(part, model) for part in expression.arguments)})"


def _inside(part: Expression, rank: int, model: ModelIr) -> str:
    text = _text(part, model)
    return f"({text})" if _rank(part) < rank else text


def _rank(part: Expression) -> int:
    if isinstance(part, Operation):
        return {**_BETWEEN, **_BEFORE}.get(part.name, (_TIGHTEST, ""))[0]
    return _TIGHTEST
