"""What a stored ensemble is made from: a small record, from which any block of it can be computed anywhere."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from pysd_runner.core.errors import InvalidInput
from pysd_runner.engine import Engine, Precision, TimePath
from pysd_runner.engine.ir import Method
from pysd_runner.ensemble.cases import Cases, cases_of
from pysd_runner.ensemble.designs import PartMethod, drawn_part
from pysd_runner.ensemble.statistics import Statistics
from pysd_runner.model import Model, load_model


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Draws(_Record):
    """Draws that every block makes for itself, so that their number is not limited by memory.

    Parameters
    ----------
    method
        ``"sobol"`` or ``"random"``: the same values as `sobol` and `random_draws` give.
    ranges
        ``(low, high)`` by parameter.
    draws
        How many.
    seed
        Decides every value, a whole number from 0.
    """

    method: PartMethod
    ranges: dict[str, tuple[float, float]]
    draws: int
    seed: int = 0

    def part(self, model: Model, part: slice) -> dict[str, NDArray[np.float64]]:
        """Values of some consecutive draws, by parameter, shape (draw,)."""
        return drawn_part(model, self.method, self.ranges, part, seed=self.seed).cases


class EnsembleRecipe(_Record):
    """Everything that decides the numbers of a stored ensemble."""

    model: str  # path of the model file
    sha256: str
    regions: int | None  # how many regions it was loaded with, None for those of the file
    files: dict[str, str]
    draws: Draws | None  # None where the values lie in the store
    values: dict[str, str]  # hash of each variable's values that lie in the store
    count: int
    block: int  # draws in a block, a multiple of 64
    scenarios: dict[str, dict[str, Any]] | None
    outcomes: tuple[str, ...]
    start: float | None
    stop: float | None
    step: float | None
    save_every: float | None
    engine: Engine
    method: Method
    seed: int
    precision: Precision
    statistics: Statistics | None  # None where the runs are kept
    versions: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a record."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError as error:
            raise InvalidInput(f"{path.parent} is no stored ensemble: it has no {path.name}") from error
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise InvalidInput(
                f"{path}, {place or 'the whole file'}: {first['msg']}; it is damaged or newer"
            ) from error

    def text(self) -> str:
        """The record as it is written."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n"

    @property
    def digest(self) -> str:
        """Hash of the record, which seals every block."""
        return hashlib.sha256(self.text().encode()).hexdigest()

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return -(-self.count // self.block)

    def part(self, number: int) -> slice:
        """Draws of a block."""
        return slice(number * self.block, min((number + 1) * self.block, self.count))

    def load_model(self) -> Model:
        """The model, refused if it is another one."""
        model = load_model(Path(self.model), regions=self.regions, files=dict(self.files))
        if model.sha256 != self.sha256:
            raise InvalidInput(
                f"{self.model} is not the model that this ensemble was begun with: its bytes have changed; begin "
                "another store"
            )
        return model

    def cases(self, model: Model, store: Path, part: slice) -> Cases:
        """The cases of some consecutive draws under every scenario."""
        values = _stored(store, self.values, part, self.count) if self.draws is None else self.draws.part(model, part)
        scenarios = (
            None
            if self.scenarios is None
            else {
                name: {variable: _value(item) for variable, item in overrides.items()}
                for name, overrides in self.scenarios.items()
            }
        )
        found = cases_of(
            model,
            values,
            scenarios,
            part.stop - part.start,
            start=self.start,
            stop=self.stop,
            step=self.step,
            save_every=self.save_every,
            outcomes=self.outcomes,
            engine=self.engine,
            method=self.method,
            seed=self.seed,
        )
        # Random numbers of the model's own equations go by the number of the draw in the whole ensemble.
        inside: Precision = self.precision if self.engine == "llvm" else "float64"
        tasks = tuple(replace(task, first_draw=part.start, threads=1, precision=inside) for task in found.tasks)
        return replace(found, tasks=tasks)


def plain(value: Any) -> dict[str, Any]:
    """A value of a scenario for the record."""
    if isinstance(value, TimePath):
        numbers = np.asarray(value.values, dtype=float).tolist()
        return {"times": np.asarray(value.times).tolist(), "values": numbers, "interpolate": value.interpolate}
    return {"values": np.asarray(value, dtype=float).tolist()}


def _value(item: Mapping[str, Any]) -> Any:
    numbers = np.asarray(item["values"], dtype=float)
    if "times" not in item:
        return numbers
    return TimePath(times=np.asarray(item["times"]), values=numbers, interpolate=item["interpolate"])


def values_file(store: Path, digest: str) -> Path:
    """Where the given values of a variable lie."""
    return store / "values" / f"{digest}.npy"


def _stored(store: Path, values: Mapping[str, str], part: slice, count: int) -> dict[str, NDArray[np.float64]]:
    """Given values of some draws."""
    found = {}
    for name, digest in values.items():
        array = np.load(values_file(store, digest), mmap_mode="r", allow_pickle=False)
        by_draw = array.ndim > 0 and array.shape[0] == count
        found[name] = np.array(array[part] if by_draw else array)
    return found
