"""Arrays that XMILE writes with a wildcard, ``SUM(x[*])``, in the spelling of Vensim, ``SUM(x[R!])``.

The translator of PySD 3.14.3 reads no wildcard.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from pysd_runner.engine.errors import InvalidModel
from pysd_runner.engine.names import key

WILDCARD = "*"

# A name, quoted or not, with subscripts one of which holds an asterisk.
_ARRAY = re.compile(r'("(?:\\"|[^"])*"|[^\W\d][\w$\']*)\s*\[([^\[\]]*\*[^\[\]]*)\]')


def name_wildcards(root: Any) -> None:
    """Write the dimension of a variable in place of each wildcard in an equation."""
    names = {"ns": root.nsmap[None]}
    dims = {
        key(item.get("name", "")): [dim.get("name", "") for dim in item.xpath("ns:dimensions/ns:dim", namespaces=names)]
        for item in root.xpath("//ns:model/ns:variables/ns:*", namespaces=names)
    }
    for equation in root.xpath("//ns:eqn", namespaces=names):
        if WILDCARD in (equation.text or ""):
            equation.text = _ARRAY.sub(lambda found: _named(found, dims), equation.text)


def _named(found: re.Match[str], dims: Mapping[str, list[str]]) -> str:
    parts = [part.strip() for part in found[2].split(",")]
    own = dims.get(key(found[1]), [])
    if len(own) != len(parts):
        return found[0]
    over = [dim for part, dim in zip(parts, own, strict=True) if part == WILDCARD]
    if len(set(over)) < len(over):
        raise InvalidModel(
            f"{found[0]} takes the dimension {over[0]!r} twice, which is not covered; give the variable another "
            "dimension with the same elements"
        )
    spelled = [f"{_spelled(dim)}!" if part == WILDCARD else part for part, dim in zip(parts, own, strict=True)]
    return f"{found[1]}[{', '.join(spelled)}]"


def _spelled(dim: str) -> str:
    return re.sub(r"\s+", "_", dim.strip())


def read_array_functions(module: Any, root: Any) -> None:
    """Make a translator know MIN, MAX, MEAN and SIZE of arrays with wildcards."""
    from pysd.translators.structures.abstract_expressions import ArithmeticStructure, CallStructure, ReferenceStructure

    lengths = _lengths(root)

    def call(name: str, *arguments: Any) -> Any:
        return CallStructure(ReferenceStructure(name), arguments)

    def extreme(name: str) -> dict[int, Any]:
        return {
            1: lambda x: call(f"v{name}" if _over(x) else f"v{name}_xmile", x),
            2: lambda x, y: call(name, x, y),
        }

    def size(*given: Any) -> Any:
        over = _over(given[0]) if len(given) == 1 else set()
        return float(math.prod(lengths[item] for item in over)) if over else call("size", *given)

    def mean(*given: Any) -> Any:
        over = _over(given[0]) if len(given) == 1 else set()
        return ArithmeticStructure(["/"], (call("sum", *given), size(*given))) if over else call("mean", *given)

    module.structures |= {"min": extreme("min"), "max": extreme("max"), "size": size, "mean": mean}


def _lengths(root: Any) -> dict[str, int]:
    names = {"ns": root.nsmap[None]}
    return {
        key(dim.get("name", "")): len(dim.xpath("ns:elem", namespaces=names))
        for dim in root.xpath("ns:dimensions/ns:dim", namespaces=names)
    }


def _over(node: Any) -> set[str]:
    """Dimensions that an expression runs over whole."""
    return {key(label.rstrip("! ")) for label in _labels(node) if label.endswith("!")}


def _labels(node: Any) -> Iterator[str]:
    if isinstance(node, tuple | list):
        for part in node:
            yield from _labels(part)
    elif type(node).__name__ == "SubscriptsReferenceStructure":
        yield from node.subscripts
    elif type(node).__name__ == "CallStructure" and node.function.reference in ("sum", "vmin", "vmax"):
        return  # what is summed inside is not there any more
    elif is_dataclass(node):
        for field in fields(node):
            yield from _labels(getattr(node, field.name))
