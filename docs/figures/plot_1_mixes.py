"""
Mixes for one region
====================

All mixes over time in one chart with labels at the lines, and below it what each changes against no policy. Here every
parameter has its prior; the picture of the first page is that of a calibration.
"""

from pysd_runner import brief, load_data, load_model, project

panel = load_data("china")
model = load_model("regional_digital", regions=len(panel.regions))
found = project(model, panel, ["zoned_need", "uniform_per_head", "skills_programme"], draws=100)
page = brief(found, region="Sichuan")
print(page.figure.sentence)
figure = page.figure
