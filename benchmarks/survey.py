"""How many model files below a folder run, and whether PySD and simlin give the same numbers.

``python -m benchmarks.survey FOLDER`` loads each file and runs it on both targets, with PySD, held against Euler's
method, the only one it knows, and with simlin. A variable agrees that differs by at most 1e-4 of its largest value.
Files that do not run and variables that differ are named; what another engine cannot run is not compared.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.engines import Array
from pysd_runner import load_model, simulate
from pysd_runner.core.errors import GapsimError, SimulationFailed, UnsupportedFeature

TOLERANCE = 1e-4
ENDINGS = {".mdl": "Vensim", ".xmile": "XMILE", ".stmx": "XMILE", ".itmx": "XMILE"}
CONTROLS = {"time", "initial_time", "final_time", "time_step", "saveper", "dt", "starttime", "stoptime"}


def spelled(name: str) -> str:
    """A name as every engine could write it."""
    return "_".join(name.replace('"', "").replace("\\n", " ").replace("_", " ").lower().split())


def ours(model: Any, engine: Any, method: Any = None) -> dict[str, Array]:
    """Every series by name and elements."""
    run = simulate(model, throw=False, engine=engine, method=method)
    found = {"time": np.asarray(run.years)}
    for name, dims in run.dims.items():
        values = run[name][0, 0]
        for place in np.ndindex(values.shape[:-1]):
            elements = ",".join(spelled(run.ranges[dim][item]) for dim, item in zip(dims, place, strict=True))
            found[spelled(name) + (f"[{elements}]" if dims else "")] = values[place]
    return found


def by_simlin(path: Path) -> dict[str, Array]:
    """The same by simlin, nothing where it cannot."""
    import simlin

    try:
        simulation = simlin.load(path).simulate()
        simulation.run_to_end()
    except simlin.SimlinError:
        return {}
    return {spelled(name): np.array(simulation.get_series(name)) for name in simulation.get_var_names()}


def differing(found: dict[str, Array], other: dict[str, Array]) -> list[str]:
    """Variables of both whose values differ at the times of both."""
    here, there = np.nonzero(np.isclose(found["time"][:, None], other["time"], rtol=1e-9, atol=1e-6))
    names = []
    for name in sorted((found.keys() & other.keys()) - CONTROLS):
        one, two = found[name][here], other[name][there]
        largest = np.nanmax(np.abs([one, two]), initial=0)
        if not np.allclose(one, two, rtol=0, atol=TOLERANCE * largest, equal_nan=True):
            names.append(name)
    return names


def compared(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Engines that run a file, each with the variables it gives other values."""
    model = load_model(path)
    base = ours(model, "numpy")
    yield "llvm", differing(ours(model, "llvm"), base)
    with suppress(SimulationFailed, UnsupportedFeature):
        yield "PySD", differing(ours(model, "pysd"), ours(model, "numpy", "euler"))
    if others := by_simlin(path):
        yield "simlin", differing(others, base)


def main(folder: Path) -> None:
    """Prints what does not run and what differs, then counts by format."""
    counts: Counter[tuple[str, str]] = Counter()
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS):
        kind = ENDINGS[path.suffix.lower()]
        counts[kind, "files"] += 1
        try:
            for engine, names in compared(path):
                counts[kind, f"{engine} {'differs' if names else 'equal'}"] += 1
                if names:
                    print(f"{path}: {engine} differs in {len(names)}: {', '.join(names[:5])}")
        except GapsimError as error:
            counts[kind, "refused"] += 1
            print(f"{path}: {error}")
    print("\n".join(f"{kind}, {what}: {count}" for (kind, what), count in sorted(counts.items())))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
