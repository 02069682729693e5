"""Common basis of all parts of a conveyor: its slats, and the names and definitions of its hidden variables."""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.errors import Message
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.syntax import Conveyor, Node
from pysd_runner.engine.ir import (
    HELD,
    HIDDEN,
    SMALL,
    Block,
    Element,
    Expression,
    Number,
    Reference,
    Table,
    hidden_variable,
    operation,
    reduced,
    reference_to,
    time_step,
)
from pysd_runner.engine.kinds import Array

ZERO, ONE = Number(0.0), Number(1.0)

# Labels of the hidden variables for the transit time and for the content of the slats.
TRANSIT, SLATS = "transit", "slats"


class ConveyorFrame:
    """The slats and hidden variables of one conveyor."""

    def __init__(self, name: str, node: Conveyor, scope: Scope) -> None:
        self.name, self.node, self.scope = name, node, scope
        self.dims = tuple(scope.block)
        self.content = self.named(SLATS)
        self.counts = self._counts()
        self.slats = int(self.counts.max())
        self.slat = scope.ranges.counted(self.named("slat"), self.slats)
        self.place = np.arange(self.slats).reshape(-1, *[1] * self.counts.ndim)
        self.on_it = self.table(self.place < self.counts)  # which slats exist

    def _counts(self) -> Array:
        """Number of slats of every element."""
        scope, length = self.scope, self.lower(self.node.length)
        block = self._block(length, TRANSIT)
        scope.hidden.append(hidden_variable(self.named(TRANSIT), "auxiliary", self.dims, block))
        steps = length / time_step() + (0.5 + SMALL)
        order = scope.order(operation("max", operation("integer", steps), ONE))
        known = np.array(order.values if isinstance(order, Table) else [order.value])
        scope.budgets.check(
            "elements", float(known.max()), Message("the conveyor {name!r} has a slat for each step,", name=self.name)
        )
        sizes = {dim: len(scope.ranges.elements[dim]) for dim in self.dims}
        known = known.reshape([sizes[axis] for axis in order.axes])
        known = known.transpose([order.axes.index(dim) for dim in self.dims if dim in order.axes])
        known = known.reshape([sizes[dim] if dim in order.axes else 1 for dim in self.dims])
        return np.broadcast_to(known, tuple(sizes.values()))

    def lower(self, node: Node, owner: str = "") -> Expression:
        """Lower an expression of the file; `owner` is the variable that owns it, if not the conveyor."""
        return (replace(self.scope, owner=owner) if owner else self.scope).lowered(node)

    def named(self, label: str) -> str:
        """Name of a hidden variable of this conveyor."""
        return f"{self.name}{HIDDEN}{label}"

    def hide(self, label: str, value: Expression, *, slats: bool = False) -> str:
        """Add a hidden variable that does not change within a step; return its name."""
        name = self.named(f"{HELD} {label}")
        block = self._block(value, label, slats=slats)
        self.scope.hidden.append(hidden_variable(name, "auxiliary", block.axes, block))
        return name

    def remember(self, label: str, value: Expression) -> None:
        """Add a hidden variable that keeps a value for the next step, initially zero."""
        block = replace(self._block(value, label), initial=ZERO)
        self.scope.hidden.append(hidden_variable(self.named(label), "memory", self.dims, block))

    def remember_slats(self, name: str, blocks: Sequence[Block]) -> None:
        """Add a hidden variable over the slats that keeps its values for the next step."""
        self.scope.hidden.append(hidden_variable(name, "memory", (self.slat, *self.dims), *blocks))

    def _block(self, value: Expression, label: str, *, slats: bool = False) -> Block:
        index = (self.over_slats if slats else self.reference)("").index
        return Block(index, value, None, f"{label} of the conveyor {self.name}")

    def reference(self, name: str) -> Reference:
        """Reference to a hidden variable over the ranges of the conveyor."""
        return reference_to(name, self.dims)

    def over_slats(self, name: str) -> Reference:
        """Reference to a hidden variable over the slats and the ranges of the conveyor."""
        return reference_to(name, (self.slat, *self.dims))

    def at_exit(self, name: str) -> Reference:
        """Value of a hidden variable over the slats at the exit."""
        return Reference(name, (Element(0), *self.reference(name).index))

    def total(self, name: str) -> Expression:
        """Sum of a hidden variable over the slats."""
        over = f"{self.slat}!"
        return reduced("sum", reference_to(name, (over, *self.dims)), (over,))

    def table(self, values: NDArray[Any], *, slats: bool = True) -> Expression:
        """Numbers over the slats and the ranges of the conveyor, or over the ranges alone."""
        shape = (self.slats, *self.counts.shape) if slats else self.counts.shape
        return numbers(np.broadcast_to(values, shape), (self.slat, *self.dims) if slats else self.dims)

    def when_moving(self, value: Expression) -> Expression:
        """A value, or zero while the conveyor is stopped."""
        return self.unless_still(value, ZERO)

    def unless_still(self, value: Expression, otherwise: Expression) -> Expression:
        """A value, or another one while the conveyor is stopped."""
        if self.node.arrest is None:
            return value
        still = operation("not_equal", self.lower(self.node.arrest), ZERO)
        return operation("where", still, otherwise, value)


def numbers(values: NDArray[Any], axes: tuple[str, ...]) -> Expression:
    """Numbers over some axes."""
    if not axes:
        return Number(float(values))
    return Table(tuple(values.ravel().astype(float).tolist()), values.shape, axes)


def total(parts: Sequence[Expression]) -> Expression:
    """The sum of some expressions."""
    return reduce(add, parts) if parts else ZERO
