"""Write the page with the evaluation of the shipped model: ``python docs/evaluation.py``, a minute or two.

The same as ``gapsim evaluate --seed 0``: calibrates the shipped panel and applies every test. The page has what was
found in short; the command writes every number.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from calibration import Problem, fit
from calibration.evaluation import Evaluation, Subject, evaluate
from calibration.evaluation.fit import ComparedSeries, point_fit_tests
from calibration.reporting.pages import number_text, summary_line
from pysd_runner.data import load_data
from pysd_runner.indicators import gap_to_leader, sigma_dispersion, theil
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from pysd_runner.spec import FittedParameters
from pysd_runner.study.binding import RegionalModel

# Measures of gaps, of output per head and population, shape (region, year).
MEASURES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "mean gap to leader": lambda heads, _: gap_to_leader(heads).mean(axis=0),
    "sigma dispersion": lambda heads, _: sigma_dispersion(heads),
    "Theil index": lambda heads, people: theil(heads * people, people),
    "output per head of the nation": lambda heads, people: (heads * people).sum(axis=0) / people.sum(axis=0),
}
PAGE = Path(__file__).with_name("evaluation.md")
MODEL, PANEL, STARTS, SEED = "regional_digital", "china", 4, 0

PREFACE = """\
# Evaluation of the shipped model

What the tests of the field find of the model calibrated to the shipped panel, failures first. A test that fails says
where the model departs from what it is held against; it does not say that the model is useless, and passing does not
prove it. `python docs/evaluation.py` writes the page from what

```
gapsim evaluate --seed 0
```

finds, and holds levels and gaps of output per head, which are not fitted, against what was observed as well. The
command writes all tests but these, and every table, as CSV. It takes your own fit (`gapsim evaluate fit --data
mine.csv`, of any other model `gapsim evaluate fit --model mine.mdl`) and any model file by itself (`gapsim evaluate
--model mine.mdl`: units, the rules and experiments of a `checks.toml` beside it, numerics), and answers with exit code
4 when a test of structure or numerics failed, with 3 when another one did.
[Evaluation statistics](evaluation_statistics) explains the numbers."""


def evaluated() -> Evaluation:
    """Calibrate the shipped panel and apply every test."""
    panel = load_data(PANEL, panel=True)
    model = load_model(MODEL, regions=len(panel.regions))
    result = fit(Problem(model, panel), starts=STARTS, seed=SEED)
    subject = Subject.of_fit(result, panel)
    found = evaluate(subject, seed=SEED)
    return replace(found, sections=(point_fit_tests(list(_levels(subject, result.fitted))), *found.sections))


def _levels(subject: Subject, fitted: FittedParameters) -> Iterator[ComparedSeries]:
    """Output per head, population and gaps, simulated over the window of the fit at its estimates."""
    model, panel = subject.model, subject.past[0]
    first, names = fitted.first_year, model.bindings.variables
    bound = RegionalModel(model=model, panel=panel, parameters=subject.estimates)
    read = {"output_per_head": names.output_per_head, "population": names.population}
    settings = {"start": first, "stop": fitted.last_year, "save_every": 1}
    run = simulate(model, bound.values(bound.inputs(first)), outcomes=list(read.values()), **settings)
    # Without the first year, which the model matches by construction.
    begin = panel.years.index(first) + 1
    seen = [panel.array(name)[:, begin:] for name in read]
    made = [run[variable][0, 0, :, 1:] for variable in read.values()]
    for name, *pair in zip(read, seen, made, strict=True):
        yield _compared(name, *pair)
    for name, measure in MEASURES.items():
        yield _compared(name, *(measure(*both)[None] for both in (seen, made)))


def _compared(name: str, observed: np.ndarray, simulated: np.ndarray) -> ComparedSeries:
    """A series that is not fitted; the calibration compares regions with each other."""
    pair = (xr.DataArray(values, dims=("region", "year")) for values in (observed, simulated))
    coords = {"region": np.arange(len(observed))}
    left, right = (item.assign_coords(coords) for item in pair)
    return ComparedSeries(name=f"{name} (not fitted)", unit="", observed=left, simulated=right)


def page(evaluation: Evaluation) -> str:
    """The page: counts, what failed, what was not tested and why, what passed, and of what it was made."""
    tests = evaluation.to_frame()
    made = evaluation.provenance
    fitted = made["fit"]
    lines = [
        PREFACE,
        f"\n**{summary_line(evaluation)}.** {made['panel']['regions']} regions, fitted from {fitted['first_year']} to "
        f"{fitted['last_year']} ({fitted['status']}), run without policy until {made['run']['stop']:g}.",
        *_table("What failed", _failed(tests[tests["verdict"] == "failed"]), "test, value, held against, of, found"),
        *_table("What was not tested, and why", _untested(tests[tests["verdict"] == "not tested"]), "test, of, why"),
        "\n## What is asked, and what passed\n",
        *_asked(tests),
        f"\nMade of model {made['model_sha256']} and panel {made['panel']['sha256']}.",
    ]
    return "\n".join(lines) + "\n"


def _table(title: str, rows: Iterator[list[str]], columns: str) -> list[str]:
    names = columns.split(", ")
    cells = (names, ["---"] * len(names), *rows)
    return [f"\n## {title}\n", *("| " + " | ".join(text.replace("|", "\\|") for text in row) + " |" for row in cells)]


def _failed(tests: pd.DataFrame) -> Iterator[list[str]]:
    """A row for each test and what it found, with all it was found of."""
    for (title, note), rows in tests.fillna({"note": ""}).groupby(["title", "note"], sort=False):
        values = "; ".join(number_text(value) for value in rows["value"])
        yield [title, values, number_text(rows["bound"].iloc[0]), "; ".join(rows["subject"]), note]


def _untested(tests: pd.DataFrame) -> Iterator[list[str]]:
    for (title, note), rows in tests.groupby(["title", "note"], sort=False):
        yield [title, "; ".join(rows["subject"]), note]


def _asked(tests: pd.DataFrame) -> Iterator[str]:
    """A line for each kind of test: its criterion, and the names of what passed."""
    for (title, criterion), rows in tests.groupby(["title", "criterion"], sort=False):
        passed = rows["subject"][rows["verdict"] == "passed"]
        names = f" Passed: {'; '.join(passed)}." if len(passed) else ""
        yield f"- **{title}**: {criterion}.{names}"


if __name__ == "__main__":
    PAGE.write_text(page(evaluated()), encoding="utf-8")
