"""Five models of one's own with a CSV: gapsim's four commands, and its fit beside the same with PySD and lmfit.

``python -m benchmarks.own_pages --world3 wrld3-03.mdl --digi31 digi31.mdl --cookbook PySD-Cookbook/source`` takes two
published models with their published counts, makes a table of the three others from known parameters, runs the four
commands without an edit of any file, and fits with both recipes below as they stand. It prints lines of code, processor
seconds and how far the estimates lie apart. Models whose file is not given are left out. ``--page FILE`` writes
commands, answers and recipes of every model as a page. PySD and lmfit have to be installed.
"""

import argparse
import contextlib
import io
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.own_models import SIR
from pysd_runner import load_model, simulate
from pysd_runner.export.files import write_text_whole
from pysd_runner.simulation.run import constant_values, element_name

OURS = """
from calibration import Problem, fit
from pysd_runner import load_data, load_model

data = load_data("obs.csv"{reading})
problem = Problem(load_model("mine.mdl"), data, free={free})
result = fit(problem)
print(result.summary())
"""
THEIRS = """
import lmfit
import numpy as np
import pandas as pd
import pysd

observed = pd.read_csv("obs.csv", index_col=0){adapted}
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
    """A model, what is estimated, what is seen and how far to go.

    Attributes
    ----------
    key
        Its option.
    name, about
        What it is called and where it is from.
    outcomes
        What is seen.
    free
        What is estimated; of tables that are made, true values in multiples of those of the file.
    until
        Last moment of scenario and forecast.
    time, times, noise
        Heading and moments of a table that is made, and the standard deviation of its errors.
    model, data
        Files of a published model and its table below the folder of its option.
    columns, time_unit
        How that table is read.
    adapted
        What the other recipe has to do with it first.
    """

    key: str
    name: str
    about: str
    outcomes: Sequence[str]
    free: Mapping[str, float]
    until: float
    time: str = ""
    times: Sequence[float] = ()
    noise: float = 0.0
    model: str = ""
    data: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    time_unit: str = ""
    adapted: str = ""

    def source(self, given: Mapping[str, Path | None]) -> Path | None:
        """The model file; None where it was not given."""
        place = given.get(self.key)
        return None if place is None else place / self.model if self.model else place


# Lines of an answer that a page shows.
MOST_LINES = 12
MADE = "its table is made from known parameters"
CASES = (
    Case(
        key="sir",
        name="SIR",
        about=f"An epidemic; {MADE}.",
        outcomes=["Infected"],
        free={"Contact Rate": 0.9, "Duration": 1.2},
        until=40,
        time="day",
        times=range(33),
        noise=0.1,
    ),
    Case(
        key="cookbook",
        name="Ebola in Sierra Leone",
        about="`SI_Model.mdl` and the weekly reports of the World Health Organization, both of the PySD Cookbook. The "
        "total of the model starts at nothing, which has no logarithm.",
        outcomes=["New Reported Cases", "Cumulative Reported Cases"],
        free={"Infectivity": 1, "Total Population": 1},
        until=60,
        model="models/Epidemic/SI_Model.mdl",
        data="data/Ebola/Ebola_in_SL_Data.csv",
        columns={"Cumulative Cases": "Cumulative Reported Cases"},
        adapted=".iloc[1:]",
    ),
    Case(
        key="cookbook",
        name="Hares and lynxes of the Hudson Bay",
        about="`Predator_Prey.mdl` and the pelts of the Hudson's Bay Company, both of the PySD Cookbook. The model "
        "counts days from zero, the table years from 1862; at the model's own values its numbers overflow.",
        outcomes=["Prey Population", "Predator Population"],
        free={"Prey Fertility": 1, "Predator Mortality": 1, "Predation Rate": 1},
        until=1922,
        model="models/Predator_Prey/Predator_Prey.mdl",
        data="data/Predator_Prey/hudson_bay_data.csv",
        columns={"Hare Population": "Prey Population", "Lynx Population": "Predator Population"},
        time_unit="day",
        adapted="\nobserved.index -= 1862",
    ),
    Case(
        key="world3",
        name="World3-03",
        about=f"The world model of Meadows, Randers and Meadows, 1900 to 1950; {MADE}.",
        outcomes=["population"],
        free={"life expectancy normal": 1.05, "industrial capital output ratio 1": 0.95},
        until=1960,
        time="year",
        times=[1900 + 2.5 * place for place in range(21)],
        noise=0.02,
    ),
    Case(
        key="digi31",
        name="digi31",
        about=f"31 regions, technology of each; {MADE}.",
        outcomes=["Technology"],
        free={"innovation rate": 1.1, "tech elasticity": 0.9},
        until=2011,
        time="year",
        times=[2005 + 0.25 * place for place in range(21)],
        noise=0.02,
    ),
)


def written(case: Case, source: Path | None, folder: Path) -> dict[str, float]:
    """Model and table in a folder; the values of the file, from which both searches start."""
    path = folder / "mine.mdl"
    path.write_bytes(SIR.encode() if source is None else source.read_bytes())
    model = load_model(path)
    start = {name: float(constant_values(model, name)) for name in case.free}
    if case.data:
        assert source is not None  # noqa: S101
        below = source.parents[len(Path(case.model).parents) - 1]
        text = (below / case.data).read_text(encoding="utf-8")
        (folder / "obs.csv").write_text(text, encoding="utf-8")
        return start
    spacing = float(np.diff(case.times)[0])
    (outcome,) = case.outcomes
    run = simulate(
        model,
        {name: start[name] * factor for name, factor in case.free.items()},
        outcomes=[outcome],
        stop=float(case.times[-1]),
        save_every=spacing,
    )
    values = run[outcome][0, 0]
    rng = np.random.default_rng(0)
    seen = values * np.exp(case.noise * rng.standard_normal(values.shape))
    dims = run.dims[model.find(outcome)]
    content: dict[str, Any] = {case.time: run.years}
    if not dims:
        content[outcome] = seen
    for place in np.ndindex(values.shape[:-1]) if dims else ():
        content[element_name(model.ir, model.find(outcome), place)] = seen[place]
    pd.DataFrame(content).to_csv(folder / "obs.csv", index=False, float_format="%.8g")
    return start


def lines_of_commands(case: Case) -> list[list[str]]:
    """The four commands, after a first that keeps how the data are read if that has to be said."""
    model, until = ["--model", "mine.mdl"], ["--until", f"{case.until:g}"]
    maps = [word for pair in case.columns.items() for word in ("--map", "=".join(pair))]
    unit = ["--time-unit", case.time_unit] if case.time_unit else []
    checked = [["data", "check", "obs.csv", *model, *maps, *unit]] if maps or unit else []
    return [
        *checked,
        ["init", *model, "--data", "obs.csv"],
        ["calibrate", "obs.csv", *model, "--free", ",".join(case.free), "--out", "fit"],
        ["run", "scenario.yaml", *model, "--fit", "fit", "--data", "obs.csv", *until, "--out", "results"],
        ["forecast", "obs.csv", *model, "--fit", "fit", *until, "--out", "outlook"],
    ]


def commands(case: Case, folder: Path) -> tuple[list[int], float, list[str]]:
    """Exit codes of the four commands, their processor seconds and answers."""
    program = str(Path(sys.executable).with_name("gapsim"))
    before, codes, answers = _children(), [], []
    for line in lines_of_commands(case):
        done = subprocess.run([program, *line], cwd=folder, capture_output=True, text=True, check=False)
        codes.append(done.returncode)
        answers.append(done.stdout)
        if done.returncode:
            print(f"{case.name}: gapsim {shlex.join(line)}\n{done.stderr}", file=sys.stderr)
    return codes, _children() - before, answers


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


def recipes(case: Case, start: Mapping[str, float]) -> tuple[str, str]:
    """The fit of a case in both ways."""
    keys = {name.lower().replace(" ", "_"): name for name in case.free}
    told = {"roles": dict(case.columns), "time_unit": case.time_unit}
    reading = "".join(f", {name}={value!r}" for name, value in told.items() if value)
    renamed = f"\nobserved.columns = {list(case.outcomes)}" if case.columns else ""
    return OURS.format(free=list(case.free), reading=reading), THEIRS.format(
        names=keys,
        outcomes=list(case.outcomes),
        values={key: start[name] for key, name in keys.items()},
        adapted=case.adapted + renamed,
    )


def measured(case: Case, source: Path | None) -> tuple[dict[str, Any], str]:
    """One row of the table, and the section of the page."""
    folder = Path(tempfile.mkdtemp())
    try:
        start = written(case, source, folder)
        ours, theirs = recipes(case, start)
        told, own_seconds = executed(ours, folder)
        codes, seconds, answers = commands(case, folder)
        row: dict[str, Any] = {
            "model": case.name,
            "four commands, s": round(seconds, 1) if not any(codes) else f"exit codes {codes}",
            "the fit, s": round(own_seconds, 2),
        }
        row |= _beside(case, theirs, folder, told["result"])
        row["lines"] = f"{lines_of(ours)} and {lines_of(theirs)}"
        return row, _section(case, answers, ours, theirs)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _beside(case: Case, theirs: str, folder: Path, result: Any) -> dict[str, Any]:
    """What the other recipe costs and finds."""
    names = ("PySD and lmfit, s", "runs of PySD", "estimates apart, standard errors")
    try:
        other, seconds = executed(theirs, folder)
    except ValueError as error:
        print(f"{case.name}, PySD and lmfit: {error}", file=sys.stderr)
        return dict.fromkeys(names, "fails: a run overflows")
    found = other["found"]
    apart = [
        abs(result.parameter(name).estimate - found.params[key].value) / (found.params[key].stderr or np.nan)
        for key, name in other["names"].items()
    ]
    values = (round(seconds, 1), found.nfev, round(float(max(apart)), 2))
    return dict(zip(names, values, strict=True))


def _section(case: Case, answers: Sequence[str], ours: str, theirs: str) -> str:
    """Commands, what they answer, and both recipes."""
    lines = "\n".join(f"gapsim {shlex.join(line)}" for line in lines_of_commands(case))
    told = "\n".join(line for answer in answers[1:] for line in _short(answer))
    return (
        f"## {case.name}\n\n{case.about}\n\n```sh\n{lines}\n```\n\n```text\n{told}\n```\n\n"
        f"The fit in Python:\n\n```python\n{ours.strip()}\n```\n\n"
        f"With PySD and lmfit:\n\n```python\n{theirs.strip()}\n```\n"
    )


def _short(answer: str) -> list[str]:
    """What a command answers, without where it wrote and without the end of a long list."""
    places = ("Fit:", "Results:", "Figure,", "  Start with", "  `gapsim")
    lines = [line for line in answer.splitlines() if line.strip() and not line.startswith(places)]
    return lines if len(lines) <= MOST_LINES else [*lines[: MOST_LINES - 3], "...", *lines[-2:]]


def page(rows: Sequence[Mapping[str, Any]], sections: Sequence[str]) -> str:
    """All of it as one page."""
    table = ["| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
    table += ["| " + " | ".join(map(str, row.values())) + " |" for row in rows]
    lead = (
        "# Five models, four commands\n\n"
        "Five models with a table each, as they stand: declarations, a fit with its uncertainty, a scenario and a "
        "forecast by four commands without an edit of any file. Beside them the same fit with PySD and lmfit: "
        "without errors that follow each other, hence with other estimates where they do, and without a forecast. "
        "Seconds are of the processor. Made by "
        "`python -m benchmarks.own_pages --world3 wrld3-03.mdl --digi31 digi31.mdl --cookbook PySD-Cookbook/source "
        "--page docs/five_models.md`.\n"
    )
    # The code in Python differs by names alone: shown once.
    others = [item.partition("The fit in Python:")[0] for item in sections[1:]]
    return "\n".join([lead, *table, "", *sections[:1], *others])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world3", type=Path, help="model file of World3-03")
    parser.add_argument("--digi31", type=Path, help="model file of digi31")
    parser.add_argument("--cookbook", type=Path, help="folder `source` of the PySD Cookbook")
    parser.add_argument("--page", type=Path, help="write a page of commands, answers and recipes there")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    sections: list[str] = []
    for case in CASES:
        source = case.source(vars(options))
        if case.key != "sir" and (source is None or not source.is_file()):
            print(f"{case.name}: left out, its file was not given (--{case.key})", file=sys.stderr)
            continue
        row, section = measured(case, source)
        if not rows:
            print("| " + " | ".join(row) + " |\n|" + "---|" * len(row))
        print("| " + " | ".join(map(str, row.values())) + " |", flush=True)
        rows.append(row)
        sections.append(section)
    if options.page is not None:
        write_text_whole(options.page, page(rows, sections))


if __name__ == "__main__":
    main()
