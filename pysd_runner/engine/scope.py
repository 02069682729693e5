"""What the equations of a model may refer to, and the hidden variables they are expanded into."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pysd_runner.engine.ir import Axis, Block, Expression, Index, Kind, Reference, Variable, joined_axes
from pysd_runner.engine.ranges import Ranges
from pysd_runner.errors import UnsupportedFeature

# Stands in the name of a variable that a delay, smooth or INITIAL was expanded into.
HIDDEN = "\x1f"


@dataclass(slots=True)
class Scope:
    """What an expression may refer to, and the hidden variables found on the way.

    Parameters
    ----------
    ranges
        The subscript ranges.
    dims
        Dimensions of every variable, by comparison key.
    names
        Names of the variables as written, by comparison key.
    tables
        Points of the table functions, by comparison key.
    block
        Subscripts of the equation being lowered.
    owner
        Name of the variable being lowered.
    hidden
        Variables that delays, smooths and INITIAL were expanded into.
    """

    ranges: Ranges
    dims: Mapping[str, tuple[str, ...]]
    names: Mapping[str, str]
    tables: Mapping[str, Any]
    block: Sequence[str] = ()
    owner: str = ""
    hidden: list[Variable] = field(default_factory=list)

    def hide(
        self,
        kind: Kind,
        expression: Expression,
        initial: Expression | None = None,
        *,
        delay: Expression | None = None,
        non_negative: bool = False,
        over: Sequence[Expression] = (),
    ) -> Reference:
        """Add a hidden variable and refer to it.

        Parameters
        ----------
        kind, expression, initial, delay, non_negative
            What it is, as in `Variable` and `Block`.
        over
            Expressions over whose axes it runs as well.

        Returns
        -------
        Reference
            The hidden variable, over all its axes.
        """
        given = [part for part in (expression, initial, delay) if part is not None]
        axes = joined_axes(*over, *given)
        if any(axis.endswith("!") for axis in axes):
            raise UnsupportedFeature("a delay, smooth or INITIAL inside a sum over subscripts")
        # A separator no name in a file can hold keeps it apart from every variable of the file.
        name = f"{self.owner}{HIDDEN}level {len(self.hidden) + 1}"
        index: tuple[Index, ...] = tuple(Axis(axis) for axis in axes)
        text = f"level {len(self.hidden) + 1}, expanded from {self.owner}"
        block = Block(index, expression, initial, text, delay, non_negative)
        self.hidden.append(
            Variable(name=name, unit="", dims=axes, kind=kind, doc="", group="", blocks=(block,), hidden=True)
        )
        return Reference(name, index)

    def replace_hidden(self, reference: Reference, expression: Expression) -> None:
        """Give a hidden variable its equation, once what refers to it exists."""
        position = next(i for i, item in enumerate(self.hidden) if item.name == reference.variable)
        old = self.hidden[position]
        self.hidden[position] = replace(old, blocks=(replace(old.blocks[0], expression=expression),))
