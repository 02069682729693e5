"""Where an XMILE file draws its variables."""

from collections.abc import Iterator
from typing import Any

from pysd_runner.engine.frontend.xmile.document import child, children, text_of
from pysd_runner.engine.frontend.xmile.expressions import plain_name
from pysd_runner.engine.ir import Drawn


def drawn_in(model: Any, prefix: str) -> Iterator[Drawn]:
    """Variables of one model where they are drawn."""
    for views in children(model, "views"):
        for number, view in enumerate(children(views, "view"), 1):
            name = plain_name(view.get("name", "")) or str(number)
            for item in view.iter("stock", "flow", "aux", "gf", "alias"):
                drawn = _drawn(item, f"{prefix}{name}", prefix)
                if drawn is not None:
                    yield drawn


def _drawn(item: Any, view: str, prefix: str) -> Drawn | None:
    of = child(item, "of")
    name = plain_name(item.get("name", "") if of is None else text_of(of))
    try:
        return Drawn(f"{prefix}{name}", view, float(item.get("x")), float(item.get("y")), is_copy=item.tag == "alias")
    except (TypeError, ValueError):
        return None
