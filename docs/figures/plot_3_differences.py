"""
What policies change
====================

The difference of each policy to no policy, draw by draw: much narrower than the band of the level.
"""

from pysd_runner import load_data, load_model, project
from pysd_runner.plots import plot_differences

regions = ["110000", "320000", "440000", "410000", "510000", "620000"]
panel = load_data("china").subset(entities=regions)
model = load_model("regional_digital", regions=6)
found = project(model, panel, ["zoned_need", "uniform_per_head", "skills_programme"], draws=100)
figure = plot_differences(found.data["laggard_gap"])
