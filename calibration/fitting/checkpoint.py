"""What a calibration has finished so far, in one file, so that a kill costs the running search alone."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.observation import Noise
from calibration.optimisers import Optimum, Outcome
from pysd_runner.core.errors import InvalidInput
from pysd_runner.export.files import write_text_whole
from pysd_runner.spec.fitted import check_schema

Array = NDArray[np.float64]

SCHEMA = 2


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Settled:
    """What comes before the starts.

    Attributes
    ----------
    noise
        Errors by label of the series.
    is_settled
        Whether they had stopped moving.
    staged
        Where the stages ended, on the unbounded scale, shape (parameter,).
    """

    noise: Mapping[str, Noise]
    is_settled: bool
    staged: Array


@dataclass(kw_only=True, slots=True)
class Checkpoint:
    """One calibration's finished work.

    Attributes
    ----------
    path
        The file; None keeps nothing.
    digest
        Of the problem and the settings of the search. Work under another digest is not this one's.
    settled
        Errors and stages; None before they are finished.
    ends
        Finished searches by number of the start. One that was stopped by time is not finished.
    """

    path: Path | None
    digest: str
    settled: Settled | None = None
    ends: dict[int, Optimum] = field(default_factory=dict)

    def keep_settled(self, settled: Settled) -> None:
        """Write errors and stages."""
        self.settled = settled
        self._write()

    def keep(self, number: int, end: Optimum) -> None:
        """Write a finished search."""
        if end.outcome is not Outcome.OUT_OF_TIME:
            self.ends[number] = end
            self._write()

    def _write(self) -> None:
        if self.path is None or self.settled is None:
            return
        content = {
            "schema": SCHEMA,
            "digest": self.digest,
            "noise": {label: asdict(item) for label, item in self.settled.noise.items()},
            "is_settled": self.settled.is_settled,
            "staged": self.settled.staged.tolist(),
            "ends": {str(number): _record(end) for number, end in sorted(self.ends.items())},
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_text_whole(self.path, json.dumps(content, indent=1) + "\n")


def open_checkpoint(path: str | Path | None, digest: str) -> Checkpoint:
    """Open a checkpoint, with what is in it if it exists.

    Parameters
    ----------
    path
        The file; None keeps nothing.
    digest
        Of the problem and the settings.

    Returns
    -------
    Checkpoint
        Empty for a new file.

    Raises
    ------
    InvalidInput
        If the file is no checkpoint, or one of another problem or other settings.
    """
    place = None if path is None else Path(path)
    if place is None or not place.exists():
        return Checkpoint(path=place, digest=digest)
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{place} is no checkpoint of a calibration: {error}") from error
    check_schema(content, place, "checkpoints of a calibration", SCHEMA)
    if content.get("digest") != digest:
        raise InvalidInput(
            f"{place} belongs to another calibration: model, panel, window, parameters, errors, seed or optimiser "
            "differ; name another file, or delete this one to start anew"
        )
    try:
        settled = Settled(
            noise={label: _noise(item) for label, item in content["noise"].items()},
            is_settled=bool(content["is_settled"]),
            staged=np.array(content["staged"], dtype=float),
        )
        ends = {int(number): _end(item) for number, item in content["ends"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(f"{place}: an entry is missing or malformed: {error}; delete the file") from error
    return Checkpoint(path=place, digest=digest, settled=settled, ends=ends)


def _record(end: Optimum) -> dict[str, Any]:
    return {
        "point": end.point.tolist(),
        "cost": end.cost,
        "outcome": end.outcome.name,
        "slope": end.slope,
        "evaluations": end.evaluations,
    }


def _end(item: Mapping[str, Any]) -> Optimum:
    return Optimum(
        point=np.array(item["point"], dtype=float),
        cost=float(item["cost"]),
        outcome=Outcome[item["outcome"]],
        slope=float(item["slope"]),
        evaluations=int(item["evaluations"]),
    )


def _noise(item: Mapping[str, Any]) -> Noise:
    return Noise(float(item["sd"]), float(item["persistence"]), tuple(map(float, item["regional"])))
