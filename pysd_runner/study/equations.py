"""Equations of a model: their hashes, its stocks, and initial values of stocks as constants."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace

from pysd_runner.core.errors import InvalidInput
from pysd_runner.engine.ir import Axis, Block, ModelIr, Number, Reference, Variable
from pysd_runner.model import Model

# Maximum number of changed variables that a message names.
SHOWN = 5
PREFIX = "Starting value of "


def equations_of(model: Model) -> dict[str, str]:
    """Hash of the equation of each variable, ignoring layout and comments."""
    return {
        name: hashlib.sha256(
            f"{' '.join(item.equation.split())} {[model.ir.ranges[dim] for dim in item.dims]}".encode()
        ).hexdigest()[:12]
        for name, item in model.variables.items()
    }


def equations_hash(equations: Mapping[str, str]) -> str:
    """Hash of all equations together."""
    return hashlib.sha256(repr(sorted(equations.items())).encode()).hexdigest()


def check_equations(model: Model, kept: Mapping[str, str], where: str) -> None:
    """Raise if stored equation hashes differ from those of a model, naming the variables that changed."""
    now = equations_of(model)
    parts = []
    for verb, names in (
        ("changed", [name for name in now if name in kept and now[name] != kept[name]]),
        ("new", [name for name in now if name not in kept]),
        ("gone", [name for name in kept if name not in now]),
    ):
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            parts.append(f"{verb}: {', '.join(names[:SHOWN])}{more}")
    if parts:
        raise InvalidInput(
            "{where} was made with other equations than those of {model} ({changes}); calibrate again",
            where=where,
            model=model.path.name,
            changes="; ".join(parts),
        )


def with_starts(model: Model, stocks: Iterable[str]) -> Model:
    """Copy a model with constants for the initial values of some stocks."""
    wanted = tuple(dict.fromkeys(stocks))
    if not wanted:
        return model
    variables = dict(model.ir.variables)
    for name in wanted:
        stock = variables[name]
        if stock.kind != "stock":
            raise InvalidInput(
                "{name!r} is no stock ({kind}); only stocks have a starting value", name=name, kind=stock.kind
            )
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
    """Names of all stocks, including the hidden stocks of delays and smooths."""
    return tuple(name for name, item in model.variables.items() if item.kind == "stock")


def without_start(model: ModelIr) -> tuple[str, ...]:
    """Variables with a memory whose initial value cannot be set: fixed delays, samples and forecasts."""
    return tuple(name for name, item in model.variables.items() if item.kind in ("memory", "pipe"))
