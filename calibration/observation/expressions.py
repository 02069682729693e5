"""Observed quantities: a variable, one of its elements, or an expression of them, with derivatives."""

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput, UnknownName, suggest
from pysd_runner.model import Model
from pysd_runner.simulation.run import located

Array = NDArray[np.float64]
# A value and its derivatives (extra trailing axis), or None if constant.
Dual = tuple[Array, Array | None]

_BRACKETS = r"(?:\s*\[[^\[\]]*\])?"


@dataclass(frozen=True, slots=True)
class Expression:
    """A formula of model variables."""

    text: str
    variables: tuple[str, ...]
    dims: tuple[str, ...]
    _tree: ast.expr
    _places: Mapping[str, tuple[str, tuple[int, ...] | None]]
    _is_array: Mapping[str, bool]

    @property
    def read(self) -> tuple[tuple[str, tuple[int, ...] | None], ...]:
        """The variables in the formula, each with the index of its element, None for all elements."""
        return tuple(self._places.values())

    def value(self, outcomes: Mapping[str, Array]) -> Array:
        """Value of the expression."""
        return _evaluated(self._tree, lambda name: (self._picked(name, outcomes, lead=1), None))[0]

    def linearised(self, outcomes: Mapping[str, Array], slopes: Mapping[str, Array]) -> tuple[Array, Array]:
        """Value of the expression and its derivatives."""
        value, moved = _evaluated(
            self._tree, lambda name: (self._picked(name, outcomes, lead=0), self._picked(name, slopes, lead=0))
        )
        if moved is None:
            count = next(iter(slopes.values())).shape[-1]
            return value, np.zeros((*value.shape, count))
        return value, moved

    def _picked(self, name: str, arrays: Mapping[str, Array], *, lead: int) -> Array:
        variable, position = self._places[name]
        array = arrays[variable]
        if position is not None:
            array = array[(slice(None),) * lead + position]
        is_single = position is not None or not self._is_array[variable]
        # A scalar is broadcast over all elements.
        return array[(slice(None),) * lead + (None,) * len(self.dims)] if is_single else array


def variable_itself(name: str, dims: tuple[str, ...] = ()) -> Expression:
    """Expression for all elements of a single variable."""
    return Expression(name, (name,), dims, ast.Name("v0"), {"v0": (name, None)}, {name: bool(dims)})


def expression_of(model: Model, text: str) -> Expression:
    """Parse a variable, an element of one, or a formula of model variables."""
    try:
        variable, position = located(model, text)
    except UnknownName:
        return _formula(model, text)
    _refuse_table(model, variable)
    dims = model.ir.variables[variable].dims if position is None else ()
    is_array = {variable: bool(model.ir.variables[variable].dims)}
    return Expression(text, (variable,), dims, ast.Name("v0"), {"v0": (variable, position)}, is_array)


def _refuse_table(model: Model, variable: str) -> None:
    if model.ir.variables[variable].kind == "lookup":
        raise InvalidInput("{variable!r} is a table function and has no value of its own", variable=variable)


def _formula(model: Model, text: str) -> Expression:
    names = sorted(model.variables, key=len, reverse=True)
    spellings = "|".join(r"[\s_]+".join(map(re.escape, re.split(r"[\s_]+", name))) for name in names)
    pattern = re.compile(rf"(?<![\w])\"?(?:{spellings})\"?(?![\w]){_BRACKETS}", re.IGNORECASE)
    places: dict[str, tuple[str, tuple[int, ...] | None]] = {}

    def replaced(match: re.Match[str]) -> str:
        name = f"v{len(places)}"
        places[name] = located(model, match[0].replace('"', "").strip())
        return f" {name} "

    plain = pattern.sub(replaced, text)
    if not places:
        raise UnknownName(
            "{model} has no variable {variable!r}.{suggestion}",
            model=model.path.name,
            variable=text,
            suggestion=suggest(text, model.variables),
        )
    try:
        tree = ast.parse(plain.replace("^", "**").strip(), mode="eval").body
    except SyntaxError as error:
        raise InvalidInput("{text!r} is no formula of model variables: {error}", text=text, error=error.msg) from error
    _check(tree, places, text)
    dims = {model.ir.variables[variable].dims if place is None else () for variable, place in places.values()} - {()}
    if len(dims) > 1:
        raise InvalidInput(
            "{text!r}: its variables run over different subscripts: {dims}", text=text, dims=sorted(dims)
        )
    for variable, _ in places.values():
        _refuse_table(model, variable)
    variables = tuple(dict.fromkeys(variable for variable, _ in places.values()))
    is_array = {name: bool(model.ir.variables[name].dims) for name in variables}
    return Expression(text, variables, dims.pop() if dims else (), tree, places, is_array)


_BINARY: Mapping[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}


def _check(tree: ast.expr, places: Mapping[str, object], text: str) -> None:
    if isinstance(tree, ast.BinOp) and type(tree.op) in _BINARY:
        _check(tree.left, places, text)
        _check(tree.right, places, text)
    elif isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        _check(tree.operand, places, text)
    elif isinstance(tree, ast.Name):
        if tree.id not in places:
            raise InvalidInput(
                "{text!r}: {name!r} is no variable of the model.{suggestion}",
                text=text,
                name=tree.id,
                suggestion=suggest(tree.id, []),
            )
    elif not (isinstance(tree, ast.Constant) and isinstance(tree.value, int | float)):
        raise InvalidInput(
            "{text!r} is no formula of model variables; sums, products, ratios and powers are", text=text
        )


def _evaluated(tree: ast.expr, read: Callable[[str], Dual]) -> Dual:
    if isinstance(tree, ast.Name):
        return read(tree.id)
    if isinstance(tree, ast.Constant):
        return np.asarray(float(tree.value)), None  # type: ignore[arg-type]
    if isinstance(tree, ast.UnaryOp):
        value, moved = _evaluated(tree.operand, read)
        return -value, None if moved is None else -moved
    assert isinstance(tree, ast.BinOp)  # noqa: S101
    left, right = _evaluated(tree.left, read), _evaluated(tree.right, read)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return _combined(_BINARY[type(tree.op)], left, right)


def _combined(sign: str, left: Dual, right: Dual) -> Dual:
    (a, da), (b, db) = left, right
    if sign == "+":
        return a + b, _sum(da, 1.0, db, 1.0)
    if sign == "-":
        return a - b, _sum(da, 1.0, db, -1.0)
    if sign == "*":
        return a * b, _sum(da, b, db, a)
    if sign == "/":
        return a / b, _sum(da, 1 / b, db, -a / b**2)
    value = a**b
    return value, _sum(da, b * a ** (b - 1), db, value * np.log(a) if db is not None else 0.0)


def _sum(da: Array | None, wa: Array | float, db: Array | None, wb: Array | float) -> Array | None:
    parts = [np.asarray(w)[..., None] * d for w, d in ((wa, da), (wb, db)) if d is not None]
    return None if not parts else parts[0] if len(parts) == 1 else parts[0] + parts[1]
