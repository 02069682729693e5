"""
Every region on a tile
======================

A small fan for each region where it lies on the map.
"""

from pysd_runner import load_data, load_model, project
from pysd_runner.plots import plot_tiles

panel = load_data("china")
model = load_model("regional_digital", regions=len(panel.regions))
found = project(model, panel, ["zoned_need"], draws=50)
figure = plot_tiles(found.gaps, found.history["gap_to_leader"])
