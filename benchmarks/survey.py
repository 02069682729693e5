"""How many model files below a folder run, and whether simlin and PySD give the same numbers.

``python -m benchmarks.survey FOLDER`` loads each file in a process of its own, runs it on both targets and with simlin.
PySD, held against Euler's method, the only one it knows, is asked where simlin gives no numbers or others. A variable
agrees that differs by at most 1e-4 of its largest value. Files that do not run and variables that differ are named.

Folders in FOLDER are owners. Files named in FOLDER/incomplete.tsv (path, reason) are not complete, whatever reads them,
and count for nothing. Of the others the share that runs, the mean of owners' shares, and 95 % intervals of both by
resampling owners are printed.
"""

import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.engines import Array
from pysd_runner import load_model, simulate
from pysd_runner.core.errors import GapsimError

TOLERANCE = 1e-4
SECONDS = 120
RESAMPLES = 10_000
ENDINGS = {".mdl": "Vensim", ".xmile": "XMILE", ".stmx": "XMILE", ".itmx": "XMILE"}
CONTROLS = {"time", "initial_time", "final_time", "time_step", "saveper", "dt", "starttime", "stoptime"}


def spelled(name: str) -> str:
    """A name as every engine could write it."""
    return "_".join(name.replace('"', "").replace("\\n", " ").replace("_", " ").lower().split())


def ours(model: Any, engine: Any, method: Any = None) -> dict[str, Array]:
    """Every series by name and elements."""
    run = simulate(model, engine=engine, method=method)
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
    near = np.searchsorted(other["time"], found["time"] - 1e-6)
    here = np.flatnonzero(np.isclose(np.append(other["time"], np.inf)[near], found["time"], rtol=1e-9, atol=1e-6))
    there = near[here]
    names = []
    for name in sorted((found.keys() & other.keys()) - CONTROLS):
        one, two = found[name][here], other[name][there]
        largest = np.nanmax(np.abs([one, two]), initial=0)
        if not np.allclose(one, two, rtol=0, atol=TOLERANCE * largest, equal_nan=True):
            names.append(name)
    return names


def compared(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Engines that run a file, each with the variables it gives other values; the slowest last."""
    model = load_model(path)
    base = ours(model, "llvm")
    yield "runs", []
    others = by_simlin(path)
    names = differing(others, base) if others else []
    if others:
        yield "simlin", names
    yield "numpy", differing(ours(model, "numpy"), base)
    if names or not others:
        # Whatever PySD raises, it does not run the file.
        with suppress(Exception):
            yield "PySD", differing(ours(model, "pysd"), ours(model, "llvm", "euler"))


def report(path: Path) -> None:
    """Prints what one file gives, a line for each engine, or why it is refused."""
    try:
        for engine, names in compared(path):
            print(json.dumps({engine: names}), flush=True)
    except GapsimError as error:
        print(json.dumps({"refused": str(error)}), flush=True)


def apart(path: Path) -> dict[str, Any]:
    """The same from a process of its own, as far as it comes in the time it is given."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.survey", "--file", str(path)]
    said = ""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        output, said = done.stdout, done.stderr.strip()[-300:]
    except subprocess.TimeoutExpired as error:
        output = (error.stdout or b"").decode()
    found: dict[str, Any] = {}
    for line in output.splitlines():
        with suppress(ValueError):
            found |= json.loads(line)
    return found or {"refused": f"CRASH: {said}" if said else f"not done in {SECONDS} s"}


def shares(by_owner: dict[str, list[bool]]) -> str:
    """Share of files that run and mean of owners' shares, with 95 % intervals by resampling owners."""
    run = np.array([sum(files) for files in by_owner.values()])
    count = np.array([len(files) for files in by_owner.values()])
    drawn = np.random.default_rng(0).integers(len(run), size=(RESAMPLES, len(run)))
    files = run[drawn].sum(axis=1) / count[drawn].sum(axis=1)
    owners = (run / count)[drawn].mean(axis=1)
    (low, high), (least, most) = (100 * np.quantile(values, (0.025, 0.975)) for values in (files, owners))
    return (
        f"{run.sum()} of {count.sum()} complete files run, {100 * run.sum() / count.sum():.1f} % ({low:.1f} to "
        f"{high:.1f}); mean of {len(run)} owners' shares {100 * (run / count).mean():.1f} % ({least:.1f} to {most:.1f})"
    )


def main(folder: Path) -> None:
    """Prints what does not run and what differs, then counts and shares by format."""
    counts: Counter[tuple[str, str]] = Counter()
    ran: defaultdict[str, defaultdict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    listed = folder / "incomplete.tsv"
    rows = listed.read_text("utf-8").splitlines() if listed.exists() else []
    incomplete = {row.split("\t")[0] for row in rows}
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS):
        kind, name = ENDINGS[path.suffix.lower()], path.relative_to(folder)
        if name.as_posix() in incomplete:
            counts[kind, "not complete"] += 1
            continue
        found = apart(path)
        ran[kind][name.parts[0]].append("runs" in found and "refused" not in found)
        if "refused" in found:
            print(f"{name}: {found['refused']}", flush=True)
        for engine in found.keys() - {"runs", "refused"}:
            names = found[engine]
            counts[kind, f"{engine} {'differs' if names else 'equal'}"] += 1
            if names:
                print(f"{name}: {engine} differs in {len(names)}: {', '.join(names[:5])}", flush=True)
    print("\n".join(f"{kind}, {what}: {count}" for (kind, what), count in sorted(counts.items())))
    print("\n".join(f"{kind}: {shares(owners)}" for kind, owners in sorted(ran.items())))


if __name__ == "__main__":
    if sys.argv[1] == "--file":
        report(Path(sys.argv[2]))
    else:
        main(Path(sys.argv[1]))
