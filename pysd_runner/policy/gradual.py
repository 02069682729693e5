"""Levers turned up together from off to what the policy has: the values of Aumann and Shapley."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine import TimePath
from pysd_runner.policy.gradients import Gradients
from pysd_runner.policy.study import Outcome, Study, Values

Array = NDArray[np.float64]
Told = Callable[[str, int, int], None]

# Points along the straight way from no policy to the policy.
NODES = 8


def gradual_values(study: Study, policy: Values, outcome: Outcome, none: Values | None, progress: Told | None) -> Array:
    r"""Values of Aumann and Shapley, shape (lever, draw).

    .. math:: \int_0^1 \frac{\partial v}{\partial a_i}(t, \dots, t) \, dt
    """
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    gradients = Gradients(study, [outcome], _lever_slopes(study, policy), len(study.levers))
    total = np.zeros((len(study.levers), study.draws))
    without = study.run(
        [study.none if none is None else none],
        lambda data: {outcome.key: outcome.value(data)},
        outcome.variables,
        every=gradients.every,
    )[outcome.key][0, :, -1]
    scale = outcome.sign * (100 / without if outcome.is_relative else np.ones_like(without))
    for number, (node, weight) in enumerate(zip((nodes + 1) / 2, weights / 2, strict=True)):
        _, slopes = gradients([study.switched(policy, [float(node)] * len(study.levers))])
        total += weight * scale * slopes[outcome.key][0, :, -1].T
        if progress is not None:
            progress("levers turned up together", number + 1, NODES)
    return total


def _lever_slopes(study: Study, policy: Values) -> dict[str, Any]:
    """How values move when each lever is turned up from off to what the policy has."""
    found: dict[str, Any] = {}
    for number, lever in enumerate(study.levers.values()):
        value = study.own(lever.variable, policy.get(lever.variable))
        is_path = isinstance(value, TimePath)
        own = value.values[:, 0, 0] if isinstance(value, TimePath) else value[0, 0]
        if lever.variable not in found:
            slopes = np.zeros((*own.shape, len(study.levers)))
            found[lever.variable] = (
                TimePath(times=value.times, values=slopes, interpolate=value.interpolate)
                if isinstance(value, TimePath)
                else slopes
            )
        slopes = found[lever.variable].values if is_path else found[lever.variable]
        place: Any = (..., *lever.position)
        slopes[(*place, number)] = own[place] - lever.off
    return found
