"""Elements of arrays that no equation defines, and the equations that read them."""

from collections.abc import Collection, Iterator

import numpy as np

from pysd_runner.engine.errors import Message
from pysd_runner.engine.ir import (
    Axis,
    Block,
    Expression,
    ModelIr,
    Operation,
    Reference,
    children,
    inner_axes,
    is_literal,
    shown,
    walk,
)
from pysd_runner.engine.kinds import Flags
from pysd_runner.engine.passes.components import cells


def defined(model: ModelIr, name: str) -> Flags:
    """Mark the cells of a variable that some equation defines; all other cells never get a value."""
    variable = model.variables[name]
    shape = model.shape(variable.dims)
    if variable.unassigned or (len(variable.blocks) == 1 and variable.blocks[0].axes == variable.dims):
        return np.ones(shape, dtype=bool)
    found = np.zeros(shape, dtype=bool)
    for block in variable.blocks:
        found[cells(block.index, shape)] = True
    return found


def read_undefined(model: ModelIr, names: Collection[str]) -> Iterator[tuple[str, Message]]:
    """Variables that read, themselves or by hidden ones, an element that no equation defines; each with a message.

    Parameters
    ----------
    model
        The lowered model.
    names
        Variables to look at; elements of others have values.

    Notes
    -----
    Only what is known before a run counts as read: what the value of an expression selects may be read, or not.
    """
    variables = {name: item for name, item in model.variables.items() if name in names and item.kind != "lookup"}
    gaps = {name: ~found for name in variables if not (found := defined(model, name)).all()}
    for name, variable in variables.items() if gaps else ():
        for block in variable.blocks:
            for reference in _reads(block):
                if reference.variable in gaps and (element := first_undefined(gaps[reference.variable], reference)):
                    owner = model.variables.get(shown(name), variable)
                    text = block.text if owner is variable else owner.equation
                    yield owner.name, _message(model, reference.variable, element, owner.name, text)
                    break


def _reads(block: Block) -> Iterator[Reference]:
    for part in block.parts:
        yield from _named(part, selecting=False)


def _named(expression: Expression, *, selecting: bool) -> Iterator[Reference]:
    """References of an expression, without those in which the value of an expression selects the element."""
    if isinstance(expression, Reference):
        if not (selecting and inner_axes(expression)):
            yield expression
    elif isinstance(expression, Operation) and expression.name == "where":
        condition, value, other = expression.arguments
        yield from _named(condition, selecting=selecting)
        yield from _named(value, selecting=selecting or _selects(condition))
        yield from _named(other, selecting=selecting)
    else:
        for part in children(expression):
            yield from _named(part, selecting=selecting)


def _selects(condition: Expression) -> bool:
    """Whether a condition compares the places of elements with a value of the run."""
    return any(
        isinstance(part, Operation)
        and part.name in ("equal", "greater_equal", "less_equal")
        and [is_literal(side) for side in part.arguments] == [True, False]
        and bool(inner_axes(part.arguments[0]))
        for part in walk(condition)
    )


def first_undefined(gaps: Flags, reference: Reference) -> tuple[int, ...]:
    """The first element among the gaps of a variable that a reference reads; empty if there is none."""
    labels = list(reference.axes)
    # Axes with the same label share one position.
    at = np.broadcast_arrays(
        *(
            np.reshape(
                item.places(length), [-1 if isinstance(item, Axis) and label == item.label else 1 for label in labels]
            )
            for item, length in zip(reference.index, gaps.shape, strict=True)
        )
    )
    found = np.flatnonzero(gaps[tuple(at)])
    return tuple(int(places.flat[found[0]]) for places in at) if found.size else ()


def _message(model: ModelIr, name: str, element: tuple[int, ...], reader: str, text: str) -> Message:
    labels = (model.ranges[dim][place] for dim, place in zip(model.variables[name].dims, element, strict=True))
    return Message(
        "{element} is read by {reader!r} and has no equation; write one, or give the values of all elements: "
        "simulate(model, {{{name!r}: ...}}). Equation: {text}",
        element=f"{shown(name)}[{', '.join(labels)}]",
        reader=shown(reader),
        name=shown(name),
        text=text,
    )
