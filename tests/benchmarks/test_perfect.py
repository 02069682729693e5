"""A perfect forecaster is counted like ours."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from benchmarks.perfect import LEVELS, holding, perfect, scored_cells, told
from calibration.forecasting import Backtest, backtest
from calibration.forecasting.models import baselines
from tests.calibration.forecasting.series import panel_of, walk


@pytest.fixture(scope="module")
def results() -> dict[str, Backtest]:
    known = baselines()
    models = {"persistence": known["persistence"], "gapsim": known["pull"]}
    return {"Made": backtest(panel_of(walk(6, 24)), models=models, horizons=(1, 2, 5), draws=40)}


def test_intervals_that_hold_are_those_of_the_table(results: dict[str, Backtest]) -> None:
    table = results["Made"].table().set_index(["model", "horizon"]).loc["gapsim"]
    expected = [
        bool(row[f"coverage_{round(100 * level)}_low"] <= level <= row[f"coverage_{round(100 * level)}_high"])
        for _, row in table.iterrows()
        for level in LEVELS
    ]
    assert holding(results) == expected
    assert f"Of 6 intervals of coverage {sum(expected)} contain" in told(results)


def test_cells_that_were_scored_are_those_with_an_error(results: dict[str, Backtest]) -> None:
    ((horizons, known),) = scored_cells(results)
    assert horizons == (1, 2, 5)
    # 24 years, of which the ninth to the last but one are origins.
    assert known.shape == (15, 6, 3)
    assert known.all(axis=1).sum(axis=0).tolist() == [15, 14, 11]


def test_a_perfect_forecaster_has_nine_of_ten_on_average() -> None:
    panels = [((1, 3), np.ones((30, 20, 2), dtype=bool))] * 2
    found = perfect(panels, repetitions=60)
    assert found.max() <= 8
    # 480 intervals, dependent within a panel.
    assert_allclose(found.mean() / 8, 0.9, atol=0.06)
    assert (perfect(panels, repetitions=3) == found[:3]).all()


def test_panels_that_are_too_short_for_an_interval_do_not_count() -> None:
    assert perfect([((5,), np.ones((4, 3, 1), dtype=bool))], repetitions=2).tolist() == [0, 0]
