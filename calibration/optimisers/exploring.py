"""How a search over a whole box ends: with a local search from the best point it saw."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from calibration.optimisers.least_squares import LeastSquares
from calibration.optimisers.objective import Objective, Optimum
from calibration.optimisers.outcome import Outcome
from calibration.optimisers.watch import SearchOver, Watch, ended, interior

Array = NDArray[np.float64]

# Share of a time budget the exploration may take; the rest is for the local search at its end.
EXPLORATION = 0.8


def explored(
    objective: Objective,
    start: Array,
    explore: Callable[[Watch, Array], None],
    *,
    seconds: float,
    evaluations: float,
) -> Optimum:
    """Explore, then search locally from the best point seen."""
    # Explorations end when their population or temperature says so, which is far from an optimum in the sense of a
    # gradient; least squares ends there in a few steps.
    if not len(start):
        return ended(start, objective, Outcome.NOTHING_TO_MOVE)
    inside = interior(start, objective)
    whole = Watch(objective, seconds=seconds)
    watch = Watch(objective, seconds=EXPLORATION * seconds, evaluations=evaluations)
    is_whole = True
    watch.cost(inside)
    try:
        explore(watch, inside)
    except SearchOver:
        is_whole = False
    if watch.best_point is None:
        return ended(inside, objective, Outcome.NOT_FINITE)
    end = LeastSquares(seconds=whole.seconds_left).minimise(objective, watch.best_point)
    outcome = end.outcome
    if outcome is Outcome.CONVERGED and not is_whole:
        outcome = Outcome.EXPLORED_IN_PART
    return replace(end, outcome=outcome, evaluations=end.evaluations + watch.evaluations)
