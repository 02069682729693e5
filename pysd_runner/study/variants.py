"""Run scenarios together although some change tables, texts or times of the model."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pysd_runner.core.errors import InvalidScenario
from pysd_runner.core.types import Array, Interval
from pysd_runner.engine.ir import (
    FINAL_TIME,
    INITIAL_TIME,
    TIME_STEP,
    Block,
    Number,
    Reference,
    hidden_variable,
    operation,
)
from pysd_runner.model import Model
from pysd_runner.scenarios import Scenario

# Constant with the number of the scenario, which selects the equations of each.
WHICH = "Scenario number"


def with_variants(model: Model, run_model: Model, cast: Sequence[Scenario]) -> tuple[Model, dict[str, Array]]:
    """A model that holds the equations of all scenarios, and the value by which each takes its own.

    Parameters
    ----------
    model
        The model of the scenarios.
    run_model
        The same model as it is run, perhaps with constants for initial values.
    cast
        Scenarios in the order of the run.

    Returns
    -------
    Model, dict
        The model to run, and a value of shape (scenario, 1); unchanged and empty if no scenario changes equations.
    """
    variables, base = dict(run_model.ir.variables), model.ir.variables
    which = Reference(WHICH, ())
    for number, scenario in enumerate(cast):
        other = model.changed(scenario.equations).variables if scenario.equations else base
        for name, item in other.items():
            alike = base[name].blocks if name in base else ()
            if item.kind == "constant" or [_parts(block) for block in item.blocks] == [
                _parts(block) for block in alike
            ]:
                continue
            own = variables.get(name)
            if own is None or [block.index for block in own.blocks] != [block.index for block in item.blocks]:
                raise InvalidScenario(
                    "scenario {scenario!r} changes how {variable!r} is built up; run it alone, with its file among "
                    "`changes` of [study] in the declarations",
                    scenario=scenario.name,
                    variable=name,
                )
            pairs = zip(own.blocks, item.blocks, strict=True)
            variables[name] = replace(own, blocks=tuple(_either(which, number, *pair) for pair in pairs))
    if not any(scenario.equations for scenario in cast):
        return run_model, {}
    variables[WHICH] = hidden_variable(WHICH, "constant", (), Block((), Number(0.0), None, WHICH))
    label = [scenario.equations for scenario in cast]
    lowered = replace(run_model.ir, variables=variables, fingerprint=f"{run_model.ir.fingerprint} with {label}")
    return replace(run_model, lowered=lowered), {WHICH: np.arange(len(cast), dtype=float)[:, None]}


def _parts(block: Block) -> tuple[object, ...]:
    return block.index, block.expression, block.initial, block.delay


def _either(which: Reference, number: int, own: Block, other: Block) -> Block:
    """The equation of one scenario where it runs, that of the others elsewhere."""

    def chosen(mine: object, theirs: object) -> object:
        is_same = mine == theirs or mine is None or theirs is None
        return mine if is_same else operation("where", operation("equal", which, float(number)), theirs, mine)  # type: ignore[arg-type]

    parts = {name: chosen(getattr(own, name), getattr(other, name)) for name in ("expression", "initial", "delay")}
    return replace(own, **parts)  # type: ignore[arg-type]


def timed(cast: Sequence[Scenario], bounds: Interval, step: float, *, is_asked: bool) -> tuple[Interval, float]:
    """Start and end, and time step, of a run of scenarios; the end is the last of theirs, unless one is asked for."""
    start, stop = bounds
    setting = [item for item in cast if item.changes or item.equations]
    ends = [_number(item, FINAL_TIME, stop) for item in setting]
    for name in (INITIAL_TIME, TIME_STEP):
        values = {_number(item, name, item.changes[name]) for item in cast if name in item.changes}
        if len(values) > 1:
            raise InvalidScenario(
                "the scenarios set {name} to {values}; run them one at a time",
                name=name,
                values=", ".join(f"{value:g}" for value in sorted(values)),
            )
        if values and name == TIME_STEP:
            step = values.pop()
        elif values:
            start = values.pop()
    return (start, stop if is_asked or not ends else max(ends)), step


def _number(scenario: Scenario, name: str, default: Any) -> float:
    found = scenario.changes.get(name, default)
    if not isinstance(found, float | int):
        raise InvalidScenario(
            "scenario {scenario!r}: {name} holds for a whole run: give one number", scenario=scenario.name, name=name
        )
    return float(found)
