"""Scope in which equations are lowered: the names they may refer to, and the hidden variables they need."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import numpy as np

from pysd_runner.engine.errors import InvalidModel, Message, UnsupportedFeature
from pysd_runner.engine.frontend.lowering.external import DataFiles
from pysd_runner.engine.frontend.lowering.ranges import Ranges
from pysd_runner.engine.frontend.lowering.tables import TableFunction
from pysd_runner.engine.frontend.syntax import DEFAULT, Budgets, Node
from pysd_runner.engine.ir import (
    FIXED,
    HELD,
    HIDDEN,
    ORDER,
    SPAN,
    Block,
    Element,
    Expression,
    Index,
    Kind,
    Mode,
    Number,
    Reference,
    Table,
    Variable,
    hidden_variable,
    is_literal,
    joined_axes,
    key,
    reference_to,
    shape_of,
)


@dataclass(slots=True)
class Scope:
    """Names that an expression may refer to, and the hidden variables added while lowering."""

    ranges: Ranges
    dims: Mapping[str, tuple[str, ...]]  # dimensions of every variable, by comparison key
    names: Mapping[str, str]  # names of the variables as written, by comparison key
    tables: Mapping[str, TableFunction]  # the table functions, by comparison key
    series: Mapping[str, Any]  # the data variables as the file defines them, by comparison key
    files: DataFiles  # the data files that external numbers are read from
    lower: Callable[[Node, "Scope"], Expression]  # lowers one node in a scope
    block: Sequence[str] = ()  # subscripts of the equation being lowered
    standing: Mapping[str, str] = field(default_factory=dict)
    mode: Mode = "interpolate"  # interpolation mode of a time series
    owner: str = ""  # name of the variable being lowered
    stock: bool = False  # whether the variable being lowered is a stock
    hidden: list[Variable] = field(default_factory=list)
    known: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    macros: Mapping[str, Any] = field(default_factory=dict)  # the macros, by comparison key
    implicit: tuple[str, ...] = ()  # inside a macro, ranges of the call, which its variables run over after their own
    outside: tuple[str, ...] = ()  # the axis labels of these ranges in the call
    calls: tuple[str, ...] = ()  # names of the macros being expanded, outermost first
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    sites: Iterator[int] = field(default_factory=count)
    asked: dict[str, Variable] = field(default_factory=dict)
    budgets: Budgets = DEFAULT  # limits on the size of the model
    belts: dict[str, Any] = field(default_factory=dict)
    expansions: dict[Any, "Scope"] = field(default_factory=dict)
    sampled: Reference | None = None  # inside a SAMPLE IF TRUE, the last sampled value of its variable
    masks: list[Expression] = field(default_factory=list)
    notes: dict[Message, None] = field(default_factory=dict)  # what a run and the doctor tell about the model
    evaluated: tuple[str, ...] = ()  # data variables whose equations are being evaluated
    points: dict[tuple[str, str], Any] = field(default_factory=dict)  # those of data equations, by variable and text
    pointed: set[str] = field(default_factory=set)  # data variables whose points were read
    unsettled: dict[str, None] = field(default_factory=dict)  # variables whose meaning is not settled

    def lowered(self, node: Node) -> Expression:
        """Lower a node of the common syntax tree in this scope."""
        return self.lower(node, self)

    @property
    def block_axes(self) -> tuple[str, ...]:
        """Axis labels of the part of the equation that is being lowered."""
        return tuple(self.standing[name] for name in self.block_ranges)

    @property
    def block_ranges(self) -> list[str]:
        """Ranges among the subscripts of the equation that is being lowered."""
        return [name for label in self.block if (name := self.ranges.name_of(label)) is not None]

    def stray(self, expression: Expression) -> set[str]:
        """Axes of an expression that the equation does not run over."""
        return set(expression.axes) - {*self.block_axes, *self.outside, *self.implicit}

    def site(self) -> int:
        """Number of the next call of a random function."""
        return next(self.sites)

    def pick(self, label: str, dimension: str, beside: Sequence[str]) -> Index:
        """Index that a subscript selects from a dimension; `beside` are all subscripts of the reference."""
        name = None if label.rstrip().endswith("!") else self.ranges.name_of(label)
        left = None if name is None else self.left(name, beside)
        if left is None:
            return self.ranges.pick(label, dimension)
        axis, items = left
        positions = self.ranges.places_of(items, dimension, label)
        return Element(positions[0]) if axis is None else self.ranges.axis(axis, dimension, positions)

    def left(self, name: str, beside: Sequence[str] = ()) -> tuple[str | None, tuple[str, ...]] | None:
        """Axis of the left-hand side that a range follows (None for one element), and its elements; or None."""
        if name in self.standing:
            return self.standing[name], self.ranges.keys(self.standing[name])
        ways = list(self.ranges.ways(name))
        taken = {self.ranges.name_of(item) for item in beside}
        exact = sorted((way for way in ways if way.to in self.standing), key=lambda way: way.to in taken)
        for way in exact:
            return self.standing[way.to], self.ranges.along(way, self.ranges.keys(self.standing[way.to]))
        for way in ways:
            for label in self.block:
                range_name = self.ranges.name_of(label)
                items = (key(label),) if range_name is None else self.ranges.keys(self.standing[range_name])
                if set(items) <= set(self.ranges.keys(way.to)):
                    axis = None if range_name is None else self.standing[range_name]
                    return axis, self.ranges.along(way, items)
        # If the left-hand side names an element of a range, the range on the right-hand side stands for that element.
        own = [
            key(label) for label in self.block if self.ranges.name_of(label) is None and self.ranges.holds(name, label)
        ]
        return (None, (own[0],)) if len(own) == 1 else None

    def part(self) -> tuple[tuple[str, ...], list[int]]:
        """Axes of the part of the equation that is being lowered, and its flat positions on the left-hand side."""
        names, axes = self.block_ranges, self.block_axes
        if not names:
            return (), [0]
        counts = shape_of(self.ranges.elements, names)
        places = [
            self.ranges.places_of(self.ranges.keys(axis), name, name) for name, axis in zip(names, axes, strict=True)
        ]
        return axes, np.ravel_multi_index(np.ix_(*places), counts).ravel().tolist()

    def table(self, values: Any) -> Table:
        """Table of the numbers that an equation lists, restricted to the part that is being lowered."""
        count = math.prod(self.ranges.counts(self.block))
        array = np.asarray(values, dtype=float).ravel()
        if array.size != count:
            raise InvalidModel(
                "a table of {size} numbers for subscripts that take {count}", size=array.size, count=count
            )
        axes, cells = self.part()
        shape = shape_of(self.ranges.elements, axes)
        return Table(tuple(array[cells].tolist()), shape, axes)

    def hide(
        self,
        kind: Kind,
        expression: Expression,
        initial: Expression | None = None,
        *,
        delay: Expression | None = None,
        non_negative: bool = False,
        over: Sequence[Expression] = (),
        label: str = "level",
    ) -> Reference:
        """Add a hidden variable and return a reference to it."""
        given = [part for part in (expression, initial, delay) if part is not None]
        axes = joined_axes(*over, *given)
        block = Block((), expression, initial, "", delay, non_negative)
        variable = self._variable(f"{label} {len(self.hidden) + 1}", kind, axes, block)
        self.hidden.append(variable)
        return Reference(variable.name, variable.blocks[0].index)

    def span(self, length: Expression) -> Expression:
        """A duration; a literal is put into a hidden variable, so that it is known to have the unit of time."""
        if not is_literal(length):
            return length
        return self.hide("constant" if isinstance(length, Number) else "auxiliary", length, label=SPAN)

    def fixed(self, what: str, time: Expression) -> Reference:
        """Add a hidden variable for a time that must be constant during a run."""
        return self.hide("auxiliary", self.span(time), label=f"{FIXED} {what}")

    def held(self, condition: Expression) -> Reference:
        """Add a hidden variable that keeps its value from the beginning of a step throughout the step."""
        return self.hide("auxiliary", condition, label=HELD)

    def _variable(self, label: str, kind: Kind, axes: tuple[str, ...], block: Block) -> Variable:
        # The separator cannot occur in a file, so that the name differs from every name in the file.
        name = f"{self.owner}{HIDDEN}{label}"
        whole = replace(block, index=reference_to(name, axes).index, text=f"{label}, expanded from {self.owner}")
        # A hidden variable inside a sum runs over the summed axis, whose label ends in an exclamation mark.
        dims = tuple(axis.removesuffix("!") for axis in axes)
        return hidden_variable(name, kind, dims, whole)

    def order(self, expression: Expression) -> Number | Table:
        """Order of a delay or smooth, which must be known before the run."""
        if isinstance(expression, Number | Table):
            return expression
        count = sum(name.startswith(f"{self.owner}{HIDDEN}") for name in self.asked)
        values = self.settled("initial", expression, f"{ORDER} asked {count + 1}")
        shape = shape_of(self.ranges.elements, expression.axes)
        return Table(values, shape, expression.axes) if shape else Number(values[0])

    def settled(self, kind: Kind, expression: Expression, label: str) -> tuple[float, ...]:
        """Values of an expression that have to be known before the run, in row-major order."""
        variable = self._variable(label, kind, expression.axes, Block((), expression, None, ""))
        self.asked[variable.name] = variable
        if variable.name not in self.known:
            if label.startswith(ORDER):
                raise UnsupportedFeature("the order of a delay or smooth that cannot be computed before the run")
            raise UnsupportedFeature("a data equation with a number that cannot be computed before the run")
        return self.known[variable.name]

    def replace_hidden(self, reference: Reference, expression: Expression) -> None:
        """Replace the equation of a hidden variable by one that may refer to the variable itself."""
        position = next(i for i, item in enumerate(self.hidden) if item.name == reference.variable)
        old = self.hidden[position]
        self.hidden[position] = replace(old, blocks=(replace(old.blocks[0], expression=expression),))
