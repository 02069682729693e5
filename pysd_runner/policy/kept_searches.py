"""Finished searches of an optimisation, so that an interrupted one goes on where it was."""

import hashlib
from collections.abc import Sequence

import numpy as np

from pysd_runner.export.checkpoint import Checkpoint, Kind
from pysd_runner.policy.objective import Constraint, Objective
from pysd_runner.policy.search import Start
from pysd_runner.policy.space import Space
from pysd_runner.policy.study import Study

SEARCHES = Kind(
    name="optimisation", label="optimisation.json", settings="model, draws, outcome, constraints, choice or seed"
)


def asked(study: Study, space: Space, objective: Objective, constraints: Sequence[Constraint], seed: int) -> str:
    """Hash of everything that decides the result of a search."""
    known = hashlib.sha256()
    parts = (study.model.sha256, study.bounds, study.draws, space.knobs, objective)
    known.update(repr((*parts, tuple(constraints), dict(space.sums), seed)).encode())
    for values in (study.values, study.none, space.base):
        for name, value in sorted(values.items()):
            numbers = getattr(value, "values", value)
            known.update(name.encode())
            known.update(np.ascontiguousarray(np.asarray(numbers, dtype=float)).tobytes())
    return known.hexdigest()


def keep_search(kept: Checkpoint, number: int, end: Start) -> None:
    """Write the end of a search."""
    numbers = {"numbers": np.array([end.value, end.miss]), "steps": np.array(end.steps)}
    kept.keep(f"search-{number}", {"point": np.array(end.point), **numbers})


def kept_searches(kept: Checkpoint, count: int) -> dict[int, Start]:
    """Ends of the searches that an earlier process finished."""
    ends = {}
    for number in range(count):
        if (found := kept.get(f"search-{number}")) is not None:
            value, miss = found["numbers"].tolist()
            ends[number] = Start(
                point=tuple(found["point"].tolist()), value=value, miss=miss, steps=int(found["steps"])
            )
    return ends
