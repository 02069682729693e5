"""Tells what a step needs from what is only looked at: the latter is computed at the steps that are saved."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pysd_runner.engine.ir import ArrayFunction, Expression, Interpolation, Operation, Reference
from pysd_runner.engine.llvm.items import Item


@dataclass(frozen=True, slots=True)
class Shares:
    """Work of a step in two shares."""

    always: tuple[Item, ...]  # what updates need, and the updates
    saved: tuple[Item, ...]  # what only outcomes need; in place of a stock, which is updated by then, it reads a copy
    copies: dict[str, str]  # name of the copy of each stock it reads


def shared_out(items: Sequence[Item], stocks: Sequence[str], copy_of: dict[str, str]) -> Shares:
    """Share out the work of a step."""
    needed: set[str] = set()
    always = []
    for item in reversed(items):
        if item.task in ("update", "push") or item.target in needed:
            always.append(item)
            needed |= {read.variable for read in item.references}
    kept = {id(item) for item in always}
    saved = [item for item in items if id(item) not in kept]
    read = {part.variable for item in saved for part in item.references}
    copies = {name: copy_of[name] for name in stocks if name in read}
    renamed_items = tuple(replace(item, expression=renamed(item.expression, copies)) for item in saved)
    return Shares(tuple(reversed(always)), renamed_items, copies)


def renamed(expression: Expression, names: dict[str, str]) -> Expression:
    """An expression that reads other variables in place of some."""
    if isinstance(expression, Reference):
        return replace(expression, variable=names.get(expression.variable, expression.variable))
    if isinstance(expression, Operation | ArrayFunction):
        return replace(expression, arguments=tuple(renamed(part, names) for part in expression.arguments))
    if isinstance(expression, Interpolation):
        return replace(expression, argument=renamed(expression.argument, names))
    return expression
