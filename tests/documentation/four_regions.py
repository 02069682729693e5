"""A small panel in place of the shipped one, on which forecasts of the documentation would take a minute in all."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

import gapsim
import pysd_runner
from pysd_runner.data import Data
from tests.calibration.forecasting.series import panel_of, walk

# Modules that hold the function under its name: imported while it is replaced, they would keep what replaces it.
HOLDERS = ("calibration.forecasting.target", "pysd_runner.data.update", "pysd_runner.reports.description")
HOLDERS += ("pysd_runner.reports.replay", "pysd_runner.study.arguments")
# Sichuan and Gansu are named on pages; of three classes there are some.
PROVINCES = ("110000", "410000", "510000", "620000")


def take_four_provinces(patch: pytest.MonkeyPatch) -> None:
    """Whatever panel is asked for, give four provinces of the shipped one."""
    panel = pysd_runner.load_data("china").subset(entities=PROVINCES)
    replace_load_data(patch, panel)


def take_four_regions(patch: pytest.MonkeyPatch) -> None:
    """Whatever panel is asked for, give four regions of two classes, 2009-2024."""
    logs = walk(4, 16) + np.array([-0.5, 0.5, -0.5, 0.5])[:, None]
    panel = panel_of(logs, 2009, groups=("west", "east"))
    regions = (replace(region, row=0, column=place) for place, region in enumerate(panel.regions))
    panel = replace(panel, entities={"region": tuple(regions)})
    replace_load_data(patch, panel)


def replace_load_data(patch: pytest.MonkeyPatch, panel: Data) -> None:
    """Give a panel for whatever is asked, at every door; doors look the function up behind them, so they come first."""
    for name in HOLDERS:
        import_module(name)
    for door in (gapsim, pysd_runner, pysd_runner.data):
        patch.setattr(door, "load_data", lambda *_, **__: panel)
