"""
A fit of a model of one's own
=============================

A stock that fills towards a limit, and a table that observes it: the fitted path over the data.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from calibration import Problem, fit
from pysd_runner import load_data, load_model

TEXT = """{UTF-8}
Limit = 80 ~ person ~|
Time to Adopt = 4 ~ Year ~|
Users = INTEG((Limit - Users) / Time to Adopt, 5) ~ person ~|
INITIAL TIME = 0 ~ Year ~|
FINAL TIME = 20 ~ Year ~|
TIME STEP = 0.25 ~ Year ~|
SAVEPER = 1 ~ Year ~|
"""

with TemporaryDirectory() as folder:
    file = Path(folder) / "adoption.mdl"
    file.write_text(TEXT, encoding="utf-8")
    model = load_model(file)
years = np.arange(16)
users = (90 - 85 * np.exp(-years / 5)) * np.random.default_rng(0).lognormal(0, 0.05, 16)
table = load_data({"Year": years, "Users": users})
result = fit(Problem(model, table, free=["Limit", "Time to Adopt"]), starts=2)
print(result.table().iloc[:, :5])
figure = result.plot()
