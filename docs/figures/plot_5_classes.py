"""
Classes of regions
==================

How far each class lies behind the leading one, and how unequal all regions are.
"""

from pysd_runner import load_data, load_model, project
from pysd_runner.plots import plot_dispersion

regions = ["110000", "320000", "440000", "410000", "510000", "620000"]
panel = load_data("china").subset(entities=regions)
model = load_model("regional_digital", regions=6)
found = project(model, panel, ["zoned_need"], draws=100)
figure = plot_dispersion(found.data, found.history)
