"""Starting values of stocks as numbers that can be set, like any constant."""

from collections.abc import Iterable
from dataclasses import replace

from pysd_runner.core.errors import InvalidInput
from pysd_runner.engine.ir import Axis, Block, ModelIr, Number, Reference, Variable
from pysd_runner.model import Model

PREFIX = "Starting value of "


def with_starts(model: Model, stocks: Iterable[str]) -> Model:
    """The same model with a constant for the starting value of some stocks."""
    wanted = tuple(dict.fromkeys(stocks))
    if not wanted:
        return model
    variables = dict(model.ir.variables)
    for name in wanted:
        stock = variables[name]
        if stock.kind != "stock":
            raise InvalidInput(f"{name!r} is no stock ({stock.kind}); only stocks have a starting value")
        start = f"{PREFIX}{name}"
        variables[start] = _constant(start, stock)
        blocks = tuple(replace(block, initial=Reference(start, block.index)) for block in stock.blocks)
        variables[name] = replace(stock, blocks=blocks)
    lowered = replace(
        model.ir, variables=variables, fingerprint=f"{model.ir.fingerprint} starting from {', '.join(wanted)}"
    )
    return replace(model, lowered=lowered)


def _constant(name: str, stock: Variable) -> Variable:
    index = tuple(Axis(dim) for dim in stock.dims)
    block = Block(index=index, expression=Number(0.0), initial=None, text=f"{name} = given")
    return Variable(
        name=name, unit=stock.unit, dims=stock.dims, kind="constant", doc="", group=stock.group, blocks=(block,)
    )


def stocks_of(model: ModelIr) -> tuple[str, ...]:
    """Everything that integrates a flow, hidden stocks of delays and smooths among them."""
    return tuple(name for name, item in model.variables.items() if item.kind == "stock")


def without_start(model: ModelIr) -> tuple[str, ...]:
    """What carries a value from step to step and cannot be set: fixed delays, samples, forecasts of the file."""
    return tuple(name for name, item in model.variables.items() if item.kind in ("memory", "pipe"))
