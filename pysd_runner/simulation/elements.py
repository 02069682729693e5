"""Single elements of variables with subscripts, by names such as ``contact rate[young]``."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput, UnknownName, suggest
from pysd_runner.engine.ir import ModelIr, key
from pysd_runner.model import Model
from pysd_runner.simulation.run import simulate

Array = NDArray[np.float64]
Position = tuple[int, ...]


def located(model: Model, name: str) -> tuple[str, Position | None]:
    """What a name stands for: a variable, or one element of it."""
    try:
        return model.find(name), None
    except UnknownName:
        plain, bracket, labels = name.strip().removesuffix("]").rpartition("[")
        if not bracket or not name.strip().endswith("]"):
            raise
    variable = model.find(plain)
    return variable, position_of(model, variable, [label.strip() for label in labels.split(",")])


def position_of(model: Model, variable: str, labels: Sequence[str]) -> Position:
    """Place of one element of a variable."""
    dims = model.ir.variables[variable].dims
    if len(labels) != len(dims):
        raise InvalidInput(
            f"{variable!r} has the subscripts ({', '.join(dims)}); {len(labels)} labels are given: {tuple(labels)}"
        )
    places = []
    for label, dim in zip(labels, dims, strict=True):
        known = {key(item): place for place, item in enumerate(model.ir.ranges[dim])}
        if key(label) not in known:
            raise UnknownName(f"{dim!r} has no element {label!r}.{suggest(label, model.ir.ranges[dim])}")
        places.append(known[key(label)])
    return tuple(places)


def element_name(model: ModelIr, variable: str, position: Position | None) -> str:
    """Name of a variable, with the labels of one element in brackets where it is one."""
    if not position:
        return variable
    dims = model.variables[variable].dims
    labels = [model.ranges[dim][place] for dim, place in zip(dims, position, strict=True)]
    return f"{variable}[{', '.join(labels)}]"


def constant_values(model: Model, variable: str) -> Array:
    """Values that the file gives for a constant."""
    run = simulate(model, outcomes=[variable], stop=0, start=0, step=1, save_every=1, method="euler")
    return np.asarray(run[variable][0, 0, ..., 0])
