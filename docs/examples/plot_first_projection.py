"""
A whole analysis in a notebook
==============================

The shipped panel of China's 31 provinces: fit, forecast, three policies, a figure, a table for a paper, a brief, and
how good such forecasts were in the past. Half a minute; the page can be downloaded as a notebook.
"""

# %%
# Data and model. Own data are a file or a data frame in place of ``"china"``.

import gapsim

data = gapsim.load_data("china")
model = gapsim.load_model("regional_digital", regions=len(data.regions))
data

# %%
# Fit. One start is enough to look at; four, the default, to report. At a terminal or in a notebook a line says how much
# time is left; ``progress=False`` hides it.

fit = gapsim.fit(model, data, starts=1)
fit

# %%
# Forecast without policy: one fan per region, or one region alone.

outlook = gapsim.forecast(data, until=2040, draws=300, past=False)
outlook.plot()

# %%
# Three policies that cost the same. All scenarios share the draws, and without policy they follow the forecast. Names
# are those of ``gapsim list`` and of the tables of results.

future = gapsim.project(
    model, data, ["zoned_need", "zoned_need_per_head", "only_skills"], fit, forecast=outlook, until=2040, draws=60
)
future.table("theil")

# %%
# What they change for a province, draw by draw, and a figure of one's own: every figure draws in given axes.

import matplotlib.pyplot as plt

from pysd_runner.plots import plot_gaps

figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for region, ax in zip(("Sichuan", "Gansu"), axes, strict=True):
    plot_gaps(future["gap_to_leader"], future.history["gap_to_leader"], regions=[region], scenario="zoned_need", ax=ax)

# %%
# A table for a paper, and all numbers as a workbook.

print(future.to_latex("theil"))
future.to_excel("scenarios.xlsx")

# %%
# A brief on one province, also as Word, Excel or a page.

page = gapsim.brief(future, region="Sichuan")
page.save("sichuan.docx")
page

# %%
# How good were forecasts made this way? Below one is better than leaving every region where it is.

few = data.subset(entities=[region.code for region in data.regions[:8]])
scores = gapsim.backtest(few, forecasters=["damped_drift", "gapsim"], first_origin=2018, draws=200)
scores

# %%
# Errors say what to do, and have names of their own.

try:
    gapsim.project(model, data, ["zoned_ned"], until=2040)
except gapsim.errors.UnknownName as error:
    print(error)
