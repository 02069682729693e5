"""Refuses conveyors and looks into the past whose length of time changes while a model runs."""

from dataclasses import replace

from pysd_runner.engine.frontend.lowering.conveyors.frame import SLATS, TRANSIT
from pysd_runner.engine.ir import STATEFUL, ModelIr, Random, Time, Variable, references, walk
from pysd_runner.engine.names import FIXED, HIDDEN


def with_fixed_times(model: ModelIr) -> ModelIr:
    """A model in which variables are not covered that need a time to be fixed which is not."""
    asked = [name for name in model.variables if HIDDEN in name and _label(name).startswith((TRANSIT, FIXED))]
    if not asked:
        return model
    variables = dict(model.variables)
    for name in _moving_variables(model).intersection(asked):
        owner, label = name.split(HIDDEN)[0], _label(name)
        if label == TRANSIT:
            reason = f"the transit time of the conveyor {owner!r} changes while the model runs, which is not covered"
            owner = f"{owner}{HIDDEN}{SLATS}"
        else:
            reason = (
                f"variable {owner!r}: {label.removeprefix(FIXED).rpartition(' ')[0].strip()} changes while the model "
                f"runs, which is not covered; make it a constant. Equation: {variables[owner].equation}"
            )
        variables[owner] = replace(variables[owner], uncovered=reason)
    return replace(model, variables=variables)


def _moving_variables(model: ModelIr) -> set[str]:
    """Variables that depend on time, on chance or on what is carried from step to step."""
    users: dict[str, list[str]] = {}
    for name, variable in model.variables.items():
        for block in variable.blocks:
            for needed in references(block.expression):
                users.setdefault(needed, []).append(name)
    moving = {name for name, variable in model.variables.items() if _moves(variable)}
    waiting = list(moving)
    while waiting:
        for name in users.get(waiting.pop(), ()):
            if name not in moving and model.variables[name].kind != "initial":
                moving.add(name)
                waiting.append(name)
    return moving


def _moves(variable: Variable) -> bool:
    """Whether a variable changes by itself."""
    parts = (part for block in variable.blocks for part in walk(block.expression))
    return variable.kind in STATEFUL or any(isinstance(part, Time | Random) for part in parts)


def _label(name: str) -> str:
    """What a hidden variable was called where it was made."""
    return name.rpartition(HIDDEN)[2]
