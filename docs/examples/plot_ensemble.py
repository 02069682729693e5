"""
An ensemble of any model
========================

Any Vensim or XMILE file can be run for many draws of its parameters, under several scenarios, all on the same draws.
The model here is written on the spot: how a technology spreads in three regions that learn from each other.
"""

# %%
# The file is data: nothing of it is executed.

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from matplotlib.figure import Figure

from pysd_runner import load_model, run_ensemble
from pysd_runner.engine import TimePath
from pysd_runner.ensemble import Statistics, latin_hypercube

TEXT = """{UTF-8}
Region: Coast, Plain, Hills ~~|
Other: Region ~~|
start[Region] = 0.05, 0.02, 0.01 ~ Dmnl ~|
imitation = 0.4 ~ 1/Year ~|
spillover = 0.3 ~ Dmnl ~|
support = 0 ~ 1/Year ~|
average = SUM(adoption[Other!]) / 3 ~ Dmnl ~|
seen[Region] = (1 - spillover) * adoption[Region] + spillover * average ~ Dmnl ~|
adoption[Region] = INTEG((support + imitation * seen[Region]) * (1 - adoption[Region]), start[Region]) ~ Dmnl ~|
gap = VMAX(adoption[Other!]) - VMIN(adoption[Other!]) ~ Dmnl ~|
INITIAL TIME = 2025 ~ Year ~|
FINAL TIME = 2045 ~ Year ~|
TIME STEP = 0.125 ~ Year ~|
SAVEPER = 1 ~ Year ~|
"""

with TemporaryDirectory() as folder:
    file = Path(folder) / "spread.mdl"
    file.write_text(TEXT, encoding="utf-8")
    model = load_model(file)
print(f"{len(model.variables)} variables")

# %%
# Two parameters are uncertain. A Latin hypercube fills their bounds; the seed decides every value.

design = latin_hypercube(model, {"imitation": (0.2, 0.6), "spillover": (0.1, 0.5)}, draws=400, seed=0)
print(design.to_frame().describe().loc[["min", "mean", "max"]])

# %%
# A scenario says what it replaces: a number, an array over regions, or a path over time. Both share the draws, so that
# their difference can be taken draw by draw.

scenarios = {
    "no support": {},
    "support to 2035": {"support": TimePath(times=np.array([2025.0, 2035.0]), values=np.array([0.03, 0.0]))},
}
ensemble = run_ensemble(model, design, scenarios=scenarios, outcomes=["adoption", "gap"])
print(ensemble.describe())
runs = ensemble.to_xarray()
print(runs["adoption"].dims)

# %%
# The gap between the regions: median and the middle 90 of 100 draws.

figure = Figure(figsize=(6.4, 3.6), layout="constrained")
axes = figure.subplots()
for name, colour in zip(ensemble.scenarios, ("0.4", "tab:blue"), strict=True):
    low, middle, high = runs["gap"].sel(scenario=name).quantile([0.05, 0.5, 0.95], dim="draw")
    axes.fill_between(runs["year"], low, high, color=colour, alpha=0.2, linewidth=0)
    axes.plot(runs["year"], middle, color=colour, label=name)
axes.set(xlabel="Year", ylabel="Gap in adoption, share of people", xticks=range(2025, 2046, 5))
_ = axes.legend(frameon=False)

# %%
# What support changes in 2035, draw by draw.

gap = runs["gap"].sel(year=2035)
difference = gap.sel(scenario="support to 2035") - gap.sel(scenario="no support")
low, high = (float(difference.quantile(level)) for level in (0.05, 0.95))
print(f"gap in 2035: 90 in 100 draws between {low:+.3f} and {high:+.3f}")

# %%
# For many draws the runs need not be kept. Statistics are brought up to date block by block, in memory that does not
# grow with the number of draws; quantiles are right to a stated share of the draws.

many = latin_hypercube(model, {"imitation": (0.2, 0.6), "spillover": (0.1, 0.5)}, draws=20_000, seed=0)
keep = Statistics(quantiles=(0.05, 0.5, 0.95), tolerance=0.01)
kept = run_ensemble(model, many, scenarios=scenarios, outcomes=["gap"], keep=keep)
found = kept.to_xarray().sel(scenario="support to 2035", year=2035)
print("mean gap in 2035:", round(found["gap, mean"].item(), 4))
print("quantiles:", found["gap, quantile"].to_numpy().round(4))
print(f"every quantile is right to {kept.quantile_error:.4f} of the draws")
