"""What an XMILE file says and PySD's translator passes over: done here, or refused by name."""

import copy
from functools import lru_cache
from typing import Any

from pysd_runner.engine.errors import InvalidModel, UnsupportedFeature

# Tags that change what a variable computes, and what to write instead.
REFUSED = {
    "conveyor": "write the stock with equations for what leaves it; DELAY is a fixed delay",
    "queue": "write the stock with equations for what leaves it",
    "leak": "write an equation",
    "overflow": "write an equation",
    "multiplier": "write a flow of its own into the next stock",
    "module": "bring the variables of all modules into one model",
}

# As many refusals are named.
MOST_NAMED = 5


def refuse_unknown(root: Any) -> None:
    """Refuse what is neither done here nor by PySD."""
    found = [
        f"{_owner(item)} (line {item.sourceline}): {REFUSED[_tag(item)]}"
        for item in _find(root, "ns:model/ns:variables//ns:* | //ns:behavior//ns:*")
        if _tag(item) in REFUSED
    ]
    if found:
        more = f"; and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
        raise UnsupportedFeature(f"PySD does not know {'; '.join(found[:MOST_NAMED])}{more}")


def _owner(item: Any) -> str:
    names = [parent for parent in (item, *item.iterancestors()) if parent.get("name")]
    tag = _tag(item)
    return f"<{tag}>" if not names else f"<{tag}> of {_tag(names[0])} {names[0].get('name')!r}"


def make_elements(root: Any) -> None:
    """List the elements 1, 2, ... of dimensions that say their size alone."""
    for dim in _find(root, "ns:dimensions/ns:dim[not(ns:elem)]"):
        name, size = dim.get("name"), dim.get("size", "").strip()
        if not (size.isascii() and size.isdigit()) or int(size[:20]) < 1:
            raise InvalidModel(
                f'line {dim.sourceline}: dimension {name!r} has no elements; expected <elem name="..."/> or size="3"'
            )
        for number in range(1, int(size) + 1):
            dim.append(dim.makeelement(_named(root, "elem"), {"name": str(number)}))


def spread_behavior(root: Any) -> None:
    """Write <non_negative> into every variable for which <behavior> says so, of the file or of its model."""
    for kind in ("stock", "flow"):
        wishes = _find(root, f"//ns:behavior/ns:non_negative | //ns:behavior/ns:{kind}/ns:non_negative")
        if any("false" not in (item.text or "").lower() for item in wishes):
            for item in _find(root, f"ns:model/ns:variables/ns:{kind}[not(ns:non_negative)]"):
                item.append(item.makeelement(_named(root, "non_negative")))
    for item in _find(root, "//ns:behavior"):
        item.getparent().remove(item)


def share_equations(root: Any) -> None:
    """Give elements of an array that have a table but no equation of their own the equation of the array."""
    for item in _find(root, "ns:model/ns:variables/ns:*[self::ns:aux or self::ns:flow or self::ns:stock]"):
        equations, elements = _children(item, "eqn"), _children(item, "element")
        parts = elements or [item]
        if not equations and all(_children(part, "gf") and not _children(part, "eqn") for part in parts):
            item.tag = _named(root, "gf")  # nothing but a table
            continue
        for element in elements:
            if equations and not _children(element, "eqn"):
                element.append(copy.deepcopy(equations[0]))
            if _children(element, "non_negative"):
                raise InvalidModel(
                    f"line {element.sourceline}: <non_negative> holds for all elements of {item.get('name')!r}; write "
                    "it outside of <element>"
                )
        for part in parts:
            if not _children(part, "eqn"):
                raise InvalidModel(f"line {part.sourceline}: {_tag(item)} {item.get('name')!r} has no <eqn>")


def settle_tables(root: Any) -> None:
    """See that every table has points, and take those it lists before those its scale would give."""
    for table in _find(root, "ns:model/ns:variables//*[self::ns:gf or self::ns:element][not(ns:gf or ns:element)]"):
        x, y = _children(table, "xpts"), _children(table, "ypts")
        if _tag(table) == "gf" and not y:
            raise InvalidModel(f"line {table.sourceline}: <gf> has no <ypts>")
        if x and y and _points(x[0]) != _points(y[0]):
            raise InvalidModel(f"line {table.sourceline}: a table has {_points(x[0])} x and {_points(y[0])} y")
        for scale in _children(table, "xscale") if x else ():
            table.remove(scale)


def _points(item: Any) -> int:
    return sum(bool(part.strip()) for part in (item.text or "").split(item.get("sep", ",") or ","))


@lru_cache(maxsize=1)
def read_own_parts(module: Any) -> None:
    """Make a translator read the table of each element of an array, and equations that hold at the start alone."""
    from pysd.translators.structures.abstract_expressions import CallStructure, ReferenceStructure

    parse = module.Aux._parse_component

    def parse_equation(self: Any, node: Any, behaviors: Any) -> list[Any]:
        whole = self.node
        self.node = node if _children(node, "gf") else whole
        try:
            found: list[Any] = parse(self, node, behaviors)
        finally:
            self.node = whole
        for item in _children(node, "init_eqn") or _children(whole, "init_eqn"):
            start = self._smile_parser(item.text)
            found = [CallStructure(ReferenceStructure("active_initial"), (part, start)) for part in found]
        return found

    def parse_table(self: Any, node: Any, _behaviors: Any) -> list[Any]:
        return [self._parse_lookup_xml_node(next(iter(_children(node, "gf")), node))]

    module.Aux._parse_component = parse_equation
    module.Gf._parse_component = parse_table


def _find(root: Any, path: str) -> list[Any]:
    found: list[Any] = root.xpath(path, namespaces={"ns": root.nsmap[None]})
    return found


def _children(item: Any, tag: str) -> list[Any]:
    return [child for child in item if _tag(child) == tag]


def _tag(item: Any) -> str:
    return str(item.tag).rpartition("}")[2]


def _named(root: Any, tag: str) -> str:
    return f"{{{root.nsmap[None]}}}{tag}"
