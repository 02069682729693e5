"""Integration methods as passes over a model, and delays whose order is an expression."""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import get_args

import numpy as np

from pysd_runner.engine.errors import InvalidInput, InvalidModel, Message, UnsupportedFeature
from pysd_runner.engine.ir import (
    HELD,
    HIDDEN,
    ORDER,
    WITHIN,
    Block,
    Expression,
    Method,
    ModelIr,
    Number,
    Random,
    Reference,
    Time,
    Variable,
    children,
    operation,
    reached,
    references,
    remembered,
    time_step,
    users_of,
    walk,
    with_children,
)
from pysd_runner.engine.kinds import Array, frozen
from pysd_runner.engine.numpy.target import computed
from pysd_runner.engine.values import TimePath, over_time

METHODS = get_args(Method)

# Time of each Runge-Kutta stage as a share of the step; stages 2 and 3 have double weight.
MOMENTS = {1: 0.0, 2: 0.5, 3: 0.5, 4: 1.0}


class OtherMethod(UserWarning):
    """A model file specifies an integration method that is not available here; the most similar one is used."""


def difference_of_methods(model: ModelIr) -> str:
    """Describe the integration method that replaces that of the file; empty if the file's own is used.

    Parameters
    ----------
    model
        The lowered model.
    """
    method, asked = model.integration.method, model.integration.asked
    if method is None or not asked:
        return ""
    return Message(
        "the file asks for {asked}; it is integrated by method {method!r} with the file's step",
        asked=asked,
        method=method,
    )


def method_of(model: ModelIr, label: str, asked: Method | None) -> Method:
    """The integration method of a run: that of the caller, otherwise that of the file."""
    if asked is not None:
        if asked not in METHODS:
            raise InvalidInput("method must be 'euler' or 'rk4'; found {asked!r}", asked=asked)
        return asked
    if model.integration.method is None:
        raise UnsupportedFeature(
            "{label} asks for {asked}, which this engine does not know; pass method='rk4' or method='euler'",
            label=label,
            asked=model.integration.asked,
        )
    if difference := difference_of_methods(model):
        warnings.warn(
            Message("{label}: {difference}. Pass method to choose another", label=label, difference=difference),
            OtherMethod,
            stacklevel=5,
        )
    return model.integration.method


@frozen
class StagedModel:
    """A model rewritten for the classical Runge-Kutta method."""

    model: ModelIr  # the model, with hidden variables for the four stages of a step
    later: Mapping[str, tuple[str, float]]


def integrated(
    model: ModelIr, inputs: Mapping[str, Array | TimePath], method: str, step: float, *, own_steps: bool
) -> tuple[ModelIr, dict[str, Array | TimePath]]:
    """Rewrite a model and its inputs so that Euler steps give the results of the integration method."""
    ready = dict(inputs)
    if method == "rk4":
        moving = over_time(inputs)
        if moving and own_steps:
            raise UnsupportedFeature(
                'method "rk4" with a TIME STEP that changes and an input that changes over time; take method="euler"'
            )
        staged = runge_kutta(model, frozenset(inputs), moving)
        model = staged.model
        ready |= {name: _later(inputs[old], share * step) for name, (old, share) in staged.later.items()}
    return (with_own_steps(model) if own_steps else model), ready


def _later(value: Array | TimePath, by: float) -> Array | TimePath:
    if not isinstance(value, TimePath):
        return value
    return TimePath(times=value.times - by, values=value.values, interpolate=value.interpolate)


@remembered(16)
def runge_kutta(model: ModelIr, given: frozenset[str], moving: frozenset[str]) -> StagedModel:
    """Rewrite a model for the classical fourth-order Runge-Kutta method."""
    # Memories, delay buffers, random numbers, the switches of steps and pulses, and time controls are constant within a
    # step.
    stocks = [name for name, item in model.variables.items() if item.kind == "stock" and name not in given]
    within = _within(model, given, moving, stocks)
    variables = {name: _unlimited(item) if _has_label(name, WITHIN) else item for name, item in model.variables.items()}
    for stage in MOMENTS:
        for name in within if stage > 1 else ():
            variables[_at(name, stage)] = _copy(model.variables[name], stage, within, given)
        for name in stocks:
            blocks = tuple(_flow(block, stage, within) for block in model.variables[name].blocks)
            variables[_flow_name(name, stage)] = _hidden(model.variables[name], _flow_name(name, stage), blocks)
    for name in stocks:
        mean = tuple(replace(block, expression=_mean(name, block)) for block in model.variables[name].blocks)
        variables[name] = replace(model.variables[name], blocks=mean)
    outside = [name for name in within if name in given]
    later = {_at(name, stage): (name, share) for stage, share in MOMENTS.items() if share for name in outside}
    key = f"{model.fingerprint} runge-kutta {sorted(given)} {sorted(moving)}"
    return StagedModel(replace(model, variables=variables, fingerprint=key), later)


def with_own_steps(model: ModelIr) -> ModelIr:
    """Turn stocks into memories that add net flow times the current TIME STEP, which may vary."""
    stocks = {
        name: replace(item, kind="memory", blocks=tuple(_stepped(name, block) for block in item.blocks))
        for name, item in model.variables.items()
        if item.kind == "stock"
    }
    return replace(
        model, variables={**model.variables, **stocks}, fingerprint=f"{model.fingerprint} with steps of its own"
    )


def _stepped(name: str, block: Block) -> Block:
    following = Reference(name, block.index) + time_step() * block.expression
    if block.non_negative:
        following = operation("max", following, 0.0)
    return replace(block, expression=following, non_negative=False)


def _within(model: ModelIr, given: frozenset[str], moving: frozenset[str], stocks: list[str]) -> dict[str, None]:
    """Variables that change within a step: they depend on time, on a stock or on an input that changes over time."""
    inside = {
        name: [block.expression for block in variable.blocks]
        for name, variable in model.variables.items()
        if name not in given and variable.kind in ("auxiliary", "constant") and not _has_label(name, HELD)
    }
    needs = {name: [needed for part in parts for needed in references(part)] for name, parts in inside.items()}
    timed = [name for name, parts in inside.items() if any(isinstance(p, Time) for part in parts for p in walk(part))]
    return reached([*stocks, *(name for name in model.variables if name in moving), *timed], users_of(needs))


def _has_label(name: str, beginning: str) -> bool:
    return any(label.startswith(f"{beginning} ") for label in name.split(HIDDEN)[1:])


def _unlimited(variable: Variable) -> Variable:
    """Remove the maximum of the order of a delay, which applies to Euler's method only."""
    return replace(variable, blocks=tuple(replace(block, expression=Number(math.inf)) for block in variable.blocks))


def _at(name: str, stage: int) -> str:
    return f"{name}{HIDDEN}moment {stage}"


def _flow_name(name: str, stage: int) -> str:
    return f"{name}{HIDDEN}flow {stage}"


def _hidden(variable: Variable, name: str, blocks: tuple[Block, ...]) -> Variable:
    return replace(variable, name=name, kind="auxiliary", blocks=blocks, hidden=True)


def _copy(variable: Variable, stage: int, within: Mapping[str, None], given: frozenset[str]) -> Variable:
    """A variable at a later stage of the step."""
    is_stock = variable.kind == "stock" and variable.name not in given
    blocks = tuple(
        _moved_on(variable.name, block, stage) if is_stock else _flow(block, stage, within) for block in variable.blocks
    )
    return _hidden(variable, _at(variable.name, stage), blocks)


def _moved_on(stock: str, block: Block, stage: int) -> Block:
    """A stock at a stage, advanced by the flow of the previous stage."""
    change = MOMENTS[stage] * time_step() * Reference(_flow_name(stock, stage - 1), block.index)
    return Block(block.index, Reference(stock, block.index) + change, None, block.text)


def _flow(block: Block, stage: int, within: Mapping[str, None]) -> Block:
    """The equation of a block at a stage of the step."""
    expression = block.expression if stage == 1 else _shifted(block.expression, stage, within)
    return Block(block.index, expression, None, block.text)


def _shifted(expression: Expression, stage: int, within: Mapping[str, None]) -> Expression:
    if isinstance(expression, Time):
        return expression + MOMENTS[stage] * time_step()
    if isinstance(expression, Reference):
        moves = expression.variable in within
        return replace(expression, variable=_at(expression.variable, stage)) if moves else expression
    if isinstance(expression, Number | Random):
        return expression
    return with_children(expression, [_shifted(part, stage, within) for part in children(expression)])


def _mean(stock: str, block: Block) -> Expression:
    """Weighted mean of the flows at the four stages."""
    first, second, third, fourth = (Reference(_flow_name(stock, stage), block.index) for stage in MOMENTS)
    return (first + fourth + 2.0 * (second + third)) / 6.0


def orders_of_file(model: ModelIr, names: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """Orders of delays: values of hidden variables at the start of a run, computed from the file alone."""
    found = {}
    for name in names:
        try:
            start, step = (_value_at(model, control, {}, 0.0, 1.0).item() for control in ("INITIAL TIME", "TIME STEP"))
            values = _value_at(model, name, {}, float(np.nan_to_num(start)), float(np.nan_to_num(step, nan=1.0)))
        except (UnsupportedFeature, InvalidModel):
            # It depends on another order, or on a feature only PySD supports; handled by a later pass or the caller.
            continue
        found[name] = tuple(_fixed(name, values).ravel().tolist())
    return found


def check_orders(model: ModelIr, inputs: Mapping[str, Array | TimePath], start: float, step: float) -> None:
    """Raise an error if values change the order of a delay, which was fixed when the model was loaded."""
    for name, expected in model.structural.items():
        values = _fixed(name, _value_at(model, name, inputs, start, step))
        if (values.reshape(*values.shape[:2], -1) != np.asarray(expected)).any():
            owner = name.split(HIDDEN)[0]
            shown = ", ".join(f"{value:g}" for value in sorted(set(expected)))
            if not _has_label(name, ORDER):
                raise InvalidInput(
                    "the data equation of {owner!r} is computed when a model is loaded, and the values given change a "
                    "constant in it: change it in the file, or by a change file",
                    owner=owner,
                )
            raise InvalidInput(
                "{owner!r} is a delay or smooth of order {old_order}; the values given change its order to "
                "{order}, which is fixed when a model is loaded: change it in the file",
                owner=owner,
                old_order=shown,
                order=sorted(set(values.ravel().tolist())),
            )


def _fixed(name: str, values: Array) -> Array:
    """The whole number of stages of a delay; other numbers as they are."""
    return np.trunc(values) if _has_label(name, ORDER) else values


def _value_at(model: ModelIr, name: str, inputs: Mapping[str, Array | TimePath], start: float, step: float) -> Array:
    return computed(model, (name,), inputs, np.array([start]), step=step)[name][..., 0]
