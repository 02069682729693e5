"""
Gaps to the leading region
==========================

Observed, then the fan of a policy with the median of no policy dashed, for the regions that are asked for.
"""

from pysd_runner import load_data, load_model, project
from pysd_runner.plots import plot_gaps

regions = ["110000", "320000", "440000", "410000", "510000", "620000"]
panel = load_data("china").subset(entities=regions)
model = load_model("regional_digital", regions=6)
found = project(model, panel, ["zoned_need"], draws=100)
figure = plot_gaps(found.gaps, found.history["gap_to_leader"], regions=["Guangdong", "Sichuan", "Gansu"])
