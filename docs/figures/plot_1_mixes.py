"""
Mixes for one region
====================

All mixes over time in one chart with labels at the lines, and below it what each changes against no policy.
"""

from pysd_runner import brief, load_model, load_panel, project

regions = ["110000", "320000", "440000", "410000", "510000", "620000"]
panel = load_panel("china").subset(regions=regions)
model = load_model("regional_digital", regions=6)
found = project(model, panel, ["zoned_need", "uniform_per_head", "skills_programme"], draws=1000)
page = brief(found, region="Sichuan")
print(page.figure.sentence)
figure = page.figure
