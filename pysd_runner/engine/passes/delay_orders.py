"""Orders of delays that are expressions: their values at the start decide how many levels a delay has."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.errors import InvalidInput, InvalidModel, UnsupportedFeature
from pysd_runner.engine.ir import ModelIr
from pysd_runner.engine.names import HIDDEN
from pysd_runner.engine.numpy.target import compiled, run
from pysd_runner.engine.paths import TimePath

Array = NDArray[np.float64]


def orders_of_file(model: ModelIr, names: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """Values of some hidden variables at the start of a run, from the file alone."""
    found = {}
    for name in names:
        try:
            start, step = (_at(model, control, {}, 0.0, 1.0).item() for control in ("INITIAL TIME", "TIME STEP"))
            values = _at(model, name, {}, float(np.nan_to_num(start)), float(np.nan_to_num(step, nan=1.0)))
        except (UnsupportedFeature, InvalidModel):
            # It needs another order, or something that only PySD covers; a later pass or the caller sees to it.
            continue
        found[name] = tuple(np.trunc(values).ravel().tolist())
    return found


def check_orders(model: ModelIr, inputs: Mapping[str, Array | TimePath], start: float, step: float) -> None:
    """Refuse values that change the order of a delay, which was fixed when the model was loaded."""
    for name, expected in model.structural.items():
        values = np.trunc(_at(model, name, inputs, start, step))
        if (values.reshape(*values.shape[:2], -1) != np.asarray(expected)).any():
            owner = name.split(HIDDEN)[0]
            shown = ", ".join(f"{value:g}" for value in sorted(set(expected)))
            raise InvalidInput(
                f"{owner!r} is a delay or smooth of order {shown}; the values given change its order to "
                f"{sorted(set(values.ravel().tolist()))}, which is fixed when a model is loaded: change it in the file"
            )


def _at(model: ModelIr, name: str, inputs: Mapping[str, Array | TimePath], start: float, step: float) -> Array:
    moving = frozenset(item for item, value in inputs.items() if isinstance(value, TimePath))
    program = compiled(model, (name,), tuple(inputs), moving)
    return run(program, inputs, np.array([start]), np.ones(1, dtype=bool), step=step)[name][..., 0]
