"""A perfect forecaster is counted like ours."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from benchmarks.perfect import Scored, normal_scores, perfect
from calibration.forecasting import Backtest, backtest
from calibration.forecasting.models import baselines
from tests.calibration.forecasting.series import panel_of, walk


@pytest.fixture(scope="module")
def results() -> dict[str, Backtest]:
    known = baselines()
    models = {"persistence": known["persistence"], "gapsim": known["mean_reversion"]}
    logs = walk(6, 24)
    logs[0, -2:] = np.nan
    return {"Made": backtest(panel_of(logs), forecasters=models, horizons=(1, 2, 5), draws=40)}


def made(known: np.ndarray, shared: float = 0.0, horizons: tuple[int, ...] = (1, 3)) -> Scored:
    rng = np.random.default_rng(1)
    own, common = rng.normal(size=(400, known.shape[1])), rng.normal(size=(400, 1))
    shocks = normal_scores(np.sqrt(shared) * common + np.sqrt(1 - shared) * own)
    return Scored(horizons=horizons, known=known, shocks=shocks)


@pytest.mark.parametrize("shared", [0.0, 0.5])
def test_a_perfect_forecaster_has_nine_of_ten_on_average(shared: float) -> None:
    panels = [made(np.ones((30, 20, 2), dtype=bool), shared)] * 2
    found = perfect(panels, repetitions=60)
    assert found.max() <= 8
    # 480 intervals, dependent within a panel.
    assert_allclose(found.mean() / 8, 0.9, atol=0.08)
    assert (perfect(panels, repetitions=3) == found[:3]).all()


def test_only_cells_that_were_scored_count() -> None:
    whole, part = np.ones((30, 20, 2), dtype=bool), np.ones((30, 20, 2), dtype=bool)
    # From three origins on no interval can be told.
    part[3:, :, 1] = False
    assert perfect([made(part)], repetitions=20).max() <= 2 < perfect([made(whole)], repetitions=20).max()
    assert perfect([made(np.ones((4, 3, 1), dtype=bool), horizons=(5,))], repetitions=2).tolist() == [0, 0]
