"""Equations as a person would write them, from PySD's abstract expressions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from pysd_runner.engine.names import key

_PRECEDENCE = {":OR:": 0, ":AND:": 1, ":NOT:": 2, "=": 3, "<>": 3, "<": 3, "<=": 3, ">": 3, ">=": 3}
_PRECEDENCE |= {"+": 4, "-": 4, "*": 5, "/": 5, "negative": 6, "^": 7}


Names = Mapping[str, str]


def expression_text(ast: Any, names: Names) -> str:
    """Text of one abstract expression.

    Parameters
    ----------
    ast
        A node of PySD's abstract model, or a number or array.
    names
        Names as written in the file, by comparison key: the abstract model holds them in lower case.

    Returns
    -------
    str
        Vensim-like notation on one line; long tables are shortened.
    """
    kind = type(ast).__name__
    if kind in _WRITERS:
        return _WRITERS[kind](ast, names)
    if isinstance(ast, np.ndarray):
        flat = ", ".join(f"{value:g}" for value in ast.ravel()[:8])
        return flat + (", ..." if ast.size > 8 else "")
    if is_dataclass(ast):
        inner = ", ".join(expression_text(getattr(ast, item.name), names) for item in fields(ast))
        return f"{kind.removesuffix('Structure').upper()}({inner})"
    return f"{ast:g}" if isinstance(ast, int | float | np.number) else str(ast)


def equation_text(
    name: str, subscripts: Sequence[str], ast: Any, names: Names, exceptions: Sequence[Sequence[str]] = ()
) -> str:
    """Text of one equation, left side included."""
    left = f"{name}[{','.join(subscripts)}]" if subscripts else name
    if exceptions:
        left += " :EXCEPT: " + ", ".join(f"[{','.join(labels)}]" for labels in exceptions)
    return f"{left} = {expression_text(ast, names)}"


def _operators(ast: Any, names: Names) -> str:
    rank = _rank(ast)
    parts = [_bracketed(argument, rank, position, names) for position, argument in enumerate(ast.arguments)]
    if ast.operators == ["negative"]:
        return f"-{parts[0]}"
    if ast.operators == [":NOT:"]:
        return f":NOT: {parts[0]}"
    text = parts[0]
    for operator, part in zip(ast.operators, parts[1:], strict=True):
        text += f"^{part}" if operator == "^" else f" {operator} {part}"
    return text


def _rank(ast: Any) -> int:
    return min((_PRECEDENCE.get(operator, 9) for operator in getattr(ast, "operators", [])), default=9)


def _bracketed(argument: Any, rank: int, position: int, names: Names) -> str:
    inner = _rank(argument)
    text = expression_text(argument, names)
    return f"({text})" if inner < rank or (inner == rank and position > 0) else text


def _reference(ast: Any, names: Names) -> str:
    inner = f"[{','.join(ast.subscripts.subscripts)}]" if ast.subscripts else ""
    return f"{names.get(key(ast.reference), ast.reference)}{inner}"


def _call(ast: Any, names: Names) -> str:
    name = expression_text(ast.function, names)
    name = name if key(ast.function.reference) in names else name.replace("_", " ").upper()
    return f"{name}({', '.join(expression_text(part, names) for part in ast.arguments)})"


def _integ(ast: Any, names: Names) -> str:
    return f"INTEG({expression_text(ast.flow, names)}, {expression_text(ast.initial, names)})"


def _points(ast: Any, _names: Names) -> str:
    pairs = [f"({x:g},{y:g})" for x, y in zip(ast.x[:6], ast.y[:6], strict=True)]
    return ",".join(pairs) + (",..." if len(ast.x) > 6 else "")


def _external(ast: Any, _names: Names) -> str:
    what = type(ast).__name__.removeprefix("Get").removesuffix("Structure").upper()
    return f"GET DIRECT {what}({', '.join(repr(str(getattr(ast, item.name))) for item in fields(ast))})"


_WRITERS: dict[str, Callable[[Any, Names], str]] = {
    "ArithmeticStructure": _operators,
    "LogicStructure": _operators,
    "ReferenceStructure": _reference,
    "CallStructure": _call,
    "IntegStructure": _integ,
    "LookupsStructure": _points,
    "GetConstantsStructure": _external,
    "GetDataStructure": _external,
    "GetLookupsStructure": _external,
    "DataStructure": lambda _ast, _names: "data from outside",
}
