"""What a compiled program computes, piece by piece, and what of it only saved outcomes need."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pysd_runner.engine.ir import (
    ArrayFunction,
    Axis,
    Block,
    Element,
    Expression,
    Index,
    Interpolation,
    ModelIr,
    Operation,
    Reduction,
    Reference,
    walk,
)
from pysd_runner.engine.passes.order import Plan, Statement

Task = Literal["value", "reduce", "update", "push", "pull", "array"]

# Stands in the names of what exists in a compiled program only.
TEMPORARY = "\x1e"


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of work inside a loop nest."""

    task: Task  # ``value``: store an expression
    target: str  # the variable or temporary that is written
    index: tuple[Index, ...]  # which part of it
    loops: tuple[str, ...]  # labels of the axes looped over, outermost first
    outer: int  # for a reduction how many of the loops stand outside of the sum; otherwise all of them
    expression: Expression
    text: str = ""  # for a reduction which one; for an update its kind

    @property
    def references(self) -> tuple[Reference, ...]:
        """Everything the item reads."""
        return tuple(part for part in walk(self.expression) if isinstance(part, Reference))


@dataclass(slots=True)
class Temporaries:
    """Variables that exist in a compiled program only: names with their axes."""

    shapes: dict[str, tuple[str, ...]]

    def new(self, axes: tuple[str, ...]) -> Reference:
        """A new one over some axes, and a reference to all of it."""
        name = f"{TEMPORARY}{len(self.shapes)}"
        self.shapes[name] = axes
        return Reference(name, tuple(Axis(label) for label in axes))


def items_of(
    model: ModelIr,
    statements: Iterable[Statement],
    temporaries: Temporaries,
    part: Callable[[Block], Expression],
) -> list[Item]:
    """Work of some equations in order, each preceded by the reductions and array functions in it."""
    items: list[Item] = []
    for statement in statements:
        block = model.variables[statement.variable].blocks[statement.block]
        items += value_items(statement.variable, block.index, part(block), temporaries)
    return items


def value_items(
    target: str, index: tuple[Index, ...], expression: Expression, temporaries: Temporaries, task: Task = "value"
) -> list[Item]:
    """Work of one equation, preceded by the reductions and array functions in it."""
    lifted: list[Item] = []
    simple = _lifted(expression, temporaries, lifted)
    loops = tuple(item.label for item in index if isinstance(item, Axis))
    return [*lifted, Item(task, target, index, loops, len(loops), simple)]


def _lifted(expression: Expression, temporaries: Temporaries, lifted: list[Item]) -> Expression:
    if isinstance(expression, Operation):
        parts = tuple(_lifted(part, temporaries, lifted) for part in expression.arguments)
        return expression if parts == expression.arguments else replace(expression, arguments=parts)
    if isinstance(expression, Interpolation):
        return replace(expression, argument=_lifted(expression.argument, temporaries, lifted))
    if isinstance(expression, Reduction):
        return _reduction(expression, temporaries, lifted)
    if isinstance(expression, ArrayFunction):
        return _array(expression, temporaries, lifted)
    return expression


def _reduction(expression: Reduction, temporaries: Temporaries, lifted: list[Item]) -> Expression:
    argument = _lifted(expression.argument, temporaries, lifted)
    same = next((item for item in lifted if item.task == "reduce" and _same_sum(item, expression, argument)), None)
    if same is not None:
        return Reference(same.target, same.index)
    result = temporaries.new(expression.axes)
    loops = (*expression.axes, *expression.over)
    lifted.append(Item("reduce", result.variable, result.index, loops, len(expression.axes), argument, expression.name))
    return result


def _same_sum(item: Item, expression: Reduction, argument: Expression) -> bool:
    loops = (*expression.axes, *expression.over)
    return item.text == expression.name and item.loops == loops and item.expression == argument


def _array(expression: ArrayFunction, temporaries: Temporaries, lifted: list[Item]) -> Expression:
    batch = tuple(axis for axis in expression.axes if axis not in expression.result)
    arguments = []
    for argument, core in zip(expression.arguments, expression.core, strict=True):
        place = temporaries.new((*batch, *core))
        lifted += value_items(place.variable, place.index, argument, temporaries)
        arguments.append(place)
    result = temporaries.new((*batch, *expression.result))
    call = replace(expression, arguments=tuple(arguments))
    lifted.append(Item("array", result.variable, result.index, (), 0, call, expression.name))
    order = {label: place for place, label in enumerate((*batch, *expression.result))}
    if tuple(order) != expression.axes:
        return Reference(result.variable, tuple(Axis(label) for label in order))
    return result


def update_items(plan: Plan, temporaries: Temporaries, hoisted: Callable[[Expression], Expression]) -> list[Item]:
    """Work that carries everything from one step to the next."""
    items: list[Item] = []
    for name in plan.stocks:
        variable = plan.model.variables[name]
        for block in variable.blocks:
            found = value_items(name, block.index, hoisted(block.expression), temporaries, "update")
            kind = "non_negative" if block.non_negative else variable.kind
            found[-1] = replace(found[-1], task="push" if kind == "pipe" else "update", text=kind)
            items += found
    return items


def matches(reference: Reference, reader: Sequence[str], index: tuple[Index, ...], writer: Sequence[str]) -> bool:
    """Whether a reference reads, in every pass of a loop nest, exactly the cell that an index names."""
    return placed(reference.index, reader) == placed(index, writer)


def placed(index: tuple[Index, ...], loops: Sequence[str]) -> tuple[object, ...]:
    """An index with the numbers of loops in place of their labels."""
    return tuple(
        item.position if isinstance(item, Element) else ("loop", loops.index(item.label), item.positions)
        for item in index
    )


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
