"""Puts the values of several scenarios on one scenario axis."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine import TimePath
from pysd_runner.model import Model
from pysd_runner.panel import Panel
from pysd_runner.scenarios import Scenario
from pysd_runner.simulation.elements import stacked_values
from pysd_runner.study.region_inputs import time_step

Array = NDArray[np.float64]


def scenario_values(
    scenarios: Sequence[Scenario],
    model: Model,
    panel: Panel,
    common: Mapping[str, Array | TimePath],
    bounds: tuple[int, int],
) -> dict[str, Array | TimePath]:
    """Values of all scenarios, stacked along the scenario axis, shape (scenario, draw, ...)."""
    # What one scenario leaves alone keeps what is common to all: its draws, or the value of the model file.
    origin, until = bounds
    step = time_step(model)
    times = np.arange(origin, until + step / 2, step)
    each = [item.values(model, panel.regions, default_start=float(origin + 1), times=times) for item in scenarios]
    return stacked_values(each, model, common, times)
