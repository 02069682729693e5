"""A stock-and-flow diagram drawn from the equations of a model, as SVG."""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pysd_runner.core.errors import InvalidInput
from pysd_runner.engine.ir import Number, Operation, Reference, Variable, references
from pysd_runner.export.files import write_text_whole
from pysd_runner.model import Model

WIDTH, BOX, HEIGHT, ROW, LEFT = 920, 128, 38, 92, 24
MOST_VARIABLES = 400
_STYLE = (
    "text{font:11px system-ui,sans-serif;fill:#1a1a1a}.s{fill:#fff;stroke:#005B94;stroke-width:1.6}"
    ".f{fill:#005B94}.l{fill:none;stroke:#8c8c8c;stroke-width:1}.p{fill:none;stroke:#005B94;stroke-width:2.4}"
    ".a{fill:#595959}.c{fill:#8A6D00}"
)


@dataclass(frozen=True, slots=True)
class Flow:
    """What runs into a stock, or out of it."""

    name: str
    stock: str
    is_inflow: bool


def flows_of(model: Model) -> list[Flow]:
    """Variables that stand alone as terms in the net flow of a stock.

    Parameters
    ----------
    model
        Any model.

    Returns
    -------
    list of Flow
        Each with its sign. A stock whose net flow is another kind of formula has one flow without a name.
    """
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
            if isinstance(item, Operation) and item.name in ("add", "+"):
                stack += [(part, sign) for part in reversed(item.arguments)]
            elif isinstance(item, Operation) and item.name in ("subtract", "sub", "-") and len(item.arguments) == 2:
                stack += [(item.arguments[1], -sign), (item.arguments[0], sign)]
            elif isinstance(item, Operation) and item.name in ("negative", "neg", "-") and len(item.arguments) == 1:
                stack.append((item.arguments[0], -sign))
            elif isinstance(item, Reference) and item.variable != stock.name:
                found.append((item.variable, sign))
            elif not isinstance(item, Number):
                found.append(("", sign))
    return found


def diagram(model: Model) -> str:
    """Draw the stocks, flows, auxiliaries and constants of a model with the arrows of its equations.

    Stocks are boxes with their inflows on the left and outflows on the right; other variables stand below, constants
    last, and thin lines lead to what reads them.

    Parameters
    ----------
    model
        Any model of at most a few hundred variables.

    Returns
    -------
    str
        SVG.

    Raises
    ------
    InvalidInput
        If there are too many variables for a picture.
    """
    shown = {name: item for name, item in model.variables.items() if item.kind not in ("control", "lookup")}
    if len(shown) > MOST_VARIABLES:
        raise InvalidInput(f"a diagram holds at most {MOST_VARIABLES} variables; {model.name} has {len(shown)}")
    flows = flows_of(model)
    places, height = _placed(shown, flows)
    parts = [*_links(shown, places), *_pipes(flows, places), *_labels(shown, places)]
    title = html.escape(f"Stocks and flows of {model.name}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}">'
        f"<title>{title}</title><style>{_STYLE}</style>{''.join(parts)}</svg>\n"
    )


def save_diagram(model: Model, path: str | Path) -> Path:
    """Write the diagram of a model to an SVG file, whole or not at all."""
    return write_text_whole(path, diagram(model))


def _placed(shown: Mapping[str, Variable], flows: list[Flow]) -> tuple[dict[str, tuple[float, float]], int]:
    places: dict[str, tuple[float, float]] = {}
    stocks = [name for name, item in shown.items() if item.kind == "stock"]
    top = 40.0
    for place, name in enumerate(stocks):
        column, row = place % 2, place // 2
        places[name] = (LEFT + 230 + column * 440, top + row * ROW)
    rows = -(-len(stocks) // 2)
    for name in stocks:
        x, y = places[name]
        for side in (True, False):
            own = [flow for flow in flows if flow.stock == name and flow.is_inflow == side and flow.name]
            for number, flow in enumerate(own):
                shift = (number - (len(own) - 1) / 2) * 22
                places.setdefault(flow.name, (x - 118 if side else x + 118, y + shift))
    left = [name for name in shown if name not in places]
    below = top + rows * ROW + 24
    columns = 5
    for number, name in enumerate(sorted(left, key=lambda item: shown[item].kind == "constant")):
        places[name] = (LEFT + 80 + (number % columns) * 176, below + (number // columns) * 34)
    return places, int(below + -(-len(left) // columns) * 34 + 30)


def _links(shown: Mapping[str, Variable], places: Mapping[str, tuple[float, float]]) -> list[str]:
    found = []
    for name, item in shown.items():
        x, y = places[name]
        read: set[str] = set()
        for block in item.blocks:
            read |= references(block.expression)
        for other in sorted(read & set(places) - {name}):
            a, b = places[other]
            bend = f"{(a + x) / 2:.0f} {(b + y) / 2 - 18:.0f}"
            found.append(f'<path class="l" d="M{a:.0f} {b:.0f}Q{bend} {x:.0f} {y:.0f}"/>')
    return found


def _pipes(flows: list[Flow], places: Mapping[str, tuple[float, float]]) -> list[str]:
    found = []
    for flow in flows:
        x, y = places[flow.stock]
        side = -1 if flow.is_inflow else 1
        edge = x + side * BOX / 2
        a, b = places.get(flow.name, (edge + side * 50, y)) if flow.name else (edge + side * 50, y)
        found.append(f'<path class="p" d="M{a:.0f} {b:.0f}L{edge:.0f} {y:.0f}"/>')
        found.append(f'<path class="f" d="M{a - 5:.0f} {b - 5:.0f}h10l-10 10h10z"/>')
    return found


def _labels(shown: Mapping[str, Variable], places: Mapping[str, tuple[float, float]]) -> list[str]:
    found = []
    for name, item in shown.items():
        x, y = places[name]
        text = html.escape(name if len(name) <= 26 else f"{name[:25]}…")
        if item.kind == "stock":
            box = f'<rect class="s" x="{x - BOX / 2:.0f}" y="{y - HEIGHT / 2:.0f}" width="{BOX}" height="{HEIGHT}"/>'
            found.append(box)
        kind = {"constant": "c", "stock": "b"}.get(item.kind, "a")
        shift = 4 if item.kind == "stock" else -9
        tip = f"<title>{html.escape(item.equation[:300])}</title>"
        found.append(f'<text class="{kind}" x="{x:.0f}" y="{y + shift:.0f}" text-anchor="middle">{text}{tip}</text>')
    return found
