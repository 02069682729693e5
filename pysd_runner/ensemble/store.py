"""Store of an ensemble: the recipe from which any block can be computed anywhere, and a folder of finished blocks.

Blocks hold runs, as zarr arrays, or statistics of runs; they are written atomically.
"""

import hashlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from pysd_runner.core.errors import InvalidInput, Message, of_system
from pysd_runner.core.types import Arrays, Flags, Interval, Texts, Values
from pysd_runner.engine import Engine, TimePath
from pysd_runner.engine.ir import Method
from pysd_runner.ensemble.cases import Cases, Precision, cases_of
from pysd_runner.ensemble.designs import PartMethod, drawn_part
from pysd_runner.ensemble.run import Reduced
from pysd_runner.ensemble.statistics import BlockStatistics, Moments, Statistics, Summary
from pysd_runner.export.files import draft_folder
from pysd_runner.model import Model, load_model
from pysd_runner.simulation.task import RunSettings

Array = NDArray[np.floating]

RECIPE = "recipe.json"
# Hashes of all files that are not of a block: recipe, values, and the description of the arrays.
SEAL = "seal.json"
# Folder of the zarr arrays.
RUNS = "runs.zarr"
FAILED = "failed"
# First and last axes, in the order of the compiled engine, so that chunks are written without transposing.
FIRST, LAST = "scenario", "draw"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Draws(_Record):
    """Draws that every block generates for itself, so that their number is not limited by memory.

    Parameters
    ----------
    method
        ``"sobol"`` or ``"random"``: the same values as `sobol` and `random_draws` give.
    ranges
        ``(low, high)`` by parameter.
    draws
        Number of draws.
    seed
        Random seed, a non-negative integer.
    """

    method: PartMethod
    ranges: dict[str, Interval]
    draws: int
    seed: int = 0

    def part(self, model: Model, part: slice) -> Arrays:
        """Values of the consecutive draws `part`, by parameter, shape (draw,)."""
        return drawn_part(model, self.method, self.ranges, part, seed=self.seed).cases


class EnsembleRecipe(_Record):
    """All settings that determine the results of a stored ensemble."""

    model: str  # path of the model file
    sha256: str
    regions: int | None  # number of regions it was loaded with; None for those of the file
    files: dict[str, str]
    draws: Draws | None  # None if the values are kept in the store
    values: dict[str, str]  # by variable, hash of the values kept in the store
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
    statistics: Statistics | None  # None if the runs are kept
    versions: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a recipe from its file."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError as error:
            raise InvalidInput(
                "{folder} is no stored ensemble: it has no {name}", folder=path.parent, name=path.name
            ) from error
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise InvalidInput(
                "{path}, {place}: {reason}; it is damaged or newer",
                path=path,
                place=place or Message("the whole file"),
                reason=first["msg"],
            ) from error

    def text(self) -> str:
        """JSON text of the recipe, as written to its file."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n"

    @property
    def digest(self) -> str:
        """Hash of the recipe, recorded with every block."""
        return hashlib.sha256(self.text().encode()).hexdigest()

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return -(-self.count // self.block)

    def part(self, number: int) -> slice:
        """Draws of a block."""
        return slice(number * self.block, min((number + 1) * self.block, self.count))

    def load_model(self) -> Model:
        """Load the model; raise if its file has changed."""
        model = load_model(Path(self.model), regions=self.regions, files=dict(self.files))
        if model.sha256 != self.sha256:
            raise InvalidInput(
                "{model} is not the model that this ensemble was begun with: its bytes have changed; "
                "begin another store",
                model=self.model,
            )
        return model

    def cases(self, model: Model, store: Path, part: slice) -> Cases:
        """Cases of the consecutive draws `part` under every scenario."""
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
            outcomes=self.outcomes,
            **{name: getattr(self, name) for name in RunSettings.__annotations__},
        )
        # Random numbers in the model's equations depend on the number of the draw in the whole ensemble.
        return found.in_blocks(part.start)


def plain(value: Any) -> dict[str, Any]:
    """A scenario value in JSON types, for the recipe."""
    if isinstance(value, TimePath):
        numbers = np.asarray(value.values, dtype=float).tolist()
        return {"times": np.asarray(value.times).tolist(), "values": numbers, "interpolate": value.interpolate}
    return {"values": np.asarray(value, dtype=float).tolist()}


def _value(item: Values) -> Any:
    numbers = np.asarray(item["values"], dtype=float)
    if "times" not in item:
        return numbers
    return TimePath(times=np.asarray(item["times"]), values=numbers, interpolate=item["interpolate"])


def _stored(store: Path, values: Texts, part: slice, count: int) -> dict[str, NDArray[np.float64]]:
    """Stored values of the consecutive draws `part`, by variable."""
    found = {}
    for name, digest in values.items():
        array = np.load(store / "values" / f"{digest}.npy", mmap_mode="r", allow_pickle=False)
        by_draw = array.ndim > 0 and array.shape[0] == count
        found[name] = np.array(array[part] if by_draw else array)
    return found


@dataclass(frozen=True, slots=True)
class BlockStore:
    """The folder of a stored ensemble."""

    path: Path
    recipe: EnsembleRecipe
    digest: str

    def has(self, number: int) -> bool:
        """Whether a block was finished."""
        return self._record(number).is_file()

    def write(self, number: int, arrays: Mapping[str, bytes], failed: int) -> None:
        """Write a block: each file under a temporary name and then renamed, its record last."""
        seals = {}
        for name, content in sorted(arrays.items()):
            _write(self.path / name, content)
            seals[name] = hashlib.sha256(content).hexdigest()
        record = {"block": number, "failed": failed, "recipe": self.digest, "sha256": seals}
        sealed = {**record, "seal": _seal_of(record)}
        _write(self._record(number), (json.dumps(sealed, indent=1, sort_keys=True) + "\n").encode())

    def discard(self, number: int) -> None:
        """Mark a block as unfinished, by deleting its record."""
        self._record(number).unlink(missing_ok=True)

    def sound(self, number: int) -> dict[str, bytes] | None:
        """Contents of a block by file name; None if a file is missing or was changed."""
        try:
            record = json.loads(self._record(number).read_bytes())
            seal = record.pop("seal", None)  # records of earlier versions have none
            found = {name: (self.path / name).read_bytes() for name in record["sha256"]}
            digests = {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}
            is_sound = record["recipe"] == self.digest and digests == record["sha256"]
            is_sound = is_sound and seal in (None, _seal_of(record))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return found if is_sound else None

    @property
    def is_sealed(self) -> bool:
        """Whether files that are not of a block are sealed; earlier versions sealed blocks alone."""
        return (self.path / SEAL).is_file()

    def changed(self) -> list[str]:
        """Files that are not of a block and were damaged, changed or removed since the store was begun.

        Files that were added later are not sealed: nothing is read from them.
        """
        if not self.is_sealed:
            return []
        try:
            sealed = dict(json.loads((self.path / SEAL).read_bytes()))
        except (OSError, ValueError, TypeError):
            return [SEAL]
        return [name for name, digest in sealed.items() if _digest(self.path / name) != digest]

    def failed(self, number: int) -> int:
        """Number of failed cases in a block."""
        return int(json.loads(self._record(number).read_bytes())["failed"])

    def tidy(self) -> None:
        """Remove temporary files of killed writers; call only when all blocks are finished."""
        for path in self.path.rglob(".*.part"):
            path.unlink(missing_ok=True)

    def _record(self, number: int) -> Path:
        return self.path / "blocks" / f"{number:08d}.json"


def runs_of_block(
    recipe: EnsembleRecipe, number: int, runs: Sequence[Mapping[str, Array]], failed: Flags
) -> dict[str, bytes]:
    """Zarr chunks by file; `runs` by scenario, shape (1, draw or 1, ..., year), `failed` (scenario, draw)."""
    found = {}
    count = failed.shape[1]
    for scenario, data in enumerate(runs):
        for name, values in data.items():
            whole = np.moveaxis(np.broadcast_to(values[0], (count, *values.shape[2:])), 0, -1)
            found[run_file(folder_of(name), scenario, number, whole.ndim - 1)] = _chunk(whole, recipe.block)
        found[run_file(FAILED, scenario, number, 0)] = _chunk(failed[scenario], recipe.block)
    return found


def run_file(folder: str, scenario: int, number: int, inner: int) -> str:
    """File of a block's chunk in an array with `inner` axes between scenario and draw."""
    return "/".join((RUNS, folder, "c", str(scenario), *("0" for _ in range(inner)), str(number)))


def _chunk(values: NDArray[Any], size: int) -> bytes:
    """Bytes of a chunk; the last one is padded with zeros."""
    missing = size - values.shape[-1]
    if missing:
        values = np.concatenate([values, np.zeros((*values.shape[:-1], missing), values.dtype)], axis=-1)
    return np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False).tobytes()


def folder_of(name: str) -> str:
    """Folder of a variable's array, with slashes escaped and a suffix for reserved names."""
    name = name.replace("%", "%25").replace("/", "%2F").replace("\0", "%00")
    return f"{name}_" if name in (FAILED, "year") or name.startswith((".", "__")) else name


def statistics_of_block(reduced: Sequence[tuple[int, Reduced]], failed: Flags, outcomes: Sequence[str]) -> bytes:
    """Statistics of a block and the mask of failed cases, as the bytes of an .npz file."""
    arrays: dict[str, Any] = {FAILED: failed}
    for scenario, found in reduced:
        for name, block in found.items():
            arrays |= _packed(f"{scenario}/level/{outcomes.index(name)}", block)
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def _packed(place: str, block: BlockStatistics) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if (moments := block.moments) is not None:
        parts = (moments.origin, moments.beyond, moments.squares, moments.minimum, moments.maximum)
        found |= {f"{place}/moments": np.stack(parts), f"{place}/count": np.array(moments.count)}
    if (summary := block.summary) is not None:
        found |= {f"{place}/points": summary.points, f"{place}/ranks": np.array([summary.count, summary.error])}
    if block.missing is not None:
        found[f"{place}/missing"] = block.missing
    return found


def read_statistics(content: bytes, outcomes: Sequence[str]) -> tuple[list[tuple[int, Reduced]], Flags]:
    """Read the bytes that `statistics_of_block` wrote."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = dict(file)

    def reduced(scenario: int) -> Reduced:
        return {name: _unpacked(arrays, f"{scenario}/level/{number}") for number, name in enumerate(outcomes)}

    return [(scenario, reduced(scenario)) for scenario in range(len(arrays[FAILED]))], arrays[FAILED]


def _unpacked(arrays: Values, place: str) -> BlockStatistics:
    moments, ranks = arrays.get(f"{place}/moments"), arrays.get(f"{place}/ranks")
    return BlockStatistics(
        None if moments is None else Moments(int(arrays[f"{place}/count"]), *moments),
        None if ranks is None else Summary(arrays[f"{place}/points"], int(ranks[0]), float(ranks[1])),
        arrays.get(f"{place}/missing"),
    )


def create(path: Path, recipe: EnsembleRecipe, cases: Cases, values: Mapping[str, Array], attributes: Values) -> None:
    """Create the folder of a stored ensemble, atomically."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft_folder(path) as draft:
            draft.chmod(0o755)
            (draft / "blocks").mkdir()
            if recipe.statistics is None:
                _create_arrays(draft / RUNS, recipe, cases, attributes)
            if values:
                (draft / "values").mkdir()
            for digest, array in values.items():
                np.save(draft / "values" / f"{digest}.npy", array, allow_pickle=False)
            (draft / RECIPE).write_text(recipe.text(), encoding="utf-8")
            files = sorted(file.relative_to(draft).as_posix() for file in draft.rglob("*") if file.is_file())
            seal = {name: _digest(draft / name) for name in files}
            (draft / SEAL).write_text(json.dumps(seal, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
            draft.rename(path)
    except OSError as error:
        if not (path / RECIPE).is_file():  # otherwise another process created it at the same time
            raise InvalidInput("{path} cannot be made: {reason}", path=path, reason=of_system(error)) from error


def _create_arrays(path: Path, recipe: EnsembleRecipe, cases: Cases, attributes: Values) -> None:
    """Create the zarr arrays of every outcome, without their chunks."""
    try:
        import zarr
    except ImportError as error:
        raise InvalidInput(
            "a store of runs needs zarr: pip install 'gapsim[cluster]'; or keep statistics, which do not"
        ) from error
    group = zarr.create_group(path, attributes=dict(attributes))
    ir, scenarios = cases.first.ir, len(cases.scenarios)
    years = cases.first.clock.saved_times
    group.create_array("year", data=years, compressors=None, dimension_names=["year"])

    def array(name: str, inner: Mapping[str, int], dtype: str, about: Values) -> None:
        group.create_array(
            name,
            shape=(scenarios, *inner.values(), recipe.count),
            chunks=(1, *inner.values(), recipe.block),
            dtype=dtype,
            compressors=None,
            fill_value=0,
            dimension_names=[FIRST, *inner, LAST],
            attributes=dict(about),
        )

    for name, shape in cases.shapes.items():
        dims = [dim.lower() for dim in ir.variables[name].dims]
        array(
            folder_of(name),
            dict(zip([*dims, "year"], shape, strict=True)),
            recipe.precision,
            {"units": ir.variables[name].unit, "long_name": name},
        )
    array(FAILED, {}, "bool", {"long_name": "cases that are not finite"})


def _seal_of(record: Values) -> str:
    """Hash of the record of a block."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _digest(path: Path) -> str:
    """Hash of a file; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _write(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it; a killed write leaves only a hidden file."""
    # Not `write_bytes_whole`, which waits for the disk and reads the umask of the process, which threads share. Lost
    # data are detected by the hashes in the record of a block.
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.part")
    try:
        aside.write_bytes(content)
        aside.replace(path)
    except FileNotFoundError:
        # Another writer finished the last block and removed temporary files; it wrote the same content.
        if not path.is_file():
            raise
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
