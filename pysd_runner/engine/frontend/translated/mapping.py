"""Reads subscript ranges of Vensim: what mappings list is kept, and a range that is too long is refused.

PySD's translator takes what a mapping lists for elements of the mapped range, and makes as many elements as are asked.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from pysd_runner.engine.frontend.lowering.ranges import check_count
from pysd_runner.errors import InvalidModel


class MappedRange(str):
    """Name of a range that another one is mapped to.

    Parameters
    ----------
    name
        The range, as written.
    listed
        What of it the elements of the other one stand for, in their order; None for one by one.
    """

    __slots__ = ("listed",)
    listed: tuple[str, ...] | None

    def __new__(cls, name: str, listed: tuple[str, ...] | None = None) -> "MappedRange":
        """A name with its list."""
        found = super().__new__(cls, name)
        found.listed = listed
        return found


def read_ranges(module: Any) -> None:
    """Make PySD's Vensim translator read subscript ranges as above.

    Parameters
    ----------
    module
        ``pysd.translators.vensim.vensim_element``.
    """
    module.ElementsComponentVisitor = _visitor(module)


@lru_cache(maxsize=1)
def _visitor(module: Any) -> type:
    class Visitor(module.ElementsComponentVisitor):  # type: ignore[misc]
        unwrapped_exceptions = (InvalidModel,)

        def visit_subscript_range(self, node: Any, children: Sequence[Any]) -> None:
            first, last = (int(re.findall(r"\d+", children[place])[-1]) for place in (2, 6))
            check_count(self.name, last - first + 1)
            super().visit_subscript_range(node, children)

        def visit_subscript_mapping(self, node: Any, _children: Any) -> None:
            name = next(_texts(node, "name_mapping"))
            listed = tuple(_texts(node, "subscript"))
            # The subscripts of the list were visited before and stand at the end of those of the range.
            del self.subscripts[len(self.subscripts) - len(listed) :]
            self.mapping.append(MappedRange(name, listed or None))

    return Visitor


def _texts(node: Any, rule: str) -> Iterator[str]:
    """Text of every part of a parsed text that a rule of the grammar matched."""
    if node.expr_name == rule:
        yield node.text.strip()
        return
    for child in node.children:
        yield from _texts(child, rule)
