"""Equations of a model: hashes, stocks, initial values as constants, a diagram as SVG, and formulas of variables."""

import ast
import hashlib
import html
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pysd_runner.core.errors import InvalidInput, Message, UnknownName
from pysd_runner.core.types import Array, Arrays, Interval, Texts
from pysd_runner.engine.ir import Axis, Block, ModelIr, Number, Operation, Reference, Variable, references
from pysd_runner.export.files import write_text_whole
from pysd_runner.model import Model
from pysd_runner.simulation.run import located

# Maximum number of changed variables that a message names.
MAX_CHANGED_NAMES = 5
PREFIX = "Starting value of "


def equations_of(model: Model) -> Texts:
    """Hash of the equation of each variable, ignoring layout and comments."""
    return {
        name: hashlib.sha256(
            f"{' '.join(item.equation.split())} {[model.ir.ranges[dim] for dim in item.dims]}".encode()
        ).hexdigest()[:12]
        for name, item in model.variables.items()
    }


def equations_hash(equations: Texts) -> str:
    """Hash of all equations together."""
    return hashlib.sha256(repr(sorted(equations.items())).encode()).hexdigest()


def check_equations(model: Model, kept: Texts, where: str) -> None:
    """Raise if stored equation hashes differ from those of a model, naming the variables that changed."""
    now = equations_of(model)
    parts = []
    for verb, names in (
        ("changed", [name for name in now if name in kept and now[name] != kept[name]]),
        ("new", [name for name in now if name not in kept]),
        ("gone", [name for name in kept if name not in now]),
    ):
        if names:
            more = f" and {len(names) - MAX_CHANGED_NAMES} more" if len(names) > MAX_CHANGED_NAMES else ""
            parts.append(f"{verb}: {', '.join(names[:MAX_CHANGED_NAMES])}{more}")
    if parts:
        raise InvalidInput(
            "{where} was made with other equations than those of {model} ({changes}); calibrate again",
            where=where,
            model=model.path.name,
            changes="; ".join(parts),
        )


def with_starts(model: Model, stocks: Iterable[str]) -> Model:
    """Copy a model with constants for the initial values of some stocks."""
    wanted = tuple(dict.fromkeys(stocks))
    if not wanted:
        return model
    variables = dict(model.ir.variables)
    for name in wanted:
        stock = variables[name]
        if stock.kind != "stock":
            raise InvalidInput(
                "{name!r} is no stock ({kind}); only stocks have a starting value", name=name, kind=Message(stock.kind)
            )
        start = f"{PREFIX}{name}"
        given = Block(index=tuple(map(Axis, stock.dims)), expression=Number(0.0), initial=None, text=f"{start} = given")
        variables[start] = replace(stock, name=start, kind="constant", doc="", blocks=(given,))
        blocks = tuple(replace(block, initial=Reference(start, block.index)) for block in stock.blocks)
        variables[name] = replace(stock, blocks=blocks)
    lowered = replace(
        model.ir, variables=variables, fingerprint=f"{model.ir.fingerprint} starting from {', '.join(wanted)}"
    )
    return replace(model, lowered=lowered)


def stocks_of(model: ModelIr) -> tuple[str, ...]:
    """Names of all stocks, including the hidden stocks of delays and smooths."""
    return tuple(name for name, item in model.variables.items() if item.kind == "stock")


def without_start(model: ModelIr) -> tuple[str, ...]:
    """Variables with a memory whose initial value cannot be set: fixed delays, samples and forecasts."""
    return tuple(name for name, item in model.variables.items() if item.kind in ("memory", "pipe"))


WIDTH, BOX, HEIGHT, ROW, LEFT = 920, 140, 38, 92, 24
# Vertical distance between the flows on one side of a stock.
FLOW_DISTANCE = 26
# Maximum number of variables for a detailed diagram; larger models show stocks and flows only, to stay readable.
MOST_DETAILED = 60
MOST_STOCKS = 100
_STYLE = (
    "text{font:11px system-ui,sans-serif;fill:#1a1a1a}.s{fill:#fff;stroke:#005B94;stroke-width:1.6}"
    ".f{fill:#005B94}.l{fill:none;stroke:#b0b0b0;stroke-width:0.8;marker-end:url(#h)}.p{fill:none;stroke:#005B94;stroke-width:2.4}"
    ".a{fill:#595959}.c{fill:#8A6D00}"
)


@dataclass(frozen=True, slots=True)
class Flow:
    """An inflow or outflow of a stock; its name is empty for an expression."""

    name: str
    stock: str
    is_inflow: bool


def flows_of(model: Model) -> list[Flow]:
    """Inflows and outflows of all stocks: the terms that are added and subtracted in their net flows."""
    found = []
    for name, item in model.variables.items():
        if item.kind == "stock":
            terms = dict.fromkeys(_terms(item))
            found += [Flow(term, name, sign > 0) for term, sign in terms]
    return found


def _terms(stock: Variable) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for block in stock.blocks:
        stack: list[tuple[object, int]] = [(block.expression, 1)]
        while stack:
            item, sign = stack.pop()
            if isinstance(item, Operation) and item.name == "add":
                stack += [(part, sign) for part in reversed(item.arguments)]
            elif isinstance(item, Operation) and item.name == "subtract":
                stack += [(item.arguments[1], -sign), (item.arguments[0], sign)]
            elif isinstance(item, Operation) and item.name == "negative":
                stack.append((item.arguments[0], -sign))
            elif isinstance(item, Reference) and item.variable != stock.name:
                found.append((item.variable, sign))
            elif not isinstance(item, Number):
                found.append(("", sign))
    return found


def diagram(model: Model) -> str:
    """Draw the stocks, flows, auxiliaries and constants of a model with the arrows of its equations."""
    every = {name: item for name, item in model.variables.items() if item.kind not in ("control", "lookup")}
    flows = flows_of(model)
    stocks = [name for name, item in every.items() if item.kind == "stock"]
    if len(stocks) > MOST_STOCKS:
        raise InvalidInput(
            "a diagram holds at most {most} stocks; {model} has {count}",
            most=MOST_STOCKS,
            model=model.name,
            count=len(stocks),
        )
    kept = {*stocks, *(flow.name for flow in flows)}
    is_detailed = len(every) <= MOST_DETAILED
    shown = every if is_detailed else {name: item for name, item in every.items() if name in kept}
    places, height = _placed(shown, flows)
    links = _links(shown, flows, places) if is_detailed else []
    parts = [*links, *_pipes(flows, places), *_labels(shown, places)]
    title = html.escape(f"Stocks and flows of {model.name}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}">'
        f"<title>{title}</title><style>{_STYLE}</style>"
        '<defs><marker id="h" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="#8c8c8c"/></marker></defs>{"".join(parts)}</svg>\n'
    )


def save_diagram(model: Model, path: str | Path) -> Path:
    """Write the diagram of a model to an SVG file (atomic write)."""
    return write_text_whole(path, diagram(model))


def _placed(shown: Mapping[str, Variable], flows: list[Flow]) -> tuple[dict[str, Interval], int]:
    places: dict[str, Interval] = {}
    stocks = [name for name, item in shown.items() if item.kind == "stock"]
    sides = {
        (name, side): [flow for flow in flows if flow.stock == name and flow.is_inflow == side and flow.name]
        for name in stocks
        for side in (True, False)
    }
    top = 20.0
    for first in range(0, len(stocks), 2):
        pair = stocks[first : first + 2]
        row = max(ROW, FLOW_DISTANCE * (1 + max(len(sides[name, side]) for name in pair for side in (True, False))))
        for column, name in enumerate(pair):
            x, y = LEFT + 230 + column * 440, top + row / 2
            places[name] = (x, y)
            for side in (True, False):
                for number, flow in enumerate(sides[name, side]):
                    shift = (number - (len(sides[name, side]) - 1) / 2) * FLOW_DISTANCE
                    places.setdefault(flow.name, (x - 124 if side else x + 124, y + shift))
        top += row
    left = [name for name in shown if name not in places]
    columns = 5
    for number, name in enumerate(sorted(left, key=lambda item: shown[item].kind == "constant")):
        places[name] = (LEFT + 80 + (number % columns) * 176, top + 24 + (number // columns) * 34)
    return places, int(top + -(-len(left) // columns) * 34 + 30)


def _links(shown: Mapping[str, Variable], flows: list[Flow], places: Mapping[str, Interval]) -> list[str]:
    piped = {(flow.stock, flow.name) for flow in flows}
    found = []
    for name, item in shown.items():
        x, y = places[name]
        read = {other for block in item.blocks for other in references(block.expression)}
        # Flow symbols already show their links.
        for other in sorted(other for other in read & set(places) - {name} if (name, other) not in piped):
            a, b = places[other]
            bend = f"{(a + x) / 2:.0f} {(b + y) / 2 - 18:.0f}"
            found.append(f'<path class="l" d="M{a:.0f} {b:.0f}Q{bend} {x:.0f} {y:.0f}"/>')
    return found


def _pipes(flows: list[Flow], places: Mapping[str, Interval]) -> list[str]:
    found = []
    for flow in flows:
        x, y = places[flow.stock]
        side = -1 if flow.is_inflow else 1
        edge = x + side * BOX / 2
        a, b = places.get(flow.name, (edge + side * 50, y)) if flow.name else (edge + side * 50, y)
        found.append(f'<path class="p" d="M{a:.0f} {b:.0f}L{edge:.0f} {y:.0f}"/>')
        found.append(f'<path class="f" d="M{a - 5:.0f} {b - 5:.0f}h10l-10 10h10z"/>')
    return found


def _labels(shown: Mapping[str, Variable], places: Mapping[str, Interval]) -> list[str]:
    found = []
    for name, item in shown.items():
        x, y = places[name]
        most = 22 if item.kind == "stock" else 26
        text = html.escape(name if len(name) <= most else f"{name[: most - 1]}…")
        if item.kind == "stock":
            box = f'<rect class="s" x="{x - BOX / 2:.0f}" y="{y - HEIGHT / 2:.0f}" width="{BOX}" height="{HEIGHT}"/>'
            found.append(box)
        kind = {"constant": "c", "stock": "b"}.get(item.kind, "a")
        shift = 4 if item.kind == "stock" else -9
        tip = f"<title>{html.escape(item.equation[:300])}</title>"
        found.append(f'<text class="{kind}" x="{x:.0f}" y="{y + shift:.0f}" text-anchor="middle">{text}{tip}</text>')
    return found


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

    @property
    def read(self) -> tuple[tuple[str, tuple[int, ...] | None], ...]:
        """The variables in the formula, each with the index of its element, None for all elements of an array."""
        return tuple(self._places.values())

    def value(self, outcomes: Arrays) -> Array:
        """Value of the expression."""
        return _evaluated(self._tree, lambda name: (self._picked(name, outcomes, lead=1), None))[0]

    def linearised(self, outcomes: Arrays, slopes: Arrays) -> tuple[Array, Array]:
        """Value of the expression and its derivatives."""
        value, moved = _evaluated(
            self._tree, lambda name: (self._picked(name, outcomes, lead=0), self._picked(name, slopes, lead=0))
        )
        if moved is None:
            count = next(iter(slopes.values())).shape[-1]
            return value, np.zeros((*value.shape, count))
        return value, moved

    def _picked(self, name: str, arrays: Arrays, *, lead: int) -> Array:
        variable, position = self._places[name]
        if position is None:
            return arrays[variable]
        # A scalar is broadcast over all elements.
        return arrays[variable][(slice(None),) * lead + position + (None,) * len(self.dims)]


def variable_itself(name: str, dims: tuple[str, ...] = ()) -> Expression:
    """Expression for all elements of a single variable."""
    return Expression(name, (name,), dims, ast.Name("v0"), {"v0": (name, None if dims else ())})


def expression_of(model: Model, text: str) -> Expression:
    """Parse a variable, an element of one, or a formula of model variables."""
    try:
        variable, position = _found(model, text)
    except UnknownName:
        return _formula(model, text)
    dims = model.ir.variables[variable].dims if position is None else ()
    return Expression(text, (variable,), dims, ast.Name("v0"), {"v0": (variable, position)})


def _found(model: Model, text: str) -> tuple[str, tuple[int, ...] | None]:
    """A variable with the index of its element, None for all elements of an array."""
    variable, position = located(model, text)
    item = model.ir.variables[variable]
    if item.kind == "lookup":
        raise InvalidInput("{variable!r} is a table function and has no value of its own", variable=variable)
    return variable, position if item.dims else ()


def _formula(model: Model, text: str) -> Expression:
    names = sorted(model.variables, key=len, reverse=True)
    spellings = "|".join(r"[\s_]+".join(map(re.escape, re.split(r"[\s_]+", name))) for name in names)
    pattern = re.compile(rf"(?<![\w])\"?(?:{spellings})\"?(?![\w]){_BRACKETS}", re.IGNORECASE)
    places: dict[str, tuple[str, tuple[int, ...] | None]] = {}

    def replaced(match: re.Match[str]) -> str:
        name = f"v{len(places)}"
        places[name] = _found(model, match[0].replace('"', "").strip())
        return f" {name} "

    plain = pattern.sub(replaced, text)
    if not places:
        raise UnknownName(
            "{model} has no variable {variable!r}.{suggestion}",
            model=model.path.name,
            variable=text,
            among=model.variables,
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
    variables = tuple(dict.fromkeys(variable for variable, _ in places.values()))
    return Expression(text, variables, dims.pop() if dims else (), tree, places)


_BINARY: Mapping[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}


def _check(tree: ast.expr, places: Mapping[str, object], text: str) -> None:
    if isinstance(tree, ast.BinOp) and type(tree.op) in _BINARY:
        _check(tree.left, places, text)
        _check(tree.right, places, text)
    elif isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        _check(tree.operand, places, text)
    elif isinstance(tree, ast.Name):
        if tree.id not in places:
            raise InvalidInput("{text!r}: {name!r} is no variable of the model", text=text, name=tree.id)
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
