"""
Other regions: the states of the United States
==============================================

A panel nobody here prepared: a long file of official figures with its own headings, a row for the whole nation, real
and nominal output side by side, population up to 2020, and nothing about digitalisation. The file is not part of the
project; the example looks for ``us_states.csv`` in ``shared/data`` beside the checkout, and stops where it is absent.
"""

# %%
# A mapping says what the headings mean, which rows to take and which to leave out; what it leaves out is reported.

from pathlib import Path

from calibration import CalibrationProblem, fit
from pysd_runner import load_data, load_model, project
from pysd_runner.data import PanelMapping
from pysd_runner.plots import plot_dispersion

places = [folder / "shared" / "data" / "us_states.csv" for folder in Path.cwd().resolve().parents]
found = next((place for place in places if place.is_file()), None)
mapping = PanelMapping(
    columns={"gdp_real": "output"},
    keep={"variable": ("gdp_real", "population")},
    drop={"group": ("NATION",)},
)
if found is None:
    print("us_states.csv is not here; the rest of the example is not run")
else:
    panel = load_data(found, roles=mapping, panel=True)
    print(f"{len(panel.regions)} regions, output per head {panel.years_with('output_per_head')[0]} to 2020")
    for problem in panel.problems[:3]:
        print("*", problem.message)

# %%
# What can be estimated from output and population alone is said before the calibration starts: the digital blocks keep
# their priors. Money is converted, since the costs of levers are in yuan; the capital share is that of OECD regions.

if found is not None:
    model = load_model("regional_digital", regions=len(panel.regions))
    problem = CalibrationProblem(model, panel, start=2005, values={"alpha": 1 / 3}, yuan_per_unit=7)
    print(problem.describe())
    result = fit(problem, starts=2, seed=0)
    print(result.table()[["key", "estimate", "low_90", "high_90", "words"]].to_string(index=False))

# %%
# The projection starts from 2020, the last year in which every state has output and population.

if found is not None:
    future = project(model, panel, ["uniform_per_head"], result.fitted, until=2035, draws=40, seed=0, yuan_per_unit=7)
    print("last observed year:", future.origin)
    figure = plot_dispersion(
        future.data,
        future.history,
        origin=future.origin,
        scenario="uniform_per_head",
        includes=("parameters", "shocks"),
    )
