"""Four provinces of the shipped panel, for tests that need no more, and panels with other columns."""

from dataclasses import replace

import numpy as np

from pysd_runner.data.dataset import Column

REGIONS = ("110000", "310000", "410000", "620000")


def with_variable(panel, variable, values, *, unit, flag=""):
    """The panel with one column more, or another in its place."""
    array = np.array(values, dtype=float)
    marks = np.where(np.isfinite(array), flag, "").astype(object)
    axes = panel.columns[variable].axes if variable in panel.columns else tuple(panel.entities)
    column = Column(name=variable, values=array, axes=axes, unit=unit, marks=marks)
    return replace(panel, columns={**panel.columns, variable: column})
