"""How many arithmetic operations a run of a model takes, counted on its equations."""

from dataclasses import dataclass, field
from math import prod

from pysd_runner.engine.ir import Expression, Interpolation, ModelIr, Operation, Reduction, walk
from pysd_runner.engine.passes.order import Plan, plan

# Whatever is not named here (+ - x / min max compare select and so on) counts as one operation.
COSTS = {"exp": 34, "ln": 34, "power": 64, "sin": 34, "cos": 34, "tan": 34, "quantum": 3, "xidz": 3, "modulo": 4}

# A table is read by comparing with each of its points and selecting, then one product and one sum.
PER_POINT = 2
PER_TABLE = 2

# A stock adds its flow times the step.
PER_STOCK = 2

RULE = (
    "+ - x / min max compare select count 1, exp and ln 34, a power 64, a table 2 for each point and 2 more, a "
    "stock 2; equations as written, nothing hoisted but what does not move"
)


@dataclass(slots=True)
class Count:
    """Operations of a run, all together and by name."""

    total: float = 0.0
    by_name: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, times: float, cost: float) -> None:
        """Count an operation some times."""
        self.total += times * cost
        self.by_name[name] = self.by_name.get(name, 0.0) + times


def operations(model: ModelIr, outcomes: tuple[str, ...], given: frozenset[str], steps: int) -> Count:
    """Count the operations of one run.

    Parameters
    ----------
    model
        The lowered model.
    outcomes
        What is saved.
    given
        Values from outside.
    steps
        How often what moves is computed, the first moment included.

    Returns
    -------
    Count
        For one draw.
    """
    order = plan(model, outcomes, given, frozenset())
    count = Count()
    for statement in order.invariant:
        _count(order, order.model.variables[statement.variable].blocks[statement.block].expression, 1, count)
    for statement in order.starting:
        block = order.model.variables[statement.variable].blocks[statement.block]
        _count(order, block.expression if block.initial is None else block.initial, 1, count)
    for statement in order.dynamic:
        _count(order, order.model.variables[statement.variable].blocks[statement.block].expression, steps, count)
    for name in order.stocks:
        for block in order.model.variables[name].blocks:
            _count(order, block.expression, steps - 1, count)
            count.add("stock", (steps - 1) * _cells(order.model, block.axes), PER_STOCK)
    return count


def _count(order: Plan, expression: Expression, times: int, count: Count) -> None:
    for part in walk(expression):
        cells = times * _cells(order.model, part.axes)
        if isinstance(part, Operation):
            count.add(part.name, cells, COSTS.get(part.name, 1))
        elif isinstance(part, Reduction):
            count.add(part.name, cells * (_cells(order.model, part.over) - 1), 1)
        elif isinstance(part, Interpolation):
            count.add("table", cells, PER_POINT * part.points + PER_TABLE)


def _cells(model: ModelIr, axes: tuple[str, ...]) -> int:
    return prod(len(model.ranges[label.removesuffix("!")]) for label in axes)
