"""
What a mix consists of
======================

Money of each lever a year and a head, from the brief of a region. `page.save("sichuan.docx")` writes the whole page.
"""

from pysd_runner import brief, load_data, load_model, project

regions = ["110000", "320000", "440000", "410000", "510000", "620000"]
panel = load_data("china").subset(entities=regions)
model = load_model("regional_digital", regions=6)
found = project(model, panel, ["zoned_need", "uniform_per_head", "skills_programme"], draws=100)
page = brief(found, region="Sichuan")
figure = page.bars
