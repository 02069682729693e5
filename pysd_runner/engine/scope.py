"""What the equations of a model may refer to, and the hidden variables they are expanded into."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pysd_runner.engine.external import DataFiles
from pysd_runner.engine.ir import (
    Axis,
    Block,
    Expression,
    Index,
    Kind,
    Mode,
    Number,
    Reference,
    Table,
    Variable,
    joined_axes,
)
from pysd_runner.engine.ranges import Ranges
from pysd_runner.engine.tables import TableFunction
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
        The table functions, by comparison key.
    files
        Where external numbers are read.
    block
        Subscripts of the equation being lowered.
    mode
        What holds between the points of a series over time.
    owner
        Name of the variable being lowered.
    hidden
        Variables that delays, smooths and INITIAL were expanded into.
    known
        Values of orders of delays, by the name of the hidden variable that holds them.
    sites
        Number of random functions met so far.
    asked
        Orders of delays met so far, by the name of the hidden variable that holds them.
    """

    ranges: Ranges
    dims: Mapping[str, tuple[str, ...]]
    names: Mapping[str, str]
    tables: Mapping[str, TableFunction]
    files: DataFiles
    block: Sequence[str] = ()
    mode: Mode = "interpolate"
    owner: str = ""
    hidden: list[Variable] = field(default_factory=list)
    known: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    sites: int = 0
    asked: dict[str, Variable] = field(default_factory=dict)

    @property
    def block_axes(self) -> tuple[str, ...]:
        """Ranges that the equation being lowered is for."""
        return tuple(name for label in self.block if (name := self.ranges.name_of(label)) is not None)

    def site(self) -> int:
        """Number of the next random function."""
        self.sites += 1
        return self.sites - 1

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
        block = Block((), expression, initial, "", delay, non_negative)
        variable = self._variable(f"level {len(self.hidden) + 1}", kind, axes, block)
        self.hidden.append(variable)
        return Reference(variable.name, variable.blocks[0].index)

    def _variable(self, label: str, kind: Kind, axes: tuple[str, ...], block: Block) -> Variable:
        # A separator no name in a file can hold keeps it apart from every variable of the file.
        name = f"{self.owner}{HIDDEN}{label}"
        index: tuple[Index, ...] = tuple(Axis(axis) for axis in axes)
        whole = replace(block, index=index, text=f"{label}, expanded from {self.owner}")
        return Variable(name=name, unit="", dims=axes, kind=kind, doc="", group="", blocks=(whole,), hidden=True)

    def order(self, expression: Expression) -> Number | Table:
        """The order of a delay or smooth, known before the run.

        Raises
        ------
        UnsupportedFeature
            If it is not known yet; it is then among those `asked` for.
        """
        if isinstance(expression, Number | Table):
            return expression
        count = sum(name.startswith(f"{self.owner}{HIDDEN}") for name in self.asked)
        variable = self._variable(f"order {count + 1}", "initial", expression.axes, Block((), expression, None, ""))
        self.asked[variable.name] = variable
        if variable.name not in self.known:
            raise UnsupportedFeature("the order of a delay or smooth that cannot be computed before the run")
        values = self.known[variable.name]
        shape = tuple(len(self.ranges.elements[axis]) for axis in expression.axes)
        return Table(values, shape, expression.axes) if shape else Number(values[0])

    def replace_hidden(self, reference: Reference, expression: Expression) -> None:
        """Give a hidden variable its equation, once what refers to it exists."""
        position = next(i for i, item in enumerate(self.hidden) if item.name == reference.variable)
        old = self.hidden[position]
        self.hidden[position] = replace(old, blocks=(replace(old.blocks[0], expression=expression),))
