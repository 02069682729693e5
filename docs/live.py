"""Writes the live copy of the explorer that the site links to."""

from pathlib import Path
from typing import Any

from calibration import forecast
from pysd_runner import load_data, load_model
from pysd_runner.reports.explorer.page import page_of
from pysd_runner.reports.explorer.policies import policies_explored
from pysd_runner.scenarios import load_scenario
from pysd_runner.study.inputs import inputs_of, last_origin

FILE = "explorer_live.html"
UNTIL, DRAWS, SEED = 2040, 32, 0
# As `gapsim run` makes a forecast, so that it repeats what the page shows.
FORECAST = 1000
OFFERED = ("zoned_need", "uniform_per_head")


def write(folder: Path) -> Path:
    """Write the page of the shipped model and panel, with priors."""
    panel = load_data("china")
    panel = panel.subset(times=range(panel.years[0], last_origin(panel) + 1))
    model = load_model("regional_digital", regions=len(panel.regions))
    baseline = forecast(panel, until=UNTIL, draws=FORECAST, seed=SEED, past=False).baseline
    inputs = inputs_of(model, panel, until=UNTIL, draws=DRAWS, seed=SEED, baseline=baseline)
    offered = [load_scenario(name, model=model) for name in OFFERED]
    command = f"gapsim run SCENARIO --draws {DRAWS} --until {UNTIL} --seed {SEED}"
    path = folder / FILE
    path.write_text(page_of(policies_explored(inputs, offered), command=command), encoding="utf-8")
    return path


def after_build(app: Any, exception: Exception | None) -> None:
    """Write it beside the pages of a site that was built."""
    if exception is None and app.builder.name == "html":
        write(Path(app.outdir))
