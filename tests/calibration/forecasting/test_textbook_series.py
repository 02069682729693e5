"""Forecasts of series that textbooks use, with a model of one stock and two constants each."""

from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm

from calibration import Problem, backtest, forecast
from calibration.filtering.ensemble import Disturbance, filtered, setup_of
from calibration.filtering.stocks import TransitionModel
from calibration.forecasting import target_of
from calibration.forecasting.words import verdict
from pysd_runner import load_data, load_model

MODELS = Path(__file__).parent / "series"
# United States census, resident population of 1790 to 1970 in millions (the series `uspop` of R).
CENSUS = [3.93, 5.31, 7.24, 9.64, 12.9, 17.1, 23.2, 31.4, 39.8, 50.2]
CENSUS += [62.9, 76.0, 92.0, 105.7, 122.8, 131.7, 151.3, 179.3, 203.2]
FREE = {
    "nile": ["Normal Flow", "Adjustment Time"],
    "co2": ["Growth Rate", "Initial Excess"],
    "census": ["Growth Rate", "Capacity"],
}


def series(name):
    """Years and values, from 1871, 1959 (means of full years) and 1790."""
    if name == "census":
        return {"year": np.arange(1790, 1980, 10), "population": CENSUS}
    if name == "nile":
        found = sm.datasets.nile.load_pandas().data
        return {"year": found["year"].to_numpy(), "flow": found["volume"].to_numpy()}
    weekly = sm.datasets.co2.load_pandas().data["co2"]
    yearly = weekly.groupby(weekly.index.year).mean().loc[1959:]
    return {"year": yearly.index.to_numpy(), "co2": yearly.to_numpy()}


@pytest.mark.parametrize(
    ("name", "worst", "low", "high"), [("nile", 1.05, 0.82, 0.97), ("co2", 1.05, 0.75, 0.99), ("census", 1.15, 0.7, 1)]
)
def test_the_mixture_is_about_as_good_as_its_best_member_and_its_intervals_hold(name, worst, low, high):
    scored = backtest(Problem(load_model(MODELS / f"{name}.mdl"), load_data(series(name)), free=FREE[name]))
    found = scored.table().set_index(["model", "horizon"])
    crps = found["crps"].unstack("horizon")
    assert (crps.loc["gapsim"] <= worst * crps.drop("gapsim").min()).all()
    assert found.loc["gapsim", "coverage_90"].between(low, high).all()


def test_draws_for_which_the_step_is_too_long_are_replaced():
    # Euler's method overshoots where the adjustment time is shorter than the step of 0.25.
    model = load_model(MODELS / "nile.mdl")
    law = TransitionModel(model, {"Adjustment Time": np.array([[0.09, 0.5, 2.0, 0.12]])}, [], start=1871.0)
    assert law.replaced == 2
    after = law.advance(np.full((4, 1), 1500.0), 1871.0, 1891.0).states
    np.testing.assert_allclose(after[:, 0], 1000, atol=0.1)


def test_where_the_step_is_too_long_for_every_draw_none_is_replaced():
    model = load_model(MODELS / "nile.mdl")
    assert TransitionModel(model, {"Adjustment Time": np.array([[0.09, 0.1]])}, [], start=1871.0).replaced == 0


def test_what_was_replaced_is_counted():
    content = {name: values[:12] for name, values in series("nile").items()}
    problem = Problem(load_model(MODELS / "nile.mdl"), load_data(content), free=FREE["nile"])
    outlook = forecast(problem, until=1884, draws=100, past=False)
    assert "of 240 draws of the parameters overshoot at the time step" in outlook.disturbance


def test_members_that_leave_the_data_are_resampled_with_their_parameters():
    model = load_model(MODELS / "census.mdl")
    problem = Problem(model, load_data(series("census")), free=FREE["census"])
    target, observed = target_of(problem), problem.series
    values = {
        "Growth Rate": np.append(np.full(9, 0.03), 3.0)[None],
        "Capacity": np.append(np.full(9, 200.0), 1e30)[None],
    }
    law = TransitionModel(model, values, observed, start=1790.0)
    grid = setup_of(model, law, observed, target.grid, {"population": target.values})
    found = filtered(law, grid, Disturbance(size=0.01, memory=0.0, errors={"population": 0.01}), seed=0, members=20)
    assert found.resampled == 2
    assert 9 in found.rows[0]
    assert 9 not in found.rows[-1]


def skill(crps, held):
    ratios = {"persistence": (1.0, 1.0, 0.9), "gapsim": (0.8, crps, held)}
    keys = ("rmse_ratio_to_persistence", "crps_ratio_to_persistence", "coverage_90")
    return [
        {"model": name, "horizon": 1, "origins": 91, **dict(zip(keys, row, strict=True))}
        for name, row in ratios.items()
    ]


@pytest.mark.parametrize(
    ("crps", "held", "told"),
    [(276.0, 0.9, "Nothing is gained"), (0.8, 0.66, "too narrow"), (0.8, 0.9, "the best baseline (persistence)")],
)
def test_a_verdict_looks_at_scores_and_intervals_too(crps, held, told):
    assert told in verdict(skill(crps, held))
