"""
A first projection
==================

From the shipped panel of China's 31 provinces to a picture: how the gap of each province to the leader moves under no
policy, and under a mix that is zoned by class and weighted by need.
"""

# %%
# The panel and the model. The model works with any number of regions; here it takes those of the panel.

from pysd_runner import load_data, load_model, project
from pysd_runner.checks import check_dimensions
from pysd_runner.plots import plot_gaps

panel = load_data("china")
model = load_model("regional_digital", regions=panel.regions)
print(f"{len(panel.regions)} regions, {panel.years[0]} to {panel.years[-1]}")

# %%
# Every equation has a unit, and all of them fit.

problems = check_dimensions(model)
print(f"{len(model.variables)} variables, {len(problems)} problems with units")

# %%
# Project to 2040 from the last observed year. Without a calibration every parameter is drawn from its prior, so the
# bands are wide; all scenarios share the draws. Thirty draws are enough to look at, not to report.

projection = project(model, panel, ["zoned_need"], until=2040, draws=30, seed=0)
for warning in projection.warnings:
    print("*", warning)

# %%
# The gap of three provinces to the leader, observed and projected.

figure = plot_gaps(
    projection.data["gap_to_leader"],
    projection.history["gap_to_leader"],
    origin=projection.origin,
    regions=["440000", "410000", "520000"],
    scenario="zoned_need",
    includes=("parameters", "shocks"),
)

# %%
# What the policy changes, draw by draw: the difference to no policy under the same assumptions. It has a band of its
# own, much narrower than that of the level.

difference = projection.difference("gap_to_leader").sel(scenario="zoned_need", year=2040)
for code, name in (("440000", "Guangdong"), ("410000", "Henan"), ("520000", "Guizhou")):
    low, middle, high = (100 * float(difference.sel(region=code).quantile(level)) for level in (0.05, 0.5, 0.95))
    print(f"{name}: {middle:+.2f} percentage points, 90 in 100 draws between {low:+.2f} and {high:+.2f}")
