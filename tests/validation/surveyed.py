"""What one model file of a public collection does here: whether it runs, and how its numbers compare with others."""

import contextlib
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import GapsimError
from pysd_runner.engine.frontend.lowering.model import lower
from pysd_runner.engine.names import key
from pysd_runner.engine.paths import TimePath
from pysd_runner.model import Model, load_model
from pysd_runner.simulation import simulate
from tests.validation.canonical import published_file, read_published
from tests.validation.conformance import data_beside
from tests.validation.readers import differences

Array = NDArray[np.float64]
# Times and values by the name of a cell, ``name[element,...]`` in lower case with underscores.
Series = Mapping[str, tuple[Array, Array]]

# How far numbers may be apart, relative to the largest value of their series; and moments, relative to themselves.
REFERENCE, OTHER_ENGINE = (1e-4, 1e-4), (1e-6, 1e-9)

# Vensim and simlin write a missing value as a number of this size.
MISSING = 1e28

CLOCK = frozenset(
    {"time", "saveper", "time_step", "initial_time", "final_time", "months", "dt", "starttime", "stoptime"}
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Series that are like those of another source, and where others are apart, the farthest first."""

    name: str
    alike: frozenset[str]
    apart: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        count = len(self.alike) + len(self.apart)
        if not self.apart:
            return f"{self.name}: {count} alike"
        return f"{self.name}: {len(self.apart)} of {count} differ, first {next(iter(self.apart.values()))}"


@dataclass(slots=True)
class Finding:
    """What a model file does."""

    path: str
    runs: bool = False
    message: str = ""
    references: list[Comparison] = field(default_factory=list)
    simlin: Comparison | None = None
    pysd: Comparison | None = None


def examine(folder: Path, path: str) -> Finding:
    """Run a model file, and compare it with what is published beside it and with simlin.

    Parameters
    ----------
    folder
        Where the collections are.
    path
        The file, below it.

    Returns
    -------
    Finding
        Faults of the engine itself are in its message as well.
    """
    file, found = folder / path, Finding(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = load_model(file, files=_named_files(file))
            run = simulate(model, _data(model, file), engine="numpy", throw=False)
        except GapsimError as error:
            found.message = " ".join(str(error).replace(f"{folder.resolve()}/", "").split())
            return found
        except Exception as error:  # noqa: BLE001 - what a fault of ours looks like
            found.message = f"fault: {type(error).__name__}: {error}"
            return found
        found.runs = True
        ours = _cells(model, run.data, run.years)
        for name, series in _published(file):
            compared = compare(name, ours, series, REFERENCE)
            if compared.alike or compared.apart:
                found.references.append(compared)
        theirs = simlin_series(file)
        if theirs:
            found.simlin = compare("simlin", ours, theirs, OTHER_ENGINE)
        found.pysd = _second_reading(model)
    return found


def _second_reading(model: Model) -> Comparison | None:
    """What PySD's translators make of a file; None if they cannot read it."""
    try:
        other = lower(model.translated.source())
    except GapsimError:
        return None
    apart = differences(model.ir, other)
    return Comparison("PySD", frozenset(model.variables) - set(apart), {name: name for name in apart})


def _specification(file: Path) -> dict[str, Any]:
    """Files of data that SDEverywhere keeps beside a model."""
    place = file.with_name(f"{file.stem}_spec.json")
    with contextlib.suppress(OSError, ValueError):
        found: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        return found
    return {}


def _named_files(file: Path) -> dict[str, Path]:
    if file.suffix.lower() != ".mdl":
        return {}
    named = _specification(file).get("directData", {})
    return {name: file.parent / place for name, place in named.items() if (file.parent / place).is_file()}


def _data(model: Model, file: Path) -> dict[str, TimePath]:
    """Values of data variables, from tables beside a model."""
    given = dict(data_beside(model, file.parent))
    tables = [file.parent / name for name in _specification(file).get("externalDatfiles", ())]
    for table in (item for item in tables if item.is_file()):
        series = read_dat(table)
        for name, variable in model.variables.items():
            if variable.kind == "data" and name not in given:
                path = _path(model, name, series)
                given |= {} if path is None else {name: path}
    return given


def _path(model: Model, name: str, series: Series) -> TimePath | None:
    cells = [series.get(cell) for cell in _names(model, name)]
    known = [cell for cell in cells if cell is not None]
    if not known:
        return None
    shape = model.ir.shape(model.variables[name].dims)
    times = np.unique(np.concatenate([moments for moments, _ in known]))
    rows = [np.full(times.size, np.nan) if cell is None else np.interp(times, *cell) for cell in cells]
    values = np.stack(rows, axis=-1)
    return TimePath(times=times, values=values.reshape(times.size, *shape), interpolate="linear")


def _names(model: Model, name: str) -> list[str]:
    """Names of the cells of a variable, row by row."""
    elements = [model.ir.ranges[dim] for dim in model.variables[name].dims]
    if not elements:
        return [spelled(name)]
    shape = [len(items) for items in elements]
    return [
        f"{spelled(name)}[{','.join(spelled(items[place]) for items, place in zip(elements, index, strict=True))}]"
        for index in np.ndindex(*shape)
    ]


def spelled(name: str) -> str:
    """A name without regard to case, quotes, spaces and underscores; of a cell as well.

    Examples
    --------
    >>> spelled('"A flow"[ B 1, C]')
    'a_flow[b_1,c]'
    """
    plain = key(name.replace("\\n", " ").replace("·", ".").replace('"', "")).replace(" ", "_")
    return plain.replace("_[", "[").replace("[_", "[").replace(",_", ",").replace("_,", ",").replace("_]", "]")


def _cells(model: Model, data: Mapping[str, Array], years: Array) -> Series:
    found = {}
    for name, values in data.items():
        rows = values[0, 0].reshape(-1, years.size)
        found |= {cell: (years, row) for cell, row in zip(_names(model, name), rows, strict=True)}
    return found


def _published(file: Path) -> Iterator[tuple[str, Series]]:
    beside = [file.with_suffix(ending) for ending in (".dat", ".csv", ".tab")]
    table = published_file(file.parent)
    for place in dict.fromkeys([*(item for item in beside if item.is_file()), *([] if table is None else [table])]):
        with contextlib.suppress(ValueError, IndexError):
            yield place.name, read_dat(place) if place.suffix == ".dat" else _read_table(place)


def _read_table(place: Path) -> Series:
    table = read_published(place)
    return {spelled(name): (table.times, values) for name, values in table.columns.items()}


def read_dat(place: Path) -> Series:
    """Read a file as Vensim exports it: the name of each series on a line, then its times and values."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    current: tuple[list[float], list[float]] = ([], [])
    for line in place.read_text(encoding="utf-8", errors="replace").splitlines():
        parts = line.rstrip().split("\t")
        if len(parts) == 1 and parts[0]:
            current = found.setdefault(spelled(parts[0]), ([], []))
        elif len(parts) > 1:
            with contextlib.suppress(ValueError):
                moment, value = float(parts[0]), float(parts[1])
                current[0].append(moment)
                current[1].append(value)
    return {name: (np.array(times), np.array(values)) for name, (times, values) in found.items() if times}


def simlin_series(file: Path) -> Series:
    """What simlin makes of a file; nothing if it is not installed or does not run it."""
    try:
        import simlin
    except ImportError:
        return {}
    try:
        run = simlin.load(str(file)).simulate()
        run.run_to_end()
        found = {name: np.array(run.get_series(name), dtype=float) for name in run.get_var_names()}
    except Exception:  # noqa: BLE001 - of many kinds; that it does not run a file is no matter here
        return {}
    times = next((values for name, values in found.items() if spelled(name) == "time"), None)
    if times is None:
        return {}
    # Rows that were never saved hold zeros.
    ends = np.flatnonzero(np.diff(times) <= 0)
    rows = ends[0] + 1 if ends.size else times.size
    return {spelled(name): (times[:rows], values[:rows]) for name, values in found.items() if values.size == times.size}


def compare(name: str, ours: Series, theirs: Series, tolerances: tuple[float, float]) -> Comparison:
    """Compare series that both have, at the moments that both have.

    Parameters
    ----------
    name
        What is compared with.
    ours, theirs
        Series by the name of their cell.
    tolerances
        How far values may be apart, relative to the largest of the other series, and moments, relative to themselves.

    Returns
    -------
    Comparison
        The farthest apart first.
    """
    alike, apart, (tolerance, near) = set(), [], tolerances
    for cell in sorted((ours.keys() & theirs.keys()) - CLOCK):
        moments, found, expected = _matched(ours[cell], theirs[cell], near)
        if not moments.size:
            continue
        finite = np.isfinite(found) & np.isfinite(expected)
        same = (np.isnan(found) & np.isnan(expected)) | (found == expected)
        with np.errstate(invalid="ignore"):
            distance = np.where(finite, np.abs(found - expected), np.where(same, 0.0, np.inf))
        largest = np.abs(expected[np.isfinite(expected)]).max(initial=0.0)
        worst = int(distance.argmax())
        if distance[worst] > tolerance * largest and distance[worst] > _noise(largest):
            relative = distance[worst] / largest if largest else np.inf
            shown = f"{cell} at {moments[worst]:g}: {found[worst]:.6g} here, {expected[worst]:.6g} there"
            apart.append((float(relative), cell, shown))
        else:
            alike.add(cell)
    apart.sort(key=lambda item: -item[0])
    return Comparison(name, frozenset(alike), {cell: text for _, cell, text in apart})


def _noise(largest: float) -> float:
    """What may be left where zero is meant: the rounding of numbers of the size of one."""
    return 1e-9 if largest < 1e-9 else 0.0


def _matched(ours: tuple[Array, Array], theirs: tuple[Array, Array], tolerance: float) -> tuple[Array, Array, Array]:
    """Moments that both have, with the values of both."""
    years, found = ours
    moments, expected = theirs
    places = np.abs(years[:, None] - moments[None, :]).argmin(axis=0)
    near = np.abs(years[places] - moments) <= tolerance * np.maximum(1.0, np.abs(moments))
    return moments[near], _known(found[places][near]), _known(expected[near])


def _known(values: Array) -> Array:
    return np.where(np.abs(values) > MISSING, np.nan, values)


def worst(comparisons: Sequence[Comparison]) -> str:
    """The first comparison that is not alike, as a text; empty if all are."""
    return next((str(item) for item in comparisons if item.apart), "")
