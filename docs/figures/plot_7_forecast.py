"""
A forecast
==========

Output per head of each region without policy, with 30, 60 and 90 % intervals.
"""

from calibration import forecast
from pysd_runner import load_data

regions = ["110000", "320000", "440000", "410000", "510000", "620000"]
panel = load_data("china").subset(entities=regions, times=range(2010, 2025))
outlook = forecast(panel, until=2035, draws=400, past=False)
figure = outlook.plot()
