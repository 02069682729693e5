"""Ends of several searches sorted into optima."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.optimisers.multistart import SAME_COST
from calibration.optimisers.objective import Optimum

Array = NDArray[np.float64]

# Two ends of the same cost are one optimum when no variable differs by more scales than this. With prior standard
# deviations as scales every direction has a curvature of at least one, so that searches of equal cost within
# `SAME_COST` may be 0.14 apart on the slope of one optimum; converged ones are much closer.
SAME_PLACE = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Basin:
    """Searches that ended at one optimum.

    Attributes
    ----------
    members
        Numbers of the starts.
    optimum
        The lowest of their ends.
    """

    members: tuple[int, ...]
    optimum: Optimum


def basins(optima: Sequence[Optimum], scale: Array) -> tuple[Basin, ...]:
    """Sort the ends that converged into optima.

    Ends are linked if their costs differ by less than `SAME_COST` and no variable by more than `SAME_PLACE` scales;
    linked ones, also through others, are one optimum.

    Parameters
    ----------
    optima
        One for each start.
    scale
        Typical size of each variable, shape (variable,).

    Returns
    -------
    tuple of Basin
        The lowest first.
    """
    waiting = sorted((k for k, end in enumerate(optima) if end.outcome.is_success), key=lambda k: optima[k].cost)
    found = []
    while waiting:
        members = [waiting.pop(0)]
        for member in members:
            linked = [k for k in waiting if _are_one(optima[member], optima[k], scale)]
            members += linked
            waiting = [k for k in waiting if k not in linked]
        lowest = min(members, key=lambda k: (optima[k].cost, k))
        found.append(Basin(members=tuple(sorted(members)), optimum=optima[lowest]))
    return tuple(sorted(found, key=lambda basin: basin.optimum.cost))


def _are_one(first: Optimum, second: Optimum, scale: Array) -> bool:
    apart = np.abs(first.point - second.point) / scale
    return abs(first.cost - second.cost) < SAME_COST and bool((apart <= SAME_PLACE).all())
