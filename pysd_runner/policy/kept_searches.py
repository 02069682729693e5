"""Finished searches in a file, so that an interrupted optimisation goes on where it was."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pysd_runner.core.errors import InvalidInput
from pysd_runner.export.records import check_entries, read_record, write_record
from pysd_runner.policy.objective import Constraint, Objective
from pysd_runner.policy.search import Start
from pysd_runner.policy.space import Space
from pysd_runner.policy.study import Study

SCHEMA = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """What the file holds: the question, and the ends of searches by their numbers."""

    fingerprint: str
    searches: Mapping[str, Start]


@dataclass(slots=True)
class KeptSearches:
    """Finished searches in a file, under a fingerprint of the question."""

    file: Path | None
    study: Study
    space: Space
    objective: Objective
    constraints: Sequence[Constraint]
    seed: int
    searches: dict[str, Any] = field(init=False, default_factory=dict)
    fingerprint: str = field(init=False, default="")

    def __post_init__(self) -> None:
        if self.file is None:
            return
        self.fingerprint = self._asked()
        if self.file.is_file():
            remedy = "remove it to start anew, or name another file"
            known = read_record(self.file, schema=SCHEMA, what="searches of an optimisation", remedy=remedy)
            check_entries(Kept, known, str(self.file), remedy)
            if known["fingerprint"] != self.fingerprint:
                raise InvalidInput(f"{self.file} belongs to another question; {remedy}")
            self.searches = known["searches"]

    def get(self, number: int) -> Start | None:
        """A search that was finished before."""
        found = self.searches.get(str(number))
        return None if found is None else Start(**{**found, "point": tuple(found["point"])})

    def put(self, number: int, found: Start) -> None:
        """Keep a search."""
        if self.file is None:
            return
        self.searches[str(number)] = {
            "point": list(found.point),
            "value": found.value,
            "miss": found.miss,
            "steps": found.steps,
        }
        kept = {"fingerprint": self.fingerprint, "searches": self.searches}
        write_record(self.file, kept, schema=SCHEMA, allow_nan=True)

    def _asked(self) -> str:
        """Hash of everything that decides the result of a search."""
        known = hashlib.sha256()
        parts = (self.study.model.sha256, self.study.bounds, self.study.draws, self.space.knobs, self.objective)
        known.update(repr((*parts, tuple(self.constraints), dict(self.space.sums), self.seed)).encode())
        for values in (self.study.values, self.study.none, self.space.base):
            for name, value in sorted(values.items()):
                numbers = getattr(value, "values", value)
                known.update(name.encode())
                known.update(np.ascontiguousarray(np.asarray(numbers, dtype=float)).tobytes())
        return known.hexdigest()
