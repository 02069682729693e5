"""A model as a callable: what a run gives, and how a run that fails is told from one that does not."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from calibration.sdeval.pairs import FloatArray
from pysd_runner.core.errors import InvalidInput, SimulationFailed, UnknownName, suggest

#: The outcomes of one run by name.
Run = Mapping[str, ArrayLike]

#: Runs a model: parameters that differ from the base in, outcomes out. It may raise, or give NaN, where a run fails.
Simulate = Callable[[Mapping[str, float]], Run]

# What a callable raises when its model breaks down; anything else is a fault of the caller and goes through.
BREAKDOWNS = (SimulationFailed, ArithmeticError, ValueError, RuntimeError)


def arrays_of(run: Run, names: Sequence[str] | None = None) -> dict[str, FloatArray]:
    """Outcomes of a run as arrays."""
    chosen = list(run) if names is None else list(names)
    for name in chosen:
        if name not in run:
            raise UnknownName(f"the run has no outcome {name!r}; it has {', '.join(run)}.{suggest(name, run)}")
    found = {}
    for name in chosen:
        try:
            found[name] = np.asarray(run[name], dtype=float)
        except (TypeError, ValueError) as fault:
            raise InvalidInput(f"outcome {name!r} of the run is not an array of numbers: {fault}") from fault
    return found


def first_where(mask: ArrayLike) -> tuple[int, ...] | None:
    """Index of the first true element in the order of the array."""
    found = np.argwhere(np.asarray(mask))
    return tuple(int(index) for index in found[0]) if len(found) else None
