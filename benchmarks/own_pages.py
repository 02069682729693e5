"""Three models of one's own with a CSV: gapsim's four commands, and its fit beside the same with PySD and lmfit.

``python -m benchmarks.own_pages --world3 wrld3-03.mdl --digi31 digi31.mdl`` makes a table of each model from known
parameters, runs the four commands on it without an edit of any file, and fits it with both recipes below as they stand.
It prints lines of code, processor seconds and how far the estimates lie apart. Models whose file is not given are left
out; ``--show`` prints the recipes. PySD and lmfit have to be installed.
"""

import argparse
import contextlib
import io
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.own_models import SIR
from pysd_runner import load_model, simulate
from pysd_runner.simulation.elements import constant_values, element_name

OURS = """
from calibration import CalibrationProblem, fit
from pysd_runner import load_model, load_table

problem = CalibrationProblem(load_model("mine.mdl"), load_table("obs.csv"), free={free})
result = fit(problem)
print(result.summary())
"""
THEIRS = """
import lmfit
import numpy as np
import pandas as pd
import pysd

observed = pd.read_csv("obs.csv", index_col=0)
model = pysd.read_vensim("mine.mdl")
names = {names}


def missed(values):
    chosen = {{name: values[key].value for key, name in names.items()}}
    run = model.run(params=chosen, return_columns={outcomes}, return_timestamps=list(observed.index))
    return (np.log(run[list(observed)]) - np.log(observed)).to_numpy().ravel()


start = lmfit.Parameters()
for key, value in {values}.items():
    start.add(key, value=value, min=0)
found = lmfit.minimize(missed, start)
print(lmfit.fit_report(found))
"""


@dataclass(frozen=True, slots=True)
class Case:
    """A model, what is estimated, what is seen and when."""

    name: str
    time: str
    outcome: str
    truth: Mapping[str, float]
    times: Sequence[float]
    until: float
    noise: float


# True values in multiples of those of the file.
CASES = {
    "sir": Case("SIR", "day", "Infected", {"Contact Rate": 0.9, "Duration": 1.2}, range(33), 40, 0.1),
    "world3": Case(
        "World3-03",
        "year",
        "population",
        {"life expectancy normal": 1.05, "industrial capital output ratio 1": 0.95},
        [1900 + 2.5 * place for place in range(21)],
        1960,
        0.02,
    ),
    "digi31": Case(
        "digi31",
        "year",
        "Technology",
        {"innovation rate": 1.1, "tech elasticity": 0.9},
        [2005 + 0.25 * place for place in range(21)],
        2011,
        0.02,
    ),
}


def written(case: Case, source: Path | None, folder: Path) -> dict[str, float]:
    """Model and table in a folder; the values of the file, from which both searches start."""
    path = folder / "mine.mdl"
    path.write_bytes(SIR.encode() if source is None else source.read_bytes())
    model = load_model(path)
    start = {name: float(constant_values(model, name)) for name in case.truth}
    spacing = float(np.diff(case.times)[0])
    run = simulate(
        model,
        {name: start[name] * factor for name, factor in case.truth.items()},
        outcomes=[case.outcome],
        stop=float(case.times[-1]),
        save_every=spacing,
    )
    values = run[case.outcome][0, 0]
    rng = np.random.default_rng(0)
    seen = values * np.exp(case.noise * rng.standard_normal(values.shape))
    dims = run.dims[model.find(case.outcome)]
    content: dict[str, Any] = {case.time: run.years}
    if not dims:
        content[case.outcome] = seen
    for place in np.ndindex(values.shape[:-1]) if dims else ():
        content[element_name(model.ir, model.find(case.outcome), place)] = seen[place]
    pd.DataFrame(content).to_csv(folder / "obs.csv", index=False, float_format="%.8g")
    return start


def commands(case: Case, folder: Path) -> tuple[list[int], float]:
    """Exit codes of the four commands, and their processor seconds."""
    program = str(Path(sys.executable).with_name("gapsim"))
    model, until = ["--model", "mine.mdl"], ["--until", f"{case.until:g}"]
    lines = (
        ["init", *model, "--data", "obs.csv"],
        ["calibrate", "obs.csv", *model, "--free", ",".join(case.truth), "--out", "fit"],
        ["run", "scenario.yaml", *model, "--fit", "fit", "--data", "obs.csv", *until, "--out", "results"],
        ["forecast", "obs.csv", *model, "--fit", "fit", *until, "--out", "outlook"],
    )
    before, codes = _children(), []
    for line in lines:
        done = subprocess.run([program, *line], cwd=folder, capture_output=True, text=True, check=False)
        codes.append(done.returncode)
        if done.returncode:
            print(f"{case.name}: gapsim {' '.join(line)}\n{done.stderr}", file=sys.stderr)
    return codes, _children() - before


def _children() -> float:
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


def executed(code: str, folder: Path) -> tuple[dict[str, Any], float]:
    """What a recipe leaves, and its processor seconds; libraries that are loaded already cost nothing."""
    names: dict[str, Any] = {}
    began = time.process_time()
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        exec(compile(code, "recipe", "exec"), names)  # noqa: S102
    return names, time.process_time() - began


def lines_of(code: str) -> int:
    """Lines that are not empty."""
    return sum(bool(line.strip()) for line in code.splitlines())


def measured(case: Case, source: Path | None, *, show: bool) -> dict[str, Any]:
    """One row of the table."""
    folder = Path(tempfile.mkdtemp())
    try:
        start = written(case, source, folder)
        keys = {name.lower().replace(" ", "_"): name for name in case.truth}
        ours = OURS.format(free=list(case.truth))
        theirs = THEIRS.format(
            names=keys, outcomes=[case.outcome], values={key: start[name] for key, name in keys.items()}
        )
        if show:
            print(f"{case.name}\n{ours}\n{theirs}")
        told, own_seconds = executed(ours, folder)
        other, other_seconds = executed(theirs, folder)
        codes, seconds = commands(case, folder)
        found = other["found"]
        apart = max(
            abs(told["result"].parameter(name).estimate - found.params[key].value) / found.params[key].stderr
            for key, name in keys.items()
        )
        return {
            "model": case.name,
            "four commands": "all run" if not any(codes) else f"exit codes {codes}",
            "their seconds": round(seconds, 1),
            "lines": lines_of(ours),
            "lines, PySD and lmfit": lines_of(theirs),
            "seconds": round(own_seconds, 2),
            "seconds, PySD and lmfit": round(other_seconds, 1),
            "runs, PySD": found.nfev,
            "estimates apart, in standard errors": round(float(apart), 2),
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world3", type=Path, help="model file of World3-03")
    parser.add_argument("--digi31", type=Path, help="model file of digi31")
    parser.add_argument("--show", action="store_true", help="print the recipes")
    options = parser.parse_args()
    is_first = True
    for key, case in CASES.items():
        source = None if key == "sir" else getattr(options, key)
        if key != "sir" and (source is None or not source.is_file()):
            print(f"{case.name}: left out, its file was not given (--{key})", file=sys.stderr)
            continue
        row = measured(case, source, show=options.show)
        if is_first:
            print("| " + " | ".join(row) + " |\n|" + "---|" * len(row))
        is_first = False
        print("| " + " | ".join(map(str, row.values())) + " |", flush=True)


if __name__ == "__main__":
    main()
