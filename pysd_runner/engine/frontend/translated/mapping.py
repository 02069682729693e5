"""Keeps what a mapping of subscript ranges lists, which PySD's translator takes for elements of the mapped range."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any


class MappedRange(str):
    """Name of a range that another one is mapped to."""

    __slots__ = ("listed",)
    listed: tuple[str, ...] | None  # what of it the elements of the other one stand for, in their order

    def __new__(cls, name: str, listed: tuple[str, ...] | None = None) -> "MappedRange":
        """A name with its list."""
        found = super().__new__(cls, name)
        found.listed = listed
        return found


def keep_mappings(module: Any) -> None:
    """Make PySD's Vensim translator keep what mappings list."""
    module.ElementsComponentVisitor = _visitor(module)


@lru_cache(maxsize=1)
def _visitor(module: Any) -> type:
    class Visitor(module.ElementsComponentVisitor):  # type: ignore[misc]
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
