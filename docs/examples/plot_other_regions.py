"""
Other regions: a file from elsewhere
====================================

A panel nobody here prepared: a long file with its own headings, a row for the whole nation, real and nominal output
side by side, and nothing about digitalisation. Its figures are made up, so that the example runs anywhere.
"""

# %%
# The file, as an office might export it.

from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pandas as pd

from calibration import Problem, fit
from pysd_runner import load_data, load_model, project
from pysd_runner.data import PanelMapping
from pysd_runner.plots import plot_gaps

draw = np.random.default_rng(0)
rows = []
for place, name in enumerate(("Aland", "Brook", "Cliff", "Dale", "Eastmark", "Fen", "Glen", "Heath", "Isle")):
    growth = draw.normal(0.02 + 0.002 * place, 0.02, 18)
    heads = (30 - 2 * place) * np.exp(np.cumsum(growth))  # thousand a head
    for year, head in zip(range(2005, 2023), heads, strict=True):
        people = 1e6 * (1 + place % 3)
        rows += [(name, year, "gdp_real", head * people / 1e3), (name, year, "gdp_nominal", 1.2 * head * people / 1e3)]
        rows += [(name, year, "population", people)]
table = pd.DataFrame(rows, columns=["region", "year", "variable", "value"])
nation = table.groupby(["year", "variable"], as_index=False)["value"].sum().assign(region="The nation")
table = pd.concat([table, nation])
table["unit"] = table["variable"].map({"population": "persons"}).fillna("million constant 2017 US dollars")
file = Path(mkdtemp()) / "states.csv"
table.to_csv(file, index=False)
print(table.head(3).to_string(index=False))

# %%
# A mapping says what the headings mean, which rows to take and which to leave out; what it leaves out is reported.

mapping = PanelMapping(
    columns={"gdp_real": "output"},
    keep={"variable": ("gdp_real", "population")},
    drop={"region": ("The nation",)},
)
panel = load_data(file, roles=mapping, panel=True)
print(f"{len(panel.regions)} regions, {panel.years[0]} to {panel.years[-1]}")

# %%
# What can be estimated from output and population alone is said before the calibration starts: the digital blocks keep
# their priors. Money is converted, since the costs of levers are in yuan; the capital share is that of OECD regions.

model = load_model("regional_digital", regions=len(panel.regions))
problem = Problem(model, panel, values={"alpha": 1 / 3}, yuan_per_unit=7)
print(problem.describe())
result = fit(problem, starts=1, seed=0)
print(result.table()[["key", "estimate", "low_90", "high_90", "words"]].head(6).to_string(index=False))

# %%
# The projection starts from the last year in which every region has output and population.

future = project(model, panel, ["uniform_per_head"], result, until=2035, draws=40, seed=0, yuan_per_unit=7)
print("last observed year:", future.origin)
figure = plot_gaps(future.gaps, future.history["gap_to_leader"])
