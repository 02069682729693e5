"""Vintages: an unrevised vintage changes nothing, a revised one costs persistence what was revised."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from benchmarks.vintages import CORE, DATA, LATEST, OLD, VINTAGES, compare, read, revisions
from calibration.forecasting import backtest
from tests.calibration.forecasting.series import panel_of, walk

NAMES = ("damped_drift",)


def rows_of(frame: pd.DataFrame, seen: str, judged: str) -> pd.DataFrame:
    return frame[(frame["seen"] == seen) & (frame["judged"] == judged)].reset_index(drop=True)


def test_without_revisions_all_judges_agree_with_the_back_test() -> None:
    panel = panel_of(walk(5, 16))
    found = compare(panel, panel, names=NAMES, horizon=5, draws=40)
    ours = rows_of(found, "vintage", "vintage")
    for other in (rows_of(found, "vintage", "latest"), rows_of(found, "latest", "latest")):
        assert_allclose(other["rmse"], ours["rmse"])
    whole = backtest(panel, forecasters=NAMES, horizons=range(1, 6), draws=40).table()
    assert_allclose(ours["rmse"], whole["rmse"])
    assert_allclose(ours["crps_ratio_to_persistence"], whole["crps_ratio_to_persistence"])
    assert revisions(panel, panel) == (0.0, 0.0)


def test_a_judge_with_other_levels_sees_the_revision_in_every_error() -> None:
    logs = walk(4, 14)
    shift = np.array([0.3, 0.0, 0.0, -0.3])
    revised = logs + shift[:, None]
    found = compare(panel_of(logs), panel_of(revised), names=(), horizon=1, draws=20)
    steps = np.diff(logs - logs.mean(axis=0), axis=1)[:, 8:]
    assert_allclose(rows_of(found, "vintage", "vintage")["rmse"], np.sqrt(np.mean(steps**2)))
    assert_allclose(rows_of(found, "vintage", "latest")["rmse"], np.sqrt(np.mean((steps + shift[:, None]) ** 2)))
    assert_allclose(revisions(panel_of(logs), panel_of(revised)), (shift.std(), 0.0), atol=1e-12)


@pytest.mark.skipif(
    not (DATA / CORE).exists() or not (DATA / OLD).exists(), reason="the files of provinces are not here"
)
def test_vintages_hold_31_provinces_and_known_figures() -> None:
    panels = {vintage.name: read(vintage, DATA) for vintage in (LATEST, *VINTAGES)}
    assert {name: (len(item.regions), *item.years[:: len(item.years) - 1]) for name, item in panels.items()} == {
        "latest": (31, 2000, 2024),
        "4th census": (31, 2000, 2022),
        "2018": (31, 2007, 2016),
    }
    # Tianjin's output of 2016 was revised down by more than a third.
    place = [region.name_en for region in panels["2018"].regions].index("Tianjin")
    old, new = (panels[name]["output_per_head"][place, panels[name].years.index(2016)] for name in ("2018", "latest"))
    assert 1.3 < old / new < 1.6
