"""Policies between two aims."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pysd_runner.engine.counts import whole
from pysd_runner.export.tables import Tabled
from pysd_runner.policy.objective import Constraint, Objective
from pysd_runner.policy.optimisation import SearchSettings, optimise
from pysd_runner.policy.space import Space
from pysd_runner.policy.study import Outcome, Study, Told, Values

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Front(Tabled):
    """Policies between two aims.

    Attributes
    ----------
    first, second
        Keys of the two outcomes.
    points
        Chosen numbers, shape (policy, number).
    values
        Mean effects out of sample, one row a policy: `first`, `second`; from the best of the one to that of the other.
    space
        What was chosen.
    """

    first: Outcome
    second: Outcome
    points: Array
    values: Array
    space: Space

    def table(self) -> pd.DataFrame:
        """One row a policy: both effects and the numbers chosen."""
        frame = pd.DataFrame(self.values, columns=[self.first.key, self.second.key])
        return frame.join(pd.DataFrame(self.points, columns=[knob.key for knob in self.space.knobs]))


def front(  # noqa: PLR0913 - a front door
    study: Study,
    space: Space,
    *,
    first: str,
    second: str,
    points: int = 5,
    subject_to: Sequence[Constraint] = (),
    start: Array | None = None,
    none: Values | None = None,
    progress: Told | None = None,
) -> Front:
    """Policies between two aims: the mean of one effect is made large while the other is at least so large.

    Parameters
    ----------
    study, space, subject_to, start, none
        As for `optimise`.
    first, second
        Keys of the two outcomes.
    points
        How many policies, the two ends among them.
    progress
        As for `optimise`.

    Returns
    -------
    Front
        Every policy judged on draws its search never saw.
    """
    points = whole("points", points, least=2)
    one, two = study.outcome(first), study.outcome(second)
    once: SearchSettings = {"starts": 1, "describe": False}
    ends = [
        optimise(study, space, objective=Objective(key), subject_to=subject_to, start=start, none=none, **once)
        for key in (first, second)
    ]
    low, high = (float(end.effects[second].mean()) for end in ends)
    found = [ends[0]]
    for number, level in enumerate(np.linspace(low, high, points)[1:-1]):
        if progress is not None:
            progress("policies between the two aims", number, points)
        rules = [*subject_to, Constraint(outcome=second, at_least=float(level))]
        start = found[-1].point
        found.append(
            optimise(study, space, objective=Objective(first), subject_to=rules, start=start, none=none, **once)
        )
    found.append(ends[1])
    return Front(
        first=one,
        second=two,
        points=np.array([item.point for item in found]),
        values=np.array([[item.effects[first].mean(), item.effects[second].mean()] for item in found]),
        space=space,
    )
